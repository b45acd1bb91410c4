"""How much a score varies from one training to the next, and what that adds to the mean over the seeds."""

from __future__ import annotations

import math

import numpy as np

from .estimate import RESAMPLES


def residuals(scores: np.ndarray) -> np.ndarray:
    """Return what level and seed leave unexplained of the scores, scaled to the spread of a single training.

    The residuals of a two-way layout are too small, because the means are fitted to the same scores. They are scaled
    up by the degrees of freedom (Davison and Hinkley 1997, §3.3).

    Args:
        scores: in points, shape (seeds, levels); NaN where a trial is missing.

    Returns:
        Residuals in points, shape (known scores,); empty where there is one seed, or no degree of freedom.
    """
    known = ~np.isnan(scores)
    seeds, levels = scores.shape
    freedom = known.sum() - levels - (seeds - 1 if levels > 1 else 0)
    if seeds < 2 or freedom < 1:
        return np.zeros(0)
    remainders = scores - np.nanmean(scores, axis=0)
    if levels > 1:
        remainders = remainders - np.nanmean(remainders, axis=1, keepdims=True)
    return remainders[known] * math.sqrt(known.sum() / freedom)


def resampled_means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return means of residuals that are drawn with replacement, anew for each resample.

    Args:
        values: the residuals to draw from, shape (residuals,); where there are none, all means are 0.
        counts: over how many draws each mean goes, shape (levels,).

    Returns:
        Means, shape (RESAMPLES, levels); the same at every call.
    """
    if not len(values):
        return np.zeros((RESAMPLES, len(counts)))
    generator = np.random.default_rng(0)
    draws = generator.choice(values, (RESAMPLES, len(counts), int(counts.max())))
    used = np.arange(draws.shape[2]) < counts[:, None]
    return (draws * used).sum(2) / np.maximum(counts, 1)
