"""What more text to pre-train on does to a model's zeros, its held-out loss and its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..specs.pretraining import TextPretraining
from ..specs.study import Study
from .curves import Curve
from .effects import Effect, effect, task_means
from .series import Series, shared_readings, text_pretrainings


def text_extremes(study: Study) -> tuple[list[TextPretraining], list[TextPretraining]]:
    """Return the study's pre-training specs on the most text, and those on the least."""
    specs = text_pretrainings(study)
    fractions = [spec.fraction for spec in specs]
    most = [spec for spec in specs if spec.fraction == max(fractions)]
    least = [spec for spec in specs if spec.fraction == min(fractions)]
    return most, least


def zero_effects(study: Study, runs: Sequence[Series]) -> dict[str, Effect]:
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


def loss_effect(study: Study, runs: Sequence[Series]) -> Effect:
    """Return the effect of the text on the held-out loss at the end of the pre-training, in nats a token.

    Args:
        study: the study of the pre-trainings.
        runs: their series; those that are not complete are left out.
    """
    return text_effect(study, {run.name: float(run.held_out[-1]) for run in _ended(study, runs)})


def score_effects(study: Study, curves: Sequence[Curve]) -> dict[float, Effect]:
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


def _ended(study: Study, runs: Sequence[Series]) -> list[Series]:
    return [run for run in runs if run.complete and run.name in study.pretrained]


def text_effect(study: Study, values: Mapping[str, float]) -> Effect:
    """Return the effect of the most text less the least on a quantity, with the trend over all amounts of text.

    Args:
        study: the study of the pre-trainings.
        values: the quantity by the model's name, as far as it is known.
    """
    most, least = ([spec.model for spec in group] for group in text_extremes(study))
    fractions = {spec.model: spec.fraction for spec in text_pretrainings(study)}
    return effect(values, most, least, fractions)
