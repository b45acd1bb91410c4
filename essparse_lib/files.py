"""Files: the cache folder, hashes, locks, and writing a file or a folder whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock

from . import environment
from .errors import InputError


def cache_folder() -> Path:
    """Return the cache folder: ``$ESSPARSE_CACHE``, else the platform's (``~/.cache/essparse`` on Linux)."""
    override = environment.folder("ESSPARSE_CACHE")
    if override:
        return override
    import platformdirs  # not on every compute node, where the variable is set

    return Path(platformdirs.user_cache_dir("essparse"))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 over the SHA-256 of several files, in order; hexadecimal."""
    return hashlib.sha256("".join(map(sha256, paths)).encode()).hexdigest()


def disk_refuses(error: BaseException) -> bool:
    """Return whether an error says that the disk is full or may not be written, rather than anything else."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write ``path`` (full disk, read-only folder) into one clear line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot write {path}: {reason}; free some space or choose another folder") from error


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file next to ``path``; on success it is synced and takes the name, else it is removed.

    Raises:
        InputError: the disk is full, or the folder cannot be written.
    """
    temporary: Path | None = None
    try:
        with writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
            ) as file:
                temporary = Path(file.name)
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)  # a temporary file is private; what it becomes is not
            temporary.replace(path)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def share(folder: Path) -> None:
    """Let everybody read the files in a folder: safetensors makes some that their owner alone may read."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o644)


@contextmanager
def writing_folder(folder: Path) -> Iterator[Path]:
    """Make a temporary folder next to ``folder``; on success all may read it and it takes the name, else it is removed.

    A folder of that name must be empty by then, or gone.

    Raises:
        InputError: the disk is full, or the folder cannot be written.
    """
    with writable(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _made_whole(folder) as made:
            yield made


@contextmanager
def _made_whole(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        yield made
        share(made)
        made.replace(folder)


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the exclusive lock named ``path``; the system releases it if the process is killed.

    Yields whether the lock was obtained: always, unless ``wait`` is False and another process holds it.

    Raises:
        InputError: the lock file cannot be made.
    """
    lock = FileLock(path)
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except TimeoutError:
            pass
    try:
        yield lock.is_locked
    finally:
        lock.release()


def built(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder, filled by ``make`` if it does not exist: all of it or nothing, and by one process alone.

    Raises:
        InputError: the folder cannot be written; whatever else ``make`` raises.
    """
    if folder.is_dir():
        return folder
    with locked(folder.parent / f".{folder.name}.lock"):
        if not folder.is_dir():  # another process may have made it meanwhile
            try:
                with _made_whole(folder) as made:
                    make(made)
            except OSError as error:
                if not disk_refuses(error):  # the error may be about a file that is read
                    raise
                with writable(folder):
                    raise
    return folder
