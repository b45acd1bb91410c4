"""Read GLUE's tasks (Wang et al. 2019) from the hub's parquet files, or from a folder laid out like them."""

from __future__ import annotations

from ..sources import tiny
from ..sources.hub import Repository, read_columns
from .task import Examples, Splits, Task

_GLUE = Repository("nyu-mll/glue", "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c", "dataset")
_TINY = Repository(tiny.DATASET, tiny.REVISION, "dataset")


def _load(repository: Repository, config: str, columns: tuple[str, ...], test_split: str) -> Splits:
    """Return the splits of a configuration; ``columns`` hold the one text or the two of an example."""

    def examples(split: str) -> tuple[Examples, str]:
        table, origin = read_columns(repository, config, split)
        texts = list(zip(*(table[column] for column in columns), strict=True))
        return Examples(texts, [int(label) for label in table["label"]]), origin

    train, origin = examples("train")
    test, _ = examples(test_split)
    return Splits(train, test, origin)


def _task(
    config: str,
    columns: tuple[str, ...],
    classes: tuple[str, ...],
    counts: tuple[int, int] | None,
    metric: str = "accuracy",
    test_split: str = "validation",
    repository: Repository = _GLUE,
    name: str | None = None,
) -> Task:
    return Task(
        name=name or config,
        classes=classes,
        load=lambda: _load(repository, config, columns, test_split),
        counts=counts,
        metric=metric,
        source=f"{repository.id} ({config}), evaluated on {test_split}"
        + ("; each task's own licence, for research" if repository is _GLUE else ", made by this package"),
    )


_ENTAILMENT = ("entailment", "not_entailment")
_QUESTION, _SENTENCE, _PAIR = ("question", "sentence"), ("sentence",), ("sentence1", "sentence2")

TASKS = (
    _task("rte", _PAIR, _ENTAILMENT, (2490, 277)),
    _task("sst2", _SENTENCE, ("negative", "positive"), (67349, 872)),
    # GLUE scores CoLA by Matthews' correlation: two thirds of its sentences are acceptable.
    _task("cola", _SENTENCE, ("unacceptable", "acceptable"), (8551, 1043), metric="matthews"),
    _task(
        "mnli",
        ("premise", "hypothesis"),
        ("entailment", "neutral", "contradiction"),
        (392702, 9815),
        test_split="validation_matched",
    ),
    _task("qnli", _QUESTION, _ENTAILMENT, (104743, 5463)),
    _task("qqp", ("question1", "question2"), ("different", "duplicate"), (363846, 40430)),
    _task(
        "sst2",
        _SENTENCE,
        ("negative", "positive"),
        None,
        repository=_TINY,
        name="tiny-sentiment",
    ),
    _task("rte", _PAIR, _ENTAILMENT, None, repository=_TINY, name="tiny-pairs"),
)
