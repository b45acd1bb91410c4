"""Read GLUE's tasks (Wang et al. 2019) from the hub's parquet files, or from a folder laid out like them."""

from __future__ import annotations

from functools import partial

from ..sources import tiny
from ..sources.hub import Repository
from ..sources.parquet import Content, read_columns
from .task import Examples, Splits, Task, hold_out_test

_GLUE = Repository("nyu-mll/glue", "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c", "dataset")
_TINY = Repository(tiny.DATASET, tiny.REVISION, "dataset")


def _examples(repository: Repository, config: str, columns: tuple[str, ...], split: str) -> tuple[Examples, str]:
    """Return the examples of a split and their origin; ``columns`` hold the one text or the two of an example."""
    contents = {**dict.fromkeys(columns, Content.TEXT), "label": Content.LABEL}
    table, origin = read_columns(repository, config, split, contents)
    texts = list(zip(*(table[column] for column in columns), strict=True))
    return Examples(texts, table["label"]), origin


def _load(repository: Repository, config: str, columns: tuple[str, ...], test_split: str) -> Splits:
    """Return a configuration's training examples, and those of another split to evaluate on."""
    train, origin = _examples(repository, config, columns, "train")
    test, _ = _examples(repository, config, columns, test_split)
    return Splits(train, test, origin)


def _of_training(repository: Repository, config: str, columns: tuple[str, ...], held_out: int) -> Splits:
    """Return a configuration's training examples in two parts; ``held_out`` of them are to evaluate on."""
    train, origin = _examples(repository, config, columns, "train")
    return hold_out_test(train, held_out, origin)


def _task(
    config: str,
    columns: tuple[str, ...],
    classes: tuple[str, ...],
    test_split: str = "validation",
    repository: Repository = _GLUE,
    name: str | None = None,
    shares_training: bool = False,
) -> Task:
    """Return a task; where ``shares_training``, training examples can be held out and evaluated on instead."""
    return Task.named(
        name or config,
        classes=classes,
        load=lambda: _load(repository, config, columns, test_split),
        hold_out=partial(_of_training, repository, config, columns) if shares_training else None,
        source=f"{repository.id} ({config}), evaluated on {test_split}"
        + ("; each task's own licence, for research" if repository is _GLUE else ", made by this package"),
    )


_ENTAILMENT = ("entailment", "not_entailment")
_SENTIMENT = ("negative", "positive")
_QUESTION, _SENTENCE, _PAIR = ("question", "sentence"), ("sentence",), ("sentence1", "sentence2")

TASKS = (
    _task("rte", _PAIR, _ENTAILMENT),
    _task("sst2", _SENTENCE, _SENTIMENT),
    _task("cola", _SENTENCE, ("unacceptable", "acceptable"), shares_training=True),
    _task(
        "mnli",
        ("premise", "hypothesis"),
        ("entailment", "neutral", "contradiction"),
        test_split="validation_matched",
    ),
    _task("qnli", _QUESTION, _ENTAILMENT),
    _task("qqp", ("question1", "question2"), ("different", "duplicate")),
    _task("sst2", _SENTENCE, _SENTIMENT, repository=_TINY, name="tiny-sentiment"),
    _task("rte", _PAIR, _ENTAILMENT, repository=_TINY, name="tiny-pairs"),
)
