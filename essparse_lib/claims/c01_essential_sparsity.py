"""Claim C1: essential sparsity exists in every model and task.

The rule: every model keeps its performance on every task when 30% of its weights go. The claim agrees if the 95%
interval of the essential sparsity lies at or above 30% for every curve that counts, differs if it lies below for any,
and is inconclusive otherwise. Curves whose dense model has not learned the task say nothing, and do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..analysis.curves import MIN_SEEDS, Curve
from ..analysis.essential import EPSILON, essential_sparsity
from ..analysis.estimate import Estimate
from ..specs.study import Study
from ..wording import places_text
from .paper import ESSENTIAL_RANGE
from .phrases import Place, introduced, place_clauses, place_name
from .rules import Decision, against, by_outcome, least_favourable, verdict_by
from .verdict import Clause, Number, Verdict, not_judged

CLAIM = "C1"

#: Least essential sparsity that the claim takes.
THRESHOLD = ESSENTIAL_RANGE[0]


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """The curves of a study, by whether they count.

    Attributes:
        study: the study.
        counted: the curves that decide.
        unlearned: model and task of complete curves whose dense model has not learned the task.
        too_few_seeds: model and task of curves of models that the study runs with too few seeds.
    """

    study: Study
    counted: list[Curve]
    unlearned: list[Place]
    too_few_seeds: list[Place]


def eligible(study: Study, curves: Sequence[Curve]) -> Eligible | Verdict:
    """Return which curves count, or the verdict where they cannot decide.

    Args:
        study: the study of the curves.
        curves: the study's curves of its main way to prune.
    """
    models = [model for model in study.models if len(study.seeds_of(model)) >= MIN_SEEDS]
    complete = [curve for curve in curves if len(curve.seeds) >= MIN_SEEDS and curve.complete(study)]
    if not models:
        reason = f"no model has the {MIN_SEEDS} seeds that a verdict takes"
        return not_judged(CLAIM, reason, some_records=bool(complete))
    expected = sum(len(study.tasks_of(model)) for model in models)
    if len(complete) < expected:
        lacking = f"{expected - len(complete)} of {expected} curves lack records of {MIN_SEEDS} seeds"
        return not_judged(CLAIM, f"{lacking} at every sparsity", some_records=bool(complete))
    counted = [curve for curve in complete if curve.learned()]
    if not counted:
        return not_judged(CLAIM, "no dense model learned its task", some_records=True)
    return Eligible(
        study=study,
        counted=counted,
        unlearned=[(curve.model, curve.task) for curve in complete if not curve.learned()],
        too_few_seeds=[(curve.model, curve.task) for curve in curves if curve.model not in models],
    )


def decide(evidence: Eligible) -> Decision[Place]:
    """Return the outcome of the curves that count, and the least and greatest essential sparsity."""
    estimates = [(curve, essential_sparsity(curve)) for curve in evidence.counted]
    outcomes = by_outcome((against(estimate, THRESHOLD), (curve.model, curve.task)) for curve, estimate in estimates)
    least, greatest = (extreme(estimates, key=lambda pair: pair[1].value) for extreme in (min, max))
    numbers = {
        "least essential sparsity": _percentage(evidence, *least),
        "greatest essential sparsity": _percentage(evidence, *greatest),
    }
    return Decision(least_favourable(outcomes), numbers, outcomes)


def _percentage(evidence: Eligible, curve: Curve, estimate: Estimate) -> Number:
    return Number(
        estimate=estimate.scaled(100),
        unit="%",
        of=place_name(evidence.counted, curve),
        at_least=estimate.value >= max(evidence.study.sparsities),
    )


def explain(evidence: Eligible, decision: Decision[Place]) -> tuple[Clause, ...]:
    """Return the outcome of each curve in words, and which curves do not count."""
    several = len(evidence.study.models) > 1
    clauses = place_clauses(decision.by_outcome, several)
    if evidence.unlearned:
        curves = places_text(evidence.unlearned, several)
        text = f"not counted {curves}, where the dense model does not beat the commonest class"
        clauses.append(Clause(text=text, places=tuple(evidence.unlearned)))
    if evidence.too_few_seeds:
        text = f"not counted {places_text(evidence.too_few_seeds, several)}, for want of seeds"
        clauses.append(Clause(text=text, places=tuple(evidence.too_few_seeds)))
    rule = f"a loss of at most {EPSILON:g} point with {THRESHOLD:.0%} of the prunable weights gone"
    return introduced(f"{rule}: ", clauses)


def judge(study: Study, curves: Sequence[Curve]) -> Verdict:
    """Return the verdict on C1 from a study's curves.

    Args:
        study: the study of the curves.
        curves: the study's curves of its main way to prune.
    """
    return verdict_by(CLAIM, study, lambda: eligible(study, curves), decide, explain, "{} to {}")
