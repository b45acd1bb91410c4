"""Scores by metrics that records hold as well, and that judge nothing, such as CoLA's Matthews' correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.scoring import scoring
from ..records.store import Record, Status
from ..specs.study import Study
from ..specs.tasks import TASKS
from ..specs.trial import Pruning
from ..wording import number_text
from .task_titles import task_title

if TYPE_CHECKING:
    import pandas as pd


#: What metrics are called.
_NAMES = {"matthews": "Matthews' correlation"}


def table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each model and sparsity: its score by a task's secondary metric; no rows where none has one.

    A score is the mean over the seeds that have a record, computed from the predicted classes that it keeps. So records
    that hold another metric alone have it too.

    Args:
        study: the study; its main way to prune is shown.
        records: records by the id of their spec.
    """
    import pandas as pd

    rows = []
    for model in study.models:
        for task in study.tasks_of(model):
            for metric in TASKS[task].secondary_metrics if task in TASKS else ():
                for sparsity, score in _by_sparsity(study, records, model, task, metric).items():
                    place = {"model": model, "task": task_title(task), "sparsity": f"{sparsity:.0%}"}
                    rows.append({**place, _NAMES.get(metric, metric): number_text(score, 1)})
    return pd.DataFrame(rows)


def _by_sparsity(study: Study, records: Mapping[str, Record], model: str, task: str, metric: str) -> dict[float, float]:
    scores = {}
    for pruning in dict.fromkeys((Pruning(), *study.variants[study.main])):
        found = [records.get(study.trial(model, task, pruning, seed).id) for seed in study.seeds_of(model, task)]
        succeeded = [record for record in found if record is not None and record.status == Status.OK]
        if succeeded:
            scores[pruning.sparsity] = _mean(metric, succeeded)
    return scores


def _mean(metric: str, records: Sequence[Record]) -> float:
    scorer = scoring(metric, records)
    return float(scorer.of(np.ones((1, scorer.examples), dtype=np.float32)).mean())
