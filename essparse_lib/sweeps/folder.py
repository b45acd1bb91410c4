"""The folder of a sweep: what it holds, and whether it belongs to the sweep that is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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


def check(out: str | Path, data: Sequence[object] = ()) -> Path:
    """Return the path of a folder that a sweep may write: a new or an empty one, or one in which a sweep was begun.

    Args:
        out: the folder.
        data: paths of the data, or ids. What is written into a folder of data would be read as data the next time.

    Raises:
        InputError: it cannot be written, holds something else, or lies in a folder of the data.
    """
    path = check_path("out", out)
    for each in data:
        place = check_path("data", each)
        if place.is_dir() and path.resolve().is_relative_to(place.resolve()):
            raise InputError(
                f"out {str(path)!r} lies in the folder of the data, {str(place)!r}: name one outside of it"
            )
    if not (path / MARK).is_file():
        check_new_folder(path)
    return path


def check_same(study: SweepStudy, out: Path) -> None:
    """Check that a sweep that was begun in a folder is this one.

    Raises:
        InputError: it is one of another model or of other weights of it, or of other data or settings.
    """
    if not (out / MARK).is_file():
        return
    try:
        before = msgspec.json.decode(read_bytes(out / MARK, _MOST_BYTES), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InputError(f"{out / MARK} is damaged: name a new folder") from error
    before, now = _flat(before), _flat(_plain(study))
    # what one of them lacks comes last: plain text has no training
    differing = [key for key in now if before.get(key) != now[key]] + [key for key in before if key not in now]
    if differing:
        key = differing[0]
        raise InputError(
            f"{out} holds another sweep, with {key} {shown(before.get(key))} in place of {shown(now.get(key))}: name "
            "a new folder, or ask for the same"
        )


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by their names, those within a value of several parts by their own.

    >>> _flat({"model": "bert", "training": {"epochs": 3}})
    {'model': 'bert', 'epochs': 3}
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat.update(value if isinstance(value, dict) else {name: value})
    return flat


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
    """Return what a sweep's trials have in common, as JSON has it, with the hash of the model's weights.

    A model's folder may hold other weights tomorrow, under the same name, or later in the same process.
    """
    from ..models import loading
    from ..models.model_files import hash_weights

    weights = hash_weights(loading.locate(study.model).folder)
    return json.loads(json.dumps({**asdict(study), "weights": weights[:16]}))
