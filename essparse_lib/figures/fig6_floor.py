"""Figure 6's floor: the same model fine-tuned from random weights, which has nothing from a pre-training to lose.

Intervals are over fine-tunings and test images, and leave out what another pre-training would give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..analysis.comparisons import MEAN_DROP_FROM, MEAN_DROP_TO, averaged
from ..analysis.curves import Curve, curves
from ..analysis.estimate import Estimate, percentile_interval
from ..records.store import Record
from ..specs.study import Study
from ..wording import listing
from . import vision_settings

if TYPE_CHECKING:
    import pandas as pd

#: Its name in legends and tables, and its line.
NAME = "random weights"
LINE: dict[str, Any] = {"color": "black", "linestyle": (0, (1, 1)), "linewidth": 1.4}

_RANGE = f"{MEAN_DROP_FROM:.0%} to {MEAN_DROP_TO:.0%}"


@dataclass(frozen=True, kw_only=True)
class AboveFloor:
    """What models of one objective have on a task, set against the floor, in points.

    Attributes:
        objective: the objective of their pre-training.
        task: the task.
        dense: the mean of their dense scores.
        gain: how far that lies above the floor's.
        drop: the mean of their drops over the sparsities that decide C7.
        floor_drop: the floor's.
    """

    objective: str
    task: str
    dense: Estimate
    gain: Estimate
    drop: Estimate
    floor_drop: Estimate


def floor_curves(study: Study, records: Mapping[str, Record]) -> list[Curve]:
    """Return the floor's curves, a task each; none as long as a fine-tuning of the floor has no record."""
    if not study.controls or _missing(study, records):
        return []
    return [curve for control in study.controls for curve in curves(control, records) if curve.complete(control)]


def _missing(study: Study, records: Mapping[str, Record]) -> int:
    """Return how many of the floor's fine-tunings have no record."""
    return sum(trial.id not in records for control in study.controls for trial in control.trials())


def compared(study: Study, of_study: Sequence[Curve], floor: Sequence[Curve]) -> list[AboveFloor]:
    """Return what the models of each objective have on each task of the floor, as far as all their curves are complete.

    Args:
        study: a study of Figure 6.
        of_study: its curves.
        floor: the curves of ``floor_curves``.
    """
    complete = {(curve.model, curve.task): curve for curve in of_study if curve.complete(study)}
    rows = []
    for below in floor:
        for objective, models in vision_settings.objectives(study).items():
            group = [complete[model, below.task] for model in models if (model, below.task) in complete]
            if len(group) < len(models):
                continue
            dense = _mean([curve.dense() for curve in group])
            rows.append(
                AboveFloor(
                    objective=objective,
                    task=below.task,
                    dense=dense,
                    gain=_sum(dense, -below.dense()),
                    drop=_mean([_mean_drop(curve) for curve in group]),
                    floor_drop=_mean_drop(below),
                )
            )
    return rows


def _mean_drop(curve: Curve) -> Estimate:
    """Return the mean of a curve's drops over the sparsities that decide C7."""
    inside = averaged(curve.levels)
    drops, resampled = curve.drops()
    return percentile_interval(float(drops[inside].mean()), resampled[:, inside].mean(1))


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean of independent estimates."""
    return _sum(*estimates).scaled(1 / len(estimates))


def _sum(*estimates: Estimate) -> Estimate:
    """Return the sum of estimates as if they were independent; test images that they share make it no less certain."""
    value = sum(estimate.value for estimate in estimates)
    half = math.hypot(*((estimate.high - estimate.low) / 2 for estimate in estimates))
    return Estimate(value, value - half, value + half)


def table(study: Study, of_study: Sequence[Curve], floor: Sequence[Curve]) -> pd.DataFrame:
    """Return a row for each task and objective, and for the floor: dense score, gain above the floor, mean drop."""
    import pandas as pd

    rows = []
    for below in floor:
        dense, drop = below.dense().text(), _mean_drop(below).text()
        rows.append(_row(below.task, NAME, dense, "—", drop))
        for row in compared(study, of_study, [below]):
            rows.append(_row(row.task, row.objective, row.dense.text(), row.gain.text(), row.drop.text()))
    return pd.DataFrame(rows)


def _row(task: str, name: str, dense: str, gain: str, drop: str) -> dict[str, str]:
    return {
        "task": task,
        "pre-training": name,
        "dense score": dense,
        "above the floor": gain,
        f"mean drop, {_RANGE}": drop,
    }


def answer(study: Study, records: Mapping[str, Record], of_study: Sequence[Curve]) -> str:
    """Return what the floor says of the pre-trained models in words, by the rule stated before; or what is missing.

    Args:
        study: a study of Figure 6.
        records: its records, by id.
        of_study: its curves.
    """
    if not study.controls:
        return "There is no floor of random weights at this scale, or for a choice of tasks."
    trials = sum(len(control.trials()) for control in study.controls)
    if missing := _missing(study, records):
        return f"The floor has not been run yet: {missing} of its {trials} fine-tunings have no record."
    floor = floor_curves(study, records)
    rows = compared(study, of_study, floor)
    if not rows:
        return "All fine-tunings of the floor have records, but no pre-trained model has all of its own to compare."
    drops = [f"{_mean_drop(curve).text()} on {curve.task}" for curve in floor]
    sentences = [f"From random weights, the model's mean drop over {_RANGE} is, in points, {listing(drops)}."]
    if unseen := _places(rows, lambda row: row.gain.low <= 0):
        sentences.append(f"Without pruning, the interval reaches the floor for {unseen}.")
        sentences.append("There, robustness says nothing about the pre-training.")
    else:
        sentences.append(
            "Without pruning, every objective scores above the floor on every task, by its whole interval."
        )
    if alike := _places(rows, lambda row: row.drop.value <= row.floor_drop.value):
        sentences.append(f"These lose no more than the floor: {alike}.")
    else:
        sentences.append("Every objective loses more than the floor on every task.")
    return " ".join(sentences)


def _places(rows: Sequence[AboveFloor], holds: Callable[[AboveFloor], bool]) -> str:
    """Return the objectives and tasks where something holds, as a sentence lists them; empty if it holds nowhere."""
    return listing([f"{row.objective} on {row.task}" for row in rows if holds(row)])
