"""Paired differences between two prunings at the same sparsity, and whether the two perform alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .curves import curves
from .estimate import Estimate

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
        difference: score of the pruning less that of the baseline, in points; above 0 where the pruning is better.
        seeds: number of seeds that have a result of both.
        learned: whether the dense model has learned the task.
    """

    model: str
    task: str
    pruning: Pruning
    baseline: Pruning
    difference: Estimate
    seeds: int
    learned: bool

    @property
    def standing(self) -> Standing:
        """How the pruning stands to its baseline.

        Equivalent if the whole 95% interval lies within the margin (two one-sided tests, Schuirmann 1987, at 2.5%
        each). Better or worse if the interval lies on one side of 0 and not within the margin.
        """
        if self.difference.low >= -MARGIN and self.difference.high <= MARGIN:
            return Standing.EQUIVALENT
        if self.difference.low > 0:
            return Standing.BETTER
        return Standing.WORSE if self.difference.high < 0 else Standing.UNDECIDED


def contrasts(study: Study, records: Mapping[str, Record], pairs: Sequence[tuple[Pruning, Pruning]]) -> list[Contrast]:
    """Return the contrast of each pair, for each model and task of the study that has records of both.

    Args:
        study: the study whose trials are looked up.
        records: records by the id of their spec.
        pairs: pairs of a pruning and its baseline; a repeated pair counts once.
    """
    prunings = dict.fromkeys(pruning for pair in pairs for pruning in pair)
    result = []
    for curve in curves(study, records, prunings=prunings):
        learned = curve.learned()
        for pruning, baseline in dict.fromkeys(pairs):
            if pruning not in curve.prunings or baseline not in curve.prunings:
                continue
            seeds = curve.seeds_of(pruning, baseline)
            if not seeds:
                continue
            contrast = Contrast(
                model=curve.model,
                task=curve.task,
                pruning=pruning,
                baseline=baseline,
                difference=curve.difference(pruning, baseline),
                seeds=seeds,
                learned=learned,
            )
            result.append(contrast)
    return result
