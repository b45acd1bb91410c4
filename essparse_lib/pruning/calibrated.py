"""Pruning by what flows through a model: what Wanda and SparseGPT share.

Both walk the transformer blocks in order. Of each block's matrices they gather statistics of the inputs, prune them,
and feed what the pruned block puts out to the next. A method says only which statistics, and what to do with them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack

import torch
from torch import nn

from ..errors import InputError, check_pattern, check_sparsity, shown
from .allocation import pruned_count
from .blocks import Block, evaluating, plain_products, restored, transformer_blocks
from .calibration import batches_of, checked_inputs
from .inputs import InputWatcher, Moments
from .method import Calibration, PrunedMatrices, PrunedMatrix, Request
from .n_m import largest
from .prunable import check_finite_matrices, prunable_matrices
from .survey import PrunableMatrix
from .walk import walk
from .wrapped import unwrapped

#: A sparsity in [0, 1), or a pattern (n, m) that keeps n of every m.
Amount = float | tuple[int, int]
#: From a matrix (outputs, inputs) and its statistic: what stays (boolean, of the matrix's shape), and the values of
#: the survivors, or None where they keep theirs.
PruneMatrix = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]
#: One for all matrices, or one for each, by the parameter's name.
PruneMatrices = PruneMatrix | Mapping[str, PruneMatrix]


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


def for_request(model: nn.Module, request: Request, make: Callable[[Amount], PruneMatrix]) -> PruneMatrices:
    """Return what a calibrated method does with the matrices of a model, at the sparsity or pattern of a request.

    Args:
        model: the model, which is left alone.
        request: how much to remove.
        make: returns what the method does with a matrix of which so much is to be removed.

    Raises:
        InputError: a pattern of the request's sparsities decides nothing; or as ``prunable_matrices``.
    """
    if request.sparsities is None:
        return make(amount(request.sparsity, request.pattern))
    sparsities = request.amount(prunable_matrices(model, request.include, request.exclude))
    assert isinstance(sparsities, dict)
    return {name: make(sparsity) for name, sparsity in sparsities.items()}


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
    method: PruneMatrices,
    batch_size: int = 8,
    dtype: torch.dtype = torch.float32,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> PrunedMatrices:
    """Prune every block's matrices by statistics of their inputs, all earlier blocks pruned, and yield them.

    A matrix that its reader applies stays pruned. The others get their own values back: once their block has been left
    or, where the model does not simply hand each block's output to the next (an encoder with a decoder, stages, blocks
    that are used again), at the end, because such a model is run from the start for every block.

    Memory is needed, besides the model, for the inputs of one block for all sequences and the statistics of that block;
    and for a copy of each matrix that is to get its values back. A matrix that several blocks share is calibrated on
    the inputs of all its uses. An expert that no token was sent to is pruned by magnitude, and a warning says how many
    there were.

    Args:
        model: any that ``prunable_matrices`` finds blocks in; but for the matrices that were applied it is left exactly
            as it was, also when an exception ends the walk. It computes where it lies, in eval mode.
        calibration: token numbers (sequences, length), or the model's inputs by name. Every position counts.
        moments: the statistic; it gets inputs of shape (tokens, inputs) and its results are added up.
        method: what to do with a matrix (outputs, inputs) and its statistic, both in ``dtype``; or that by the name of
            the matrix.
        batch_size: sequences that go through a block at once.
        dtype: precision of the statistics and of what the method computes.
        include: patterns of the parameters to prune, as for ``prunable_matrices``.
        exclude: patterns of the parameters to leave dense.

    Yields:
        each matrix in the model's own orientation, its values in the model's dtype where the method changed them.

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
    >>> for matrix in layer_by_layer(model, tokens, lambda x: x.square().sum(0), by_inputs):
    ...     matrix.apply()
    >>> matrix.entry.name, matrix.count
    ('decoder.layers.1.fc2.weight', Count(pruned=512, size=2048))
    """
    model = unwrapped(model)
    blocks = transformer_blocks(model, include, exclude)
    inputs = checked_inputs(model, calibration, batch_size)
    entries = {name: entry for block in blocks for name, entry in block.matrices.items()}
    for name, entry in entries.items():
        if entry.torch_mask is not None:
            raise InputError(f"{name} is pruned by torch.nn.utils.prune: call its remove(module, 'weight') first")
    check_finite_matrices(entries)
    pruner = _Pruner(method, dtype)
    with evaluating(model), plain_products(model), ExitStack() as own_values:
        batches = list(batches_of(model, inputs, batch_size))
        walk_through, stay_pruned = walk(model, blocks, batches, lambda x: moments(x.to(dtype)))
        for number, block in enumerate(blocks):
            if block.matrices:
                yield from pruner.block(block, walk_through.statistics(number), own_values)
            walk_through.leave(number)
            if not stay_pruned:
                own_values.close()
    pruner.warn()


class _Pruner:
    """Prunes the matrices of one block after the other, and counts those of experts."""

    def __init__(self, method: PruneMatrices, dtype: torch.dtype) -> None:
        self._method, self._dtype = method, dtype
        self._experts = self._alone = 0

    def block(self, block: Block, watcher: InputWatcher, own_values: ExitStack) -> PrunedMatrices:
        """Yield a block's matrices; afterwards all are pruned in the model.

        Args:
            block: the block.
            watcher: the statistics of its matrices' inputs.
            own_values: gives those matrices their values back that their reader does not apply.
        """
        for name, entry in block.matrices.items():
            statistics = watcher.statistics(name)
            matrix = self._matrix(entry, statistics)
            self._experts += len(statistics)
            self._alone += watcher.without_inputs(name)
            yield matrix
            if not matrix.applied:
                own_values.enter_context(restored([entry]))
                matrix.apply()

    def _matrix(self, entry: PrunableMatrix, statistics: list[torch.Tensor]) -> PrunedMatrix:
        """Return what becomes of the matrices in a parameter, each pruned by its statistic."""
        weight = entry.weight.detach()
        rows = entry.layout.rows(weight)
        kept = torch.ones_like(rows, dtype=torch.bool)
        values = None
        method = self._method[entry.name] if isinstance(self._method, Mapping) else self._method
        for part, statistic in zip(entry.layout.matrices(len(rows)), statistics, strict=True):
            kept[part.rows], new = method(rows[part.rows].to(self._dtype), statistic)
            if new is not None:
                values = rows.clone() if values is None else values
                values[part.rows] = new.to(values.dtype)
        kept = entry.layout.stored(kept, weight.shape)
        if values is not None:
            values = entry.layout.stored(values, weight.shape).masked_fill_(~kept, 0)
        return PrunedMatrix(entry, kept, values)

    def warn(self) -> None:
        """Say how many experts had no inputs."""
        if self._alone:
            warnings.warn(
                f"no calibration token was sent to {self._alone:,} of {self._experts:,} matrices, all of experts: they "
                "are pruned by magnitude; calibrate on more windows to reach them",
                stacklevel=5,
            )
