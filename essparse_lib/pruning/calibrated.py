"""Pruning by what flows through a model: what Wanda and SparseGPT share.

Both walk the transformer blocks in order. Of each block's matrices they gather statistics of the inputs, prune them,
and feed what the pruned block puts out to the next. A method says only which statistics, and what to do with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ..errors import InputError, check_pattern, check_seed, check_sparsity, check_whole
from .allocation import pruned_count
from .blocks import evaluating, first_inputs, restored, sum_over_inputs, transformer_blocks
from .masks import Mask
from .method import Calibration
from .n_m import largest
from .prunable import prunable_weights

#: A sparsity in [0, 1), or a pattern (n, m) that keeps n of every m.
Amount = float | tuple[int, int]
#: From inputs of shape (tokens, inputs) a statistic that adds up over batches.
Moments = Callable[[torch.Tensor], torch.Tensor]
#: From a matrix (outputs, inputs) and its statistic: what stays (boolean, of the matrix's shape), and the values of
#: the survivors, or None where they keep theirs.
PruneMatrix = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]


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
    check_positive(sequences=sequences, length=length)
    seed = check_seed(seed)
    tokens = torch.tensor(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"], dtype=torch.int64)
    windows = tokens[: len(tokens) // length * length].view(-1, length)
    if len(windows) < sequences:
        raise InputError(
            f"the calibration text has {len(tokens):,} tokens, but {sequences} sequences of {length} need "
            f"{sequences * length:,}: give a longer text, or ask for fewer or shorter sequences"
        )
    return windows[torch.randperm(len(windows), generator=torch.Generator().manual_seed(seed))[:sequences]]


def amount(sparsity: float | None, pattern: str | tuple[int, int] | None) -> Amount:
    """Check how much a calibrated method is to remove, and return it.

    Args:
        sparsity: a fraction, or None.
        pattern: ``"2:4"`` or ``(2, 4)``, which keeps 2 of every 4 consecutive inputs of an output; or None.

    Returns:
        the sparsity as a number, or the pattern as two.

    Raises:
        InputError: both or neither are given, the sparsity is not in [0, 1), or not 1 ≤ n ≤ m.

    >>> amount(sparsity=None, pattern="2:4")
    (2, 4)
    >>> amount(sparsity=None, pattern=None)
    Traceback (most recent call last):
    essparse_lib.errors.InputError: neither given: give either a sparsity, such as 0.5, or a pattern, such as 2:4
    """
    if (sparsity is None) == (pattern is None):
        both = "neither" if pattern is None else f"sparsity {sparsity!r} and pattern {pattern!r}"
        raise InputError(f"{both} given: give either a sparsity, such as 0.5, or a pattern, such as 2:4")
    return check_sparsity(sparsity) if pattern is None else check_pattern(pattern)


def keep_within_rows(scores: torch.Tensor, amount: Amount) -> torch.Tensor:
    """Return which weights stay where those of each output compete, in the whole row or in groups of m.

    Args:
        scores: shape (outputs, inputs), without NaN.
        amount: of each row ⌊sparsity · inputs⌋ go; or of each m consecutive n stay, in a shorter last group n, too.

    Returns:
        boolean, of the same shape, True where a weight stays; of equal scores the first by position go.

    Source:
        Wanda's comparison group (arXiv 2306.11695, §3).

    >>> keep_within_rows(torch.tensor([[1.0, 2.0, 3.0, 4.0], [8.0, 7.0, 6.0, 5.0]]), 0.5).int().tolist()
    [[0, 0, 1, 1], [1, 1, 0, 0]]
    """
    columns = scores.shape[1]
    n, m = amount if isinstance(amount, tuple) else (columns - pruned_count(amount, columns), columns)
    return largest(scores, n, m)


@torch.no_grad()
def layer_by_layer(
    model: nn.Module,
    calibration: Calibration,
    moments: Moments,
    method: PruneMatrix,
    batch_size: int = 8,
    dtype: torch.dtype = torch.float32,
) -> tuple[Mask, dict[str, torch.Tensor]]:
    """Prune every block's matrices by statistics of their inputs, all earlier blocks pruned, and put all back.

    Memory is needed, besides the model, for the inputs of one block for all sequences, the statistics and a copy of one
    block's matrices, and what the method returned so far. A matrix that several blocks share is calibrated in the
    first and, in later ones, dense.

    Args:
        model: any that ``prunable`` finds blocks in and that passes each block's output to the next; left exactly as
            it was, also when an exception ends the walk. It computes where it lies, in eval mode.
        calibration: token numbers (sequences, length), or the model's inputs by name. Every position counts.
        moments: the statistic; it gets inputs of shape (tokens, inputs) and its results are added up.
        method: what to do with a matrix (outputs, inputs) and its statistic, both in ``dtype``.
        batch_size: sequences that go through a block at once.
        dtype: precision of the statistics and of what the method computes.

    Returns:
        the mask; and by name those matrices' values that the method changed, zero where pruned, in the model's dtype.
        Both are in the model's own orientation.

    Raises:
        InputError: the model has no blocks, several stacks of them, or blocks that are no chain; the calibration is
            no such data or is padded; weights or their inputs are not finite; or a matrix gets no inputs.

    Source:
        Layer-wise pruning, each layer's inputs computed by the pruned layers before it (arXiv 2301.00774, §3, §4).

    >>> from transformers import OPTConfig, OPTModel
    >>> shape = dict(hidden_size=32, word_embed_proj_dim=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=2)
    >>> model = OPTModel(OPTConfig(vocab_size=50, max_position_embeddings=16, **shape))
    >>> tokens = torch.randint(50, (4, 16))
    >>> by_inputs = lambda weight, squares: (keep_within_rows(squares.expand_as(weight), 0.25), None)
    >>> mask, _ = layer_by_layer(model, tokens, lambda x: x.square().sum(0), by_inputs)
    >>> mask.sparsity
    0.25
    """
    chain = transformer_blocks(model)
    inputs = _checked(calibration, batch_size, getattr(model, "config", None))
    for name, weight in prunable_weights(model).items():
        if not torch.isfinite(weight).all():
            raise InputError(f"{name} holds NaN or infinite weights: they cannot be ranked")
    keep: dict[str, torch.Tensor] = {}
    changed: dict[str, torch.Tensor] = {}
    with evaluating(model):
        states, runs = first_inputs(model, chain, _batches(model, inputs, batch_size))
        for number, block in enumerate(chain):
            totals = sum_over_inputs(block.matrices, runs[number], states, lambda x: moments(x.to(dtype)))
            with restored(block.matrices.values()):
                for name, matrix in block.matrices.items():
                    kept, values = method(matrix.turned(matrix.weight.detach()).to(dtype), totals.pop(name))
                    keep[name] = matrix.turned(kept)
                    if values is not None:
                        changed[name] = matrix.turned(values).to(matrix.weight.dtype) * keep[name]
                    matrix.weight.copy_(changed.get(name, matrix.weight) * keep[name])
                if number + 1 < len(chain):
                    for batch, run in enumerate(runs[number]):  # one by one: the old inputs go as the new ones come
                        states[batch] = run(states[batch])
    return Mask(keep), changed


def _checked(calibration: Calibration, batch_size: int, config: Any) -> Mapping[str, torch.Tensor]:
    """Check the calibration and return it as inputs by name, for a model of this configuration (or of none)."""
    check_positive(batch_size=batch_size)
    inputs = calibration if isinstance(calibration, Mapping) else {"input_ids": calibration}
    sizes = {len(values) for values in inputs.values()}
    if "input_ids" in inputs:
        _check_tokens(inputs["input_ids"], config)
    if len(sizes) != 1 or 0 in sizes:
        raise InputError(f"calibration inputs ({', '.join(inputs)}) must hold one number of sequences, at least one")
    if "attention_mask" in inputs and not inputs["attention_mask"].all():
        raise InputError("the calibration is padded (attention_mask holds zeros): give sequences of one length")
    return inputs


def _check_tokens(tokens: torch.Tensor, config: Any) -> None:
    """Check that these are token numbers that a model of this configuration can read."""
    if tokens.ndim != 2 or tokens.is_floating_point() or not tokens.numel():
        raise InputError(
            f"calibration of shape {tuple(tokens.shape)} and {tokens.dtype} is not allowed: give token numbers of "
            "shape (sequences, length)"
        )
    vocabulary, positions = (getattr(config, name, None) for name in ("vocab_size", "max_position_embeddings"))
    if vocabulary is not None and (tokens.min() < 0 or tokens.max() >= vocabulary):
        raise InputError(
            f"calibration tokens {tokens.min()} to {tokens.max()} are not allowed: the model's vocabulary is 0 to "
            f"{vocabulary - 1}; use its own tokenizer"
        )
    if positions is not None and tokens.shape[1] > positions:
        raise InputError(f"calibration length {tokens.shape[1]} is not allowed: the model takes {positions} tokens")


def _batches(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], batch_size: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Yield the calibration by so many sequences at a time, on the model's device."""
    device = next(model.parameters()).device
    parts = [values.split(batch_size) for values in inputs.values()]
    for batch in zip(*parts, strict=True):
        yield {name: values.to(device) for name, values in zip(inputs, batch, strict=True)}


def check_positive(**numbers: int) -> None:
    """Check that these are whole numbers from 1.

    Raises:
        InputError: one is not; the message has its name.

    >>> check_positive(length=128, sequences=0)
    Traceback (most recent call last):
    essparse_lib.errors.InputError: sequences 0 is not allowed: give a whole number from 1
    """
    for name, number in numbers.items():
        check_whole(name, number)
