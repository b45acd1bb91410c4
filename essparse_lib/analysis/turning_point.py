"""Where and how sharply a curve turns: the continuous line of two straight segments that fits it best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .curves import Curve
from .estimate import UNKNOWN, Estimate, percentile_interval

#: Distance, in sparsity, between the breakpoints that the fit tries.
_STEP = 0.01

#: Slopes are given per this much sparsity.
PER = 0.1


@dataclass(frozen=True)
class TurningPoint:
    """Where a curve turns and how steep it is after that, with 95% intervals.

    Attributes:
        at: the sparsity at which the second segment begins.
        slope: loss along the second segment per tenth of sparsity, in points.
        share: the same loss per tenth of sparsity, in percent of the most that can be lost: of what the dense model
            scores above always saying the commonest class.
    """

    at: Estimate
    slope: Estimate
    share: Estimate


def find_turning_point(curve: Curve) -> TurningPoint | None:
    """Return the turning point of a curve and the slope after it; None where a turn is not established.

    Once the model has lost nine tenths of what it scores above the commonest class, the curve runs flat along the
    floor. Levels after the first such level are left out. Where a curve falls to the floor within one step of the
    grid, the slope is therefore a lower bound.

    Returns None if fewer than five levels remain, if the curve does not steepen anywhere, or if more than 2.5% of its
    resamples do not.
    """
    drops, resampled = curve.drops()
    kept = _above_floor(curve, drops)
    known = ~np.isnan(resampled[:, kept]).any(1)
    levels = curve.levels[kept]
    if len(levels) < 5:
        return None
    (position,), (slope,) = _fit(levels, drops[kept][None])
    breakpoints, slopes = _fit(levels, resampled[known][:, kept])
    if np.isnan(position) or np.isnan(breakpoints).mean() > 0.025:
        return None
    # the same draws of the noise as in the drops, so that the slope and the dense score of a resample belong together
    dense = (curve.resampled[:, :, 0].mean(1) + curve.noise[:, 0])[known]
    resampled_room = np.where(dense > curve.majority, dense - curve.majority, np.nan)
    room = float(curve.scores[:, 0].mean()) - curve.majority
    return TurningPoint(
        at=percentile_interval(float(position), breakpoints),
        slope=percentile_interval(float(slope), slopes),
        share=percentile_interval(100 * slope / room, 100 * slopes / resampled_room) if room > 0 else UNKNOWN,
    )


def turning_point(curve: Curve) -> Estimate:
    """Return the sparsity at which the curve turns: the breakpoint of the two-segment line that fits it best.

    It is NaN where a turn is not established. ``find_turning_point`` also returns the slope after it.
    """
    turn = find_turning_point(curve)
    return UNKNOWN if turn is None else turn.at


def _above_floor(curve: Curve, drops: np.ndarray) -> np.ndarray:
    """Return which levels to fit, shape (levels,): the known ones, up to the first at the floor."""
    kept = ~np.isnan(drops)
    floor = 0.9 * (curve.dense().value - curve.majority)
    at_floor = np.flatnonzero(kept & (drops > max(floor, 0)))
    if len(at_floor):
        kept[at_floor[0] + 1 :] = False
    return kept


def _fit(levels: np.ndarray, drops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best breakpoint of each row of drops, and the slope after it per ``PER`` of sparsity.

    Args:
        levels: rising sparsities, shape (levels,).
        drops: drops in points, shape (rows, levels).

    Returns:
        Breakpoints and slopes, shape (rows,) each; NaN where the line does not steepen at its breakpoint.
    """
    candidates = np.arange(levels[1], levels[-2] + _STEP / 2, _STEP)
    ones = np.ones_like(levels)
    designs = np.stack([np.stack([ones, levels, np.maximum(levels - at, 0)], 1) for at in candidates])
    solvers = np.linalg.pinv(designs)  # (candidates, 3, levels)
    fitted = np.einsum("kij,kjl,rl->kri", designs, solvers, drops, optimize=True)
    errors = ((fitted - drops) ** 2).sum(-1)  # (candidates, rows)
    best = errors.argmin(0)
    slope_before, steepening = np.einsum("rcl,rl->cr", solvers[best, 1:], drops)
    turns = steepening > 0
    breakpoints = np.where(turns, candidates[best], np.nan)
    return breakpoints, np.where(turns, PER * (slope_before + steepening), np.nan)
