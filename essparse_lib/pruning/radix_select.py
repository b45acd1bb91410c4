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

#: The most ranks of one call. Levels and groups of undecided weights share the values of one byte.
MOST_RANKS = 127
_BUCKETS = 1 << 15
_LOW = 1 << 16
#: The first bucket of infinities and NaN, in which all bits of the exponent are set.
_NOT_FINITE = {torch.float32: 0x7F80, torch.bfloat16: 0x7F80, torch.float16: 0x7C00}
#: Weights at a time. On a CPU they stay in the cache nearest to a core.
_CHUNK = {"cpu": 1 << 18}
_CHUNK_ELSEWHERE = 1 << 24
#: Undecided weights that are counted together: more would take memory, fewer another pass over the counts.
_FLUSH = 1 << 19


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
    _check(ranks, weights, least=1)
    tensors = _flat(weights)
    thresholds, _ = _select(weights, tensors, ranks)
    return [threshold.value(tensors[0].dtype) for threshold in thresholds]


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
    _check(ranks, weights, least=0)
    if any(w.dtype == torch.float64 for w in weights.values()):
        return _sorted_levels(weights, ranks)
    tensors = _flat(weights)
    empty_levels = bisect_right(ranks, 0)  # these remove nothing, and so have no threshold
    thresholds, codes = _select(weights, tensors, ranks[empty_levels:], empty_levels)
    table, ties = _levels_within_buckets(thresholds, empty_levels)
    for flat, code in zip(tensors, codes, strict=True):
        positions, key = _undecided(flat, code)
        level = table.to(code.device).index_select(0, key)
        for tie in ties:
            equal = (key == tie.key).nonzero().flatten()
            level[equal] = tie.next(len(equal)).to(code.device)
        code[positions] = level
    return {name: code.view(w.shape) for (name, w), code in zip(weights.items(), codes, strict=True)}


def _check(ranks: Sequence[int], weights: Mapping[str, torch.Tensor], least: int) -> None:
    size = sum(w.numel() for w in weights.values())
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


