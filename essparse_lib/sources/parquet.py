"""Read columns of parquet files of others: types and sizes are checked first, and rows come a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..errors import InputError, suggestion
from .foreign import reading, regular_file
from .hub import Repository, parquet_files

#: The most rows of a split, and the most bytes of its columns, that are read into memory. The largest split that a task
#: has here is Tiny ImageNet's, of 100,000 rows and 150 MB; MNLI has the most rows, 392,702.
MOST_ROWS, MOST_BYTES = 1_000_000, 300 * 2**20
#: The most bytes of one value, such as a document: the longest of Wikipedia has less than a million.
MOST_OF_A_VALUE = 16 * 2**20
#: Bytes that a batch of rows may take, if a compressed value is in it again and again.
_BATCH_BYTES = 64 * 2**20


class Content(StrEnum):
    """What a column holds in each row; there are no nulls but among images.

    ``TEXT``: a text. ``LABEL``: a whole number. ``IMAGE``: the bytes of an image's file, which the hub keeps with a
    name; a null stands for a missing file. ``ANSWERS``: texts (``text``) and whole numbers (``answer_start``).
    ``LIST``: texts in a list. ``CHOICES``: texts (``text``) and as many names of theirs (``label``).
    """

    TEXT = "texts"
    LABEL = "whole numbers"
    IMAGE = "images as bytes"
    ANSWERS = "lists of text and answer_start"
    LIST = "lists of texts"
    CHOICES = "lists of text and label"


#: The fields of the contents that are lists side by side, and what the lists hold.
_SIDE_BY_SIDE: dict[Content, dict[str, Content]] = {
    Content.ANSWERS: {"text": Content.TEXT, "answer_start": Content.LABEL},
    Content.CHOICES: {"text": Content.TEXT, "label": Content.TEXT},
}


def read_columns(
    repository: Repository, config: str, split: str, columns: Mapping[str, Content], elsewhere: str = ""
) -> tuple[dict[str, list], str]:
    """Return columns of one split of a data set that the hub holds as parquet.

    Args:
        repository: the data set's repository.
        config: name of a configuration: a folder of the repository.
        split: name of a split, such as ``train``.
        columns: what the columns must hold, by name; other columns are not read.
        elsewhere: pattern of the split's files where no folder of the configuration has them.

    Returns:
        The values by column, images as the bytes of their files; and where the data come from, in words.

    Raises:
        InputError: the data set, the configuration or the split cannot be had or read; or it has no rows, more than
            ``MOST_ROWS``, more bytes than ``MOST_BYTES``, or columns with another content.
    """
    files, origin = parquet_files(repository, config, split, elsewhere)
    rows, size = sum(count_rows(path) for path in files), 0
    if not 0 < rows <= MOST_ROWS:
        fault = f"has {rows:,} rows, more than {MOST_ROWS:,}, the most that are read" if rows else "has no rows"
        raise InputError(f"{files[0]} {fault}: fetch it anew")
    table: dict[str, list] = {name: [] for name in columns}
    for path in files:
        for batch in batches(path, columns):
            size += batch.nbytes
            if size > MOST_BYTES:
                most = f"{MOST_BYTES // 2**20} MB"
                raise InputError(f"{path} unpacks to more than {most}, the most that is read: fetch it anew")
            for name, content in columns.items():
                table[name] += _values(batch.column(name), content, path)
    return table, origin


def count_rows(path: Path) -> int:
    """Return the number of rows that a parquet file says it has.

    Raises:
        InputError: the file is missing or damaged.
    """
    parquet = _library(path)
    with reading(path):
        return parquet.read_metadata(regular_file(path)).num_rows


def batches(path: Path, columns: Mapping[str, Content], nulls: bool = False) -> Iterator[Any]:
    """Yield the rows of a parquet file as Arrow's record batches; memory does not grow with the file.

    Args:
        path: the file.
        columns: what the columns must hold, by name; other columns are not read.
        nulls: whether columns may have nulls.

    Raises:
        InputError: the file is missing or damaged, a column is missing, there twice or of another type, has a null, or
            a value of more than ``MOST_OF_A_VALUE`` bytes.
    """
    parquet = _library(path)
    with reading(path):
        file = parquet.ParquetFile(regular_file(path), page_checksum_verification=True)
        schema, metadata = file.schema_arrow, file.metadata
    _check_columns(schema, columns, path)
    rows = 0
    for group in range(metadata.num_row_groups):
        with reading(path):
            rows_at_once = _rows_at_once(metadata.row_group(group), columns)
            group_batches = file.iter_batches(batch_size=rows_at_once, row_groups=[group], columns=list(columns))
        while (batch := _next(group_batches, path)) is not None:
            for name, content in columns.items():
                _check_values(batch.column(name), f"column {name!r} of {path}", content, rows, nulls)
            rows += batch.num_rows
            yield batch
    if rows != metadata.num_rows:
        raise InputError(f"{path} says that it has {metadata.num_rows:,} rows, and has {rows:,}: fetch it anew")


def texts(batch: Any, column: str, path: Path) -> list[str | None]:
    """Return the texts in a column of a batch that ``batches`` yielded, None for nulls."""
    return _values(batch.column(column), Content.TEXT, path)


def _library(path: Path) -> Any:
    """Return the library that reads parquet."""
    try:
        from pyarrow import parquet
    except ImportError as missing:
        raise InputError(f"{path} is read by pyarrow, which is missing: pip install pyarrow") from missing
    return parquet


def _next(group_batches: Iterator[Any], path: Path) -> Any:
    """Return the next batch, None after the last."""
    with reading(path):
        return next(group_batches, None)


def _rows_at_once(group: Any, columns: Mapping[str, Content]) -> int:
    """Return how many rows of a row group to unpack at once.

    A value is stored once, however often a dictionary's number for it stands in the rows. So no row has more bytes than
    all of the group's pages, but each row may have as many.
    """
    chunks = (group.column(number) for number in range(group.num_columns))
    stored = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns)
    return max(1, min(1024, _BATCH_BYTES // max(1, stored)))


def _check_columns(schema: Any, columns: Mapping[str, Content], path: Path) -> None:
    """Check that a file has columns once each, and of the right types."""
    for name, content in columns.items():
        count = schema.names.count(name)
        if count != 1:
            there = "several times" if count else f"missing{suggestion(name, schema.names)}"
            raise InputError(f"{path} cannot be used: its column {name!r} is {there}; fetch it anew")
        kind = schema.field(name).type
        if not _fits(kind, content):
            held = str(kind)[:80]
            raise InputError(f"column {name!r} of {path} holds {held}, but must hold {content}: fetch it anew")


def _fits(kind: Any, content: Content) -> bool:
    """Return whether a type of Arrow's is that of a content."""
    from pyarrow import types

    if content is Content.TEXT:
        return types.is_string(kind) or types.is_large_string(kind)
    if content is Content.LABEL:
        return types.is_integer(kind)
    if content is Content.IMAGE:
        kind = _field(kind, "bytes") or kind
        return types.is_binary(kind) or types.is_large_binary(kind)
    if content is Content.LIST:
        return _is_list_of(kind, Content.TEXT)
    return all(_is_list_of(_field(kind, name), held) for name, held in _SIDE_BY_SIDE[content].items())


