"""SQuAD v1.1 (Rajpurkar et al. 2016) from the hub, and at lab scale from a package archive.

The archive has SQuAD's development set, but not its training set. Its place is taken by the four test sets that
Miller et al. (2020) had made in the same way, of new Wikipedia articles, the New York Times, Amazon's reviews and
Reddit: other texts than SQuAD's, all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ..sources import tiny
from ..sources.hub import Repository, rows
from . import bigbench
from .questions import Answer, Question, Questions
from .task import Splits, Task

_SQUAD = Repository("rajpurkar/squad", "7b6d24c440a36b6815f21b70d25016731768db1f", "dataset")
_TINY = Repository(tiny.QUESTIONS, tiny.REVISION, "dataset")
_SHIFTS = ("new_wiki_v1.0.json", "nyt_v1.0.json", "amazon_reviews_v1.0.json", "reddit_v1.0.json")


def _shifts() -> Splits:
    folder = bigbench.folder("squad_shifts")
    asked = [question for name in _SHIFTS for question in _read(folder / name)]
    # an answer that its context does not have where it says it is (316 questions have no other) cannot be trained on
    train = [kept for question in asked if (kept := question.answered_in_place())]
    return Splits(Questions(train), Questions(_read(folder / "squaddev_v1.1.json")), bigbench.ARCHIVE.filename)


def _read(path: Path) -> list[Question]:
    """The questions of a file in the format of SQuAD v1.1."""
    return [
        _question(
            asked["id"],
            asked["question"],
            paragraph["context"],
            [answer["text"] for answer in asked["answers"]],
            [answer["answer_start"] for answer in asked["answers"]],
        )
        for article in json.loads(path.read_bytes())["data"]
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]


def _from_hub(repository: Repository) -> Splits:
    def questions(split: str) -> tuple[Questions, str]:
        table, origin = rows(repository, "plain_text", split)
        columns = zip(table["id"], table["question"], table["context"], table["answers"], strict=True)
        return Questions([_question(i, q, c, a["text"], a["answer_start"]) for i, q, c, a in columns]), origin

    (train, origin), (test, _) = questions("train"), questions("validation")
    return Splits(train, test, origin)


def _question(name: str, question: str, context: str, texts: Iterable[str], starts: Iterable[int]) -> Question:
    # questions come with blanks around them, many in some, which byte-level tokenizers count
    answers = (Answer(text, int(start)) for text, start in zip(texts, starts, strict=True))
    return Question(id=name, question=question.strip(), context=context, answers=tuple(answers))


TASKS = (
    Task.named(
        "squad",
        classes=(),
        load=_shifts,
        source="Trained on the questions of Miller et al. (2020), CC BY 4.0, evaluated on SQuAD v1.1's development set "
        "(Rajpurkar et al. 2016), CC BY-SA 4.0; package bigbench",
    ),
    Task.named(
        "squad-v1.1",
        classes=(),
        load=lambda: _from_hub(_SQUAD),
        source=f"{_SQUAD.id}, evaluated on validation; CC BY-SA 4.0",
    ),
    Task.named(
        "tiny-questions",
        classes=(),
        load=lambda: _from_hub(_TINY),
        source=f"{_TINY.id}, made by this package",
    ),
)
