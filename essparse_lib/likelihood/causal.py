"""Check that a model predicts the next token of a text, and read off its configuration how it does."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import InputError
from ..pruning.blocks import evaluating

#: How far outputs may differ by rounding.
_TOLERANCE = 1e-2


@torch.no_grad()
def check_causal(model: nn.Module) -> None:
    """Check that a model puts out numbers over its vocabulary, and that they depend on earlier tokens alone.

    Raises:
        InputError: it does not, such as a model without its head, or BERT.
    """
    name, first = type(model).__name__, next(model.parameters())
    tokens = torch.arange(6, device=first.device).repeat(2, 1) % vocabulary(model)
    tokens[1, 3:] = tokens[0, :3]
    with evaluating(model):
        logits = getattr(model(input_ids=tokens), "logits", None)
    if logits is None or logits.shape != (*tokens.shape, logits.shape[-1]):
        raise InputError(f"{name} has no outputs for the next token: give a causal language model with its head")
    one, other = logits[:, :3].float()
    # outputs that are no numbers say nothing here: scores say so later
    if not torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
        raise InputError(f"the outputs of {name} depend on later tokens: give a causal language model")


def vocabulary(model: nn.Module) -> int:
    """Return the number of tokens that a model knows."""
    return int(_text_config(model).vocab_size)


def window(model: nn.Module) -> float:
    """Return over how many tokens every block of a model looks back; infinite where there is no limit."""
    config = _text_config(model)
    windows = (getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size", "window_size"))
    return min((each for each in windows if isinstance(each, int) and each > 0), default=float("inf"))


def _text_config(model: nn.Module) -> Any:
    """Return the configuration of the part of a model that reads text."""
    config: Any = model.config
    return config.get_text_config() if hasattr(config, "get_text_config") else config
