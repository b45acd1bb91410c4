"""Read the magnitudes of weights as whole numbers: count their upper and lower bits, and look weights up by them.

The bits of ``|w|``, read as a whole number, have the order of the magnitudes in fp32, bf16 and fp16. A bucket is all
magnitudes with the same upper sixteen bits. A table has a code for each bucket: the level of its weights or, where the
lower sixteen bits must decide, 255 − g in the g-th such bucket, their group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from ..errors import InputError, not_finite_error

#: The highest level: the other values of a byte stand for groups of undecided weights.
HIGHEST_LEVEL = 127
#: Number of buckets: the upper sixteen bits without the sign.
BUCKETS = 1 << 15
#: Number of lower halves.
LOW = 1 << 16
#: The first bucket of infinities and NaN, in which all bits of the exponent are set.
_NOT_FINITE = {torch.float32: 0x7F80, torch.bfloat16: 0x7F80, torch.float16: 0x7C00}
#: Weights at a time. On a CPU they stay in the cache nearest to a core.
_CHUNK = {"cpu": 1 << 18}
_CHUNK_ELSEWHERE = 1 << 24
#: Undecided weights that are counted together: more would take memory, fewer another pass over the counts.
_FLUSH = 1 << 19


class FlatTensors:
    """Tensors in one dimension and one dtype, by name, one at a time: views, where their elements lie in order.

    Attributes:
        dtype: the dtype of all.
        shapes: the tensors' shapes, by name.
        size: number of all weights.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        self._weights = weights
        self.shapes: dict[str, torch.Size] = {}
        types = set()
        for name, weight in weights.items():
            if weight.dtype not in _NOT_FINITE:
                raise InputError(f"{name} is {weight.dtype}: cast it to float32, bfloat16 or float16")
            types.add(weight.dtype)
            self.shapes[name] = weight.shape
        self.dtype = types.pop() if len(types) == 1 else torch.float32  # which holds all numbers of the others exactly
        self.size = sum(shape.numel() for shape in self.shapes.values())

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        for name, weight in self._weights.items():
            yield name, weight.detach().to(self.dtype).reshape(-1)


def count_buckets(tensors: FlatTensors) -> torch.Tensor:
    """Return how many weights each bucket holds: int64 of shape (32,768,).

    Args:
        tensors: the weights.

    Raises:
        InputError: a weight is NaN or infinite; the message names the tensor.
    """
    total = torch.zeros(BUCKETS, dtype=torch.int64)
    for name, flat in tensors:
        counts = torch.zeros(BUCKETS, dtype=torch.int64, device=flat.device)
        for _, key in _upper(flat):
            counts += torch.bincount(key, minlength=BUCKETS)
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
        yield part, halves[part].to(torch.int32).bitwise_and_(BUCKETS - 1)


def look_up(flat: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Return the code of each weight's bucket: uint8.

    Args:
        flat: weights in one dimension.
        table: the codes, shape (32,768,).
    """
    table = table.to(flat.device)
    codes = torch.empty(len(flat), dtype=torch.uint8, device=flat.device)
    for part, key in _upper(flat):
        torch.index_select(table, 0, key, out=codes[part])
    return codes


def count_lower(tensors: FlatTensors, table: torch.Tensor, groups: int) -> np.ndarray:
    """Return how often each lower half occurs in each group: int64 of shape (groups, 65,536).

    Args:
        tensors: the weights.
        table: the codes, shape (32,768,).
        groups: the number of groups in the table.
    """
    counts = np.zeros(groups * LOW, dtype=np.int64)
    waiting: list[torch.Tensor] = []  # each flush makes a large histogram, which pays for many weights only

    def flush() -> None:
        counts[:] += torch.bincount(torch.cat(waiting), minlength=len(counts)).cpu().numpy()
        waiting.clear()

    for _, flat in tensors:
        waiting.append(undecided(flat, look_up(flat, table))[1].cpu())
        if sum(map(len, waiting)) > _FLUSH:
            flush()
    if waiting:
        flush()
    return counts.reshape(groups, LOW)


def undecided(flat: torch.Tensor, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weights that are in a group: their positions, and their keys.

    A key is group · 65,536 + lower half, int32.

    Args:
        flat: weights in one dimension.
        code: the code of each, as ``look_up`` returns it.
    """
    in_group = code > HIGHEST_LEVEL
    if code.device.type == "cpu":
        positions = torch.from_numpy(np.flatnonzero(in_group.numpy()))  # faster than nonzero() by half
    else:
        positions = in_group.nonzero().flatten()
    group = 255 - code[positions].to(torch.int32)
    if flat.dtype != torch.float32:
        return positions, group * LOW
    return positions, group * LOW + (flat.view(torch.int16)[::2][positions].to(torch.int32) & (LOW - 1))
