"""The folder of a sweep: what it holds, and whether it belongs to the sweep that is asked for."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from ..errors import InputError, shown
from ..files import check_new_folder, writing
from ..paths import check_path
from ..records.store import Store
from ..sources.foreign import read_bytes
from .study import SweepStudy

#: The file that marks the folder of a sweep and says what its trials have in common.
MARK = "sweep.json"
#: The folder of the records, and that of a saved model.
RECORDS, MODEL = "records", "model"
_MOST_BYTES = 2**20


def check(out: str | Path) -> Path:
    """Return the path of a folder that a sweep may write: a new or an empty one, or one in which a sweep was begun.

    Raises:
        InputError: it cannot be written, or holds something else.
    """
    path = check_path("out", out)
    if not (path / MARK).is_file():
        check_new_folder(path)
    return path


def check_same(study: SweepStudy, out: Path) -> None:
    """Check that a sweep that was begun in a folder is this one.

    Raises:
        InputError: it is one of another model, or of other data or settings.
    """
    if not (out / MARK).is_file():
        return
    try:
        before = msgspec.json.decode(read_bytes(out / MARK, _MOST_BYTES), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InputError(f"{out / MARK} is damaged: name a new folder") from error
    now = _plain(study)
    if differing := [key for key in now if before.get(key) != now[key]]:
        key = differing[0]
        raise InputError(
            f"{out} holds a sweep with another {key}, {shown(before.get(key))} in place of {shown(now[key])}: name a "
            "new folder, or ask for the same"
        )


def begin(study: SweepStudy, out: Path) -> Store:
    """Mark a folder as that of a sweep, and return the store of its records.

    Raises:
        InputError: the folder cannot be written.
    """
    if not (out / MARK).is_file():
        with writing(out / MARK) as file:
            file.write(json.dumps(_plain(study), indent=1).encode() + b"\n")
    return Store(out / RECORDS)


def _plain(study: SweepStudy) -> dict[str, Any]:
    """Return what a sweep's trials have in common, as JSON has it."""
    return json.loads(json.dumps(asdict(study)))
