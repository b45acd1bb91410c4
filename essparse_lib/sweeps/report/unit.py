"""What a report states a loss in: points of the score, percent of the dense score, or a rise of the perplexity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.curve import Curve
from ...analysis.estimate import Estimate
from ...analysis.scoring import LOG_PROBABILITY
from ..tolerance import Tolerance

#: Numbers above this are not written out.
_LARGEST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class LossUnit:
    """A unit of losses, and the words for it.

    A curve's own losses are linear between its levels: points, percent or nats. Losses as they are shown are the same
    but for nats, which are shown as a rise of the perplexity.

    Attributes:
        loss: what a loss is called.
        unit: the unit, as it stands after a number.
        score: what the score is called.
        relative: whether a curve's losses are read in percent of the dense score.
        perplexity: whether losses are shown as a rise of the perplexity.
        digits: how many digits after the point a loss has.
    """

    loss: str
    unit: str
    score: str
    relative: bool
    perplexity: bool
    digits: int

    @classmethod
    def of(cls, metric: str, tolerance: Tolerance) -> LossUnit:
        """Return the unit that a tolerance is stated in, for a metric."""
        digits = 1 if tolerance.value >= 1 else 2
        if metric == LOG_PROBABILITY:
            return cls(
                loss="rise of the perplexity",
                unit="%",
                score="perplexity",
                relative=False,
                perplexity=True,
                digits=digits,
            )
        return cls(
            loss="lost",
            unit="% of the dense score" if tolerance.relative else "points",
            score=metric.replace("_", " "),
            relative=tolerance.relative,
            perplexity=False,
            digits=digits,
        )

    @property
    def axis(self) -> str:
        """The loss and its unit, as the title of an axis or of a column."""
        return f"{self.loss} ({self.unit})"

    def losses(self, curve: Curve) -> list[Estimate]:
        """Return the loss at each level with its interval, in the curve's own unit."""
        return curve.drop_estimates(self.relative)

    def losses_of_seeds(self, curve: Curve) -> np.ndarray:
        """Return the loss of each seed at each level, in the curve's own unit, shape (seeds, levels)."""
        dense = curve.scores[:, :1]
        losses = dense - curve.scores
        if not self.relative:
            return losses
        return 100 * np.divide(losses, dense, out=np.full_like(losses, np.nan), where=dense > 0)

    def spread(self, curve: Curve, points: float) -> float:
        """Return a standard deviation of a curve's scores as it is shown; one of log-probabilities is about so."""
        if self.relative:
            dense = float(curve.scores[:, 0].mean())
            return 100 * points / dense if dense > 0 else float("nan")
        return self.shown(points)

    def shown(self, loss: float) -> float:
        """Return a loss of a curve as it is shown: nats as the rise of the perplexity in percent.

        >>> unit = LossUnit.of(LOG_PROBABILITY, Tolerance(5))
        >>> round(unit.shown(float(np.log(1.05))), 6)
        5.0
        """
        if not self.perplexity:
            return float(loss)
        with np.errstate(over="ignore"):  # too large a number is infinite, and is written as such
            return float(100 * np.expm1(loss))

    def shown_loss(self, loss: Estimate) -> Estimate:
        """Return a loss of a curve with its interval as it is shown."""
        return Estimate(self.shown(loss.value), self.shown(loss.low), self.shown(loss.high))

    def shown_score(self, score: Estimate) -> Estimate:
        """Return a score of a curve with its interval as it is shown: a log-probability as the perplexity."""
        if not self.perplexity:
            return score
        with np.errstate(over="ignore"):
            value, low, high = np.exp([-score.value, -score.high, -score.low])
        return Estimate(float(value), float(low), float(high))

    def loss_text(self, loss: Estimate) -> str:
        """Return a loss as it is shown in words, without its unit."""
        return number_with_interval(loss, self.digits)

    def score_text(self, score: Estimate) -> str:
        """Return a score as it is shown in words."""
        return number_with_interval(score, 2 if self.perplexity else 1)


def number_with_interval(estimate: Estimate, digits: int) -> str:
    """Return a number with its interval in words; large numbers have no digits after the point.

    >>> number_with_interval(Estimate(1.25, 0.5, 2), 1), number_with_interval(Estimate(float("inf"), 1, 2), 1)
    ('1.2 [0.5, 2.0]', 'over 1,000,000')
    >>> number_with_interval(Estimate(float("nan"), float("nan"), float("nan")), 1)
    'unknown'
    """
    if not estimate.known:
        return "unknown"
    if abs(estimate.value) > _LARGEST:
        return f"over {_LARGEST:,}"
    return estimate.text(digits if abs(estimate.value) < 1000 else 0)
