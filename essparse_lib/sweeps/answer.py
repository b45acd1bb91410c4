"""The answer of a sweep: how much can go, how sure that is, and what it would take to know better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from ..analysis.curve import Curve
from ..analysis.essential import resampled_essential_sparsity
from ..analysis.estimate import Estimate
from ..analysis.scoring import LOG_PROBABILITY
from .tolerance import Tolerance

#: More seeds than these are not proposed.
_MOST_SEEDS = 50


class Outcome(StrEnum):
    """How far a sweep came.

    ``RESOLVED``: the interval is as narrow as was asked. ``WIDE``: it is wider. ``NEVER``: at no level that was tried
    is so much lost, so the number is a lower bound. ``NOT_LEARNED``: the dense model does no better than a model that
    learned nothing, so that there is nothing to lose. ``UNMEASURED``: no curve has two levels yet.
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
        seeds: how many seeds would make the interval as narrow as was asked, as far as can be seen; 0 where it is, or
            where no number of seeds would, since the test examples are too few.
        examples: how many test examples it would take where seeds do not help; else 0.
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
            return f"about {self.examples:,} test examples would do, and no number of seeds with fewer"
        return f"about {self.seeds} seeds would do" if self.seeds else ""


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
        return Answer(outcome=Outcome.NOT_LEARNED, essential=UNMEASURED.essential)
    if len(curve.levels) < 2 or (len(curve.seeds) < 2 and curve.drawn.any()):  # one training tells nothing of others
        return UNMEASURED
    essential = _essential(curve, tolerance)
    narrow = essential.high - essential.low <= precision + 1e-9
    seeds, examples = (0, 0) if narrow else _needs(curve, tolerance, precision)
    never = essential.value >= curve.levels.max()
    outcome = Outcome.NEVER if never else Outcome.RESOLVED if narrow else Outcome.WIDE
    return Answer(outcome=outcome, essential=essential, seeds=seeds, examples=examples)


def _essential(curve: Curve, tolerance: Tolerance) -> Estimate:
    """Return a curve's essential sparsity under a tolerance, with its interval.

    The interval ends at the smallest level at which surely more is lost than is tolerated, as the loss's interval lies
    above, or at 1 if there is none. It begins at the largest level before that at which surely no more is lost.
    Other figures resample the place where the curve crosses the tolerance. That place has a wrong interval where a
    curve is flat; whether a level loses too much is asked here level by level, and needs no curve between them.
    """
    relative = tolerance.relative and curve.metric != LOG_PROBABILITY
    epsilon = tolerance.nats if curve.metric == LOG_PROBABILITY else tolerance.value
    value, _ = resampled_essential_sparsity(curve, epsilon, relative)
    losses = list(zip(curve.levels.tolist(), curve.drop_estimates(relative), strict=True))
    high = min((level for level, loss in losses if loss.low > epsilon), default=1.0)
    low = max((level for level, loss in losses if level < high and loss.high <= epsilon), default=0.0)
    return Estimate(float(np.clip(value, low, high)), low, high)


def _needs(curve: Curve, tolerance: Tolerance, precision: float) -> tuple[int, int]:
    """Return how many seeds an interval of so much would take, and how many test examples if seeds do not help."""
    alone = _width(_with_noise(curve, 0.0), tolerance)
    if alone > precision:
        return 0, int(np.ceil(curve.examples * (alone / precision) ** 2 / 100)) * 100
    seeds = curve.seeds_of(curve.prunings[0])
    for count in range(seeds + 1, _MOST_SEEDS):
        if _width(_with_noise(curve, np.sqrt(seeds / count)), tolerance) <= precision:
            return count, 0
    return _MOST_SEEDS, 0


def _width(curve: Curve, tolerance: Tolerance) -> float:
    essential = _essential(curve, tolerance)
    return essential.high - essential.low


def _with_noise(curve: Curve, factor: float) -> Curve:
    """Return a curve whose noise from training is so many times as large."""
    return replace(curve, noise=curve.noise * factor)
