"""Make a task of people's own data: tables, images in folders, plain text, data sets of the hub.

``prepare`` reads the data once and keeps them in the cache under a name that has the hash of their content. Under that
name every process finds the task, as those of the paper: ``tasks.get``, ``likelihood.tasks.get``, ``corpora.get``.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import partial
from pathlib import Path

from ..errors import InputError, shown
from ..files import writable
from ..sources.data_sets import is_id
from ..sources.sealed import sealed
from ..specs.spec import digest
from ..specs.tasks import Head
from ..temporaries import make_folder, temporary_folder
from . import own_images, own_store, own_texts
from .own_parts import Parts, parts_of
from .own_store import Content
from .task import Splits, Task

#: Classes that a record tells apart by one digit: up to so many, the metric is the accuracy.
_ONE_DIGIT = 36
#: The most characters of a name before its hash.
_LONGEST_STEM = 60
#: Where the data of such a task come from, as its records say it.
ORIGIN = "data of one's own"


class OwnKind(StrEnum):
    """What people's own data are."""

    CLASSES_OF_TEXTS = "classes of texts"
    CLASSES_OF_IMAGES = "classes of images"
    PLAIN_TEXT = "plain text"


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """Data that somebody brings, and how to read them.

    Attributes:
        data: a file (CSV, TSV, JSON lines, parquet; .txt for plain text), a folder of images by class, a folder that
            ``datasets`` saved, or an id of the hub, ``owner/name`` or ``owner/name:config``.
        test: a file or folder of the same columns to evaluate on; None for the data's own test part, or else a quarter.
        text: name of the column of texts; None to recognise it, and so for the other columns.
        text2: name of the column with the second texts of pairs.
        image: name of the column of images, or of paths of images beside the file.
        label: name of the column of labels.

    Raises:
        InputError: the data are no path or text, or a column's name is no text, or empty.
    """

    data: str | Path
    test: str | Path | None = None
    text: str | None = None
    text2: str | None = None
    image: str | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        for name in ("data", "test"):
            value = getattr(self, name)
            given = isinstance(value, (str, Path)) and str(value).strip()
            if not given and not (name == "test" and value is None):
                raise InputError(f"{name} {shown(value)} is not allowed: give a path or an id of the hub")
        for each in fields(self)[2:]:
            value = getattr(self, each.name)
            if value is not None and (not isinstance(value, str) or not value):
                raise InputError(f"{each.name} {shown(value)} is not allowed: give the name of a column")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Data that were prepared.

    Attributes:
        name: name of the task in trials and records: that of the data, and 16 digits of the hash of their content.
        kind: what the data are.
        classes: names of the classes, in the order of their numbers; empty for plain text.
        train: number of training examples; of documents for plain text.
        test: number of test examples; of windows for plain text.
        notes: what was recognised, how it was split and what was left out, in sentences.
    """

    name: str
    kind: OwnKind
    classes: tuple[str, ...]
    train: int
    test: int
    notes: tuple[str, ...]


def prepare(own: OwnData, window: int = own_texts.WINDOW) -> Prepared:
    """Read and check somebody's own data, and keep them in the cache as a task.

    The same content, whatever its format, has the same hash in its name: texts, labels, classes and split count, the
    names that a format has for classes by number do not.

    Args:
        own: the data.
        window: of plain text, the most characters of a text whose perplexity is measured.

    Raises:
        InputError: the data cannot be read, or make no task; nothing is left behind.
    """
    root = own_store.own_folder()
    scratch_folder = root.parent
    with writable(scratch_folder):
        make_folder(scratch_folder)
    with temporary_folder(scratch_folder) as scratch:
        parts = parts_of(own.data, own.test, (own.text, own.text2, own.image, own.label), scratch)
        made = scratch / "prepared"
        made.mkdir()
        with writable(made):
            kind, content = _written(parts, made, window)
            own_store.write_about(made, kind, content, _texts_of(parts))
        name = f"{_stem(own.data)}-{digest([kind.value, *content.hashed])}"
        sealed(root / name, partial(_move, made))
    # the same data may be kept from before under other names of the classes; these are the names that they have here
    return Prepared(
        name=name,
        kind=kind,
        classes=content.classes,
        train=content.train,
        test=content.test,
        notes=(*parts.notes, *content.notes),
    )


def _written(parts: Parts, folder: Path, window: int) -> tuple[OwnKind, Content]:
    """Write the data into a folder, and return what they are."""
    if parts.pictures:
        return OwnKind.CLASSES_OF_IMAGES, own_images.prepare_images(parts.pictures, parts.source, folder)
    if parts.documents:
        return OwnKind.PLAIN_TEXT, own_texts.prepare_plain(parts.documents, parts.source, folder, window)
    content = own_texts.prepare_classes(parts.tables, parts.columns, parts.source, folder)
    return OwnKind.CLASSES_OF_TEXTS, content


def _texts_of(parts: Parts) -> int:
    """Return the number of texts of an example; 0 for images."""
    if parts.pictures:
        return 0
    return len(parts.columns[0].texts) if parts.columns else 1


def _move(made: Path, folder: Path) -> None:
    """Move what was written into the folder that takes the task's name."""
    for path in made.iterdir():
        shutil.move(path, folder / path.name)


