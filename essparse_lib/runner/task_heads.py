"""What the head of a task decides: how its examples become numbers, and how a trained model is scored on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from accelerate import Accelerator
from torch import nn

from ..errors import InputError
from ..models import loading
from ..models.equation_model import EquationModel, load_equation_model
from ..records import metrics
from ..specs.tasks import Head
from ..specs.trial import Training
from ..tasks import Examples, Images, Problems, Questions, Task
from ..tasks.answers import exact_match, f1
from ..tasks.equations import to_numbers
from ..training import equation_texts, pictures, spans, texts
from ..training.batches import EncodedExamples, EncodedTexts
from ..training.device import accelerator
from ..training.equation_texts import EncodedProblems
from ..training.evaluate import answer, classify, write_equations
from ..training.pictures import EncodedImages
from ..training.spans import Windows


@dataclass(frozen=True)
class Scored:
    """How good a model's predictions are.

    Attributes:
        metrics: in points, by name.
        predictions: what a record keeps of the prediction for each example (``records.metrics``).
        labels: what it keeps of the examples' labels; empty where the predictions say all.
        values: what else it keeps of the examples (``records.written``); empty for most tasks.
    """

    metrics: dict[str, float]
    predictions: str
    labels: str = ""
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskHead:
    """What tasks with one head do otherwise than tasks with another.

    Attributes:
        check: raises InputError where the model of this name cannot read the examples, cut to so many tokens (0: all).
        encode: returns the examples as the model of this name reads them, cut to so many tokens (0: all).
        score: evaluates a model on encoded test examples.
        load: returns the model of this name with a new head for a task, by a training's settings and a seed.
        watch: returns the score, in points, that a record keeps of each epoch; None where it keeps none.
    """

    check: Callable[[Any, str, int], None]
    encode: Callable[[Any, str, int], EncodedExamples]
    score: Callable[[nn.Module, Task, Any, Accelerator], Scored]
    load: Callable[[str, Task, Training, int], nn.Module]
    watch: Callable[[nn.Module, Any, Accelerator], float] | None = None


def _check_texts(examples: Examples, model: str, max_length: int) -> None:
    _check_length(max_length)
    _check_room(max_length, model, pairs=len(examples.texts[0]) > 1)  # texts of any length can be cut


def _check_length(max_length: int) -> None:
    if max_length < 1:
        raise InputError(f"max_length {max_length} is not allowed: give the tokens kept of a text, such as 128")


def _check_room(max_length: int, model: str, pairs: bool = False) -> None:
    """Check that something of a text is kept beside a tokenizer's own tokens: without room for any it cuts nothing."""
    special = loading.tokenizer_of(model).num_special_tokens_to_add(pair=pairs)
    if max_length <= special:
        raise InputError(
            f"max_length {max_length} is not allowed: the tokenizer of {model!r} adds {special} tokens to each text; "
            "give more, such as 128"
        )


def _encode_texts(examples: Examples, model: str, max_length: int) -> EncodedTexts:
    return texts.encode(examples, loading.tokenizer_of(model), max_length)


def _score_classes(model: nn.Module, task: Task, test: EncodedExamples, devices: Accelerator) -> Scored:
    labels, predictions = test.targets["labels"], classify(model, test, devices)
    if task.metric in metrics.MEANS:
        right = labels == predictions
        return Scored({task.metric: round(100 * float(right.mean()), 4)}, metrics.shares_to_digits(right))
    scores = {}
    for metric in (task.metric, *task.secondary_metrics):
        scores[metric] = round(metrics.score(metric, labels, predictions, len(task.classes)), 4)
    return Scored(scores, metrics.to_digits(predictions), metrics.to_digits(labels))


def _check_questions(questions: Questions, model: str, max_length: int) -> None:
    _check_length(max_length)
    spans.check(questions, loading.tokenizer_of(model), max_length)


