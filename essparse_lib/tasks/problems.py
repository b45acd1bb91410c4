"""Hold arithmetic word problems: a text with numbers in it, and the equation that answers it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .equations import LONGEST, SLOTS, SYMBOLS, has_value_of, value
from .task import fingerprint_rows, hash_text


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An arithmetic word problem.

    Attributes:
        question: its text, in which the words ``number0``, ``number1`` and so on stand for the numbers.
        numbers: the numbers.
        equation: symbols of the right equation, in prefix notation (``equations``).
        leaked: of a test problem, whether its question stands word for word in the training set.
    """

    question: str
    numbers: tuple[float, ...]
    equation: tuple[str, ...]
    leaked: bool = False

    def fault(self) -> str:
        """Return what makes the problem unfit, in words; empty if nothing does."""
        words = self.question.split()
        unknown = [symbol for symbol in self.equation if symbol not in SYMBOLS]
        absent = [slot for slot in SLOTS[: len(self.numbers)] if slot not in words]
        if not self.numbers or len(self.numbers) > len(SLOTS):
            return f"{len(self.numbers)} numbers, where 1 to {len(SLOTS)} must be"
        if not all(map(math.isfinite, self.numbers)):
            return "a number that is NaN or infinite"
        if absent:
            return f"no {absent[0]} in its question"
        if surplus := [slot for slot in SLOTS[len(self.numbers) :] if slot in words]:
            return f"{surplus[0]} in its question and {len(self.numbers)} numbers"
        if unknown:
            return f"{unknown[0]!r} in its equation, which is no symbol of an equation here"
        if len(self.equation) > LONGEST:
            return f"an equation of {len(self.equation)} symbols, and the longest may have {LONGEST}"
        return "" if value(self.equation, self.numbers) is not None else "an equation without a value"


@dataclass(frozen=True)
class Problems:
    """Arithmetic word problems in a fixed order.

    Attributes:
        items: the problems.
        commonest: the equation that most training problems have; a model that learned nothing but it scores the share
            of the problems that it answers.
    """

    items: Sequence[Problem]
    commonest: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.items)

    def take(self, positions: Sequence[int]) -> Problems:
        """Return the problems at some positions, in that order."""
        return replace(self, items=[self.items[i] for i in positions])

    def fingerprint(self) -> str:
        """Return the SHA-256 of all questions, numbers and equations, in order; its first 16 hexadecimal digits."""
        return fingerprint_rows(
            (problem.question, *map(str, problem.numbers), *problem.equation) for problem in self.items
        )

    def keys(self) -> list[bytes]:
        """Return the SHA-256 of each question with its numbers."""
        return [hash_text("\n".join((each.question, *map(str, each.numbers)))) for each in self.items]

    def fault(self, classes: int) -> str:
        """Return what makes the problems unfit, in words; empty if nothing does. Classes do not matter."""
        if not self.items:
            return "no problems"
        faults = (f"a problem with {fault}" for problem in self.items if (fault := problem.fault()))
        return next(faults, "")

    def right(self, equations: Iterable[Sequence[str]]) -> list[bool]:
        """Return of each problem whether the equation given for it has the right one's value."""
        pairs = zip(self.items, equations, strict=True)
        return [has_value_of(equation, problem.equation, problem.numbers) for problem, equation in pairs]

    def exact(self, equations: Iterable[Sequence[str]]) -> list[bool]:
        """Return of each problem whether the equation given for it is the right one, symbol for symbol."""
        pairs = zip(self.items, equations, strict=True)
        return [tuple(equation) == problem.equation for problem, equation in pairs]


def against(train: Sequence[Problem], test: Sequence[Problem]) -> tuple[Problems, Problems]:
    """Return training and test problems with what each set says of the other: leaked questions, commonest equation.

    >>> one = Problem(question="number0 and number1", numbers=(1, 2), equation=("+", "number0", "number1"))
    >>> other = Problem(question="number0 of number1", numbers=(1, 2), equation=("-", "number1", "number0"))
    >>> [problem.leaked for problem in against([one], [one, other])[1].items]
    [True, False]
    """
    seen = {problem.question for problem in train}
    counts = Counter(problem.equation for problem in train)
    # of equally common ones the first in the alphabet, so that the order of the problems does not matter
    commonest = min(counts, key=lambda equation: (-counts[equation], equation), default=())
    marked = [replace(problem, leaked=problem.question in seen) for problem in test]
    return Problems(list(train), commonest), Problems(marked, commonest)
