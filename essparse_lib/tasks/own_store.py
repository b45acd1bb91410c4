"""Keep prepared data in sealed folders of the cache, and read them back: texts as parquet, images as safetensors."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import cache_folder
from ..sources import parquet
from ..sources.foreign import parse_json, read_bytes, reading
from ..sources.sealed import sealed
from .images import Images
from .task import Examples

#: How the name of prepared data ends: 16 hexadecimal digits of the hash of their content.
_NAME = re.compile(r"[\w.-]+-[0-9a-f]{16}", re.ASCII)
_ABOUT, _TEXTS, _IMAGES = "about.json", "{part}.parquet", "{part}.safetensors"
_COLUMNS = ("text", "text2")
_LABEL = "label"
_MOST_ABOUT = 16 * 2**20
#: The most bytes of prepared data that are sent to other machines.
LARGEST_SENT = 2**30
_BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is known of data that were prepared.

    Attributes:
        classes: names of the classes; empty for plain text.
        train: number of training examples.
        test: number of test examples.
        hashed: what the hash of the content is made of besides the kind, as JSON has it.
        notes: what is to be told.
    """

    classes: tuple[str, ...]
    train: int
    test: int
    hashed: Sequence[object]
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class About:
    """What the folder of prepared data says of itself.

    Attributes:
        kind: what the data are, a value of ``own.OwnKind``.
        classes: names of the classes.
        train: number of training examples.
        test: number of test examples.
        texts: number of texts of an example; 0 for images.
    """

    kind: str
    classes: tuple[str, ...]
    train: int
    test: int
    texts: int


def own_folder() -> Path:
    """Return the folder of the cache that holds all prepared data."""
    return cache_folder() / "own-tasks"


def is_own(name: object) -> bool:
    """Return whether a name is written as those of prepared data are.

    >>> is_own("reviews-0123456789abcdef"), is_own("rte")
    (True, False)
    """
    return isinstance(name, str) and bool(_NAME.fullmatch(name))


def folder_of(name: str) -> Path:
    """Return the folder of prepared data, after a check of its files.

    Raises:
        InputError: it is not in the cache, or damaged.
    """
    folder = own_folder() / name

    def missing(_: Path) -> None:
        raise InputError(
            f"task {name!r} is of somebody's own data, which are not in the cache ({folder.parent}), or damaged there: "
            "prepare the same data again, as essparse sweep does"
        )

    if not folder.is_dir():
        missing(folder)
    return sealed(folder, missing)


def packed(names: Iterable[str]) -> dict[str, dict[str, bytes]]:
    """Return the content of prepared data, by their name and the file's, for ``unpack`` on other machines.

    Raises:
        InputError: some are not in the cache, or damaged, or all together are too large to be sent.
    """
    paths = {name: [path for path in sorted(folder_of(name).iterdir()) if path.is_file()] for name in names}
    size = sum(path.stat().st_size for files in paths.values() for path in files)
    if size > LARGEST_SENT:
        raise InputError(
            f"the data have {size / 1e9:.1f} GB, and at most {LARGEST_SENT / 1e9:.1f} GB are sent to workers: "
            "run this without a cluster"
        )
    return {name: {path.name: path.read_bytes() for path in files} for name, files in paths.items()}


def unpack(name: str, files: Mapping[str, bytes]) -> None:
    """Put prepared data into this machine's cache, if they are not in it.

    Args:
        name: that of the prepared data.
        files: the content of each file by its name, as ``packed`` returns it.
    """

    def write(folder: Path) -> None:
        for file, content in files.items():
            (folder / file).write_bytes(content)

    sealed(own_folder() / name, write)


def about(name: str) -> About:
    """Return what prepared data are.

    Raises:
        InputError: they are not in the cache, or damaged.
    """
    return _about(folder_of(name))


@cache
def _about(folder: Path) -> About:
    path = folder / _ABOUT
    content = parse_json(read_bytes(path, _MOST_ABOUT), path, dict)
    with reading(path, "prepare the data again"):
        return About(**{**content, "classes": tuple(content["classes"])})


