"""Claim C9: more text gives more zeros, a better score at every sparsity, and better dense scores.

The unit is the pre-trained model, not the seed of its fine-tuning: the models of the most text are compared with those
of the least, by 95% t-intervals from the spread between pre-trainings. Models in between show the trend, and decide
nothing. The claim agrees if the difference in zeros (``RELATIVE``), in the dense score, and in the score at each
sparsity lies above 0 with its whole interval, differs if one of them lies below, and is inconclusive otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..analysis.curves import Curve
from ..analysis.curves import curves as curves_of
from ..analysis.effects import Effect, detectable_ratio, most_lost
from ..analysis.essential import EPSILON
from ..analysis.series import series
from ..analysis.text_effects import score_effects, text_extremes, zero_effects
from ..analysis.zero_shares import ABSOLUTE, RELATIVE
from ..records.store import Record
from ..specs.pretraining import TextPretraining
from ..specs.study import Study
from ..wording import listing
from .phrases import introduced
from .rules import Decision, above_zero, by_outcome, least_favourable, verdict_by
from .verdict import Clause, Number, Outcome, Verdict, not_judged

CLAIM = "C9"

_WORDS = {Outcome.AGREES: "more", Outcome.DIFFERS: "less", Outcome.INCONCLUSIVE: "undecided"}


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        most: the pre-training specs on the most text.
        least: the pre-training specs on the least text.
        zeros: effect of the text on the zeros, by reading.
        scores: effect of the text on the score, by sparsity from 0.
    """

    most: list[TextPretraining]
    least: list[TextPretraining]
    zeros: Mapping[str, Effect]
    scores: Mapping[float, Effect]


def eligible(study: Study, records: Mapping[str, Record], curves: Sequence[Curve] | None = None) -> Eligible | Verdict:
    """Return the effects that decide, or the verdict where the records cannot.

    Args:
        study: the study, with pre-trainings on several amounts of text.
        records: records by the id of their spec.
        curves: the study's curves; None to compute them.
    """
    most, least = text_extremes(study)
    if min(len(most), len(least)) < 2 or most == least:
        return not_judged(CLAIM, "it takes two pre-trainings each, on more and on less text")
    curves = curves_of(study, records) if curves is None else curves
    zeros = zero_effects(study, series(study, records))
    scores = score_effects(study, curves)
    models = {spec.model for spec in (*most, *least)}
    with_zeros = zeros[RELATIVE].values if zeros else {}
    ready = []
    for model in models:
        complete = sum(curve.complete(study) for curve in curves if curve.model == model)
        if model in with_zeros and complete == len(study.tasks_of(model)):
            ready.append(model)
    if len(ready) < len(models):
        reason = f"{len(models) - len(ready)} of the {len(models)} models compared lack records"
        return not_judged(CLAIM, reason, some_records=bool(ready))
    if not scores:
        return not_judged(CLAIM, "no dense model learned its task", some_records=True)
    return Eligible(most=most, least=least, zeros=zeros, scores=scores)


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome, the outcome of each quantity, and the differences in zeros and in the dense score."""
    zeros, dense = evidence.zeros[RELATIVE].difference, evidence.scores[0.0].difference
    outcomes = by_outcome([(above_zero(zeros), f"zeros {RELATIVE}"), (above_zero(dense), "the dense score")])
    pruned = by_outcome(
        (above_zero(effect.difference), f"{sparsity:.0%}") for sparsity, effect in evidence.scores.items() if sparsity
    )
    for outcome, sparsities in pruned.items():
        outcomes.setdefault(outcome, []).append(f"the score at {listing(sparsities)}")
    numbers = {
        "zeros": Number(estimate=zeros, unit="percent", digits=3),
        "dense score": Number(estimate=dense, unit="points", digits=1),
    }
    return Decision(least_favourable(outcomes), numbers, outcomes)


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the outcome of each quantity in words, the differences, and how large one must be to be established."""
    clauses = []
    for outcome, word in _WORDS.items():
        quantities = decision.by_outcome.get(outcome, [])
        if quantities:
            clauses.append(Clause(text=f"{word}: {listing(quantities)}", outcome=outcome, places=tuple(quantities)))
    zeros = [f"{evidence.zeros[reading].difference.text(3)} ({reading})" for reading in (RELATIVE, ABSOLUTE)]
    clauses.append(Clause(text=f"zeros differ by {listing(zeros)} percent of the weights"))
    clauses.append(Clause(text=f"dense scores differ by {evidence.scores[0.0].difference.text()} points"))
    if most_lost(evidence.scores) <= EPSILON:
        text = "no model loses more than a point at any sparsity, so that which prunes better cannot be told"
        clauses.append(Clause(text=text))
    ratio = detectable_ratio(len(evidence.most), len(evidence.least))
    text = f"a difference shows if it is {ratio:.1f} times as large as the spread between such pre-trainings"
    clauses.append(Clause(text=text))
    most, least = (specs[0].fraction for specs in (evidence.most, evidence.least))
    return introduced(f"on {most:.0%} of the text rather than {least:.0%}, ", clauses)


def judge(study: Study, records: Mapping[str, Record], curves: Sequence[Curve] | None = None) -> Verdict:
    """Return the verdict on C9 from records.

    Args:
        study: the study, with pre-trainings on several amounts of text.
        records: records by the id of their spec.
        curves: the study's curves; None to compute them.
    """
    return verdict_by(
        CLAIM, study, lambda: eligible(study, records, curves), decide, explain, "zeros {}, dense score {}"
    )