def _is_list_of(kind: Any, content: Content) -> bool:
    """Return whether a type of Arrow's is that of lists whose elements have a content; None is no type."""
    from pyarrow import types

    return kind is not None and (types.is_list(kind) or types.is_large_list(kind)) and _fits(kind.value_type, content)


def _field(kind: Any, name: str) -> Any:
    """Return the type of a field of a struct; None if there is not one such field."""
    from pyarrow import types

    number = kind.get_field_index(name) if types.is_struct(kind) else -1
    return kind.field(number).type if number >= 0 else None


def _check_values(array: Any, column: str, content: Content, rows: int, nulls: bool) -> None:
    """Check that no value of an array, nor a value within one, is null or too large.

    Args:
        array: the values, of a type that fits.
        column: column and file, for messages.
        content: what they are.
        rows: number of rows before these.
        nulls: whether there may be nulls.
    """
    from pyarrow import compute, types

    parts = _parts(array, content)
    for part in parts:
        if part.null_count and not nulls and content is not Content.IMAGE:
            where = f"row {rows + part.is_null().index(True).as_py()}" if len(part) == len(array) else "a row"
            raise InputError(f"{column} has a null in {where}, but must hold {content}: fetch it anew")
        if len(part) and not types.is_integer(part.type) and not types.is_nested(part.type):
            longest = compute.max(compute.binary_length(part)).as_py()
            if (longest or 0) > MOST_OF_A_VALUE:
                most = f"{MOST_OF_A_VALUE // 2**20} MB"
                raise InputError(f"{column} has a value of {longest:,} bytes, and {most} are the most that is read")


def _parts(array: Any, content: Content) -> list[Any]:
    """Return an array, and the arrays within it that hold its values."""
    from pyarrow import types

    if content is Content.LIST:
        return [array, array.flatten()]
    if content in _SIDE_BY_SIDE:
        lists = [array.field(name) for name in _SIDE_BY_SIDE[content]]
        return [array, *lists, *(each.flatten() for each in lists)]
    return [array, array.field("bytes")] if types.is_struct(array.type) else [array]


def _values(array: Any, content: Content, path: Path) -> list:
    """Return the values of an array as Python has them."""
    from pyarrow import types

    if content is Content.IMAGE and types.is_struct(array.type):
        array = array.field("bytes")
    with reading(path):  # a text need not be in UTF-8
        return array.to_pylist()
