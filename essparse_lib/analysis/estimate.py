"""A number with its interval: what every analysis returns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..wording import number_text


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval, either of which may be unknown (NaN).

    Attributes:
        value: the number, in any unit.
        low: lower end of the interval, in the same unit.
        high: upper end of the interval, in the same unit.
    """

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is a number at all."""
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether its interval is known."""
        return not (math.isnan(self.low) and math.isnan(self.high))

    def __neg__(self) -> Estimate:
        """Return the change that belongs to a drop, or the reverse."""
        return Estimate(-self.value, -self.high, -self.low)

    def scaled(self, factor: float) -> Estimate:
        """Return it in another unit.

        >>> Estimate(0.4, 0.3, 0.5).scaled(100)
        Estimate(value=40.0, low=30.0, high=50.0)
        """
        return Estimate(factor * self.value, factor * self.low, factor * self.high)

    def text(self, digits: int = 1, scale: float = 1.0, last: float = math.inf) -> str:
        """Return it as a sentence has it, such as ``0.8 [−0.3, 1.9]``; ``0.8`` alone where the interval is unknown.

        Args:
            digits: after the point.
            scale: factor to another unit, such as 100 for percent.
            last: the largest value that was looked at, before scaling; from there on ``≥`` stands before the number.

        >>> Estimate(0.8, -0.3, 1.9).text(), UNKNOWN.scaled(1).text(), Estimate(1, 1, 1).text(last=1)
        ('0.8 [−0.3, 1.9]', 'nan', '≥ 1.0 [1.0, 1.0]')
        """
        value, low, high = (number_text(scale * number, digits) for number in (self.value, self.low, self.high))
        interval = f" [{low}, {high}]" if self.has_interval else ""
        return f"{'≥ ' if self.value >= last else ''}{value}{interval}"


#: What nothing is known of.
UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def percentile_interval(value: float, resamples: np.ndarray) -> Estimate:
    """Return a value with the 2.5% and 97.5% quantiles of its resamples (percentile bootstrap, Efron 1979).

    Args:
        value: computed from the data as they are.
        resamples: the same from each resample, shape (resamples,); those that are NaN are left out.
    """
    known = resamples[~np.isnan(resamples)]
    if math.isnan(value) or not len(known):
        return Estimate(float(value), math.nan, math.nan)
    low, high = np.quantile(known, (0.025, 0.975))
    return Estimate(float(value), float(low), float(high))
