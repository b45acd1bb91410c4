"""What every verdict is made of: its outcomes, and the rules that turn intervals into them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from ..analysis.estimate import Estimate

Outcome = Literal["agrees", "differs", "inconclusive", "not tested at this scale"]

_What = TypeVar("_What")

#: Fewer seeds than this decide nothing.
SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How the records stand to a claim.

    Attributes:
        claim: its name, such as ``C1``.
        reason: why, in clauses with semicolons between them.
        measured: the numbers that decide, in a few words, with their intervals; empty where there are none.
    """

    claim: str
    outcome: Outcome
    reason: str
    measured: str = ""

    @property
    def text(self) -> str:
        """All of it, in Markdown: a sentence, or a list where there are more than two clauses.

        >>> Verdict(claim="C1", outcome="differs", reason="no; none").text
        '**C1: differs.** No; none.'
        >>> Verdict(claim="C1", outcome="differs", reason="no; none; never").text
        '**C1: differs.**\\n\\n- No.\\n- None.\\n- Never.'
        """
        clauses = self.reason.split("; ")
        sentences = [f"{c[0].upper()}{c[1:]}." for c in (clauses if len(clauses) > 2 else [self.reason])]
        said = f" {sentences[0]}" if len(sentences) == 1 else "".join(["\n", *(f"\n- {s}" for s in sentences)])
        return f"**{self.claim}: {self.outcome}.**{said}"


def untested(claim: str) -> Verdict:
    """That of the tiny scale."""
    return Verdict(
        claim=claim, outcome="not tested at this scale", reason="the models at this scale are random and very small"
    )


def against(estimate: Estimate, threshold: float) -> Outcome:
    """Whether an estimate is at least the threshold: its whole 95% interval must lie on one side."""
    if estimate.low >= threshold:
        return "agrees"
    return "differs" if estimate.high < threshold else "inconclusive"


def above_zero(estimate: Estimate) -> Outcome:
    """Whether a difference is above 0: its whole 95% interval must lie on one side, and not touch it."""
    return "agrees" if estimate.low > 0 else "differs" if estimate.high < 0 else "inconclusive"


def by_outcome(judged: Iterable[tuple[Outcome, _What]]) -> dict[Outcome, list[_What]]:
    """What came out, and for what.

    >>> by_outcome([("agrees", "rte"), ("differs", "sst2"), ("agrees", "cola")])
    {'agrees': ['rte', 'cola'], 'differs': ['sst2']}
    """
    found: dict[Outcome, list[_What]] = {}
    for outcome, what in judged:
        found.setdefault(outcome, []).append(what)
    return found


def least(outcomes: Container[Outcome]) -> Outcome:
    """The least favourable of those that occur.

    >>> least({"agrees", "inconclusive"})
    'inconclusive'
    """
    order: tuple[Outcome, ...] = ("differs", "inconclusive", "agrees")
    return next(outcome for outcome in order if outcome in outcomes)
