"""Select the k-th smallest magnitudes of many tensors together, for many k at once, without copying or sorting them.

This is a radix selection. The bits of ``|w|``, read as a whole number, have the order of the magnitudes in fp32, bf16
and fp16. One pass counts the upper sixteen bits: it tells in which of 32,768 buckets each threshold lies. The lower
sixteen bits of fp32 are then counted for the weights of those few buckets alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import numpy as np
import torch

from ..errors import InputError, check_list, check_whole, not_finite_error
from .magnitude_bits import BUCKETS, HIGHEST_LEVEL, LOW, FlatTensors, count_buckets, count_lower, look_up, undecided

#: The most ranks of one call: a weight that always stays has the level after theirs.
MOST_RANKS = HIGHEST_LEVEL


@dataclass(frozen=True)
class Threshold:
    """The k-th smallest magnitude of some weights.

    Attributes:
        bits: the bits of the magnitude: the upper sixteen (without the sign) and, in fp32, the lower sixteen.
        equal: number of weights that have this magnitude.
        removed: how many of these weights are among the k smallest: the first ones by position.
    """

    bits: tuple[int, int]
    equal: int
    removed: int

    def value(self, dtype: torch.dtype) -> float:
        """Return the magnitude as a number."""
        upper, lower = self.bits
        if dtype == torch.float32:
            return torch.tensor(upper << 16 | lower, dtype=torch.int32).view(dtype).item()
        return torch.tensor(upper, dtype=torch.int16).view(dtype).item()


def magnitude_thresholds(weights: Mapping[str, torch.Tensor], ranks: Sequence[int]) -> list[float]:
    """Return the k-th smallest magnitude for each k of ``ranks``, over all tensors together.

    Args:
        weights: tensors by name, any shapes, in fp32, bf16 or fp16, on any devices; not changed.
        ranks: at most 127 numbers k, ascending, each from 1 to the number of weights.

    Raises:
        InputError: a weight is NaN or infinite, or a tensor has another dtype (the message names the tensor); or the
            ranks are not as above.

    Source: radix selection as in Alabi et al., "Fast k-selection algorithms for graphics processing units",
    ACM JEA 17, 2012.

    >>> import torch
    >>> magnitude_thresholds({"a": torch.tensor([0.5, -3.0]), "b": torch.tensor([[2.0], [-1.0]])}, [1, 3])
    [0.5, 2.0]
    """
    tensors = FlatTensors(weights)
    _check(ranks, tensors.size, least=1)
    thresholds, _ = _select(tensors, ranks)
    return [threshold.value(tensors.dtype) for threshold in thresholds]


def removal_levels(weights: Mapping[str, torch.Tensor], ranks: Sequence[int]) -> dict[str, torch.Tensor]:
    """Return the first level that removes each weight, where level j removes the ``ranks[j]`` smallest magnitudes.

    Equal magnitudes go in the order of position: first tensor first, row by row.

    Args:
        weights: tensors by name, any shapes, in fp32, bf16 or fp16, on any devices; not changed. fp64 is taken too,
            but is sorted (slower, and several times its memory).
        ranks: at most 127 numbers of weights, ascending, each from 0 to the number of weights.

    Returns:
        A uint8 tensor by name, of the weight's shape and on its device; ``len(ranks)`` where the weight always stays.

    Raises:
        InputError: a weight is NaN or infinite, or a tensor has another dtype (the message names the tensor); or the
            ranks are not as above.

    >>> import torch
    >>> removal_levels({"w": torch.tensor([[3.0, -1.0, 2.0, 1.0]])}, [1, 2, 3])["w"]
    tensor([[3, 0, 2, 1]], dtype=torch.uint8)
    """
    return dict(removal_levels_in_turn(weights, ranks))


def removal_levels_in_turn(
    weights: Mapping[str, torch.Tensor], ranks: Sequence[int]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield what ``removal_levels`` returns, tensor by tensor, and keep nothing of the tensors that were yielded.

    All tensors are read before the first is yielded, and each once more in its turn: a tensor that was yielded may be
    changed then.

    Arguments and errors as of ``removal_levels``.

    >>> weights = {"a": torch.tensor([3.0, -1.0]), "b": torch.tensor([2.0, 4.0])}
    >>> for name, level in removal_levels_in_turn(weights, [2]):
    ...     _ = weights[name].mul_(level)
    >>> weights
    {'a': tensor([3., -0.]), 'b': tensor([0., 4.])}
    """
    if any(w.dtype == torch.float64 for w in weights.values()):
        _check(ranks, sum(w.numel() for w in weights.values()), least=0)
        yield from _sorted_levels(weights, ranks).items()
        return
    tensors = FlatTensors(weights)
    _check(ranks, tensors.size, least=0)
    empty_levels = bisect_right(ranks, 0)  # these remove nothing, and so have no threshold
    thresholds, bucket_codes = _select(tensors, ranks[empty_levels:], empty_levels)
    table, ties = _levels_within_buckets(thresholds, empty_levels)
    for name, flat in tensors:
        code = look_up(flat, bucket_codes)
        positions, key = undecided(flat, code)
        level = table.to(code.device).index_select(0, key)
        for tie in ties:
            equal = (key == tie.key).nonzero().flatten()
            level[equal] = tie.next(len(equal)).to(code.device)
        code[positions] = level
        yield name, code.view(tensors.shapes[name])


