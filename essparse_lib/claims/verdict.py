"""A verdict on a claim, as data: its outcome, the clauses that explain it, and the numbers that it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..analysis.estimate import Estimate
from ..wording import listing


class Outcome(StrEnum):
    """How the records stand to a claim.

    Attributes:
        AGREES: the evidence lies on the claim's side of its criterion.
        DIFFERS: it lies on the other side.
        DEPENDS: it lies on the claim's side under some settings, and on the other under others.
        INCONCLUSIVE: an interval holds both answers: more seeds or examples could decide it.
        UNTESTABLE: no number of runs like these could decide it: the models or tasks cannot show the effect.
        NOT_RUN: records are missing.
    """

    AGREES = "agrees"
    DIFFERS = "differs"
    DEPENDS = "depends on the setting"
    INCONCLUSIVE = "inconclusive"
    UNTESTABLE = "cannot be tested here"
    NOT_RUN = "not run yet"


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number that a verdict rests on.

    Attributes:
        estimate: the number with its 95% interval, in the unit; the interval is unknown (NaN) for an exact number.
        unit: the unit, such as ``points`` or ``%``; empty for a count.
        digits: number of digits after the decimal point in text.
        of: what the number was measured on, where there are several, such as ``minilm-l6 on cola``.
        at_least: whether the number is a lower bound.
        allowed: the least and the greatest value with which the claim agrees; None where the number decides nothing.
        reach: what the interval must reach besides for the claim to agree: the smallest effect that matters; None where
            there is no such effect.
        paper: the least and the greatest value that the paper reports; None where it gives none.
    """

    estimate: Estimate
    unit: str = ""
    digits: int = 0
    of: str = ""
    at_least: bool = False
    allowed: tuple[float, float] | None = None
    reach: float | None = None
    paper: tuple[float, float] | None = None

    @property
    def text(self) -> str:
        """The number in words.

        >>> Number(estimate=Estimate(16.2, 3.4, 46.0), unit="%", of="minilm-l6 on cola").text
        '16 [3, 46]% (minilm-l6 on cola)'
        """
        bound = "≥ " if self.at_least else ""
        unit = self.unit if self.unit in ("", "%") else f" {self.unit}"
        of = f" ({self.of})" if self.of else ""
        return f"{bound}{self.estimate.text(self.digits)}{unit}{of}"

    def plain(self) -> dict[str, Any]:
        """Return the number as plain data for JSON; an unknown value, or an end that is unknown or open, is None."""
        ends = {"value": self.estimate.value, "low": self.estimate.low, "high": self.estimate.high}
        known = {name: _finite(value) for name, value in ends.items()}
        ranges = {"allowed": self.allowed, "paper": self.paper}
        plain_ranges = {name: ends and [_finite(end) for end in ends] for name, ends in ranges.items()}
        return {
            **known,
            "text": self.text,
            "unit": self.unit,
            "of": self.of,
            "at_least": self.at_least,
            "reach": self.reach,
            **plain_ranges,
        }


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One clause of the explanation of a verdict.

    Attributes:
        text: the clause in words, without a capital or a full stop.
        outcome: the outcome that the clause reports; None if it reports none.
        places: what has that outcome: pairs of model and task, or names of tasks, readings or quantities.
    """

    text: str
    outcome: Outcome | None = None
    places: tuple[str | tuple[str, ...], ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return the clause as plain data for JSON."""
        places = [list(place) if isinstance(place, tuple) else place for place in self.places]
        return {"text": self.text, "outcome": self.outcome and self.outcome.value, "places": places}


def _finite(value: float) -> float | None:
    """Return a number for JSON, which has no infinite ones; None for one that is not finite."""
    return float(value) if math.isfinite(value) else None


