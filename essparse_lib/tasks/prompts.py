"""Make questions of the rows of data sets: prompts and choices as lm-evaluation-harness 0.4.13 has them, to the letter.

That library puts a blank before each choice, also where nothing stands before it (BLiMP), and where the choice begins
with one (COPA, which so has two). It is followed in both, since its scores are what others report.

A function here makes one question of one row. It raises ``ValueError`` where the row cannot be one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import shown
from ..sources.parquet import Content
from ..specs.likelihood import MMLU_GROUPS, PARADIGM_FIELDS
from .likelihood import LikelihoodQuestion
from .mmlu import GROUP_OF_SUBJECT

#: A row of a data set: values by column.
Row = Mapping[str, Any]
_LETTERS = ("A", "B", "C", "D")
_CONNECTORS = {"cause": "because", "effect": "therefore"}
#: Marks that WikiHow's part of HellaSwag has in brackets.
_BRACKETS = re.compile(r"\[.*?\]")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the rows of a data set become questions.

    Attributes:
        columns: what the columns that are read hold, by name.
        question: a function that makes a question of a row.
    """

    columns: Mapping[str, Content]
    question: Callable[[Row], LikelihoodQuestion]


def _texts(*names: str) -> dict[str, Content]:
    """Return columns that hold texts."""
    return dict.fromkeys(names, Content.TEXT)


def _question(context: str, choices: list[str], answer: int, **place: Any) -> LikelihoodQuestion:
    """Return a question whose choices are parted from the context by a blank."""
    return LikelihoodQuestion(
        context=context, choices=tuple(f" {choice}" for choice in choices), answer=answer, **place
    )


def _position(label: str, labels: list[str]) -> int:
    """Return the position of the right choice among the labels of all."""
    if label not in labels:
        raise ValueError(f"the answer {shown(label)}, which is none of {', '.join(map(shown, labels)) or 'no labels'}")
    if labels.count(label) > 1:
        raise ValueError(f"the answer {shown(label)}, which is the label of several choices")
    return labels.index(label)


def _labelled(choices: Mapping[str, list[str]], key: str) -> tuple[list[str], int]:
    """Return the texts of labelled choices, and the position of the one whose label is the key."""
    if len(choices["text"]) != len(choices["label"]):
        raise ValueError(f"{len(choices['text'])} choices but {len(choices['label'])} labels")
    return choices["text"], _position(key, choices["label"])


def blimp(row: Row) -> LikelihoodQuestion:
    """Return a pair of sentences of BLiMP, the grammatical one first; its topic is the paradigm, its group the field.

    >>> row = {"sentence_good": "He runs.", "sentence_bad": "He run.", "field": "morphology", "UID": "agreement"}
    >>> blimp(row).choices
    (' He runs.', ' He run.')
    """
    field = re.sub("[/_]", " and ", row["field"])
    if field not in PARADIGM_FIELDS:
        raise ValueError(f"the field {shown(row['field'])}, which is none of {', '.join(PARADIGM_FIELDS)}")
    group = PARADIGM_FIELDS.index(field)
    return _question("", [row["sentence_good"], row["sentence_bad"]], 0, group=group, topic=row["UID"])


def arc(row: Row) -> LikelihoodQuestion:
    """Return a question of ARC, which mostly has four choices, sometimes three or five."""
    texts, answer = _labelled(row["choices"], row["answerKey"])
    return _question(f"Question: {row['question']}\nAnswer:", texts, answer)


def openbookqa(row: Row) -> LikelihoodQuestion:
    """Return a question of OpenBookQA: a sentence to go on with."""
    texts, answer = _labelled(row["choices"], row["answerKey"].lstrip())
    return _question(row["question_stem"], texts, answer)


def piqa(row: Row) -> LikelihoodQuestion:
    """Return a question of PIQA: a goal and two ways to it."""
    return _question(f"Question: {row['goal']}\nAnswer:", [row["sol1"], row["sol2"]], row["label"])


