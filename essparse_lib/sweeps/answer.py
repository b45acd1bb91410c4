"""The answer of a sweep: how much can go, how sure that is, and what it would take to know better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from ..analysis.curve import Curve
from ..analysis.essential import resampled_essential_sparsity
from ..analysis.estimate import Estimate, percentile_interval
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
        essential: the largest sparsity at which no more is lost than is tolerated, from 0 to 1, with its interval;
            unknown where nothing was learned or measured.
        gap: the distance of the two measured levels that the number lies between; 0 where it is unknown.
        needs: what it would take for an interval as narrow as was asked, as a clause; empty where it is.
    """

    outcome: Outcome
    essential: Estimate
    gap: float = 0.0
    needs: str = ""

    @property
    def width(self) -> float:
        """The width of the interval, from 0 to 1."""
        return self.essential.high - self.essential.low


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
    if len(curve.levels) < 2:
        return UNMEASURED
    essential = _essential(curve, tolerance)
    gap = _gap(curve.levels, essential.value)
    if essential.value >= curve.levels.max():
        return Answer(outcome=Outcome.NEVER, essential=essential, gap=gap)
    width = essential.high - essential.low
    if max(width, gap) <= precision + 1e-9:
        return Answer(outcome=Outcome.RESOLVED, essential=essential, gap=gap)
    return Answer(outcome=Outcome.WIDE, essential=essential, gap=gap, needs=_needs(curve, tolerance, precision))


def _essential(curve: Curve, tolerance: Tolerance) -> Estimate:
    """Return a curve's essential sparsity under a tolerance, with its interval."""
    if curve.metric == LOG_PROBABILITY:
        return percentile_interval(*resampled_essential_sparsity(curve, tolerance.nats))
    return percentile_interval(*resampled_essential_sparsity(curve, tolerance.value, tolerance.relative))


def _gap(levels: np.ndarray, place: float) -> float:
    """Return the distance of the two levels that a place lies between.

    >>> round(_gap(np.array([0.0, 0.2, 0.4]), 0.25), 6)
    0.2
    """
    ordered = np.unique(levels)
    after = int(np.clip(np.searchsorted(ordered, place, side="right"), 1, len(ordered) - 1))
    return float(ordered[after] - ordered[after - 1])


def _needs(curve: Curve, tolerance: Tolerance, precision: float) -> str:
    """Return what it would take for an interval of so much, as a clause: more seeds, or more test examples."""
    seeds = curve.seeds_of(curve.prunings[0])
    drawn = bool(curve.drawn.any())
    for count in range(seeds + 1, _MOST_SEEDS + 1) if drawn else ():
        if _width(_with_noise(curve, np.sqrt(seeds / count)), tolerance) <= precision:
            return f"about {count} seeds in place of {seeds} would do"
    alone = _width(_with_noise(curve, 0.0), tolerance)
    if alone <= precision:
        return f"more than {_MOST_SEEDS} seeds would be needed" if drawn else "more levels would do"
    examples = int(np.ceil(curve.examples * (alone / precision) ** 2 / 100)) * 100
    return f"about {examples:,} test examples in place of {curve.examples:,} would do, whatever the number of seeds"


def _width(curve: Curve, tolerance: Tolerance) -> float:
    essential = _essential(curve, tolerance)
    return essential.high - essential.low


def _with_noise(curve: Curve, factor: float) -> Curve:
    """Return a curve whose noise from training is so many times as large."""
    return replace(curve, noise=curve.noise * factor)
