"""What counts as zero: exactly zero, zero in half precision, or small, absolutely and for its layer.

The paper counts zero weights (Figures 7 and 8, claims C7 and C8) and states no threshold, so each reading is counted:

- *exact*: 0 or −0.
- *after a cast*, which rounds to the nearest, ties to even. fp16 has subnormal numbers down to 2⁻²⁴ ≈ 6·10⁻⁸, so the
  weights of at most 2⁻²⁵ ≈ 3·10⁻⁸ become zero. bf16 has the range of fp32, so only those of at most 2⁻¹³⁴ ≈ 5·10⁻⁴¹
  do: a cast to bf16 makes nearly nothing zero. What overflows fp16 becomes infinite, not zero.
- *below τ*: ``|w|`` < τ, with τ rounded to the weights' own precision, as torch and numpy compare. (A weight written as
  0.01 is thus not below 0.01.) A τ too small for that precision counts as its smallest positive number, so that
  exact zeros are below every τ.
- *below τ·σ*: the same with the standard deviation σ of the matrix itself.

Magnitudes are compared as the integers that their bits spell, which order alike: one cheap comparison,
whatever the precision.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ..errors import InputError
from .prunable import PrunableMatrix

#: Thresholds τ of the sweep, a decade apart; and those in units of the matrix's standard deviation.
THRESHOLDS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
DEVIATIONS = (1e-3, 1e-2, 1e-1)

_INTEGERS = {
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}
_CHUNK = 1 << 16  # weights; so many stay in a core's cache while they are compared with every threshold


@dataclass(frozen=True, kw_only=True)
class Zeros:
    """Of a matrix or, added up, of several: how many weights are zero, by each reading, and how large they are.

    Attributes:
        weights: how many there are.
        exact: how many are exactly zero.
        fp16: how many are zero after a cast to fp16.
        bf16: how many are zero after a cast to bf16.
        below: how many are below τ, by τ.
        below_deviations: how many are below τ·σ, by τ; in a sum, each is measured against its own matrix's σ.
        absolute: sum of the absolute values, Σ|w|.
        squares: sum of the squares, Σw².

    >>> rest = dict(below={}, below_deviations={})
    >>> one = Zeros(weights=4, exact=2, fp16=2, bf16=2, absolute=6.0, squares=20.0, **rest)
    >>> one + Zeros(weights=4, exact=0, fp16=1, bf16=0, absolute=4.0, squares=5.0, **rest)
    Zeros(weights=8, exact=2, fp16=3, bf16=2, below={}, below_deviations={}, absolute=10.0, squares=25.0)
    """

    weights: int
    exact: int
    fp16: int
    bf16: int
    below: Mapping[float, int]
    below_deviations: Mapping[float, int]
    absolute: float
    squares: float

    @property
    def sparsity(self) -> float:
        """Fraction of exact zeros."""
        return self.exact / self.weights if self.weights else 0.0

    @property
    def mean(self) -> float:
        """Mean absolute value, zeros included."""
        return self.absolute / self.weights if self.weights else 0.0

    @property
    def norm(self) -> float:
        """Euclidean norm, √Σw²."""
        return math.sqrt(self.squares)

    def by_reading(self) -> dict[str, int]:
        """How many are zero by each reading: ``exact``, ``fp16``, ``bf16``, ``below 1e-06``, ``below 0.01 sd``, …"""
        return {
            "exact": self.exact,
            "fp16": self.fp16,
            "bf16": self.bf16,
            **{f"below {threshold:g}": count for threshold, count in self.below.items()},
            **{f"below {threshold:g} sd": count for threshold, count in self.below_deviations.items()},
        }

    def __add__(self, other: Zeros) -> Zeros:
        return Zeros(
            weights=self.weights + other.weights,
            exact=self.exact + other.exact,
            fp16=self.fp16 + other.fp16,
            bf16=self.bf16 + other.bf16,
            below=_added(self.below, other.below),
            below_deviations=_added(self.below_deviations, other.below_deviations),
            absolute=self.absolute + other.absolute,
            squares=self.squares + other.squares,
        )


NOTHING = Zeros(weights=0, exact=0, fp16=0, bf16=0, below={}, below_deviations={}, absolute=0.0, squares=0.0)


def count_zeros(
    weights: Mapping[str, torch.Tensor],
    thresholds: Iterable[float] = THRESHOLDS,
    deviations: Iterable[float] = DEVIATIONS,
) -> dict[str, Zeros]:
    """Count what is zero in each matrix, by every reading; ``sum(found.values(), NOTHING)`` is the whole model's.

    Args:
        weights: matrices by name, any shapes, in fp16, bf16, fp32 or fp64; each is read once, and counted on the CPU.
        thresholds: τ, in the weights' own unit; positive.
        deviations: τ, in standard deviations of the matrix's weights (about their mean; of all n, not n − 1).

    Raises:
        InputError: a threshold is not positive and finite, or a weight is NaN or infinite or of another dtype (the
            message names the tensor).

    Source: paper, Figures 7 and 8.

    >>> import torch
    >>> found = count_zeros({"w": torch.tensor([0.0, 2.0**-25, -1e-3, 0.5])}, thresholds=[1e-3, 1e-2])["w"]
    >>> found.exact, found.fp16, found.bf16, found.below
    (1, 2, 1, {0.001: 2, 0.01: 3})
    """
    absolute, relative = _checked(thresholds), _checked(deviations)
    return {name: _zeros(name, weight, absolute, relative) for name, weight in weights.items()}


def count_zeros_by_component(
    matrices: Iterable[PrunableMatrix],
    thresholds: Iterable[float] = THRESHOLDS,
    deviations: Iterable[float] = DEVIATIONS,
) -> dict[tuple[int, str], Zeros]:
    """The same by block and component, in the model's order, as ``statistics`` has them.

    Args:
        matrices: as from ``prunable(model).values()``.
        thresholds: as in ``count_zeros``.
        deviations: as in ``count_zeros``.

    Raises:
        InputError: as ``count_zeros``.

    >>> import torch
    >>> weight = torch.nn.Parameter(torch.eye(3))
    >>> matrix = PrunableMatrix(name="layers.0.query.weight", weight=weight, depth=0, component="query")
    >>> count_zeros_by_component([matrix])[0, "query"].exact
    6
    """
    absolute, relative = _checked(thresholds), _checked(deviations)
    found: dict[tuple[int, str], Zeros] = {}
    for matrix in matrices:
        place = (matrix.depth, matrix.component)
        found[place] = found.get(place, NOTHING) + _zeros(matrix.name, matrix.weight, absolute, relative)
    return found


def effective_sparsity(weights: Mapping[str, torch.Tensor], share: float = 0.99) -> float:
    """The largest fraction of weights, over all matrices together, that can go and leave ``share`` of Σw².

    It needs no threshold: weights that are all alike have nearly 1 − ``share``, weights of which few are large, much
    more. The magnitudes are sorted, in fp32 (or fp64): 4 (or 8) bytes a weight.

    Args:
        weights: matrices by name, any shapes; left alone.
        share: of the squared norm that must stay, above 0, at most 1.

    Raises:
        InputError: the share is out of range, or a weight is NaN or infinite (the message names the tensor).

    >>> import torch
    >>> effective_sparsity({"w": torch.tensor([3.0, 4.0, 0.0, 0.0])}, share=0.5)
    0.75
    """
    if not 0 < share <= 1:
        raise InputError(f"share {share!r} is not allowed: give a number above 0 and at most 1, such as 0.99")
    parts = [np.empty(0, np.float32)]
    for name, weight in weights.items():
        wide = torch.promote_types(weight.dtype, torch.float32)
        part = weight.detach().flatten().cpu().to(wide).abs().numpy()
        if not np.isfinite(part.max(initial=0)):
            raise _not_finite(name)
        parts.append(part)
    magnitudes = np.concatenate(parts)
    magnitudes.sort()
    squares = [float(chunk @ chunk) for chunk in _doubles(magnitudes)]
    total = math.fsum(squares)
    spare, removed = total - share * total, 0
    for chunk, sum_ in zip(_doubles(magnitudes), squares, strict=True):
        if sum_ > spare:  # it ends within this chunk
            removed += int(np.searchsorted(np.cumsum(chunk * chunk), spare, side="right"))
            break
        spare, removed = spare - sum_, removed + len(chunk)
    return removed / len(magnitudes) if len(magnitudes) else 0.0


def _zeros(name: str, weight: torch.Tensor, thresholds: tuple[float, ...], deviations: tuple[float, ...]) -> Zeros:
    dtype = weight.dtype
    if dtype not in _INTEGERS:
        raise InputError(f"{name} is {dtype}: zeros are counted in fp16, bf16, fp32 and fp64")
    flat = weight.detach().cpu().flatten()
    absolute, squares, deviation = _moments(flat)
    limits = [
        1,
        _first_kept(dtype, torch.float16),
        _first_kept(dtype, torch.bfloat16),
        *(_limit(threshold, dtype) for threshold in thresholds),
        *(_limit(threshold * deviation, dtype) for threshold in deviations),
        _bits(math.inf, dtype),
    ]
    exact, fp16, bf16, *below, finite = _counts(flat.view(_INTEGERS[dtype]).numpy(), limits)
    if finite < len(flat):
        raise _not_finite(name)
    return Zeros(
        weights=len(flat),
        exact=exact,
        fp16=fp16,
        bf16=bf16,
        below=dict(zip(thresholds, below[: len(thresholds)], strict=True)),
        below_deviations=dict(zip(deviations, below[len(thresholds) :], strict=True)),
        absolute=absolute,
        squares=squares,
    )


def _counts(bits: np.ndarray, limits: list[int]) -> list[int]:
    """How many magnitudes, given by the weights' bits, are below each limit, given likewise."""
    magnitude = np.iinfo(bits.dtype).max  # all bits but the sign
    typed = np.array(limits, bits.dtype)
    found = np.zeros(len(limits), np.int64)
    for start in range(0, len(bits), _CHUNK):
        chunk = bits[start : start + _CHUNK] & magnitude
        found += [np.count_nonzero(chunk < limit) for limit in typed]
    return found.tolist()


