"""The records in a folder: JSON lines, one file for each model and task, appended to and never changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .. import environment
from ..errors import InputError
from ..files import cache_folder, locked, writing
from ..specs.spec import Spec
from ..specs.study import Scale, Study, check_scale
from .lines import DamagedRecord as DamagedRecord
from .lines import copy_lines, extend, is_there, place, read_entries, read_records
from .lines import slug as slug
from .record import Record
from .schema import Status as Status  # beside Record and Store, for those who read records

#: Where a wheel holds the committed records (absent in a checkout).
_INSTALLED = Path(__file__).parents[1] / "_results"


class Merged(NamedTuple):
    """What a merge came to.

    Attributes:
        added: the number of records that were added.
        others: the number of those left out whose specs have a record here with another outcome.
    """

    added: int
    others: int


class Store:
    """The records under one folder.

    Every append replaces the file by a longer one in one step (a reader never sees half a line, a full disk
    loses nothing), under a lock that other processes respect.
    """

    def __init__(self, folder: Path, installed: Path | None = None) -> None:
        """Hold the records under ``folder``; those under ``installed`` are read as well, and never written."""
        self.folder, self.installed = folder, installed

    def records(self) -> dict[str, Record]:
        """Return every record by its spec's id; of several of one spec, the last that did not fail, or the last.

        Raises:
            DamagedRecord: a line is damaged (the message gives file and line).
            InputError: a line is a later version's (likewise), or a file cannot be read.
        """
        installed = Store(self.installed).records() if self.installed else {}
        return {**installed, **read_records(self.files())}

    def records_of(self, *specs: Spec) -> dict[str, Record]:
        """Return the records in the files that these specs belong to, by id; no other file is opened.

        Raises:
            DamagedRecord: a line is damaged (the message gives file and line).
            InputError: a line is a later version's (likewise), or a file cannot be read.
        """
        installed = Store(self.installed).records_of(*specs) if self.installed else {}
        one_of_each_file = {(spec.model, spec.file): spec for spec in specs}
        paths = sorted({self.path(spec) for spec in one_of_each_file.values()})
        return {**installed, **read_records(filter(is_there, paths))}

    def records_of_studies(self, *studies: Study) -> dict[str, Record]:
        """Return the records in the files that these studies' specs belong to, by id; no other file is opened.

        Raises:
            DamagedRecord: a line is damaged (the message gives file and line).
            InputError: a line is a later version's (likewise), or a file cannot be read.
        """
        return self.records_of(*(spec for study in studies for spec in study.specs()))

    def append(self, record: Record) -> None:
        """Add a record to its file.

        Raises:
            InputError: the disk is full or read-only, or the file is none or too large; nothing has changed then.
            ValueError: the record could not be read again; likewise.
        """
        path = self.path(record.spec)
        with locked(self._lock(path.name)):
            extend(path, [record])

    @contextmanager
    def claimed(self, spec: Spec) -> Iterator[bool]:
        """Claim a spec among all processes; yields False if another one is running it.

        The claim is a lock, so it ends with the process that holds it, however that ends.
        """
        with locked(self._lock(spec.id), wait=False) as obtained:
            yield obtained

    def check_writable(self) -> None:
        """Raise InputError now rather than after hours if records cannot be written here."""
        with writing(self._locks / "probe") as file:
            file.write(b"x")

    def mend(self) -> list[Path]:
        """Move damaged lines to ``<file>.damaged`` next to their file; return the files that had any.

        Raises:
            InputError: a file cannot be read or written.
        """
        mended = []
        for path in self.files():
            with locked(self._lock(path.name)):
                entries = list(read_entries(path))
                damaged = [entry.line for entry in entries if entry.damage]
                if not damaged:
                    continue
                aside = path.with_name(path.name + ".damaged")
                with writing(aside) as file:
                    copy_lines(aside, file, sys.maxsize)
                    file.writelines(line + b"\n" for line in damaged)
                with writing(path) as file:
                    file.writelines(entry.line + b"\n" for entry in entries if not entry.damage)
                mended.append(path)
        return mended

    def merge(self, records: Iterable[Record]) -> Merged:
        """Append those records whose specs have none here yet: to each file all of them, or none.

        Raises:
            DamagedRecord: a record here is damaged.
            InputError: a file cannot be read or written; what was added to other files before stays.
            ValueError: a record could not be read again.
        """
        known = self.records()
        by_file: dict[Path, list[Record]] = {}
        others = 0
        for record in records:
            if record.spec.id not in known:
                by_file.setdefault(self.path(record.spec), []).append(record)
            elif known[record.spec.id].outcome() != record.outcome():
                others += 1
        added = 0
        for path, candidates in by_file.items():
            with locked(self._lock(path.name)):
                # another process may have added some meanwhile
                present = read_records([path] if is_there(path) else [])
                new = {record.spec.id: record for record in reversed(candidates) if record.spec.id not in present}
                if new:
                    extend(path, list(reversed(new.values())))
                added += len(new)
        return Merged(added, others)

    def path(self, spec: Spec) -> Path:
        """Return the file that a spec's record belongs to: ``<model>/<task, or kind of measurement>.jsonl``."""
        return self.folder.joinpath(*place(spec.model, spec.file))

    def pretrained(self, model: str) -> Path:
        """Return the folder for the weights of a model that is trained here, next to its records."""
        return self.folder / slug(model) / "model"

    @property
    def _locks(self) -> Path:
        return self.folder / ".locks"

    def _lock(self, name: str) -> Path:
        return self._locks / f"{name}.lock"

    def files(self) -> list[Path]:
        """Return the files of records, sorted.

        Raises:
            InputError: a folder cannot be read, or a file of records lies outside the folders of models.
        """
        files = []
        for name in _names(self.folder) if is_there(self.folder) else ():
            path = self.folder / name
            if os.path.isdir(path):
                files += [path / each for each in _names(path) if each.endswith(".jsonl")]
            elif name.endswith(".jsonl"):
                raise InputError(f"{path} lies where no records are read: move it into the folder of its model")
        return sorted(files)


def results_folder(scale: str) -> Path:
    """Return the folder of a scale's records.

    ``$ESSPARSE_RESULTS/<scale>``, else ``results/<scale>`` of the checkout that this is called in or that the
    package lies in, else of the current folder. Records at tiny scale are for tests: they go into the cache.

    Raises:
        InputError: there is no such scale, or the variable names no folder.
    """
    scale = check_scale(scale)
    override = environment.folder("ESSPARSE_RESULTS")
    if override:
        return override / scale
    if scale == Scale.TINY:
        return cache_folder() / "results" / scale
    for folder in (Path.cwd(), *Path.cwd().parents, *Path(__file__).parents):
        if (folder / "results").is_dir() and (folder / "essparse_lib").is_dir():
            return folder / "results" / scale
    return Path.cwd() / "results" / scale


def results(scale: str) -> Store:
    """Return the store of a scale: the records in its folder, and those that an installed package brought."""
    return Store(results_folder(scale), None if environment.folder("ESSPARSE_RESULTS") else _INSTALLED / scale)


def existing(folder: Path, otherwise: str) -> Store:
    """Return the store in a folder that holds records, or raise InputError, whose line ends with ``otherwise``."""
    if not os.path.isdir(folder):
        raise InputError(f"{folder} is no folder: {otherwise}")
    store = Store(folder)
    if not store.files():
        raise InputError(f"{folder} holds no records: {otherwise}")
    return store


def _names(folder: Path) -> list[str]:
    """Return the names of what lies in a folder, but hidden files, which systems and editors leave there.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror or error}; mend or move it") from error
