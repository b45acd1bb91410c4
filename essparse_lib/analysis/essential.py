"""Essential sparsity of a curve, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import check_number
from .curve import EPSILON, Curve
from .estimate import Estimate, percentile_interval
from .mean_curve import mean_curve
from .pooled import Effect


def crossing(levels: np.ndarray, drops: np.ndarray, epsilon: float) -> np.ndarray:
    """Return the sparsities at which curves first drop by more than ``epsilon``, linear between the levels.

    Args:
        levels: rising sparsities from 0, shape (levels,).
        drops: drops against the first level, in points or percent, shape (..., levels).
        epsilon: the drop to find, in the same unit.

    Returns:
        Sparsities, shape (...). For a curve that never drops so far it is the last level, which is a lower bound.
    """
    beyond = drops > epsilon
    after = beyond.argmax(-1)  # the first level beyond; 0 also if there is none, since drops[..., 0] is 0
    before = np.maximum(after - 1, 0)
    drop_after = np.take_along_axis(drops, after[..., None], -1)[..., 0]
    drop_before = np.take_along_axis(drops, before[..., None], -1)[..., 0]
    rise = drop_after - drop_before
    share = np.divide(epsilon - drop_before, rise, out=np.zeros_like(rise), where=drop_after > drop_before)
    inside = levels[before] + share * (levels[after] - levels[before])
    return np.where(beyond.any(-1), inside, levels[-1])


def monotone(drops: np.ndarray) -> np.ndarray:
    """Return the nearest curves, in least squares, whose drops never shrink: isotonic regression along the last axis.

    Args:
        drops: drops in points or percent, shape (..., levels), without NaN.

    Returns:
        Drops of the same shape, which never fall from one level to the next.

    >>> monotone(np.array([0.0, 2.0, 1.0, 4.0])).tolist()
    [0.0, 1.5, 1.5, 4.0]
    """
    from scipy.optimize import isotonic_regression  # a second to import

    fitted = [isotonic_regression(row).x for row in drops.reshape(-1, drops.shape[-1])]
    return np.reshape(fitted, drops.shape)


def check_epsilon(epsilon: object) -> float:
    """Return a tolerance in points or in percent as a number.

    Raises:
        InputError: it is no number above 0 and at most 100.

    >>> check_epsilon(0.5)
    0.5
    """
    return check_number("epsilon", epsilon, lambda e: 0 < e <= 100, "a number above 0 and at most 100, such as 1.0")


def essential_sparsity(curve: Curve, epsilon: float = EPSILON, relative: bool = False) -> Estimate:
    """Return the largest sparsity up to which the model stays within ε of its dense score (paper, §3).

    The mean drop over the seeds is made monotone, so that a dip from which the curve recovers counts as noise. It is
    linear between the measured levels, and read where it first exceeds ε. The interval resamples the evaluation
    examples and the variation from training. A value at the last level is a lower bound.

    Args:
        curve: the scores of one model on one task.
        epsilon: tolerance in points of the metric, or with ``relative`` in percent of the dense score
            (the paper does not say which of the two its 1% is).
        relative: whether the tolerance is in percent of the dense score.

    Raises:
        InputError: ε is not above 0, or above 100.
    """
    value, resampled = resampled_essential_sparsity(curve, epsilon, relative)
    return percentile_interval(value, resampled)


def pooled_essential_sparsity(curves: Sequence[Curve], epsilon: float = EPSILON) -> Effect:
    """Return the essential sparsity of the mean drop over tasks as an effect, in percent of the weights.

    Drops are averaged before the sparsity is read. Each curve's own essential sparsity lies too low where noise alone
    takes a drop beyond ε early, and averaging these would keep that lean, while averaged drops have less noise.
    Differences of such effects are paired by example.

    Args:
        curves: at least one, of the same prunings and seeds; the effect has the model and the task of the first.
        epsilon: tolerance in points, as in ``essential_sparsity``.

    Raises:
        InputError: ε is not above 0, or above 100.
        ValueError: the curves differ in their prunings or seeds.
    """
    value, resampled = resampled_essential_sparsity(mean_curve(curves), epsilon)
    return Effect(model=curves[0].model, task=curves[0].task, value=100 * value, resampled=100 * resampled)


def resampled_essential_sparsity(
    curve: Curve, epsilon: float = EPSILON, relative: bool = False
) -> tuple[float, np.ndarray]:
    """Return the essential sparsity and its value in each resample, to be compared with those of other curves.

    Args:
        curve: the scores of one model on one task; read at every tenth that has results (``Curve.at_tenths``).
        epsilon: tolerance, as in ``essential_sparsity``.
        relative: whether the tolerance is in percent of the dense score.

    Returns:
        The essential sparsity, and that of each resample, shape (resamples,); NaN where it is not known.

    Raises:
        InputError: ε is not above 0.
    """
    epsilon, curve = check_epsilon(epsilon), curve.at_tenths
    key = ("essential sparsity", epsilon, relative)
    if key not in curve.computed:
        curve.computed[key] = _resampled_essential(curve, epsilon, relative)
    return curve.computed[key]


def _resampled_essential(curve: Curve, epsilon: float, relative: bool) -> tuple[float, np.ndarray]:
    drops, resampled = curve.drops(relative)
    known = ~np.isnan(drops)
    if not known.any():  # relative to a dense score of 0
        return np.nan, np.full(len(resampled), np.nan)
    levels = curve.levels[known]
    values = crossing(levels, monotone(resampled[:, known]), epsilon)
    values[np.isnan(resampled[:, known]).any(1)] = np.nan
    return float(crossing(levels, monotone(drops[known]), epsilon)), values
