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
from ..analysis.pooled import Range
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .paper import ALIKE_BELOW
from .phrases import introduced, missing_models, nothing_counts, statement_clauses, uncounted
from .pools import Pool, eligibility, of_contrasts
from .rules import Decision, average_number, average_outcome, model_clauses, place_of, three_statements, verdict_by
from .verdict import Clause, Verdict

CLAIM = "C10"

#: The differences that the claim allows, in points.
ALLOWED = Range(low=-MARGIN, high=MARGIN)


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """The differences between tickets and one-shot masks, and the models that they are of.

    Attributes:
        pool: the differences averaged over the sparsities.
        counted: contrasts of lottery tickets with one-shot masks that count, at each sparsity.
        others: those of models with all records that do not count.
        lacking: the models that lack records.
    """

    pool: Pool
    counted: list[Contrast]
    others: list[Contrast]
    lacking: list[str]


def eligible(study: Study, records: Mapping[str, Record]) -> Eligible | Verdict:
    """Return which contrasts count, or the verdict where they cannot decide.

    Args:
        study: the study, one of whose ways to prune is the lottery.
        records: records by the id of their spec.
    """
    tickets, differences = _differences(study, records)
    group = eligibility(study, differences, pairs=len(tickets))
    if not group.counted:
        return nothing_counts(CLAIM, group.others, several_models=True, lacking=group.lacking)
    pool, *_ = _pools(tickets, differences, group.counted)
    return Eligible(pool=pool, counted=group.counted, others=group.others, lacking=group.lacking)


def _differences(study: Study, records: Mapping[str, Record]) -> tuple[list[Pruning], list[Contrast]]:
    """Return the tickets that the claim is about, and their contrasts with one-shot masks."""
    tickets = []
    for prunings in study.variants.values():
        tickets += [p for p in prunings if p.method == "lottery" and p.sparsity < ALIKE_BELOW]
    return tickets, contrasts(study, records, [(ticket, Pruning(sparsity=ticket.sparsity)) for ticket in tickets])


def pools(study: Study, records: Mapping[str, Record]) -> tuple[Pool, ...]:
    """Return the differences averaged over the sparsities, whose mean decides, and those at each sparsity.

    Args:
        study: the study, one of whose ways to prune is the lottery.
        records: records by the id of their spec.
    """
    tickets, differences = _differences(study, records)
    return _pools(tickets, differences, eligibility(study, differences, pairs=len(tickets)).counted)


def _pools(tickets: list[Pruning], differences: list[Contrast], counted: list[Contrast]) -> tuple[Pool, ...]:
    """Return the pool whose mean decides, and then that of each sparsity."""
    pools = [of_contrasts(f"below {ALIKE_BELOW:.0%}", differences, counted, ALLOWED, drops=False)]
    for ticket in tickets:
        of, at_sparsity = f"at {100 * ticket.sparsity:.4g}%", [each for each in differences if each.pruning == ticket]
        pools.append(of_contrasts(of, at_sparsity, counted, ALLOWED, drops=False, decides=False))
    return tuple(pools)


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome of the mean difference, and that difference."""
    means = evidence.pool.effects
    single = [
        (f"{place_of(means, contrast.effect)} at {contrast.pruning.sparsity:.0%}", contrast.effect)
        for contrast in evidence.counted
    ]
    statements = three_statements(means, ALLOWED, single=single)
    return Decision(
        average_outcome([means], ALLOWED), {"mean difference": average_number(means, ALLOWED)}, {}, statements
    )


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the statements in words, the mean of each model, and which tasks and models do not count."""
    clauses = statement_clauses(decision.statements)
    clauses += model_clauses(evidence.pool.effects)
    clauses += uncounted(evidence.others, several_models=True)
    clauses += missing_models(evidence.lacking)
    return introduced(f"within {MARGIN:g} point of each other below {ALIKE_BELOW:.0%}: ", clauses)


def judge(study: Study, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on C10 from records.

    Args:
        study: the study, one of whose ways to prune is the lottery.
        records: records by the id of their spec.
    """
    summary = f"below {ALIKE_BELOW:.0%} sparsity, lottery tickets − one-shot masks: {{}} on average"
    return verdict_by(CLAIM, study, lambda: eligible(study, records), decide, explain, summary)
