"""The SHA-256 of every file of a pack, in the format of ``sha256sum``, and the check of a pack against them."""

from __future__ import annotations

import os
import re
from importlib.machinery import all_suffixes
from pathlib import Path, PurePosixPath

from ..errors import InputError, shown
from ..files import sha256, sums_text, writing
from ..sources.foreign import read_text

#: The file in a pack with the hashes of all others.
SUMS = "SHA256SUMS"
#: The parts of a pack that are on Python's path.
PACKAGE, LIBRARIES = "package", "libraries"
#: The most bytes of that file: a hundred thousand lines or so.
_MOST_BYTES = 16 * 2**20
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write_sums(pack: Path) -> None:
    """Write the hashes of all files in a folder into its file ``SHA256SUMS``, which is not there yet."""
    sums = sums_text(pack)
    with writing(pack / SUMS) as file:
        file.write(sums.encode())


def check_sums(pack: Path) -> int:
    """Check that a pack has all its files as they were packed, and that no code was added to them.

    What a run adds does not matter: files of the cache, and what Python compiles (``__pycache__``).

    Args:
        pack: the folder.

    Returns:
        The number of files.

    Raises:
        InputError: the folder is no pack, or a file is missing, changed, cannot be read or is code that was added; the
            message names it.
    """
    path = pack / SUMS
    if not path.is_file():
        raise InputError(f"{pack} is no pack (it has no file {SUMS}): name the folder that essparse pack wrote")
    lines = read_text(path, _MOST_BYTES).splitlines()
    names = set()
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None or not _is_within(match[2]):
            raise InputError(f"{path}, line {number}, is damaged ({shown(line, 80)}): copy the pack anew")
        _check_file(pack / match[2], match[1])
        names.add(match[2])
    if not lines:
        raise InputError(f"{path} is empty: copy the pack anew")
    if added := sorted(_code(pack) - names):
        raise InputError(f"{pack / added[0]} was not packed, and Python would run it: delete it, or copy the pack anew")
    return len(lines)


def _code(pack: Path) -> set[str]:
    """Return the names of the files of a pack that Python imports, besides those that it compiles itself."""
    paths = (path for part in (PACKAGE, LIBRARIES) for path in (pack / part).rglob("*"))
    code = (path for path in paths if path.name.endswith(tuple(all_suffixes())) and path.parent.name != "__pycache__")
    return {path.relative_to(pack).as_posix() for path in code}


def _is_within(name: str) -> bool:
    """Return whether a path names a file below the folder that it is relative to."""
    parts = PurePosixPath(name)
    return not parts.is_absolute() and ".." not in parts.parts and "\0" not in name


def _check_file(path: Path, digest: str) -> None:
    remedy = "copy it anew from where it was packed"
    if not os.path.lexists(path):
        raise InputError(f"{path} is missing: {remedy}")
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path} is no file any more: {remedy}")
    try:
        computed = sha256(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): {remedy}, or let it be read") from error
    if computed != digest:
        raise InputError(f"{path} is damaged (its sha256 is {computed}, and was {digest}): {remedy}")
