"""Claim C10: below 50% sparsity, lottery tickets and one-shot masks fine-tune to the same performance.

The rule: the difference of ticket and one-shot mask is averaged over the sparsities below 50%, and over the models and
tasks that count. The claim agrees if the whole 95% interval of that mean lies within one point of zero (equivalence),
differs if it lies wholly beyond, and is inconclusive otherwise. Beside it stand what is to be expected on a new task,
and every task at every sparsity by itself (``rules.three_statements``). A model that lacks records is named and does
not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..analysis.contrasts import MARGIN, Contrast, contrasts
from ..analysis.curves import MIN_SEEDS
from ..analysis.pooled import Effect, Range, mean_effect
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .paper import ALIKE_BELOW
from .phrases import introduced, missing_models, nothing_counts, statement_clauses, uncounted
from .rules import (
    Decision,
    average_number,
    average_outcome,
    complete_models,
    place_of,
    three_statements,
    verdict_by,
)
from .verdict import Clause, Verdict

CLAIM = "C10"

#: The differences that the claim allows, in points.
ALLOWED = Range(low=-MARGIN, high=MARGIN)


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """The differences between tickets and one-shot masks, and the models that they are of.

    Attributes:
        counted: contrasts of lottery tickets with one-shot masks that count.
        others: those of models with all records that do not count.
        lacking: the models that lack records.
    """

    counted: list[Contrast]
    others: list[Contrast]
    lacking: list[str]

    def means(self) -> list[Effect]:
        """Return each model's difference on each task, averaged over the sparsities."""
        places = dict.fromkeys((contrast.model, contrast.task) for contrast in self.counted)
        return [mean_effect([c.effect for c in self.counted if (c.model, c.task) == place]) for place in places]


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

    def complete(model: str) -> bool:
        return sum(c.model == model and c.seeds >= MIN_SEEDS for c in differences) == len(tickets) * len(
            study.tasks_of(model)
        )

    models, lacking = complete_models(study, complete)
    counted = [contrast for contrast in differences if contrast.model in models and contrast.counts]
    others = [contrast for contrast in differences if contrast.model in models and not contrast.counts]
    if not counted:
        return nothing_counts(CLAIM, others, several_models=True)
    return Eligible(counted=counted, others=others, lacking=lacking)


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome of the mean difference, and that difference."""
    means = evidence.means()
    single = [
        (f"{place_of(means, contrast.effect)} at {contrast.pruning.sparsity:.0%}", contrast.effect)
        for contrast in evidence.counted
    ]
    statements = three_statements(means, ALLOWED, single=single)
    return Decision(average_outcome([means], ALLOWED), {"mean difference": average_number(means)}, {}, statements)


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the statements in words, the mean of each model, and which tasks and models do not count."""
    clauses = statement_clauses(decision.statements)
    means = evidence.means()
    models = list(dict.fromkeys(effect.model for effect in means))
    for model in models if len(models) > 1 else ():
        number = average_number([effect for effect in means if effect.model == model])
        clauses.append(Clause(text=f"{model} alone, on average: {number.text}"))
    clauses += uncounted(evidence.others, several_models=True)
    clauses += missing_models(evidence.lacking)
    return introduced(f"within {MARGIN:g} point of each other below {ALIKE_BELOW:.0%}: ", clauses)


def judge(study: Study, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on C10 from records.

    Args:
        study: the study, one of whose ways to prune is the lottery.
        records: records by the id of their spec.
    """
    summary = "tickets less one-shot masks: {}"
    return verdict_by(CLAIM, study, lambda: eligible(study, records), decide, explain, summary)
