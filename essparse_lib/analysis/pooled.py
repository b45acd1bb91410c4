"""Effects on several tasks together: on average over these tasks, for a new task, and which of them lie outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..specs.tasks import source_of
from .estimate import UNKNOWN, Estimate, percentile_interval

#: One-sided level of a test that belongs to a two-sided interval of 95%.
ALPHA = 0.025

#: Fewest tasks of different texts from which an interval for a new task is given.
MIN_TASKS = 3


@dataclass(frozen=True, kw_only=True)
class Effect:
    """An effect of one model on one task, such as its drop at a sparsity.

    Attributes:
        model: name of the model.
        task: name of the task.
        value: the effect, in points.
        resampled: the effect in each resample, shape (resamples,).
    """

    model: str
    task: str
    value: float
    resampled: np.ndarray = field(repr=False, compare=False)

    @property
    def estimate(self) -> Estimate:
        """The effect with its percentile interval."""
        return percentile_interval(self.value, self.resampled)

    def __neg__(self) -> Effect:
        """Return the effect with the opposite sign, such as the drop that belongs to a change."""
        return Effect(model=self.model, task=self.task, value=-self.value, resampled=-self.resampled)

    def __sub__(self, other: Effect) -> Effect:
        """Return how far this effect lies above another one, resample by resample, with this one's model and task."""
        return Effect(
            model=self.model,
            task=self.task,
            value=self.value - other.value,
            resampled=self.resampled - other.resampled,
        )

    @property
    def error(self) -> float:
        """The standard error of the effect, in points."""
        return float(np.nanstd(self.resampled))


@dataclass(frozen=True, kw_only=True)
class Range:
    """The effects that a claim allows, in points: from ``low`` to ``high``, both included."""

    low: float = -math.inf
    high: float = math.inf

    def holds(self, estimate: Estimate) -> bool:
        """Return whether the whole interval of an estimate lies in the range."""
        return self.low <= estimate.low and estimate.high <= self.high

    def excludes(self, estimate: Estimate) -> bool:
        """Return whether the whole interval of an estimate lies outside the range, on one side."""
        return estimate.low > self.high or estimate.high < self.low

    def at(self, epsilon: float) -> Range:
        """Return a range with the same sides, ``epsilon`` points from 0.

        >>> Range(high=1.0).at(2.0), Range(low=-1.0, high=1.0).at(0.5)
        (Range(low=-inf, high=2.0), Range(low=-0.5, high=0.5))
        """
        return Range(low=-epsilon if math.isfinite(self.low) else self.low, high=epsilon)

    def distance(self, value: float) -> float:
        """Return how far a value lies from the nearer end of the range, inside or outside.

        >>> Range(high=1.0).distance(0.25), Range(low=-1.0, high=1.0).distance(-1.5)
        (0.75, 0.5)
        """
        return min(abs(value - end) for end in (self.low, self.high))

    def share(self, effects: np.ndarray) -> float:
        """Return the share of effects that lie in the range, such as of the resamples of a bootstrap.

        >>> Range(high=1.0).share(np.array([0.2, 0.9, 1.0, 1.3]))
        0.75
        """
        known = effects[~np.isnan(effects)]
        return float(((known >= self.low) & (known <= self.high)).mean()) if len(known) else math.nan


def mean_effect(effects: Sequence[Effect]) -> Effect:
    """Return the mean of effects as one effect, with the model and the task of the first.

    Effects of one test set are paired, as their resamples draw the same examples.

    Args:
        effects: at least one.
    """
    return Effect(
        model=effects[0].model,
        task=effects[0].task,
        value=float(np.mean([effect.value for effect in effects])),
        resampled=np.mean([effect.resampled for effect in effects], axis=0),
    )


def on_average(effects: Sequence[Effect]) -> Estimate:
    """Return the mean effect over these models and tasks, each of equal weight, with its normal 95% interval.

    It speaks of these tasks alone. Of independent effects its standard error is √(Σ se²)/k.

    Args:
        effects: at least one.
    """
    from scipy.stats import norm

    mean = mean_effect(effects)
    margin = float(norm.ppf(1 - ALPHA)) * mean.error
    return Estimate(mean.value, mean.value - margin, mean.value + margin)


@dataclass(frozen=True, kw_only=True)
class NewTask:
    """What effects on some tasks say of a further task of the kind.

    Attributes:
        prediction: the mean over the tasks' texts, and the 95% prediction interval for a new task.
        spread: the standard deviation of the effect between tasks, in points; NaN if it is unknown.
        sources: the number of different texts that the tasks are made of.
    """

    prediction: Estimate
    spread: float
    sources: int


def for_new_task(effects: Sequence[Effect]) -> NewTask:
    """Return the 95% prediction interval for a new task, by random effects.

    The variance between tasks is Paule and Mandel's (1982). The error of the mean is Hartung and Knapp's (2001), but no
    smaller than without their factor. The interval has k − 2 degrees of freedom (Higgins et al. 2009). Effects of
    several models on one task are averaged first, and so are those of tasks that are made of the same texts.

    Args:
        effects: effects of models on tasks.

    Returns:
        The interval; unknown where the tasks are made of fewer than ``MIN_TASKS`` different texts.
    """
    groups: dict[str, list[Effect]] = {}
    for effect in effects:
        groups.setdefault(source_of(effect.task), []).append(effect)
    if len(groups) < MIN_TASKS:
        return NewTask(prediction=UNKNOWN, spread=math.nan, sources=len(groups))
    from scipy.stats import t
    from statsmodels.stats.meta_analysis import combine_effects

    means = [mean_effect(group) for group in groups.values()]
    values, errors = np.array([mean.value for mean in means]), np.array([mean.error for mean in means])
    with np.errstate(divide="ignore"):  # of equal values it divides by their spread, for a number that is not used here
        combined = combine_effects(values, errors**2, method_re="iterated")
    mean = float(combined.mean_effect_re)
    variance_of_mean = float(combined.var_eff_w_re * max(combined.scale_hksj_re, 1.0))
    margin = float(t.ppf(1 - ALPHA, len(groups) - 2)) * math.sqrt(combined.tau2 + variance_of_mean)
    prediction = Estimate(mean, mean - margin, mean + margin)
    return NewTask(prediction=prediction, spread=math.sqrt(combined.tau2), sources=len(groups))


def beyond(effects: Sequence[Effect], allowed: Range) -> list[bool]:
    """Return which effects lie outside a range, tested together: Holm's correction at a one-sided level of 2.5%.

    Args:
        effects: the effects.
        allowed: the range.
    """
    if not effects:
        return []
    from scipy.stats import norm
    from statsmodels.stats.multitest import multipletests

    values, errors = np.array([e.value for e in effects]), np.array([e.error for e in effects])
    outside = np.maximum(values - allowed.high, allowed.low - values)
    p_values = norm.sf(outside / np.maximum(errors, 1e-12))
    return [bool(rejected) for rejected in multipletests(p_values, alpha=ALPHA, method="holm")[0]]
