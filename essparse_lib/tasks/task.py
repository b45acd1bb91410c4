"""What a task is: labelled texts in two fixed splits, a metric, and the counts they must have."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True)
class Examples:
    """Labelled texts.

    Attributes:
        texts: per example one text, or the two texts of a pair.
        labels: per example a class number, from 0.
    """

    texts: Sequence[tuple[str, ...]]
    labels: Sequence[int]

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels):
            raise ValueError(f"{len(self.texts)} texts but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: Sequence[int]) -> Examples:
        """The examples at these positions, in this order."""
        return Examples([self.texts[i] for i in positions], [self.labels[i] for i in positions])

    def fingerprint(self) -> str:
        """SHA-256 over every text and label, in order; the first 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for texts, label in zip(self.texts, self.labels, strict=True):
            digest.update("\x1f".join((*texts, str(label), "\x1e")).encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Splits:
    """A loaded task: what is trained on, what is evaluated on, and where it came from, in words."""

    train: Examples
    test: Examples
    origin: str


@dataclass(frozen=True)
class Task:
    """A named task.

    Attributes:
        name: as in trials, records and on the command line.
        classes: the label names, in the order of the class numbers.
        load: reads the splits; raises InputError if they cannot be had.
        counts: how many training and test examples there must be, or None where that is not fixed.
        metric: a name in ``study.metrics``.
        source: data and licence, for the page on data.
        head: the kind of model head that the task needs.
    """

    name: str
    classes: tuple[str, ...]
    load: Callable[[], Splits]
    counts: tuple[int, int] | None
    metric: str
    source: str
    head: str = "sequence-classification"

    def splits(self) -> Splits:
        """The loaded splits, their counts and labels checked.

        Raises:
            InputError: the data cannot be had, or are not what is named here.
        """
        splits = self.load()
        found = (len(splits.train), len(splits.test))
        if self.counts is not None and found != self.counts:
            raise InputError(
                f"task {self.name!r} from {splits.origin} has {found[0]} training and {found[1]} test examples, "
                f"but must have {self.counts[0]} and {self.counts[1]}: the source is not the pinned one"
            )
        strange = {*splits.train.labels, *splits.test.labels} - set(range(len(self.classes)))
        if strange:
            raise InputError(
                f"task {self.name!r} has labels {sorted(strange)}; they must lie in 0 to {len(self.classes) - 1}"
            )
        return splits


def held_out(examples: Examples, test: int, origin: str) -> Splits:
    """A fixed split for a source that has none: the ``test`` examples with the smallest SHA-256 of their text.

    Independent of the order of the source and of any random generator. Copies of one text have one hash and so
    stay on one side; the training side keeps the source's order.
    """
    keys = [hashlib.sha256("\n".join(texts).encode()).digest() for texts in examples.texts]
    order = sorted(range(len(keys)), key=lambda i: (keys[i], i))
    cut = test
    while cut < len(order) and keys[order[cut]] == keys[order[cut - 1]]:
        cut += 1  # do not part copies
    return Splits(examples.take(sorted(order[cut:])), examples.take(sorted(order[:cut])), origin)
