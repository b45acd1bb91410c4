"""Claim C10: below 50% sparsity, lottery tickets and one-shot masks fine-tune to the same performance.

The rule: the claim agrees if the 95% interval of every difference lies within one point (equivalence), differs if one
of them lies wholly beyond one point, and is inconclusive otherwise. A model that lacks records is named and does not
count, nor does a task that a model has not learned without pruning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..analysis.contrasts import MARGIN, Contrast, Standing, contrasts
from ..analysis.curves import MIN_SEEDS
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .paper import ALIKE_BELOW
from .phrases import Place, difference_number, introduced, missing_models, with_model
from .rules import Decision, by_outcome, complete_models, least_favourable, verdict_by
from .verdict import Clause, Outcome, Verdict, not_judged

CLAIM = "C10"


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """The differences between tickets and one-shot masks, and the models that they are of.

    Attributes:
        counted: contrasts of lottery tickets with one-shot masks, of enough seeds, on learned tasks.
        models: the models whose records are complete.
        lacking: the models that lack records.
    """

    counted: list[Contrast]
    models: list[str]
    lacking: list[str]


def eligible(study: Study, records: Mapping[str, Record]) -> Eligible | Verdict:
    """Return which contrasts count, or the verdict where they cannot decide.

    Args:
        study: the study, one of whose ways to prune is the lottery.
        records: records by the id of their spec.
    """
    tickets = []
    for prunings in study.variants.values():
        tickets += [p for p in prunings if p.method == "lottery" and p.sparsity < ALIKE_BELOW]
    differences = contrasts(study, records, [(ticket, Pruning(sparsity=ticket.sparsity)) for ticket in tickets])
    with_seeds = [contrast for contrast in differences if contrast.seeds >= MIN_SEEDS]

    def complete(model: str) -> bool:
        return sum(c.model == model for c in with_seeds) == len(tickets) * len(study.tasks_of(model))

    models, lacking = complete_models(study, complete)
    counted = [contrast for contrast in with_seeds if contrast.model in models and contrast.learned]
    if not counted:
        return not_judged(CLAIM, "records are missing", some_records=bool(with_seeds))
    return Eligible(counted=counted, models=models, lacking=lacking)


def outcome_of(contrast: Contrast) -> Outcome:
    """Return whether two prunings perform alike: their difference lies within the margin, or wholly beyond it."""
    if contrast.standing == Standing.EQUIVALENT:
        return Outcome.AGREES
    beyond = contrast.difference.low > MARGIN or contrast.difference.high < -MARGIN
    return Outcome.DIFFERS if beyond else Outcome.INCONCLUSIVE


def decide(evidence: Eligible) -> Decision[Place]:
    """Return the outcome of all differences, and the greatest of them."""
    outcomes = by_outcome((outcome_of(contrast), (contrast.model, contrast.task)) for contrast in evidence.counted)
    greatest = max(evidence.counted, key=lambda contrast: abs(contrast.difference.value))
    numbers = {"greatest difference": difference_number(evidence.counted, greatest)}
    return Decision(least_favourable(outcomes), numbers, outcomes)


def explain(evidence: Eligible) -> tuple[Clause, ...]:
    """Return how many differences of each model have which outcome, and which models do not count."""
    clauses = []
    for model in evidence.models:
        differences = [contrast for contrast in evidence.counted if contrast.model == model]
        outcomes = by_outcome((outcome_of(contrast), contrast.task) for contrast in differences)
        parts = [f"{len(tasks)} of {len(differences)} differences: {outcome}" for outcome, tasks in outcomes.items()]
        text = with_model(evidence.models, model, ", ".join(parts) or "no task learned")
        clauses.append(Clause(text=text))
    clauses += missing_models(evidence.lacking)
    return introduced(f"within {MARGIN:g} point of each other below {ALIKE_BELOW:.0%}: ", clauses)


def judge(study: Study, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on C10 from records.

    Args:
        study: the study, one of whose ways to prune is the lottery.
        records: records by the id of their spec.
    """
    return verdict_by(
        CLAIM, study, lambda: eligible(study, records), decide, lambda evidence, _: explain(evidence), "at most {}"
    )
