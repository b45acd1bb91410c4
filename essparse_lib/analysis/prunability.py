"""How far models can be pruned without fine-tuning: by the loss of their own objective, and by their features."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..records.store import Record
from ..specs.measurement import MeasurementKind
from ..specs.study import Study
from .comparisons import Comparison, averaged, shared_tasks
from .effects import PretrainingEffect, effect
from .essential import crossing, monotone
from .estimate import UNKNOWN, Estimate, exact
from .measured import measured
from .text_effects import text_effect

#: By how much the held-out loss may rise, as a fraction of the loss without pruning.
TOLERANCE = 0.01


@dataclass(frozen=True, kw_only=True)
class LossCurve:
    """The held-out loss of a model against sparsity, after some steps of its pre-training.

    Attributes:
        model: name of the model.
        step: number of steps done.
        levels: sparsities from 0, shape (levels,).
        losses: mean loss at each sparsity, in the unit of the objective, shape (levels,).
    """

    model: str
    step: int
    levels: np.ndarray
    losses: np.ndarray

    @property
    def rises(self) -> np.ndarray:
        """The rise of the loss above that of the dense model, as a fraction of the latter, shape (levels,)."""
        return self.losses / self.losses[0] - 1

    def prunable(self, tolerance: float = TOLERANCE) -> Estimate:
        """Return the largest sparsity up to which the loss rises by at most a fraction of the dense model's.

        The rise is made monotone, and linear between the levels, as for the essential sparsity. The number is exact for
        the held-out examples, and has no interval. It is unknown where the loss stays within the tolerance at every
        sparsity: such a model has nothing to lose, as before its training.

        Args:
            tolerance: the fraction, above 0.
        """
        rises = monotone(self.rises)
        return exact(float(crossing(self.levels, rises, tolerance))) if rises[-1] > tolerance else UNKNOWN

    def lost(self, sparsity: float, untrained: LossCurve) -> Estimate:
        """Return how much of what was learned pruning takes, as a fraction: 1 is a loss as high as before the training.

        Args:
            sparsity: where the loss is read, linear between the levels.
            untrained: the model before its first step.

        Returns:
            The fraction, exact; unknown where the dense model's loss is not below that before the training.
        """
        learned = untrained.losses[0] - self.losses[0]
        if not learned > 0:
            return UNKNOWN
        return exact(float((np.interp(sparsity, self.levels, self.losses) - self.losses[0]) / learned))


@dataclass(frozen=True, kw_only=True)
class FeatureCurve:
    """How well the classes of a task's images follow from the features of a pruned vision model.

    Attributes:
        model: name of the model.
        task: name of the task.
        levels: sparsities from 0, shape (levels,).
        accuracies: accuracy in points at each sparsity, by reading: ``knn`` and ``linear_probe``.
        tests: number of test images.
        majority: accuracy in points of always saying the commonest class.
    """

    model: str
    task: str
    levels: np.ndarray
    accuracies: Mapping[str, np.ndarray]
    tests: int
    majority: float

    def learned(self, reading: str) -> bool:
        """Return whether the dense model's features tell the classes: above the commonest class, at 2.5% one-sided."""
        from scipy.stats import binomtest  # a second to import

        right = round(self.accuracies[reading][0] / 100 * self.tests)
        return bool(binomtest(right, self.tests, self.majority / 100, alternative="greater").pvalue < 0.025)

    def mean_drop(self, reading: str) -> float:
        """Return the mean drop in points against the dense model over the sparsities from 10 to 60%."""
        accuracies = self.accuracies[reading]
        return float((accuracies[0] - accuracies[averaged(self.levels)]).mean())


def loss_curves(study: Study, records: Mapping[str, Record]) -> list[LossCurve]:
    """Return the study's loss curves that have a record, model by model, step by step.

    Args:
        study: the study whose ``held-out-loss`` measurements are looked up.
        records: records by the id of their spec.
    """
    return [
        LossCurve(
            model=measurement.model,
            step=values["step"],
            levels=np.array(values["sparsities"]),
            losses=np.array(values["losses"]),
        )
        for measurement, values in measured(study, records, MeasurementKind.HELD_OUT_LOSS)
    ]


