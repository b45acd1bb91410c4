"""Check files of comma- or tab-separated values before a library reads them: encoding, header and length of each row.

Libraries mend such files silently: they fill short rows, cut long ones and rename columns. Here each fault is one line.
"""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from .foreign import reading
from .parquet import MOST_OF_A_VALUE

#: What may stand between two values.
DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons"}
#: What to do about a line that cannot be read.
_MEND = "mend this line, or save the table as parquet"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a file of separated values is written.

    Attributes:
        encoding: Python's name of the encoding.
        delimiter: what stands between two values.
        quoted: whether quotation marks enclose values; else they are signs like others.
        columns: names of the columns; a column without a name is named by its position.
        rows: number of rows below the header.
    """

    encoding: str
    delimiter: str
    quoted: bool
    columns: tuple[str, ...]
    rows: int


def layout(path: Path) -> Layout:
    """Return how a file of separated values is written, after a check of every row; memory does not grow with the file.

    Args:
        path: the file, whose name may end in ``.tsv``. In others the delimiter is what parts the header most often.

    Raises:
        InputError: it is empty, has a header alone, is not in UTF-8 (or UTF-16 with its mark), has characters NUL,
            columns of one name, or a row that is shorter or longer than the header.
    """
    with reading(path, "name another file"), path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise InputError(f"{path} is empty: give a file with a header and rows")
    encoding = "utf-16" if start.startswith(_UTF_16) else "utf-8-sig"
    header = _header(path, encoding)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(DELIMITERS, key=header.count)
    try:
        return _checked(path, encoding, delimiter, quoted=True)
    except InputError:
        if delimiter != "\t":
            raise
        return _checked(
            path, encoding, delimiter, quoted=False
        )  # with tabs, quotation marks are often left as they are


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a small file of separated values, each as its values by the names of ``Layout.columns``.

    The file is read just as it was checked, so that no row can differ from what the check saw.

    Args:
        path: the file, as for ``layout``.

    Raises:
        InputError: as ``layout``.
    """
    table = layout(path)
    with _long_values(), reading(path, _MEND):
        _header_row, *rows = _rows(path, table.encoding, table.delimiter, table.quoted)
    return [dict(zip(table.columns, values, strict=True)) for _, values in rows]


def check_text(path: Path) -> None:
    """Check that a file is text in UTF-8; memory does not grow with the file.

    Raises:
        InputError: it is not, or has characters NUL.
    """
    for _ in _lines(path, "utf-8-sig"):
        pass


def _header(path: Path, encoding: str) -> str:
    """Return the first line of a file that is not blank."""
    for line in _lines(path, encoding):
        if line.strip():
            if line.lstrip().startswith(("{", "[")):
                raise InputError(f"{path} begins as JSON does: name it .jsonl, or give comma-separated values")
            return line
    raise InputError(f"{path} is empty: give a file with a header and rows")


def _checked(path: Path, encoding: str, delimiter: str, quoted: bool) -> Layout:
    """Return the layout of a file whose rows all have as many values as its header."""
    columns: tuple[str, ...] = ()
    rows = 0
    with _long_values(), reading(path, _MEND):
        for line, values in _rows(path, encoding, delimiter, quoted):
            if not columns:
                columns = _named(values, path)
            elif len(values) != len(columns):
                raise InputError(
                    f"{path} has {len(values)} values in line {line:,}, and {len(columns)} columns in its "
                    f"header: put values that have {DELIMITERS[delimiter]} or quotation marks in them into quotes"
                )
            else:
                rows += 1
    if not rows:
        raise InputError(f"{path} has a header and no rows: give a file with rows")
    return Layout(encoding=encoding, delimiter=delimiter, quoted=quoted, columns=columns, rows=rows)


def _rows(path: Path, encoding: str, delimiter: str, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the header and the rows of a file, each with the number of its last line; blank lines are left out."""
    options: dict[str, Any] = {"quoting": csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, "strict": quoted}
    reader = csv.reader(_lines(path, encoding), delimiter=delimiter, **options)
    for values in reader:
        if values:
            yield reader.line_num, values


def _named(header: Sequence[str], path: Path) -> tuple[str, ...]:
    """Return the names of columns, each once; one without a name, as of an index, is named by its position."""
    names = [name.strip() or f"column {number}" for number, name in enumerate(header, 1)]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{path} has several columns of the name {shown(repeated[0])}: rename all but one")
    return tuple(names)


def _lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield the lines of a file with their ends."""
    with reading(path, "name another file"):
        file = path.open(encoding=encoding, newline="")
    with file:
        while True:
            try:
                line = file.readline(MOST_OF_A_VALUE)
            except UnicodeError as error:
                name = "UTF-16" if encoding == "utf-16" else "UTF-8"
                raise InputError(
                    f"{path} is no text in {name} ({getattr(error, 'reason', error)}): save it in UTF-8, "
                    "such as with iconv -f latin1 -t utf-8"
                ) from error
            if "\0" in line:
                raise InputError(f"{path} is no text in UTF-8 (it has characters NUL): save it in UTF-8")
            if not line:
                return
            yield line


@contextmanager
def _long_values() -> Iterator[None]:
    """Let Python's reader take long values: what it takes is set for the whole process, so it is set back."""
    before = csv.field_size_limit(MOST_OF_A_VALUE)
    try:
        yield
    finally:
        csv.field_size_limit(before)
