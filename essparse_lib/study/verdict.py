"""What every verdict is made of: its outcomes, and the rules that turn intervals into them."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from statistics import correlation, fmean
from typing import Literal, TypeVar

from .curves import Estimate
from .trial import Trial

Outcome = Literal["agrees", "differs", "inconclusive", "not tested at this scale"]

_What = TypeVar("_What")

#: Fewer seeds than this decide nothing.
SEEDS = 3


@dataclass(frozen=True)
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

        >>> Verdict("C1", "differs", "no; none").text
        '**C1: differs.** No; none.'
        >>> Verdict("C1", "differs", "no; none; never").text
        '**C1: differs.**\\n\\n- No.\\n- None.\\n- Never.'
        """
        clauses = self.reason.split("; ")
        sentences = [f"{c[0].upper()}{c[1:]}." for c in (clauses if len(clauses) > 2 else [self.reason])]
        said = f" {sentences[0]}" if len(sentences) == 1 else "".join(["\n", *(f"\n- {s}" for s in sentences)])
        return f"**{self.claim}: {self.outcome}.**{said}"


def untested(claim: str) -> Verdict:
    """That of the tiny scale."""
    return Verdict(claim, "not tested at this scale", "the models at this scale are random and very small")


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


def listing(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listing(["rte"]), listing(["rte", "sst2", "cola"]), listing([])
    ('rte', 'rte, sst2 and cola', '')
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def rates(trials: Iterable[Trial]) -> str:
    """With which learning rates trials train, in a sentence."""
    return listing([f"{rate:g}" for rate in sorted({trial.training.learning_rate for trial in trials})])


def places(found: Iterable[tuple[str, str]], several: bool = True) -> str:
    """Tasks in a sentence, each with its model where there are several.

    >>> places([("bert", "rte"), ("opt", "rte"), ("bert", "sst2")])
    'for bert on rte and sst2, for opt on rte'
    >>> places([("bert", "rte"), ("bert", "sst2")], several=False)
    'on rte and sst2'
    """
    tasks: dict[str, list[str]] = {}
    for model, task in found:
        tasks.setdefault(model, []).append(task)
    return ", ".join(f"{f'for {model} ' if several else ''}on {listing(own)}" for model, own in tasks.items())


def difference(more: Sequence[float], less: Sequence[float]) -> Estimate:
    """The mean of the first less that of the second, with the 95% t-interval of two small samples.

    Both are taken to scatter alike: their spread is pooled (Student's t), with n₁ + n₂ − 2 degrees of freedom. The
    interval is unknown (NaN) where none is left.

    >>> difference([5.0, 6.0], [1.0, 2.0]).text()
    '4.0 [1.0, 7.0]'
    """
    value = fmean(more) - fmean(less)
    free = len(more) + len(less) - 2
    if free < 1:
        return Estimate(value, math.nan, math.nan)
    squares = sum((x - fmean(group)) ** 2 for group in (more, less) for x in group)
    half = reach(len(more), len(less)) * math.sqrt(squares / free)
    return Estimate(value, value - half, value + half)


def reach(more: int, less: int) -> float:
    """How many times their spread two samples of these sizes must lie apart for the interval to leave 0 out.

    >>> round(reach(2, 2), 2)
    4.3
    """
    return t_quantile(more + less - 2) * math.sqrt(1 / more + 1 / less)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's ρ, ties at their mean rank; NaN where either side is constant.

    >>> rank_correlation([(0.6, 1.0), (0.8, 4.0), (1.0, 3.0)])
    0.5
    """
    ranks = [[sum((x > y) + (x == y) / 2 for y in side) for x in side] for side in zip(*pairs, strict=True)]
    return correlation(*ranks) if all(len(set(side)) > 1 for side in ranks) and ranks else math.nan


def t_quantile(free: int, level: float = 0.95) -> float:
    """What ``|t|`` stays below with a probability of ``level``, for so many degrees of freedom, of 1 or more.

    >>> round(t_quantile(2), 4), round(t_quantile(4), 4)
    (4.3027, 2.7764)
    """
    low, high = 0.0, math.pi / 2
    while high - low > 1e-15:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, free) < level else (low, middle)
    return math.sqrt(free) * math.tan(high)


def _within(angle: float, free: int) -> float:
    """The probability that arctan(|t|/√n) is below an angle (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    odd = free % 2
    cosine = math.cos(angle)
    term, total = cosine if odd else 1.0, 0.0
    for step in range(1 + odd, free, 2):
        total += term
        term *= step / (step + 1) * cosine**2
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
