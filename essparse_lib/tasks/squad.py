"""Read SQuAD v1.1 (Rajpurkar et al. 2016) from the hub, and at lab scale from a package archive.

The archive has SQuAD's development set, but not its training set. In its place stand the four test sets that Miller et
al. (2020) had made in the same way, from new Wikipedia articles, the New York Times, Amazon's reviews and Reddit. None
of their texts is one of SQuAD's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..sources import tiny
from ..sources.foreign import entry, parse_json, read_bytes
from ..sources.hub import Repository
from ..sources.parquet import Content, read_columns
from . import bigbench
from .questions import Answer, Question, Questions
from .task import Splits, Task

_SQUAD = Repository("rajpurkar/squad", "7b6d24c440a36b6815f21b70d25016731768db1f", "dataset")
_TINY = Repository(tiny.QUESTIONS, tiny.REVISION, "dataset")
_COLUMNS = {**dict.fromkeys(("id", "question", "context"), Content.TEXT), "answers": Content.ANSWERS}
#: The most bytes of a file of questions that are read: the largest has 6 MB.
_MOST = 64 * 2**20
_SHIFTS = ("new_wiki_v1.0.json", "nyt_v1.0.json", "amazon_reviews_v1.0.json", "reddit_v1.0.json")


def _shifts() -> Splits:
    """Return the questions of the package archive: to train on, those of SQuADShifts."""
    folder = bigbench.folder("squad_shifts")
    questions = [question for name in _SHIFTS for question in _read(folder / name)]
    # training needs the answer's position, which some answers have wrong (316 questions have no other answer)
    trainable = [question.with_answers_in_place() for question in questions]
    train = [question for question in trainable if question is not None]
    return Splits(Questions(train), Questions(_read(folder / "squaddev_v1.1.json")), bigbench.ARCHIVE.filename)


def _read(path: Path) -> list[Question]:
    """Return the questions of a file in the format of SQuAD v1.1."""
    questions = []
    for article in entry(parse_json(read_bytes(path, _MOST), path, dict), "data", list, path):
        for paragraph in entry(article, "paragraphs", list, path):
            context = entry(paragraph, "context", str, path)
            for asked in entry(paragraph, "qas", list, path):
                name, question = (entry(asked, key, str, path) for key in ("id", "question"))
                answers = entry(asked, "answers", list, path)
                texts = [entry(answer, "text", str, path) for answer in answers]
                starts = [entry(answer, "answer_start", int, path) for answer in answers]
                questions.append(_question(name, question, context, texts, starts, path))
    return questions


def _from_hub(repository: Repository) -> Splits:
    """Return the questions of a repository in the hub's layout."""

    def questions(split: str) -> tuple[Questions, str]:
        table, origin = read_columns(repository, "plain_text", split, _COLUMNS)
        columns = zip(*(table[name] for name in _COLUMNS), strict=True)
        items = [
            _question(name, question, context, answers["text"], answers["answer_start"], repository.id)
            for name, question, context, answers in columns
        ]
        return Questions(items), origin

    train, origin = questions("train")
    test, _ = questions("validation")
    return Splits(train, test, origin)


def _question(
    name: str, question: str, context: str, texts: Sequence[str], starts: Sequence[int], source: object
) -> Question:
    """Return a question of a source, which messages name."""
    if len(texts) != len(starts):
        raise InputError(f"{source} has {len(texts)} answers but {len(starts)} positions for a question: fetch it anew")
    # some questions have blanks around them, which byte-level tokenizers would count
    answers = (Answer(text, start) for text, start in zip(texts, starts, strict=True))
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