def _flat(weights: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """Return the tensors in one dimension and one dtype: views, where their elements lie in order."""
    types = {w.dtype for w in weights.values()}
    if not types <= _NOT_FINITE.keys():
        name = next(name for name, w in weights.items() if w.dtype not in _NOT_FINITE)
        raise InputError(f"{name} is {weights[name].dtype}: cast it to float32, bfloat16 or float16")
    common = types.pop() if len(types) == 1 else torch.float32  # which holds every fp16 and bf16 number exactly
    return [w.detach().to(common).reshape(-1) for w in weights.values()]


def _select(
    weights: Mapping[str, torch.Tensor], tensors: list[torch.Tensor], ranks: Sequence[int], offset: int = 0
) -> tuple[list[Threshold], list[torch.Tensor]]:
    """Return the thresholds, and a code for each weight.

    The code is the weight's level + ``offset`` where the bucket decides it. In the g-th of the buckets that hold
    thresholds it is 255 − g: the lower half must decide.
    """
    below = [0, *accumulate(_count_buckets(weights, tensors).tolist())]  # below[b]: weights in buckets before b
    buckets = [bisect_left(below, k) - 1 for k in ranks]
    groups = {bucket: number for number, bucket in enumerate(dict.fromkeys(buckets))}
    table = torch.full((_BUCKETS,), offset, dtype=torch.uint8)
    for bucket in buckets:
        table[bucket + 1 :] += 1
    for bucket, group in groups.items():
        table[bucket] = 255 - group
    codes = [_look_up(flat, table) for flat in tensors]
    lower = _count_lower(tensors, codes, len(groups))
    thresholds = []
    for rank, bucket in zip(ranks, buckets, strict=True):
        thresholds.append(_threshold(bucket, lower[groups[bucket]], rank - below[bucket]))
    return thresholds, codes


def _threshold(bucket: int, counts: np.ndarray, k: int) -> Threshold:
    """Return the k-th smallest magnitude of a bucket, from how often each lower half occurs in it."""
    cumulative = np.cumsum(counts)
    low = int(np.searchsorted(cumulative, k))
    equal = int(counts[low])
    return Threshold((bucket, low), equal, k - int(cumulative[low]) + equal)


def _count_buckets(weights: Mapping[str, torch.Tensor], tensors: list[torch.Tensor]) -> torch.Tensor:
    """Return how many weights each bucket holds."""
    total = torch.zeros(_BUCKETS, dtype=torch.int64)
    for name, flat in zip(weights, tensors, strict=True):
        counts = torch.zeros(_BUCKETS, dtype=torch.int64, device=flat.device)
        for _, key in _upper(flat):
            counts += torch.bincount(key, minlength=_BUCKETS)
        counts = counts.cpu()
        if counts[_NOT_FINITE[flat.dtype] :].any():
            raise not_finite_error(name)
        total += counts
    return total


def _upper(flat: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield the upper sixteen bits of the magnitudes chunk by chunk, int32 from 0 to 32,767."""
    halves = flat.view(torch.int16)
    if flat.dtype == torch.float32:
        halves = halves[1::2]  # the upper half comes second in memory
    step = _CHUNK.get(flat.device.type, _CHUNK_ELSEWHERE)
    for start in range(0, len(halves), step):
        part = slice(start, min(start + step, len(halves)))
        yield part, halves[part].to(torch.int32).bitwise_and_(_BUCKETS - 1)


def _look_up(flat: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Return the table's value for the bucket of each weight."""
    table = table.to(flat.device)
    codes = torch.empty(len(flat), dtype=torch.uint8, device=flat.device)
    for part, key in _upper(flat):
        torch.index_select(table, 0, key, out=codes[part])
    return codes


def _count_lower(tensors: list[torch.Tensor], codes: list[torch.Tensor], groups: int) -> np.ndarray:
    """Return how often each lower half occurs in each bucket that holds thresholds; shape (groups, 65,536)."""
    counts = np.zeros(groups * _LOW, dtype=np.int64)
    waiting: list[torch.Tensor] = []  # each flush makes a large histogram, which pays for many weights only

    def flush() -> None:
        counts[:] += torch.bincount(torch.cat(waiting), minlength=len(counts)).cpu().numpy()
        waiting.clear()

    for flat, code in zip(tensors, codes, strict=True):
        waiting.append(_undecided(flat, code)[1].cpu())
        if sum(map(len, waiting)) > _FLUSH:
            flush()
    if waiting:
        flush()
    return counts.reshape(groups, _LOW)


def _undecided(flat: torch.Tensor, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weights whose bucket holds a threshold: their positions, and their keys.

    A key is group · 65,536 + lower half, int32.
    """
    undecided = code > MOST_RANKS
    if code.device.type == "cpu":
        positions = torch.from_numpy(np.flatnonzero(undecided.numpy()))  # faster than nonzero() by half
    else:
        positions = undecided.nonzero().flatten()
    group = 255 - code[positions].to(torch.int32)
    if flat.dtype != torch.float32:
        return positions, group * _LOW
    return positions, group * _LOW + (flat.view(torch.int16)[::2][positions].to(torch.int32) & (_LOW - 1))


class _Tie:
    """Weights of equal magnitude that levels separate: the first of them by position go earlier.

    Attributes:
        key: the key of these weights, as from ``_undecided``.
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
    table = torch.zeros(len(groups), _LOW, dtype=torch.uint8)
    for bucket, group in groups.items():
        table[group] = offset + sum(t.bits[0] < bucket for t in thresholds)
    ties = []
    for (bucket, low), group_of_equals in groupby(thresholds, key=lambda t: t.bits):
        equals = list(group_of_equals)
        group = groups[bucket]
        if any(t.removed < t.equal for t in equals):
            ties.append(_Tie(group * _LOW + low, int(table[group, low]), [t.removed for t in equals]))
        table[group, low + 1 :] += len(equals)
    return table.flatten(), ties
