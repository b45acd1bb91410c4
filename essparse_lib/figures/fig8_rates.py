"""The learning rate of Figure 8's models: whether another one trains them to something that pruning can take.

The rule is on the page on methods, and was there before the first of these fine-tunings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from ..analysis.curves import EPSILON, Curve, curves
from ..records.store import Record
from ..specs.study import Study, at_sparsities
from ..wording import listing, number_text, rates_text

if TYPE_CHECKING:
    import pandas as pd

#: Half, two and four times the rate of the study.
RATES = (5e-4, 2e-3, 4e-3)

#: Of the models of all the text, the one whose held-out loss ended lower.
MODEL = "bert-2x128-100-1"

#: The task on which this model gains most from pruning, and the one on which it gains least.
TASKS = ("movie-reviews", "wiki-topics")

#: The last sparsity of the study, where it is seen whether a model has something to lose.
SPARSITY = 0.9


def controls(study: Study) -> tuple[Study, ...]:
    """Return a control for each other learning rate: one model on two tasks, dense and at the last sparsity.

    Args:
        study: the study of the lab scale, without controls.
    """
    return tuple(_at_rate(study, rate) for rate in RATES)


def _at_rate(study: Study, rate: float | None = None) -> Study:
    """Return the control at a learning rate; with None the same fine-tunings at the study's own."""
    trainings = study.training
    if rate is not None:
        trainings = {task: replace(training, learning_rate=rate) for task, training in trainings.items()}
    return replace(
        study,
        models=(MODEL,),
        tasks=TASKS,
        training=trainings,
        variants={study.main: at_sparsities((SPARSITY,))},
        measured={},
        pretrained={},
        controls=(),
    )


def _by_rate(study: Study, records: Mapping[str, Record]) -> dict[float, list[Curve]]:
    """Return the curves at each learning rate, the study's own first, where there are complete ones of all tasks."""
    by_rate = {}
    for part in (_at_rate(study), *study.controls) if study.controls else ():
        (rate,) = {trial.training.learning_rate for trial in part.trials()}
        complete = [curve for curve in curves(part, records) if curve.complete(part)]
        if len(complete) == len(part.tasks):
            by_rate[rate] = complete
    return by_rate


def table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each learning rate with all records: dense score and drop at the last sparsity on each task."""
    import pandas as pd

    rows = []
    for rate, of_rate in _by_rate(study, records).items():
        row = {"learning rate": rates_text([rate]), "mean dense score": number_text(_mean_dense(of_rate), 1)}
        for curve in of_rate:
            row[f"{curve.task}, dense"] = curve.dense().text()
            row[f"{curve.task}, drop at {SPARSITY:.0%}"] = curve.drop_estimates()[-1].text()
        rows.append(row)
    return pd.DataFrame(rows)


def answer(study: Study, records: Mapping[str, Record]) -> str:
    """Return in words whether these models can answer what C9 asks of pruned models, by the rule stated before."""
    if not study.controls:
        return "This study has no fine-tunings at other learning rates."
    trials = [trial for control in study.controls for trial in control.trials()]
    missing = sum(trial.id not in records for trial in trials)
    if missing:
        return f"Not run yet: {missing} of the {len(trials)} fine-tunings at other rates have no record."
    by_rate = _by_rate(study, records)
    if not by_rate:
        return "No rate has complete curves on both tasks, so the rule cannot choose one."
    best = max(by_rate, key=lambda rate: _mean_dense(by_rate[rate]))
    losing = [curve.task for curve in by_rate[best] if curve.sensitive()]
    lead = f"The model scores best without pruning at a rate of {rates_text([best])}."
    if losing:
        return (
            f"{lead} At this rate it has something to lose on {listing(losing)}. By the rule, the scores of "
            "C9 will be run again at this rate."
        )
    return (
        f"{lead} At this rate and {SPARSITY:.0%} sparsity, no interval of the drop lies wholly above "
        f"{number_text(EPSILON, 0)} point. Which of these models prunes better cannot be tested here."
    )


def _mean_dense(of_rate: list[Curve]) -> float:
    return fmean(curve.dense().value for curve in of_rate)