def _check(ranks: Sequence[int], size: int, least: int) -> None:
    whole = [check_whole("rank", rank, -size) for rank in check_list("ranks", ranks, "[1, 2]")]
    if whole != sorted(whole) or len(whole) > MOST_RANKS or any(not least <= rank <= size for rank in whole):
        raise InputError(f"ranks {whole} must ascend from {least} to {size}, and be at most {MOST_RANKS}")


def _sorted_levels(weights: Mapping[str, torch.Tensor], ranks: Sequence[int]) -> dict[str, torch.Tensor]:
    """Return what ``removal_levels`` does, by one stable sort of all magnitudes in fp64."""
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise not_finite_error(name)
    order = torch.cat([w.detach().cpu().double().abs().flatten() for w in weights.values()]).argsort(stable=True)
    level = torch.empty(len(order), dtype=torch.uint8)
    level[order] = torch.searchsorted(torch.tensor(ranks), torch.arange(len(order)), right=True).to(torch.uint8)
    parts = level.split([w.numel() for w in weights.values()])
    return {name: part.view(w.shape).to(w.device) for (name, w), part in zip(weights.items(), parts, strict=True)}


def _select(tensors: FlatTensors, ranks: Sequence[int], offset: int = 0) -> tuple[list[Threshold], torch.Tensor]:
    """Return the thresholds, and a code for each bucket.

    The code is the level of the bucket's weights + ``offset`` where the bucket decides it. In the g-th of the buckets
    that hold thresholds it is 255 − g: the lower half must decide.
    """
    below = [0, *accumulate(count_buckets(tensors).tolist())]  # below[b]: weights in buckets before b
    buckets = [bisect_left(below, k) - 1 for k in ranks]
    groups = {bucket: number for number, bucket in enumerate(dict.fromkeys(buckets))}
    table = torch.full((BUCKETS,), offset, dtype=torch.uint8)
    for bucket in buckets:
        table[bucket + 1 :] += 1
    for bucket, group in groups.items():
        table[bucket] = 255 - group
    if tensors.dtype == torch.float32:
        lower = count_lower(tensors, table, len(groups))
    else:  # the upper half is all: the weights of a bucket are equal
        lower = np.array([[below[bucket + 1] - below[bucket]] for bucket in groups])
    thresholds = []
    for rank, bucket in zip(ranks, buckets, strict=True):
        thresholds.append(_threshold(bucket, lower[groups[bucket]], rank - below[bucket]))
    return thresholds, table


def _threshold(bucket: int, counts: np.ndarray, k: int) -> Threshold:
    """Return the k-th smallest magnitude of a bucket, from how often each lower half occurs in it."""
    cumulative = np.cumsum(counts)
    low = int(np.searchsorted(cumulative, k))
    equal = int(counts[low])
    return Threshold((bucket, low), equal, k - int(cumulative[low]) + equal)


class _Tie:
    """Weights of equal magnitude that levels separate: the first of them by position go earlier.

    Attributes:
        key: the key of these weights, as from ``magnitude_bits.undecided``.
    """

    def __init__(self, key: int, level: int, removed: list[int]) -> None:
        self.key = key
        self._level = level
        self._removed = torch.tensor(removed)
        self._taken = 0

    def next(self, count: int) -> torch.Tensor:
        """Return the levels of the next ``count`` of these weights, by position."""
        ranks = torch.arange(self._taken, self._taken + count)
        self._taken += count
        return (self._level + torch.searchsorted(self._removed, ranks, right=True)).to(torch.uint8)


def _levels_within_buckets(thresholds: list[Threshold], offset: int) -> tuple[torch.Tensor, list[_Tie]]:
    """Return the level by key of the weights whose bucket holds a threshold, and the ties that levels separate."""
    groups = {bucket: number for number, bucket in enumerate(dict.fromkeys(t.bits[0] for t in thresholds))}
    table = torch.zeros(len(groups), LOW, dtype=torch.uint8)
    for bucket, group in groups.items():
        table[group] = offset + sum(t.bits[0] < bucket for t in thresholds)
    ties = []
    for (bucket, low), group_of_equals in groupby(thresholds, key=lambda t: t.bits):
        equals = list(group_of_equals)
        group = groups[bucket]
        if any(t.removed < t.equal for t in equals):
            ties.append(_Tie(group * LOW + low, int(table[group, low]), [t.removed for t in equals]))
        table[group, low + 1 :] += len(equals)
    return table.flatten(), ties
