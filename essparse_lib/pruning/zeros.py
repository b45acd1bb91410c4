"""Count the weights that are zero: exactly, in half precision, or below a threshold.

The paper counts zero weights (Figures 7 and 8, claims C7 and C8) and states no threshold. So weights are counted by
each of these readings:

- *exact*: 0 or −0.
- *after a cast*, which rounds to the nearest, ties to even. fp16 has subnormal numbers down to 2⁻²⁴ ≈ 6·10⁻⁸, so the
  weights of at most 2⁻²⁵ ≈ 3·10⁻⁸ become zero. bf16 has the range of fp32, so only those of at most 2⁻¹³⁴ ≈ 5·10⁻⁴¹
  do: a cast to bf16 makes nearly nothing zero. What overflows fp16 becomes infinite, not zero.
- *below τ*: ``|w|`` < τ, with τ rounded to the precision of the weights, as torch and numpy compare. A weight that is
  written as 0.01 is thus not below 0.01. A τ too small for that precision counts as its smallest positive number, so
  that exact zeros are below every τ.
- *below τ·σ*: the same with the standard deviation σ of the matrix itself.

Magnitudes are compared as the integers that their bits spell, which have the same order: one cheap comparison in
every precision.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ..errors import InputError, check_list, check_number, not_finite_error
from .survey import PrunableMatrix

#: The thresholds τ at which weights are counted by default, a decade apart.
THRESHOLDS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
#: The same in units of the matrix's standard deviation σ.
DEVIATIONS = (1e-3, 1e-2, 1e-1)

_INTEGERS = {
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}
#: Weights at a time. They stay in a core's cache while they are compared with every threshold.
_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Zeros:
    """How many weights of a matrix are zero, by each reading, and how large the weights are; these add up.

    Attributes:
        weights: number of weights.
        exact: number of weights that are exactly zero.
        fp16: number of weights that are zero after a cast to fp16.
        bf16: number of weights that are zero after a cast to bf16.
        below: number of weights below τ, by τ.
        below_deviations: number of weights below τ·σ, by τ; in a sum, each matrix's weights are measured against the
            σ of that matrix.
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
        """Fraction of the weights that are exactly zero."""
        return self.exact / self.weights if self.weights else 0.0

    @property
    def mean(self) -> float:
        """Mean absolute value of the weights, zeros included."""
        return self.absolute / self.weights if self.weights else 0.0

    @property
    def norm(self) -> float:
        """Euclidean norm of the weights, √Σw²."""
        return math.sqrt(self.squares)

    def by_reading(self) -> dict[str, int]:
        """Return how many are zero by reading: ``exact``, ``fp16``, ``bf16``, ``below 1e-06``, ``below 0.01 sd``, …"""
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
            below=_add_counts(self.below, other.below),
            below_deviations=_add_counts(self.below_deviations, other.below_deviations),
            absolute=self.absolute + other.absolute,
            squares=self.squares + other.squares,
        )


#: The counts of no matrix at all: where a sum starts.
NOTHING = Zeros(weights=0, exact=0, fp16=0, bf16=0, below={}, below_deviations={}, absolute=0.0, squares=0.0)


def count_zeros(
    weights: Mapping[str, torch.Tensor],
    thresholds: Iterable[float] = THRESHOLDS,
    deviations: Iterable[float] = DEVIATIONS,
) -> dict[str, Zeros]:
    """Count the zeros of each matrix, by every reading; ``sum(counts.values(), NOTHING)`` gives the whole model's.

    Args:
        weights: matrices by name, any shapes, in fp16, bf16, fp32 or fp64; each is read once, and counted on the CPU.
        thresholds: τ, in the unit of the weights; positive.
        deviations: τ, in standard deviations of the matrix's weights (about their mean; of all n, not n − 1).

    Raises:
        InputError: a threshold is not positive and finite, or a weight is NaN or infinite or of another dtype (the
            message names the tensor).

    Source: paper, Figures 7 and 8.

    >>> import torch
    >>> zeros = count_zeros({"w": torch.tensor([0.0, 2.0**-25, -1e-3, 0.5])}, thresholds=[1e-3, 1e-2])["w"]
    >>> zeros.exact, zeros.fp16, zeros.bf16, zeros.below
    (1, 2, 1, {0.001: 2, 0.01: 3})
    """
    absolute, relative = _check_positive(thresholds), _check_positive(deviations)
    return {name: _count(name, weight, absolute, relative) for name, weight in weights.items()}


