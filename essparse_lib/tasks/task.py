"""What a task is: examples in two fixed splits, a metric, and the counts they must have."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from ..errors import InputError
from ..specs import tasks
from ..specs.tasks import Head


class Data(Protocol):
    """What the examples of every kind of task can do."""

    def __len__(self) -> int:
        """How many examples there are."""

    def take(self, positions: Sequence[int]) -> Self:
        """The examples at these positions, in this order."""

    def fingerprint(self) -> str:
        """SHA-256 over all that an example is, in order; the first 16 hexadecimal digits."""

    def keys(self) -> list[bytes]:
        """SHA-256 of each example's text or pixels: an order that neither the source nor a random generator decides."""

    def fault(self, classes: int) -> str:
        """What makes them unfit for a task of so many classes, in words; empty if nothing does."""


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
        return fingerprint_of((*texts, str(label)) for texts, label in zip(self.texts, self.labels, strict=True))

    def keys(self) -> list[bytes]:
        """SHA-256 of each example's texts, one a line."""
        return [key_of("\n".join(texts)) for texts in self.texts]

    def fault(self, classes: int) -> str:
        """Labels that are no class, in words."""
        strange = set(self.labels) - set(range(classes))
        return f"labels {sorted(strange)}; they must lie in 0 to {classes - 1}" if strange else ""


@dataclass(frozen=True)
class Splits:
    """A loaded task: what is trained on, what is evaluated on, and where it came from, in words."""

    train: Data
    test: Data
    origin: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """A named task.

    Attributes:
        name: as in trials, records and on the command line.
        classes: the label names, in the order of the class numbers; none where the answer is no class.
        load: reads the splits; raises InputError if they cannot be had.
        counts: how many training and test examples there must be, or None where that is not fixed.
        metric: a name in ``analysis.metrics``.
        source: data and licence, for the page on data.
        head: the kind of model head that the task needs.
    """

    name: str
    classes: tuple[str, ...]
    load: Callable[[], Splits]
    counts: tuple[int, int] | None
    metric: str
    source: str
    head: Head = Head.SEQUENCE_CLASSIFICATION

    @classmethod
    def named(cls, name: str, *, classes: tuple[str, ...], load: Callable[[], Splits], source: str) -> Task:
        """Return the task that ``specs.tasks`` has a row for, with the row's counts, metric and head."""
        row = tasks.TASKS[name]
        return cls(
            name=name,
            classes=classes,
            load=load,
            counts=row.counts,
            metric=row.metric,
            source=source,
            head=row.head,
        )

    def splits(self) -> Splits:
        """The loaded splits, their counts and what they hold checked.

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
        for part in (splits.train, splits.test):
            if fault := part.fault(len(self.classes)):
                raise InputError(f"task {self.name!r} has {fault}")
        return splits


def held_out(examples: Data, test: int, origin: str, groups: Sequence[str] | None = None) -> Splits:
    """A fixed split for a source that has none: the ``test`` examples of the smallest ``keys()``.

    Independent of the order of the source and of any random generator. Copies of one example have one hash and so
    stay on one side (where the last one has copies, they come too); the training side keeps the source's order.

    Args:
        groups: per example what it shares with those that must stay on its side, such as the page that it comes
            from: the hash is then of that.
    """
    keys = examples.keys() if groups is None else [key_of(group) for group in groups]
    order = _order(keys)
    cut = test
    while cut < len(order) and keys[order[cut]] == keys[order[cut - 1]]:
        cut += 1  # do not part copies
    return Splits(examples.take(sorted(order[cut:])), examples.take(sorted(order[:cut])), origin)


D = TypeVar("D", bound=Data)


def fixed_part(examples: D, limit: int | None) -> D:
    """The same examples for every seed: all, or ``limit`` of them by the rule of ``held_out``, in their order."""
    if limit is None or limit >= len(examples):
        return examples
    return examples.take(sorted(_order(examples.keys())[:limit]))


def fingerprint_of(rows: Iterable[tuple[str, ...]]) -> str:
    """SHA-256 over rows of text, in order; the first 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update("\x1f".join((*row, "\x1e")).encode())
    return digest.hexdigest()[:16]


def _order(keys: Sequence[bytes]) -> list[int]:
    """Positions by key; those of one key stay in their order."""
    return sorted(range(len(keys)), key=lambda i: (keys[i], i))


def key_of(text: str) -> bytes:
    """What a text is ordered by."""
    return hashlib.sha256(text.encode()).digest()
