"""Random pruning: the baseline that any method must beat."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import nn

from ..errors import check_seed
from .extents import matrices_of
from .levels import Levels, kept_in_turn, rank_levels
from .masks import Mask
from .method import PrunedMatrices, PrunedMatrix, Request
from .prunable import check_finite_matrices


def prune(model: nn.Module, request: Request) -> PrunedMatrices:
    """Remove weights of a model's blocks that the seed draws; the model is left alone.

    Arguments and errors as of ``registry.pruned_matrices``.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> sum(matrix.count.pruned for matrix in prune(model, Request(sparsity=0.25, seed=1)))
    12352
    """
    entries = matrices_of(model, request.extent, request.include, request.exclude)
    check_finite_matrices(entries)
    numbers = _Numbers({name: entry.values for name, entry in entries.items()}, request.seed)
    for name, kept in kept_in_turn(numbers, request.amount(numbers), request.scope):
        yield PrunedMatrix(entries[name], kept)


def random_levels(
    weights: Mapping[str, torch.Tensor], sparsities: Sequence[float | str], seed: int, scope: str = "layer"
) -> Levels:
    """Return the nested random masks of a whole sweep: each weight draws a number, and the smallest numbers go.

    A matrix's numbers depend on the seed, its name and its shape alone: neither on the other matrices nor on the
    device.

    Args:
        weights: matrices by name, any shapes; only their shapes and devices matter.
        sparsities: as for ``levels.rank_levels``.
        seed: of the numbers, 0 or more.
        scope: ``layer``, all matrices at one sparsity; ``erk``, at Erdős–Rényi-kernel densities; ``global``, drawn
            from all matrices together.

    Raises:
        InputError: a sparsity, the seed or the scope is not allowed.

    Source: Liu et al., "The Unreasonable Effectiveness of Random Pruning", ICLR 2022, arXiv 2202.02643.

    >>> import torch
    >>> sweep = random_levels({"w": torch.zeros(10, 10)}, [0.2, 0.9], seed=0)
    >>> [sweep.mask(s).pruned for s in (0.2, 0.9)]
    [20, 90]
    """
    return rank_levels(_Numbers(weights, check_seed(seed)), sparsities, scope)


def random_mask(weights: Mapping[str, torch.Tensor], sparsity: float | str, seed: int, scope: str = "layer") -> Mask:
    """Return one random mask. Arguments and errors as of ``random_levels``.

    >>> import torch
    >>> random_mask({"w": torch.zeros(10, 10)}, 0.25, seed=1).pruned
    25
    """
    return next(random_levels(weights, [sparsity], seed, scope).masks())


class _Numbers(Mapping[str, torch.Tensor]):
    """The numbers in [0, 1) that the weights draw, by parameter name: fp32, drawn anew whenever a matrix is read.

    All together they would take more memory than the model.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor], seed: int) -> None:
        self._weights, self._seed = weights, seed

    def __getitem__(self, name: str) -> torch.Tensor:
        weight = self._weights[name]
        digest = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
        return torch.rand(weight.shape, generator=generator).to(weight.device)

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)
