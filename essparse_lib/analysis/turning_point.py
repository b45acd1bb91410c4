"""Where and how sharply a curve bends down: the two straight lines that fit it best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .curves import Curve
from .estimate import Estimate, percentile_interval

#: Breakpoints tried by the two-segment fit lie this far apart.
_STEP = 0.01

#: Slopes are told per so much of sparsity.
PER = 0.1


@dataclass(frozen=True)
class TurningPoint:
    """Of a curve's continuous two-segment line, with 95% intervals.

    Attributes:
        at: the sparsity at which the second segment begins.
        slope: what the second segment loses per tenth of sparsity, in points.
        share: the same in percent of what the dense model scores above always saying the commonest class: of all
            that there is to lose.
    """

    at: Estimate
    slope: Estimate
    share: Estimate


def find_turning_point(curve: Curve) -> TurningPoint | None:
    """The best breakpoint of a curve and the slope after it; None where a bend is not established.

    Levels at which the model has lost nine tenths of what it knew above the majority class are left out but
    for the first: there the curve runs flat along the floor. Where it falls to the floor within one step of the grid,
    the slope is therefore one from below. None if fewer than five levels remain, or if the curve or more than 2.5% of
    its resamples do not bend down anywhere.
    """
    drop, resampled = curve.drops()
    keep = _above_floor(curve, drop)
    known = ~np.isnan(resampled[:, keep]).any(1)
    levels = curve.levels[keep]
    if len(levels) < 5:
        return None
    (at,), (slope,) = _fit(levels, drop[keep][None])
    places, slopes = _fit(levels, resampled[known][:, keep])
    if np.isnan(at) or np.isnan(places).mean() > 0.025:
        return None
    # the same chance in training as in the drops
    dense = (curve.resampled[:, :, 0].mean(1) + curve.noise[:, 0])[known]
    lost = 100 * slopes / np.where(dense > curve.majority, dense - curve.majority, np.nan)
    room = float(curve.scores[:, 0].mean()) - curve.majority
    share = Estimate(np.nan, np.nan, np.nan) if room <= 0 else percentile_interval(100 * slope / room, lost)
    return TurningPoint(percentile_interval(float(at), places), percentile_interval(float(slope), slopes), share)


def _above_floor(curve: Curve, drop: np.ndarray) -> np.ndarray:
    known = ~np.isnan(drop)
    floor = 0.9 * (curve.dense().value - curve.majority)
    below = np.flatnonzero(known & (drop > max(floor, 0)))
    if len(below):
        known[below[0] + 1 :] = False
    return known


def _fit(levels: np.ndarray, drops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best breakpoint of each row of ``drops``, shape (rows, levels), and the slope after it, per ``PER`` of sparsity.

    Both are NaN where the line does not steepen there.
    """
    breaks = np.arange(levels[1], levels[-2] + _STEP / 2, _STEP)
    ones = np.ones_like(levels)
    designs = np.stack([np.stack([ones, levels, np.maximum(levels - b, 0)], 1) for b in breaks])
    solve = np.linalg.pinv(designs)  # (breaks, 3, levels)
    fitted = np.einsum("kij,kjl,rl->kri", designs, solve, drops, optimize=True)
    errors = ((fitted - drops) ** 2).sum(-1)  # (breaks, rows)
    best = errors.argmin(0)
    before, steeper = np.einsum("rcl,rl->cr", solve[best, 1:], drops)
    bends = steeper > 0
    return np.where(bends, breaks[best], np.nan), np.where(bends, PER * (before + steeper), np.nan)
