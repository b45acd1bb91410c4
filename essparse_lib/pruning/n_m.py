"""N:M pruning: of each M consecutive inputs to an output at most N stay (Zhou et al. 2021, arXiv 2102.04010)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch

from ..errors import InputError, check_pattern, check_texts, not_finite_error
from .masks import Mask

#: Rows at a time: sorting their groups takes several times their memory.
_ROWS_WEIGHTS = 1 << 22


def n_m(
    weights: Mapping[str, torch.Tensor],
    pattern: str | tuple[int, int],
    transposed: Collection[str] = (),
    strict: bool = False,
) -> Mask:
    """Keep the N largest magnitudes of each M consecutive weights of a row.

    Where a row's length is no multiple of M, its last group is shorter and keeps its N largest all the same (all of
    it, if it has no more), which is what hardware sees when it pads the row with zeros. Of equal magnitudes the
    first by position go.

    Args:
        weights: matrices by name, shape (outputs, inputs); left alone.
        pattern: ``"2:4"`` or ``(2, 4)``: N non-zero of M, 1 ≤ N ≤ M. (The authors' code removes N of M.)
        transposed: names of the matrices stored as (inputs, outputs), as ``prunable.transposed_names`` lists them.
        strict: refuse rows that are no multiple of M.

    Raises:
        InputError: the pattern is not allowed, a weight is NaN or infinite or no matrix, or, with ``strict``, M does
            not divide a row.

    >>> import torch
    >>> n_m({"w": torch.tensor([[0.1, -0.4, 0.2, -0.3, 9.0, 8.0]])}, "2:4").keep["w"]
    tensor([[False,  True, False,  True,  True,  True]])
    """
    n, m = check_pattern(pattern)
    transposed = check_texts("transposed", list(transposed) if isinstance(transposed, Mapping) else transposed, "['w']")
    keep = {}
    for name, weight in weights.items():
        if weight.dim() != 2:
            raise InputError(f"{name} has shape {tuple(weight.shape)}: N:M needs matrices (outputs, inputs)")
        rows = weight.detach().T if name in transposed else weight.detach()
        if strict and rows.shape[1] % m:
            raise InputError(f"{name} has rows of {rows.shape[1]} weights, which {m} does not divide")
        if not rows.isfinite().all():
            raise not_finite_error(name)
        kept = largest(rows.abs(), n, m)
        keep[name] = kept.T if name in transposed else kept
    return Mask(keep)


def largest(scores: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """Return where the n largest of each m consecutive scores of a row are.

    Args:
        scores: shape (outputs, inputs), without NaN.
        n: how many to keep of each group.
        m: how many a group has; the last of a row may have fewer.

    Returns:
        Boolean, of the same shape; of equal scores the last by position.

    >>> import torch
    >>> largest(torch.tensor([[1.0, 1.0, 1.0, 0.0]]), 2, 4)
    tensor([[False,  True,  True, False]])
    """
    keep = torch.ones_like(scores, dtype=torch.bool)
    columns = scores.shape[1]
    whole = columns - columns % m
    step = max(1, _ROWS_WEIGHTS // max(1, columns))
    for part, kept in zip(scores.split(step), keep.split(step), strict=True):
        for start, stop, width in ((0, whole, m), (whole, columns, columns - whole)):
            if width > n and stop > start:
                groups = part[:, start:stop].reshape(len(part), (stop - start) // width, width)
                smallest = groups.argsort(dim=-1, stable=True)[..., : width - n]
                stay = torch.ones_like(groups, dtype=torch.bool).scatter_(-1, smallest, False)
                kept[:, start:stop] = stay.view(len(part), stop - start)
    return keep
