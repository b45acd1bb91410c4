"""The answer of a sweep: how much can go, how sure that is, and what it would take to know better."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
from scipy.stats import t as student_t

from ..analysis.choice import sparsity_range
from ..analysis.curve import Curve
from ..analysis.differences import Difference
from ..analysis.essential import essential_sparsity
from ..analysis.estimate import Estimate
from ..analysis.scoring import LOG_PROBABILITY
from .tolerance import Tolerance

#: More seeds than these are not proposed, nor more than so many times the test examples that there are.
_MOST_SEEDS, _MOST_TIMES = 50, 1000


class Outcome(StrEnum):
    """How far a sweep came.

    ``RESOLVED``: the interval is as narrow as was asked. ``WIDE``: it is wider. ``NEVER``: at no level that was tried
    is so much lost, so the number is a lower bound. ``NOT_LEARNED``: it is not sure that the dense model does better
    than a model that learned nothing and has nothing to lose. ``UNMEASURED``: no curve has two levels yet.
    """

    RESOLVED = "resolved"
    WIDE = "wider than asked"
    NEVER = "never lost so much"
    NOT_LEARNED = "not learned"
    UNMEASURED = "not measured yet"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a sweep says.

    Attributes:
        outcome: how far it came.
        essential: the largest sparsity at which no more is lost than is tolerated, from 0 to 1. Its interval begins at
            a level at which surely no more is lost. It ends at one at which surely more is, or at 1 if there is none.
            All is unknown where nothing was learned or measured.
        seeds: how many seeds would make the interval as narrow as was asked, as far as can be seen; one more than 50
            where more than these would be needed; 0 where it is narrow, where the measured levels lie too far apart,
            or where the test examples are too few for so many seeds. Where it is not sure that the dense model
            learned, as many as would show it; 0 if it scores no better than one that did not.
        examples: how many test examples would do where they are too few, with 50 seeds; else 0.
    """

    outcome: Outcome
    essential: Estimate
    seeds: int = 0
    examples: int = 0

    @property
    def width(self) -> float:
        """The width of the interval, from 0 to 1."""
        return self.essential.high - self.essential.low

    @property
    def needs(self) -> str:
        """What it would take for an interval as narrow as was asked, as a clause; empty where it is."""
        if self.examples:
            return f"about {self.examples:,} test examples would do with {_MOST_SEEDS} seeds, and no fewer of them"
        if not self.seeds:
            return ""
        number = f"about {self.seeds}" if self.seeds <= _MOST_SEEDS else f"more than {_MOST_SEEDS}"
        return f"{number} seeds would {'show that it did' if self.outcome is Outcome.NOT_LEARNED else 'do'}"


#: What is said where there is no curve.
UNMEASURED = Answer(outcome=Outcome.UNMEASURED, essential=Estimate(np.nan, np.nan, np.nan))


def answer(curve: Curve | None, tolerance: Tolerance, precision: float) -> Answer:
    """Return what a curve says of the largest sparsity at which no more is lost than is tolerated.

    Args:
        curve: the scores so far, or None.
        tolerance: the loss that is tolerated; for log-probabilities relative, as a rise of the perplexity.
        precision: the widest interval that is asked for, from 0 to 1.
    """
    if curve is None:
        return UNMEASURED
    if curve.metric != LOG_PROBABILITY and not curve.learned():
        return Answer(outcome=Outcome.NOT_LEARNED, essential=UNMEASURED.essential, seeds=_seeds_to_learn(curve))
    if len(curve.levels) < 2 or (len(curve.seeds) < 2 and curve.drawn.any()):  # one training tells nothing of others
        return UNMEASURED
    essential = _essential(curve, tolerance)
    narrow = essential.high - essential.low <= precision + 1e-9
    never = essential.value >= curve.levels.max()
    gaps = (above - below for below, above in pairwise(curve.levels) if below <= essential.value < above)
    measured = next(gaps, 0.0) <= precision + 1e-9  # else levels are wanted, not seeds
    wanting = measured and not narrow and essential.low < curve.levels.max()
    seeds, examples = _needs(curve, tolerance, precision, essential.value) if wanting else (0, 0)
    outcome = Outcome.NEVER if never else Outcome.RESOLVED if narrow else Outcome.WIDE
    return Answer(outcome=outcome, essential=essential, seeds=seeds, examples=examples)


