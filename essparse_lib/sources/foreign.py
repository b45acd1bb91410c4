"""Read files that others made: regular files alone, no larger than is stated, each fault in one line with its file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..errors import InputError, one_line, shown

_Value = TypeVar("_Value")

#: What the values of a type are called in messages.
_WORDS = {str: "a text", int: "a whole number", float: "a number", list: "a list", dict: "an object", bool: "a boolean"}
_MEGABYTE = 2**20


@contextmanager
def reading(name: object, hint: str = "fetch it anew") -> Iterator[None]:
    """Turn whatever a foreign library raises while it reads into one InputError; wrap the library's call alone.

    Args:
        name: what is read, such as the file's path.
        hint: what to do, for the message.

    >>> with reading("a.json"):
    ...     json.loads("[")
    Traceback (most recent call last):
    essparse_lib.errors.InputError: a.json cannot be read (Expecting value: line 1 column 2 (char 1)): fetch it anew
    """
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        # Rust's errors are no Exception; Ctrl-C and the end of the program are none either, and pass
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{name} cannot be read ({_reason(error)}): {hint}") from error


def _reason(error: BaseException) -> str:
    """Return what went wrong; the type's name says more than the text where that is a key or a number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = one_line(error)
    return text if " " in text else f"{type(error).__name__}: {text}"


def regular_file(path: Path) -> Path:
    """Return a path after the check that a library may open it: a pipe would wait for ever, a device never ends.

    Raises:
        InputError: there is no such file, or it is a folder, a pipe, a socket or a device.
    """
    with reading(path, "name another file"):
        mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise InputError(f"{path} cannot be read (it is {kind}): name a file")
    return Path(path)


def read_bytes(path: Path, most: int) -> bytes:
    """Return a file's bytes.

    Args:
        path: the file.
        most: the largest size that is read, in bytes.

    Raises:
        InputError: it is no regular file, cannot be read, or is larger.
    """
    with reading(path, "name another file"), regular_file(path).open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(f"{path} is larger than {most // _MEGABYTE} MB, the most that is read: shorten it")
    return data


def read_text(path: Path, most: int) -> str:
    """Return a file's text, which must be in UTF-8; a mark of the byte order at its beginning is left out.

    Args:
        path: the file.
        most: the largest size that is read, in bytes.

    Raises:
        InputError: it is no regular file, cannot be read, is larger, or holds something other than text in UTF-8.
    """
    return decode(read_bytes(path, most), path).replace("\r\n", "\n").replace("\r", "\n")


def decode(data: bytes, name: object) -> str:
    """Return bytes as the text that they are in UTF-8; a mark of the byte order at their beginning is left out.

    Args:
        data: the bytes.
        name: what they were read from, for messages.

    Raises:
        InputError: they are something other than text in UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # the error counts from after the mark
        reason = f"it has no character that begins with 0x{error.object[error.start]:02x}"
        raise InputError(f"{name} is no text in UTF-8 ({reason}): convert it") from error
    if "\0" in text:
        raise InputError(f"{name} is no text in UTF-8 (it has characters NUL): convert it")
    return text


def parse_json(
    data: bytes, name: object, kind: type[_Value], pairs: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> _Value:
    """Return the value in a JSON text.

    Args:
        data: the text's bytes.
        name: what it was read from, for messages.
        kind: the type that the value must have: ``dict`` or ``list``.
        pairs: makes each object of its keys and values; None for a dictionary, where the last of equal keys stays.

    Raises:
        InputError: it is no JSON, or another value.
    """
    with reading(name):
        content = json.loads(data, object_pairs_hook=pairs)
    if not isinstance(content, kind):
        raise InputError(f"{name} cannot be read (it holds no {_WORDS[kind].split()[1]}): fetch it anew")
    return content


def entry(of: Any, key: str, kind: type[_Value], name: object) -> _Value:
    """Return the value that a JSON object has for a key.

    Args:
        of: the object.
        key: the key.
        kind: the type that the value must have; a boolean is no number, and a text must have a form in UTF-8.
        name: what the object was read from, for messages.

    Raises:
        InputError: it is no object, lacks the key, or has another kind of value for it.

    >>> entry({"answer_start": "5"}, "answer_start", int, "squad.json")
    Traceback (most recent call last):
    essparse_lib.errors.InputError: squad.json has '5' for 'answer_start', which must be a whole number: fetch it anew
    """
    if not isinstance(of, dict) or key not in of:
        raise InputError(f"{name} has {shown(of)} where an object with {key!r} must be: fetch it anew")
    value = of[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool) or _is_no_text(value):
        text = ascii(value) if isinstance(value, str) else shown(value)
        raise InputError(f"{name} has {text[:80]} for {key!r}, which must be {_WORDS[kind]}: fetch it anew")
    return value


def _is_no_text(value: object) -> bool:
    """Return whether a value is a string with half a pair of UTF-16's, which JSON can write and UTF-8 cannot."""
    return isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value if letter > "\ud7ff")
