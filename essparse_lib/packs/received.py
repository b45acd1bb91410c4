"""Records that were made elsewhere, checked before they are added: brought back from a node, or in a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import figures
from ..errors import InputError, shown
from ..files import sha256
from ..records.documents import opened
from ..records.lines import LARGEST_FILE
from ..records.store import Record, Store
from ..specs.scale import Scale
from ..wording import listing

#: The most revisions of the code that are named.
_MOST_NAMED = 3
#: What the provenance of a record must say for others to trust it, or to run it again.
_PROVENANCE = ("code", "device", "finished", "seconds", "versions")


@dataclass(frozen=True)
class Received:
    """Records of one scale that were checked.

    Attributes:
        scale: the scale.
        records: the number of all of them.
        added: those that another folder lacks; all, where there is no other.
    """

    scale: str
    records: int
    added: list[Record]

    @property
    def text(self) -> str:
        """What was checked, in one line."""
        if not self.added:
            return f"{self.scale}: {self.records:,} records, none is new"
        codes, devices = (
            sorted({str(record.provenance.get(name, "unknown")) for record in self.added})
            for name in ("code", "device")
        )
        code = f"code {listing(codes)}" if len(codes) <= _MOST_NAMED else f"{len(codes)} revisions of the code"
        new = f"{len(self.added):,} of them new, made by {code} on {listing(devices)}"
        return f"{self.scale}: {self.records:,} records, {new}"


def check_known(records: Mapping[str, Record], scale: str, folder: Path) -> None:
    """Check that every record is of a spec that a study of this version has.

    Args:
        records: by the id of their spec.
        scale: their scale.
        folder: where they lie, for the message.

    Raises:
        InputError: some are of no study; the message says how many, and names one.
    """
    known = figures.specs(scale)
    strangers = [record.spec for name, record in records.items() if name not in known]
    if strangers:
        raise InputError(
            f"{folder}: {len(strangers):,} of {len(records):,} records are of no study at {scale} scale, such as "
            f"{strangers[0]}: make them with this version of essparse, or leave them out"
        )


def check_records(folder: Path, against: Path | None = None) -> list[Received]:
    """Check a folder of records as a pull request brings them, with a folder for each scale in it.

    Each line must be whole (schema, checksum, metrics that follow from predictions), and of a spec that is known.

    Args:
        folder: the folder.
        against: the folder as it was before. Then nothing may have been taken out or changed, and nothing added but
            records that say how they were made.

    Returns:
        What was checked, by scale.

    Raises:
        DamagedRecord: a record is damaged; the message gives file and line.
        InputError: a spec is not known, or a file was added, changed or taken out that may not be.
    """
    if against is not None:
        _check_files(folder, against)
    received = []
    for scale in (Scale.LAB, Scale.PAPER):
        if not (folder / scale).is_dir():
            continue
        records = Store(folder / scale).records()
        check_known(records, scale, folder / scale)
        earlier = Store(against / scale).records() if against is not None else {}
        added = [record for name, record in records.items() if name not in earlier]
        if against is not None:
            _check_provenance(added, folder / scale)
        received.append(Received(scale, len(records), added))
    if not received:
        raise InputError(f"{folder} holds no records: name a folder such as results, with lab or paper in it")
    return received


def _check_provenance(records: Iterable[Record], folder: Path) -> None:
    for record in records:
        lacking = [name for name in _PROVENANCE if not record.provenance.get(name)]
        if lacking:
            raise InputError(f"{folder}: the record of {record.spec} does not say its {listing(lacking)}: run it anew")


def _check_files(folder: Path, against: Path) -> None:
    """Check that nothing but lines of records was added to a folder, and nothing taken out or changed."""
    if folder.is_symlink():
        raise InputError(f"{folder} is a link, and would take the place of the records: give the folder itself")
    names, earlier = _names(folder), _names(against)
    if gone := sorted(earlier - names):
        raise InputError(f"{folder / gone[0]} was taken out: records are only ever added to, so put it back")
    for name in sorted(names):
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise InputError(f"{path} is a link or a device: give the file itself")
        if _is_of_records(name):
            if name in earlier:
                _check_lines(path, against / name)
        elif name not in earlier:
            raise InputError(f"{path} is no file of records (SCALE/MODEL/TASK.jsonl): leave it out")
        elif sha256(path) != sha256(against / name):
            raise InputError(f"{path} was changed, and is no file of records: restore it")


def _check_lines(path: Path, earlier: Path) -> None:
    """Check that a file has all lines that it had."""
    now, before = Counter(_lines(path)), Counter(_lines(earlier))
    if lost := list((before - now).elements()):
        raise InputError(
            f"{path} lacks {len(lost):,} of {before.total():,} lines that it had, such as {shown(lost[0][:40])}: "
            "records are only ever added to, so restore them"
        )


def _lines(path: Path) -> list[bytes]:
    with opened(path, LARGEST_FILE) as file:
        return file.read().splitlines()


def _names(folder: Path) -> set[str]:
    """Return the names of all in a folder that is no folder, relative to it."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: name one with the records of each scale in it, such as results")
    paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return {path.relative_to(folder).as_posix() for path in paths}


def _is_of_records(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 3 and parts[0] in (Scale.LAB, Scale.PAPER) and name.endswith(".jsonl")
