"""Data sets that come in folds: the mean over the folds of one, with the folds as a source of chance.

A fold has problems and a training set of its own. Problems are drawn anew in each resample, and trainings vary by their
noise. What the folds differ by beyond both is the choice of the training set, and counts as noise of the mean over
folds. It cannot be seen in a data set with one fold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..specs.tasks import source_of
from .curve import Curve
from .estimate import RESAMPLES
from .mean_curve import mean_curve
from .pooled import Effect

#: The curves of one model on all folds of a data set.
Folds = list[Curve]


def by_data_set(curves: Sequence[Curve]) -> dict[tuple[str, str], Folds]:
    """Return the curves of each model on each data set, in the order of the curves.

    Of the folds of one data set, those with the seeds and prunings of the first are kept: others have no mean with it.

    Args:
        curves: of one variant.

    Returns:
        By the names of the model and of the data set, one curve a fold.
    """
    groups: dict[tuple[str, str], Folds] = {}
    for curve in curves:
        folds = groups.setdefault((curve.model, source_of(curve.task)), [])
        if not folds or (curve.seeds, curve.prunings) == (folds[0].seeds, folds[0].prunings):
            folds.append(curve)
    return groups


def data_set_curves(curves: Sequence[Curve]) -> list[Curve]:
    """Return the curve of each model on each data set: the mean over its folds, with the data set's name as the task.

    What the folds differ by is part of the noise of the mean, of its drops and of its scores, alike in direction at all
    levels.

    Args:
        curves: of one variant, one a fold.
    """
    return [_mean_over_folds(name, folds) for (_, name), folds in by_data_set(curves).items()]


def _mean_over_folds(name: str, folds: Folds) -> Curve:
    mean = mean_curve(folds)
    key = f"{mean.model} {name} {mean.variant}"
    drops, resampled = zip(*(fold.drops() for fold in folds), strict=True)
    of_drops = fold_noise(np.array(drops), np.array(resampled), key)
    scores = [[fold.score_effect(level) for level in range(len(fold.levels))] for fold in folds]
    of_scores = fold_noise(
        np.array([[score.value for score in levels] for levels in scores]),
        np.array([np.stack([score.resampled for score in levels], axis=1) for levels in scores]),
        f"{key}, scores",
    )
    return replace(mean, task=name, noise=mean.noise - of_drops, score_noise=of_scores)


def fold_effect(name: str, folds: Sequence[Folds], effect: Callable[..., Effect]) -> Effect:
    """Return an effect on a data set: that of the mean curves over its folds, with what the folds differ by as noise.

    Args:
        name: the data set's name, which becomes the effect's task.
        folds: one or more groups of curves, each with one curve a fold, in the same order of folds.
        effect: function of one curve of each group that returns the effect.
    """
    whole = effect(*(mean_curve(group) for group in folds))
    of_folds = [effect(*curves) for curves in zip(*folds, strict=True)]
    values = np.array([[each.value] for each in of_folds])
    resampled = np.array([each.resampled[:, None] for each in of_folds])
    noise = fold_noise(values, resampled, f"{whole.model} {name}")[:, 0]
    return replace(whole, task=name, resampled=whole.resampled + noise)


def fold_noise(values: np.ndarray, resampled: np.ndarray, key: str) -> np.ndarray:
    """Return draws of what the choice of folds adds to a mean over folds.

    At each level the variance between folds is that of their values, less what problems and trainings explain, at least
    half of its mean over the levels that vary, and never below 0. A fold that is hard is so at every level: one draw
    serves all levels of a resample.

    Args:
        values: an effect on each fold at each level, shape (folds, levels).
        resampled: the same for each resample, shape (folds, resamples, levels).
        key: names what the draws are for. The same name gives the same draws; other names give independent ones.

    Returns:
        Draws in the unit of the values, shape (RESAMPLES, levels); all 0 where there is one fold.
    """
    folds, levels = values.shape
    if folds < 2:
        return np.zeros((RESAMPLES, levels))
    excess = values.var(0, ddof=1) - np.nanvar(resampled, axis=1).mean(0)
    varying = values.any(0)
    typical = float(excess[varying].mean()) if varying.any() else 0.0
    variances = np.where(varying, np.maximum(excess, max(typical / 2, 0.0)), 0.0)
    generator = np.random.default_rng(list(f"folds of {key}".encode()))
    return generator.normal(size=(RESAMPLES, 1)) * np.sqrt(variances / folds)