def write_about(folder: Path, kind: str, content: Content, texts: int) -> None:
    """Write what prepared data are into their folder."""
    stated = {
        "kind": kind,
        "classes": list(content.classes),
        "train": content.train,
        "test": content.test,
        "texts": texts,
    }
    (folder / _ABOUT).write_text(json.dumps(stated, ensure_ascii=False), encoding="utf-8")


def write_rows(
    folder: Path,
    train: Iterable[tuple[tuple[str, ...], int]],
    test: Iterable[tuple[tuple[str, ...], int]],
    texts: int,
) -> str:
    """Write the texts and the class of each example, a thousand at a time, and return the SHA-256 of all.

    Args:
        folder: where to write.
        train: the training examples.
        test: the test examples.
        texts: number of texts of an example: 1 or 2.
    """
    digest = hashlib.sha256()
    for part, rows in (("train", train), ("test", test)):
        digest.update(f"{part}\x1d".encode())
        _write_part(folder / _TEXTS.format(part=part), rows, texts, digest)
    return digest.hexdigest()


def _write_part(path: Path, rows: Iterable[tuple[tuple[str, ...], int]], texts: int, digest: Any) -> None:
    import pyarrow
    from pyarrow import parquet as library

    names = _COLUMNS[:texts]
    schema = pyarrow.schema([*((name, pyarrow.string()) for name in names), (_LABEL, pyarrow.int64())])
    with library.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        for batch in _batched(rows, _BATCH):
            for example, label in batch:
                digest.update("\x1f".join((*example, f"{label}\x1e")).encode())
            columns = [[example[place] for example, _ in batch] for place in range(texts)]
            writer.write_table(pyarrow.table([*columns, [label for _, label in batch]], schema=schema))


def _batched(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def write_images(folder: Path, part: str, images: Images) -> None:
    """Write the images of a part."""
    from safetensors.numpy import save_file

    save_file({"pixels": images.pixels, "labels": images.labels}, folder / _IMAGES.format(part=part))


def read_examples(name: str, part: str) -> Examples:
    """Return the texts and classes of a part (train, test) of prepared data.

    Raises:
        InputError: the data are not in the cache, or damaged.
    """
    texts: list[tuple[str, ...]] = []
    labels: list[int] = []
    path, columns = _part(name, part)
    for batch in parquet.batches(path, columns):
        values = [batch.column(column).to_pylist() for column in columns]
        texts += zip(*values[:-1], strict=True)
        labels += values[-1]
    return Examples(texts, labels)


def read_documents(name: str, part: str) -> Iterator[str]:
    """Yield the texts of a part of prepared data, each once; the two of a pair as one.

    Raises:
        InputError: the data are not in the cache, or damaged.
    """
    path, columns = _part(name, part)
    seen: set[bytes] = set()
    for batch in parquet.batches(path, columns):
        values = [batch.column(column).to_pylist() for column in columns if column != _LABEL]
        for example in zip(*values, strict=True):
            text = "\n".join(example)
            key = hashlib.sha256(text.encode()).digest()
            if key not in seen:
                seen.add(key)
                yield text


def _part(name: str, part: str) -> tuple[Path, dict[str, parquet.Content]]:
    """Return the file of a part, and what its columns hold."""
    columns = dict.fromkeys(_COLUMNS[: about(name).texts], parquet.Content.TEXT)
    return folder_of(name) / _TEXTS.format(part=part), {**columns, _LABEL: parquet.Content.LABEL}


def read_images(name: str, part: str) -> Images:
    """Return the images of a part of prepared data.

    Raises:
        InputError: the data are not in the cache, or damaged.
    """
    from safetensors.numpy import load_file

    path = folder_of(name) / _IMAGES.format(part=part)
    with reading(path, "prepare the data again"):
        arrays = load_file(path)
        return Images(arrays["pixels"], np.asarray(arrays["labels"], dtype=np.int64))
