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
from ..analysis.curves import EPSILON, MIN_SEEDS
from ..analysis.pooled import Effect, Range
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .phrases import introduced, missing_models, nothing_counts, statement_clauses, uncounted
from .rules import Decision, average_number, average_outcome, complete_models, three_statements, verdict_by
from .verdict import Clause, Statement, Verdict

CLAIM = "C6"

#: The drops that the claim allows, in points.
ALLOWED = Range(high=EPSILON)


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        patterns: the lightest patterns.
        counted: their contrasts with the dense model that count.
        others: those of models with all records that do not count.
        lacking: the models that lack records.
        several_models: whether the study has several models.
    """

    patterns: list[Pruning]
    counted: list[Contrast]
    others: list[Contrast]
    lacking: list[str]
    several_models: bool

    def drops(self, pattern: Pruning) -> list[Effect]:
        """Return the drops that a pattern costs."""
        return [-contrast.effect for contrast in self.counted if contrast.pruning == pattern]


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

    def complete(model: str) -> bool:
        return sum(c.model == model and c.seeds >= MIN_SEEDS for c in drops) == len(lightest) * len(
            study.tasks_of(model)
        )

    models, lacking = complete_models(study, complete)
    counted = [contrast for contrast in drops if contrast.model in models and contrast.counts]
    others = [contrast for contrast in drops if contrast.model in models and not contrast.counts]
    if not counted:
        return nothing_counts(CLAIM, others, several_models=True)
    several = len(study.models) > 1
    return Eligible(patterns=lightest, counted=counted, others=others, lacking=lacking, several_models=several)


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome of the patterns' mean drops, and these."""
    pools = {pattern.pattern: evidence.drops(pattern) for pattern in evidence.patterns}
    numbers = {f"mean loss by {name}": average_number(effects) for name, effects in pools.items()}
    statements: list[Statement] = []
    for name, effects in pools.items():
        statements += three_statements(effects, ALLOWED, of=f"by {name}")
    return Decision(average_outcome(list(pools.values()), ALLOWED), numbers, {}, tuple(statements))


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
        return f"mean loss {' and '.join(f'{{}} by {pattern.pattern}' for pattern in evidence.patterns)}"

    return verdict_by(CLAIM, study, lambda: eligible(study, records), decide, explain, summary)
