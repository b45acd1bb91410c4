"""Check that a model predicts the next token of a text, and read off its configuration how it does."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import InputError
from ..pruning.blocks import evaluating
from ..sources.foreign import reading

#: How far outputs may differ by rounding, as a share of their spread: with weights of 32 bits and of 16.
_TOLERANCE, _TOLERANCE_OF_HALVES = 1e-4, 3e-2


@torch.no_grad()
def check_causal(model: nn.Module) -> None:
    """Check that a model puts out numbers over its vocabulary, and that they depend on earlier tokens alone.

    Raises:
        InputError: it does not, such as a model without its head, or BERT; or it cannot read a text of token numbers
            alone.
    """
    name, first = type(model).__name__, next(model.parameters())
    exact = first.dtype in (torch.float32, torch.float64)
    tokens = torch.arange(6, device=first.device).repeat(2, 1) % vocabulary(model)
    tokens[1, 3:] = tokens[0, :3]
    with evaluating(model), reading(f"a short text by {name}", "give a causal language model that needs nothing else"):
        logits = getattr(model(input_ids=tokens), "logits", None)
    if logits is None or logits.shape != (*tokens.shape, logits.shape[-1]):
        raise InputError(f"{name} has no outputs for the next token: give a causal language model with its head")
    if not logits.isfinite().all():  # they say nothing here, and scores say so later
        return
    one, other = logits[:, :3].float()
    tolerance = _TOLERANCE if exact else _TOLERANCE_OF_HALVES
    if (one - other).abs().max() > tolerance * one.std():
        raise InputError(f"the outputs of {name} depend on later tokens: give a causal language model")


def vocabulary(model: nn.Module) -> int:
    """Return the number of tokens that a model knows."""
    return int(_text_config(model).vocab_size)


def window(model: nn.Module) -> float:
    """Return how long a text may be of which every block sees all, and whose positions count as those of short texts.

    The limit is how far a block looks back, or where positions begin to be scaled by the length of the longest text
    that is read together (LongRoPE); infinite where there is none.
    """
    config = _text_config(model)
    limits = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size", "window_size")]
    positions = getattr(config, "rope_parameters", None) or {}
    for each in (positions, *positions.values()):  # of all blocks, or by the kind of block
        if isinstance(each, dict) and each.get("rope_type") == "longrope":
            limits.append(each.get("original_max_position_embeddings"))
    return min((each for each in limits if isinstance(each, int) and each > 0), default=float("inf"))


def _text_config(model: nn.Module) -> Any:
    """Return the configuration of the part of a model that reads text."""
    config: Any = model.config
    return config.get_text_config() if hasattr(config, "get_text_config") else config
