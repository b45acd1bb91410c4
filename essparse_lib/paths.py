"""Paths that people give: turned into a ``Path`` in one place, or refused in one line."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import InputError, nearest, one_line, shown

#: Bytes that a name may have on the file systems in use; a whole path is held against the system's own limit.
_LONGEST_NAME = 255


def check_path(what: str, value: object) -> Path:
    """Return a path that somebody gave, with ``~`` replaced by the home folder; it need not exist.

    Args:
        what: what the path is of, for the message.
        value: a text or a path.

    Raises:
        InputError: it is no path, empty, of a home that does not exist, or nothing can have this name.

    >>> check_path("out", "")
    Traceback (most recent call last):
    essparse_lib.errors.InputError: out '' is not allowed: give a path
    """
    text = value if isinstance(value, str) else os.fspath(value) if isinstance(value, os.PathLike) else None
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise InputError(f"{what} {shown(value)} is not allowed: give a path")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{what} {shown(text)} is not allowed: its name is no UTF-8, so rename it") from None
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise InputError(f"{what} {shown(text)} is not allowed: there is no such home folder") from error
    if any(len(part.encode()) > _LONGEST_NAME for part in path.parts):
        raise InputError(f"{what} {shown(text)} is not allowed: names have at most {_LONGEST_NAME} bytes")
    _mode(what, path)
    return path


def check_file(what: str, value: object, of: str = "") -> Path:
    """Return the path of a file that can be read, as ``check_path`` does.

    Args:
        what: what the path is of, for the message.
        value: a text or a path.
        of: what the file should hold, for the message.

    Raises:
        InputError: it is no path, there is no such file, or it cannot be read.
    """
    path = check_path(what, value)
    if not stat.S_ISREG(_mode(what, path)):  # a pipe or a device would be waited for
        raise InputError(f"{path} is no file: give one{f' of {of}' if of else ''}")
    try:
        path.open("rb").close()
    except OSError as error:
        raise _refused(what, path, error) from error
    return path


def check_folder(what: str, value: object, of: str = "") -> Path:
    """Return the path of a folder that can be read, as ``check_path`` does.

    Args:
        what: what the path is of, for the message.
        value: a text or a path.
        of: what the folder should hold, for the message.

    Raises:
        InputError: it is no path, there is no such folder, or it cannot be read.
    """
    path = check_path(what, value)
    if not stat.S_ISDIR(_mode(what, path)):
        raise InputError(f"{path} is no folder: give one{f' of {of}' if of else ''}")
    try:
        os.scandir(path).close()
    except OSError as error:
        raise _refused(what, path, error) from error
    return path


def is_folder(name: str) -> bool:
    """Return whether there is a folder of this name, whatever the name is."""
    return os.path.isdir(os.path.expanduser(name))


def is_path(name: str) -> bool:
    """Return whether a name is that of a folder rather than an id of the hub, by how it is written.

    It begins as paths do, has more parts than an id, or begins with a folder that exists.

    >>> is_path("./my-model"), is_path("a/b/c"), is_path("google/vit-base"), is_path("bert")
    (True, True, False, False)
    """
    parts = name.partition("@")[0].replace("\\", "/").split("/")  # an id may name a revision, which may have parts
    return name.startswith((".", "~", "/", "\\")) or len(parts) > 2 or (len(parts) == 2 and is_folder(parts[0]))


def missing_folder(name: str) -> InputError:
    """Return the error for the path of a folder that is not there, with the nearest names beside it.

    Args:
        name: the path.

    >>> str(missing_folder("./essparse-nowhere"))
    "no such folder: './essparse-nowhere'"
    """
    try:
        path = check_path("folder", name)
    except InputError as error:
        return error
    above = path.parent
    while not above.is_dir() and above != above.parent:
        path, above = above, above.parent
    try:
        beside = [entry.name for entry in above.iterdir() if entry.is_dir()]
    except OSError:  # it must not be read
        beside = []
    near = [str(above / each) for each in nearest(path.name, beside)]
    return InputError(f"no such folder: {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")


def _mode(what: str, path: Path) -> int:
    """Return the type of what is at a path, as ``stat`` has it; 0 where there is nothing."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0
    except OSError as error:  # a loop of links, a file where a folder should be, a folder that must not be entered
        raise _refused(what, path, error) from error


def _refused(what: str, path: Path, error: OSError) -> InputError:
    return InputError(f"{what} {shown(str(path))} cannot be read: {error.strerror or one_line(error)}; give another")
