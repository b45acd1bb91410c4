"""Whether a series of counts over training jumps at one time, on top of the smooth changes that training brings.

**A jump** is a rise or fall within one interval of the measured steps, or within several that together take at most 2%
of the run, that the course of the series on neither side explains. Around each such window a cubic is fitted, with a
slope for each side, as Müller (1992) and Loader (1996) fit both sides of every point. Continued through the window from
the left and from the right, the fit gives two smooth rises. The gap beyond both is compared with the scatter of the
values around. The fit is to increments, since weights drift: in a drift, a jump is an outlier among the increments
(Chen and Liu 1993).

**Two time axes.** Growth that is smooth in the step or in its logarithm is smooth. Early training moves by powers of
ten, where the measured steps may lie far apart; late training follows the schedule of the learning rate. So a jump has
to be one on both axes (an intersection-union test, Berger 1982), and its size is the lesser of the two. Late in the run
the two axes agree.

**Significance.** The clearest gap of a series, in units of its standard error, is compared with those of random series
on the same steps. There are two kinds: a drift, and a drift that keeps its direction. The probability is the larger of
the two (Dufour 2006), so that nothing has to be known about the correlation of a series' noise. With independent noise
about each value, gaps as clear are rarer. Where a series bends, the scatter about the cubic includes what the cubic
misses, so that bends do not count as jumps.

**Limits.** The test misses a jump in the first two or last two intervals, one of two jumps fewer than nine intervals
apart, and one on top of growth about as fast as itself, as in the first percents. On a grid of 1% of the run, a ramp
counts as abrupt up to 2% of the run and not from 3.5% on; a logistic rise, from a tenth to nine tenths, up to 2% and
not from 4% on. On the paper's grid of 2% a ramp does not count from 5% on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import InputError

#: A jump is abrupt if a random series has one as clear with less than this probability …
ALPHA = 0.05

#: … and it makes up this share of the series' range. A fifth, so that a jump of a quarter passes: measured sizes are
#: a few hundredths off and, lying beyond the courses of both sides, rather too small. A limit of a quarter would miss
#: most jumps of just a quarter.
SHARE = 0.20

#: A window takes one interval, or several within this share of the run. It is one interval of the paper's grid (1,000
#: of 50,000 steps).
WIDTH = 0.02

#: Most intervals of a window; this limits windows among the log-spaced steps at the start.
_INTERVALS = 4

#: Number of intervals on each side of a window that the smooth fit uses …
_SIDE = 8

#: … and the fewest on one side, near an end of the series; the other side then has more.
_NEAR = 2

#: Fewest values of a series. With evenly spaced steps, the cubic and its bend then leave six degrees of freedom.
MIN_POINTS = 12

#: Least scatter of an increment, as a share of the range: rounded values are not more precise than this.
_ROUNDING = 1e-4

_POWERS = np.arange(1, 4)

#: Correlation of increments from one interval to the next, in a drift that keeps its direction.
_MOMENTUM = 0.9

#: Number of random series of each kind.
_DRAWS = 999

#: Number of random series measured together: they fit in the cache, and bound the memory on long grids.
_BLOCK = 50


@dataclass(frozen=True, kw_only=True)
class ChangePoint:
    """The clearest jump of a series, abrupt or not.

    Attributes:
        at: the two steps between which the jump lies; None if the series is constant.
        size: height of the jump beyond the smooth course, in the values' unit; below 0 for a fall.
        share: height as a share of the series' range, from 0 to 1.
        p: probability that a series without a jump has one as clear anywhere.
    """

    at: tuple[float, float] | None
    size: float
    share: float
    p: float

    @property
    def abrupt(self) -> bool:
        """Whether the jump is significant (p < 0.05) and large (a fifth of the range or more)."""
        return self.p < ALPHA and self.share >= SHARE


def find_change_point(
    steps: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray, *, error: float = 0.0
) -> ChangePoint:
    """Return the clearest jump of a series: among those large enough to be abrupt if there are any, else among all.

    Args:
        steps: training steps from the run's start, rising, shape (points,); at least 12.
        values: the value at each step, in any unit, shape (points,).
        error: standard deviation of one value, in its unit, as far as it is known beforehand. For a small count it is
            the square root of the count, so that one weight is not a jump from zero.

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
    times, series = _checked(steps, values, error)
    extent = float(np.ptp(series))
    if extent == 0:
        return ChangePoint(at=None, size=0.0, share=0.0, p=1.0)
    grid, random_clearness = _grid(tuple(times.tolist())), _random_clearness(tuple(times.tolist()))
    # in units of the range, so that squares neither overflow nor vanish
    gaps, variances = (part[..., 0] for part in grid.gaps(np.diff(series / extent)[:, None]))
    rounding = grid.spread * _ROUNDING**2 / grid.lengths.mean(2, keepdims=True)
    errors = np.sqrt(variances + rounding + 2 * (error / extent) ** 2)
    sizes = _least(gaps, axis=(0, 2))
    clearness = np.abs(_least(gaps / errors, axis=(0, 2)))
    large = np.abs(sizes) >= SHARE
    best = int(np.where(large | ~large.any(), clearness, -1.0).argmax())
    exceeding = (random_clearness >= clearness[best]).sum(1).max()
    return ChangePoint(
        at=(float(times[grid.starts[best]]), float(times[grid.ends[best]])),
        size=float(sizes[best] * extent),
        share=min(float(abs(sizes[best])), 1.0),
        p=float((1 + exceeding) / (1 + _DRAWS)),
    )


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """The windows in which a jump may lie among given steps, and the smooth fit around each, on each of two axes.

    Attributes:
        starts: index of the first step of each window, shape (windows,).
        ends: index of the last step of each window, shape (windows,).
        around: indices of the intervals around each window, shape (windows, around).
        lengths: lengths of these intervals on each axis, shape (axes, windows, around).
        weights: weights of the increments in these intervals, shape (axes, windows, 2 + directions, around). The first
            two rows give the window's rise as expected from the left and from the right; the others give the part of
            the increments that the fit explains, in orthogonal directions.
        spread: variances of the two gaps for a scatter of 1, shape (axes, windows, 2).
    """

    starts: np.ndarray
    ends: np.ndarray
    around: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray
    spread: np.ndarray

    def gaps(self, increments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each window's rise beyond the expected one, and the variance of that gap.

        Args:
            increments: change from each step to the next, shape (intervals, series).

        Returns:
            Gaps and variances, shape (axes, windows, 2, series) each; of the two, the first is against the course on
            the left and the second against that on the right.
        """
        total = np.concatenate([np.zeros_like(increments[:1]), increments.cumsum(0)])
        rises = (total[self.ends] - total[self.starts])[:, None]
        near = increments[self.around]  # (windows, around, series)
        fitted = self.weights @ near
        expected, explained = fitted[:, :, :2], fitted[:, :, 2:]
        squares = (1 / self.lengths)[:, :, None] @ near**2
        unexplained = np.maximum(squares - (explained**2).sum(2, keepdims=True), 0)
        freedom = near.shape[1] - explained.shape[2]
        return rises - expected, self.spread[..., None] * unexplained / freedom


@lru_cache(maxsize=8)
def _grid(steps: tuple[float, ...]) -> _Grid:
    times = np.array(steps)
    starts, ends = np.array(_windows(times)).T
    intervals = len(times) - 1
    count = min(2 * _SIDE, intervals - int((ends - starts).max()))
    before = np.minimum(starts, np.maximum(count // 2, count - (intervals - ends)))
    offsets = np.arange(count) - before[:, None]
    around = offsets + np.where(offsets < 0, starts[:, None], ends[:, None])
    shift = times[times > 0][0]  # so that step 0 has a logarithm too
    fits = [_fitted(axis, starts, ends, around) for axis in (times / times[-1], np.log(times + shift))]
    lengths, weights, spread = (np.stack(parts) for parts in zip(*fits, strict=True))
    return _Grid(starts=starts, ends=ends, around=around, lengths=lengths, weights=weights, spread=spread)


def _windows(steps: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last index of each window: one interval, or several within 2% of the run."""
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
    """Return ``lengths``, ``weights`` and ``spread`` of a grid on one axis, by least squares.

    An increment is weighted by the inverse of its interval's length, which is its variance in a drift.
    """
    middle = (axis[starts] + axis[ends])[:, None] / 2
    reach = np.maximum(np.abs(axis[around] - middle), np.abs(axis[around + 1] - middle)).max(1, keepdims=True)

    def rises(first: np.ndarray, last: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the rises from first to last of each power about the middle, and of a line that starts after it."""
        powers = [(((axis[indices] - middle) / reach)[..., None]) ** _POWERS for indices in (first, last)]
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
def _random_clearness(steps: tuple[float, ...]) -> np.ndarray:
    """Return how clear the clearest gap is in random series without a jump: (kinds of drift × axes, draws)."""
    grid = _grid(steps)
    lengths = np.diff(steps)[:, None] / steps[-1]
    drift, momentum = np.random.default_rng(0).normal(size=(2, len(lengths), _DRAWS))
    for i in range(1, len(momentum)):
        momentum[i] = _MOMENTUM * momentum[i - 1] + np.sqrt(1 - _MOMENTUM**2) * momentum[i]
    parts = []
    for increments in (drift * np.sqrt(lengths), momentum * lengths):
        blocks = [grid.gaps(increments[:, i : i + _BLOCK]) for i in range(0, _DRAWS, _BLOCK)]
        clearness = [np.abs(_least(gaps / np.sqrt(variances), axis=2)) for gaps, variances in blocks]
        parts.append(np.concatenate([block.max(1) for block in clearness], axis=1))
    return np.concatenate(parts)


def _least(gaps: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Return the smallest of the gaps along one or more axes; 0 where they differ in direction."""
    return np.maximum(gaps.min(axis), 0) + np.minimum(gaps.max(axis), 0)


def _checked(steps: object, values: object, error: float) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and values as arrays, or raise InputError."""
    try:
        times, series = np.asarray(steps, float), np.asarray(values, float)
    except (TypeError, ValueError):
        raise InputError("steps and values must be numbers: give two lists of the same length") from None
    if times.ndim != 1 or times.shape != series.shape:
        raise InputError(
            f"steps of shape {times.shape} and values of shape {series.shape}: give one value for each step"
        )
    if len(times) < MIN_POINTS:
        raise InputError(f"{len(times)} values are too few to tell a jump from a bend: give at least {MIN_POINTS}")
    if not (np.isfinite(times).all() and np.isfinite(series).all()):
        raise InputError("steps or values hold NaN or infinity: leave those points out")
    if times[0] < 0 or not (np.diff(times) > 0).all():
        raise InputError("steps must rise, from 0 or more: sort them and leave out repeated ones")
    if not 0 <= error < np.inf:
        raise InputError(f"error {error!r} is not allowed: give a standard deviation of 0 or more")
    return times, series
