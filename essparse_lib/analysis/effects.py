"""Differences between two groups of pre-trained models.

The unit is the pre-trained model, not the seed of its fine-tuning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from .curves import Curve
from .estimate import UNKNOWN, Estimate


@dataclass(frozen=True)
class PretrainingEffect:
    """The difference between two groups of pre-trained models in one quantity.

    Attributes:
        values: the quantity of each pre-trained model by its name, in percent of the weights or in points.
        difference: mean of the first group less that of the second, or what a line through all models changes by; the
            interval is over pre-trainings.
        trend: Spearman's rank correlation of the quantity with an amount, such as that of the text; NaN where there is
            no amount.
    """

    values: Mapping[str, float]
    difference: Estimate
    trend: float = math.nan


def effect(
    values: Mapping[str, float],
    more: Iterable[str],
    less: Iterable[str],
    amounts: Mapping[str, float] | None = None,
) -> PretrainingEffect:
    """Return the effect of a quantity: the first group of models less the second, as far as models have values.

    Args:
        values: the quantity by the model's name.
        more: names of the first group.
        less: names of the second group.
        amounts: by the model's name, the amount that the trend is against; None for no trend.

    >>> effect({"a": 5.0, "b": 6.0, "c": 1.0, "d": 2.0}, more=("a", "b"), less=("c", "d")).difference.text()
    '4.0 [1.0, 7.0]'
    """
    first = [values[model] for model in more if model in values]
    second = [values[model] for model in less if model in values]
    difference = mean_difference(first, second) if first and second else UNKNOWN
    pairs = [(amounts[model], value) for model, value in values.items()] if amounts is not None else []
    return PretrainingEffect(values, difference, rank_correlation(pairs))


def task_means(
    curves: Sequence[Curve], tasks: Collection[str], quantity: Callable[[Curve], Any]
) -> dict[str, np.ndarray]:
    """Return the mean over tasks of a quantity of the curves, by the model's name.

    Args:
        curves: curves of any models and tasks.
        tasks: the tasks to average over; a model that lacks a curve of one of them is left out.
        quantity: function of a curve that returns a number or an array.
    """
    by_model: dict[str, list[Any]] = {}
    for curve in curves:
        if curve.task in tasks:
            by_model.setdefault(curve.model, []).append(quantity(curve))
    return {model: np.mean(values, 0) for model, values in by_model.items() if len(values) == len(tasks)}


def most_lost(effects: Mapping[float, PretrainingEffect]) -> float:
    """Return the largest fall of any model's value below its value at the first level; 0 if no value falls.

    >>> dense = PretrainingEffect({"a": 70.0, "b": 60.0}, UNKNOWN)
    >>> most_lost({0.0: dense, 0.5: PretrainingEffect({"a": 72.0, "b": 57.5}, UNKNOWN)})
    2.5
    """
    first = next(iter(effects.values())).values
    falls = [first[model] - value for effect in effects.values() for model, value in effect.values.items()]
    return max(0.0, *falls)


def mean_difference(more: Sequence[float], less: Sequence[float]) -> Estimate:
    """Return the mean of the first less that of the second, with the 95% t-interval of two small samples.

    Both groups are taken to have the same spread, which is pooled (Student's t), with n₁ + n₂ − 2 degrees of freedom.
    The interval is unknown (NaN) where no degree of freedom is left.

    Args:
        more: values of the first group, at least one.
        less: values of the second group, at least one.

    >>> mean_difference([5.0, 6.0], [1.0, 2.0]).text()
    '4.0 [1.0, 7.0]'
    """
    value = fmean(more) - fmean(less)
    freedom = len(more) + len(less) - 2
    if freedom < 1:
        return Estimate(value, math.nan, math.nan)
    squares = sum((x - fmean(group)) ** 2 for group in (more, less) for x in group)
    half = detectable_ratio(len(more), len(less)) * math.sqrt(squares / freedom)
    return Estimate(value, value - half, value + half)


def detectable_ratio(more: int, less: int) -> float:
    """Return how far two samples must lie apart, in units of their spread, for the 95% interval to exclude 0.

    Args:
        more: size of the first sample.
        less: size of the second sample.

    >>> round(detectable_ratio(2, 2), 2)
    4.3
    """
    from scipy.special import stdtrit  # Student's t quantile; scipy.stats takes a second to import

    return float(stdtrit(more + less - 2, 0.975)) * math.sqrt(1 / more + 1 / less)


@dataclass(frozen=True)
class Slope:
    """The slope of a straight line through the values of several pre-trained models.

    Attributes:
        change: what the line changes by from the least amount to the most, with its 95% t-interval.
        error: standard error of that change; 0 where all values lie on the line.
        freedom: degrees of freedom of the error: the number of models less two.
    """

    change: Estimate
    error: float
    freedom: int

    def p_at_least(self, smallest: float) -> float:
        """Return the one-sided p value of the hypothesis that the change is at least so large.

        Args:
            smallest: a change, in the unit of the values.
        """
        from scipy.special import stdtr  # Student's t; scipy.stats takes a second to import

        excess = self.change.value - smallest
        return float(stdtr(self.freedom, excess / self.error)) if self.error else float(excess >= 0)


def slope(pairs: Sequence[tuple[float, float]]) -> Slope:
    """Return the least-squares line through pairs of an amount and a value.

    Args:
        pairs: the amount and the value of each pre-trained model: three or more, of at least two amounts.

    >>> slope([(0.6, 1.0), (0.8, 2.5), (1.0, 3.0)]).change.text()
    '2.0 [−5.3, 9.3]'
    """
    from scipy.special import stdtrit
    from scipy.stats import linregress

    amounts, values = zip(*pairs, strict=True)
    line = linregress(amounts, values)
    span, freedom = max(amounts) - min(amounts), len(pairs) - 2
    change, error = span * float(line.slope), span * float(line.stderr)
    error = 0.0 if math.isnan(error) else error  # where all values are the same
    half = float(stdtrit(freedom, 0.975)) * error
    return Slope(change=Estimate(change, change - half, change + half), error=error, freedom=freedom)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Return Spearman's rank correlation of pairs of numbers; NaN where one side is constant or there are no pairs.

    >>> round(rank_correlation([(0.6, 1.0), (0.8, 4.0), (1.0, 3.0)]), 6)
    0.5
    """
    if any(len(set(side)) < 2 for side in zip(*pairs, strict=True)) or not pairs:
        return math.nan
    from scipy.stats import spearmanr

    return float(spearmanr(*zip(*pairs, strict=True)).statistic)
