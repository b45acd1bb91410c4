"""Phrases and numbers that the explanations of several claims share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..analysis.contrasts import Contrast
from ..analysis.curves import EPSILON, Curve
from ..wording import listing, places_text
from .verdict import Clause, Number, Outcome, Statement, Verdict, not_judged

#: A model and a task.
Place = tuple[str, str]


def place_name(counted: Sequence[Curve] | Sequence[Contrast], place: Curve | Contrast) -> str:
    """Return the task of a curve or contrast in words, with its model where those that count have several models."""
    several = len({each.model for each in counted}) > 1
    return f"{place.model} on {place.task}" if several else place.task


def difference_number(counted: Sequence[Contrast], contrast: Contrast) -> Number:
    """Return the difference of one of several contrasts as a number, with the place and pruning that it is of."""
    level = contrast.pruning.pattern or f"{contrast.pruning.sparsity:.4g}"
    place = f"{place_name(counted, contrast)}, {level}"
    return Number(estimate=contrast.difference, unit="points", digits=1, of=place)


def greatest_loss(drops: Sequence[Contrast]) -> Number:
    """Return the lowest of the differences from the dense model as a number."""
    return difference_number(drops, min(drops, key=lambda contrast: contrast.difference.value))


def with_model(models: Sequence[str], model: str, text: str) -> str:
    """Return a clause about a model with the model's name before it, where there are several models."""
    return f"for {model}: {text}" if len(models) > 1 else text


def missing_models(models: Sequence[str]) -> list[Clause]:
    """Return the clause on models that do not count because their records are missing; none if there are no such."""
    return [Clause(text=f"not counted: {listing(models)}, whose records are missing")] if models else []


def statement_clauses(statements: Sequence[Statement]) -> list[Clause]:
    """Return a clause for each statement."""
    return [Clause(text=each.text, outcome=each.outcome, places=each.places) for each in statements]


def nothing_to_lose(places: Sequence[Place], several_models: bool) -> list[Clause]:
    """Return the clause on curves that do not count because they lose nothing; none if there are no such.

    Args:
        places: pairs of model and task.
        several_models: whether models are named.
    """
    if not places:
        return []
    where = places_text(places, several_models)
    text = f"not counted {where}, which may lose no more than {EPSILON:g} point at any sparsity: nothing to lose"
    return [Clause(text=text, places=tuple(places))]


def unlearned_tasks(places: Sequence[Place], several_models: bool) -> list[Clause]:
    """Return the clause on curves that do not count because the dense model has not learned the task; none if none.

    Args:
        places: pairs of model and task.
        several_models: whether models are named.
    """
    if not places:
        return []
    where = places_text(places, several_models)
    return [
        Clause(
            text=f"not counted {where}, where the dense model does not beat the commonest class", places=tuple(places)
        )
    ]


def uncounted(contrasts: Sequence[Contrast], several_models: bool) -> list[Clause]:
    """Return clauses on contrasts that do not count, by the reason; none if there are no contrasts.

    Args:
        contrasts: the contrasts that do not count.
        several_models: whether models are named.
    """
    reasons: dict[str, dict[Place, None]] = {"unlearned": {}, "insensitive": {}, "seeds": {}}
    for contrast in contrasts:
        reason = "unlearned" if not contrast.learned else "insensitive" if not contrast.sensitive else "seeds"
        reasons[reason][contrast.model, contrast.task] = None
    clauses = unlearned_tasks(list(reasons["unlearned"]), several_models)
    clauses += nothing_to_lose(list(reasons["insensitive"]), several_models)
    if few := list(reasons["seeds"]):
        text = f"not counted {places_text(few, several_models)}, for want of seeds"
        clauses.append(Clause(text=text, places=tuple(few)))
    return clauses


def nothing_counts(claim: str, contrasts: Sequence[Contrast], several_models: bool) -> Verdict:
    """Return the verdict on a claim where no contrast counts, with the reasons.

    Args:
        claim: name of the claim, such as ``C1``.
        contrasts: the contrasts, of enough seeds, that do not count; none where records are missing.
        several_models: whether models are named.
    """
    reasons = [clause.text for clause in uncounted(contrasts, several_models)] or ["records are missing"]
    return not_judged(claim, *reasons, some_records=bool(contrasts))


def introduced(introduction: str, clauses: Sequence[Clause]) -> tuple[Clause, ...]:
    """Return clauses with an introduction, such as the rule that they follow, before the first of them."""
    first, *rest = clauses
    return (Clause(text=f"{introduction}{first.text}", outcome=first.outcome, places=first.places), *rest)


def task_clauses(by_outcome: Mapping[Outcome, list[str]]) -> list[Clause]:
    """Return a clause for each outcome with the tasks that have it; none for an outcome without a task."""
    clauses = []
    for outcome, tasks in by_outcome.items():
        if tasks:
            clauses.append(Clause(text=f"{outcome} on {listing(tasks)}", outcome=outcome, places=tuple(tasks)))
    return clauses


def place_clauses(by_outcome: Mapping[Outcome, list[Place]], several_models: bool) -> list[Clause]:
    """Return a clause for each outcome with the models and tasks that have it.

    Args:
        by_outcome: pairs of model and task by their outcome.
        several_models: whether models are named.
    """
    clauses = []
    for outcome, places in by_outcome.items():
        text = f"{outcome} {places_text(places, several_models)}"
        clauses.append(Clause(text=text, outcome=outcome, places=tuple(places)))
    return clauses
