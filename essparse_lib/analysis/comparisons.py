"""Models of one way to pre-train compared with those of another: how far they can be pruned."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..specs.pretraining import ImagePretraining, ObjectiveKind
from ..specs.study import Study
from .curves import Curve
from .effects import PretrainingEffect, effect, task_means
from .essential import resampled_essential_sparsity

#: The sparsities, from the first to the last, over which drops are averaged, with and without fine-tuning (C7).
MEAN_DROP_FROM, MEAN_DROP_TO = 0.1, 0.6


@dataclass(frozen=True)
class Comparison:
    """A comparison of models of one way to pre-train with those of another.

    Attributes:
        name: what is compared, such as ``DINO − supervised``.
        more: names of the first models, one for each pre-training.
        less: names of the second models, likewise.
    """

    name: str
    more: tuple[str, ...]
    less: tuple[str, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Names of all models that are compared."""
        return (*self.more, *self.less)


def known_tasks(study: Study, models: Sequence[str]) -> set[str]:
    """Return the tasks whose classes some of these models learned in a supervised pre-training."""
    pretrainings = [study.pretrained[model] for model in models if model in study.pretrained]
    images = [each for each in pretrainings if isinstance(each, ImagePretraining) and each.steps]
    return {each.task for each in images if each.objective == ObjectiveKind.SUPERVISED}


def learned_tasks(study: Study, curves: Sequence[Curve], models: Sequence[str]) -> list[str]:
    """Return the tasks on which each of these models has all records and learned the task without pruning.

    A model that has learned nothing loses nothing to pruning, and would seem the most robust of all. Tasks whose
    classes some of the models learned in their pre-training (``known_tasks``) are left out too: they learned them from
    many more labels than the fine-tuning has, so a difference may come from the labels, whichever way it points.

    Args:
        study: the study of the curves.
        curves: curves of any models and tasks.
        models: names of the models that are compared.
    """
    learned = {(curve.model, curve.task) for curve in curves if curve.complete(study) and curve.learned()}
    return shared_tasks(study, learned, models)


def shared_tasks(study: Study, learned: Collection[tuple[str, str]], models: Sequence[str]) -> list[str]:
    """Return the tasks that all of these models learned and none was pre-trained to tell (``known_tasks``).

    Args:
        study: the study of the models.
        learned: pairs of a model and a task that it learned.
        models: names of the models that are compared; without any there are no tasks.
    """
    known = known_tasks(study, models)
    tasks = []
    for task in study.tasks:
        if models and task not in known and all((model, task) in learned for model in models):
            tasks.append(task)
    return tasks


def essential_effect(
    study: Study, curves: Sequence[Curve], comparison: Comparison, tasks: Sequence[str] | None = None
) -> PretrainingEffect:
    """Return the effect of the pre-training on the essential sparsity, as a fraction: the mean over tasks.

    Args:
        study: the study of the curves.
        curves: curves of any models and tasks.
        comparison: the models that are compared.
        tasks: the tasks to average over; None for all that every model of the comparison has learned.
    """
    if tasks is None:
        tasks = learned_tasks(study, curves, comparison.models)
    means = task_means(_of(curves, comparison), tasks, lambda curve: resampled_essential_sparsity(curve)[0])
    return effect({model: float(value) for model, value in means.items()}, comparison.more, comparison.less)


def mean_drop(curve: Curve) -> float:
    """Return the mean of a curve's drops in points at its sparsities from 10 to 60%; NaN if it has none of these.

    It reads the whole curve where it turns, and varies much less from one training to the next than the one sparsity at
    which the curve turns.
    """
    inside = averaged(curve.levels)
    return float(curve.drops()[0][inside].mean()) if inside.any() else float("nan")


def averaged(levels: np.ndarray) -> np.ndarray:
    """Return which sparsities lie between 10 and 60%, both included."""
    return (levels > MEAN_DROP_FROM - 1e-9) & (levels < MEAN_DROP_TO + 1e-9)


def spared_effect(
    study: Study, curves: Sequence[Curve], comparison: Comparison, tasks: Sequence[str] | None = None
) -> PretrainingEffect:
    """Return by how much less the first models of a comparison lose to pruning than the second, in points.

    The quantity of a model is its ``mean_drop`` with the sign turned, the mean over tasks; so a difference above 0 says
    that the first models are the more robust ones.

    Args:
        study: the study of the curves.
        curves: curves of any models and tasks.
        comparison: the models that are compared.
        tasks: the tasks to average over; None for all that every model of the comparison has learned.
    """
    if tasks is None:
        tasks = learned_tasks(study, curves, comparison.models)
    means = task_means(_of(curves, comparison), tasks, mean_drop)
    spared = {model: -float(value) for model, value in means.items() if not np.isnan(value)}
    return effect(spared, comparison.more, comparison.less)


def drop_effects(study: Study, curves: Sequence[Curve], comparison: Comparison) -> dict[float, PretrainingEffect]:
    """Return the effect of the pre-training on the drop in points against the dense model, by sparsity.

    Drops are means over the tasks that every model of the comparison has learned. A difference above 0 says that the
    first models lose more.

    Args:
        study: the study of the curves.
        curves: curves of any models and tasks.
        comparison: the models that are compared.
    """
    tasks = learned_tasks(study, curves, comparison.models)
    means = task_means(_of(curves, comparison), tasks, lambda curve: curve.drops()[0])
    effects = {}
    for level, sparsity in enumerate(study.sparsities if means else ()):
        drops = {model: float(by_level[level]) for model, by_level in means.items()}
        effects[sparsity] = effect(drops, comparison.more, comparison.less)
    return effects


def _of(curves: Sequence[Curve], comparison: Comparison) -> list[Curve]:
    return [curve for curve in curves if curve.model in comparison.models]