def _essential(curve: Curve, tolerance: Tolerance) -> Estimate:
    """Return a curve's essential sparsity under a tolerance, with its interval.

    Other figures resample the place where the curve crosses the tolerance. That place has a wrong interval where a
    curve is flat; whether a level loses too much is asked here level by level, and needs no curve between them.
    """
    value = essential_sparsity(curve, *_epsilon(curve, tolerance)).value
    low, high = _interval(curve, tolerance)
    return Estimate(float(np.clip(value, low, high)), low, high)


def _interval(curve: Curve, tolerance: Tolerance) -> tuple[float, float]:
    """Return the interval of a curve's essential sparsity under a tolerance.

    It ends at the smallest level at which surely more is lost than is tolerated, as the loss's interval lies above, or
    at 1 if there is none. It begins at the largest level before that at which surely no more is lost.
    """
    low, high, _ = sparsity_range(curve, *_epsilon(curve, tolerance))
    return low, high


def _epsilon(curve: Curve, tolerance: Tolerance) -> tuple[float, bool]:
    """Return a tolerance in the unit of a curve's losses, and whether that is percent of the dense score."""
    if curve.metric == LOG_PROBABILITY:
        return tolerance.nats, False
    return tolerance.value, tolerance.relative


def _needs(curve: Curve, tolerance: Tolerance, precision: float, place: float) -> tuple[int, int]:
    """Return how many seeds would make the interval narrow, or else how many test examples; the other is 0.

    Args:
        curve: the scores so far.
        tolerance: the loss that is tolerated.
        precision: the widest interval that is asked for, from 0 to 1.
        place: the essential sparsity, from 0 to 1.
    """
    nearest = curve.prunings[1 + int(np.argmin(np.abs(curve.levels[1:] - place)))]
    drop = Difference(curve=curve, pairs=((curve.prunings[0], nearest),))

    def is_narrow(seeds: int, examples: int = curve.examples) -> bool:
        low, high = _interval(_expected(curve, drop, seeds, examples), tolerance)
        return high - low <= precision + 1e-9

    seeds = range(drop.seeds + 1, _MOST_SEEDS + 1)
    least = bisect_left(seeds, True, key=is_narrow)
    if least < len(seeds):
        return seeds[least], 0
    examples = range(100, _MOST_TIMES * curve.examples, 100)
    least = bisect_left(examples, True, key=lambda count: is_narrow(_MOST_SEEDS, count))
    return (0, examples[least]) if least < len(examples) else (_MOST_SEEDS + 1, 0)


def _seeds_to_learn(curve: Curve) -> int:
    """Return how many seeds would show that the dense model learned; 0 if it scores as one that learned nothing.

    With few seeds the interval is wide, as Student's t has it.
    """
    dense, seeds = curve.dense(), curve.seeds_of(curve.prunings[0])
    margin = dense.value - curve.majority
    if margin <= 0:
        return 0
    if seeds < 2:
        return 2
    half_of_one = (dense.value - dense.low) * seeds**0.5 / student_t.isf(0.025, seeds - 1)
    counts = range(seeds + 1, _MOST_SEEDS + 1)
    enough = (count for count in counts if half_of_one * student_t.isf(0.025, count - 1) < margin * count**0.5)
    return next(enough, _MOST_SEEDS + 1)


def _expected(curve: Curve, drop: Difference, seeds: int, examples: int) -> Curve:
    """Return a curve whose spread is what is expected of other numbers of seeds and test examples.

    Which examples flip in one training counts less with more seeds; which examples are drawn does not.

    Args:
        curve: the scores so far.
        drop: that of the level that the answer lies nearest to, which shows how much of the spread comes from where.
        seeds: the number of seeds.
        examples: the number of test examples.
    """
    parts = drop.components
    now = parts.interaction / drop.seeds + parts.choice
    then = (parts.interaction / seeds + parts.choice) * curve.examples / examples
    of_examples = (then / now) ** 0.5 if now else 0.0
    return replace(
        curve,
        noise=curve.noise * (drop.seeds / seeds) ** 0.5,
        resampled=curve.scores + of_examples * (curve.resampled - curve.scores),
    )
