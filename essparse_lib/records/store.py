"""The records in a folder: JSON lines, one file for each model and task, appended to and never changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from itertools import compress
from pathlib import Path
from typing import Any

from ..errors import InputError, one_line
from ..files import cache_folder, locked, writing
from ..specs.measurement import Measurement
from ..specs.pretraining import ImagePretraining, TextPretraining
from ..specs.spec import Spec, digest, member
from ..specs.study import Scale, Study
from ..specs.trial import Trial

_SPECS: dict[str, type[Spec]] = {
    kind.record_kind: kind for kind in (Trial, Measurement, TextPretraining, ImagePretraining)
}


class Status(StrEnum):
    """How a spec ended: well, with a loss that became NaN or infinite, or with an error."""

    OK = "ok"
    DIVERGED = "diverged"
    FAILED = "failed"


#: The fields that a line has only where they are not empty.
_OPTIONAL = ("metrics", "predictions", "labels", "values", "reason", "provenance")

#: Where a wheel holds the committed records (absent in a checkout).
_INSTALLED = Path(__file__).parents[1] / "_results"


class UnknownRecord(Exception):
    """A line is whole, but its spec is one that this version does not know."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What came of a trial, a measurement or a pre-training.

    Attributes:
        spec: the trial, the measurement or the pre-training.
        status: a ``Status``, or its name, which is turned into one.
        metrics: scores in points from 0 to 100, losses, and the measured sparsity after training.
        predictions: the predicted class of every evaluation example, in the task's order, one character each (0–9,
            a–z): what intervals and further metrics are computed from. Where the metric is a mean (``metrics.MEANS``),
            each example's share in two characters.
        labels: the true classes, likewise; empty where the metric is a mean.
        reason: why, unless ``ok``.
        provenance: code revision, package versions, device, seconds, peak memory, hashes of data and weights.
        values: what was measured, as plain data.

    Raises:
        InputError: there is no such status.
    """

    spec: Spec
    status: str
    metrics: dict[str, float] = field(default_factory=dict)
    predictions: str = ""
    labels: str = ""
    reason: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", member(Status, "status", self.status))

    def line(self) -> str:
        """Return the record as one line of JSON."""
        spec = self.spec
        plain = {"id": spec.id, spec.record_kind: spec.canonical(), "status": str(self.status)}
        for name in _OPTIONAL:
            if getattr(self, name):
                plain[name] = getattr(self, name)
        return json.dumps(plain, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Return the record whose ``line()`` this is.

        Raises:
            UnknownRecord: a later version wrote it, of a kind or with settings that are not known here.
            ValueError: the line is damaged (no JSON, fields missing, or an id that is not the spec's).
        """
        try:
            plain = json.loads(line.decode() if isinstance(line, bytes) else line)
            name = plain.pop("id")
            kind = next(key for key in plain if key not in ("status", *_OPTIONAL))
            record = cls(spec=_spec(kind, plain.pop(kind), name), **plain)
        except (AttributeError, KeyError, RecursionError, StopIteration, TypeError, ValueError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        if record.spec.id != name:
            raise ValueError(f"its id is {name}, its trial's is {record.spec.id}")
        return record


def _spec(kind: str, plain: Any, name: str) -> Spec:
    """Return the spec of a record with this id, from the spec's kind and its canonical form."""
    try:
        return _SPECS[kind].from_canonical(plain)
    except (KeyError, TypeError, ValueError) as error:
        if digest(plain) == name:  # as it was written
            raise UnknownRecord(f"{kind}: {one_line(error)}") from error
        raise


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
            InputError: a line is damaged, or a later version's (the message gives file and line).
        """
        installed = Store(self.installed).records() if self.installed else {}
        return {**installed, **_read(self._files())}

    def records_of(self, *specs: Spec) -> dict[str, Record]:
        """Return the records in the files that these specs belong to, by id; no other file is opened.

        Raises:
            InputError: a line is damaged, or a later version's (the message gives file and line).
        """
        installed = Store(self.installed).records_of(*specs) if self.installed else {}
        one_of_each_file = {(spec.model, spec.file): spec for spec in specs}
        paths = sorted({self.path(spec) for spec in one_of_each_file.values()})
        return {**installed, **_read(path for path in paths if path.exists())}

    def records_of_studies(self, *studies: Study) -> dict[str, Record]:
        """Return the records in the files that these studies' specs belong to, by id; no other file is opened.

        Raises:
            InputError: a line is damaged, or a later version's (the message gives file and line).
        """
        return self.records_of(*(spec for study in studies for spec in study.specs()))

    def append(self, record: Record) -> None:
        """Add a record to its file.

        Raises:
            InputError: the disk is full or read-only; nothing has changed then.
        """
        path = self.path(record.spec)
        with locked(self._lock(path.name)):
            earlier = path.read_bytes() if path.exists() else b""
            if earlier and not earlier.endswith(b"\n"):
                earlier += b"\n"
            with writing(path) as file:
                # half a surrogate pair, as in the name of a damaged file, is no UTF-8: JSON has an escape for it
                file.write(earlier + record.line().encode(errors="backslashreplace") + b"\n")

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
                earlier = aside.read_bytes() if aside.exists() else b""
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
    """
    override = os.environ.get("ESSPARSE_RESULTS")
    if override:
        return Path(override).expanduser() / scale
    if scale == Scale.TINY:
        return cache_folder() / "results" / scale
    for folder in (Path.cwd(), *Path.cwd().parents, *Path(__file__).parents):
        if (folder / "results").is_dir() and (folder / "essparse_lib").is_dir():
            return folder / "results" / scale
    return Path.cwd() / "results" / scale


def results(scale: str) -> Store:
    """Return the store of a scale: the records in its folder, and those that an installed package brought."""
    return Store(results_folder(scale), None if "ESSPARSE_RESULTS" in os.environ else _INSTALLED / scale)


def _read(paths: Iterable[Path]) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for path in paths:
        for number, line in enumerate(_lines(path), start=1):
            try:
                record = Record.from_line(line)
            except ValueError as error:
                raise InputError(
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
    text = path.read_bytes().removesuffix(b"\n")
    return text.split(b"\n") if text else []


def _joined(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _is_damaged(line: bytes) -> bool:
    try:
        Record.from_line(line)
    except ValueError:
        return True
    except UnknownRecord:
        return False
    return False
