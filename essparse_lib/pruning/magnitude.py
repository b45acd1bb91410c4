"""One-shot magnitude pruning: the smallest weights go, all at once (the paper's OMP, §3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import torch

from ..errors import InputError, check_sparsity
from .masks import Mask


def pruned_count(sparsity: float, size: int) -> int:
    """⌊sparsity · size⌋, with the decimal number that was written: 0.29 of 100 is 29.

    Raises:
        InputError: the sparsity is not in [0, 1).
    """
    return int(Decimal(str(check_sparsity(sparsity))) * size)


def global_magnitude(weights: Mapping[str, torch.Tensor], sparsity: float) -> Mask:
    """Remove the ⌊s·n⌋ smallest weights by absolute value, one threshold over all matrices together.

    Equal magnitudes go in the order of position (first matrix first, row by row), so the count is exact and
    the mask of a lower sparsity is contained in that of a higher one.

    Args:
        weights: matrices by name, any shapes, as from ``prunable.weights``; left alone.
        sparsity: fraction s of all n weights to remove, in [0, 1).

    Raises:
        InputError: the sparsity is out of range, or a weight is NaN or infinite (the message names the tensor).
    """
    for name, weight in weights.items():
        if not torch.isfinite(weight).all():
            raise InputError(f"{name} holds NaN or infinite weights: magnitudes cannot be ranked")
    count = pruned_count(sparsity, sum(w.numel() for w in weights.values()))
    if count == 0:
        return Mask({name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()})
    magnitudes = torch.cat([w.detach().abs().flatten() for w in weights.values()])
    threshold = torch.kthvalue(magnitudes, count).values
    keep = magnitudes > threshold
    ties = (magnitudes == threshold).nonzero().flatten()
    above = int(keep.sum())
    spared = len(magnitudes) - count - above  # of the ties, the last by position stay
    keep[ties[len(ties) - spared :]] = True
    parts = keep.split([w.numel() for w in weights.values()])
    return Mask({n: part.view(w.shape) for (n, w), part in zip(weights.items(), parts, strict=True)})
