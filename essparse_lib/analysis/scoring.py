"""The records of one test set as a function: from how often each example counts to the score of each record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..records.store import Record
from .metrics import MEANS, METRICS, confusion_cells, from_digits, majority, shares


@dataclass(frozen=True)
class Scoring:
    """Scores of several records at once.

    Attributes:
        examples: of the test set.
        floor: score of what has learned nothing: always the commonest class, or no right word.
        of: from weights of shape (resamples, examples) to scores in points, shape (resamples, records).
    """

    examples: int
    floor: float
    of: Callable[[np.ndarray], np.ndarray]


def metric_of(record: Record) -> str | None:
    """The metric that a record is scored by, or None if it has none that is known."""
    return next((name for name in (*METRICS, *sorted(MEANS)) if name in record.metrics), None)


def scoring(metric: str, records: Sequence[Record | None]) -> Scoring:
    """The scores of records on one test set.

    Args:
        metric: a name in ``METRICS`` or ``MEANS``.
        records: at least one of them ``ok``. One that diverged is scored as having learned nothing; None as NaN.
    """
    return _of_shares(records) if metric in MEANS else _of_classes(metric, records)


def _of_shares(records: Sequence[Record | None]) -> Scoring:
    found = [shares(r.predictions) if r is not None and r.status == "ok" else None for r in records]
    examples = next(len(values) for values in found if values is not None)
    columns = [np.zeros(examples) if values is None else values for values in found]
    values = np.stack(columns, axis=1).astype(np.float32)
    unknown = np.array([record is None for record in records])

    def of(weights: np.ndarray) -> np.ndarray:
        means = 100 * (weights @ values) / weights.sum(1, keepdims=True)
        means[:, unknown] = np.nan
        return means

    return Scoring(examples, 0.0, of)


def _of_classes(metric: str, records: Sequence[Record | None]) -> Scoring:
    good = [r for r in records if r is not None and r.status == "ok"]
    labels = from_digits(good[0].labels)
    predictions = {r.spec.id: from_digits(r.predictions) for r in good}
    classes = 1 + max(int(values.max()) for values in (labels, *predictions.values()))
    commonest = np.full_like(labels, np.bincount(labels).argmax())
    cells = np.zeros((len(labels), len(records), classes**2), dtype=np.float32)
    for column, record in enumerate(records):
        if record is not None:
            cells[:, column] = confusion_cells(labels, predictions.get(record.spec.id, commonest), classes)
    unknown = np.array([record is None for record in records])
    flat = cells.reshape(len(labels), -1)

    def of(weights: np.ndarray) -> np.ndarray:
        counts = (weights @ flat).reshape(len(weights), len(records), classes, classes)
        counts[:, unknown] = 1  # any number: masked below
        values = METRICS[metric](counts)
        values[:, unknown] = np.nan
        return values

    return Scoring(len(labels), majority(metric, labels, classes), of)
