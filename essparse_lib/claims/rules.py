"""Rules that several claims share: from intervals to outcomes, and from these to a verdict."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..analysis.estimate import Estimate
from ..analysis.pooled import Effect, Range, beyond, for_new_task, mean_effect, on_average
from ..specs.study import Scale, Study
from .verdict import Clause, Number, Outcome, Statement, Verdict, untested_at_tiny_scale

#: The three senses in which a claim about tasks is judged; the first gives the verdict.
ON_AVERAGE, FOR_NEW_TASK, EVERYWHERE = "on average over these tasks", "for a new task", "everywhere"

_Place = TypeVar("_Place")
_Evidence = TypeVar("_Evidence")


@dataclass(frozen=True)
class Decision(Generic[_Place]):
    """What the eligible records decide about a claim.

    Attributes:
        outcome: how the records stand to the claim.
        numbers: the numbers that decide, by name, in the order in which the summary has them.
        by_outcome: places, such as tasks, by the outcome that each of them has.
        statements: what the records say in each of the three senses, of claims about tasks.
        needs: what it would take to test the claim, where it cannot be tested here; else empty.
    """

    outcome: Outcome
    numbers: Mapping[str, Number]
    by_outcome: Mapping[Outcome, list[_Place]]
    statements: tuple[Statement, ...] = ()
    needs: str = ""


def above_zero(estimate: Estimate) -> Outcome:
    """Return whether a difference is above 0: its whole 95% interval must lie on one side, and not touch 0."""
    if estimate.low > 0:
        return Outcome.AGREES
    return Outcome.DIFFERS if estimate.high < 0 else Outcome.INCONCLUSIVE


def against_smallest(estimate: Estimate, smallest: float) -> Outcome:
    """Return whether an effect is there, given the smallest effect that would matter.

    It agrees if the whole 95% interval lies above 0 and reaches the smallest effect of interest. It differs if the
    whole interval lies below that effect: this is how an effect can be found to be absent, of the wrong sign, or of
    the right sign and too small to matter (``far_smaller``). It is inconclusive otherwise, and where there is no
    interval.

    Args:
        estimate: the effect, above 0 where it points as the claim does.
        smallest: the smallest effect of interest, above 0, in the same unit.

    >>> [against_smallest(Estimate(1, low, 2), smallest=3).value for low in (0.5, -4)]
    ['differs', 'differs']
    >>> [against_smallest(Estimate(3, low, 6), smallest=3).value for low in (0.5, -4)]
    ['agrees', 'inconclusive']
    """
    if estimate.high < smallest:
        return Outcome.DIFFERS
    return Outcome.AGREES if estimate.low > 0 else Outcome.INCONCLUSIVE


def far_smaller(estimate: Estimate, smallest: float) -> bool:
    """Return whether an effect has the claim's sign, and its whole 95% interval lies below the smallest of interest.

    Args:
        estimate: the effect, above 0 where it points as the claim does.
        smallest: the smallest effect of interest, above 0, in the same unit.
    """
    return estimate.low > 0 and estimate.high < smallest


def amount_text(amount: float, unit: str) -> str:
    """Return an amount with its unit, ``points`` or ``%``.

    >>> amount_text(1.0, "points"), amount_text(14.37, "%")
    ('1 point', '14.37%')
    """
    if unit == "%":
        return f"{amount:g}%"
    return f"{amount:g} {unit.removesuffix('s') if amount == 1 else unit}"


def smallest_text(estimate: Estimate, smallest: float, unit: str) -> str:
    """Return how an effect stands to the smallest effect of interest, in words.

    Args:
        estimate: the effect, above 0 where it points as the claim does.
        smallest: the smallest effect of interest, above 0, in the same unit.
        unit: the unit, ``points`` or ``%``.

    >>> smallest_text(Estimate(1, 0.5, 2), smallest=3, unit="points")
    'of the right sign, far smaller than the 3 points that would matter'
    """
    matter = f"the {amount_text(smallest, unit)} that would matter"
    if far_smaller(estimate, smallest):
        return f"of the right sign, far smaller than {matter}"
    return {
        Outcome.AGREES: "above 0",
        Outcome.DIFFERS: f"below {matter}",
        Outcome.INCONCLUSIVE: f"undecided: it may be 0, and it may be {matter}",
    }[against_smallest(estimate, smallest)]


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


def within(estimate: Estimate, allowed: Range) -> Outcome:
    """Return whether an effect lies in the range that a claim allows: its whole interval must lie in it or outside."""
    if allowed.holds(estimate):
        return Outcome.AGREES
    return Outcome.DIFFERS if allowed.excludes(estimate) else Outcome.INCONCLUSIVE


def average_outcome(pools: Sequence[Sequence[Effect]], allowed: Range) -> Outcome:
    """Return whether mean effects lie in the range that a claim allows: the rule for the verdict of claims about tasks.

    The claim agrees if every mean does, which needs no correction (intersection–union, Berger 1982). It differs if a
    mean lies outside after Holm's correction.

    Args:
        pools: for each thing that is claimed, such as a pattern, its effects on all tasks.
        allowed: the range of effects that the claim allows.
    """
    if all(allowed.holds(on_average(pool)) for pool in pools):
        return Outcome.AGREES
    return Outcome.DIFFERS if any(beyond([mean_effect(pool) for pool in pools], allowed)) else Outcome.INCONCLUSIVE


def three_statements(
    effects: Sequence[Effect], allowed: Range, of: str = "", single: Sequence[tuple[str, Effect]] | None = None
) -> tuple[Statement, Statement, Statement]:
    """Return what effects on several tasks say in the three senses.

    *Everywhere* agrees only if the whole interval of each effect lies in the range, and differs on those that lie
    outside after Holm's correction.

    Args:
        effects: the effect of each model on each task.
        allowed: the range of effects that the claim allows.
        of: what is stated, such as a sparsity.
        single: names and effects for the sense *everywhere*, where these are other ones, such as of each sparsity.
    """
    mean, new = on_average(effects), for_new_task(effects)
    single = [(place_of(effects, effect), effect) for effect in effects] if single is None else single
    outside = beyond([effect for _, effect in single], allowed)
    if any(outside):
        outcome, places = Outcome.DIFFERS, tuple(name for (name, _), out in zip(single, outside, strict=True) if out)
    else:
        open_places = tuple(name for name, effect in single if not allowed.holds(effect.estimate))
        outcome = Outcome.INCONCLUSIVE if open_places else Outcome.AGREES
        places = open_places if len(open_places) < len(single) else ()
    prediction = Number(estimate=new.prediction, unit="points", digits=2)
    new_outcome = within(new.prediction, allowed) if new.prediction.has_interval else Outcome.INCONCLUSIVE
    return (
        Statement(sense=ON_AVERAGE, of=of, outcome=within(mean, allowed), number=average_number(effects)),
        Statement(sense=FOR_NEW_TASK, of=of, outcome=new_outcome, number=prediction),
        Statement(sense=EVERYWHERE, of=of, outcome=outcome, places=places),
    )


class Placed(Protocol):
    """What belongs to one model and one task, such as an effect or a curve."""

    @property
    def model(self) -> str: ...
    @property
    def task(self) -> str: ...


def place_of(group: Sequence[Placed], placed: Placed) -> str:
    """Return the task of an effect or a curve in words, with its model where the group has several models."""
    several = len({each.model for each in group}) > 1
    return f"{placed.model} on {placed.task}" if several else placed.task


def average_number(effects: Sequence[Effect], allowed: Range | None = None) -> Number:
    """Return the mean effect over models and tasks as a number, with the effects that the claim allows."""
    ends = None if allowed is None else (allowed.low, allowed.high)
    return Number(estimate=on_average(effects), unit="points", digits=2, allowed=ends)


def model_averages(effects: Sequence[Effect]) -> dict[str, Number]:
    """Return the mean effect of each model as a number, by the model's name; empty where there is one model."""
    models = list(dict.fromkeys(effect.model for effect in effects))
    if len(models) == 1:
        return {}
    return {model: average_number([effect for effect in effects if effect.model == model]) for model in models}


def model_clauses(effects: Sequence[Effect]) -> list[Clause]:
    """Return a clause on the mean effect of each model; none where there is one model."""
    means = model_averages(effects).items()
    return [Clause(text=f"on average for {model} alone: {mean.text}") for model, mean in means]


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
        statements=decision.statements,
        summary=summary if isinstance(summary, str) else summary(evidence),
        needs=decision.needs,
    )
