"""The named tasks: the head each needs, its metric and how much there is to read, in one row a task; no data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from .models import Reads


class Head(StrEnum):
    """What stands on top of a model, as transformers names it; ``equation``, a decoder that writes one, is ours."""

    SEQUENCE_CLASSIFICATION = "sequence-classification"
    QUESTION_ANSWERING = "question-answering"
    IMAGE_CLASSIFICATION = "image-classification"
    EQUATION = "equation"

    @property
    def reads(self) -> Reads:
        """What a model with this head reads."""
        return Reads.IMAGES if self is Head.IMAGE_CLASSIFICATION else Reads.TEXTS


#: The heads that transformers has classes for.
TRANSFORMERS_HEADS = tuple(head for head in Head if head is not Head.EQUATION)


@dataclass(frozen=True, kw_only=True)
class NamedTask:
    """A row for a named task.

    Attributes:
        name: as in trials, in records and in the parameters of notebooks.
        head: the kind of head that a model needs for the task.
        metric: the score that figures show, a name in ``records.metrics``.
        secondary_metrics: names of scores that records hold as well; they are told, and judge nothing.
        counts: the numbers of training and of test examples, or None where they are not fixed.
        pool: the number of examples of which another number can be held out for evaluation, or None where none can: all
            examples of a source without splits, or the training examples of one that has them.
        tokens: the mean number of tokens of an example, or None where it is not known.
        same_texts: name of the texts that the examples are made of, where another task is made of the same; tasks that
            share it count as one where tasks must be independent. Empty where there is no such task.
        fold: which of the folds of its texts the task is evaluated on, from 0; 0 where there are none.
    """

    name: str
    head: Head = Head.SEQUENCE_CLASSIFICATION
    metric: str = "accuracy"
    secondary_metrics: tuple[str, ...] = ()
    counts: tuple[int, int] | None = None
    pool: int | None = None
    tokens: float | None = None
    same_texts: str = ""
    fold: int = 0

    @property
    def reads(self) -> Reads:
        """What the examples are made of."""
        return self.head.reads

    def counts_with(self, held_out: int | None) -> tuple[int, int] | None:
        """Return the numbers of training and of test examples where so many are held out, or None if not known.

        Copies of the last example held out, which go with it, are not counted.

        Args:
            held_out: the number of examples held out; None for the usual number.
        """
        if held_out is None:
            return self.counts
        return None if self.pool is None else (self.pool - held_out, held_out)


def _questions(name: str, counts: tuple[int, int] | None, tokens: float | None = None) -> NamedTask:
    return NamedTask(name=name, head=Head.QUESTION_ANSWERING, metric="f1", counts=counts, tokens=tokens)


def _problems(name: str, counts: tuple[int, int] | None, tokens: float | None = None) -> NamedTask:
    return NamedTask(name=name, head=Head.EQUATION, metric="value_accuracy", counts=counts, tokens=tokens)


def _problem_folds(texts: str, counts: Sequence[tuple[int, int]]) -> Iterator[NamedTask]:
    """Yield a row for each fold of a source of word problems, given its counts."""
    for fold, of_fold in enumerate(counts):
        yield replace(_problems(f"{texts}-{fold}", of_fold, 40), same_texts=texts, fold=fold)


def _images(
    name: str, counts: tuple[int, int] | None, tokens: float | None = None, metric: str = "accuracy"
) -> NamedTask:
    return NamedTask(name=name, head=Head.IMAGE_CLASSIFICATION, metric=metric, counts=counts, tokens=tokens)


#: Tokens are those of BERT's vocabulary with [CLS] and [SEP]. Those of RTE and SST-2 are counted over the training
#: examples; the others are round figures. Of a question they are those of all its windows of 384: 174 and 180 were
#: counted for texts like SQuAD's (Miller et al. 2020, new Wikipedia) and for its development set. Of an image they are
#: its patches of 16 pixels a side, at 224, and [CLS]: so the models of the paper scale see every image.
#:
#: GLUE scores CoLA by Matthews' correlation. Here it is judged by accuracy, as ε is a point of the same size on every
#: task then, and Matthews' correlation is told as well. Where there are more than 36 classes, a record keeps of each
#: image whether its class was predicted, not which one was (``top1``).
#:
#: ``movie-reviews`` and ``sst2`` are made of the same reviews (``benchmarks/overlap.py`` counts the shared sentences).
TASKS: dict[str, NamedTask] = {
    row.name: row
    for row in (
        NamedTask(name="movie-reviews", counts=(9568, 1000), pool=10_568, same_texts="rotten-tomatoes"),
        NamedTask(name="bbc-news", counts=(1779, 446), pool=2225),
        NamedTask(name="wiki-topics", counts=(8033, 1000), pool=9033),
        NamedTask(name="vitaminc", counts=(53_633, 1035), pool=54_668),
        _questions("squad", (37_320, 10_565)),
        _questions("squad-v1.1", (87_599, 10_570), tokens=170),
        _questions("tiny-questions", None),
        NamedTask(name="rte", counts=(2490, 277), tokens=70),
        NamedTask(name="sst2", counts=(67_349, 872), tokens=13, same_texts="rotten-tomatoes"),
        NamedTask(name="cola", counts=(8551, 1043), pool=8551, secondary_metrics=("matthews",)),
        NamedTask(name="mnli", counts=(392_702, 9815), tokens=39),
        NamedTask(name="qnli", counts=(104_743, 5463), tokens=50),
        NamedTask(name="qqp", counts=(363_846, 40_430), tokens=30),
        NamedTask(name="tiny-sentiment"),
        NamedTask(name="tiny-pairs"),
        *_problem_folds("mawps", [(1537, 384)] * 5),
        *_problem_folds("asdiv-a", [(979, 238), (979, 238), (979, 238), (980, 237), (951, 266)]),
        _problems("svamp", (3138, 1000), 40),
        _problems("tiny-arithmetic", None),
        _images("cifar10", (50_000, 10_000), tokens=197),
        _images("fashion-mnist", (60_000, 10_000), tokens=197),
        _images("elpv", (2000, 624)),
        _images("cifar100", (50_000, 10_000), tokens=197, metric="top1"),
        _images("tiny-imagenet", (100_000, 10_000), tokens=197, metric="top1"),
        _images("tiny-shapes", None),
        _images("tiny-grey", None),
    )
}


def fold_of(task: str) -> int:
    """Return which of the folds of its texts a task is evaluated on; 0 where there are none.

    >>> fold_of("mawps-3"), fold_of("svamp")
    (3, 0)
    """
    row = TASKS.get(task)
    return row.fold if row else 0


def source_of(task: str) -> str:
    """Return the name of the texts or images that a task is made of: tasks of one source are not independent."""
    row = TASKS.get(task)
    return row.same_texts if row and row.same_texts else task
