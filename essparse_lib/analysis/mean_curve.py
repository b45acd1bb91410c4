"""The mean of several curves, with the noise that the seeds' means show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .curve import Curve
from .noise import NoiseReading
from .scoring import LOG_PROBABILITY


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Return the curve of the mean score over tasks, with the noise that the seeds' means show.

    What a seed draws may move all tasks together: one calibration text prunes one model for all of them. So the noise
    of a mean is read off the means of each seed, and is not that of as many independent tasks.

    Args:
        curves: at least one, of the same prunings and seeds, all in points or all in nats.

    Returns:
        the curve, with the model, the metric and the variant of the first. A seed that lacks a score of one task at a
        level has none there.

    Raises:
        ValueError: the curves differ in their unit, prunings or seeds.
    """
    first = curves[0]
    if len(curves) == 1:
        return first
    if len({(each.metric == LOG_PROBABILITY, each.prunings, each.seeds) for each in curves}) > 1:
        raise ValueError("curves that differ in their unit, prunings or seeds have no mean")
    task = " + ".join(dict.fromkeys(each.task for each in curves))
    mean = replace(
        first,
        task=task,
        grid=None,
        scores=np.mean([each.scores for each in curves], axis=0),
        resampled=np.mean([each.resampled for each in curves], axis=0),
        examples=sum(each.examples for each in curves),
        majority=float(np.mean([each.majority for each in curves])),
        failures=tuple(failure for each in curves for failure in each.failures),
        score_noise=sum(each.score_noise for each in curves) / len(curves),
    )
    return mean.with_noise(NoiseReading.RULE)
