"""Phrases that the explanations of several claims share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..analysis.contrasts import Contrast
from ..analysis.curves import EPSILON
from ..wording import listing, places_text
from .pools import Reason, reason
from .verdict import Clause, Statement, Verdict, not_run, untestable

#: Why curves do not count, in words.
NOT_LEARNED = "where the dense model does not beat the commonest class"
NOTHING_TO_LOSE = f"which may lose no more than {EPSILON:g} point at any sparsity: nothing to lose"

#: What it would take, by the reason why curves do not count.
NEEDS = {
    Reason.NOT_LEARNED: "models that learn these tasks, with more training examples or steps",
    Reason.NOTHING_TO_LOSE: "models that lose something when they are pruned: larger ones, or pre-trained on more",
    Reason.NO_ADVANTAGE: "a model whose pre-trained weights beat random ones on these tasks",
}

#: A model and a task.
Place = tuple[str, str]


def missing_models(models: Sequence[str]) -> list[Clause]:
    """Return the clause on models that do not count because their records are missing; none if there are no such."""
    return [Clause(text=f"not counted: {listing(models)}, whose records are missing")] if models else []


def statement_clauses(statements: Sequence[Statement]) -> list[Clause]:
    """Return a clause for each statement."""
    return [Clause(text=each.text, outcome=each.outcome, places=each.places) for each in statements]


def not_counted(places: Sequence[Place], several_models: bool, why: str) -> list[Clause]:
    """Return the clause on curves that do not count; none if there are no such.

    Args:
        places: pairs of model and task.
        several_models: whether models are named.
        why: the reason in words, such as ``NOT_LEARNED``.
    """
    if not places:
        return []
    return [Clause(text=f"not counted {places_text(places, several_models)}, {why}", places=tuple(places))]


def uncounted(contrasts: Sequence[Contrast], several_models: bool) -> list[Clause]:
    """Return clauses on contrasts that do not count, by the reason; none if there are no contrasts.

    Args:
        contrasts: the contrasts, of enough seeds, that do not count.
        several_models: whether models are named.
    """
    places: dict[Reason, dict[Place, None]] = {reason: {} for reason in Reason}
    for contrast in contrasts:
        places[reason(contrast.learned, contrast.sensitive, contrast.seeds)][contrast.model, contrast.task] = None
    clauses = not_counted(list(places[Reason.NOT_LEARNED]), several_models, NOT_LEARNED)
    return clauses + not_counted(list(places[Reason.NOTHING_TO_LOSE]), several_models, NOTHING_TO_LOSE)


def nothing_counts(claim: str, contrasts: Sequence[Contrast], several_models: bool, lacking: Sequence[str]) -> Verdict:
    """Return the verdict on a claim where no contrast counts, with the reasons.

    Args:
        claim: name of the claim, such as ``C1``.
        contrasts: the contrasts, of enough seeds, that do not count; none where records are missing.
        several_models: whether models are named.
        lacking: the models that lack records.
    """
    reasons = [reason(contrast.learned, contrast.sensitive, contrast.seeds) for contrast in contrasts]
    return undecided(claim, uncounted(contrasts, several_models), reasons, lacking)


def undecided(claim: str, clauses: Sequence[Clause], reasons: Iterable[Reason], lacking: Sequence[str]) -> Verdict:
    """Return the verdict on a claim where nothing counts: it has not been run where more records could change that.

    Args:
        claim: name of the claim, such as ``C1``.
        clauses: why nothing counts; none where there are no records.
        reasons: the reasons why curves do not count.
        lacking: the models that lack records.
    """
    if not clauses:
        return not_run(claim, "records are missing")
    texts = [clause.text for clause in (*clauses, *missing_models(lacking))]
    why = list(dict.fromkeys(reasons))
    if lacking or not all(reason in NEEDS for reason in why):
        return not_run(claim, *texts)
    return untestable(claim, *texts, needs=" and ".join(NEEDS[reason] for reason in why))


def introduced(introduction: str, clauses: Sequence[Clause]) -> tuple[Clause, ...]:
    """Return clauses with an introduction, such as the rule that they follow, before the first of them."""
    first, *rest = clauses
    return (Clause(text=f"{introduction}{first.text}", outcome=first.outcome, places=first.places), *rest)
