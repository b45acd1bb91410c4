"""Compare two masks, with the similarity that two unrelated masks of the same sparsities would have."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .masks import Mask, check_same_matrices


@dataclass(frozen=True)
class Similarity:
    """The similarity of two masks, and the similarity that independent masks would have (its null).

    Attributes:
        value: similarity of the two masks, from 0 (nothing in common) to 1 (the same mask).
        independent: similarity that two independent masks of the same two sparsities would have.

    >>> Similarity(0.75, 0.5).excess
    0.5
    """

    value: float
    independent: float

    @property
    def excess(self) -> float:
        """Similarity beyond that of independent masks: 0 as for these, 1 for equal masks, negative for opposed ones.

        NaN where independent masks have 1 already, as masks that remove nothing do. Source: the correction of
        Cohen's κ (1960).
        """
        return (self.value - self.independent) / (1 - self.independent) if self.independent < 1 else math.nan


def cosine(one: Mask, other: Mask) -> Similarity:
    """Return the cosine of two masks as vectors of 0 and 1: kept by both / √(kept by one · kept by the other).

    Independent masks of sparsities s and t have √((1 − s)(1 − t)), which is 1 − s where s = t. This is exactly the
    mean over uniformly random masks that keep these numbers of weights. A high cosine at a low sparsity therefore
    says little by itself.

    Args:
        one: a mask.
        other: another mask of the same matrices. If both keep nothing the cosine is 1, if only one of them does, 0.

    Raises:
        InputError: the masks do not cover the same matrices.

    Source: paper, Figure 10, which draws no null.

    >>> import torch
    >>> keeps = torch.tensor([True, True, False, True]), torch.tensor([True, False, True, True])
    >>> cosine(*(Mask({"w": keep}) for keep in keeps))
    Similarity(value=0.6666666666666666, independent=0.75)
    """
    return _cosine(_overlap(one, other))


def jaccard(one: Mask, other: Mask) -> Similarity:
    """Return the Jaccard index of the weights that two masks keep: kept by both / kept by at least one.

    Independent masks that keep fractions p and q have pq / (p + q − pq). That is the limit for many weights; the
    mean over uniformly random masks of n weights is higher, by less than 1/n.

    Args:
        one: a mask.
        other: another mask of the same matrices. If both keep nothing the index is 1.

    Raises:
        InputError: the masks do not cover the same matrices.

    Source: Jaccard, The Distribution of the Flora in the Alpine Zone (1912).

    >>> import torch
    >>> keeps = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    >>> jaccard(*(Mask({"w": keep}) for keep in keeps))
    Similarity(value=0.3333333333333333, independent=0.3333333333333333)
    """
    return _jaccard(_overlap(one, other))


def jaccard_removed(one: Mask, other: Mask) -> Similarity:
    """Return the Jaccard index of the weights that two masks remove: removed by both / removed by at least one.

    At a low sparsity any two masks keep nearly the same weights. This index shows whether they remove the same ones.
    The null is that of ``jaccard``, with the sparsities s and t in place of p and q.

    Args:
        one: a mask.
        other: another mask of the same matrices. If both remove nothing the index is 1.

    Raises:
        InputError: the masks do not cover the same matrices.

    Source: Jaccard, The Distribution of the Flora in the Alpine Zone (1912).

    >>> import torch
    >>> keeps = torch.tensor([True, True, True, False]), torch.tensor([True, True, False, True])
    >>> masks = [Mask({"w": keep}) for keep in keeps]
    >>> jaccard(*masks).value, jaccard_removed(*masks).value
    (0.5, 0.0)
    """
    return _jaccard(_overlap(one, other).of_the_removed())


def compare_by_matrix(measure: Callable[[Mask, Mask], Similarity], one: Mask, other: Mask) -> dict[str, Similarity]:
    """Return the similarity of two masks for each matrix by itself, in the first mask's order.

    Args:
        measure: ``cosine``, ``jaccard`` or ``jaccard_removed``.
        one: a mask.
        other: another mask of the same matrices.

    Raises:
        InputError: the masks do not cover the same matrices.

    >>> import torch
    >>> a, b = torch.tensor([True, False]), torch.tensor([False, True])
    >>> {name: s.value for name, s in compare_by_matrix(cosine, Mask({"v": a, "w": a}), Mask({"v": a, "w": b})).items()}
    {'v': 1.0, 'w': 0.0}
    """
    check_same_matrices(one, other)
    similarities = {}
    for name, kept in one.keep.items():
        similarities[name] = measure(Mask({name: kept}), Mask({name: other.keep[name]}))
    return similarities


@dataclass(frozen=True, kw_only=True)
class _Overlap:
    """How many of ``size`` weights each of two masks keeps (or removes), and how many both do.

    The numbers are Python integers, which do not overflow.
    """

    size: int
    one: int
    other: int
    both: int

    def of_the_removed(self) -> _Overlap:
        """Return the counts of the removed weights, from those of the kept ones."""
        removed_by_both = self.size - self.one - self.other + self.both
        return _Overlap(size=self.size, one=self.size - self.one, other=self.size - self.other, both=removed_by_both)


def _overlap(one: Mask, other: Mask) -> _Overlap:
    check_same_matrices(one, other)
    size = kept_by_one = kept_by_other = kept_by_both = 0
    for name, keep in one.keep.items():
        other_keep = other.keep[name].to(keep.device)
        size += keep.numel()
        kept_by_one += int(torch.count_nonzero(keep))
        kept_by_other += int(torch.count_nonzero(other_keep))
        kept_by_both += int(torch.count_nonzero(keep & other_keep))
    return _Overlap(size=size, one=kept_by_one, other=kept_by_other, both=kept_by_both)


def _cosine(overlap: _Overlap) -> Similarity:
    if overlap.one == overlap.other == 0:
        return Similarity(1.0, 1.0)  # masks that keep nothing cannot differ
    geometric_mean = math.sqrt(overlap.one * overlap.other)  # the product is exact, as an integer
    value = overlap.both / geometric_mean if geometric_mean else 0.0
    return Similarity(value, geometric_mean / overlap.size)


def _jaccard(overlap: _Overlap) -> Similarity:
    if overlap.one == overlap.other == 0:
        return Similarity(1.0, 1.0)
    product, total = overlap.one * overlap.other, overlap.one + overlap.other
    return Similarity(overlap.both / (total - overlap.both), product / (overlap.size * total - product))
