"""Magnitude pruning: the smallest weights go (Han et al. 2015, arXiv 1506.02626), at once (the paper's OMP, §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from .extents import matrices_of
from .levels import Levels, kept_in_turn, rank_levels
from .masks import Mask
from .method import PrunedMatrices, PrunedMatrix, Request
from .n_m import n_m
from .prunable import check_finite_matrices


def prune(model: nn.Module, request: Request) -> PrunedMatrices:
    """Remove the smallest weights of a model's blocks, by rank over the scope or by a pattern; the model is left alone.

    Arguments and errors as of ``registry.pruned_matrices``.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> [matrix.count.sparsity for matrix in prune(model, Request(pattern="1:4"))]
    [0.75, 0.75, 0.75, 0.75, 0.75, 0.75]
    """
    entries = matrices_of(model, request.extent, request.include, request.exclude)
    check_finite_matrices(entries)
    if request.pattern:
        for name, entry in entries.items():
            rows = n_m({name: entry.layout.rows(entry.values)}, request.pattern).keep[name]
            yield PrunedMatrix(entry, entry.layout.stored(rows, entry.weight.shape))
        return
    weights = {name: entry.values for name, entry in entries.items()}
    for name, kept in kept_in_turn(weights, request.amount(weights), request.scope):
        yield PrunedMatrix(entries[name], kept)


def magnitude_levels(
    weights: Mapping[str, torch.Tensor], sparsities: Sequence[float | str], scope: str = "global"
) -> Levels:
    """Return the magnitude masks of a whole sweep of sparsities at once.

    Arguments and errors as of ``levels.rank_levels``.

    >>> import torch
    >>> sweep = magnitude_levels({"w": torch.tensor([0.1, -0.4, 0.2, -0.3])}, [0.0, 0.25, 0.5])
    >>> sweep.mask(0.5).keep["w"]
    tensor([False,  True, False,  True])
    """
    return rank_levels(weights, sparsities, scope)


def global_magnitude(weights: Mapping[str, torch.Tensor], sparsity: float | str) -> Mask:
    """Remove the ⌊s·n⌋ smallest weights by absolute value, one threshold over all matrices together.

    Equal magnitudes go in the order of position (first matrix first, row by row), so the count is exact and
    the mask of a lower sparsity is contained in that of a higher one.

    Args:
        weights: matrices by name, any shapes, as from ``prunable.prunable_weights``; left alone.
        sparsity: fraction s of all n weights to remove, in [0, 1).

    Raises:
        InputError: the sparsity is out of range, or a weight is NaN or infinite (the message names the tensor).

    >>> import torch
    >>> global_magnitude({"a": torch.tensor([3.0, -1.0]), "b": torch.tensor([2.0, 4.0])}, 0.5).keep["a"]
    tensor([ True, False])
    """
    return next(rank_levels(weights, [sparsity]).masks())


def layer_magnitude(weights: Mapping[str, torch.Tensor], sparsity: float | str) -> Mask:
    """Remove the smallest weights of each matrix by itself: ⌊s·n⌋ of all, so shared out that each loses its s.

    Arguments and errors as of ``global_magnitude``; the shares are those of ``allocation.removed_per_layer``.

    >>> import torch
    >>> layer_magnitude({"a": torch.tensor([3.0, -1.0]), "b": torch.tensor([20.0, 40.0])}, 0.5).keep["b"]
    tensor([False,  True])
    """
    return next(rank_levels(weights, [sparsity], "layer").masks())
