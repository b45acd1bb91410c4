"""Exact k-th smallest magnitudes of many tensors together, for many k at once: no copy of them, and no sort.

A radix selection: the bits of ``|w|``, read as a whole number, order fp32, bf16 and fp16 alike. The upper sixteen are
counted in one pass, which says in which of 32,768 buckets each threshold lies. The lower sixteen of fp32 are counted
for the weights of those few buckets alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import numpy as np
import torch

from ..errors import InputError

#: The most ranks of one call: levels and buckets share the values of one byte.
MOST_RANKS = 127
_BUCKETS = 1 << 15
_LOW = 1 << 16
#: The first bucket of infinities and NaN: all bits of the exponent are set.
_NOT_FINITE = {torch.float32: 0x7F80, torch.bfloat16: 0x7F80, torch.float16: 0x7C00}
#: Weights at a time. On a CPU they and what is made of them stay in the cache nearest to a core.
_CHUNK = {"cpu": 1 << 18}
_CHUNK_ELSEWHERE = 1 << 24
#: Weights of the few buckets that are counted together: more would take memory, fewer a pass over the counts each.
_FLUSH = 1 << 19


@dataclass(frozen=True)
class Threshold:
    """The k-th smallest magnitude.

    Attributes:
        bits: of the magnitude: the upper sixteen (without the sign) and, of fp32, the lower sixteen.
        equal: how many weights have this magnitude.
        removed: how many of those are among the k smallest, the first ones by position.
    """

    bits: tuple[int, int]
    equal: int
    removed: int

    def value(self, dtype: torch.dtype) -> float:
        """The magnitude as a number."""
        upper, lower = self.bits
        if dtype == torch.float32:
            return torch.tensor(upper << 16 | lower, dtype=torch.int32).view(dtype).item()
        return torch.tensor(upper, dtype=torch.int16).view(dtype).item()


def magnitude_thresholds(weights: Mapping[str, torch.Tensor], ranks: Sequence[int]) -> list[float]:
    """The k-th smallest magnitude for each k of ``ranks``, over all tensors together.

    Args:
        weights: tensors by name, any shapes, all fp32, all bf16 or all fp16, on any devices; left alone.
        ranks: ascending, each from 1 to the number of weights; at most 127.

    Raises:
        InputError: a weight is NaN or infinite (the message names the tensor), the types are mixed or others.
        ValueError: the ranks are none of these.

    Source: radix selection as in Alabi et al., "Fast k-selection algorithms for graphics processing units",
    ACM JEA 17, 2012.

    >>> import torch
    >>> magnitude_thresholds({"a": torch.tensor([0.5, -3.0]), "b": torch.tensor([[2.0], [-1.0]])}, [1, 3])
    [0.5, 2.0]
    """
    _check(ranks, weights, least=1)
    tensors = _flat(weights)
    return [found.value(tensors[0].dtype) for found in _select(weights, tensors, ranks)[0]]


def levels(weights: Mapping[str, torch.Tensor], ranks: Sequence[int]) -> dict[str, torch.Tensor]:
    """For each weight the first level at which it goes, where level j removes the ``ranks[j]`` smallest magnitudes.

    Equal magnitudes go in the order of position: first tensor first, row by row.

    Args:
        weights: as for ``magnitude_thresholds``; also fp64, which is sorted (slower, and several times its memory).
        ranks: ascending, each from 0 to the number of weights; at most 127.

    Returns:
        By name a uint8 tensor of the weight's shape, on its device; ``len(ranks)`` where the weight always stays.

    Raises:
        InputError, ValueError: as ``magnitude_thresholds``.

    >>> import torch
    >>> levels({"w": torch.tensor([[3.0, -1.0, 2.0, 1.0]])}, [1, 2, 3])["w"]
    tensor([[3, 0, 2, 1]], dtype=torch.uint8)
    """
    _check(ranks, weights, least=0)
    if any(w.dtype == torch.float64 for w in weights.values()):
        return _sorted_levels(weights, ranks)
    tensors = _flat(weights)
    none = bisect_right(ranks, 0)  # levels that remove nothing, and so have no threshold
    found, codes = _select(weights, tensors, ranks[none:], none)
    table, ties = _within_buckets(found, none)
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
    if list(ranks) != sorted(ranks) or len(ranks) > MOST_RANKS or any(not least <= k <= size for k in ranks):
        raise ValueError(f"ranks {list(ranks)} must ascend from {least} to {size}, and be at most {MOST_RANKS}")


def _sorted_levels(weights: Mapping[str, torch.Tensor], ranks: Sequence[int]) -> dict[str, torch.Tensor]:
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise not_finite(name)
    order = torch.cat([w.detach().cpu().double().abs().flatten() for w in weights.values()]).argsort(stable=True)
    level = torch.empty(len(order), dtype=torch.uint8)
    level[order] = torch.searchsorted(torch.tensor(ranks), torch.arange(len(order)), right=True).to(torch.uint8)
    parts = level.split([w.numel() for w in weights.values()])
    return {name: part.view(w.shape).to(w.device) for (name, w), part in zip(weights.items(), parts, strict=True)}


def _flat(weights: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """The tensors in one dimension, in the order of their elements; views, where they lie in that order."""
    types = {w.dtype for w in weights.values()}
    if not types <= _NOT_FINITE.keys():
        strange = next(n for n, w in weights.items() if w.dtype not in _NOT_FINITE)
        raise InputError(f"{strange} is {weights[strange].dtype}: cast it to float32, bfloat16 or float16")
    common = types.pop() if len(types) == 1 else torch.float32  # which holds every fp16 and bf16 number exactly
    return [w.detach().to(common).reshape(-1) for w in weights.values()]


def _select(
    weights: Mapping[str, torch.Tensor], tensors: list[torch.Tensor], ranks: Sequence[int], offset: int = 0
) -> tuple[list[Threshold], list[torch.Tensor]]:
    """The thresholds; and for each weight its level + ``offset``, or 255 − g in the g-th bucket that holds some."""
    below = [0, *accumulate(_count_buckets(weights, tensors).tolist())]  # below[b]: weights in buckets before b
    buckets = [bisect_left(below, k) - 1 for k in ranks]
    groups = {bucket: number for number, bucket in enumerate(dict.fromkeys(buckets))}
    table = torch.full((_BUCKETS,), offset, dtype=torch.uint8)
    for bucket in buckets:
        table[bucket + 1 :] += 1
    for bucket, group in groups.items():
        table[bucket] = 255 - group
    codes = [_looked_up(flat, table) for flat in tensors]
    lower = _count_lower(tensors, codes, len(groups))
    return [_threshold(b, lower[groups[b]], k - below[b]) for k, b in zip(ranks, buckets, strict=True)], codes


def _threshold(bucket: int, counts: np.ndarray, k: int) -> Threshold:
    """The k-th of a bucket, from how often each lower half occurs in it."""
    cumulative = np.cumsum(counts)
    low = int(np.searchsorted(cumulative, k))
    equal = int(counts[low])
    return Threshold((bucket, low), equal, k - int(cumulative[low]) + equal)


def _count_buckets(weights: Mapping[str, torch.Tensor], tensors: list[torch.Tensor]) -> torch.Tensor:
    counts = torch.zeros(_BUCKETS, dtype=torch.int64)
    for name, flat in zip(weights, tensors, strict=True):
        own = torch.zeros(_BUCKETS, dtype=torch.int64, device=flat.device)
        for _, key in _upper(flat):
            own += torch.bincount(key, minlength=_BUCKETS)
        own = own.cpu()
        if own[_NOT_FINITE[flat.dtype] :].any():
            raise not_finite(name)
        counts += own
    return counts


def not_finite(name: str) -> InputError:
    """The error for weights, of this name, that no ranking can place."""
    return InputError(f"{name} holds NaN or infinite weights: magnitudes cannot be ranked")


def _upper(flat: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Chunk by chunk the upper sixteen bits of the magnitudes, int32 from 0 to 32,767."""
    halves = flat.view(torch.int16)
    if flat.dtype == torch.float32:
        halves = halves[1::2]  # the upper half comes second in memory
    step = _CHUNK.get(flat.device.type, _CHUNK_ELSEWHERE)
    for start in range(0, len(halves), step):
        part = slice(start, min(start + step, len(halves)))
        yield part, halves[part].to(torch.int32).bitwise_and_(_BUCKETS - 1)


