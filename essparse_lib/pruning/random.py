"""Random pruning: what any method must beat."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import torch

from .levels import Levels, rank_levels
from .masks import Mask


def random_levels(
    weights: Mapping[str, torch.Tensor], sparsities: Sequence[float | str], seed: int, scope: str = "layer"
) -> Levels:
    """Nested random masks: each weight draws a number, and the smallest numbers go.

    A matrix's numbers depend on the seed, its name and its shape alone: neither on the other matrices nor on the
    device.

    Args:
        weights: matrices by name, any shapes; only their shapes and devices matter.
        sparsities: as for ``levels.rank_levels``.
        seed: of the numbers, 0 or more.
        scope: ``layer``, all matrices at one sparsity; ``erk``, at Erdős–Rényi-kernel densities; ``global``, drawn
            from all matrices together.

    Raises:
        InputError: a sparsity or the scope is not allowed.

    Source: Liu et al., "The Unreasonable Effectiveness of Random Pruning", ICLR 2022, arXiv 2202.02643.

    >>> import torch
    >>> sweep = random_levels({"w": torch.zeros(10, 10)}, [0.2, 0.9], seed=0)
    >>> [sweep.mask(s).pruned for s in (0.2, 0.9)]
    [20, 90]
    """
    return rank_levels(
        {name: _numbers(name, w.shape, seed).to(w.device) for name, w in weights.items()}, sparsities, scope
    )


def random_mask(weights: Mapping[str, torch.Tensor], sparsity: float | str, seed: int, scope: str = "layer") -> Mask:
    """One random mask. Arguments and errors as of ``random_levels``.

    >>> import torch
    >>> random_mask({"w": torch.zeros(10, 10)}, 0.25, seed=1).pruned
    25
    """
    return next(random_levels(weights, [sparsity], seed, scope).masks())


def _numbers(name: str, shape: torch.Size, seed: int) -> torch.Tensor:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
    return torch.rand(shape, generator=generator)
