"""The named likelihood tasks: what a language model is asked without fine-tuning, in one row a task; no data.

A model is judged by how probable it finds texts: the choices of a question, the sentences of a pair, a last word, a
text. Nothing is trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LikelihoodKind(StrEnum):
    """What a question offers, and so what makes an answer right.

    ``MULTIPLE_CHOICE``: choices after a context; the most probable one is the answer. ``MINIMAL_PAIR``: two sentences
    that differ in their grammar; the grammatical one must be the more probable. ``LAST_WORD``: a text without its last
    word; the word must be the one that the model would write. ``TEXT``: a text, for its perplexity.
    """

    MULTIPLE_CHOICE = "multiple-choice"
    MINIMAL_PAIR = "minimal-pair"
    LAST_WORD = "last-word"
    TEXT = "text"


class Domain(StrEnum):
    """What a task asks for, by which figures group the tasks."""

    LANGUAGE = "language"
    KNOWLEDGE = "knowledge"
    COMMON_SENSE = "common sense"
    READING = "reading"
    TEXT = "text"


@dataclass(frozen=True, kw_only=True)
class NamedLikelihoodTask:
    """A row for a named likelihood task.

    Attributes:
        name: as in evaluations, in records and in the parameters of notebooks.
        kind: what its questions offer.
        domain: what it asks for.
        normalised: whether it is judged by the accuracy whose log-probabilities are divided by the choices' lengths.
        counts: the number of questions in the hub's source, or None where it is not fixed; of HellaSwag a smaller copy
            is read, too, and said in a record.
        topics: the number of topics, each of which is asked as many questions: BLiMP's paradigms, MMLU's subjects.
        groups: names of the groups of topics, in the order of their numbers; empty where there is one group.
        tokens: the mean number of tokens of a question without shots, or None where it is not known: its context once,
            and all its choices.
    """

    name: str
    kind: LikelihoodKind = LikelihoodKind.MULTIPLE_CHOICE
    domain: Domain
    normalised: bool = False
    counts: int | None = None
    topics: int = 1
    groups: tuple[str, ...] = ()
    tokens: float | None = None


#: The fields of BLiMP's paradigms (Warstadt et al. 2020, Table 2).
PARADIGM_FIELDS = ("morphology", "syntax", "semantics", "syntax and semantics")
#: The groups of MMLU's subjects (Hendrycks et al. 2021).
MMLU_GROUPS = ("STEM", "humanities", "social sciences", "other")

#: Tokens are those of SmolLM2's vocabulary, counted over the questions, or over 3,000 of them. Normalised
#: accuracy is the one that is usually reported of ARC-Challenge, HellaSwag, OpenBookQA and PIQA.
LIKELIHOOD_TASKS: dict[str, NamedLikelihoodTask] = {
    row.name: row
    for row in (
        NamedLikelihoodTask(
            name="blimp",
            kind=LikelihoodKind.MINIMAL_PAIR,
            domain=Domain.LANGUAGE,
            counts=67_000,
            topics=67,
            groups=PARADIGM_FIELDS,
            tokens=19,
        ),
        NamedLikelihoodTask(name="arc-easy", domain=Domain.KNOWLEDGE, counts=2376, tokens=45),
        NamedLikelihoodTask(name="arc-challenge", domain=Domain.KNOWLEDGE, normalised=True, counts=1172, tokens=55),
        NamedLikelihoodTask(name="openbookqa", domain=Domain.KNOWLEDGE, normalised=True, counts=500, tokens=25),
        NamedLikelihoodTask(
            name="mmlu", domain=Domain.KNOWLEDGE, counts=14_042, topics=57, groups=MMLU_GROUPS, tokens=131
        ),
        NamedLikelihoodTask(name="piqa", domain=Domain.COMMON_SENSE, normalised=True, counts=1838, tokens=59),
        NamedLikelihoodTask(name="hellaswag", domain=Domain.COMMON_SENSE, normalised=True, counts=10_042, tokens=170),
        NamedLikelihoodTask(name="copa", domain=Domain.COMMON_SENSE, counts=100, tokens=23),
        NamedLikelihoodTask(name="sciq", domain=Domain.READING, counts=1000, tokens=112),
        NamedLikelihoodTask(
            name="lambada", kind=LikelihoodKind.LAST_WORD, domain=Domain.READING, counts=5153, tokens=82
        ),
        NamedLikelihoodTask(name="english-text", kind=LikelihoodKind.TEXT, domain=Domain.TEXT, counts=3113, tokens=353),
        # made by this package, for tests: one for each layout
        NamedLikelihoodTask(
            name="tiny-blimp",
            kind=LikelihoodKind.MINIMAL_PAIR,
            domain=Domain.LANGUAGE,
            topics=5,
            groups=PARADIGM_FIELDS,
        ),
        NamedLikelihoodTask(name="tiny-arc", domain=Domain.KNOWLEDGE),
        NamedLikelihoodTask(name="tiny-openbookqa", domain=Domain.KNOWLEDGE, normalised=True),
        NamedLikelihoodTask(name="tiny-mmlu", domain=Domain.KNOWLEDGE, topics=4, groups=MMLU_GROUPS),
        NamedLikelihoodTask(name="tiny-piqa", domain=Domain.COMMON_SENSE, normalised=True),
        NamedLikelihoodTask(name="tiny-hellaswag", domain=Domain.COMMON_SENSE, normalised=True),
        NamedLikelihoodTask(name="tiny-copa", domain=Domain.COMMON_SENSE),
        NamedLikelihoodTask(name="tiny-sciq", domain=Domain.READING),
        NamedLikelihoodTask(name="tiny-lambada", kind=LikelihoodKind.LAST_WORD, domain=Domain.READING),
        NamedLikelihoodTask(name="tiny-text", kind=LikelihoodKind.TEXT, domain=Domain.TEXT),
    )
}
