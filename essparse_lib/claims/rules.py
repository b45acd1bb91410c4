"""Rules that several claims share: from intervals to outcomes, and from these to a verdict."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..analysis.estimate import Estimate
from ..specs.study import Scale, Study
from .verdict import Clause, Number, Outcome, Verdict, untested_at_tiny_scale

_Place = TypeVar("_Place")
_Evidence = TypeVar("_Evidence")


@dataclass(frozen=True)
class Decision(Generic[_Place]):
    """What the eligible records decide about a claim.

    Attributes:
        outcome: how the records stand to the claim.
        numbers: the numbers that decide, by name, in the order in which the summary has them.
        by_outcome: places, such as tasks, by the outcome that each of them has.
    """

    outcome: Outcome
    numbers: Mapping[str, Number]
    by_outcome: Mapping[Outcome, list[_Place]]


def against(estimate: Estimate, threshold: float) -> Outcome:
    """Return whether a quantity is at least the threshold: its whole 95% interval must lie on one side."""
    if estimate.low >= threshold:
        return Outcome.AGREES
    return Outcome.DIFFERS if estimate.high < threshold else Outcome.INCONCLUSIVE


def above_zero(estimate: Estimate) -> Outcome:
    """Return whether a difference is above 0: its whole 95% interval must lie on one side, and not touch 0."""
    if estimate.low > 0:
        return Outcome.AGREES
    return Outcome.DIFFERS if estimate.high < 0 else Outcome.INCONCLUSIVE


def by_outcome(judged: Iterable[tuple[Outcome, _Place]]) -> dict[Outcome, list[_Place]]:
    """Return places by their outcome, in the order in which outcomes first occur.

    >>> grouped = by_outcome([(Outcome.AGREES, "rte"), (Outcome.DIFFERS, "sst2"), (Outcome.AGREES, "cola")])
    >>> {outcome.value: places for outcome, places in grouped.items()}
    {'agrees': ['rte', 'cola'], 'differs': ['sst2']}
    """
    places: dict[Outcome, list[_Place]] = {}
    for outcome, place in judged:
        places.setdefault(outcome, []).append(place)
    return places


def least_favourable(outcomes: Container[Outcome]) -> Outcome:
    """Return the least favourable of the outcomes that occur; at least one of the three must.

    >>> least_favourable({Outcome.AGREES, Outcome.INCONCLUSIVE}).value
    'inconclusive'
    """
    order = (Outcome.DIFFERS, Outcome.INCONCLUSIVE, Outcome.AGREES)
    return next(outcome for outcome in order if outcome in outcomes)


def complete_models(study: Study, complete: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Return the study's models whose records are complete, and the others; models without a task are left out.

    Args:
        study: the study.
        complete: function that returns whether the records of a model are complete.
    """
    models = [model for model in study.models if study.tasks_of(model)]
    return [model for model in models if complete(model)], [model for model in models if not complete(model)]


def verdict_by(
    claim: str,
    study: Study,
    eligible: Callable[[], _Evidence | Verdict],
    decide: Callable[[_Evidence], Decision],
    explain: Callable[[_Evidence, Decision], tuple[Clause, ...]],
    summary: str | Callable[[_Evidence], str],
) -> Verdict:
    """Return the verdict on a claim by its three steps: what is eligible, what that decides, and why.

    Args:
        claim: name of the claim, such as ``C1``.
        study: the study that tests it; at the tiny scale nothing is tested.
        eligible: returns what counts, or the verdict where that cannot decide.
        decide: reads the outcome and the numbers off what counts.
        explain: puts both into clauses.
        summary: the numbers in a few words, each ``{}`` for the next of them; or how to make it from what counts.
    """
    if study.scale == Scale.TINY:
        return untested_at_tiny_scale(claim)
    evidence = eligible()
    if isinstance(evidence, Verdict):
        return evidence
    decision = decide(evidence)
    return Verdict(
        claim=claim,
        outcome=decision.outcome,
        clauses=explain(evidence, decision),
        numbers=decision.numbers,
        summary=summary if isinstance(summary, str) else summary(evidence),
    )
