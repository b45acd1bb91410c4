"""The frames of a report's chart: the whole curve and, where the tolerance is small in it, what lies near that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...wording import number_text
from .facts import Facts

#: Rises of the perplexity with a tick where the whole curve is drawn, in percent.
_RISES = (0.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0, 1_000_000.0)

#: The tolerance is seen where the frame is at most so many times as high.
_FINE = 8.0


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame of the chart.

    Attributes:
        title: what is in it.
        least: the least loss in it, as it is shown.
        most: the largest loss in it.
        last: the highest sparsity in it, from 0 to 1.
        rises: whether losses are drawn upwards, as a rise of the perplexity is; else a loss is a fall.
        logarithmic: whether heights are those of the perplexity's logarithm.
    """

    title: str
    least: float
    most: float
    last: float
    rises: bool
    logarithmic: bool

    def height(self, loss: float) -> float:
        """Return how high a loss lies, from 0 at the bottom to 1 at the top; beyond these outside of the frame."""
        least, most = self._scaled(self.least), self._scaled(self.most)
        share = (self._scaled(loss) - least) / (most - least)
        return share if self.rises else 1 - share

    def holds(self, loss: float) -> bool:
        """Return whether a loss lies in the frame."""
        return self.least <= loss <= self.most

    def ticks(self) -> list[float]:
        """Return the losses that have a tick."""
        if self.logarithmic:
            return self._apart([rise for rise in _RISES if self.holds(rise)])
        step = tick_step(self.most - self.least)
        first, last = math.ceil(self.least / step), math.floor(self.most / step)
        return [step * number for number in range(first, last + 1)]

    def _apart(self, rises: list[float]) -> list[float]:
        """Return ticks without those that lie too near to the one below."""
        ticks = rises[:1]
        for rise in rises[1:]:
            if self.height(rise) - self.height(ticks[-1]) > 0.07:
                ticks.append(rise)
        return ticks

    def _scaled(self, loss: float) -> float:
        return math.log1p(max(loss, -99.0) / 100) if self.logarithmic else loss


def frames(facts: Facts) -> list[Frame]:
    """Return the frames of the chart; none where there is no curve."""
    if not facts.has_curve:
        return []
    ends = [end for place in facts.places for end in (place.loss.value, place.loss.low, place.loss.high)]
    finite = [min(end, _RISES[-1]) for end in ends if not math.isnan(end)]
    tolerance, perplexity = facts.tolerance, facts.unit.perplexity
    least, most = min(finite), max(*finite, 1.5 * tolerance)
    room = 0.06 * (most - least)
    last = facts.levels[-1].sparsity  # where every trial failed, there is no place
    small = most - least > _FINE * tolerance
    logarithmic = perplexity and small
    whole = Frame(
        title="the whole curve" if small else "",
        least=least - (0.02 * tolerance if logarithmic else room),
        most=most + room,
        last=last,
        rises=perplexity,
        logarithmic=logarithmic,
    )
    if not small:
        return [whole]
    near = Frame(
        title="near the tolerance",
        least=max(whole.least, -2 * tolerance),
        most=4 * tolerance,
        last=last,
        rises=perplexity,
        logarithmic=False,
    )
    return [whole, near]


def tick_step(span: float, ticks: int = 7) -> float:
    """Return a round distance of at most about so many ticks in a span.

    >>> tick_step(40), tick_step(0.9), tick_step(6)
    (10.0, 0.2, 1.0)
    """
    rough = span / ticks
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """Return the ticks of an axis in words, all with as many digits; thousands and millions are shortened.

    >>> tick_texts([-0.5, 0.0, 0.5]), tick_texts([0.0, 1000.0, 1e6])
    (['−0.5', '0.0', '0.5'], ['0', '1k', '1M'])
    """
    digits = next((n for n in range(4) if all(abs(tick - round(tick, n)) < 1e-9 for tick in ticks)), 4)
    return [_tick_text(tick, digits) for tick in ticks]


def _tick_text(tick: float, digits: int) -> str:
    if tick < 1000:
        return number_text(tick, digits)
    return f"{tick / 1e6:g}M" if tick >= 1e6 else f"{tick / 1e3:g}k"
