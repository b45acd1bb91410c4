"""Tables and sentences of Figure 10: how alike the masks are, and what another learning rate changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.curves import curves
from ..records.store import Record
from ..specs.study import Study
from ..wording import listing, number_text, rates_text
from .fig10 import compared_models, of_two_tasks, tables, with_one_shot
from .task_titles import task_title
from .vision_settings import model_title

if TYPE_CHECKING:
    import pandas as pd


def table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each model and sparsity: mean cosines, the lowest cosine of a pair, and the null, in percent.

    The model has a column if there are several.
    """
    import pandas as pd

    models = compared_models(study, records)
    rows = []
    for model in models:
        for sparsity, cosines in tables(study, records, model).items():
            row = {"model": model_title(model)} if len(models) > 1 else {}
            rows.append(row | _row(sparsity, cosines))
    return pd.DataFrame(rows)


def rates(study: Study) -> str:
    """Return a sentence that gives the learning rate with which each model's tickets are found."""
    return f"Learning rates of the fine-tuning: {_rates_by_model(study)}."


def _rates_by_model(study: Study) -> str:
    by_model = _rates(study)
    return ", ".join(f"{rates_text(rates)} for {model_title(model)}" for model, rates in by_model.items())


def _rates(study: Study) -> dict[str, list[float]]:
    """Return the learning rates of the fine-tunings by model."""
    by_model: dict[str, list[float]] = {}
    for trial in study.trials():
        by_model.setdefault(trial.model, []).append(trial.training.learning_rate)
    return by_model


def two_rates(study: Study) -> str:
    """Return in a sentence at which two rates a model's tickets are found, and how far they are apart; or nothing."""
    usual = _rates(study)
    sentences = []
    for control in study.controls:
        for model, rates_of_control in _rates(control).items():
            if model in usual:
                own, other = max(usual[model]), max(rates_of_control)
                sentences.append(
                    f"The {model_title(model)}, is fine-tuned at a learning rate of {own:g}, "
                    f"{number_text(own / other, 0)} times the language model's, and once more at {other:g}."
                )
    return " ".join(sentences)


def controlled(study: Study, records: Mapping[str, Record]) -> str:
    """Return what the controls change, and what that does to the dense models, in words."""
    if not study.controls:
        return "This study has no such run."
    return " ".join([rates(study), *(_control_text(study, control, records) for control in study.controls)])


def _control_text(study: Study, control: Study, records: Mapping[str, Record]) -> str:
    """Return at which rate a control is trained and what its dense models score, in words."""
    usual_study = replace(study, models=control.models)
    usual = {(curve.model, curve.task): curve.dense().text() for curve in curves(usual_study, records)}
    scores = []
    for curve in curves(control, records):
        at_own_rate = usual.get((curve.model, curve.task), "—")
        scores.append(f"{curve.dense().text()} on {task_title(curve.task)} ({at_own_rate} at its own rate)")
    dense = f" Without pruning, the model then scores {listing(scores)}." if scores else ""
    return f"In this control: {_rates_by_model(control)}.{dense}"


def _row(sparsity: float, cosines: np.ndarray) -> dict[str, str]:
    one_shot, two_tasks = with_one_shot(cosines), of_two_tasks(cosines)
    least = float(min(one_shot.min(), two_tasks.min(initial=1.0)))
    return {
        "sparsity": f"{sparsity:.0%}",
        "ticket and one-shot (%)": f"{100 * one_shot.mean():.2f}",
        "tickets of two tasks (%)": f"{100 * two_tasks.mean():.2f}" if len(two_tasks) else "—",
        "lowest pair (%)": f"{100 * least:.2f}",
        "by chance (%)": f"{100 * (1 - sparsity):.0f}",
    }
