"""Define a task: examples in two fixed splits, a metric, and the number of examples that each split must have."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from ..errors import InputError, shown
from ..specs import tasks
from ..specs.tasks import Head


class Data(Protocol):
    """The examples of a task, whatever their kind."""

    def __len__(self) -> int:
        """Return the number of examples."""

    def take(self, positions: Sequence[int]) -> Self:
        """Return the examples at some positions, in that order."""

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything in the examples, in order; its first 16 hexadecimal digits."""

    def keys(self) -> list[bytes]:
        """Return the SHA-256 of each example's text or pixels; it gives an order that no source or generator sets."""

    def fault(self, classes: int) -> str:
        """Return what makes the examples unfit for a task of so many classes, in words; empty if nothing does."""


@dataclass(frozen=True)
class Examples:
    """Labelled texts.

    Attributes:
        texts: the texts of each example: one, or the two of a pair.
        labels: class number of each example, from 0.

    Raises:
        ValueError: there are not as many texts as labels.
    """

    texts: Sequence[tuple[str, ...]]
    labels: Sequence[int]

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels):
            raise ValueError(f"{len(self.texts)} texts but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: Sequence[int]) -> Examples:
        """Return the examples at some positions, in that order."""
        return Examples([self.texts[i] for i in positions], [self.labels[i] for i in positions])

    def fingerprint(self) -> str:
        """Return the SHA-256 of all texts and labels, in order; its first 16 hexadecimal digits."""
        return fingerprint_rows((*texts, str(label)) for texts, label in zip(self.texts, self.labels, strict=True))

    def keys(self) -> list[bytes]:
        """Return the SHA-256 of each example's texts, joined by a line break."""
        return [hash_text("\n".join(texts)) for texts in self.texts]

    def fault(self, classes: int) -> str:
        """Return what makes the examples unfit for so many classes, in words: none, or labels that are no class."""
        return labels_fault(self.labels, classes) if self.labels else "no examples"


@dataclass(frozen=True)
class Splits:
    """The loaded examples of a task.

    Attributes:
        train: examples to train on.
        test: examples to evaluate on.
        origin: where the examples came from, in words.
    """

    train: Data
    test: Data
    origin: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """A named task.

    Attributes:
        name: name of the task in trials, in records and in the parameters of notebooks.
        classes: names of the classes, in the order of their numbers; empty if answers are not classes.
        load: a function that reads the splits; it raises InputError if they cannot be had.
        counts: number of training and of test examples that the source must have, or None if they are not fixed.
        metric: name of the metric, one of ``records.metrics``.
        source: data and licence in words, for the page on data.
        head: kind of model head that the task needs.
        secondary_metrics: names of metrics that records hold as well.
        hold_out: a function that reads the splits with so many examples held out for evaluation; None if the source's
            own splits are the only ones.
        pool: number of examples that ``hold_out`` must share out, or None if it is not fixed.
    """

    name: str
    classes: tuple[str, ...]
    load: Callable[[], Splits]
    counts: tuple[int, int] | None
    metric: str
    source: str
    head: Head = Head.SEQUENCE_CLASSIFICATION
    secondary_metrics: tuple[str, ...] = ()
    hold_out: Callable[[int], Splits] | None = None
    pool: int | None = None

    @classmethod
    def named(
        cls,
        name: str,
        *,
        classes: tuple[str, ...],
        load: Callable[[], Splits],
        source: str,
        hold_out: Callable[[int], Splits] | None = None,
    ) -> Task:
        """Return the task that ``specs.tasks`` has a row for, with the row's counts, metrics and head."""
        row = tasks.TASKS[name]
        return cls(
            name=name,
            classes=classes,
            load=load,
            counts=row.counts,
            metric=row.metric,
            source=source,
            head=row.head,
            hold_out=hold_out,
            pool=row.pool,
            secondary_metrics=row.secondary_metrics,
        )

    def splits(self, held_out: int | None = None) -> Splits:
        """Return the loaded splits, after checks of their number and content.

        Args:
            held_out: number of examples to hold out for evaluation; None for the usual number.

        Raises:
            InputError: the data cannot be had, or are not those that the task names; or so many examples cannot be held
                out.
        """
        splits = self.load() if held_out is None else self._with_held_out(held_out)
        counts = (len(splits.train), len(splits.test))
        if held_out is None and self.counts is not None and counts != self.counts:
            raise InputError(
                f"task {self.name!r} from {splits.origin} has {counts[0]} training and {counts[1]} test examples, "
                f"but must have {self.counts[0]} and {self.counts[1]}: the source is not the pinned one"
            )
        for part in (splits.train, splits.test):
            if fault := part.fault(len(self.classes)):
                raise InputError(
                    f"task {self.name!r} from {splits.origin} has {fault}: the source is not the pinned one"
                )
        return splits

    def _with_held_out(self, held_out: int) -> Splits:
        """Return the splits with so many examples held out, after a check of the number that is shared out."""
        if self.hold_out is None:
            raise InputError(f"held_out {held_out} is not allowed: task {self.name!r} has splits of its own, give none")
        if type(held_out) is not int or held_out < 1:
            raise InputError(f"held_out {held_out!r} is not allowed: give a whole number from 1")
        splits = self.hold_out(held_out)
        size = len(splits.train) + len(splits.test)
        if self.pool is not None and size != self.pool:
            raise InputError(
                f"task {self.name!r} from {splits.origin} has {size} examples to share out, but must have {self.pool}: "
                "the source is not the pinned one"
            )
        if not len(splits.train):
            raise InputError(
                f"held_out {held_out} is not allowed: task {self.name!r} has {size} examples, give a smaller number"
            )
        return splits


def hold_out_test(examples: Data, test: int, origin: str, groups: Sequence[str] | None = None) -> Splits:
    """Split the examples of a source that has no splits: the ``test`` smallest hashes are held out.

    The split does not depend on the order of the source, nor on a random generator. Copies of one example have one
    hash and so stay together: where the last test example has copies, they are added. Both splits keep the source's
    order.

    Args:
        examples: all examples of the source.
        test: number of examples to hold out.
        origin: where the examples came from, in words.
        groups: for each example a name, such as its page; examples of one name stay together, since the name is
            hashed in place of the example.
    """
    keys = examples.keys() if groups is None else [hash_text(group) for group in groups]
    train, held_out = held_out_positions(keys, test)
    return Splits(examples.take(train), examples.take(held_out), origin)


def held_out_positions(keys: Sequence[bytes], test: int) -> tuple[list[int], list[int]]:
    """Return the positions of training and of test examples, each in order: the smallest keys are held out.

    Examples of equal keys stay together; where the last test example has copies, they are added.

    Args:
        keys: of each example, the SHA-256 that orders it.
        test: number of examples to hold out.

    >>> held_out_positions([b"c", b"a", b"b", b"a"], test=1)
    ([0, 2], [1, 3])
    """
    order = _order(keys)
    cut = test
    while 0 < cut < len(order) and keys[order[cut]] == keys[order[cut - 1]]:
        cut += 1  # do not part copies
    return sorted(order[cut:]), sorted(order[:cut])


_Data = TypeVar("_Data", bound=Data)


def fixed_part(examples: _Data, limit: int | None) -> _Data:
    """Return at most ``limit`` examples, in their order: the same for every seed, those of the smallest hashes.

    Args:
        examples: the examples.
        limit: how many to take, or None for all.
    """
    if limit is None or limit >= len(examples):
        return examples
    return examples.take(fixed_positions(examples.keys(), limit))


def fixed_positions(keys: Sequence[bytes], limit: int) -> list[int]:
    """Return the positions of at most ``limit`` examples, in order: those of the smallest keys.

    Args:
        keys: of each example, the SHA-256 that orders it.
        limit: how many to take.

    >>> fixed_positions([b"c", b"a", b"b"], 2)
    [1, 2]
    """
    return sorted(_order(keys)[:limit])


def labels_fault(labels: Iterable[int], classes: int) -> str:
    """Return which labels are not the number of one of so many classes, in words; empty if all are.

    >>> labels_fault([0, 1, 2, -1], classes=2)
    'labels [-1, 2]; they must lie in 0 to 1'
    """
    out_of_range = sorted(set(labels) - set(range(classes)))
    return f"labels {shown(out_of_range)}; they must lie in 0 to {classes - 1}" if out_of_range else ""


def fingerprint_rows(rows: Iterable[tuple[str, ...]]) -> str:
    """Return the SHA-256 of rows of text, in order; its first 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update("\x1f".join((*row, "\x1e")).encode())
    return digest.hexdigest()[:16]


def _order(keys: Sequence[bytes]) -> list[int]:
    """Return the positions in the order of their keys; positions of equal keys stay in order."""
    return sorted(range(len(keys)), key=lambda i: (keys[i], i))


def hash_text(text: str) -> bytes:
    """Return the SHA-256 of a text, by which texts are put into order."""
    return hashlib.sha256(text.encode()).digest()
