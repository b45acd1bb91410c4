"""Temporary files and folders next to what they become; what a killed process leaves is cleared by the next one.

Each has a name of its own, ``.essparse-tmp-…``. Its writer holds a lock on it, so that what a killed process left
is told from what a living one writes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: How the names of files and folders begin that have another name once they are whole.
TEMPORARY = ".essparse-tmp-"
#: Seconds after which what another machine left is taken for abandoned: a lock may not be seen from one to the other.
_ABANDONED = 86_400


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, if they are missing.

    In a folder that its group shares (set-group-ID, and writable by the group) the group may write them too, whatever
    the umask.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():  # another process may have made it meanwhile
            raise
    else:
        _share_with_group(folder)


@contextmanager
def temporary_file(folder: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Open a new file in a folder, locked until it is closed; it is removed then, unless it has been renamed."""
    _clear(folder)
    path, file = _new_locked_file(folder)
    try:
        with file:
            _share_with_group(path)
            yield path, file
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Make a folder for this user alone in ``parent``; it is removed in the end, or by the next run after a kill."""
    with temporary_file(parent) as (lock, _):
        folder = lock.with_suffix("")
        folder.mkdir(0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _new_locked_file(folder: Path) -> tuple[Path, IO[bytes]]:
    while True:
        path = folder / f"{TEMPORARY}{_machine()}-{secrets.token_hex(4)}.tmp"
        file = path.open("xb")  # its mode is as the umask, or the folder's access list, says
        try:
            _lock(file)
        except BlockingIOError:  # another process takes it for abandoned, between these two lines
            file.close()
            continue
        except OSError:  # a file system without locks: others cannot lock it either
            return path, file
        if os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()


def _lock(file: IO[bytes]) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _machine() -> str:
    """Return a short name of this machine, whatever its own has in it."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _clear(folder: Path) -> None:
    """Remove what killed processes left in a folder: what nobody holds locked any more, or what is old."""
    for path in folder.glob(f"{TEMPORARY}*.tmp"):
        with suppress(OSError):  # it is locked, or another user's
            status = path.lstat()
            here = fcntl is not None and path.name.startswith(f"{TEMPORARY}{_machine()}-")
            if not stat.S_ISREG(status.st_mode) or not (here or time.time() - status.st_mtime > _ABANDONED):
                continue
            with path.open("r+b") as file:
                _lock(file)
                if (unfinished := path.with_suffix("")).exists():
                    shutil.rmtree(unfinished)
                if fcntl is None:
                    file.close()  # Windows removes no open file
                path.unlink()


def _share_with_group(path: Path) -> None:
    """Let the group write a new file or folder, if it is in a folder that the group shares."""
    parent, mode = path.parent.stat().st_mode, path.stat().st_mode
    if parent & stat.S_ISGID and parent & stat.S_IWGRP:
        path.chmod(mode | (0o070 if stat.S_ISDIR(mode) else 0o060))
