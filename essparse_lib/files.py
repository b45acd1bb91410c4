"""Files: the cache folder, hashes, locks, and writing a file or a folder whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from filelock import FileLock

from . import environment
from .errors import InputError, one_line
from .temporaries import make_folder, temporary_file, temporary_folder

#: The file in a folder that ``writing_folder`` may replace: the SHA-256 of all files that it made, by their paths.
MADE = ".essparse-made"
#: What systems leave in a folder that somebody looks at.
_OF_SYSTEMS = (".DS_Store", "Thumbs.db", "desktop.ini")
_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
_ERROR_NUMBER = re.compile(r"(?:\(os error |\[Errno )(\d+)")


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


def sha256_once(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as ``sha256`` does, which are read once per process unless they change."""
    status = path.stat()
    return _sha256_of(path, status.st_mtime_ns, status.st_size, status.st_ino)


@cache
def _sha256_of(path: Path, *_: int) -> str:
    return sha256(path)


def sha256_of_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 over the SHA-256 of several files, in order; hexadecimal."""
    return hashlib.sha256("".join(map(sha256, paths)).encode()).hexdigest()


def sums_text(folder: Path) -> str:
    """Return the SHA-256 of all files in a folder and below, a line each, in the format of ``sha256sum``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)


def disk_refuses(error: BaseException) -> bool:
    """Return whether an error says that the disk is full or may not be written, rather than anything else.

    Some say so in their text alone: those of safetensors and tokenizers, and of copying a whole folder.
    """
    return _number(error) in _REFUSALS


def _number(error: BaseException) -> int | None:
    """Return the system's number of an error; None for an error that is not the system's."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    number = _ERROR_NUMBER.search(str(error))
    return int(number[1]) if number else None


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write ``path`` (full disk, read-only folder) into one clear line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and not disk_refuses(error):
            raise
        number = _number(error)
        reason = one_line(error) if number is None else os.strerror(number)
        raise InputError(f"cannot write {path}: {reason}; free some space or choose another folder") from error


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file next to ``path``; on success it is synced and takes the name, else it is removed.

    A link is written through, and stays a link.

    Raises:
        InputError: the disk is full, the folder cannot be written, or something other than a file has the name.
    """
    with writable(path):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            raise InputError(f"cannot write {path}: it is there already, and no file; choose another name")
        make_folder(target.parent)
        with temporary_file(target.parent) as (temporary, file):
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == "nt":
                file.close()  # Windows renames no open file
            temporary.replace(target)


@contextmanager
def writing_folder(folder: Path, replaces: bool = False) -> Iterator[Path]:
    """Make a temporary folder next to ``folder``; on success it is shared and takes the name, else it is removed.

    Args:
        folder: the folder to write; nothing may have its name, or an empty folder.
        replaces: let it also replace a folder that an earlier call made with ``replaces``, unless a file in it was
            changed or added since.

    Raises:
        InputError: as ``check_new_folder``, also where something took the name meanwhile; or the disk is full.
    """
    with writable(folder), _whole(folder, replaces) as made:
        yield made


def check_new_folder(folder: Path, replaces: bool = False) -> None:
    """Check that ``writing_folder`` may write a folder, before the work whose result goes into it.

    Args:
        folder: the folder to write.
        replaces: as for ``writing_folder``.

    Raises:
        InputError: it cannot be written; or it is a link, a file, not empty, a mount point, or the current folder.
    """
    with writable(folder):
        try:
            mode = os.lstat(folder).st_mode
        except FileNotFoundError:
            above = next(parent for parent in folder.absolute().parents if os.path.lexists(parent))
            if not os.access(above, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
            return
        if stat.S_ISLNK(mode):
            raise InputError(f"{folder} is a link: name the folder itself, or a new one")
        if not stat.S_ISDIR(mode):
            raise InputError(f"{folder} is there already and no folder: name a new folder")
        if folder.resolve() in (Path.cwd(), *Path.cwd().parents):
            raise InputError(f"{str(folder)!r} is the current folder, or one above it: name a new folder")
        if os.path.ismount(folder):
            raise InputError(f"{folder} is a mount point: name a new folder in it")
        if any(folder.iterdir()):
            if not replaces:
                raise InputError(f"{folder} is there already and not empty: name a new folder")
            _check_made(folder)


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the exclusive lock named ``path``; the system releases it if the process is killed.

    All who may write its folder may hold it. Yields whether the lock was obtained: always, unless ``wait`` is False and
    another process holds it.

    Raises:
        InputError: the lock file cannot be made.
    """
    with writable(path):
        make_folder(path.parent)
        lock = FileLock(path, mode=0o600 | 0o666 & path.parent.stat().st_mode)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except TimeoutError:
            pass
    try:
        yield lock.is_locked
    finally:
        lock.release()


def allow_many_locks() -> None:
    """Let this process hold as many locks as the system allows it: each is an open file, and 1,024 are usual at first.

    Systems without such limits are left alone.
    """
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
                with _whole(folder) as made:
                    make(made)
            except Exception as error:
                if isinstance(error, InputError) or not disk_refuses(error):  # it may be about a file that is read
                    raise
                with writable(folder):
                    raise
    return folder


@contextmanager
def _whole(folder: Path, replaces: bool = False) -> Iterator[Path]:
    """Do what ``writing_folder`` does; errors of the body pass through."""
    check_new_folder(folder, replaces)
    with ExitStack() as stack:
        with writable(folder):
            make_folder(folder.parent)
            temporary = stack.enter_context(temporary_folder(folder.parent))
            made = temporary / "made"
            made.mkdir()
        yield made
        with writable(folder):
            if replaces:
                files = {path.relative_to(made).as_posix(): sha256(path) for path in _files(made)}
                (made / MADE).write_text(json.dumps(files, indent=0, sort_keys=True), encoding="utf-8")
            _share(made, temporary.with_suffix(".tmp").stat().st_mode & 0o777)
            check_new_folder(folder, replaces)  # something may have taken the name meanwhile
            _take_name(made, folder, temporary / "before" if replaces else None)


def _take_name(made: Path, folder: Path, aside: Path | None) -> None:
    """Rename a folder that is whole, after an earlier one of the name was moved aside; None: if that is empty."""
    with suppress(FileNotFoundError):
        folder.rmdir() if aside is None else folder.rename(aside)
    try:
        made.rename(folder)
    except OSError:
        if aside is not None:
            with suppress(OSError):
                aside.rename(folder)
        raise


def _check_made(folder: Path) -> None:
    """Check that a folder holds only what ``writing_folder`` made, as it made it."""
    try:
        made = dict(json.loads((folder / MADE).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        raise InputError(f"{folder} was not made by this version of essparse: move it away, or delete it") from None
    for path in _files(folder):
        if path == folder / MADE or path.name in _OF_SYSTEMS:
            continue
        plain = path.is_file() and not path.is_symlink()
        if not plain or made.get(path.relative_to(folder).as_posix()) != sha256(path):
            raise InputError(f"{path} was added or changed since {folder} was made: move it away")


def _files(folder: Path) -> list[Path]:
    """Return all in a folder that is no folder."""
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def _share(folder: Path, mode: int) -> None:
    """Give all files in a folder a mode, and the folders the same: safetensors makes files for their owner alone."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o7000 | mode | (mode & 0o444) >> 2)
        elif path.is_file() and not path.is_symlink():
            path.chmod(mode)
