"""Scores of the records of one test set, as a function of how often each example counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..records.metrics import MEANS, METRICS, confusion_cells, from_digits, majority, shares
from ..records.store import Record, Status


@dataclass(frozen=True)
class Scoring:
    """The scores of several records of one test set.

    Attributes:
        examples: number of examples of the test set.
        floor: score, in points, of a model that learned nothing: always the commonest class, or no right word.
        of: function from the weight of each example in each resample, shape (resamples, examples), to scores in
            points, shape (resamples, records).
    """

    examples: int
    floor: float
    of: Callable[[np.ndarray], np.ndarray]


def metric_of(record: Record) -> str | None:
    """Return the name of the metric that a record is judged by; None if it has no known metric.

    A record that keeps classes is judged by accuracy, which follows from them, whatever metrics it holds.
    """
    if any(name in record.metrics for name in METRICS):
        return "accuracy"
    return next((name for name in sorted(MEANS) if name in record.metrics), None)


def scoring(metric: str, records: Sequence[Record | None]) -> Scoring:
    """Return the scoring of records of one test set.

    Args:
        metric: a name in ``METRICS`` or ``MEANS``.
        records: records, at least one of them ``ok``. A record that diverged scores the floor; None scores NaN.
    """
    if metric == "accuracy":
        return _of_answers(records)
    return _of_shares(records) if metric in MEANS else _of_classes(metric, records)


def _of_shares(records: Sequence[Record | None]) -> Scoring:
    known = [shares(r.predictions) if r is not None and r.status == Status.OK else None for r in records]
    examples = next(len(values) for values in known if values is not None)
    columns = [np.zeros(examples) if values is None else values for values in known]
    missing = np.array([record is None for record in records])
    return Scoring(examples, 0.0, _means_of(np.stack(columns, axis=1), missing))


def _means_of(values: np.ndarray, missing: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the scoring function of what each example scores, from 0 to 1, shape (examples, records)."""
    table = values.astype(np.float32)

    def scores(weights: np.ndarray) -> np.ndarray:
        means = 100 * (weights @ table) / weights.sum(1, keepdims=True)
        means[:, missing] = np.nan
        return means

    return scores


def _of_answers(records: Sequence[Record | None]) -> Scoring:
    """Return the scoring by accuracy, which needs to know of each answer only whether it is right."""
    succeeded = [r for r in records if r is not None and r.status == Status.OK]
    labels = from_digits(succeeded[0].labels)
    commonest = labels == np.bincount(labels).argmax()
    columns = [commonest] * len(records)
    for column, record in enumerate(records):
        if record is not None and record.status == Status.OK:
            columns[column] = from_digits(record.predictions) == labels
    missing = np.array([record is None for record in records])
    return Scoring(len(labels), 100 * float(commonest.mean()), _means_of(np.stack(columns, axis=1), missing))


def _of_classes(metric: str, records: Sequence[Record | None]) -> Scoring:
    succeeded = [r for r in records if r is not None and r.status == Status.OK]
    labels = from_digits(succeeded[0].labels)
    predictions = {r.spec.id: from_digits(r.predictions) for r in succeeded}
    classes = 1 + max(int(values.max()) for values in (labels, *predictions.values()))
    commonest = np.full_like(labels, np.bincount(labels).argmax())
    cells = np.zeros((len(labels), len(records), classes**2), dtype=np.float32)
    for column, record in enumerate(records):
        if record is not None:
            cells[:, column] = confusion_cells(labels, predictions.get(record.spec.id, commonest), classes)
    missing = np.array([record is None for record in records])
    table = cells.reshape(len(labels), -1)

    def scores(weights: np.ndarray) -> np.ndarray:
        counts = (weights @ table).reshape(len(weights), len(records), classes, classes)
        counts[:, missing] = 1  # any count that no metric divides by zero for; overwritten below
        values = METRICS[metric](counts)
        values[:, missing] = np.nan
        return values

    return Scoring(len(labels), majority(metric, labels, classes), scores)


def check_same_origin(records: Sequence[Record]) -> None:
    """Raise InputError unless all records have the same weights, data and labels, and as many predictions."""
    first = records[0]
    for record in records:
        for name in ("weights", "data"):
            if record.provenance.get(name) != first.provenance.get(name):
                origins = [str(each.provenance.get(f"{name}_from", "")) for each in (record, first)]
                explanation = f" ({' against '.join(origins)})" if all(origins) else ""
                pair = f"the records of {record.spec} and of {first.spec}"
                raise InputError(f"{pair} were made with other {name}{explanation}")
        if not record.predictions:
            raise InputError(f"the record of {record.spec} has no predictions: set it aside")
        if record.labels != first.labels or len(record.predictions) != len(first.predictions):
            raise InputError(f"the records of {record.spec} and of {first.spec} have other labels or examples")
