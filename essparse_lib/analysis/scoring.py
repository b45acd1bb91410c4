"""Scores of the records of one test set, as a function of how often each example counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..records.metrics import MEANS, METRICS, confusion_cells, from_digits, majority, shares
from ..records.store import Record, Status
from ..specs.evaluation import Evaluation
from ..specs.likelihood import LIKELIHOOD_TASKS

#: Names of the accuracies of an evaluation: of the likeliest answer, and of the likeliest for its length.
ACCURACIES = ("accuracy", "accuracy_normalised")

#: Name of the metric of evaluations that is in nats: of the right answer to a question, or of a text's next token.
LOG_PROBABILITY = "log_probability"


@dataclass(frozen=True)
class Scoring:
    """The scores of several records of one test set.

    Attributes:
        examples: number of examples of the test set.
        floor: score of a model that learned nothing: always the commonest class or equation, a guess among the choices,
            or no right word; NaN where it is not known.
        of: function from the weight of each example in each resample, shape (resamples, examples), to scores in the
            metric's unit, shape (resamples, records).
        groups: the group of each example, a digit each, if the examples of each group are drawn by themselves; else
            empty.
    """

    examples: int
    floor: float
    of: Callable[[np.ndarray], np.ndarray]
    groups: str = ""


def metric_of(record: Record) -> str | None:
    """Return the name of the metric that a record is judged by; None if it has no known metric.

    A record that keeps classes is judged by accuracy, which follows from them, whatever metrics it holds. The answers
    of an evaluation are judged by the accuracy that the row of its task names; texts have no answers.
    """
    if isinstance(record.spec, Evaluation):
        row = LIKELIHOOD_TASKS.get(record.spec.task)
        metric = ACCURACIES[1] if row is not None and row.normalised else ACCURACIES[0]
        return metric if metric in record.metrics else None
    if any(name in record.metrics for name in METRICS):
        return "accuracy"
    return next((name for name in sorted(MEANS) if name in record.metrics), None)


def scoring(metric: str, records: Sequence[Record | None]) -> Scoring:
    """Return the scoring of records of one test set.

    Args:
        metric: a name in ``METRICS``, ``MEANS`` or ``ACCURACIES``, or ``LOG_PROBABILITY``.
        records: records, at least one of them ``ok``. A record that diverged scores the floor; None scores NaN.
    """
    if metric == LOG_PROBABILITY:
        return _of_log_probabilities(records)
    if metric in ACCURACIES:
        return _of_answers(metric, records)
    return _of_shares(records) if metric in MEANS else _of_classes(metric, records)


def _of_shares(records: Sequence[Record | None]) -> Scoring:
    known = [shares(r.predictions) if r is not None and r.status == Status.OK else None for r in records]
    first = next(record for record in records if record is not None and record.status == Status.OK)
    unlearned = _unlearned_shares(first)
    columns = [unlearned if values is None else values for values in known]
    missing = np.array([record is None for record in records])
    floor = 100 * float(unlearned.mean())
    return Scoring(len(unlearned), floor, _means_of(np.stack(columns, axis=1), missing))


def _unlearned_shares(record: Record) -> np.ndarray:
    """Return what each example scores by a model that learned nothing, but for the commonest equation, from 0 to 1."""
    equations = record.values.get("equations")
    if equations is None:
        return np.zeros(len(shares(record.predictions)))
    return from_digits(equations["commonest"]).astype(float)


def _means_of(values: np.ndarray, missing: np.ndarray, scale: float = 100.0) -> Callable[[np.ndarray], np.ndarray]:
    """Return the scoring function of what each example scores, shape (examples, records): their mean times a scale."""
    table = values.astype(np.float32)

    def scores(weights: np.ndarray) -> np.ndarray:
        means = scale * (weights @ table) / weights.sum(1, keepdims=True)
        means[:, missing] = np.nan
        return means

    return scores


def _of_answers(metric: str, records: Sequence[Record | None]) -> Scoring:
    """Return the scoring by an accuracy, which needs to know of each answer only whether it is right."""
    first = next(record for record in records if record is not None and record.status == Status.OK)
    labels = from_digits(first.labels)
    if isinstance(first.spec, Evaluation):
        unlearned = np.full(len(labels), first.metrics["chance"] / 100)
    else:
        unlearned = (labels == np.bincount(labels).argmax()).astype(float)
    columns = [unlearned] * len(records)
    for column, record in enumerate(records):
        if record is not None and record.status == Status.OK:
            answers = record.values["normalised"] if metric == ACCURACIES[1] else record.predictions
            columns[column] = from_digits(answers) == labels
    missing = np.array([record is None for record in records])
    scores = _means_of(np.stack(columns, axis=1), missing)
    return Scoring(len(labels), 100 * float(unlearned.mean()), scores, first.values.get("groups", ""))


def _of_log_probabilities(records: Sequence[Record | None]) -> Scoring:
    """Return the scoring by the mean log-probability, in nats: of the right answers, or of the tokens of texts."""
    known = [record if record is not None and record.status == Status.OK else None for record in records]
    first = next(record for record in known if record is not None)
    examples = len(first.values["log_probabilities"])
    lengths = np.array(first.values.get("lengths") or [1] * examples, dtype=float)
    columns = [np.zeros(examples) if record is None else record.values["log_probabilities"] for record in known]
    missing = np.array([record is None for record in known])
    sums = _means_of(np.stack(columns, axis=1), missing, scale=1.0)

    def scores(weights: np.ndarray) -> np.ndarray:
        mean_length = (weights @ lengths) / weights.sum(1)
        return sums(weights) / mean_length[:, None]

    return Scoring(examples, np.nan, scores, first.values.get("groups", ""))


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
    """Raise InputError unless all records have the same weights, data and labels, and as many examples."""
    first = records[0]
    for record in records:
        pair = f"the records of {record.spec} and of {first.spec}"
        for name in ("weights", "data"):
            if record.provenance.get(name) != first.provenance.get(name):
                origins = [str(each.provenance.get(f"{name}_from", "")) for each in (record, first)]
                explanation = f" ({' against '.join(origins)})" if all(origins) else ""
                raise InputError(f"{pair} were made with other {name}{explanation}")
        if not _examples(record):
            raise InputError(f"the record of {record.spec} has no predictions: set it aside")
        if record.labels != first.labels or _examples(record) != _examples(first):
            raise InputError(f"{pair} have other labels or examples")


def _examples(record: Record) -> tuple[int, str, list[int]] | None:
    """Return how many examples a record keeps, their groups and the lengths of texts; None if it keeps none."""
    count = len(record.predictions or record.values.get("log_probabilities", ()))
    return (count, record.values.get("groups", ""), record.values.get("lengths", [])) if count else None
