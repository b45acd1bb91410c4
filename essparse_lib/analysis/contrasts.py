"""Two ways to prune held against each other at the same sparsity: paired differences, and whether they are one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .curves import curves
from .estimate import Estimate

#: Points within which two ways are taken to perform alike.
MARGIN = 1.0

Standing = Literal["equivalent", "better", "worse", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One way's score less another's, on one task, the seeds paired.

    Attributes:
        one: the one way.
        other: the other.
        difference: in points, above 0 where the first is better.
        seeds: how many have both.
        learned: whether the dense model has learned the task.
    """

    model: str
    task: str
    one: Pruning
    other: Pruning
    difference: Estimate
    seeds: int
    learned: bool

    @property
    def standing(self) -> Standing:
        """How the first stands to the second.

        Equivalent if the whole 95% interval lies within the margin (two one-sided tests, Schuirmann 1987, at 2.5%
        each); better or worse if it lies on one side of 0 and not within the margin.
        """
        if self.difference.low >= -MARGIN and self.difference.high <= MARGIN:
            return "equivalent"
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "undecided"


def contrasts(study: Study, records: Mapping[str, Record], pairs: Sequence[tuple[Pruning, Pruning]]) -> list[Contrast]:
    """The differences of these pairs, each once, for each model and task, as far as records have both."""
    found = []
    everything = dict.fromkeys(pruning for pair in pairs for pruning in pair)
    for curve in curves(study, records, prunings=everything):
        learned = curve.learned()
        for one, other in dict.fromkeys(pairs):
            if one in curve.prunings and other in curve.prunings:
                seeds = curve.seeds_of(one, other)
                if seeds:
                    difference = curve.difference(one, other)
                    found.append(
                        Contrast(
                            model=curve.model,
                            task=curve.task,
                            one=one,
                            other=other,
                            difference=difference,
                            seeds=seeds,
                            learned=learned,
                        )
                    )
    return found
