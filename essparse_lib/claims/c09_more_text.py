"""Claim C9: more text gives more zeros, a better score at every sparsity, and better dense scores.

The unit is the pre-trained model, not the seed of its fine-tuning. Each quantity is fitted by a straight line through
all pre-trainings, on all amounts of text; its effect is what the line changes by from the least text to the most, with
a 95% t-interval of n − 2 degrees of freedom. Two runs a side would say too little for a t-test of the two ends.

Three quantities decide:

- zeros (``RELATIVE``), in percent of their mean over the pre-trainings; smallest effect of interest: 1%, a fourteenth
  of what the paper finds between two objectives (C7), since it gives no number for the text;
- the dense score in points, the mean over the tasks that some dense model has learned; smallest effect: one point, ε;
- the mean of the scores at all sparsities above 0, in points; smallest effect: one point. It counts only the tasks on
  which every pre-training's curve has something to lose: its drop at the last sparsity lies above ε with its whole
  interval. Without such a task this quantity cannot be tested: a model that loses nothing cannot show how well it
  prunes.

A quantity agrees if its interval lies above 0 and reaches the smallest effect of interest. It differs if its effect is
below the smallest one by a one-sided t-test at 2.5%, adjusted over the quantities that are tested (Holm 1979). The
claim agrees if all three agree, differs if one differs, and is inconclusive otherwise. Where the text has the smallest
effects of interest, chance gives a false *differs* in at most 2.5%.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..analysis.curves import EPSILON, Curve
from ..analysis.curves import curves as curves_of
from ..analysis.effects import Slope
from ..analysis.pooled import ALPHA
from ..analysis.series import series, text_pretrainings
from ..analysis.text_effects import (
    loss_effect,
    pruned_effect,
    score_effects,
    tasks_with_something_to_lose,
    text_slope,
    zero_effects,
)
from ..analysis.zero_shares import ABSOLUTE, RELATIVE
from ..records.store import Record
from ..specs.study import Study
from ..wording import listing, number_text
from .phrases import NEEDS, introduced
from .pools import Reason
from .rules import Decision, against_smallest, amount_text, by_outcome, least_favourable, smallest_text, verdict_by
from .verdict import Clause, Number, Outcome, Verdict, not_run, untestable

CLAIM = "C9"

#: Fewest pre-trainings, on two or more amounts of text, through which a line says something.
MIN_PRETRAININGS = 4

#: Smallest effects of interest: on the zeros in percent of them, on scores in points.
SMALLEST_ZEROS, SMALLEST_SCORE = 1.0, EPSILON

ZEROS, DENSE, PRUNED = f"zeros {RELATIVE}", "the dense score", "the mean score over the sparsities"

#: What it would take, by the quantity that cannot be tested.
_NEEDS = {
    ZEROS: "models that have weights near zero",
    DENSE: NEEDS[Reason.NOT_LEARNED],
    PRUNED: NEEDS[Reason.NOTHING_TO_LOSE],
}


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One of the quantities that decide.

    Attributes:
        line: the line through its values against the share of the text.
        smallest: the smallest effect of interest, in the unit.
        unit: ``%`` or ``points``.
    """

    line: Slope
    smallest: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        study: the study.
        quantities: the quantities that are tested, by name.
        absolute: the line through the zeros by the absolute reading, in percent of them; None where there are none.
        losses: loss on held-out text at the end of each pre-training in nats a token, by the model's name.
        tasks: the tasks that count for the score of the pruned models.
    """

    study: Study
    quantities: Mapping[str, Quantity]
    absolute: Slope | None
    losses: Mapping[str, float]
    tasks: Sequence[str]


def eligible(study: Study, records: Mapping[str, Record], curves: Sequence[Curve] | None = None) -> Eligible | Verdict:
    """Return the quantities that decide, or the verdict where the records cannot.

    Args:
        study: the study, with pre-trainings on several amounts of text.
        records: records by the id of their spec.
        curves: the study's curves; None to compute them.
    """
    pretrainings = text_pretrainings(study)
    models = [spec.model for spec in pretrainings]
    if len(models) < MIN_PRETRAININGS or len({spec.fraction for spec in pretrainings}) < 2:
        needs = f"{MIN_PRETRAININGS} pre-trainings or more, on several amounts of text"
        return untestable(CLAIM, "there are too few pre-trainings", needs=needs)
    curves = curves_of(study, records) if curves is None else curves
    runs = series(study, records)
    zeros, scores = zero_effects(study, runs), score_effects(study, curves)
    with_zeros = zeros[RELATIVE].values if RELATIVE in zeros else {}
    ready = []
    for model in models:
        complete = sum(curve.complete(study) for curve in curves if curve.model == model)
        if model in with_zeros and complete == len(study.tasks_of(model)):
            ready.append(model)
    if len(ready) < len(models):
        reason = f"{len(models) - len(ready)} of the {len(models)} models compared lack records"
        return not_run(CLAIM, reason)
    if not scores:
        return untestable(CLAIM, "no dense model learned its task", needs=NEEDS[Reason.NOT_LEARNED])
    tasks = tasks_with_something_to_lose(study, curves)
    values = {ZEROS: _percents(with_zeros), DENSE: scores[0.0].values}
    if tasks:
        values[PRUNED] = pruned_effect(study, curves, tasks).values
    quantities = {}
    for name, by_model in values.items():
        if line := text_slope(study, by_model):
            smallest, unit = (SMALLEST_ZEROS, "%") if name == ZEROS else (SMALLEST_SCORE, "points")
            quantities[name] = Quantity(line=line, smallest=smallest, unit=unit)
    return Eligible(
        study=study,
        quantities=quantities,
        absolute=text_slope(study, _percents(zeros[ABSOLUTE].values)) if ABSOLUTE in zeros else None,
        losses=loss_effect(study, runs).values,
        tasks=tasks,
    )


def _percents(shares: Mapping[str, float]) -> dict[str, float]:
    """Return shares of zeros in percent of their mean; empty where there are no zeros."""
    total = sum(shares.values())
    return {model: 100 * len(shares) * share / total for model, share in shares.items()} if total else {}


def outcomes_of(quantities: Mapping[str, Quantity]) -> dict[str, Outcome]:
    """Return the outcome of each quantity, with the tests that may say *differs* adjusted by Holm.

    Args:
        quantities: the quantities that are tested, by name.
    """
    if not quantities:
        return {}
    from statsmodels.stats.multitest import multipletests  # a second to import

    p_values = [quantity.line.p_at_least(quantity.smallest) for quantity in quantities.values()]
    below = multipletests(p_values, alpha=ALPHA, method="holm")[0]
    outcomes = {}
    for (name, quantity), differs in zip(quantities.items(), below, strict=True):
        alone = against_smallest(quantity.line.change, quantity.smallest)
        unadjusted = Outcome.INCONCLUSIVE if alone == Outcome.DIFFERS else alone
        outcomes[name] = Outcome.DIFFERS if differs else unadjusted
    return outcomes


def overall(outcomes: Mapping[str, Outcome]) -> Outcome:
    """Return the outcome of the claim from those of its quantities; an untestable one keeps it from agreeing."""
    if not outcomes:
        return Outcome.UNTESTABLE
    least = least_favourable(set(outcomes.values()))
    return Outcome.UNTESTABLE if least == Outcome.AGREES and not _NEEDS.keys() <= outcomes.keys() else least


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome, the outcome of each quantity, and the effect of the text on each."""
    outcomes = outcomes_of(evidence.quantities)
    numbers = {
        name: Number(
            estimate=quantity.line.change,
            unit=quantity.unit,
            digits=1,
            allowed=(0.0, math.inf),
            reach=quantity.smallest,
        )
        for name, quantity in evidence.quantities.items()
    }
    outcome, by_quantity = overall(outcomes), by_outcome((outcome, name) for name, outcome in outcomes.items())
    untestable_ones = [needs for name, needs in _NEEDS.items() if name not in outcomes]
    needs = " and ".join(untestable_ones) if outcome == Outcome.UNTESTABLE else ""
    return Decision(outcome, numbers, by_quantity, needs=needs)


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return the effect on each quantity in words, what is not tested, and how the pre-trainings ended."""
    clauses = []
    for name, quantity in evidence.quantities.items():
        change, smallest = quantity.line.change, quantity.smallest
        outcome = next(outcome for outcome, names in decision.by_outcome.items() if name in names)
        number = decision.numbers[name].text
        text = f"{name}: {number}, {smallest_text(change, smallest, quantity.unit)}"
        if outcome != against_smallest(change, smallest):
            text += ", but not by Holm's adjustment"
        if name == PRUNED:
            text += f" (on {listing(list(evidence.tasks))})"
        clauses.append(Clause(text=text, outcome=outcome, places=(name,)))
    if PRUNED not in evidence.quantities:
        text = (
            f"{PRUNED}: cannot be tested here, since on no task does every pre-training's curve lose more than "
            f"{amount_text(EPSILON, 'points')} at the last sparsity, so that which prunes better cannot be told"
        )
        clauses.append(Clause(text=text, outcome=Outcome.UNTESTABLE, places=(PRUNED,)))
    if evidence.absolute:
        clauses.append(Clause(text=f"by the reading {ABSOLUTE}, zeros change by {evidence.absolute.change.text()}%"))
    if evidence.losses:
        clauses.append(Clause(text=_losses_text(evidence)))
    pretrainings = text_pretrainings(evidence.study)
    fractions = [spec.fraction for spec in pretrainings]
    lead = f"on {max(fractions):.0%} of the text rather than {min(fractions):.0%}, by a line through all "
    return introduced(f"{lead}{len(pretrainings)} pre-trainings, ", clauses)


def _losses_text(evidence: Eligible) -> str:
    """Return between which held-out losses the pre-trainings end, in words, and whether they fall into two groups."""
    losses = sorted(evidence.losses.values())
    gaps = [later - earlier for earlier, later in pairwise(losses)]
    text = f"the pre-trainings end at held-out losses of {number_text(losses[0], 2)} to {number_text(losses[-1], 2)} "
    text += "nats a token"
    if max(gaps) > (losses[-1] - losses[0]) / 2:
        text += f", in two groups {number_text(max(gaps), 2)} apart: the intervals take such runs for draws from one "
        text += "normal distribution"
    return text


def judge(study: Study, records: Mapping[str, Record], curves: Sequence[Curve] | None = None) -> Verdict:
    """Return the verdict on C9 from records.

    Args:
        study: the study, with pre-trainings on several amounts of text.
        records: records by the id of their spec.
        curves: the study's curves; None to compute them.
    """

    def summary(evidence: Eligible) -> str:
        fractions = [spec.fraction for spec in text_pretrainings(evidence.study)]
        changes = ", ".join(f"{name} {{}}" for name in evidence.quantities)
        return f"{max(fractions):.0%} of the text against {min(fractions):.0%}: {changes}"

    return verdict_by(CLAIM, study, lambda: eligible(study, records, curves), decide, explain, summary)
