"""Records and where they are kept: one JSON object a line, one file a model and task, appended and never changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import InputError, one_line
from ..files import cache_folder, locked, writing
from ..specs.measurement import Measurement
from ..specs.pretraining import ImagePretraining, TextPretraining
from ..specs.spec import Spec, digest
from ..specs.trial import Trial

_KINDS: dict[str, type[Spec]] = {
    kind.record_kind: kind for kind in (Trial, Measurement, TextPretraining, ImagePretraining)
}

Status = Literal["ok", "diverged", "failed"]

#: What a line has of a record where it is not empty.
_OPTIONAL = ("metrics", "predictions", "labels", "values", "reason", "provenance")

#: Where a wheel holds the committed records (absent in a checkout).
_INSTALLED = Path(__file__).parents[1] / "_results"


class UnknownRecord(Exception):
    """A line is whole, but of something that this version does not know."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What came of a trial, a measurement or a pre-training.

    Attributes:
        spec: what was tried, measured or trained.
        status: ``ok``, ``diverged`` (the loss became NaN or infinite) or ``failed``.
        metrics: scores in points from 0 to 100, losses, and the measured sparsity after training.
        predictions: the class of every evaluation example as predicted, in the task's order, one character each (0–9,
            a–z): what intervals and further metrics are computed from. Where the metric is a mean (``metrics.MEANS``),
            each example's share in two characters.
        labels: the true classes, likewise; empty where the metric is a mean.
        reason: why, unless ``ok``.
        provenance: code revision, package versions, device, seconds, peak memory, hashes of data and weights.
        values: what was measured, as plain data.
    """

    spec: Spec
    status: Status
    metrics: dict[str, float] = field(default_factory=dict)
    predictions: str = ""
    labels: str = ""
    reason: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """The record as one line of JSON."""
        plain = {
            "id": self.spec.id,
            self.spec.record_kind: self.spec.canonical(),
            "status": self.status,
        }
        for name in _OPTIONAL:
            if getattr(self, name):
                plain[name] = getattr(self, name)
        return json.dumps(plain, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Read ``line()`` back.

        Raises:
            UnknownRecord: a later version wrote it, of a kind or with settings that are not known here.
            ValueError: the line is damaged (no JSON, fields missing, or an id that is not the trial's).
        """
        try:
            plain = json.loads(line.decode() if isinstance(line, bytes) else line)
            name, kind = plain.pop("id"), next(key for key in plain if key not in ("status", *_OPTIONAL))
            record = cls(spec=_trial(kind, plain.pop(kind), name), **plain)
        except (AttributeError, KeyError, StopIteration, TypeError, ValueError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        if record.spec.id != name:
            raise ValueError(f"its id is {name}, its trial's is {record.spec.id}")
        if record.status not in ("ok", "diverged", "failed"):
            raise ValueError(f"unknown status {record.status!r}")
        return record


def _trial(kind: str, plain: Any, name: str) -> Spec:
    """What a record with this id is of."""
    try:
        return _KINDS[kind].from_canonical(plain)
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
        """Records under ``folder``; those under ``installed`` are read as well, and never written."""
        self.folder = folder
        self.installed = installed

    def records(self) -> dict[str, Record]:
        """Every record by its trial's id; of several of one trial, the last.

        Raises:
            InputError: a line is damaged, or a later version's (the message gives file and line).
        """
        before = Store(self.installed).records() if self.installed else {}
        return {**before, **self._read(self._files())}

    def records_of(self, trial: Spec) -> dict[str, Record]:
        """As ``records()``, of the one file that may hold this trial's."""
        before = Store(self.installed).records_of(trial) if self.installed else {}
        path = self.path(trial)
        return {**before, **self._read([path] if path.exists() else [])}

    @staticmethod
    def _read(paths: Iterable[Path]) -> dict[str, Record]:
        found: dict[str, Record] = {}
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
                found[record.spec.id] = record
        return found

    def append(self, record: Record) -> None:
        """Add a record.

        Raises:
            InputError: the disk is full or read-only; nothing has changed then.
        """
        path = self.path(record.spec)
        with locked(self._lock(path.name)):
            before = path.read_bytes() if path.exists() else b""
            if before and not before.endswith(b"\n"):
                before += b"\n"
            with writing(path) as file:
                # half a surrogate pair, as in the name of a damaged file, is no UTF-8: JSON has an escape for it
                file.write(before + record.line().encode(errors="backslashreplace") + b"\n")

    @contextmanager
    def claimed(self, trial: Spec) -> Iterator[bool]:
        """Claim a trial among all processes; yields False if another one is running it.

        The claim is a lock, so it ends with the process that holds it, however that ends.
        """
        with locked(self._lock(trial.id), wait=False) as mine:
            yield mine

    def check_writable(self) -> None:
        """Raise InputError now rather than after hours if records cannot be written here."""
        with writing(self._locks / "probe") as file:
            file.write(b"x")

    def mend(self) -> list[Path]:
        """Move damaged lines to ``<file>.damaged`` beside their file; returns the files that had any."""
        mended = []
        for path in self._files():
            with locked(self._lock(path.name)):
                good, bad = _sort_lines(_lines(path))
                if bad:
                    aside = path.with_name(path.name + ".damaged")
                    earlier = aside.read_bytes() if aside.exists() else b""
                    with writing(aside) as file:
                        file.write(earlier + b"".join(line + b"\n" for line in bad))
                    with writing(path) as file:
                        file.write(b"".join(line + b"\n" for line in good))
                    mended.append(path)
        return mended

    def merge(self, records: Iterable[Record]) -> int:
        """Append those records whose trials have none here yet; returns how many."""
        known = self.records()
        added = 0
        for record in records:
            if record.spec.id not in known:
                self.append(record)
                known[record.spec.id] = record
                added += 1
        return added

    def path(self, trial: Spec) -> Path:
        """The file that a record belongs to: ``<model>/<task, or kind of measurement>.jsonl``."""
        return self.folder / slug(trial.model) / f"{slug(trial.file)}.jsonl"

    def pretrained(self, model: str) -> Path:
        """The folder that the weights of a model that is trained here belong to, beside its records."""
        return self.folder / slug(model) / "model"

    @property
    def _locks(self) -> Path:
        return self.folder / ".locks"

    def _lock(self, name: str) -> Path:
        return self._locks / f"{name}.lock"

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*/*.jsonl"))


def slug(name: str) -> str:
    """A model's or task's name as a file name: ``owner/name`` becomes ``owner--name``."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name.replace("/", "--")).strip(".-") or "_"


def results_folder(scale: str) -> Path:
    """Where a scale's records are kept.

    ``$ESSPARSE_RESULTS/<scale>``, else ``results/<scale>`` of the checkout that this is called in or that the
    package lies in, else of the current folder. Records at tiny scale are for tests: they go into the cache.
    """
    override = os.environ.get("ESSPARSE_RESULTS")
    if override:
        return Path(override).expanduser() / scale
    if scale == "tiny":
        return cache_folder() / "results" / scale
    places = [*(Path.cwd() / "x").parents, *Path(__file__).parents]
    checkout = next((p for p in places if (p / "results").is_dir() and (p / "essparse_lib").is_dir()), Path.cwd())
    return checkout / "results" / scale


def results(scale: str) -> Store:
    """A scale's records: those in its folder, and those that an installed package brought."""
    return Store(results_folder(scale), None if "ESSPARSE_RESULTS" in os.environ else _INSTALLED / scale)


def _lines(path: Path) -> list[bytes]:
    # bytes, so that a damaged line is set aside as it is
    text = path.read_bytes().removesuffix(b"\n")
    return text.split(b"\n") if text else []


def _sort_lines(lines: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
    good: list[bytes] = []
    bad: list[bytes] = []
    for line in lines:
        try:
            Record.from_line(line)
        except ValueError:
            bad.append(line)
        except UnknownRecord:
            good.append(line)
        else:
            good.append(line)
    return good, bad
