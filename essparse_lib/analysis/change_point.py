"""Whether a series of counts over training jumps at one time, beside everything smooth that training does to it.

A jump is a rise or fall within one interval of the measured steps, or within several that together take at most 2% of
the run, that the course of the series on neither side of it explains. Around each such window a cubic is fitted, with a
slope of its own on each side, as Müller (1992) and Loader (1996) fit both sides of every point. Continued through the
window from the left and from the right it says between what the series would have risen smoothly, or with a bend; the
gap beyond both is set against the scatter of the values around. Values are fitted by their increments, since weights
drift: beside a drift, a jump is an outlier among the increments (Chen and Liu 1993).

Growth that is smooth in the step or in its logarithm is smooth. Early training moves by powers of ten, where the
measured steps may lie far apart; late training by the schedule of the learning rate. So a jump has to be one on both
axes (an intersection-union test, Berger 1982), at the lesser of its two sizes. Late in the run the two say the same.

The clearest gap of a series, in units of its standard error, is compared with those of series of chance alone, on the
same steps: a drift, and a drift that keeps its direction. The probability is the larger of the two (Dufour 2006), so
that nothing has to be known of how the noise of a series hangs together; beside scatter about each value gaps as clear
are rarer. Where a series bends, the scatter about the cubic takes up what the cubic misses, so that bends do not count
as jumps.

What it cannot see: a jump in the first two or last two intervals; one of two jumps fewer than nine intervals apart; one
on top of growth about as fast as itself, as in the first percents. Its resolution, on a grid of 1% of the run: a ramp
is abrupt up to 2% of the run and not from 3.5% on; a logistic rise, from a tenth to nine tenths, up to 2% and not from
4% on. On the paper's grid of 2% a ramp is not from 5% on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import InputError

#: A jump is abrupt if chance would bring one as clear with less than this probability …
ALPHA = 0.05

#: … and it makes up this share of the series' range. A fifth, so that a jump of a quarter is found: measured sizes are
#: a few hundredths off and, lying beyond the courses of both sides, rather too small; of jumps of just a quarter, a
#: limit of a quarter would miss most.
SHARE = 0.20

#: A window takes one interval, or several within this share of the run, one interval of the paper's (every 1,000 of
#: 50,000 steps); and no more than so many, which binds among the log-spaced steps at the start.
WIDTH = 0.02
_INTERVALS = 4

#: Intervals around a window that say what is smooth: so many on each side; near an end of the series at least so many
#: on one side, and the more on the other.
_SIDE, _NEAR = 8, 2

#: Fewest values of a series: of evenly spaced ones, six degrees of freedom are left beside the cubic and its bend.
_POINTS = 12

#: Least scatter of an increment, as a share of the range: keeps rounding from passing for precision.
_ROUNDING = 1e-4

_POWERS = np.arange(1, 4)
_MOMENTUM = 0.9  # of a drift that keeps its direction: correlation from one interval to the next
_DRAWS = 999
_BLOCK = 50  # series of chance measured together: they stay in the cache, and bound the memory on long grids


@dataclass(frozen=True, kw_only=True)
class ChangePoint:
    """The clearest jump of a series, abrupt or not.

    Attributes:
        at: the two steps it lies between; None if the series is constant.
        size: in the values' unit, beyond the smooth course; below 0 for a fall.
        share: of the series' range, 0 to 1.
        p: probability of a jump as clear, anywhere in the series, where there is none.
    """

    at: tuple[float, float] | None
    size: float
    share: float
    p: float

    @property
    def abrupt(self) -> bool:
        """Whether it is a jump beyond chance (p < 0.05) and a large one (a fifth of the range or more)."""
        return self.p < ALPHA and self.share >= SHARE


def find_change_point(
    steps: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray, *, error: float = 0.0
) -> ChangePoint:
    """The clearest jump of a series: of those large enough to be abrupt if there are any, else of all.

    Args:
        steps: training steps from the run's start, rising, shape (points,); at least 12.
        values: what was measured at each, shape (points,), in any unit.
        error: what chance does to one value (a standard deviation, in the values' unit) as far as it is known
            beforehand: of a small count, its square root, so that one weight is no jump from nothing.

    Raises:
        InputError: fewer than 12 points, steps that do not rise or are below 0, values that are not finite, lengths
            that differ, or an error below 0.

    Source: paper, Figure 8 and claim C8.

    >>> steps = range(0, 50_001, 500)
    >>> jump = find_change_point(steps, [40 + step / 5_000 + 20 * (step > 23_000) for step in steps])
    >>> jump.at, round(jump.size, 3), round(jump.share, 2), jump.abrupt
    ((23000.0, 23500.0), 20.0, 0.67, True)
    >>> find_change_point(steps, [step**0.3 for step in steps]).abrupt
    False
    """
    at, series = _checked(steps, values, error)
    extent = float(np.ptp(series))
    if extent == 0:
        return ChangePoint(at=None, size=0.0, share=0.0, p=1.0)
    grid, chance = _grid(tuple(at.tolist())), _chance(tuple(at.tolist()))
    # in units of the range, so that squares neither overflow nor vanish
    gaps, variances = (part[..., 0] for part in grid.gaps(np.diff(series / extent)[:, None]))
    rounding = grid.spread * _ROUNDING**2 / grid.lengths.mean(2, keepdims=True)
    errors = np.sqrt(variances + rounding + 2 * (error / extent) ** 2)
    sizes = _least(gaps, axis=(0, 2))
    clearness = np.abs(_least(gaps / errors, axis=(0, 2)))
    large = np.abs(sizes) >= SHARE
    best = int(np.where(large | ~large.any(), clearness, -1.0).argmax())
    exceeding = (chance >= clearness[best]).sum(1).max()
    return ChangePoint(
        at=(float(at[grid.starts[best]]), float(at[grid.ends[best]])),
        size=float(sizes[best] * extent),
        share=min(float(abs(sizes[best])), 1.0),
        p=float((1 + exceeding) / (1 + _DRAWS)),
    )


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Where jumps are looked for among given steps, and what the increments around say there, on each of two axes.

    Attributes:
        starts, ends: of the windows, as places among the steps, shape (windows,).
        around: the intervals around each, shape (windows, around).
        lengths: of these on each axis, shape (axes, windows, around).
        weights: of the increments in them, shape (axes, windows, 2 + directions, around): by the first two they add up
            to the window's rise as expected from the left and from the right; by the others, to what the fit explains
            of them, in orthogonal directions.
        spread: the two gaps' variances for a scatter of 1, shape (axes, windows, 2).
    """

    starts: np.ndarray
    ends: np.ndarray
    around: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray
    spread: np.ndarray

    def gaps(self, increments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each window's rise beyond that expected, and the variance of this, of both (axes, windows, 2, series).

        Args:
            increments: from each step to the next, shape (intervals, series).
        """
        total = np.concatenate([np.zeros_like(increments[:1]), increments.cumsum(0)])
        rises = (total[self.ends] - total[self.starts])[:, None]
        near = increments[self.around]  # (windows, around, series)
        found = self.weights @ near
        expected, explained = found[:, :, :2], found[:, :, 2:]
        squares = (1 / self.lengths)[:, :, None] @ near**2
        left = np.maximum(squares - (explained**2).sum(2, keepdims=True), 0)
        freedom = near.shape[1] - explained.shape[2]
        return rises - expected, self.spread[..., None] * left / freedom


@lru_cache(maxsize=8)
def _grid(steps: tuple[float, ...]) -> _Grid:
    at = np.array(steps)
    starts, ends = np.array(_windows(at)).T
    intervals = len(at) - 1
    count = min(2 * _SIDE, intervals - int((ends - starts).max()))
    before = np.minimum(starts, np.maximum(count // 2, count - (intervals - ends)))
    place = np.arange(count) - before[:, None]
    around = place + np.where(place < 0, starts[:, None], ends[:, None])
    # the logarithm, of step 0 too: shifted by the first step after it
    axes = [_fitted(axis, starts, ends, around) for axis in (at / at[-1], np.log(at + at[at > 0][0]))]
    lengths, weights, spread = (np.stack(parts) for parts in zip(*axes, strict=True))
    return _Grid(starts=starts, ends=ends, around=around, lengths=lengths, weights=weights, spread=spread)


def _windows(steps: np.ndarray) -> list[tuple[int, int]]:
    """First and last place of each window: an interval, or several within 2% of the run."""
    longest = WIDTH * (steps[-1] - steps[0]) * (1 + 1e-9)
    last = len(steps) - 1 - _NEAR
    return [
        (start, end)
        for start in range(_NEAR, last)
        for end in range(start + 1, min(start + _INTERVALS, last) + 1)
        if end == start + 1 or steps[end] - steps[start] <= longest
    ]


def _fitted(
    axis: np.ndarray, starts: np.ndarray, ends: np.ndarray, around: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``lengths``, ``weights`` and ``spread`` of a grid on one axis, by least squares.

    An increment is weighted by the inverse of its interval's length, as it varies in a drift.
    """
    middle = (axis[starts] + axis[ends])[:, None] / 2
    reach = np.maximum(np.abs(axis[around] - middle), np.abs(axis[around + 1] - middle)).max(1, keepdims=True)

    def rises(first: np.ndarray, last: np.ndarray, after: np.ndarray) -> np.ndarray:
        """From the first places to the last, of each power about the middle, and of the line that sets in after."""
        powers = [(((axis[places] - middle) / reach)[..., None]) ** _POWERS for places in (first, last)]
        line = (axis[last] - axis[first]) / reach * after
        return np.concatenate([powers[1] - powers[0], line[..., None]], axis=2)

    lengths = np.diff(axis)[around]
    root = np.sqrt(lengths)[..., None]
    basis, triangle = np.linalg.qr(rises(around, around + 1, around >= ends[:, None]) / root)
    # the window twice: as continued from the left, and from the right
    inside = rises(starts[:, None].repeat(2, 1), ends[:, None].repeat(2, 1), np.array([False, True]))
    expected = np.linalg.solve(triangle.swapaxes(1, 2), inside.swapaxes(1, 2))  # (windows, directions, 2)
    weights = np.concatenate([basis @ expected, basis], axis=2) / root
    spread = (axis[ends] - axis[starts])[:, None] + (expected**2).sum(1)
    return lengths, weights.swapaxes(1, 2), spread


@lru_cache(maxsize=8)
def _chance(steps: tuple[float, ...]) -> np.ndarray:
    """How clear the clearest gap is in series of chance, for each kind of drift and axis: (kinds × axes, draws)."""
    grid = _grid(steps)
    lengths = np.diff(steps)[:, None] / steps[-1]
    drift, momentum = np.random.default_rng(0).normal(size=(2, len(lengths), _DRAWS))
    for i in range(1, len(momentum)):
        momentum[i] = _MOMENTUM * momentum[i - 1] + np.sqrt(1 - _MOMENTUM**2) * momentum[i]
    found = []
    for increments in (drift * np.sqrt(lengths), momentum * lengths):
        blocks = [grid.gaps(increments[:, i : i + _BLOCK]) for i in range(0, _DRAWS, _BLOCK)]
        clearness = [np.abs(_least(gaps / np.sqrt(variances), axis=2)) for gaps, variances in blocks]
        found.append(np.concatenate([part.max(1) for part in clearness], axis=1))
    return np.concatenate(found)


def _least(gaps: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """The least of several gaps in the same direction, along an axis or more; 0 where they differ in direction."""
    return np.maximum(gaps.min(axis), 0) + np.minimum(gaps.max(axis), 0)


def _checked(steps: object, values: object, error: float) -> tuple[np.ndarray, np.ndarray]:
    try:
        at, series = np.asarray(steps, float), np.asarray(values, float)
    except (TypeError, ValueError):
        raise InputError("steps and values must be numbers: give two lists of the same length") from None
    if at.ndim != 1 or at.shape != series.shape:
        raise InputError(f"steps of shape {at.shape} and values of shape {series.shape}: give one value for each step")
    if len(at) < _POINTS:
        raise InputError(f"{len(at)} values are too few to tell a jump from a bend: give at least {_POINTS}")
    if not (np.isfinite(at).all() and np.isfinite(series).all()):
        raise InputError("steps or values hold NaN or infinity: leave those points out")
    if at[0] < 0 or not (np.diff(at) > 0).all():
        raise InputError("steps must rise, from 0 or more: sort them and leave out repeated ones")
    if not 0 <= error < np.inf:
        raise InputError(f"error {error!r} is not allowed: give a standard deviation of 0 or more")
    return at, series
