"""Claim C6: essential sparsity holds for N:M patterns.

The rule: the lightest patterns that are tried (they remove a quarter of the weights) cost at most one point on average
over the tasks that count, judged by the 95% interval of each pattern's mean. The claim agrees if every pattern does. It
differs if one lies above one point after Holm's correction. Beside it stand, for each pattern, what is to be expected
on a new task, and each task by itself (``rules.three_statements``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..analysis.contrasts import Contrast, contrasts
from ..analysis.curves import EPSILON
from ..analysis.pooled import Range
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .phrases import introduced, missing_models, nothing_counts, statement_clauses, uncounted
from .pools import Pool, eligibility, of_contrasts
from .rules import Decision, average_number, average_outcome, three_statements, verdict_by
from .verdict import Clause, Statement, Verdict

CLAIM = "C6"

#: The drops that the claim allows, in points.
ALLOWED = Range(high=EPSILON)


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        patterns: the lightest patterns.
        pools: the drops that each of them costs.
        others: contrasts with the dense model, of models with all records, that do not count.
        lacking: the models that lack records.
        several_models: whether the study has several models.
    """

    patterns: list[Pruning]
    pools: tuple[Pool, ...]
    others: list[Contrast]
    lacking: list[str]
    several_models: bool


def eligible(study: Study, records: Mapping[str, Record]) -> Eligible | Verdict:
    """Return which contrasts count, or the verdict where they cannot decide.

    Args:
        study: the study, some of whose ways to prune are N:M patterns.
        records: records by the id of their spec.
    """
    lightest, drops = _drops(study, records)
    group = eligibility(study, drops, pairs=len(lightest))
    if not group.counted:
        return nothing_counts(CLAIM, group.others, several_models=True, lacking=group.lacking)
    return Eligible(
        patterns=lightest,
        pools=_pools(lightest, drops, group.counted),
        others=group.others,
        lacking=group.lacking,
        several_models=len(study.models) > 1,
    )


def _drops(study: Study, records: Mapping[str, Record]) -> tuple[list[Pruning], list[Contrast]]:
    """Return the lightest patterns, and their contrasts with the dense model."""
    patterns = {pruning for prunings in study.variants.values() for pruning in prunings if pruning.pattern}
    sparsity = min((pattern.sparsity for pattern in patterns), default=0.0)
    lightest = sorted((pattern for pattern in patterns if pattern.sparsity == sparsity), key=str)
    return lightest, contrasts(study, records, [(pattern, Pruning()) for pattern in lightest])


def pools(study: Study, records: Mapping[str, Record]) -> tuple[Pool, ...]:
    """Return the drops that each of the lightest patterns costs; each pattern's mean decides.

    Args:
        study: the study, some of whose ways to prune are N:M patterns.
        records: records by the id of their spec.
    """
    patterns, drops = _drops(study, records)
    return _pools(patterns, drops, eligibility(study, drops, pairs=len(patterns)).counted)


def _pools(patterns: list[Pruning], drops: list[Contrast], counted: list[Contrast]) -> tuple[Pool, ...]:
    pools = []
    for pattern in patterns:
        of_pattern = [drop for drop in drops if drop.pruning == pattern]
        pools.append(of_contrasts(f"by {pattern.pattern}", of_pattern, counted, ALLOWED))
    return tuple(pools)


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome of the patterns' mean drops, and these."""
    numbers = {f"mean loss {pool.of}": average_number(pool.effects, ALLOWED) for pool in evidence.pools}
    statements: list[Statement] = []
    for pool in evidence.pools:
        statements += three_statements(pool.effects, ALLOWED, of=pool.of)
    outcome = average_outcome([pool.effects for pool in evidence.pools], ALLOWED)
    return Decision(outcome, numbers, {}, tuple(statements))


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the statements in words, and which tasks and models do not count."""
    clauses = statement_clauses(decision.statements)
    clauses += uncounted(evidence.others, evidence.several_models)
    clauses += missing_models(evidence.lacking)
    rule = f"a loss of at most {EPSILON:g} point with {evidence.patterns[0].sparsity:.0%} gone: "
    return introduced(rule, clauses)


def judge(study: Study, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on C6 from records.

    Args:
        study: the study, some of whose ways to prune are N:M patterns.
        records: records by the id of their spec.
    """

    def summary(evidence: Eligible) -> str:
        losses = " and ".join(f"{{}} {pool.of}" for pool in evidence.pools)
        return f"with {evidence.patterns[0].sparsity:.0%} of the weights removed, scores fall on average by {losses}"

    return verdict_by(CLAIM, study, lambda: eligible(study, records), decide, explain, summary)
