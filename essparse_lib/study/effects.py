"""What sets groups of pre-trained models apart: the pre-trained model is the unit, not the seed of its fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import verdict
from .curves import Curve, Estimate

UNKNOWN = Estimate(math.nan, math.nan, math.nan)


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
        verdict.difference(one, other) if one and other else UNKNOWN,
        verdict.rank_correlation(pairs) if pairs else math.nan,
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