def _looked_up(flat: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    table = table.to(flat.device)
    codes = torch.empty(len(flat), dtype=torch.uint8, device=flat.device)
    for part, key in _upper(flat):
        torch.index_select(table, 0, key, out=codes[part])
    return codes


def _count_lower(tensors: list[torch.Tensor], codes: list[torch.Tensor], groups: int) -> np.ndarray:
    """How often each lower half occurs in each bucket that holds thresholds; shape (groups, 65,536)."""
    counts = np.zeros(groups * _LOW, dtype=np.int64)
    waiting: list[torch.Tensor] = []  # a histogram of so many values is worth filling for many weights only

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
    """The weights whose bucket holds a threshold: their positions, and group · 65,536 + lower half, int32."""
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
    """Equal magnitudes that a level parts: the first of them by position go earlier.

    Attributes:
        key: of these weights, as from ``_undecided``.
    """

    def __init__(self, key: int, level: int, removed: list[int]) -> None:
        self.key = key
        self._level = level
        self._removed = torch.tensor(removed)
        self._seen = 0

    def next(self, count: int) -> torch.Tensor:
        """The levels of the next ``count`` of them."""
        ranks = torch.arange(self._seen, self._seen + count)
        self._seen += count
        return (self._level + torch.searchsorted(self._removed, ranks, right=True)).to(torch.uint8)


def _within_buckets(found: list[Threshold], offset: int) -> tuple[torch.Tensor, list[_Tie]]:
    """The level of every weight whose bucket holds a threshold, by its key; and where equal ones part."""
    groups = {bucket: number for number, bucket in enumerate(dict.fromkeys(t.bits[0] for t in found))}
    table = torch.zeros(len(groups), _LOW, dtype=torch.uint8)
    for bucket, group in groups.items():
        table[group] = offset + sum(t.bits[0] < bucket for t in found)
    ties = []
    for (bucket, low), same in groupby(found, key=lambda t: t.bits):
        parting = list(same)
        group = groups[bucket]
        if any(t.removed < t.equal for t in parting):
            ties.append(_Tie(group * _LOW + low, int(table[group, low]), [t.removed for t in parting]))
        table[group, low + 1 :] += len(parting)
    return table.flatten(), ties
