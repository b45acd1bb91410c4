"""The records in a folder: JSON lines, one file for each model and task, appended to and never changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import compress
from pathlib import Path

from .. import environment
from ..errors import InputError
from ..files import cache_folder, locked, writing
from ..specs.spec import Spec
from ..specs.study import Scale, Study, check_scale
from .record import Record, UnknownRecord
from .record import Status as Status  # beside Record and Store, for those who read records

#: Where a wheel holds the committed records (absent in a checkout).
_INSTALLED = Path(__file__).parents[1] / "_results"


class DamagedRecord(InputError):
    """A line of a record's file is damaged; the message names file and line."""


class Store:
    """The records under one folder.

    Every append replaces the file by a longer one in one step (a reader never sees half a line, a full disk
    loses nothing), under a lock that other processes respect.
    """

    def __init__(self, folder: Path, installed: Path | None = None) -> None:
        """Hold the records under ``folder``; those under ``installed`` are read as well, and never written."""
        self.folder, self.installed = folder, installed

    def records(self) -> dict[str, Record]:
        """Return every record by its spec's id; of several of one spec, the last.

        Raises:
            DamagedRecord: a line is damaged (the message gives file and line).
            InputError: a line is a later version's (likewise), or a file cannot be read.
        """
        installed = Store(self.installed).records() if self.installed else {}
        return {**installed, **_read(self._files())}

    def records_of(self, *specs: Spec) -> dict[str, Record]:
        """Return the records in the files that these specs belong to, by id; no other file is opened.

        Raises:
            DamagedRecord: a line is damaged (the message gives file and line).
            InputError: a line is a later version's (likewise), or a file cannot be read.
        """
        installed = Store(self.installed).records_of(*specs) if self.installed else {}
        one_of_each_file = {(spec.model, spec.file): spec for spec in specs}
        paths = sorted({self.path(spec) for spec in one_of_each_file.values()})
        return {**installed, **_read(path for path in paths if path.exists())}

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
            InputError: the disk is full or read-only; nothing has changed then.
            ValueError: as ``Record.line``.
        """
        path = self.path(record.spec)
        with locked(self._lock(path.name)):
            earlier = _bytes(path) if path.exists() else b""
            if earlier and not earlier.endswith(b"\n"):
                earlier += b"\n"
            with writing(path) as file:
                file.write(earlier + record.line().encode() + b"\n")

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
        """Move damaged lines to ``<file>.damaged`` next to their file; return the files that had any."""
        mended = []
        for path in self._files():
            with locked(self._lock(path.name)):
                lines = _lines(path)
                damaged = [_is_damaged(line) for line in lines]
                if not any(damaged):
                    continue
                aside = path.with_name(path.name + ".damaged")
                earlier = _bytes(aside) if aside.exists() else b""
                with writing(aside) as file:
                    file.write(earlier + _joined(compress(lines, damaged)))
                with writing(path) as file:
                    file.write(_joined(line for line, bad in zip(lines, damaged, strict=True) if not bad))
                mended.append(path)
        return mended

    def merge(self, records: Iterable[Record]) -> int:
        """Append those records whose specs have none here yet; return how many."""
        known = set(self.records())
        added = 0
        for record in records:
            if record.spec.id not in known:
                self.append(record)
                known.add(record.spec.id)
                added += 1
        return added

    def path(self, spec: Spec) -> Path:
        """Return the file that a spec's record belongs to: ``<model>/<task, or kind of measurement>.jsonl``."""
        return self.folder / slug(spec.model) / f"{slug(spec.file)}.jsonl"

    def pretrained(self, model: str) -> Path:
        """Return the folder for the weights of a model that is trained here, next to its records."""
        return self.folder / slug(model) / "model"

    @property
    def _locks(self) -> Path:
        return self.folder / ".locks"

    def _lock(self, name: str) -> Path:
        return self._locks / f"{name}.lock"

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*/*.jsonl"))


@cache
def slug(name: str) -> str:
    """Return a model's or task's name as a file name: ``owner/name`` becomes ``owner--name``."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name.replace("/", "--")).strip(".-") or "_"


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


def _read(paths: Iterable[Path]) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for path in paths:
        for number, line in enumerate(_lines(path), start=1):
            try:
                record = Record.from_line(line)
            except ValueError as error:
                raise DamagedRecord(
                    f"{path}, line {number}: damaged record ({error}); `essparse mend {path.parents[1]}` "
                    f"sets it aside in {path.name}.damaged, after which its trial can be run again"
                ) from error
            except UnknownRecord as error:
                raise InputError(
                    f"{path}, line {number}: a record that this version cannot read ({error}): a later one "
                    "wrote it, update essparse"
                ) from error
            records[record.spec.id] = record
    return records


def _lines(path: Path) -> list[bytes]:
    # bytes, so that a damaged line is set aside as it is
    text = _bytes(path).removesuffix(b"\n")
    return text.split(b"\n") if text else []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:  # no permission, or a folder of that name
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _joined(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _is_damaged(line: bytes) -> bool:
    try:
        Record.from_line(line)
    except UnknownRecord:
        pass
    except ValueError:
        return True
    return False
