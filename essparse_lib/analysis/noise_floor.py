"""The smallest difference that records can tell from none, and what would be needed to tell a smaller one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning, Trial
from .curves import MIN_SEEDS
from .differences import Components, Difference, pooled_components
from .pooled import ALPHA, Effect, Range, mean_effect

#: Probability with which a difference is to be found.
POWER = 0.8

#: Where a mean lies nearer than this to the end of what is allowed, in points, no number of seeds is proposed.
TOO_NEAR = 0.1

#: Largest number of seeds that is proposed.
MOST_SEEDS = 100

#: How many times as large as now the test sets are in a plan.
FACTORS = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class NoiseFloor:
    """How far chance alone moves a difference, in points.

    Attributes:
        training: standard deviation of the mean over the seeds that comes from training.
        examples: standard deviation of the mean that comes from the choice of examples.
        detectable: the smallest difference that is told from none with a power of 80%, at a two-sided level of 5%.
        single: a single run differs by less than this in 95% of cases where there is no difference.
    """

    training: float
    examples: float
    detectable: float
    single: float

    @property
    def both(self) -> float:
        """The standard deviation of the mean over the seeds, from both sources."""
        return math.hypot(self.training, self.examples)

    @property
    def mean(self) -> float:
        """The mean over the seeds differs by less than this in 95% of cases where there is no difference."""
        return errors_to_tell(power=0.5) * self.both


def noise_floor(difference: Difference) -> NoiseFloor:
    """Return the noise floor of a difference for its numbers of seeds and examples; NaN where it is unknown."""
    parts, seeds = difference.components, difference.seeds
    if not seeds:
        return NoiseFloor(training=math.nan, examples=math.nan, detectable=math.nan, single=math.nan)
    return NoiseFloor(
        training=math.sqrt(parts.training / seeds),
        examples=math.sqrt(parts.interaction / seeds + parts.choice),
        detectable=errors_to_tell() * math.sqrt(parts.variance(seeds)),
        single=errors_to_tell(power=0.5) * math.sqrt(parts.variance(1)),
    )


def errors_to_tell(power: float = POWER) -> float:
    """Return how many standard errors a difference must be large to be told from none with some power.

    >>> round(errors_to_tell(), 2), round(errors_to_tell(power=0.5), 2)
    (2.8, 1.96)
    """
    from scipy.stats import norm

    return float(norm.ppf(1 - ALPHA) + norm.ppf(power))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A number of seeds and of examples with which a mean would be decided.

    Attributes:
        factor: how many times as many examples as now each test set has.
        seeds: the number of seeds; None where more than ``MOST_SEEDS`` would be needed.
        core_hours: the time that the missing trials take, on the cores of those that there are; None if unknown.
    """

    factor: int
    seeds: int | None
    core_hours: float | None


@dataclass(frozen=True, kw_only=True)
class Need:
    """What would decide a mean difference that lies too near to the end of what is allowed.

    Attributes:
        distance: how far the mean lies from the nearer end of what is allowed, in points.
        error: the standard error of the mean now, in points.
        needed_error: the standard error with which a mean so far away is decided in 80% of cases, in points.
        noisiest: the effect that adds most to the variance of the mean.
        noisiest_share: the share of that variance that it adds, taking effects as independent.
        plans: numbers of seeds and examples that give this error; none where the mean lies too near.
    """

    distance: float
    error: float
    needed_error: float
    noisiest: Effect
    noisiest_share: float
    plans: tuple[Plan, ...]


def need(differences: Sequence[Difference], allowed: Range, study: Study, records: Mapping[str, Record]) -> Need:
    """Return how many seeds and examples would decide whether a mean difference lies in a range.

    The mean is taken as true. Its variance is made of the parts that the records show.

    Args:
        differences: what the mean is over, at least one.
        allowed: the range.
        study: the study whose trials the differences are of.
        records: records by the id of their spec, whose seconds tell what a trial costs.
    """
    effects = [difference.effect() for difference in differences]
    mean = mean_effect(effects)
    distance = allowed.distance(mean.value)
    parts = pooled_components(differences)
    needed = distance / errors_to_tell()
    plans = []
    for factor in FACTORS if distance >= TOO_NEAR else ():
        seeds = least_seeds(parts, needed, factor)
        hours = None if seeds is None else core_hours(differences, seeds, factor, study, records)
        plans.append(Plan(factor=factor, seeds=seeds, core_hours=hours))
    noisiest = max(effects, key=lambda effect: effect.error)
    return Need(
        distance=distance,
        error=mean.error,
        needed_error=needed,
        noisiest=noisiest,
        noisiest_share=noisiest.error**2 / sum(effect.error**2 for effect in effects),
        plans=tuple(plans),
    )


def least_seeds(parts: Components, error: float, factor: float = 1.0) -> int | None:
    """Return the least number of seeds whose mean has at most this standard error.

    Args:
        parts: the parts of the variance.
        error: the standard error, in points.
        factor: how many times as many examples as now there are.

    Returns:
        At least ``MIN_SEEDS``; None where more than ``MOST_SEEDS`` are needed, or the parts are unknown.

    >>> least_seeds(Components(training=0.5, interaction=0.3, choice=0.01), error=0.3)
    10
    """
    left = error**2 - parts.choice / factor
    shrinking = parts.training + parts.interaction / factor
    if math.isnan(shrinking) or left <= 0 or shrinking > left * MOST_SEEDS:
        return None
    return max(MIN_SEEDS, math.ceil(shrinking / left))


def core_hours(
    differences: Sequence[Difference], seeds: int, factor: int, study: Study, records: Mapping[str, Record]
) -> float | None:
    """Return the hours that the trials take on one core that would give differences so many seeds and examples.

    With the present examples only further seeds are run. With more of them all are run again, as models are not kept;
    then a trial takes longer by what it evaluates more, where an example takes three times as long in training.

    Args:
        differences: the differences.
        seeds: the number of seeds of each.
        factor: how many times as many examples as now there are.
        study: the study whose trials the differences are of.
        records: records by the id of their spec.

    Returns:
        The hours; None where no record of a pruning says how long it took.
    """
    total = 0.0
    for difference in differences:
        further = seeds if factor > 1 else max(0, seeds - difference.seeds)
        for pruning in difference.prunings:
            seconds = _core_seconds(difference, pruning, factor, study, records)
            if seconds is None:
                return None
            total += further * seconds
    return total / 3600


def _core_seconds(
    difference: Difference, pruning: Pruning, factor: int, study: Study, records: Mapping[str, Record]
) -> float | None:
    """Return the mean time of a trial times its threads, with ``factor`` times as many examples to evaluate."""
    curve = difference.curve
    values = []
    for seed in curve.seeds:
        trial = study.trial(curve.model, curve.task, pruning, seed)
        record = records.get(trial.id)
        if record is not None and (seconds := record.provenance.get("seconds")):
            growth = _growth(trial, record, curve.examples, factor)
            values.append(seconds * record.provenance.get("threads", 1) * growth)
    return fmean(values) if values else None


def _growth(trial: Trial, record: Record, examples: int, factor: int) -> float:
    """Return how many times as long a trial takes with ``factor`` times as many examples to evaluate."""
    training = 3 * record.metrics.get("steps", 0) * trial.training.batch_size
    return (training + factor * examples) / (training + examples)
