"""What more text to pre-train on does to a model's zeros, its held-out loss and its scores.

An effect is what the straight line through all pre-trainings, on all amounts of text, changes by from the least amount
to the most. Two runs a side, whose spread may be anything, say too little for a comparison of the two ends alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..specs.pretraining import TextPretraining
from ..specs.study import Study
from .curves import Curve
from .effects import PretrainingEffect, Slope, rank_correlation, slope, task_means
from .estimate import UNKNOWN
from .series import Series, shared_readings, text_pretrainings


def text_extremes(study: Study) -> tuple[list[TextPretraining], list[TextPretraining]]:
    """Return the study's pre-training specs on the most text, and those on the least."""
    specs = text_pretrainings(study)
    fractions = [spec.fraction for spec in specs]
    most = [spec for spec in specs if spec.fraction == max(fractions)]
    least = [spec for spec in specs if spec.fraction == min(fractions)]
    return most, least


def zero_effects(study: Study, runs: Sequence[Series]) -> dict[str, PretrainingEffect]:
    """Return the effect of the text on the zeros at the end of the pre-training, by reading.

    Zeros are in percent of the prunable weights.

    Args:
        study: the study of the pre-trainings.
        runs: their series; those that are not complete are left out.
    """
    ended = _ended(study, runs)
    effects = {}
    for reading in shared_readings(ended):
        percentages = {run.name: 100 * float(run.share(reading)[-1]) for run in ended}
        effects[reading] = text_effect(study, percentages)
    return effects


def loss_effect(study: Study, runs: Sequence[Series]) -> PretrainingEffect:
    """Return the effect of the text on the held-out loss at the end of the pre-training, in nats a token.

    Args:
        study: the study of the pre-trainings.
        runs: their series; those that are not complete are left out.
    """
    return text_effect(study, {run.name: float(run.held_out[-1]) for run in _ended(study, runs)})


def score_effects(study: Study, curves: Sequence[Curve]) -> dict[float, PretrainingEffect]:
    """Return the effect of the text on the score in points, by sparsity.

    Scores are means over the tasks that some dense model has learned.

    Args:
        study: the study of the curves.
        curves: the study's curves; those that lack records are left out.
    """
    complete = [curve for curve in curves if curve.complete(study) and curve.model in study.pretrained]
    tasks = {curve.task for curve in complete if curve.learned()}
    means = task_means(complete, tasks, lambda curve: curve.scores.mean(0))
    effects = {}
    for level, sparsity in enumerate(study.sparsities if means else ()):
        effects[sparsity] = text_effect(study, {model: float(scores[level]) for model, scores in means.items()})
    return effects


def tasks_with_something_to_lose(study: Study, curves: Sequence[Curve]) -> list[str]:
    """Return the tasks on which the curve of every pre-training has something to lose to pruning.

    A task counts for all models or for none, so that models are compared on the same tasks.

    Args:
        study: the study of the curves.
        curves: the study's curves; one that lacks records has nothing to lose.
    """
    losing = {(c.model, c.task) for c in curves if c.complete(study) and c.learned() and c.sensitive()}
    models = [spec.model for spec in text_pretrainings(study)]
    return [task for task in study.tasks if models and all((model, task) in losing for model in models)]


def pruned_effect(study: Study, curves: Sequence[Curve], tasks: Sequence[str]) -> PretrainingEffect:
    """Return the effect of the text on the mean score of the pruned models over all sparsities, in points.

    Args:
        study: the study of the curves.
        curves: the study's curves; those that lack records are left out.
        tasks: the tasks to average over, at least one.
    """
    complete = [curve for curve in curves if curve.complete(study) and curve.model in study.pretrained]
    means = task_means(complete, tasks, lambda curve: curve.scores[:, 1:].mean())
    return text_effect(study, {model: float(score) for model, score in means.items()})


def text_slope(study: Study, values: Mapping[str, float]) -> Slope | None:
    """Return the line through the values of a study's pre-trainings against their share of the text.

    Args:
        study: the study of the pre-trainings.
        values: a quantity by the model's name; models without a value are left out.

    Returns:
        The line; None where there are fewer than three models, or all on one amount of text.
    """
    fractions = {spec.model: spec.fraction for spec in text_pretrainings(study)}
    pairs = [(fractions[model], value) for model, value in values.items()]
    return slope(pairs) if len(pairs) >= 3 and len({amount for amount, _ in pairs}) >= 2 else None


def _ended(study: Study, runs: Sequence[Series]) -> list[Series]:
    return [run for run in runs if run.complete and run.name in study.pretrained]


def text_effect(study: Study, values: Mapping[str, float]) -> PretrainingEffect:
    """Return what a line through all pre-trainings changes by, with the rank correlation over all amounts of text.

    Args:
        study: the study of the pre-trainings.
        values: the quantity by the model's name, as far as it is known.
    """
    line = text_slope(study, values)
    fractions = {spec.model: spec.fraction for spec in text_pretrainings(study)}
    pairs = [(fractions[model], value) for model, value in values.items()]
    return PretrainingEffect(values, line.change if line else UNKNOWN, rank_correlation(pairs))