def _encode_questions(questions: Questions, model: str, max_length: int) -> Windows:
    return spans.encode(questions, loading.tokenizer_of(model), max_length)


def _score_answers(model: nn.Module, task: Task, test: Windows, devices: Accelerator) -> Scored:
    predictions = answer(model, test, devices)
    answers = [[right.text for right in question.answers] for question in test.questions.items]
    pairs = list(zip(predictions, answers, strict=True))
    overlaps = np.array([f1(prediction, right) for prediction, right in pairs])
    exact = np.array([exact_match(prediction, right) for prediction, right in pairs])
    means = {task.metric: overlaps, "exact_match": exact}
    rounded = {name: round(100 * float(values.mean()), 4) for name, values in means.items()}
    return Scored(rounded, metrics.shares_to_digits(overlaps))


def _check_images(images: Images, model: str, max_length: int) -> None:
    if max_length:
        raise InputError(f"max_length {max_length} is not allowed: images have no tokens, give 0")
    pictures.check(images, loading.preprocessing_of(model), model)


def _encode_images(images: Images, model: str, max_length: int) -> EncodedImages:
    return pictures.encode(images, loading.preprocessing_of(model), accelerator().device)


def _check_problems(problems: Problems, model: str, max_length: int) -> None:
    _encode_problems(problems, model, max_length)  # it takes less than a second


def _encode_problems(problems: Problems, model: str, max_length: int) -> EncodedProblems:
    _check_length(max_length)
    _check_room(max_length, model)
    most = loading.longest_input_of(model)
    return equation_texts.encode(problems, loading.tokenizer_of(model), max_length, most)


def _score_equations(model: nn.Module, task: Task, test: EncodedProblems, devices: Accelerator) -> Scored:
    assert isinstance(model, EquationModel)
    problems = test.problems
    equations = write_equations(model, test, devices)
    right, exact = np.array(problems.right(equations)), np.array(problems.exact(equations))
    means = {task.metric: right, "exact_equation": exact}
    rounded = {name: round(100 * float(values.mean()), 4) for name, values in means.items()}
    kept = {
        "exact": exact.tolist(),
        "leaked": [problem.leaked for problem in problems.items],
        "commonest": problems.right([problems.commonest] * len(problems)),
    }
    digits = {name: metrics.to_digits(map(int, values)) for name, values in kept.items()}
    written = " ".join(metrics.to_digits(to_numbers(equation)) for equation in equations)
    return Scored(rounded, metrics.shares_to_digits(right), values={"equations": {"written": written, **digits}})


def _value_accuracy(model: nn.Module, test: EncodedProblems, devices: Accelerator) -> float:
    """Return the percentage of problems whose equation has the right value, as SMC-Bench reads it after each epoch."""
    assert isinstance(model, EquationModel)
    right = test.problems.right(write_equations(model, test, devices))
    return round(100 * float(np.mean(right)), 4)


def _load_head(model: str, task: Task, training: Training, seed: int) -> nn.Module:
    return loading.load_with_head(model, task.head, len(task.classes), seed)


def _load_decoder(model: str, task: Task, training: Training, seed: int) -> nn.Module:
    return load_equation_model(model, training.decoder, seed, training.beam)


#: By the head that a task needs.
TASK_HEADS: dict[Head, TaskHead] = {
    Head.SEQUENCE_CLASSIFICATION: TaskHead(
        check=_check_texts, encode=_encode_texts, score=_score_classes, load=_load_head
    ),
    Head.QUESTION_ANSWERING: TaskHead(
        check=_check_questions, encode=_encode_questions, score=_score_answers, load=_load_head
    ),
    Head.IMAGE_CLASSIFICATION: TaskHead(
        check=_check_images, encode=_encode_images, score=_score_classes, load=_load_head
    ),
    Head.EQUATION: TaskHead(
        check=_check_problems,
        encode=_encode_problems,
        score=_score_equations,
        load=_load_decoder,
        watch=_value_accuracy,
    ),
}
