"""Pruning by what flows through a model: what Wanda and SparseGPT share.

Both walk the transformer blocks in order. Of each block's matrices they gather statistics of the inputs, prune them,
and feed what the pruned block puts out to the next. A method says only which statistics, and what to do with them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ..errors import InputError, check_pattern, check_sparsity, not_finite_error, shown
from .allocation import pruned_count
from .blocks import evaluating, plain_products, transformer_blocks
from .calibration import batches_of, checked_inputs
from .inputs import Moments
from .masks import Mask
from .method import Calibration
from .n_m import largest
from .survey import PrunableMatrix
from .walk import walk
from .wrapped import unwrapped

#: A sparsity in [0, 1), or a pattern (n, m) that keeps n of every m.
Amount = float | tuple[int, int]
#: From a matrix (outputs, inputs) and its statistic: what stays (boolean, of the matrix's shape), and the values of
#: the survivors, or None where they keep theirs.
PruneMatrix = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]


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
        both = "neither" if pattern is None else f"sparsity {shown(sparsity)} and pattern {shown(pattern)}"
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
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> tuple[Mask, dict[str, torch.Tensor]]:
    """Prune every block's matrices by statistics of their inputs, all earlier blocks pruned, and put all back.

    Memory is needed, besides the model, for the inputs of one block for all sequences, the statistics and a copy of one
    block's matrices, and what the method returned so far. Models that do not simply hand each block's output to the
    next (an encoder with a decoder, stages, blocks that are used again) are run from the start for every block, and
    need a copy of all matrices. A matrix that several blocks share is calibrated on the inputs of all its uses. An
    expert that no token was sent to is pruned by magnitude, and a warning says how many there were.

    Args:
        model: any that ``prunable_matrices`` finds blocks in; left exactly as it was, also when an exception ends the
            walk. It computes where it lies, in eval mode.
        calibration: token numbers (sequences, length), or the model's inputs by name. Every position counts.
        moments: the statistic; it gets inputs of shape (tokens, inputs) and its results are added up.
        method: what to do with a matrix (outputs, inputs) and its statistic, both in ``dtype``.
        batch_size: sequences that go through a block at once.
        dtype: precision of the statistics and of what the method computes.
        include: patterns of the parameters to prune, as for ``prunable_matrices``.
        exclude: patterns of the parameters to leave dense.

    Returns:
        the mask; and by name those parameters' values that the method changed, zero where pruned, in the model's dtype.
        Both are in the model's own orientation.

    Raises:
        InputError: the model has no blocks; the calibration is no such data, is padded, or cannot be read by the model;
            weights or their inputs are not finite; or a matrix gets no inputs.

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
    model = unwrapped(model)
    blocks = transformer_blocks(model, include, exclude)
    inputs = checked_inputs(model, calibration, batch_size)
    entries = {name: entry for block in blocks for name, entry in block.matrices.items()}
    for name, entry in entries.items():
        if entry.torch_mask is not None:
            raise InputError(f"{name} is pruned by torch.nn.utils.prune: call its remove(module, 'weight') first")
        if not torch.isfinite(entry.values).all():
            raise not_finite_error(name)
    pruned = _Pruning(method, dtype)
    with evaluating(model), plain_products(model), pruned.undone():
        batches = list(batches_of(model, inputs, batch_size))
        walk_through, keeps = walk(model, blocks, batches, lambda x: moments(x.to(dtype)))
        for number, block in enumerate(blocks):
            if not block.matrices:
                walk_through.leave(number)
                continue
            watcher = walk_through.statistics(number)
            for name, entry in block.matrices.items():
                pruned.prune(entry, watcher.statistics(name), watcher.without_inputs(name))
            del watcher  # the statistics of one block are gone before those of the next come
            walk_through.leave(number)
            if not keeps:
                pruned.undo()
    pruned.warn()
    return Mask({name: pruned.keep[name] for name in entries}), pruned.changed


class _Pruning:
    """The matrices that were pruned so far; their own values come back with ``undo``.

    Attributes:
        keep: which weights stay, by parameter name.
        changed: values that the method changed, by parameter name.
    """

    def __init__(self, method: PruneMatrix, dtype: torch.dtype) -> None:
        self.keep: dict[str, torch.Tensor] = {}
        self.changed: dict[str, torch.Tensor] = {}
        self._method, self._dtype = method, dtype
        self._before: dict[str, tuple[PrunableMatrix, torch.Tensor]] = {}
        self._experts = self._alone = 0

    def prune(self, entry: PrunableMatrix, statistics: list[torch.Tensor], without_inputs: int) -> None:
        """Prune the matrices in a parameter, each by its statistic, in the model."""
        weight = entry.weight.detach()
        rows = entry.layout.rows(weight)
        kept, values = torch.ones_like(rows, dtype=torch.bool), rows.clone()
        for part, statistic in zip(entry.layout.matrices(len(rows)), statistics, strict=True):
            kept[part.rows], new = self._method(rows[part.rows].to(self._dtype), statistic)
            if new is not None:
                values[part.rows] = new.to(values.dtype)
                self.changed[entry.name] = weight  # until it is undone, the values are in the model
        self.keep[entry.name] = entry.layout.stored(kept, weight.shape)
        self._before[entry.name] = (entry, weight.clone())
        weight.copy_(entry.layout.stored(values, weight.shape).masked_fill_(~self.keep[entry.name], 0))
        self._experts += len(statistics)
        self._alone += without_inputs

    def undo(self) -> None:
        """Put the model's own values back, and keep the changed ones."""
        while self._before:  # one by one, so that each copy goes before the next matrix is copied
            name, (entry, before) = self._before.popitem()
            weight = entry.weight.detach()
            if name in self.changed:
                self.changed[name] = weight.clone()
            weight.copy_(before)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Put the model's own values back at the end, whatever happens."""
        try:
            yield
        finally:
            self.undo()

    def warn(self) -> None:
        """Say how many experts had no inputs."""
        if self._alone:
            warnings.warn(
                f"no calibration token was sent to {self._alone:,} of {self._experts:,} matrices, all of experts: they "
                "are pruned by magnitude; calibrate on more windows to reach them",
                stacklevel=4,
            )
