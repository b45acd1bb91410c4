"""CoLA is judged by accuracy, and Matthews' correlation is told as well, of old records and of new ones."""

import dataclasses

import pytest
from helpers import CURVE_STUDY, answered

from essparse_lib.figures import secondary_metrics
from essparse_lib.specs.study import at_sparsities

STUDY = dataclasses.replace(CURVE_STUDY, tasks=("cola", "t"), variants={"one-shot": at_sparsities((0.5,))})


def records(**metrics):
    found = {}
    for trial in STUDY.trials():
        record = answered(trial, 90 - 20 * trial.pruning.sparsity)
        found[trial.id] = dataclasses.replace(record, metrics=metrics or record.metrics)
    return found


@pytest.mark.parametrize("metrics", [{"matthews": 80.0}, {"accuracy": 90.0, "matthews": 80.0}])
def test_the_secondary_metric_is_told_from_the_predictions(metrics):
    table = secondary_metrics.table(STUDY, records(**metrics))
    assert table.to_dict("list") == {
        "model": ["m"] * 2,
        "task": ["CoLA (grammar)"] * 2,
        "sparsity": ["0%", "50%"],
        "Matthews' correlation": ["80.0", "60.0"],
    }


def test_where_no_task_has_one_there_is_no_row():
    assert secondary_metrics.table(CURVE_STUDY, {}).empty and secondary_metrics.table(STUDY, {}).empty
