"""Check the JSON files of a model before a library reads them: their size, depth and numbers, and what needs code."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from ..sources.foreign import parse_json, read_bytes

#: The most bytes of a file of settings: the largest list tens of thousands of classes.
_LARGEST_FILE = 32 * 2**20
#: The most levels of lists and objects within each other: real ones have about five.
_DEEPEST = 50
#: The largest whole number that is a count, and the largest sum of those in one list: lists and modules of so many
#: entries are made of it. No model has so many layers, heads, experts or classes.
_LARGEST_COUNT = 2**16
#: Names of whole numbers that count no parts of a model: sizes of one weight, lengths of inputs, ids of tokens,
#: constants, and what was done in training.
_NO_COUNTS = re.compile(
    r"vocab|word|position|length|window|context|ctx|seq|theta|base|token|_ids?$|seed|param|flos|steps|factor|scal|size"
)
#: Names of counts and sizes, which are never negative; layers may be numbered from the end, and ids be none by -1.
_NEVER_NEGATIVE = re.compile(r"^(num|n)_|_(heads|size|dim)$|(encoder|decoder)_layers$")
#: Those of them that are "no limit" or "all" by -1.
_ANY = re.compile(r"images|chunk|window")
#: Tables whose whole numbers are those of classes.
_CLASSES = ("label2id", "id2label")
#: Keys that name code, or weights that are not those of the folder's usual files.
_CODE = re.compile(r"^_?(attn|experts)_implementation$|^kernel_config$|^use_kernels$|^fusion_config$")


def read_settings(path: Path, most: int = _LARGEST_FILE) -> dict[str, Any]:
    """Return the object in one of a model's JSON files.

    Args:
        path: the file.
        most: the largest size that is read, in bytes.

    Raises:
        InputError: it is no regular file, cannot be read, is no JSON object in UTF-8, or is larger or nested deeper
            than those of any model.
    """
    data = read_bytes(path, most)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:3] == b"\xef\xbb\xbf" or b"\0" in data[:4]:
        raise InputError(f"{path} is not in plain UTF-8, as other programs write it: save it as that")
    settings = parse_json(data, path, dict)
    level: list[Any] = [settings]
    for _ in range(_DEEPEST):
        level = [entry for value in level for entry in _entries(value)]
        if not level:
            return settings
    raise InputError(f"{path} is nested more than {_DEEPEST} deep, as no model's is: fetch it anew")


def _entries(value: Any) -> Iterator[Any]:
    """Yield the lists and objects in a list or an object."""
    entries = value.values() if isinstance(value, dict) else value
    yield from (entry for entry in entries if isinstance(entry, (dict, list)))


def check_configuration(folder: Path) -> dict[str, Any]:
    """Check a model's ``config.json`` and ``generation_config.json`` before a library reads them.

    Args:
        folder: folder of the model's files.

    Returns:
        The object in ``config.json``.

    Raises:
        InputError: a file cannot be read; a number is none, or larger than in any model, so that lists or layers
            without end would be made of it; or code is named that does not come with transformers.
    """
    path = folder / "config.json"
    config = read_settings(path)
    for key, value in _numbers_and_texts(config):
        if isinstance(value, str):
            if _CODE.search(key) and "/" in value:
                raise InputError(f"{path} needs code ({key} {shown(value)}), which is never run: remove {key}")
        elif not _is_possible(key, value):
            raise InputError(f"{path} has {key} {shown(value)}, as no model has: fetch it anew")
    if config.get("transformers_weights") is not None:
        raise InputError(f"{path} names another file of weights (transformers_weights): remove this entry")
    if (folder / "generation_config.json").exists():
        read_settings(folder / "generation_config.json")
    return config


def _numbers_and_texts(settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each number and text with its key, and of each list the sum of its whole numbers."""
    rest: list[tuple[str, Any]] = list(settings.items())
    while rest:
        key, value = rest.pop()
        if isinstance(value, dict):
            rest += () if key in _CLASSES else value.items()
        elif isinstance(value, list):
            rest += ((key, entry) for entry in value)
            yield key, sum(abs(entry) for entry in value if isinstance(entry, int))
        elif isinstance(value, (int, float, str)):
            yield key, value


def _is_possible(key: str, number: float) -> bool:
    if isinstance(number, float):
        return not math.isnan(number)  # infinity is a bound of some
    if number < 0 and _NEVER_NEGATIVE.search(key):
        return number == -1 and bool(_ANY.search(key))
    return abs(number) <= (2**63 - 1 if _NO_COUNTS.search(key) else _LARGEST_COUNT)


def find_entry(settings: dict[str, Any], key: str) -> Any:
    """Return the first value, other than null, of a key at any depth of a model's settings; None if there is none."""
    rest: list[Any] = [settings]
    while rest:
        value = rest.pop(0)
        if isinstance(value, dict) and value.get(key) is not None:
            return value[key]
        rest += _entries(value)
    return None
