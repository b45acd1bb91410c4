"""Claim C6: essential sparsity holds for N:M patterns.

The rule: on each task, the lightest patterns that are tried (they remove a quarter of the weights) must cost at most
one point. A task agrees if the whole 95% interval of the drop lies at or below one point, and differs if it lies above.
The verdict is the least favourable of all tasks and patterns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..analysis.contrasts import Contrast, contrasts
from ..analysis.curves import MIN_SEEDS
from ..analysis.essential import EPSILON
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .phrases import Place, greatest_loss, introduced, place_clauses
from .rules import Decision, against, by_outcome, least_favourable, verdict_by
from .verdict import Clause, Verdict, not_judged

CLAIM = "C6"


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        study: the study.
        sparsity: sparsity of the lightest patterns.
        counted: their contrasts with the dense model, of enough seeds, on learned tasks.
    """

    study: Study
    sparsity: float
    counted: list[Contrast]


def eligible(study: Study, records: Mapping[str, Record]) -> Eligible | Verdict:
    """Return which contrasts count, or the verdict where they cannot decide.

    Args:
        study: the study, some of whose ways to prune are N:M patterns.
        records: records by the id of their spec.
    """
    patterns = {pruning for prunings in study.variants.values() for pruning in prunings if pruning.pattern}
    sparsity = min((pattern.sparsity for pattern in patterns), default=0.0)
    lightest = sorted((pattern for pattern in patterns if pattern.sparsity == sparsity), key=str)
    drops = contrasts(study, records, [(pattern, Pruning()) for pattern in lightest])
    counted = [contrast for contrast in drops if contrast.learned and contrast.seeds >= MIN_SEEDS]
    places = {(contrast.model, contrast.task) for contrast in counted}
    if len(places) < sum(len(study.tasks_of(model)) for model in study.models):
        return not_judged(CLAIM, "records are missing", some_records=bool(counted))
    return Eligible(study=study, sparsity=sparsity, counted=counted)


def decide(evidence: Eligible) -> Decision[Place]:
    """Return the outcome of all tasks and patterns, and the greatest drop."""
    judged = []
    for contrast in evidence.counted:
        place = (contrast.model, f"{contrast.task} ({contrast.pruning.pattern})")
        judged.append((against(contrast.difference, -EPSILON), place))
    outcomes = by_outcome(judged)
    return Decision(least_favourable(outcomes), {"greatest loss": greatest_loss(evidence.counted)}, outcomes)


def explain(evidence: Eligible, decision: Decision[Place]) -> tuple[Clause, ...]:
    """Return the outcome of each task and pattern in words."""
    several = len(evidence.study.models) > 1
    clauses = place_clauses(decision.by_outcome, several)
    return introduced(f"a loss of at most {EPSILON:g} point with {evidence.sparsity:.0%} gone: ", clauses)


def judge(study: Study, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on C6 from records.

    Args:
        study: the study, some of whose ways to prune are N:M patterns.
        records: records by the id of their spec.
    """
    return verdict_by(CLAIM, study, lambda: eligible(study, records), decide, explain, "at worst {}")
