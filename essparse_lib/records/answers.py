"""What the record of an evaluation keeps of its questions, and the metrics that follow from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from ..specs.likelihood import LIKELIHOOD_TASKS, LikelihoodKind, NamedLikelihoodTask
from .metrics import agreement, from_digits, is_digits
from .values import Count, Size, check_lengths, converted

_LogProbability = Annotated[float, Meta(le=0)]

#: What guessing scores, in points, where all questions of a kind have as many choices.
_CHANCE = {LikelihoodKind.MINIMAL_PAIR: 50.0, LikelihoodKind.LAST_WORD: 0.0}

#: How far a mean of log-probabilities may lie from that of the record's, which are kept to three decimals.
_ROUNDING = 2e-3


class Answers(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The values of an evaluation's record: lists have one entry a question, texts one digit in base 36.

    Attributes:
        log_probabilities: of the right answer, in nats.
        groups: the number of the question's group, such as a field of grammar; empty where there is one group.
        normalised: the answer that is likeliest by its log-probability per character; empty where there are no choices.
        lengths: the number of tokens that were predicted, for texts alone.
        tokens: how many tokens were read in all.
        cut: how many contexts were too long for the model and lost their beginning.
    """

    log_probabilities: Annotated[list[_LogProbability], Meta(min_length=1)]
    groups: str = ""
    normalised: str = ""
    lengths: list[Size] = []
    tokens: Count = 0
    cut: Count = 0

    def __post_init__(self) -> None:
        questions = len(self.log_probabilities)
        for name in ("groups", "normalised"):
            if text := getattr(self, name):
                check_lengths(questions, **{name: text})
                if not is_digits(text):
                    raise ValueError(f"{name} {text[:20]!r} are no digits from 0 to z")
        if self.lengths:
            check_lengths(questions, lengths=self.lengths)
        if self.cut > questions:
            raise ValueError(f"{self.cut} of {questions} contexts are cut")


def check_answers(
    task: str, metrics: Mapping[str, float], labels: str, predictions: str, values: Mapping[str, Any]
) -> None:
    """Check what an evaluation's record keeps of its questions, and that its metrics follow from it.

    Args:
        task: the name of the evaluation's task. What its row says must fit; a task without a row may come later.
        metrics: by name; ``log_probability`` must be among them.
        labels: the right choices, as ``Record.labels``; empty for texts.
        predictions: the likeliest choices, as ``Record.predictions``.
        values: the record's values.

    Raises:
        ValueError: something is missing, of another length or type, or does not follow from the rest or fit the task.
    """
    answers = converted(values, Answers)
    mean = float(np.mean(answers.log_probabilities))
    expected = {"log_probability": mean}
    if predictions:
        check_lengths(len(answers.log_probabilities), predictions=predictions, labels=labels)
        if bool(answers.normalised) != ("accuracy_normalised" in metrics):
            raise ValueError("it has only one of normalised answers and accuracy_normalised")
        if answers.normalised:
            expected["accuracy_normalised"] = agreement(labels, answers.normalised)
        if "accuracy" not in metrics or "chance" not in metrics:
            raise ValueError("it has predictions, but no accuracy or no chance")
    elif answers.lengths:
        expected["perplexity"] = perplexity(answers.log_probabilities, answers.lengths)
    else:
        raise ValueError("it has neither predictions nor lengths of texts")
    for name, value in expected.items():
        if name not in metrics:
            raise ValueError(f"it is ok, but has no {name}")
        if not math.isclose(metrics[name], value, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            raise ValueError(f"its {name} is {metrics[name]}, that of its answers {value:.4f}")
    if (row := LIKELIHOOD_TASKS.get(task)) is not None:
        _check_fits(row, answers, metrics.get("chance"))


def _check_fits(row: NamedLikelihoodTask, answers: Answers, chance: float | None) -> None:
    """Check that a record has answers, groups and lengths where its task does, and no others."""
    chosen = row.kind in (LikelihoodKind.MULTIPLE_CHOICE, LikelihoodKind.MINIMAL_PAIR)
    text = row.kind is LikelihoodKind.TEXT
    for name, there, wanted in (
        ("chance", chance is not None, not text),
        ("lengths", bool(answers.lengths), text),
        ("normalised", bool(answers.normalised), chosen),
        ("groups", bool(answers.groups), bool(row.groups)),
    ):
        if there != wanted:
            raise ValueError(f"it has {name if there else f'no {name}'}, other than {row.name} has")
    if chance is not None and chance != _CHANCE.get(row.kind, chance):
        raise ValueError(f"its chance is {chance}, that of {row.name} {_CHANCE[row.kind]}")
    if answers.groups and (largest := int(from_digits(answers.groups).max())) >= len(row.groups):
        raise ValueError(f"it has a question of group {largest}, and {row.name} has {len(row.groups)} groups")


def perplexity(log_probabilities: list[float], lengths: list[int]) -> float:
    """Return the perplexity of texts: exp of the mean negative log-probability of a token.

    Args:
        log_probabilities: of each text, in nats.
        lengths: the number of tokens that were predicted in each.

    >>> round(perplexity([-2 * math.log(50), -math.log(50)], [2, 1]), 6)
    50.0
    """
    return math.exp(min(-sum(log_probabilities) / sum(lengths), 700.0))
