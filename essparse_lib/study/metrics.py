"""Scores of classifications from confusion counts: one formula for a test set and for its resamples."""

from __future__ import annotations

from collections.abc import Callable

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
    return 100 * np.divide(
        covariance, np.sqrt(spread), out=np.zeros_like(covariance, dtype=float), where=spread > 0
    )


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"accuracy": accuracy, "matthews": matthews}


def score(metric: str, labels: np.ndarray, predictions: np.ndarray, classes: int) -> float:
    """The metric of one set of predictions, in points."""
    counts = confusion_cells(labels, predictions, classes).sum(0).reshape(classes, classes)
    return float(METRICS[metric](counts))


def majority(metric: str, labels: np.ndarray, classes: int) -> float:
    """The metric of always saying the most frequent class: what a model that learned nothing reaches."""
    return score(metric, labels, np.full_like(labels, np.bincount(labels).argmax()), classes)
