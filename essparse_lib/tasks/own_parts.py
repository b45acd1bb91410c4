"""Open people's own data, whatever their format: the parts to train and to test on, with their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError, nearest, shown
from ..paths import check_file, check_path, is_path
from ..sources.data_sets import is_id, of_folder, of_hub
from ..sources.tables import FORMATS, SAVED, SAVED_PARTS, read_saved, read_tables
from ..wording import listing
from .own_columns import Columns, recognise
from .own_images import folder_pictures, holds_images, table_pictures
from .own_pictures import Pictures
from .own_texts import has_labels, read_documents, table_documents

_PLAIN = ".txt"
_ALLOWED = (
    "give a CSV, TSV, JSON lines or parquet file, a .txt of plain text, a folder of images by class, a folder that "
    "datasets saved, or a hub id (owner/name)"
)
#: The columns that a person may name: text, text2, image, label.
Named = tuple[str | None, str | None, str | None, str | None]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """One part, some of which will be held out; or the part to train on and the one to test on.

    Attributes:
        source: what the data are called, for messages.
        tables: tables of texts with classes (``datasets.Dataset``).
        columns: the columns of each table; also of those that became pictures or documents.
        pictures: labelled images.
        documents: documents of plain text.
        notes: what is to be told of how they were read.
    """

    source: str
    tables: Sequence[Any] = ()
    columns: Sequence[Columns] = ()
    pictures: Sequence[Pictures] = ()
    documents: Sequence[list[str]] = ()
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """Data as they lie in one place, by the names of their splits; the name is empty where there are none.

    Attributes:
        tables: tables.
        pictures: images of folders by class.
        documents: documents of a plain text, or None.
        folder: where paths of images lead from, or None.
        notes: what is to be told.
    """

    tables: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Pictures] = field(default_factory=dict)
    documents: list[str] | None = None
    folder: Path | None = None
    notes: list[str] = field(default_factory=list)


def parts_of(data: object, test: object, named: Named, scratch: Path) -> Parts:
    """Return the parts of somebody's data.

    Args:
        data: path or id of the data.
        test: path of the part to test on; None for the data's own, if they have one.
        named: names of the columns: text, text2, image, label; None where they are to be recognised.
        scratch: a folder for what is unpacked on the way.

    Raises:
        InputError: anything cannot be read or recognised, or the test part has another kind or other columns.
    """
    source = str(data)
    opened = _opened("data", data, scratch)
    other = None if test is None else _opened("test", test, scratch / "test")
    notes = [*opened.notes, *(other.notes if other else ())]
    if opened.documents is not None:
        return _plain(opened.documents, other, named, source, notes)
    if opened.pictures:
        return _of_folders(opened, other, named, source, notes)
    return _of_tables(opened, other, named, source, notes)


def _opened(what: str, data: object, scratch: Path) -> _Opened:
    """Return data as they lie in a file, a folder or on the hub; ``what`` they are is for messages."""
    path = check_path(what, data)
    text = str(data)
    if path.is_dir():
        return _opened_folder(path, scratch)
    if not path.exists() and is_id(text) and not is_path(text):
        files, notes = of_hub(text)
        tables = {}
        for split, paths in files.items():
            tables[split], told = read_tables(paths, scratch)
            notes += told
        return _Opened(tables=tables, notes=notes)
    if not path.exists():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        near = [str(path.with_name(each)) for each in nearest(path.name, beside)[:1]]
        raise InputError(f"no such file or folder: {shown(text)}{f'; did you mean {near[0]!r}?' if near else ''}")
    check_file(what, path)
    if path.suffix.lower() == _PLAIN:
        return _Opened(documents=read_documents(path))
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path} is of a format that is not read: {_ALLOWED}")
    rows, told = read_tables([path], scratch)
    return _Opened(tables={"": rows}, folder=path.parent, notes=told)


def _opened_folder(folder: Path, scratch: Path) -> _Opened:
    """Return data as they lie in a folder: saved by the library, images by class, or tables."""
    if (folder / SAVED).is_file() or (folder / SAVED_PARTS).is_file():
        return _Opened(tables=read_saved(folder))
    if holds_images(folder):
        pictures, notes = folder_pictures(folder)
        return _Opened(pictures=pictures, notes=notes)
    if not any(path.suffix.lower() in FORMATS for path in folder.rglob("*")):
        raise InputError(f"{folder} has no images and no tables: {_ALLOWED}")
    tables, notes = {}, []
    for split, paths in of_folder(folder).items():
        tables[split], told = read_tables(paths, scratch)
        notes += told
    return _Opened(tables=tables, folder=folder, notes=notes)


def _plain(documents: list[str], other: _Opened | None, named: Named, source: str, notes: list[str]) -> Parts:
    """Return the parts of a plain text."""
    if any(named):
        raise InputError(f"{source} is a plain text and has no columns: name none, or give a table")
    if other is None:
        return Parts(source=source, documents=[documents], notes=notes)
    if other.documents is None:
        raise InputError(f"{source} is a plain text, and the test part is none: give a .txt file (test)")
    return Parts(source=source, documents=[documents, other.documents], notes=notes)


def _of_folders(opened: _Opened, other: _Opened | None, named: Named, source: str, notes: list[str]) -> Parts:
    """Return the parts of images in folders by class."""
    if any(named):
        raise InputError(f"{source} is a folder of images by class and has no columns: name none")
    if other is not None and not other.pictures:
        raise InputError(f"{source} is a folder of images by class, and the test part is none (test)")
    train, test, told = _chosen(opened.pictures, source, _has_images)
    if other is not None:
        test, told = other.pictures.get("test") or next(iter(other.pictures.values())), []
    return Parts(source=source, pictures=[each for each in (train, test) if each is not None], notes=[*notes, *told])


def _has_images(pictures: Pictures) -> bool:
    return bool(pictures.labels.values)


def _of_tables(opened: _Opened, other: _Opened | None, named: Named, source: str, notes: list[str]) -> Parts:
    """Return the parts of tables: texts with classes, images, or documents."""
    first = opened.tables.get("train") or next(iter(opened.tables.values()))
    columns, told = recognise(first, *named, source)
    label = columns.label

    def is_labelled(table: Any) -> bool:
        return label is None or (label in table.features and has_labels(table, label))

    train, test, chosen = _chosen(opened.tables, source, is_labelled)
    folders = [opened.folder, opened.folder]
    if other is not None:
        if not other.tables:
            raise InputError(f"{source} is a table, and the test part is none: give a table of the same columns (test)")
        test, chosen = other.tables.get("test") or next(iter(other.tables.values())), []
        folders[1] = other.folder
    tables = [each for each in (train, test) if each is not None]
    of_each = [columns]
    if test is not None:
        where = source if other is None else f"the test part of {source}"
        of_each.append(recognise(test, *_names(columns), where)[0] if label else columns)
    notes = [*notes, *told, *chosen]
    if columns.image is not None:
        pictures = [
            table_pictures(table, each, folder, source)
            for table, each, folder in zip(tables, of_each, folders, strict=False)
        ]
        return Parts(source=source, columns=of_each, pictures=pictures, notes=notes)
    if label is None:
        documents = [table_documents(table, columns, source) for table in tables]
        return Parts(source=source, columns=of_each, documents=documents, notes=notes)
    return Parts(source=source, tables=tables, columns=of_each, notes=notes)


def _names(columns: Columns) -> Named:
    """Return the names of columns as a person gives them, so that another table must have the same."""
    first, second = (*columns.texts, None, None)[:2]
    return first, second, columns.image, columns.label


def _chosen(splits: dict[str, Any], source: str, is_labelled: Any) -> tuple[Any, Any, list[str]]:
    """Return the split to train on, the one to test on or None, and what is to be told.

    Args:
        splits: tables or images by the names of their splits.
        source: what the data are called, for messages.
        is_labelled: whether a split has labels that are known.

    Raises:
        InputError: there are several splits and none to train on.
    """
    if len(splits) == 1:
        ((name, only),) = splits.items()
        return only, None, [f"The only split, {name}, is used."] if name and name != "train" else []
    if "train" not in splits:
        raise InputError(f"{source} has the splits {listing(list(splits))}, and none is called train: rename one")
    names = sorted((name for name in splits if name != "train"), key=_rank)
    tested = next((name for name in names if is_labelled(splits[name])), None)
    unused = [name for name in names if name != tested]
    notes = [f"Split train is trained on, {tested} is tested on."] if tested else ["Split train alone has labels."]
    if unused:
        notes.append(f"Not read: split {listing(unused)}.")
    return splits["train"], None if tested is None else splits[tested], notes


def _rank(name: str) -> tuple[int, str]:
    """Return a place in the order in which splits are tested on: validation, then test, then others."""
    small = name.casefold()
    first = [small.startswith(("valid", "val", "dev")), small.startswith("test")]
    return (0 if first[0] else 1 if first[1] else 2), small
