"""One evaluation becomes one record: a model is pruned, not trained, and asked the questions of a likelihood task."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..records.answers import perplexity
from ..records.metrics import to_digits
from ..records.store import Record, Status, Store
from ..specs.evaluation import Evaluation, Prompting
from ..specs.likelihood import LikelihoodKind
from ..specs.methods import METHODS
from . import workbench
from .attempts import recorded, text_read
from .workbench import Workbench

if TYPE_CHECKING:
    from torch import nn

    from ..likelihood.scorer import ChoiceScore, Scorer
    from ..tasks.likelihood import LikelihoodQuestion, LikelihoodTask


@dataclass(frozen=True)
class Answered:
    """What a model made of a task's questions.

    Attributes:
        metrics: as a record has them, without those of the weights.
        predictions: as a record has them; empty for texts.
        labels: as a record has them; empty for texts.
        values: as ``records.answers.Answers``.
    """

    metrics: dict[str, float]
    predictions: str
    labels: str
    values: dict[str, Any]


def checks(evaluation: Evaluation) -> dict[Hashable, Callable[[], object]]:
    """Return what must be checked before an evaluation is run, by what the check depends on."""
    text = text_read(evaluation.pruning)
    return {
        ("evaluation", evaluation.model, evaluation.task, evaluation.prompting, text): partial(prepare, evaluation),
    }


def run(evaluation: Evaluation, store: Store, deadline: float | None) -> Record:
    """Run one evaluation as ``execute`` does; it uses neither the store nor the deadline."""
    return execute(evaluation)


def prepare(evaluation: Evaluation, bench: Workbench | None = None) -> None:
    """Fetch and check what an evaluation needs: its model, its questions, the text that its method reads.

    Args:
        evaluation: the evaluation.
        bench: what is loaded already and where to keep what is loaded now; None for the process's own.

    Raises:
        InputError: something is unknown, cannot be had, or does not fit.
    """
    from ..likelihood import tasks
    from ..likelihood.encoding import prefix_token
    from ..models import loading

    bench = bench or workbench.current()
    tasks.get(evaluation.task)
    loading.check_writes(evaluation.model)
    prefix_token(loading.tokenizer_of(evaluation.model), evaluation.prompting.prefix)
    bench.questions(evaluation.task, evaluation.prompting)
    if METHODS[evaluation.pruning.method].calibrated:
        bench.windows(evaluation.pruning, evaluation.model, evaluation.seed)


def execute(evaluation: Evaluation, bench: Workbench | None = None) -> Record:
    """Run one evaluation: prune the model, then score every choice of every question.

    Args:
        evaluation: the evaluation.
        bench: what is loaded already and where to keep what is loaded now; None for the process's own.

    Returns:
        Its record, also where an error ended it. A pruned model whose outputs are no numbers has diverged.

    Raises:
        InputError: the model or the data cannot be had, or the outputs of the dense model are no numbers.
    """
    from ..likelihood.scorer import NotFinite
    from ..training import device

    bench = bench or workbench.current()
    prepare(evaluation, bench)
    questions = bench.questions(evaluation.task, evaluation.prompting)

    def attempt(provenance: dict[str, Any]) -> Record:
        try:
            scorer = _scorer(evaluation, bench)
            provenance["precision"] = device.reading_precision(scorer.model)
            return _outcome(evaluation, scorer, bench)
        except NotFinite as error:  # what pruning made of the model is a result
            if not evaluation.pruning.sparsity:
                raise
            return Record(spec=evaluation, status=Status.DIVERGED, reason=str(error))

    place = device.accelerator().device
    return recorded(evaluation, place, questions.fingerprint(), questions.origin, attempt)


def _scorer(evaluation: Evaluation, bench: Workbench) -> Scorer:
    """Return the scorer of an evaluation's pruned model."""
    from ..likelihood.scorer import Scorer

    return bench.scorer(evaluation, lambda: Scorer(pruned_model(evaluation, bench)))


def _outcome(evaluation: Evaluation, scorer: Scorer, bench: Workbench) -> Record:
    """Return an evaluation's record, without its provenance."""
    from ..pruning.masks import zeros_and_size
    from ..pruning.prunable import prunable_weights

    zeros, size = zeros_and_size(prunable_weights(scorer.model))
    answered = answers_to(evaluation, bench)
    return Record(
        spec=evaluation,
        status=Status.OK,
        metrics={**answered.metrics, "zeros": zeros, "prunable": size},
        predictions=answered.predictions,
        labels=answered.labels,
        values=answered.values,
    )


def answers_to(evaluation: Evaluation, bench: Workbench | None = None) -> Answered:
    """Return what an evaluation's pruned model makes of its questions.

    Args:
        evaluation: the evaluation.
        bench: what is loaded already and where to keep what is loaded now; None for the process's own.

    Raises:
        InputError: the model or the data cannot be had, pruned or read.
    """
    from ..likelihood import tasks
    from ..models import loading

    bench = bench or workbench.current()
    return answer(
        _scorer(evaluation, bench),
        loading.tokenizer_of(evaluation.model),
        tasks.get(evaluation.task),
        bench.questions(evaluation.task, evaluation.prompting).items,
        evaluation.prompting,
    )


