"""Essential sparsity and turning point of a curve, with their intervals."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .curves import Curve
from .estimate import Estimate, percentile_interval
from .turning_point import find_turning_point

#: The paper's tolerance (§3): performance within 1% of the dense model's.
EPSILON = 1.0


def crossing(levels: np.ndarray, drops: np.ndarray, epsilon: float) -> np.ndarray:
    """Where curves first fall by more than ``epsilon``, linear between the levels.

    Args:
        levels: rising sparsities from 0, shape (levels,).
        drops: fall against the first level, shape (..., levels).

    Returns:
        Sparsities, shape (...); the last level for a curve that never falls so far (then a lower bound).
    """
    beyond = drops > epsilon
    after = beyond.argmax(-1)  # the first level beyond; 0 also if there is none, since drops[..., 0] is 0
    before = np.maximum(after - 1, 0)
    fall = np.take_along_axis(drops, after[..., None], -1)[..., 0]
    start = np.take_along_axis(drops, before[..., None], -1)[..., 0]
    share = np.divide(epsilon - start, fall - start, out=np.zeros_like(fall), where=fall > start)
    inside = levels[before] + share * (levels[after] - levels[before])
    return np.where(beyond.any(-1), inside, levels[-1])


def monotone(drops: np.ndarray) -> np.ndarray:
    """Return the nearest curves, in least squares, that never rise back: isotonic regression along the last axis.

    Args:
        drops: shape (..., levels), without NaN; so is the result.

    >>> monotone(np.array([0.0, 2.0, 1.0, 4.0])).tolist()
    [0.0, 1.5, 1.5, 4.0]
    """
    from scipy.optimize import isotonic_regression  # a second to import

    fitted = [isotonic_regression(row).x for row in drops.reshape(-1, drops.shape[-1])]
    return np.reshape(fitted, drops.shape)


def essential_sparsity(curve: Curve, epsilon: float = EPSILON, relative: bool = False) -> Estimate:
    """The largest sparsity up to which the model stays within ε of itself before pruning (paper, §3).

    The mean over the seeds, made monotone (a dip from which the curve recovers is taken for noise) and linear
    between measured levels, read where it first falls by more than ε; the interval resamples seeds and
    evaluation examples. A value at the last level means "at least".

    Args:
        epsilon: tolerance in points of the metric, or with ``relative`` in percent of the dense score
            (the paper does not say which of the two its 1% is).

    Raises:
        InputError: ε is not above 0.
    """
    value, resampled = resampled_essential(curve, epsilon, relative)
    return percentile_interval(value, resampled)


def resampled_essential(curve: Curve, epsilon: float = EPSILON, relative: bool = False) -> tuple[float, np.ndarray]:
    """``essential_sparsity`` and its value in each resample, to be set against those of other curves."""
    if not epsilon > 0:
        raise InputError(f"epsilon {epsilon!r} is not allowed: it must be above 0, such as 1.0")
    key = ("essential sparsity", epsilon, relative)
    if key not in curve.results:
        curve.results[key] = _resampled_essential(curve, epsilon, relative)
    return curve.results[key]


def _resampled_essential(curve: Curve, epsilon: float, relative: bool) -> tuple[float, np.ndarray]:
    drop, resampled = curve.drops(relative)
    known = ~np.isnan(drop)
    if not known.any():  # relative to a dense score of 0
        return np.nan, np.full(len(resampled), np.nan)
    levels = curve.levels[known]
    values = crossing(levels, monotone(resampled[:, known]), epsilon)
    values[np.isnan(resampled[:, known]).any(1)] = np.nan
    return float(crossing(levels, monotone(drop[known]), epsilon)), values


def turning_point(curve: Curve) -> Estimate:
    """Where the curve bends down: the breakpoint of the continuous two-segment line that fits it best.

    NaN where a bend is not established: see ``find_turning_point``, which also has the slope after it.
    """
    found = find_turning_point(curve)
    return Estimate(np.nan, np.nan, np.nan) if found is None else found.at
