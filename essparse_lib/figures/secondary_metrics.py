"""Scores by metrics that records hold as well, and that judge nothing, such as CoLA's Matthews' correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..analysis.scoring import scoring
from ..records.store import Record, Status
from ..specs.study import Study
from ..specs.tasks import TASKS
from ..specs.trial import Pruning
from ..wording import listing, number_text


def sentence(study: Study, records: Mapping[str, Record]) -> str:
    """Return the scores of a study's tasks by their secondary metrics, by sparsity, in words; empty if there are none.

    A score is the mean over the seeds that have a record, computed from the predicted classes that it keeps. So records
    that hold another metric alone have it too.

    Args:
        study: the study; its main way to prune is told.
        records: records by the id of their spec.
    """
    texts = []
    for model in study.models:
        for task in study.tasks_of(model):
            for metric in TASKS[task].secondary_metrics if task in TASKS else ():
                scores = _by_sparsity(study, records, model, task, metric)
                if scores:
                    levels = [f"{number_text(score, 1)} at {sparsity:.0%}" for sparsity, score in scores.items()]
                    texts.append(f"By {_NAMES.get(metric, metric)}, {model} scores on {task} {listing(levels)}.")
    return " ".join(texts)


_NAMES = {"matthews": "Matthews' correlation"}


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