#: How many places a statement names in words; more are counted.
_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the records say of a claim about tasks in one of three senses.

    Attributes:
        sense: the sense, such as ``on average over these tasks``.
        outcome: how the records stand to the claim in that sense.
        of: what is stated, such as a sparsity; empty where there is one thing alone.
        number: the number that decides; None where there are many.
        places: what has that outcome, where not all has it.
    """

    sense: str
    outcome: Outcome
    of: str = ""
    number: Number | None = None
    places: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The statement in words, without a capital or a full stop."""
        of = f"{self.of}, " if self.of else ""
        known = self.number is not None and self.number.estimate.known
        number = f" {self.number.text}," if self.number and known else ""
        places = ""
        if self.places:
            places = f" ({listing(self.places) if len(self.places) <= _MOST_NAMED else f'{len(self.places)} of them'})"
        return f"{of}{self.sense}:{number} {self.outcome}{places}"

    def plain(self) -> dict[str, Any]:
        """Return the statement as plain data for JSON."""
        number = self.number.plain() if self.number else None
        parts = {"sense": self.sense, "outcome": self.outcome.value, "of": self.of}
        return {**parts, "number": number, "places": list(self.places)}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How the records stand to a claim.

    Attributes:
        claim: name of the claim, such as ``C1``.
        outcome: how the records stand to the claim.
        clauses: why, one thing a clause.
        numbers: the numbers that decide, by name.
        summary: the numbers in a few words, each ``{}`` for the next of ``numbers``; empty where there are none.
        statements: what is stated beside the verdict, of claims about tasks; the first that have its sense decide it.
        needs: what it would take to test the claim, where it cannot be tested here; else empty.
    """

    claim: str
    outcome: Outcome
    clauses: tuple[Clause, ...]
    numbers: Mapping[str, Number] = field(default_factory=dict)
    summary: str = ""
    statements: tuple[Statement, ...] = ()
    needs: str = ""

    @property
    def reason(self) -> str:
        """All clauses in words, with semicolons between them."""
        return "; ".join(clause.text for clause in self.clauses)

    @property
    def measured(self) -> str:
        """The numbers that decide, in a few words, with their intervals; empty where there are none.

        >>> gap = Number(estimate=Estimate(2, 1, 3), unit="points")
        >>> Verdict(claim="C1", outcome=Outcome.AGREES, clauses=(), numbers={"gap": gap}, summary="at most {}").measured
        'at most 2 [1, 3] points'
        """
        return self.summary.format(*(number.text for number in self.numbers.values()))

    @property
    def finding(self) -> str:
        """What was measured as a sentence, or why nothing was, with what it would take.

        >>> untestable("C3", "there is one model", needs="a second model").finding
        'There is one model. It would take a second model.'
        """
        needs = f" It would take {self.needs}." if self.needs else ""
        return f"{_sentence(self.measured or self.reason)}{needs}".strip()

    @property
    def text(self) -> str:
        """The whole verdict in Markdown: a sentence, or a list where there are more than two clauses.

        >>> no, none, never = Clause(text="no"), Clause(text="none"), Clause(text="never")
        >>> Verdict(claim="C1", outcome=Outcome.DIFFERS, clauses=(no, none)).text
        '**C1: differs.** No; none.'
        >>> Verdict(claim="C1", outcome=Outcome.DIFFERS, clauses=(no, none, never)).text
        '**C1: differs.**\\n\\n- No.\\n- None.\\n- Never.'
        """
        heading = f"**{self.claim}: {self.outcome}.**"
        if len(self.clauses) <= 2:
            return f"{heading} {_sentence(self.reason)}".strip()
        items = [f"\n- {_sentence(clause.text)}" for clause in self.clauses]
        return f"{heading}\n{''.join(items)}"

    def plain(self) -> dict[str, Any]:
        """Return the verdict as plain data, which ``json.dumps`` takes as it is.

        >>> plain = Verdict(claim="C1", outcome=Outcome.DIFFERS, clauses=(Clause(text="no"),)).plain()
        >>> plain["outcome"], plain["clauses"]
        ('differs', [{'text': 'no', 'outcome': None, 'places': []}])
        """
        return {
            "claim": self.claim,
            "outcome": self.outcome.value,
            "clauses": [clause.plain() for clause in self.clauses],
            "numbers": {name: number.plain() for name, number in self.numbers.items()},
            "statements": [statement.plain() for statement in self.statements],
            "measured": self.measured,
            "finding": self.finding,
            "needs": self.needs,
        }


def _sentence(text: str) -> str:
    """Return a text with a capital and a full stop; an empty one stays empty."""
    return f"{text[0].upper()}{text[1:]}." if text else ""


def untested_at_tiny_scale(claim: str) -> Verdict:
    """Return the verdict on a claim at the tiny scale, where nothing is tested."""
    return untestable(claim, "the models at this scale are random and very small", needs="the lab scale")


def not_run(claim: str, *reasons: str) -> Verdict:
    """Return the verdict on a claim whose records are missing.

    Args:
        claim: name of the claim, such as ``C1``.
        reasons: what is missing, one clause each.
    """
    return Verdict(claim=claim, outcome=Outcome.NOT_RUN, clauses=tuple(Clause(text=reason) for reason in reasons))


def untestable(claim: str, *reasons: str, needs: str) -> Verdict:
    """Return the verdict on a claim that more runs of the same models and tasks could not decide.

    Args:
        claim: name of the claim, such as ``C1``.
        reasons: why not, one clause each.
        needs: what it would take.
    """
    clauses = tuple(Clause(text=reason) for reason in reasons)
    return Verdict(claim=claim, outcome=Outcome.UNTESTABLE, clauses=clauses, needs=needs)