def answer(
    scorer: Scorer,
    tokenizer: Any,
    task: LikelihoodTask,
    questions: Sequence[LikelihoodQuestion],
    prompting: Prompting,
) -> Answered:
    """Return what a model makes of questions.

    Args:
        scorer: of the model.
        tokenizer: the model's own.
        task: the task that the questions are of.
        questions: the questions, as the prompting puts them.
        prompting: says which token stands before a text that begins with its choices.

    Raises:
        InputError: the tokenizer or the model cannot read the questions.
    """
    from ..likelihood.encoding import encode
    from ..pruning.calibration import longest_input
    from ..training import device

    encoded, cut = encode(questions, tokenizer, prompting.prefix, longest_input(scorer.model))
    before = scorer.tokens
    with device.reading_autocast(scorer.model):
        scores = scorer.scores(encoded)
    right = [row[question.answer] for row, question in zip(scores, questions, strict=True)]
    values: dict[str, Any] = {
        "log_probabilities": [min(round(score.log_probability, 3), 0.0) for score in right],
        "tokens": scorer.tokens - before,
    }
    if cut:
        values["cut"] = cut
    if task.row.groups:
        values["groups"] = to_digits(question.group for question in questions)
    mean = round(float(np.mean([score.log_probability for score in right])), 5)
    metrics = {"log_probability": min(mean, 0.0)}
    if task.kind is LikelihoodKind.TEXT:
        values["lengths"] = [len(question.choices[0]) for question in encoded]
        metrics["perplexity"] = round(perplexity([s.log_probability for s in right], values["lengths"]), 5)
        return Answered(metrics, "", "", values)
    if task.kind is LikelihoodKind.LAST_WORD:
        predictions, labels = [int(score.greedy) for score in right], [1] * len(questions)
        metrics |= {"accuracy": _share(predictions, labels), "chance": 0.0}
        return Answered(metrics, to_digits(predictions), to_digits(labels), values)
    labels = [question.answer for question in questions]
    pairs = [(row, question.choices) for row, question in zip(scores, questions, strict=True)]
    predictions = [likeliest(row, choices) for row, choices in pairs]
    by_length = [likeliest(row, choices, normalised=True) for row, choices in pairs]
    values["normalised"] = to_digits(by_length)
    metrics |= {
        "accuracy": _share(predictions, labels),
        "accuracy_normalised": _share(by_length, labels),
        "chance": round(100 * float(np.mean([1 / len(question.choices) for question in questions])), 4),
    }
    return Answered(metrics, to_digits(predictions), to_digits(labels), values)


def likeliest(scores: Sequence[ChoiceScore], choices: Sequence[str], normalised: bool = False) -> int:
    """Return the number of the likeliest choice; among equals, the text decides and not the place.

    In some tasks the right choice always stands at the same place: of BLiMP's sentences, the first is right. A model
    that finds both as likely, since its tokenizer knows no word of them, must not score by that.

    Args:
        scores: the scores of the choices.
        choices: their texts.
        normalised: whether to divide each log-probability by the characters of its choice, without the blank that
            parts it from the context.

    >>> from essparse_lib.likelihood.scorer import ChoiceScore
    >>> scores = [ChoiceScore(-3.0, False), ChoiceScore(-4.0, False)]
    >>> likeliest(scores, [" a", " long"]), likeliest(scores, [" a", " long"], normalised=True)
    (0, 1)
    """
    from ..tasks.task import hash_text

    def rank(number: int) -> tuple[float, bytes]:
        score, text = scores[number].log_probability, choices[number]
        length = max(len(text) - text.startswith(" "), 1) if normalised else 1
        return score / length, hash_text(text)

    return max(range(len(choices)), key=rank)


def pruned_model(evaluation: Evaluation, bench: Workbench) -> nn.Module:
    """Return an evaluation's model, pruned, on the device that it is asked on; in 32 bits on a CPU.

    Raises:
        InputError: the model cannot be had, or pruned so.
    """
    from ..models import loading
    from ..pruning import registry
    from ..pruning.method import Request
    from ..training import device

    place = device.accelerator().device
    model = loading.load_model(evaluation.model)
    if place.type == "cpu":
        model = model.float()
    model.to(place).requires_grad_(False)
    device.suit_attention(model, place)
    pruning = evaluation.pruning
    if not pruning.sparsity:
        return model
    calibrated = METHODS[pruning.method].calibrated
    request = Request(
        sparsity=None if pruning.pattern else pruning.sparsity,
        pattern=pruning.pattern or None,
        scope=pruning.scope,
        seed=evaluation.seed,
        calibration=bench.windows(pruning, evaluation.model, evaluation.seed) if calibrated else None,
    )
    registry.prune_in_place(model, pruning.method, request)
    return model


def _share(predictions: Sequence[int], labels: Sequence[int]) -> float:
    """Return the percentage of the predictions that are right, as records round it."""
    return round(100 * float(np.mean(np.array(predictions) == np.array(labels))), 4)
