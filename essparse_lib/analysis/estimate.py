"""A number with its interval: what every analysis returns."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..wording import number_text

#: How many bootstrap resamples an interval rests on.
RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval. The number or its interval may be unknown (NaN).

    Attributes:
        value: the number, in any unit.
        low: the lower end of the interval, in the same unit.
        high: the upper end of the interval, in the same unit.
    """

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether the number is known (not NaN)."""
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether the interval of the number is known (not NaN)."""
        return not (math.isnan(self.low) and math.isnan(self.high))

    def __neg__(self) -> Estimate:
        """Return the estimate with the opposite sign, such as the change that belongs to a drop."""
        return Estimate(-self.value, -self.high, -self.low)

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate in another unit.

        >>> Estimate(0.4, 0.3, 0.5).scaled(100)
        Estimate(value=40.0, low=30.0, high=50.0)
        """
        return Estimate(factor * self.value, factor * self.low, factor * self.high)

    def text(self, digits: int = 1, scale: float = 1.0, last: float = math.inf) -> str:
        """Return the estimate in words, such as ``0.8 [−0.3, 1.9]``.

        Where the interval is unknown, only the number is given.

        Args:
            digits: number of digits after the decimal point.
            scale: factor to another unit, such as 100 for percent.
            last: the largest value that could be measured, before scaling; from there on the number is a lower bound,
                and ``≥`` is written before it.

        >>> Estimate(0.8, -0.3, 1.9).text(), UNKNOWN.scaled(1).text(), Estimate(1, 1, 1).text(last=1)
        ('0.8 [−0.3, 1.9]', 'nan', '≥ 1.0 [1.0, 1.0]')
        """
        value, low, high = (number_text(scale * number, digits) for number in (self.value, self.low, self.high))
        interval = f" [{low}, {high}]" if self.has_interval else ""
        return f"{'≥ ' if self.value >= last else ''}{value}{interval}"

    def text_by_zero(self) -> str:
        """Return the estimate in words, with the digits, from one to three, that show on which side of 0 its ends lie.

        >>> Estimate(0.8, 0.02, 1.9).text_by_zero(), Estimate(0.8, -0.3, 1.9).text_by_zero()
        ('0.80 [0.02, 1.90]', '0.8 [−0.3, 1.9]')
        """
        ends = [end for end in (self.low, self.high) if end and not math.isnan(end)]
        digits = next((digits for digits in (1, 2) if all(round(end, digits) for end in ends)), 3)
        return self.text(digits)


#: A number of which nothing is known.
UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def percentile_interval(value: float, resamples: np.ndarray) -> Estimate:
    """Return a value with the 2.5% and 97.5% quantiles of its resamples (percentile bootstrap, Efron 1979).

    Args:
        value: the statistic of the data, in any unit.
        resamples: the same statistic of each resample, shape (resamples,); resamples that are NaN are left out.
    """
    known = resamples[~np.isnan(resamples)]
    if math.isnan(value) or not len(known):
        return Estimate(float(value), math.nan, math.nan)
    low, high = np.quantile(known, (0.025, 0.975))
    return Estimate(float(value), float(low), float(high))


def exact(value: float) -> Estimate:
    """Return a number that was counted rather than estimated, without an interval."""
    return Estimate(value, math.nan, math.nan)
