"""What the kind of a task decides: how its examples become numbers, and how a trained model is scored on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from accelerate import Accelerator
from torch import nn

from . import models
from .study import metrics
from .tasks import Examples, Questions, Task
from .tasks.answers import exact_match, f1
from .training import spans, texts
from .training.batches import Encoded
from .training.evaluate import answer, classify
from .training.spans import Windows


@dataclass(frozen=True)
class Scored:
    """How good a model's predictions are: metrics in points, and what a record keeps of every example."""

    metrics: dict[str, float]
    predictions: str
    labels: str = ""


@dataclass(frozen=True)
class Kind:
    """What differs between tasks of one kind and of another.

    Attributes:
        check: raises InputError where the model of this name cannot read examples, cut to so many tokens.
        encode: examples as the model of this name takes them, cut to so many tokens.
        score: evaluates a model on encoded test examples.
    """

    check: Callable[[Any, str, int], None]
    encode: Callable[[Any, str, int], Encoded]
    score: Callable[[nn.Module, Task, Any, Accelerator], Scored]


def _check_texts(examples: Examples, model: str, max_length: int) -> None:
    models.tokenizer_of(model)  # that there is one: texts of any length can be cut


def _encode_texts(examples: Examples, model: str, max_length: int) -> Encoded:
    return texts.encode(examples, models.tokenizer_of(model), max_length)


def _score_classes(model: nn.Module, task: Task, test: Encoded, devices: Accelerator) -> Scored:
    labels, predictions = test.targets["labels"], classify(model, test, devices)
    score = metrics.score(task.metric, labels, predictions, len(task.classes))
    return Scored({task.metric: round(score, 4)}, metrics.to_digits(predictions), metrics.to_digits(labels))


def _check_questions(questions: Questions, model: str, max_length: int) -> None:
    spans.check(questions, models.tokenizer_of(model), max_length)


def _encode_questions(questions: Questions, model: str, max_length: int) -> Windows:
    return spans.encode(questions, models.tokenizer_of(model), max_length)


def _score_answers(model: nn.Module, task: Task, test: Windows, devices: Accelerator) -> Scored:
    given = answer(model, test, devices)
    right = [[answer.text for answer in question.answers] for question in test.questions.items]
    exact, overlaps = (np.array([rule(g, r) for g, r in zip(given, right, strict=True)]) for rule in (exact_match, f1))
    points = {task.metric: overlaps, "exact_match": exact}
    rounded = {name: round(100 * float(values.mean()), 4) for name, values in points.items()}
    return Scored(rounded, metrics.shares_to_digits(overlaps))


#: By the head that a task needs, as transformers names it.
KINDS = {
    "sequence-classification": Kind(_check_texts, _encode_texts, _score_classes),
    "question-answering": Kind(_check_questions, _encode_questions, _score_answers),
}