def _stem(data: str | Path) -> str:
    """Return the beginning of a task's name: letters, digits and hyphens of the name of its data.

    >>> _stem("reviews of 2024.csv"), _stem("nyu-mll/glue:rte"), _stem("数据.csv")
    ('reviews-of-2024', 'glue-rte', 'data')
    """
    text = str(data)
    name = text.partition("/")[2] if is_id(text) else Path(text.rstrip("/\\")).stem
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-._")[:_LONGEST_STEM].strip("-._")
    return stem or "data"


def task(name: str) -> Task:
    """Return the task of prepared data with classes.

    Args:
        name: the name that ``prepare`` gave it.

    Raises:
        InputError: it is not in the cache, or is plain text.
    """
    kept = own_store.about(name)
    if kept.kind == OwnKind.PLAIN_TEXT:
        raise InputError(f"task {name!r} is plain text and has no classes: evaluate a language model on it")
    of_images = kept.kind == OwnKind.CLASSES_OF_IMAGES
    read: Callable[[str, str], object] = own_store.read_images if of_images else own_store.read_examples

    def load() -> Splits:
        return Splits(read(name, "train"), read(name, "test"), ORIGIN)  # type: ignore[arg-type]

    return Task(
        name=name,
        classes=kept.classes,
        load=load,
        counts=(kept.train, kept.test),
        metric="accuracy" if len(kept.classes) <= _ONE_DIGIT else "top1",
        source=ORIGIN,
        head=Head.IMAGE_CLASSIFICATION if of_images else Head.SEQUENCE_CLASSIFICATION,
    )


def test_texts(name: str) -> Sequence[str]:
    """Return the texts of prepared plain text whose perplexity is measured.

    Args:
        name: the name that ``prepare`` gave it.

    Raises:
        InputError: it is not in the cache, or is no plain text.
    """
    if own_store.about(name).kind != OwnKind.PLAIN_TEXT:
        raise InputError(f"task {name!r} has classes and is no plain text: fine-tune a model on it")
    return [text for (text,) in own_store.read_examples(name, "test").texts]


def check_texts(name: str) -> None:
    """Check that prepared data have texts.

    Args:
        name: the name that ``prepare`` gave them.

    Raises:
        InputError: they are not in the cache, or have images.
    """
    if own_store.about(name).kind == OwnKind.CLASSES_OF_IMAGES:
        raise InputError(f"task {name!r} has images and no texts to calibrate on: choose a method that reads none")


def training_texts(name: str) -> Iterator[str]:
    """Yield the texts of the training part of prepared data, each once; those of a pair as one.

    Args:
        name: the name that ``prepare`` gave them.

    Raises:
        InputError: they are not in the cache, or have images.
    """
    check_texts(name)
    return own_store.read_documents(name, "train")