def sciq(row: Row) -> LikelihoodQuestion:
    """Return a question of SciQ, after its passage; the right choice is the last."""
    choices = [row[name] for name in ("distractor1", "distractor2", "distractor3", "correct_answer")]
    return _question(f"{row['support'].lstrip()}\nQuestion: {row['question']}\nAnswer:", choices, 3)


def copa(row: Row) -> LikelihoodQuestion:
    """Return a question of COPA: a sentence whose full stop gives way to *because* or *therefore*, and two clauses.

    >>> row = {"premise": "It fell.", "choice1": "I let go.", "choice2": "I sang.", "question": "cause", "label": 0}
    >>> copa(row).context, copa(row).choices
    ('It fell because', ('  i let go.', '  i sang.'))
    """
    if row["question"] not in _CONNECTORS:
        raise ValueError(f"the question {shown(row['question'])}, which is neither cause nor effect")
    clauses = [f" {choice[:1].lower()}{choice[1:]}" for choice in (row["choice1"], row["choice2"])]
    return _question(f"{row['premise'].strip()[:-1]} {_CONNECTORS[row['question']]}", clauses, row["label"])


def lambada(row: Row) -> LikelihoodQuestion:
    """Return a text of LAMBADA: its last word, after a blank, is the one choice."""
    context, _, word = row["text"].rpartition(" ")
    return _question(context, [word], 0)


def hellaswag(row: Row) -> LikelihoodQuestion:
    """Return a question of HellaSwag: an activity, the beginning of its description, and four ends."""
    context = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
    answer = _position(row["label"], [str(position) for position in range(len(row["endings"]))])
    return _question(_without_marks(context), [_without_marks(ending) for ending in row["endings"]], answer)


def _without_marks(text: str) -> str:
    """Return a text of HellaSwag without WikiHow's marks in brackets."""
    return _BRACKETS.sub("", text.strip().replace(" [title]", ". ")).replace("  ", " ")


def mmlu(row: Row) -> LikelihoodQuestion:
    """Return a question of MMLU: the context lists four choices, of which the letters are scored."""
    subject, choices = row["subject"], row["choices"]
    if subject not in GROUP_OF_SUBJECT:
        raise ValueError(f"the subject {shown(subject)}, which is none of MMLU's {len(GROUP_OF_SUBJECT)}")
    if len(choices) != len(_LETTERS):
        raise ValueError(f"{len(choices)} choices where {len(_LETTERS)} must be")
    listed = "\n".join(f"{letter}. {choice}" for letter, choice in zip(_LETTERS, choices, strict=True))
    group = MMLU_GROUPS.index(GROUP_OF_SUBJECT[subject])
    context = f"{row['question'].strip()}\n{listed}\nAnswer:"
    return _question(context, list(_LETTERS), row["answer"], group=group, topic=subject)


def mmlu_introduction(subject: str) -> str:
    """Return what stands before the examples and questions of a subject of MMLU.

    >>> mmlu_introduction("college_physics")
    'The following are multiple choice questions (with answers) about college physics.\\n\\n'
    """
    return f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"


_LABELLED = {"choices": Content.CHOICES, "answerKey": Content.TEXT}

BLIMP = Layout(columns=_texts("sentence_good", "sentence_bad", "field", "UID"), question=blimp)
ARC = Layout(columns={"question": Content.TEXT, **_LABELLED}, question=arc)
OPENBOOKQA = Layout(columns={"question_stem": Content.TEXT, **_LABELLED}, question=openbookqa)
PIQA = Layout(columns={**_texts("goal", "sol1", "sol2"), "label": Content.LABEL}, question=piqa)
SCIQ = Layout(
    columns=_texts("question", "distractor1", "distractor2", "distractor3", "correct_answer", "support"),
    question=sciq,
)
COPA = Layout(columns={**_texts("premise", "choice1", "choice2", "question"), "label": Content.LABEL}, question=copa)
LAMBADA = Layout(columns=_texts("text"), question=lambada)
HELLASWAG = Layout(
    columns={**_texts("activity_label", "ctx_a", "ctx_b", "label"), "endings": Content.LIST}, question=hellaswag
)
MMLU = Layout(
    columns={**_texts("question", "subject"), "choices": Content.LIST, "answer": Content.LABEL}, question=mmlu
)
