"""The loss that somebody tolerates: in points of the score, or in percent of the dense model's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..analysis.essential import check_epsilon
from ..analysis.scoring import LOG_PROBABILITY
from ..errors import InputError, shown
from ..texts import number_of_text


@dataclass(frozen=True)
class Tolerance:
    """How much may be lost.

    Attributes:
        value: in points of the score or, where it is relative, in percent of the dense model's; of a perplexity, by how
            many percent it may rise.
        relative: whether it is in percent.

    Raises:
        InputError: the value is not above 0 and at most 100.

    >>> str(Tolerance.read("1%")), str(Tolerance.read(0.5))
    ('1% of the dense score', '0.5 points')
    """

    value: float
    relative: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", check_epsilon(self.value))

    @classmethod
    def read(cls, text: object) -> Tolerance:
        """Return the tolerance that a number (points) or a text such as ``1`` or ``1%`` stands for.

        Raises:
            InputError: it is no such text, or not above 0 and at most 100.
        """
        if not isinstance(text, str):
            return cls(check_epsilon(text))
        number = number_of_text(text.strip().removesuffix("%").strip())
        if math.isnan(number) or not 0 < number <= 100:
            raise InputError(
                f"epsilon {shown(text)} is not allowed: give points, such as 1, or percent of the dense score, such as "
                "1%; above 0 and at most 100"
            )
        return cls(number, text.strip().endswith("%"))

    @property
    def option(self) -> str:
        """What the command line's ``--epsilon`` takes."""
        return f"{self.value:g}{'%' if self.relative else ''}"

    @property
    def nats(self) -> float:
        """The rise of the perplexity that is tolerated, as a loss of the mean log-probability of a token."""
        return math.log1p(self.value / 100)

    def text(self, metric: str) -> str:
        """Return the tolerated loss of a metric in words.

        >>> Tolerance(2.0, relative=True).text("log_probability"), Tolerance(2.0).text("accuracy")
        ('a rise of the perplexity by 2%', '2 points')
        """
        return f"a rise of the perplexity by {self.value:g}%" if metric == LOG_PROBABILITY else str(self)

    def __str__(self) -> str:
        if self.relative:
            return f"{self.value:g}% of the dense score"
        return f"{self.value:g} point{'s' * (self.value != 1)}"
