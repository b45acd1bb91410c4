"""Metrics of a test set and of its resamples, from what a record keeps of every example.

Classifications are scored from confusion counts (``METRICS``). Where each example has a score from 0 to 1, the score
of the test set is their mean (``MEANS``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np


def confusion_cells(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Return each example's cell of the confusion matrix, one-hot.

    Args:
        labels: class of each example from 0, shape (examples,).
        predictions: predicted class of each example, shape (examples,).
        classes: number of classes.

    Returns:
        Zeros and ones, shape (examples, classes²); the one is in cell ``label · classes + prediction``.
    """
    cells = np.zeros((len(labels), classes * classes), dtype=np.float32)
    cells[np.arange(len(labels)), labels * classes + predictions] = 1
    return cells


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the accuracy in points.

    Args:
        counts: confusion counts, of a test set or of resamples, shape (..., classes, classes); rows are labels.
    """
    correct = np.trace(counts, axis1=-2, axis2=-1)
    return 100 * correct / counts.sum((-2, -1))


def matthews(counts: np.ndarray) -> np.ndarray:
    """Return Matthews' correlation coefficient times 100 (R_K of Gorodkin 2004).

    It is 0 where one class alone is predicted.

    Args:
        counts: confusion counts, of a test set or of resamples, shape (..., classes, classes); rows are labels.
    """
    counts = counts.astype(np.float64)
    total = counts.sum((-2, -1))
    correct = np.trace(counts, axis1=-2, axis2=-1)
    labelled, predicted = counts.sum(-1), counts.sum(-2)
    covariance = correct * total - (labelled * predicted).sum(-1)
    spread = (total**2 - (labelled**2).sum(-1)) * (total**2 - (predicted**2).sum(-1))
    return 100 * np.divide(covariance, np.sqrt(spread), out=np.zeros_like(covariance, dtype=float), where=spread > 0)


#: Metrics that are computed from confusion counts, by name.
METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"accuracy": accuracy, "matthews": matthews}

#: Names of the metrics that are 100 times the mean of ``shares(record.predictions)``; their records have no labels.
#: ``top1`` is the accuracy where there are more classes than one digit can hold.
#: ``value_accuracy`` is the share of the problems whose equation has the right value.
MEANS = frozenset({"f1", "top1", "value_accuracy"})

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_STEPS = len(_DIGITS) ** 2 - 1

#: By the code of a character, the digit that it is; -1 for any other.
_VALUES = np.array([_DIGITS.find(chr(code)) for code in range(256)])


def to_digits(numbers: Iterable[int], width: int = 1) -> str:
    """Return whole numbers from 0 as text in base 36; ``from_digits`` reads it back.

    Args:
        numbers: the numbers, each below 36 to the power of ``width``.
        width: number of digits of each number.

    >>> to_digits([0, 10, 35]), to_digits([1295, 7], width=2)
    ('0az', 'zz07')
    """
    places = [len(_DIGITS) ** place for place in reversed(range(width))]
    return "".join(_DIGITS[number // place % len(_DIGITS)] for number in numbers for place in places)


def from_digits(text: str, width: int = 1) -> np.ndarray:
    """Return the numbers that ``to_digits`` wrote, shape (numbers,).

    Args:
        text: digits in base 36.
        width: number of digits of each number.

    Raises:
        ValueError: the text does not consist of numbers of that width in base 36.
    """
    values = _VALUES[np.frombuffer(text.encode(), dtype=np.uint8)]
    if len(values) % width or (values < 0).any():
        raise ValueError(f"{text[:20]!r} is no row of numbers of {width} digits from 0 to z")
    return values.reshape(-1, width) @ (len(_DIGITS) ** np.arange(width)[::-1]) if width > 1 else values


def is_digits(text: str) -> bool:
    """Return whether a text has digits in base 36 alone, as ``to_digits`` writes them.

    >>> is_digits("0az"), is_digits(""), is_digits("0A"), is_digits("é")
    (True, True, False, False)
    """
    return text.isascii() and not text.encode().translate(None, _DIGITS.encode())


def shares_to_digits(values: np.ndarray) -> str:
    """Return shares from 0 to 1 as text, for a record's ``predictions``.

    Each share takes two digits, which hold it to the nearest of 1,295 steps.

    >>> shares_to_digits(np.array([0.0, 0.5, 1.0]))
    '00i0zz'
    """
    return to_digits(np.rint(np.asarray(values) * _STEPS).astype(int).tolist(), width=2)


def shares(predictions: str) -> np.ndarray:
    """Return the shares that ``shares_to_digits`` wrote, from 0 to 1 to within 1/2590, shape (examples,).

    Raises:
        ValueError: the text does not consist of numbers of two digits.

    >>> shares("00zz").tolist()
    [0.0, 1.0]
    """
    return from_digits(predictions, width=2) / _STEPS


def score(metric: str, labels: np.ndarray, predictions: np.ndarray, classes: int) -> float:
    """Return the metric of one set of predictions, in points.

    Args:
        metric: a name in ``METRICS``.
        labels: class of each example from 0, shape (examples,).
        predictions: predicted class of each example, shape (examples,).
        classes: number of classes.
    """
    counts = np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)
    return float(METRICS[metric](counts.astype(np.float32)))


def agreement(labels: str, predictions: str) -> float:
    """Return the accuracy in points of classes that are written as ``to_digits`` writes them.

    Args:
        labels: class of each example, one digit each.
        predictions: predicted class of each example, likewise.

    Raises:
        ValueError: there are not as many labels as predictions, or none.

    >>> agreement("0123", "0120")
    75.0
    """
    if not labels or len(labels) != len(predictions):
        raise ValueError(f"{len(predictions)} predictions but {len(labels)} labels")
    # characters are compared, not the numbers that they stand for: this is done for every record
    true, predicted = (np.frombuffer(text.encode("ascii", "replace"), np.uint8) for text in (labels, predictions))
    return 100 * int(np.count_nonzero(true == predicted)) / len(labels)


def majority(metric: str, labels: np.ndarray, classes: int) -> float:
    """Return the metric of always predicting the commonest class, in points.

    It is the score of a model that learned nothing.

    Args:
        metric: a name in ``METRICS``.
        labels: class of each example from 0, shape (examples,).
        classes: number of classes.
    """
    commonest = np.bincount(labels).argmax()
    return score(metric, labels, np.full_like(labels, commonest), classes)
