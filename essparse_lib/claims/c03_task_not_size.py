"""Claim C3: where the curve turns depends on the task, not on the size of the model.

The rule: it compares how far the essential sparsities of one model on two tasks lie apart with how far those of two
models on one task do, both as the mean over all pairs. The claim agrees if the first exceeds the second by its whole
95% interval, differs if it lies below by the whole interval, and is inconclusive otherwise. Where a curve does not fall
by the last sparsity, it is not known where it turns: it does not count. Models must share two tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np

from ..analysis.curves import EPSILON, MIN_SEEDS, Curve
from ..analysis.essential import resampled_essential_sparsity
from ..analysis.estimate import exact, percentile_interval
from ..specs.study import Study
from .rules import Decision, above_zero, verdict_by
from .verdict import Clause, Number, Verdict, not_run, untestable

CLAIM = "C3"

#: An essential sparsity, and its value in each resample.
Resampled = tuple[float, np.ndarray]


@dataclass(frozen=True)
class Eligible:
    """How far pairs of essential sparsities lie apart, with their resamples.

    Attributes:
        tasks: distances of one model on two tasks, as fractions of the weights.
        models: distances of two models on one task, as fractions of the weights.
    """

    tasks: list[Resampled]
    models: list[Resampled]


def eligible(study: Study, curves: Sequence[Curve]) -> Eligible | Verdict:
    """Return the distances of all pairs of curves that count, or the verdict where they cannot decide.

    Args:
        study: the study of the curves.
        curves: the study's curves of its main way to prune.
    """
    complete = [curve for curve in curves if len(curve.seeds) >= MIN_SEEDS and curve.complete(study)]
    falling: dict[tuple[str, str], Resampled] = {}
    for curve in complete:
        if not curve.learned():
            continue
        essential = resampled_essential_sparsity(curve)
        if essential[0] < curve.at_tenths.levels[-1]:
            falling[curve.model, curve.task] = essential
    distances = _distances(falling)
    if not distances.tasks or len(distances.models) < 2:
        expected = sum(len(study.tasks_of(model)) for model in study.models)
        if len(complete) < expected:
            lacking = f"{expected - len(complete)} of {expected} curves lack records of {MIN_SEEDS} seeds"
            return not_run(CLAIM, f"{lacking} at every sparsity")
        return untestable(
            CLAIM,
            f"no two models fall by more than {EPSILON:g} point on the same two tasks",
            "curves that never fall are left out",
            needs=f"two models with {MIN_SEEDS} seeds whose curves both fall on the same two tasks",
        )
    return distances


def _distances(falling: Mapping[tuple[str, str], Resampled]) -> Eligible:
    tasks, models = [], []
    for first, second in combinations(falling, 2):
        (value, resampled), (other_value, other_resampled) = falling[first], falling[second]
        distance = abs(value - other_value), np.abs(resampled - other_resampled)
        if first[0] == second[0]:
            tasks.append(distance)
        elif first[1] == second[1]:
            models.append(distance)
    return Eligible(tasks, models)


def decide(evidence: Eligible) -> Decision:
    """Return the outcome, and how much further tasks lie apart than models."""
    by_task, by_model = _mean(evidence.tasks), _mean(evidence.models)
    surplus = percentile_interval(by_task[0] - by_model[0], by_task[1] - by_model[1])
    numbers = {
        "surplus of tasks over models": Number(
            estimate=surplus.scaled(100), unit="points of sparsity", allowed=(0.0, math.inf)
        ),
        "distance of tasks": Number(estimate=exact(100 * by_task[0]), unit="points of sparsity"),
        "distance of models": Number(estimate=exact(100 * by_model[0]), unit="points of sparsity"),
    }
    return Decision(above_zero(surplus), numbers, {})


def _mean(distances: Sequence[Resampled]) -> Resampled:
    return fmean(value for value, _ in distances), np.mean([resampled for _, resampled in distances], 0)


def explain(decision: Decision) -> tuple[Clause, ...]:
    """Return the distances in words."""
    surplus, tasks, models = (number.estimate.text(0) for number in decision.numbers.values())
    text = (
        f"essential sparsities lie {tasks} points of sparsity apart between tasks and {models} between models: "
        f"{surplus} more"
    )
    return (Clause(text=text),)


def judge(study: Study, curves: Sequence[Curve]) -> Verdict:
    """Return the verdict on C3 from a study's curves.

    Args:
        study: the study of the curves.
        curves: the study's curves of its main way to prune.
    """
    return verdict_by(
        CLAIM,
        study,
        lambda: eligible(study, curves),
        decide,
        lambda _, decision: explain(decision),
        "essential sparsities of two tasks lie {} further apart than those of two models",
    )
