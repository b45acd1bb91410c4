"""What environment variables say, checked: an error names the variable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError, check_whole, number_of_text, shown, whole_of_text
from .paths import check_folder, check_path

#: Variables that name a folder, which need not exist: those of this package, where empty is unset, and of others.
_OWN_FOLDERS = ("ESSPARSE_CACHE", "ESSPARSE_RESULTS")
_FOLDERS = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_XET_CACHE", "XDG_CACHE_HOME")
#: Variables of others that are whole numbers, and the least that each may be.
_COUNTS = {"WORLD_SIZE": 1, "RANK": 0, "LOCAL_RANK": 0, "HF_HUB_DOWNLOAD_TIMEOUT": 1, "HF_HUB_ETAG_TIMEOUT": 1}
#: The longest revision that a record holds.
_LONGEST_REVISION = 100


def check() -> None:
    """Check all variables that the package, or what it builds on, reads.

    Raises:
        InputError: one of them says what it cannot mean.
    """
    for name in _OWN_FOLDERS:
        folder(name)
    for name in _FOLDERS:
        if name in os.environ:
            _folder(name, os.environ[name])
    for name, least in _COUNTS.items():
        count(name, least)
    mirrors()
    threads()
    gigabytes("ESSPARSE_DENSE_GB", 0.0)
    revision()


def folder(name: str) -> Path | None:
    """Return the folder that a variable names, which need not exist; None if the variable is unset or empty.

    Raises:
        InputError: it is no path, or of something else than a folder.
    """
    value = os.environ.get(name)
    return _folder(name, value) if value else None


@contextmanager
def cache_at(folder: Path) -> Iterator[None]:
    """Let ``ESSPARSE_CACHE`` name a folder within the block."""
    usual = os.environ.get("ESSPARSE_CACHE")
    os.environ["ESSPARSE_CACHE"] = str(folder)
    try:
        yield
    finally:
        if usual is None:
            del os.environ["ESSPARSE_CACHE"]
        else:
            os.environ["ESSPARSE_CACHE"] = usual


def mirrors() -> list[Path]:
    """Return the folders that ``ESSPARSE_MIRROR`` names, several with ``:`` between them; none if it is unset.

    Raises:
        InputError: one of them is no folder.
    """
    name = "ESSPARSE_MIRROR"
    paths = [check_path(name, each) for each in os.environ.get(name, "").split(os.pathsep) if each]
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{name} names {path}, which is no folder: correct it or unset it")
        check_folder(name, path)
    return paths


def count(name: str, least: int = 1) -> int:
    """Return the whole number that a variable says; the least one if it is unset.

    Args:
        name: the variable.
        least: the smallest number that is allowed.

    Raises:
        InputError: it is no whole number, or out of this range.
    """
    value = os.environ.get(name)
    if value is None:
        return least
    number = whole_of_text(value)
    return check_whole(name, value if number is None else number, least)


def processes() -> int:
    """Return how many processes an ``accelerate launch`` (or ``torchrun``) has started to work together; else 1."""
    return count("WORLD_SIZE")


def threads() -> int | None:
    """Return how many threads ``OMP_NUM_THREADS`` allows at the outermost level; None if it is unset or empty.

    Raises:
        InputError: it is no whole number from 1, nor several of them with commas between them.
    """
    value = os.environ.get("OMP_NUM_THREADS")
    if not value:
        return None
    numbers = [whole_of_text(part.strip()) for part in value.split(",")]
    if not all(numbers):
        raise InputError(f"OMP_NUM_THREADS {shown(value)} is not allowed: give a whole number from 1, or unset it")
    return numbers[0]


def gigabytes(name: str, default: float) -> float:
    """Return the gigabytes that a variable says; the default if it is unset or empty.

    Args:
        name: the variable.
        default: gigabytes.

    Raises:
        InputError: it is no number of 0 or more.
    """
    value = os.environ.get(name)
    number = number_of_text(value) if value else default
    if not 0 <= number < 1e9:
        raise InputError(f"{name} {shown(value)} is not allowed: give gigabytes, or 0 to keep none")
    return number


def revision() -> str | None:
    """Return the revision of the code that ``ESSPARSE_REVISION`` says; None if it is unset or empty.

    Raises:
        InputError: it is no short word that can be printed.
    """
    value = os.environ.get("ESSPARSE_REVISION")
    if value and not (value.isascii() and value.isprintable() and len(value) <= _LONGEST_REVISION):
        raise InputError(f"ESSPARSE_REVISION {shown(value)} is not allowed: give a commit, or unset it")
    return value or None


def _folder(name: str, value: str) -> Path:
    path = check_path(name, value)
    if path.exists() and not path.is_dir():
        raise InputError(f"{name} names {path}, which is no folder: correct it or unset it")
    return path