def count_zeros_by_component(
    matrices: Iterable[PrunableMatrix],
    thresholds: Iterable[float] = THRESHOLDS,
    deviations: Iterable[float] = DEVIATIONS,
) -> dict[tuple[int, str], Zeros]:
    """Count the zeros of each component of each block: those of ``count_zeros``, added up over its matrices.

    Queries, keys and values count apart also where one projection computes them.

    Args:
        matrices: prunable matrices, as from ``prunable_matrices(model).values()``.
        thresholds: τ, as for ``count_zeros``; leave them out (``()``) where exact zeros alone are needed: it is faster.
        deviations: τ in standard deviations, as for ``count_zeros``.

    Returns:
        The counts by the block's number and the component's name, in the model's order.

    Raises:
        InputError: as ``count_zeros``.

    >>> import torch
    >>> weight = torch.nn.Parameter(torch.eye(3))
    >>> matrix = PrunableMatrix(name="layers.0.query.weight", weight=weight, depth=0, component="query")
    >>> count_zeros_by_component([matrix])[0, "query"].exact
    6
    """
    absolute, relative = _check_positive(thresholds), _check_positive(deviations)
    counts: dict[tuple[int, str], Zeros] = {}
    for matrix in matrices:
        for component, weights in matrix.components():
            place = (matrix.depth, component)
            counts[place] = counts.get(place, NOTHING) + _count(matrix.name, weights, absolute, relative)
    return counts


def _count(name: str, weight: torch.Tensor, thresholds: tuple[float, ...], deviations: tuple[float, ...]) -> Zeros:
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
    exact, fp16, bf16, *below, finite = _count_below(flat.view(_INTEGERS[dtype]).numpy(), limits)
    if finite < len(flat):
        raise not_finite_error(name)
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


def _count_below(bits: np.ndarray, limits: list[int]) -> list[int]:
    """Return, per limit, how many magnitudes are below it; weights and limits are integers of the same bits."""
    all_but_sign = np.iinfo(bits.dtype).max
    typed = np.array(limits, bits.dtype)
    counts = np.zeros(len(limits), np.int64)
    for start in range(0, len(bits), _CHUNK):
        magnitudes = bits[start : start + _CHUNK] & all_but_sign
        counts += [np.count_nonzero(magnitudes < limit) for limit in typed]
    return counts.tolist()


def _moments(flat: torch.Tensor) -> tuple[float, float, float]:
    """Return Σ|w|, Σw² and the standard deviation, summed up in double precision."""
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
    """Return the bits of the smallest positive number of ``dtype`` that is not zero after a cast to ``target``."""

    def survives(bits: int) -> bool:
        return bool(torch.tensor(bits, dtype=_INTEGERS[dtype]).view(dtype).to(target) != 0)

    return bisect_left(range(_bits(math.inf, dtype)), True, key=survives)


def _limit(threshold: float, dtype: torch.dtype) -> int:
    """Return the bits of a threshold in a precision, at least those of the smallest positive number."""
    return max(_bits(threshold, dtype), 1)


def _bits(value: float, dtype: torch.dtype) -> int:
    return int(torch.tensor(value, dtype=dtype).view(_INTEGERS[dtype]))


def _check_positive(thresholds: Iterable[float]) -> tuple[float, ...]:
    wanted = "a positive number, such as 1e-6"
    listed = check_list("thresholds", thresholds, "[1e-6]")
    return tuple(check_number("threshold", threshold, lambda t: t > 0, wanted) for threshold in listed)


def _add_counts(one: Mapping[float, int], other: Mapping[float, int]) -> Mapping[float, int]:
    if one and other and one.keys() != other.keys():
        raise ValueError(f"counts below {list(one)} and below {list(other)} do not add up")
    return {threshold: one.get(threshold, 0) + other.get(threshold, 0) for threshold in (one or other)}
