"""Which trials come next: coarse levels first, then levels where the loss is reached, then more seeds around it.

The design looks at nothing but curves, and always adds whole columns or rows: a level for all seeds, or a seed for all
levels around the place. What is already known decides where is looked, not which scores count, and all that was ever
measured stays in the curve. ``benchmarks/sweep_coverage.py`` shows how often the final interval holds the true value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .answer import Answer, Outcome

#: The levels that come first, after the dense model.
COARSE = (0.2, 0.4, 0.6, 0.8)
#: The levels that follow, one at a time, where a model loses too little at all others.
FURTHER = (0.9, 0.95)
#: The seeds that the levels around the answer have at least, if so many are allowed.
_FEWEST_SEEDS = 5
#: The levels are multiples of this.
STEP = 0.01


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far a design may go.

    Attributes:
        seeds: the seeds that every level has; the others come where the interval is too wide.
        most_seeds: the most seeds of a level.
        precision: the widest interval that is asked for, from 0 to 1.
        most_levels: the most levels that are tried, the dense model among them.
    """

    seeds: int
    most_seeds: int
    precision: float
    most_levels: int = 14


@dataclass(frozen=True)
class Cells:
    """The trials of a design: which seeds each level has.

    Attributes:
        seeds_of: by level, its seeds.
    """

    seeds_of: dict[float, tuple[int, ...]] = field(default_factory=dict)

    @property
    def levels(self) -> list[float]:
        """The levels, ascending."""
        return sorted(self.seeds_of)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        """Yield seed and level of each trial, seed by seed, the dense model first."""
        seeds = dict.fromkeys(seed for level in self.levels for seed in self.seeds_of[level])
        for seed in sorted(seeds):
            yield from ((seed, level) for level in self.levels if seed in self.seeds_of[level])

    def with_levels(self, *levels: float, seeds: int) -> Cells:
        """Return the design with further levels, each for so many seeds."""
        return Cells({**self.seeds_of, **{level: tuple(range(seeds)) for level in levels}})

    def with_seed(self, *levels: float) -> Cells:
        """Return the design with one more seed at some levels, and of the dense model that it is compared with."""
        seed = 1 + max(max(seeds) for seeds in self.seeds_of.values())
        more = {level: (*self.seeds_of[level], seed) for level in {self.levels[0], *levels}}
        return Cells({**self.seeds_of, **more})


def first(limits: Limits) -> Cells:
    """Return the design of the dense model alone: what shows whether there is anything to lose."""
    return Cells().with_levels(0.0, seeds=limits.seeds)


def following(cells: Cells, answer: Answer, limits: Limits) -> Cells | None:
    """Return the design that follows one whose trials are all there; None where it ends.

    Args:
        cells: the trials so far.
        answer: what they say.
        limits: how far to go.
    """
    dense = cells.levels[0]
    if answer.outcome is Outcome.NOT_LEARNED and len(cells.levels) == 1:
        # one seed of a few that fails hides that the others learned
        return cells.with_seed(dense) if len(cells.seeds_of[dense]) < answer.seeds <= limits.most_seeds else None
    if len(cells.levels) == 1:
        return cells.with_levels(*COARSE, seeds=limits.seeds)
    level = None
    if answer.essential.high > cells.levels[-1]:  # no end was found yet
        level = next((level for level in FURTHER if level > cells.levels[-1]), None)
    if level is None:
        level = _level_between(cells.levels, answer, limits)
    if level is not None:
        return cells.with_levels(level, seeds=limits.seeds)
    seeds = 1 + max(cells.seeds_of[dense])
    # few seeds that happen to agree look precise; and where the test examples are too few, more seeds do not help
    more = seeds < _FEWEST_SEEDS or answer.seeds > 0
    return cells.with_seed(*_around(cells.levels, answer)) if more and seeds < limits.most_seeds else None


def _level_between(levels: list[float], answer: Answer, limits: Limits) -> float | None:
    """Return the middle of a gap between levels that is too wide; None if there is none in the interval.

    The ends of the interval are levels, so gaps within it must be at most half as wide as the interval may be. The gap
    that holds the number itself comes first, then the widest.
    """
    if len(levels) >= limits.most_levels:
        return None
    low, value, high = answer.essential.low, answer.essential.value, answer.essential.high
    gaps = [(below, above) for below, above in pairwise(levels) if below >= low and above <= high]

    def order(gap: tuple[float, float]) -> tuple[bool, float]:
        below, above = gap
        return not below <= value < above, below - above

    for below, above in sorted(gaps, key=order):
        steps = round((above - below) / STEP)
        if steps * STEP > max(limits.precision / 2, STEP) + 1e-9:
            return float(np.round(below + STEP * (steps // 2), 6))
    return None


def _around(levels: list[float], answer: Answer) -> list[float]:
    """Return the levels of the interval, its ends among them."""
    return [level for level in levels if answer.essential.low <= level <= answer.essential.high]
