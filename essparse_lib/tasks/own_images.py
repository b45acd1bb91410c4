"""Prepare people's own images: a folder with a folder for each class, or a table with a column of images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..sources.data_sets import SPLITS
from ..sources.foreign import read_bytes
from .images import Images
from .own_columns import Columns, batches
from .own_labels import Labels, classes_of
from .own_pictures import Pictures, common_shape, decode
from .own_split import check_classes, copies_notes, names_of_parts, split
from .own_store import Content, write_images
from .own_texts import label_values

#: How the names of images end.
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
#: The most bytes of a file of an image.
_MOST_FILE = 64 * 2**20


def holds_images(folder: Path) -> bool:
    """Return whether a folder has images in folders inside it."""
    return any(path.suffix.lower() in SUFFIXES for path in _walk(folder))


def folder_pictures(folder: Path) -> tuple[dict[str, Pictures], list[str]]:
    """Return the images of a folder by split, and what is to be told of the files that are no images.

    Each class is a folder of the name of the class. These may lie in folders of the names of splits (train, test). An
    empty text is the name of the split where there are none.

    Args:
        folder: the folder.

    Raises:
        InputError: a folder or a file cannot be read, an image lies outside of the folders of classes, or is a link
            out of the folder.
    """
    files: dict[str, list[tuple[Path, str]]] = {}
    others = 0
    first = {path.relative_to(folder).parts[0] for path in _walk(folder) if path.suffix.lower() in SUFFIXES}
    by_split = all(name.casefold() in SPLITS for name in first)
    for path in _walk(folder):
        if path.suffix.lower() not in SUFFIXES:
            others += 1
            continue
        parts = path.relative_to(folder).parts
        name, *classes = parts[:-1] if by_split else ("", *parts[:-1])
        if not classes:
            raise InputError(f"{path} lies in no folder of a class: put each class into a folder of its name")
        _check_inside(path, folder)
        files.setdefault(SPLITS.get(name.casefold(), name), []).append((path, classes[0]))
    notes = [f"{others:,} files that are no images by their names are left out."] if others else []
    return {name: _of_files(each) for name, each in files.items()}, notes


def _of_files(files: Sequence[tuple[Path, str]]) -> Pictures:
    def encoded() -> Iterator[tuple[str, bytes]]:
        for path, _ in files:
            yield str(path), read_bytes(path, _MOST_FILE)

    return Pictures(encoded=encoded, labels=Labels(values=[label for _, label in files]))


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those inside it, in the order of their names; hidden ones are none."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read ({error.strerror}): name another folder")

    for place, folders, names in os.walk(folder, onerror=refuse):
        for name in list(folders):
            if (Path(place) / name).is_symlink() and not name.startswith("."):
                raise InputError(f"{Path(place) / name} is a link to a folder: put the folder itself there")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))


def _check_inside(path: Path, folder: Path) -> None:
    """Check that a file is no link out of a folder, which would read what nobody put there."""
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path} is a link out of {folder}: put the file itself there")


def table_pictures(table: Any, columns: Columns, folder: Path | None, source: object) -> Pictures:
    """Return the images of a table.

    Args:
        table: the table (``datasets.Dataset``).
        columns: its columns.
        folder: where the files lie whose paths are in the column; None if none may be read.
        source: what the table was read from, for messages.
    """
    assert columns.image is not None and columns.label is not None
    table = table.select_columns([columns.image, columns.label])
    if type(table.features[columns.image]).__name__ == "Image":
        from datasets import Image

        table = table.cast_column(columns.image, Image(decode=False)).with_format("arrow")
    values = [value for batch in batches(table, (columns.label,)) for value in batch[0]]
    encoded = partial(_of_table, table, columns.image, folder, source)
    return Pictures(encoded=encoded, labels=label_values(table, columns.label, values))


def _of_table(table: Any, column: str, folder: Path | None, source: object) -> Iterator[tuple[str, bytes]]:
    """Yield the images of a table's column: bytes, or files of a folder; no bytes where there is no image."""
    number = 0
    for (values,) in batches(table, (column,)):
        for value in values:
            number += 1
            name = f"image {number:,} of {source}"
            data, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (None, value)
            if data is None and path:
                data = _file_bytes(path, folder, name)
            yield name, data or b""


def _file_bytes(path: str, folder: Path | None, name: str) -> bytes:
    """Return the bytes of a file that a table names by its path in a folder."""
    if folder is None:
        raise InputError(f"{name} is the path {shown(path)}, and no image: save the table with its images")
    whole = folder / path
    if not whole.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{name} is the path {shown(path)}, out of {folder}: give paths of files in this folder")
    return read_bytes(whole, _MOST_FILE)


def prepare_images(parts: Sequence[Pictures], source: str, folder: Path) -> Content:
    """Write labelled images, and return what is to be known of them.

    Args:
        parts: the images, a part of which is held out; or those of training and of test.
        source: what they were read from, for messages.
        folder: where to write.

    Raises:
        InputError: images cannot be decoded, the examples make no task, or the folder cannot be written.
    """
    classes = classes_of([part.labels for part in parts], source)
    notes = list(classes.notes)
    if unlabelled := sum(number is None for numbers in classes.numbers for number in numbers):
        notes.append(f"{unlabelled:,} images without a label are left out.")
    parts = [_labelled(part, numbers) for part, numbers in zip(parts, classes.numbers, strict=True)]
    numbers = [[number for number in each if number is not None] for each in classes.numbers]
    shape, told = common_shape(parts, source)
    images = [
        Images(decode(part, shape, source), np.array(of_part, dtype=np.int64))
        for part, of_part in zip(parts, numbers, strict=True)
    ]
    keys = [each.keys() for each in images]
    for of_part, labels, what in zip(keys, numbers, names_of_parts(parts, "images"), strict=True):
        notes += copies_notes(of_part, labels, what)
    halves = split(keys, source, "images")
    train, test = images[0].take(halves.train), images[-1].take(halves.test)
    shares = check_classes(classes, train.labels.tolist(), test.labels.tolist(), source, "images")
    for name, part in (("train", train), ("test", test)):
        write_images(folder, name, part)
    return Content(
        classes=classes.names,
        train=len(train),
        test=len(test),
        hashed=[list(classes.identity), train.fingerprint(), test.fingerprint()],
        notes=[*notes, *told, *halves.notes, *shares],
    )


def _labelled(pictures: Pictures, numbers: Sequence[int | None]) -> Pictures:
    """Return the images that have a label."""
    if None not in numbers:
        return pictures

    def encoded() -> Iterator[tuple[str, bytes]]:
        for each, number in zip(pictures.encoded(), numbers, strict=True):
            if number is not None:
                yield each

    labels = [label for label, number in zip(pictures.labels.values, numbers, strict=True) if number is not None]
    return Pictures(encoded=encoded, labels=Labels(values=labels, names=pictures.labels.names))
