"""Scores from what a record keeps of every example: one formula for a test set and for its resamples.

Classifications are scored from confusion counts (``METRICS``); where each example has a score of its own, from 0 to
1, the mean counts (``MEANS``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np


def confusion_cells(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """One-hot cells of the confusion matrix, shape (examples, classes²): cell ``label · classes + prediction``."""
    cells = np.zeros((len(labels), classes * classes), dtype=np.float32)
    cells[np.arange(len(labels)), labels * classes + predictions] = 1
    return cells


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Accuracy in points.

    Args:
        counts: confusion counts, shape (..., classes, classes), rows are the labels; may be resampled.
    """
    correct = np.trace(counts, axis1=-2, axis2=-1)
    return 100 * correct / counts.sum((-2, -1))


def matthews(counts: np.ndarray) -> np.ndarray:
    """Matthews' correlation coefficient times 100 (R_K of Gorodkin 2004); 0 where one class alone is predicted.

    Args:
        counts: as for ``accuracy``.
    """
    counts = counts.astype(np.float64)
    total = counts.sum((-2, -1))
    correct = np.trace(counts, axis1=-2, axis2=-1)
    actual, guessed = counts.sum(-1), counts.sum(-2)
    covariance = correct * total - (actual * guessed).sum(-1)
    spread = (total**2 - (actual**2).sum(-1)) * (total**2 - (guessed**2).sum(-1))
    return 100 * np.divide(covariance, np.sqrt(spread), out=np.zeros_like(covariance, dtype=float), where=spread > 0)


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"accuracy": accuracy, "matthews": matthews}

#: Metrics that are 100 times the mean of ``shares(record.predictions)``; such a record has no labels. ``top1`` is the
#: accuracy where there are more classes than a digit tells apart.
MEANS = frozenset({"f1", "top1"})

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_STEPS = len(_DIGITS) ** 2 - 1


def to_digits(numbers: Iterable[int], width: int = 1) -> str:
    """Numbers in base 36, each in as many digits; read back by ``from_digits``.

    >>> to_digits([0, 10, 35]), to_digits([1295, 7], width=2)
    ('0az', 'zz07')
    """
    places = [len(_DIGITS) ** place for place in reversed(range(width))]
    return "".join(_DIGITS[number // place % len(_DIGITS)] for number in numbers for place in places)


def from_digits(text: str, width: int = 1) -> np.ndarray:
    """The numbers of ``to_digits``, shape (numbers,).

    Raises:
        ValueError: the text is not of whole numbers of that width in base 36.
    """
    codes = np.frombuffer(text.encode(), dtype=np.uint8)
    digit, letter = (codes >= ord("0")) & (codes <= ord("9")), (codes >= ord("a")) & (codes <= ord("z"))
    if len(codes) % width or not (digit | letter).all():
        raise ValueError(f"{text[:20]!r} is no row of numbers of {width} digits from 0 to z")
    values = np.where(digit, codes.astype(np.int64) - ord("0"), codes.astype(np.int64) - ord("a") + 10)
    return values.reshape(-1, width) @ (len(_DIGITS) ** np.arange(width)[::-1])


def shares_to_digits(values: np.ndarray) -> str:
    """Shares from 0 to 1, to the nearest of 1,295 steps, in two digits an example: for a record's ``predictions``.

    >>> shares_to_digits(np.array([0.0, 0.5, 1.0]))
    '00i0zz'
    """
    return to_digits(np.rint(np.asarray(values) * _STEPS).astype(int).tolist(), width=2)


def shares(predictions: str) -> np.ndarray:
    """The shares of ``shares_to_digits``, from 0 to 1 to within 1/2590, shape (examples,).

    Raises:
        ValueError: the text is not of two digits an example.

    >>> shares("00zz").tolist()
    [0.0, 1.0]
    """
    return from_digits(predictions, width=2) / _STEPS


def score(metric: str, labels: np.ndarray, predictions: np.ndarray, classes: int) -> float:
    """The metric of one set of predictions, in points."""
    counts = confusion_cells(labels, predictions, classes).sum(0).reshape(classes, classes)
    return float(METRICS[metric](counts))


def majority(metric: str, labels: np.ndarray, classes: int) -> float:
    """The metric of always saying the most frequent class: what a model that learned nothing reaches."""
    return score(metric, labels, np.full_like(labels, np.bincount(labels).argmax()), classes)