def feature_curves(study: Study, records: Mapping[str, Record]) -> list[FeatureCurve]:
    """Return the study's feature curves that have a record.

    Args:
        study: the study whose ``feature-accuracy`` measurements are looked up.
        records: records by the id of their spec.
    """
    return [
        FeatureCurve(
            model=measurement.model,
            task=measurement.task,
            levels=np.array(values["sparsities"]),
            accuracies={reading: np.array(values[reading]) for reading in ("knn", "linear_probe")},
            tests=values["images"][1],
            majority=values["majority"],
        )
        for measurement, values in measured(study, records, MeasurementKind.FEATURE_ACCURACY)
    ]


def trained(study: Study, curves: Iterable[LossCurve]) -> dict[str, LossCurve]:
    """Return the loss curves of the trained models, by the model's name.

    Args:
        study: the study of the curves.
        curves: its loss curves.
    """
    return {curve.model: curve for curve in curves if curve.step == study.pretrained[curve.model].steps}


def prunable_text_effect(study: Study, curves: Iterable[LossCurve], tolerance: float = TOLERANCE) -> PretrainingEffect:
    """Return the effect of the text on how far the trained models can be pruned, in percent of the weights.

    Args:
        study: a study of pre-trainings on several amounts of text.
        curves: its loss curves.
        tolerance: by how much the loss may rise, as a fraction of the dense model's.
    """
    shares = {model: curve.prunable(tolerance) for model, curve in trained(study, curves).items()}
    return text_effect(study, {model: 100 * share.value for model, share in shares.items() if share.known})


def counted_tasks(
    study: Study, curves: Sequence[FeatureCurve], models: Sequence[str], reading: str = "knn"
) -> list[str]:
    """Return the tasks that count in a comparison of models by the features.

    They are those on which every model has a record and features that tell the classes, as models that have nothing to
    lose would seem the most robust. Tasks whose classes some of the models learned in their pre-training are left out.

    Args:
        study: the study of the curves.
        curves: its feature curves.
        models: names of the models that are compared.
        reading: ``knn`` or ``linear_probe``.
    """
    learned = {(curve.model, curve.task) for curve in curves if curve.learned(reading)}
    return shared_tasks(study, learned, models)


def feature_effect(
    study: Study, curves: Sequence[FeatureCurve], comparison: Comparison, reading: str = "knn"
) -> PretrainingEffect:
    """Return the effect of the pre-training on the mean drop of the features' accuracy over 10 to 60%, in points.

    Drops are means over the tasks that count (``counted_tasks``). Above 0 the first models lose more. The interval is
    over pre-trainings.

    Args:
        study: the study of the curves.
        curves: its feature curves.
        comparison: the models that are compared.
        reading: ``knn`` or ``linear_probe``.
    """
    tasks = counted_tasks(study, curves, comparison.models, reading)
    drops: dict[str, list[float]] = {}
    for curve in curves:
        if curve.task in tasks and curve.model in comparison.models:
            drops.setdefault(curve.model, []).append(curve.mean_drop(reading))
    return effect({model: float(np.mean(each)) for model, each in drops.items()}, comparison.more, comparison.less)


def by_step(
    curves: Sequence[LossCurve], quantity: Callable[[LossCurve], Estimate]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return a quantity of loss curves against the step, by the model's name: steps and values where it is known.

    Args:
        curves: loss curves of any models.
        quantity: function of a curve that returns an estimate.
    """
    pairs: dict[str, list[tuple[int, float]]] = {}
    for curve in curves:
        value = quantity(curve).value
        if not math.isnan(value):
            pairs.setdefault(curve.model, []).append((curve.step, value))
    return {model: (np.array(each)[:, 0], np.array(each)[:, 1]) for model, each in pairs.items()}
