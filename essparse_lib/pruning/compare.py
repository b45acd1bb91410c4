"""How alike two masks are, and how alike two unrelated masks of the same sparsities would be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .masks import Mask, check_alike


@dataclass(frozen=True)
class Similarity:
    """A similarity beside its null.

    Attributes:
        value: from 0 (nothing in common) to 1 (the same mask).
        independent: what two masks of these sparsities that know nothing of each other would have.

    >>> Similarity(0.75, 0.5).excess
    0.5
    """

    value: float
    independent: float

    @property
    def excess(self) -> float:
        """The share of the way from independent to identical: 0 by chance, 1 for one mask, negative for opposed ones.

        NaN where chance alone gives 1, as for masks that remove nothing. Source: the correction for chance of
        Cohen's κ (1960).
        """
        return (self.value - self.independent) / (1 - self.independent) if self.independent < 1 else math.nan


def cosine(one: Mask, other: Mask) -> Similarity:
    """Cosine of the angle between two masks as vectors of 0 and 1: kept by both / √(kept by one · kept by the other).

    Independent masks of sparsities s and t have √((1 − s)(1 − t)), which is 1 − s where s = t: exactly so in the
    mean over uniformly random masks that keep these numbers of weights. A high cosine at a low sparsity therefore
    says little by itself.

    Args:
        one: a mask.
        other: another over the same matrices. Two that keep nothing have 1, one that does against one that does not, 0.

    Raises:
        InputError: the masks are not over the same matrices.

    Source: paper, Figure 10, which draws no null.

    >>> import torch
    >>> keeps = torch.tensor([True, True, False, True]), torch.tensor([True, False, True, True])
    >>> cosine(*(Mask({"w": keep}) for keep in keeps))
    Similarity(value=0.6666666666666666, independent=0.75)
    """
    return _cosine(_overlap(one, other))


def jaccard(one: Mask, other: Mask) -> Similarity:
    """Jaccard index of the weights that two masks keep: kept by both / kept by either.

    Independent masks that keep fractions p and q have pq / (p + q − pq). That is the limit for many weights; the
    mean over uniformly random masks of n weights is higher, by less than 1/n.

    Args:
        one: a mask.
        other: another over the same matrices. Two that keep nothing have 1.

    Raises:
        InputError: the masks are not over the same matrices.

    Source: Jaccard, The Distribution of the Flora in the Alpine Zone (1912).

    >>> import torch
    >>> keeps = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    >>> jaccard(*(Mask({"w": keep}) for keep in keeps))
    Similarity(value=0.3333333333333333, independent=0.3333333333333333)
    """
    return _jaccard(_overlap(one, other))


def jaccard_removed(one: Mask, other: Mask) -> Similarity:
    """Jaccard index of the weights that two masks remove: removed by both / removed by either.

    At a low sparsity any two masks keep nearly the same weights; whether they agree on what goes is seen here.
    The null is that of ``jaccard``, with the sparsities s and t in place of p and q.

    Args:
        one: a mask.
        other: another over the same matrices. Two that remove nothing have 1.

    Raises:
        InputError: the masks are not over the same matrices.

    Source: as ``jaccard``.

    >>> import torch
    >>> keeps = torch.tensor([True, True, True, False]), torch.tensor([True, True, False, True])
    >>> masks = [Mask({"w": keep}) for keep in keeps]
    >>> jaccard(*masks).value, jaccard_removed(*masks).value
    (0.5, 0.0)
    """
    return _jaccard(_overlap(one, other).of_the_removed())


def by_matrix(measure: Callable[[Mask, Mask], Similarity], one: Mask, other: Mask) -> dict[str, Similarity]:
    """A similarity of each matrix by itself, in the first mask's order.

    Args:
        measure: ``cosine``, ``jaccard`` or ``jaccard_removed``.
        one: a mask.
        other: another over the same matrices.

    Raises:
        InputError: the masks are not over the same matrices.

    >>> import torch
    >>> a, b = torch.tensor([True, False]), torch.tensor([False, True])
    >>> {name: s.value for name, s in by_matrix(cosine, Mask({"v": a, "w": a}), Mask({"v": a, "w": b})).items()}
    {'v': 1.0, 'w': 0.0}
    """
    check_alike(one, other)
    return {name: measure(Mask({name: kept}), Mask({name: other.keep[name]})) for name, kept in one.keep.items()}


@dataclass(frozen=True, kw_only=True)
class _Overlap:
    """Of ``size`` weights, how many two masks have: each, and both. Python integers, which no model overflows."""

    size: int
    one: int
    other: int
    both: int

    def of_the_removed(self) -> _Overlap:
        neither = self.size - self.one - self.other + self.both
        return _Overlap(size=self.size, one=self.size - self.one, other=self.size - self.other, both=neither)


def _overlap(one: Mask, other: Mask) -> _Overlap:
    check_alike(one, other)
    size = first = second = both = 0
    for name, here in one.keep.items():
        there = other.keep[name].to(here.device)
        size += here.numel()
        first += int(torch.count_nonzero(here))
        second += int(torch.count_nonzero(there))
        both += int(torch.count_nonzero(here & there))
    return _Overlap(size=size, one=first, other=second, both=both)


def _cosine(overlap: _Overlap) -> Similarity:
    if overlap.one == overlap.other == 0:
        return Similarity(1.0, 1.0)  # masks that keep nothing cannot differ
    mean = math.sqrt(overlap.one * overlap.other)  # geometric; the product is exact, as an integer
    return Similarity(overlap.both / mean if mean else 0.0, mean / overlap.size)


def _jaccard(overlap: _Overlap) -> Similarity:
    if overlap.one == overlap.other == 0:
        return Similarity(1.0, 1.0)
    product, total = overlap.one * overlap.other, overlap.one + overlap.other
    return Similarity(overlap.both / (total - overlap.both), product / (overlap.size * total - product))