def _moments(flat: torch.Tensor) -> tuple[float, float, float]:
    """Σ|w|, Σw² and the standard deviation, summed up in double precision."""
    total = absolute = squares = 0.0
    for chunk in flat.split(_CHUNK):
        wide = chunk.double()
        total += float(wide.sum())
        squares += float(wide @ wide)
        absolute += float(wide.abs_().sum())
    count = max(len(flat), 1)
    mean = total / count
    return absolute, squares, math.sqrt(max(0.0, squares / count - mean * mean))  # of NaN: 0


@lru_cache
def _first_kept(dtype: torch.dtype, target: torch.dtype) -> int:
    """The bits of the smallest positive number of ``dtype`` that is not zero after a cast to ``target``."""

    def kept(bits: int) -> bool:
        return bool(torch.tensor(bits, dtype=_INTEGERS[dtype]).view(dtype).to(target) != 0)

    return bisect_left(range(_bits(math.inf, dtype)), True, key=kept)


def _limit(threshold: float, dtype: torch.dtype) -> int:
    """The bits of a threshold in a precision, of which nothing positive is too small."""
    return max(_bits(threshold, dtype), 1)


def _bits(value: float, dtype: torch.dtype) -> int:
    return int(torch.tensor(value, dtype=dtype).view(_INTEGERS[dtype]))


def _doubles(values: np.ndarray) -> Iterable[np.ndarray]:
    return (values[start : start + _CHUNK].astype(np.float64) for start in range(0, len(values), _CHUNK))


def _checked(thresholds: Iterable[float]) -> tuple[float, ...]:
    given = tuple(thresholds)
    for threshold in given:
        if not 0 < threshold < math.inf:
            raise InputError(f"threshold {threshold!r} is not allowed: give a positive number, such as 1e-6")
    return given


def _added(one: Mapping[float, int], other: Mapping[float, int]) -> Mapping[float, int]:
    if one and other and one.keys() != other.keys():
        raise ValueError(f"counts below {list(one)} and below {list(other)} do not add up")
    return {threshold: one.get(threshold, 0) + other.get(threshold, 0) for threshold in (one or other)}


def _not_finite(name: str) -> InputError:
    return InputError(f"{name} holds NaN or infinite weights: what is zero beside them says nothing")
