"""Reading files whole: records' lines, and the tables that are kept beside them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from ..errors import InputError
from ..specs.spec import schema_error

T = TypeVar("T")

#: The most bytes of a table: the largest that is kept here has 30,000.
LARGEST_TABLE = 2**24

#: The bytes that are read at a time: a record's line has thousands.
_BUFFER = 2**18


@contextmanager
def opened(path: Path, most: int) -> Iterator[IO[bytes]]:
    """Open a file for reading.

    Args:
        path: the file.
        most: the most bytes that it may have.

    Raises:
        InputError: it is not there, may not be read, is larger, or is a folder, a pipe or a device, on which reading
            would wait.
    """
    try:
        _check_regular(path, os.stat(path))
        with path.open("rb", buffering=_BUFFER) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise InputError(
                    f"cannot read {path}: it has {size:,} bytes, and at most {most:,} are read; move it away"
                )
            yield file
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; mend or move it") from error


def read_document(path: Path, kind: type[T], mend: str) -> T:
    """Return what a JSON file holds.

    Args:
        path: the file.
        kind: the schema that it must fit, a type as msgspec takes it.
        mend: what to do about a file that does not, as the end of a sentence.

    Raises:
        InputError: the file cannot be read, is no JSON or does not fit the schema.
    """
    with opened(path, LARGEST_TABLE) as file:
        content = file.read()
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({schema_error(error)}): {mend}") from error


def _check_regular(path: Path, status: Any) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"cannot read {path}: it is a folder; move it away")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"cannot read {path}: it is a pipe or a device, not a file; move it away")
