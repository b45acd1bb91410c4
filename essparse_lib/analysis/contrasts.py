"""Paired differences between two prunings at the same sparsity, and whether the two perform alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from ..records.store import Record
from ..specs.study import TENTHS, Study, at_sparsities
from ..specs.trial import Pruning, Timing
from .curves import MIN_SEEDS, Curve, curves
from .estimate import Estimate
from .pooled import Effect

#: Largest difference, in points, of two prunings that count as performing alike.
MARGIN = 1.0


class Standing(StrEnum):
    """How a pruning stands to its baseline."""

    EQUIVALENT = "equivalent"
    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """The score of a pruning less that of a baseline, on one task, the seeds paired.

    Attributes:
        model: name of the model.
        task: name of the task.
        pruning: the pruning that is compared.
        baseline: the pruning that it is compared with; often the dense model.
        effect: score of the pruning less that of the baseline, in points; above 0 where the pruning is better.
        seeds: number of seeds that have a result of both.
        learned: whether the dense model has learned the task.
        sensitive: whether the model has something to lose on the task (``Curve.sensitive``).
        curve: the curve that both prunings are levels of.
    """

    model: str
    task: str
    pruning: Pruning
    baseline: Pruning
    effect: Effect
    seeds: int
    learned: bool
    sensitive: bool
    curve: Curve = field(repr=False, compare=False)

    @cached_property
    def difference(self) -> Estimate:
        """The effect with its 95% interval."""
        return self.effect.estimate

    @property
    def counts(self) -> bool:
        """Whether a verdict counts the contrast: enough seeds, a task that is learned, and something to lose."""
        return self.learned and self.sensitive and self.seeds >= MIN_SEEDS

    @property
    def standing(self) -> Standing:
        """How the pruning stands to its baseline."""
        return standing_of(self.difference)


def standing_of(difference: Estimate) -> Standing:
    """Return how a pruning stands to its baseline.

    Equivalent if the whole 95% interval lies within the margin (two one-sided tests, Schuirmann 1987, at 2.5% each).
    Better or worse if the interval lies on one side of 0 and not within the margin.

    Args:
        difference: the score of the pruning less that of the baseline, in points.
    """
    if difference.low >= -MARGIN and difference.high <= MARGIN:
        return Standing.EQUIVALENT
    if difference.low > 0:
        return Standing.BETTER
    return Standing.WORSE if difference.high < 0 else Standing.UNDECIDED


def contrasts(study: Study, records: Mapping[str, Record], pairs: Sequence[tuple[Pruning, Pruning]]) -> list[Contrast]:
    """Return the contrast of each pair, for each model and task of the study that has records of both.

    Args:
        study: the study whose trials are looked up.
        records: records by the id of their spec.
        pairs: pairs of a pruning and its baseline; a repeated pair counts once.
    """
    in_pairs = [pruning for pair in pairs for pruning in pair]
    in_study = [pruning for variant in study.variants.values() for pruning in variant]
    # the tenths say whether a model has something to lose, also where the study prunes it less; one that is not trained
    # after its pruning would say something else
    others = [pruning for pruning in (*in_study, *at_sparsities(TENTHS)) if pruning.timing == Timing.BEFORE]
    prunings = dict.fromkeys((*in_pairs, *others))
    result = []
    for curve in curves(study, records, prunings=prunings):
        learned, sensitive = curve.learned(), curve.sensitive()
        for pruning, baseline in dict.fromkeys(pairs):
            if pruning not in curve.prunings or baseline not in curve.prunings:
                continue
            seeds = curve.seeds_of(pruning, baseline)
            if not seeds:
                continue
            value, resampled = curve.difference(pruning, baseline)
            contrast = Contrast(
                model=curve.model,
                task=curve.task,
                pruning=pruning,
                baseline=baseline,
                effect=Effect(model=curve.model, task=curve.task, value=value, resampled=resampled),
                seeds=seeds,
                learned=learned,
                sensitive=sensitive,
                curve=curve,
            )
            result.append(contrast)
    return result
