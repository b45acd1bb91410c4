"""What calibrated methods let flow through a model: windows of a text, or any other inputs that the model takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ..errors import InputError, check_seed, check_whole, shown
from .method import Calibration


def calibration_windows(
    text: str, tokenizer: Any, sequences: int = 128, length: int = 128, seed: int = 0
) -> torch.Tensor:
    """Return windows of a text as token numbers, drawn at random; none overlap, none has special tokens or padding.

    Args:
        text: any; its tokens are cut into windows, what is left over at the end is not used.
        tokenizer: the model's own.
        sequences: how many windows to draw.
        length: tokens in each.
        seed: the same seed draws the same windows of the same text.

    Returns:
        int64 of shape (sequences, length).

    Raises:
        InputError: a number is below 1, the seed is none, or the text is too short.

    Source:
        128 windows of unlabelled text, as in both methods' papers (arXiv 2306.11695, §4; arXiv 2301.00774, §4).

    >>> lengths = lambda text, **_: {"input_ids": [len(word) for word in text.split()]}
    >>> calibration_windows("a bb ccc " * 5, lengths, sequences=5, length=3).tolist()
    [[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3]]
    """
    if not isinstance(text, str):
        raise InputError(f"text {shown(text)} is not allowed: give one of letters")
    sequences, length = check_whole("sequences", sequences), check_whole("length", length)
    seed = check_seed(seed)
    tokens = torch.tensor(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], dtype=torch.int64)
    windows = tokens[: len(tokens) // length * length].view(-1, length)
    if len(windows) < sequences:
        raise InputError(
            f"the calibration text has {len(tokens):,} tokens, but {sequences} sequences of {length} need "
            f"{sequences * length:,}: give a longer text, or ask for fewer or shorter sequences (windows, length)"
        )
    return windows[torch.randperm(len(windows), generator=torch.Generator().manual_seed(seed))[:sequences]]


def checked_inputs(model: nn.Module, calibration: Calibration, batch_size: int = 1) -> dict[str, torch.Tensor]:
    """Check calibration data for a model and return it as inputs by name.

    Args:
        model: the model that is to read it.
        calibration: token numbers (sequences, length), or another main input of the model, such as pixel values; or
            inputs by name. The decoder of an encoder–decoder reads the same tokens as the encoder, unless it is given
            its own.
        batch_size: sequences at once.

    Raises:
        InputError: the data cannot be read by the model, or is padded; or the batch size is below 1.

    >>> checked_inputs(nn.Linear(2, 1), torch.zeros(3, 2))
    {'input': tensor([[0., 0.],
            [0., 0.],
            [0., 0.]])}
    """
    check_whole("batch_size", batch_size)
    accepted = list(inspect.signature(model.forward).parameters)
    config = getattr(model, "config", None)
    main = getattr(model, "main_input_name", accepted[0] if accepted else "input_ids")
    inputs = dict(calibration) if isinstance(calibration, Mapping) else {main: calibration}
    for name, values in inputs.items():
        if not isinstance(values, torch.Tensor) or not values.dim():
            raise InputError(f"calibration input {name} is no tensor of one item a sequence: give one for each input")
    sizes = {len(values) for values in inputs.values()}
    if "input_ids" in inputs:
        _check_tokens(inputs["input_ids"], model)
    if len(sizes) != 1 or 0 in sizes:
        raise InputError(f"calibration inputs ({', '.join(inputs)}) must hold one number of sequences, at least one")
    if "attention_mask" in inputs and not inputs["attention_mask"].all():
        raise InputError("the calibration is padded (attention_mask holds zeros): give sequences of one length")
    decodes = getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in accepted
    if decodes and "input_ids" in inputs and not any(name.startswith("decoder_") for name in inputs):
        inputs["decoder_input_ids"] = inputs["input_ids"]
    return inputs


def longest_input(model: nn.Module) -> int | None:
    """Return how many tokens a model takes at most; None if its configuration sets no limit.

    Args:
        model: any PyTorch model.

    >>> from transformers import RobertaConfig, RobertaModel
    >>> shape = dict(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    >>> longest_input(RobertaModel(RobertaConfig(max_position_embeddings=66, **shape)))
    64
    """
    config = _text_config(model)
    candidates = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions", "max_seq_len")]
    limits = [limit for limit in candidates if isinstance(limit, int) and limit > 0]
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)  # RoBERTa's numbers begin after the padding's
    return min(limits, default=None)


def check_longest(setting: str, tokens: int, longest: int | None, model: str = "the model") -> None:
    """Check that a model takes texts of so many tokens.

    Args:
        setting: what the error calls their number.
        tokens: how many there are.
        longest: how many the model takes at most, as ``longest_input`` has it; None for any number.
        model: the model in words.

    Raises:
        InputError: it takes shorter ones only.

    >>> check_longest("length", 64, longest=None)
    """
    if longest is not None and tokens > longest:
        raise InputError(f"{setting} {tokens} is not allowed: {model} takes at most {longest} tokens")


def _check_tokens(tokens: torch.Tensor, model: nn.Module) -> None:
    """Check that these are token numbers that a model can read."""
    if tokens.ndim != 2 or tokens.is_floating_point() or not tokens.numel():
        raise InputError(
            f"calibration of shape {tuple(tokens.shape)} and {tokens.dtype} is not allowed: give token numbers of "
            "shape (sequences, length)"
        )
    vocabulary = getattr(_text_config(model), "vocab_size", None)
    if vocabulary is not None and (tokens.min() < 0 or tokens.max() >= vocabulary):
        raise InputError(
            f"calibration tokens {tokens.min()} to {tokens.max()} are not allowed: the model's vocabulary is 0 to "
            f"{vocabulary - 1}; use its own tokenizer"
        )
    check_longest("calibration length", tokens.shape[1], longest_input(model))


def _text_config(model: nn.Module) -> Any:
    """Return the configuration of the part of a model that reads text; None of a model that has none."""
    config: Any = getattr(model, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def batches_of(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], batch_size: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Yield calibration data by so many sequences at a time, on the model's device and in its precision.

    Args:
        model: the model that is to read it.
        inputs: as ``checked_inputs`` returns them.
        batch_size: sequences in each.
    """
    first = next(model.parameters())
    parts = [values.split(batch_size) for values in inputs.values()]
    for batch in zip(*parts, strict=True):
        yield {
            name: values.to(first.device, first.dtype if values.is_floating_point() else values.dtype)
            for name, values in zip(inputs, batch, strict=True)
        }
