"""What pre-training gives to a task: dense scores with pre-trained weights less those with random ones.

Where there is no such advantage, nothing of the pre-training is used, and pruning it away costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Training
from .curves import Curve, curves
from .folds import Folds, by_data_set, fold_effect
from .pooled import Effect

#: Name of the one variant of ``without_pretraining``.
RANDOM_WEIGHTS = "random weights"


@dataclass(frozen=True, kw_only=True)
class Advantage:
    """What pre-training gives to one model on one data set.

    Attributes:
        pretrained: the dense score with pre-trained weights.
        random: the dense score with random weights.
        effect: the first less the second, in points.
    """

    pretrained: Effect
    random: Effect
    effect: Effect

    @property
    def clear(self) -> bool:
        """Whether the pre-trained model scores above the random one by the whole 95% interval of the difference."""
        return self.effect.estimate.low > 0


def without_pretraining(study: Study) -> Study:
    """Return the study's dense trials with random weights in place of the pre-trained ones, all else alike."""
    overrides = {
        model: replace(each, training=each.training and _random(each.training))
        for model, each in study.overrides.items()
    }
    return replace(
        study,
        training=_random(study.training),
        variants={RANDOM_WEIGHTS: ()},
        overrides=overrides,
        measured={},
        pretrained={},
        controls=(),
    )


def _random(trainings: Mapping[str, Training]) -> dict[str, Training]:
    return {task: replace(training, random_weights=True) for task, training in trainings.items()}


def random_curves(study: Study, records: Mapping[str, Record]) -> list[Curve]:
    """Return the curves of one level, the dense model's, of a study's models with random weights."""
    return curves(without_pretraining(study), records)


def advantages(pretrained: Sequence[Curve], random: Sequence[Curve]) -> dict[tuple[str, str], Advantage]:
    """Return what pre-training gives, by the names of the model and of the data set.

    Problems are paired, trainings are not. Folds of a data set that one side lacks are left out.

    Args:
        pretrained: the study's curves.
        random: those of ``random_curves``.
    """
    places = {(curve.model, curve.task) for curve in pretrained} & {(curve.model, curve.task) for curve in random}
    first, second = (
        by_data_set([curve for curve in group if (curve.model, curve.task) in places]) for group in (pretrained, random)
    )
    shared = [place for place in first if place in second and _tasks(first[place]) == _tasks(second[place])]
    return {place: _advantage(place[1], first[place], second[place]) for place in shared}


def _tasks(folds: Folds) -> list[str]:
    return [curve.task for curve in folds]


def _advantage(name: str, pretrained: Folds, random: Folds) -> Advantage:
    return Advantage(
        pretrained=fold_effect(name, [pretrained], Curve.dense_effect),
        random=fold_effect(name, [random], Curve.dense_effect),
        effect=fold_effect(name, [pretrained, random], lambda one, other: one.dense_effect() - other.dense_effect()),
    )
