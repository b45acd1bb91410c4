"""Keep folders of the cache with the SHA-256 of their files, so that what was damaged since is made anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ..files import built, locked, sha256_once, sums_text, writable, writing
from ..temporaries import temporary_folder
from .gathering import lent


def sealed(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder, filled by ``make`` if it does not exist, or if a file in it is no longer what was written.

    While a cache is gathered, the folder is copied where the other cache has it intact.

    The hashes lie beside the folder, in the format of ``sha256sum``. Each file is hashed once per process and time of
    its modification. A folder without hashes was made by an earlier version, and is made anew. Files that were added
    later do not matter.

    Args:
        folder: the folder.
        make: a function that fills a folder.

    Raises:
        InputError: the folder cannot be written; whatever else ``make`` raises.
    """

    def make_and_seal(target: Path) -> None:
        known = lent(folder)
        if known and _is_intact(known):
            shutil.copytree(known, target, dirs_exist_ok=True)
        else:
            make(target)
        sums = sums_text(target)
        with writing(_sums(folder)) as file:  # before the folder has its name: one without hashes is of no use
            file.write(sums.encode())

    if folder.is_dir() and not _is_intact(folder):
        with locked(folder.parent / f".{folder.name}.seal.lock"):
            if folder.is_dir() and not _is_intact(folder):  # another process may have made it anew meanwhile
                _remove(folder)
    return built(folder, make_and_seal)


def _sums(folder: Path) -> Path:
    """Return the file with the hashes of a folder's files."""
    return folder.parent / f".{folder.name}.sha256"


def _is_intact(folder: Path) -> bool:
    """Return whether a folder has all its files as they were written."""
    try:
        lines = _sums(folder).read_bytes().decode().splitlines()
        for line in lines:
            digest, name = line.split("  ", 1)
            if sha256_once(folder / name) != digest:
                return False
    except (OSError, ValueError):  # a file is gone or cannot be read, or this is no list of hashes
        return False
    return bool(lines)


def _remove(folder: Path) -> None:
    """Take a damaged folder away, at once: no other process sees a part of it."""
    with writable(folder), temporary_folder(folder.parent) as temporary:
        folder.rename(temporary / "damaged")
