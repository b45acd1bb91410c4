"""Tables and sentences of Figure 10: how alike the masks are, and what another learning rate changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.curves import curves
from ..claims.paper import COSINES
from ..records.store import Record
from ..specs.study import Study
from ..wording import listing, rates_text
from .fig10 import compared_models, of_two_tasks, tables, with_one_shot

if TYPE_CHECKING:
    import pandas as pd


def table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each model and sparsity: mean and least cosines, the null, and whether all exceed 96% and 98%.

    The model has a column if there are several.
    """
    import pandas as pd

    models = compared_models(study, records)
    rows = []
    for model in models:
        for sparsity, cosines in tables(study, records, model).items():
            row = {"model": model} if len(models) > 1 else {}
            rows.append(row | _row(sparsity, cosines))
    return pd.DataFrame(rows)


def rates(study: Study) -> str:
    """Return a sentence that gives the learning rate with which each model's tickets are found."""
    return f"Learning rates of the fine-tuning: {_rates_by_model(study)}."


def _rates_by_model(study: Study) -> str:
    by_model: dict[str, list[float]] = {}
    for trial in study.trials():
        by_model.setdefault(trial.model, []).append(trial.training.learning_rate)
    return ", ".join(f"{rates_text(rates)} for {model}" for model, rates in by_model.items())


def controlled(study: Study, records: Mapping[str, Record]) -> str:
    """Return what the controls change, and what that does to the dense models, in words."""
    if not study.controls:
        return "This study has no such run."
    return " ".join([rates(study), *(_control_text(study, control, records) for control in study.controls)])


def _control_text(study: Study, control: Study, records: Mapping[str, Record]) -> str:
    """Return at which rate a control is trained and what its dense models score, in words."""
    usual_study = replace(study, models=control.models)
    usual = {(curve.model, curve.task): curve.dense().text() for curve in curves(usual_study, records)}
    scores = [
        f"{curve.dense().text()} on {curve.task} ({usual.get((curve.model, curve.task), '—')} at its own rate)"
        for curve in curves(control, records)
    ]
    dense = f" Without pruning it then scores {listing(scores)}." if scores else ""
    return f"Here: {_rates_by_model(control)}.{dense}"


def _row(sparsity: float, cosines: np.ndarray) -> dict[str, str]:
    one_shot, two_tasks = with_one_shot(cosines), of_two_tasks(cosines)
    least = float(min(one_shot.min(), two_tasks.min(initial=1.0)))
    return {
        "sparsity": f"{sparsity:.0%}",
        "with one-shot": f"{100 * one_shot.mean():.2f}",
        "of two tasks": f"{100 * two_tasks.mean():.2f}" if len(two_tasks) else "—",
        "least": f"{100 * least:.2f}",
        "by chance": f"{100 * (1 - sparsity):.0f}",
        **{f"all above {level:.0%}": "yes" if least > level else "no" for level in COSINES},
    }
