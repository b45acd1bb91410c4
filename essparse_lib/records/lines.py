"""The lines of a file of records: which hold a record, and what is wrong with the others."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple
from unicodedata import normalize

from ..errors import InputError, one_line
from ..files import writing
from .documents import opened
from .record import Record, UnknownRecord
from .schema import Status

#: The most bytes of a file of records, thirty times as many as the largest here has.
LARGEST_FILE = 2**27


class DamagedRecord(InputError):
    """A line of a record's file is damaged; the message names file and line."""


@cache
def slug(name: str) -> str:
    """Return a model's or task's name as a file name: ``owner/name`` becomes ``owner--name``."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name.replace("/", "--")).strip(".-") or "_"


class Entry(NamedTuple):
    """A line of a file of records: the record that it holds, or why it holds none."""

    number: int
    line: bytes
    record: Record | None = None
    damage: str = ""
    later: str = ""


def read_records(paths: Iterable[Path]) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for path in paths:
        for entry in read_entries(path):
            place = f"{path}, line {entry.number}: "
            if entry.damage:
                raise DamagedRecord(
                    f"{place}damaged record ({entry.damage}); `essparse mend {path.parents[1]}` "
                    f"sets it aside in {Path(path.name)}.damaged, after which its trial can be run again"
                )
            if entry.record is None:
                raise InputError(
                    f"{place}a record that this version cannot read ({entry.later}): a later one wrote it, "
                    "update essparse"
                )
            if not _is_outranked(entry.record, records):
                records[entry.record.spec.id] = entry.record
    return records


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the lines of a file of records.

    Raises:
        InputError: the file cannot be read.
    """
    records: dict[str, Record] = {}
    place = (path.parent.name, path.name)
    with opened(path, LARGEST_FILE) as file:
        for number, line in enumerate(file, start=1):
            line = line.removesuffix(b"\n")  # bytes, so that a damaged line is set aside as it is
            try:
                record = Record.from_line(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)
                _check_place(record, *place)
                _check_repetition(record, records)
            except UnknownRecord as error:
                yield Entry(number, line, later=str(error))
            except ValueError as error:
                yield Entry(number, line, damage=one_line(error))
            else:
                if not _is_outranked(record, records):
                    records[record.spec.id] = record
                yield Entry(number, line, record)


def _check_place(record: Record, folder: str, name: str) -> None:
    """Check that a record lies in the file that its spec belongs to, or it would be read in some places only."""
    spec = record.spec
    wanted = place(spec.model, spec.file)
    # some file systems write accents as signs of their own
    if wanted != (folder, name) and [normalize("NFC", each) for each in wanted] != [
        normalize("NFC", each) for each in (folder, name)
    ]:
        raise ValueError(f"it is of {spec}, and belongs into {'/'.join(wanted)}")


@cache
def place(model: str, file: str) -> tuple[str, str]:
    """Return the names of the folder and of the file of records of a model and a task, or a kind of measurement."""
    return slug(model), f"{slug(file)}.jsonl"


def _check_repetition(record: Record, records: Mapping[str, Record]) -> None:
    """Check that a record agrees with an earlier one of the same spec, unless one of them failed.

    A second run of what failed is no contradiction, and neither is a line twice, as in files that were joined.
    """
    earlier = records.get(record.spec.id)
    if earlier is None or Status.FAILED in (earlier.status, record.status):
        return
    if earlier.outcome() != record.outcome():
        raise ValueError(f"{record.spec} has another record in an earlier line, with another outcome")


def _is_outranked(record: Record, records: Mapping[str, Record]) -> bool:
    """Return whether a record failed and there is one of the same spec that did not: the order does not count then."""
    return (
        record.status is Status.FAILED
        and record.spec.id in records
        and records[record.spec.id].status is not Status.FAILED
    )


def extend(path: Path, records: Iterable[Record]) -> None:
    """Add records to a file whose lock is held, all or none.

    Raises:
        InputError: the file cannot be read or written, or would be too large.
        ValueError: a record could not be read again.
    """
    lines = [record.line().encode() for record in records]
    for line in lines:
        Record.from_line(line)
    added = sum(len(line) + 1 for line in lines)
    with writing(path) as file:
        copy_lines(path, file, LARGEST_FILE - added)
        file.writelines(line + b"\n" for line in lines)


def copy_lines(path: Path, target: IO[bytes], most: int) -> None:
    """Copy the lines of a file, if it is there, the last with its end.

    Raises:
        InputError: it cannot be read, or has more bytes than ``most``.
    """
    if not is_there(path):
        return
    with opened(path, most) as file:
        content = file.read()
    target.write(content)  # out of there, as errors in it are told of as errors of reading
    if content and not content.endswith(b"\n"):
        target.write(b"\n")


def is_there(path: Path) -> bool:
    """Return whether there is anything of this name, be it a link that leads nowhere."""
    return os.path.lexists(path)
