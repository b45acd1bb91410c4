"""Claim C2: 21.50% of the weights go with no drop on any task, and most of them lie in the feed-forward layers.

The rule: the mean drop over the tasks that count is at most one point, judged by its 95% interval as in C1; beside it
stand what is to be expected on a new task, and each task by itself (``rules.three_statements``). The share of the
feed-forward layers is exact: it agrees if more than half of the removed weights lie there, and differs otherwise. The
verdict is the less favourable of the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..analysis.contrasts import Contrast, contrasts
from ..analysis.curves import EPSILON
from ..analysis.estimate import exact
from ..analysis.feed_forward import FeedForwardShare, feed_forward_shares
from ..analysis.pooled import Range
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .phrases import introduced, missing_models, nothing_counts, statement_clauses, uncounted
from .pools import Pool, eligibility, of_contrasts
from .rules import (
    Decision,
    average_number,
    average_outcome,
    least_favourable,
    three_statements,
    verdict_by,
)
from .verdict import Clause, Number, Outcome, Verdict, not_run

CLAIM = "C2"

#: The drops that the claim allows, in points.
ALLOWED = Range(high=EPSILON)


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        pruning: the pruning that removes 21.50% of the weights.
        drops: the drops that it costs.
        others: contrasts with the dense model, of models with all records, that do not count.
        lacking: the models that lack records.
        shares: the feed-forward layers' shares of the weights, by the model's name.
    """

    pruning: Pruning
    drops: Pool
    others: list[Contrast]
    lacking: list[str]
    shares: dict[str, FeedForwardShare]


def eligible(study: Study, records: Mapping[str, Record]) -> Eligible | Verdict:
    """Return which contrasts and measurements count, or the verdict where they cannot decide.

    Args:
        study: the study, whose main way to prune has one level.
        records: records by the id of their spec.
    """
    pruning, drops = _drops(study, records)
    shares = feed_forward_shares(study, records)
    if not shares:
        return not_run(CLAIM, "records of where the removed weights lie are missing")
    group = eligibility(study, drops, pairs=1)
    if not group.counted:
        return nothing_counts(CLAIM, group.others, several_models=len(study.models) > 1, lacking=group.lacking)
    pool = _pool(pruning, drops, group.counted)
    return Eligible(pruning=pruning, drops=pool, others=group.others, lacking=group.lacking, shares=shares)


def pools(study: Study, records: Mapping[str, Record]) -> tuple[Pool, ...]:
    """Return the drops, whose mean decides beside the shares.

    Args:
        study: the study, whose main way to prune has one level.
        records: records by the id of their spec.
    """
    pruning, drops = _drops(study, records)
    return (_pool(pruning, drops, eligibility(study, drops, pairs=1).counted),)


def _pool(pruning: Pruning, drops: list[Contrast], counted: list[Contrast]) -> Pool:
    return of_contrasts(f"at {100 * pruning.sparsity:.4g}%", drops, counted, ALLOWED)


def _drops(study: Study, records: Mapping[str, Record]) -> tuple[Pruning, list[Contrast]]:
    """Return the pruning that the claim is about, and its contrasts with the dense model."""
    pruning = study.variants[study.main][0]
    return pruning, contrasts(study, records, [(pruning, Pruning())])


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome of the mean drop and of the shares."""
    effects = evidence.drops.effects
    majority = all(share.removed > 0.5 for share in evidence.shares.values())
    outcomes = {average_outcome([effects], ALLOWED), Outcome.AGREES if majority else Outcome.DIFFERS}
    numbers = {"mean loss": average_number(effects, ALLOWED)}
    for model, share in evidence.shares.items():
        removed, held = exact(100 * share.removed), exact(100 * share.held)
        numbers[f"feed-forward share of {model}"] = Number(estimate=removed, unit="%", allowed=(50.0, math.inf))
        numbers[f"feed-forward share of all weights of {model}"] = Number(estimate=held, unit="%")
    return Decision(least_favourable(outcomes), numbers, {}, three_statements(effects, ALLOWED))


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the statements in words, where the removed weights lie, and which tasks do not count."""
    clauses = statement_clauses(decision.statements)
    for model, share in evidence.shares.items():
        text = (
            f"of what goes {share.removed:.0%} lies in the feed-forward layers of {model}, "
            f"which hold {share.held:.0%} of the weights"
        )
        clauses.append(Clause(text=text))
    clauses += uncounted(evidence.others, several_models=len(evidence.shares) > 1)
    clauses += missing_models(evidence.lacking)
    rule = f"a loss of at most {EPSILON:g} point with {evidence.pruning.sparsity:.2%} gone: "
    return introduced(rule, clauses)


def judge(study: Study, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on C2 from records.

    Args:
        study: the study, whose main way to prune has one level.
        records: records by the id of their spec.
    """

    def summary(evidence: Eligible) -> str:
        shares = " and ".join("{} (they hold {} of all weights)" for _ in evidence.shares)
        removed = f"{evidence.pruning.sparsity:.2%} of the weights removed"
        lost = f"with {removed}, scores fall by {{}} on average"
        return f"{lost}; of what is removed the feed-forward layers have {shares}"

    return verdict_by(CLAIM, study, lambda: eligible(study, records), decide, explain, summary)
