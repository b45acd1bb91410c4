"""Secondary statements on C7 and C9: how far models can be pruned by what needs no fine-tuning.

They decide nothing, and stand beside the verdicts; no verdict needs these records. Their 95% t-intervals come from the
spread between pre-trainings. Where models lack the measurement, or have nothing to lose by it, the clause says how
many, and there is no number.

C9: the largest sparsity up to which the held-out loss of the trained model stays within 1% of its loss without pruning,
as what a line through all pre-trainings changes by from the least text to the most. It is stated where the models of
the most text and of the least have it. C7: the mean drop over 10 to 60% of the accuracy that pruned and
frozen features give, of self-supervised less supervised models, over the tasks whose classes the features of every
model tell and none was pre-trained to tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..analysis.comparisons import MEAN_DROP_FROM, MEAN_DROP_TO, Comparison
from ..analysis.estimate import Estimate
from ..analysis.prunability import (
    TOLERANCE,
    counted_tasks,
    feature_curves,
    feature_effect,
    loss_curves,
    prunable_text_effect,
    trained,
)
from ..analysis.series import text_pretrainings
from ..records.store import Record
from ..specs.study import Study
from ..wording import listing
from .rules import above_zero
from .verdict import Clause, Number, Outcome

#: The readings of the features, as a sentence has them.
READINGS = {"knn": "nearest neighbours", "linear_probe": "a linear probe"}

_WORDS = {Outcome.AGREES: "more", Outcome.DIFFERS: "less", Outcome.INCONCLUSIVE: "undecided"}


@dataclass(frozen=True)
class Secondary:
    """A statement beside a verdict.

    Attributes:
        clause: the statement in words; its outcome is None where the measurement is missing.
        number: the difference that it rests on; None where the measurement is missing.
    """

    clause: Clause
    number: Number | None = None


def held_out_loss(study: Study, records: Mapping[str, Record]) -> Secondary:
    """Return the statement on C9: how much further models can be pruned with more text.

    Args:
        study: a study of pre-trainings on several amounts of text.
        records: records by the id of their spec.
    """
    curves = trained(study, loss_curves(study, records))
    models = [spec.model for spec in text_pretrainings(study)]
    what = f"sparsity at which the held-out loss, without fine-tuning, rises by {TOLERANCE:.0%}"
    if without := [model for model in models if model not in curves]:
        return _unmeasured(what, without, models)
    if flat := [model for model in models if not curves[model].prunable().known]:
        return Secondary(
            Clause(text=f"{what}: it rises by less at every sparsity for {len(flat)} of {len(models)} models")
        )
    difference = prunable_text_effect(study, curves.values()).difference
    number = Number(estimate=difference, unit="percent of the weights", digits=1)
    text = f"{what}: {_WORDS[above_zero(difference)]} with more text, a difference of {number.text}"
    return _statement(text, number, above_zero(difference))


def pruned_features(
    study: Study, records: Mapping[str, Record], comparison: Comparison, reading: str = "knn"
) -> Secondary:
    """Return the statement on C7: how much less the features of self-supervised models lose than those of supervised.

    The number is the difference in the drop: below 0 the self-supervised models lose less.

    Args:
        study: the study of the models.
        records: records by the id of their spec.
        comparison: self-supervised against supervised models.
        reading: ``knn`` or ``linear_probe``.
    """
    curves = feature_curves(study, records)
    measured = {(curve.model, curve.task) for curve in curves}
    models = comparison.models
    span = f"{MEAN_DROP_FROM:.0%} to {MEAN_DROP_TO:.0%}"
    what = f"drop over {span} of the accuracy of {READINGS[reading]} on frozen features"
    without = [model for model in models if any((model, task) not in measured for task in study.tasks_of(model))]
    if without or not models:
        return _unmeasured(what, without, models)
    tasks = counted_tasks(study, curves, models, reading)
    if not tasks:
        return Secondary(Clause(text=f"{what}: on no task that counts do the features of all models tell the classes"))
    difference = feature_effect(study, curves, comparison, reading).difference
    number = Number(estimate=difference, unit="points", digits=1)
    outcome = above_zero(-difference)
    less = {Outcome.AGREES: "less", Outcome.DIFFERS: "more"}.get(outcome, _WORDS[outcome])
    text = f"{what} ({listing(tasks)}): {less} for {comparison.name}, a difference of {number.text}"
    return _statement(text, number, outcome)


def _statement(text: str, number: Number, outcome: Outcome) -> Secondary:
    return Secondary(Clause(text=text, outcome=outcome if _decides(number.estimate) else None), number)


def _decides(estimate: Estimate) -> bool:
    return estimate.known and estimate.has_interval


def _unmeasured(what: str, without: Collection[str], models: Collection[str]) -> Secondary:
    return Secondary(Clause(text=f"{what}: not measured yet for {len(without)} of {len(models)} models"))
