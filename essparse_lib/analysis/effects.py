"""What sets groups of pre-trained models apart: the pre-trained model is the unit, not the seed of its fine-tuning."""

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
class Effect:
    """What tells two groups of pre-trained models apart, in one quantity.

    Attributes:
        values: by pre-trained model, in percent of the weights or in points.
        difference: mean of the first group less that of the second; the interval is over pre-trainings.
        trend: Spearman's rank correlation of the value with an amount that all models have; NaN where there is none.
    """

    values: Mapping[str, float]
    difference: Estimate
    trend: float = math.nan


def effect(
    values: Mapping[str, float],
    more: Iterable[str],
    less: Iterable[str],
    amounts: Mapping[str, float] | None = None,
) -> Effect:
    """The first group of models less the second, as far as both have values.

    Args:
        values: by model.
        more: the first group.
        less: the second group.
        amounts: by model, what the trend is against.

    >>> effect({"a": 5.0, "b": 6.0, "c": 1.0, "d": 2.0}, more=("a", "b"), less=("c", "d")).difference.text()
    '4.0 [1.0, 7.0]'
    """
    one, other = ([values[model] for model in group if model in values] for group in (more, less))
    pairs = [(amounts[model], value) for model, value in values.items()] if amounts is not None else []
    return Effect(
        values,
        mean_difference(one, other) if one and other else UNKNOWN,
        rank_correlation(pairs) if pairs else math.nan,
    )


def task_means(
    found: Sequence[Curve], tasks: Collection[str], quantity: Callable[[Curve], Any]
) -> dict[str, np.ndarray]:
    """By model, the mean over these tasks of a quantity of its curves; of models that have curves of all of them."""
    by_model: dict[str, list[Any]] = {}
    for curve in found:
        if curve.task in tasks:
            by_model.setdefault(curve.model, []).append(quantity(curve))
    return {model: np.mean(values, 0) for model, values in by_model.items() if len(values) == len(tasks)}


def most_lost(effects: Mapping[float, Effect]) -> float:
    """How far any model's value falls below its value at the first level, at most; 0 if none falls.

    >>> most_lost({0.0: Effect({"a": 70.0, "b": 60.0}, UNKNOWN), 0.5: Effect({"a": 72.0, "b": 57.5}, UNKNOWN)})
    2.5
    """
    first = next(iter(effects.values())).values
    return max(0.0, *(first[model] - value for each in effects.values() for model, value in each.values.items()))


def mean_difference(more: Sequence[float], less: Sequence[float]) -> Estimate:
    """Return the mean of the first less that of the second, with the 95% t-interval of two small samples.

    Both are taken to scatter alike: their spread is pooled (Student's t), with n₁ + n₂ − 2 degrees of freedom. The
    interval is unknown (NaN) where none is left.

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
    """Return how many times their spread two samples of these sizes must lie apart for the interval to leave 0 out.

    >>> round(detectable_ratio(2, 2), 2)
    4.3
    """
    from scipy.special import stdtrit  # Student's t quantile; scipy.stats takes a second to import

    return float(stdtrit(more + less - 2, 0.975)) * math.sqrt(1 / more + 1 / less)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Return Spearman's ρ, ties at their mean rank; NaN where either side is constant or empty.

    >>> round(rank_correlation([(0.6, 1.0), (0.8, 4.0), (1.0, 3.0)]), 6)
    0.5
    """
    if any(len(set(side)) < 2 for side in zip(*pairs, strict=True)) or not pairs:
        return math.nan
    from scipy.stats import spearmanr

    return float(spearmanr(*zip(*pairs, strict=True)).statistic)
