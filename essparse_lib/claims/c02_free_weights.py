"""Claim C2: 21.50% of the weights go with no drop on any task, and most of them lie in the feed-forward layers.

The rule: the drop agrees on a task if its whole 95% interval lies at or below one point, and differs if it lies above.
The share of the feed-forward layers is exact: it agrees if more than half of the removed weights lie there, and differs
otherwise. The verdict is the least favourable of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..analysis.contrasts import Contrast, contrasts
from ..analysis.curves import MIN_SEEDS
from ..analysis.essential import EPSILON
from ..analysis.estimate import exact
from ..analysis.feed_forward import FeedForwardShare, feed_forward_shares
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .phrases import greatest_loss, introduced, task_clauses
from .rules import Decision, against, by_outcome, least_favourable, verdict_by
from .verdict import Clause, Number, Outcome, Verdict, not_judged

CLAIM = "C2"


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        pruning: the pruning that removes 21.50% of the weights.
        counted: its contrasts with the dense model, of enough seeds, on learned tasks.
        shares: the feed-forward layers' shares of the weights, by the model's name.
    """

    pruning: Pruning
    counted: list[Contrast]
    shares: dict[str, FeedForwardShare]


def eligible(study: Study, records: Mapping[str, Record]) -> Eligible | Verdict:
    """Return which contrasts and measurements count, or the verdict where they cannot decide.

    Args:
        study: the study, whose main way to prune has one level.
        records: records by the id of their spec.
    """
    pruning = study.variants[study.main][0]
    drops = contrasts(study, records, [(pruning, Pruning())])
    counted = [contrast for contrast in drops if contrast.learned and contrast.seeds >= MIN_SEEDS]
    shares = feed_forward_shares(study, records)
    if not counted or not shares:
        return not_judged(CLAIM, "records are missing")
    return Eligible(pruning=pruning, counted=counted, shares=shares)


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome of drops and shares, and the greatest drop."""
    outcomes = by_outcome((against(drop.difference, -EPSILON), drop.task) for drop in evidence.counted)
    if any(share.removed <= 0.5 for share in evidence.shares.values()):
        outcomes.setdefault(Outcome.DIFFERS, [])
    numbers = {"greatest loss": greatest_loss(evidence.counted)}
    for model, share in evidence.shares.items():
        numbers[f"feed-forward share of {model}"] = Number(estimate=exact(100 * share.removed), unit="%")
    return Decision(least_favourable(outcomes), numbers, outcomes)


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the outcome on each task in words, and where the removed weights lie."""
    clauses = task_clauses(decision.by_outcome)
    for model, share in evidence.shares.items():
        text = (
            f"of what goes {share.removed:.0%} lies in the feed-forward layers of {model}, "
            f"which hold {share.held:.0%} of the weights"
        )
        clauses.append(Clause(text=text))
    rule = f"a loss of at most {EPSILON:g} point with {evidence.pruning.sparsity:.2%} gone"
    return introduced(f"{rule}: ", clauses)


def judge(study: Study, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on C2 from records.

    Args:
        study: the study, whose main way to prune has one level.
        records: records by the id of their spec.
    """

    def summary(evidence: Eligible) -> str:
        shares = " and ".join("{}" for _ in evidence.shares)
        return f"at worst {{}}; {shares} of what goes is feed-forward"

    return verdict_by(CLAIM, study, lambda: eligible(study, records), decide, explain, summary)
