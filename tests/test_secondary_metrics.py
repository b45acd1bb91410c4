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
    told = secondary_metrics.sentence(STUDY, records(**metrics))
    assert told == "By Matthews' correlation, m scores on cola 80.0 at 0% and 60.0 at 50%."


def test_where_no_task_has_one_there_are_no_words():
    assert secondary_metrics.sentence(CURVE_STUDY, {}) == secondary_metrics.sentence(STUDY, {}) == ""
