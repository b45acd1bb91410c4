"""How much scores vary from one training to the next, level by level, and what that adds to a mean over the seeds.

Scores of one test set vary for two reasons. Another training gives other weights, and some examples flip. The resamples
of the examples already hold the second part, so it is taken out of what the scores show: else it would count twice.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from .estimate import RESAMPLES
from .scoring import LOG_PROBABILITY

#: Least standard deviation of one training, in points: a few seeds can agree by chance.
LEAST_SD = 0.2

#: Up to this sparsity the mean variance of the levels sets a floor: above it models collapse, and vary for that.
FLOOR_UP_TO = 0.60


class NoiseReading(StrEnum):
    """How the variance of one training is read off the scores. Verdicts use the first; the others show what it does."""

    RULE = "the rule's"
    EXAMPLES = "examples alone"
    UNCORRECTED = "examples counted twice"


def training_variance(
    scores: np.ndarray,
    resampled: np.ndarray,
    levels: np.ndarray,
    reading: NoiseReading = NoiseReading.RULE,
    drawn: np.ndarray | None = None,
    least: float = LEAST_SD,
) -> np.ndarray:
    """Return the variance from one training to the next at each level, after the effect of the seed is taken out.

    At each level it is the residual variance of a two-way layout of seeds and levels, less the part that the choice of
    examples explains. It is made to rise with sparsity (isotonic regression), as models that lose more vary more. It is
    at least half of its mean over the levels up to ``FLOOR_UP_TO``, and at least the square of ``least``.

    A level at which nothing is drawn, so that all seeds have the same record, has no variance. Where there is such a
    level, as the dense model that is not trained, the effect of the seed is not taken out of the others: it is part of
    what they lose against it.

    Args:
        scores: in points, shape (seeds, levels); NaN where a trial is missing.
        resampled: the scores for each resample of the examples, shape (resamples, seeds, levels).
        levels: the sparsity at each level, shape (levels,).
        reading: ``EXAMPLES`` takes training to add nothing; ``UNCORRECTED`` leaves in what the choice of examples
            explains, which the resamples hold already.
        drawn: whether something is drawn by the seed at each level, shape (levels,); None if it is at all.
        least: least standard deviation at a level at which something is drawn, in the unit of the scores.

    Returns:
        Variances in squared points, shape (levels,); 0 where there is one seed, or no degree of freedom.
    """
    variances = np.zeros(len(levels))
    drawn = np.ones(len(levels), dtype=bool) if drawn is None else drawn
    if reading == NoiseReading.EXAMPLES or not drawn.any():
        return variances
    scores, resampled, levels = scores[:, drawn], resampled[..., drawn], levels[drawn]
    known = ~np.isnan(scores)
    leave, freedom = _residual_maker(known, paired=bool(drawn.all()))
    if len(scores) < 2 or freedom < 1:
        return variances
    # the residuals are too small, as the means are fitted to the same scores (Davison and Hinkley 1997, §3.3)
    scale = known.sum() / freedom
    total = scale * (scores[known] @ leave) ** 2
    of_examples = scale * np.mean(((resampled - scores)[:, known] @ leave) ** 2, axis=0)
    by_trial = total if reading == NoiseReading.UNCORRECTED else total - of_examples
    by_level = np.bincount(np.nonzero(known)[1], weights=by_trial, minlength=len(levels)) / known.sum(0)
    typical = by_level[levels <= max(FLOOR_UP_TO + 1e-9, levels.min())].mean()
    variances[drawn] = np.maximum(_rising(levels, by_level), max(typical / 2, least**2))
    return variances


def least_sd(metric: str) -> float:
    """Return the least standard deviation of one training in the unit of a metric: none is known in nats."""
    return 0.0 if metric == LOG_PROBABILITY else LEAST_SD


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


def degrees_of_freedom(known: np.ndarray) -> int:
    """Return how many degrees of freedom known scores leave once the effects of seed and level are taken out.

    Args:
        known: which scores there are, shape (seeds, levels).
    """
    return _residual_maker(known, paired=True)[1]


def _residual_maker(known: np.ndarray, paired: bool) -> tuple[np.ndarray, int]:
    """Return what takes the effects of level and seed out of the known scores, also where some are missing.

    Args:
        known: which scores there are, shape (seeds, levels).
        paired: whether the effect of the seed is taken out, besides that of the level.

    Returns:
        A symmetric matrix, shape (known, known), by which the known scores are multiplied; and the degrees of freedom
        that are left.
    """
    seed, level = np.nonzero(known)
    effects = np.eye(known.shape[1])[level]
    if paired and known.shape[1] > 1:
        effects = np.hstack([effects, np.eye(known.shape[0])[seed]])
    leave = np.eye(len(seed)) - effects @ np.linalg.pinv(effects)
    return leave, round(float(np.trace(leave)))


def _rising(levels: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return the nearest variances, in least squares, that never fall with sparsity; one value for equal levels."""
    from scipy.optimize import isotonic_regression  # a second to import

    _, place, counts = np.unique(levels, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=variances) / counts
    return isotonic_regression(means, weights=counts.astype(float)).x[place]
