"""How much scores vary from one training to the next, level by level, and what that adds to a mean over the seeds.

Scores of one test set vary for two reasons. Another training gives other weights, and some examples flip. The resamples
of the examples already hold the second part, so it is taken out of what the scores show: else it would count twice.
"""

from __future__ import annotations

import numpy as np

from .estimate import RESAMPLES

#: Least standard deviation of one training, in points: a few seeds can agree by chance.
LEAST_SD = 0.2

#: Up to this sparsity the mean variance of the levels sets a floor: above it models collapse, and vary for that.
FLOOR_UP_TO = 0.60


def training_variance(scores: np.ndarray, resampled: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the variance from one training to the next at each level, after the effect of the seed is taken out.

    At each level it is the residual variance of a two-way layout of seeds and levels, less the part that the choice of
    examples explains. It is made to rise with sparsity (isotonic regression), as models that lose more vary more. It is
    at least half of its mean over the levels up to ``FLOOR_UP_TO``, and at least ``LEAST_SD`` squared.

    Args:
        scores: in points, shape (seeds, levels); NaN where a trial is missing.
        resampled: the scores for each resample of the examples, shape (resamples, seeds, levels).
        levels: the sparsity at each level, shape (levels,).

    Returns:
        Variances in squared points, shape (levels,); 0 where there is one seed, or no degree of freedom.
    """
    known = ~np.isnan(scores)
    seeds, count = scores.shape
    freedom = known.sum() - count - (seeds - 1 if count > 1 else 0)
    if seeds < 2 or freedom < 1:
        return np.zeros(count)
    # the residuals are too small, as the means are fitted to the same scores (Davison and Hinkley 1997, §3.3)
    scale = known.sum() / freedom
    total = scale * np.nanmean(_residuals(scores) ** 2, axis=0)
    of_examples = scale * np.nanmean(_residuals(resampled - scores) ** 2, axis=(0, 1))
    variances = total - of_examples
    typical = variances[levels <= max(FLOOR_UP_TO + 1e-9, levels.min())].mean()
    return np.maximum(_rising(levels, variances), max(typical / 2, LEAST_SD**2))


def training_noise(variances: np.ndarray, counts: np.ndarray, key: str) -> np.ndarray:
    """Return draws of what training adds to each level's mean over the seeds.

    Args:
        variances: of one training at each level, in squared points, shape (levels,).
        counts: the number of seeds in each level's mean, shape (levels,).
        key: names what the draws are for. The same name gives the same draws; other names give independent ones.

    Returns:
        Normal draws in points, shape (RESAMPLES, levels).
    """
    generator = np.random.default_rng(list(key.encode()))
    return generator.normal(size=(RESAMPLES, len(counts))) * np.sqrt(variances / np.maximum(counts, 1))


def _residuals(scores: np.ndarray) -> np.ndarray:
    """Return what level and seed leave unexplained, of the same shape (..., seeds, levels)."""
    residuals = scores - np.nanmean(scores, axis=-2, keepdims=True)
    if scores.shape[-1] > 1:
        residuals = residuals - np.nanmean(residuals, axis=-1, keepdims=True)
    return residuals


def _rising(levels: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return the nearest variances, in least squares, that never fall with sparsity; one value for equal levels."""
    from scipy.optimize import isotonic_regression  # a second to import

    _, place, counts = np.unique(levels, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=variances) / counts
    return isotonic_regression(means, weights=counts.astype(float)).x[place]
