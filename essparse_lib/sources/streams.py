"""Read archives' streams within limits: what comes out is counted, and names of members are checked.

Whatever an archive holds, it is read rightly or refused by an InputError that names the archive and the member.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from ..errors import InputError, one_line, shown

#: The most members that an archive may have; the largest here has 3,216.
_MOST_MEMBERS = 100_000
#: The longest name of a member and of its parts, in bytes, and the most parts: every file system takes these.
_MOST_NAME, _MOST_PART, _MOST_PARTS = 1024, 255, 32


@dataclass(kw_only=True)
class Reading:
    """The reading of one archive: what is open, for messages, and what may still come out.

    Attributes:
        path: path of the archive.
        unpacked: the most bytes that may be unpacked.
        member: name of the member that is read.
        members: number of members so far.
        bytes: number of bytes that came out so far.
    """

    path: Path
    unpacked: int
    member: str = ""
    members: int = 0
    bytes: int = 0

    def refusal(self, cause: str) -> InputError:
        """Return the error for an archive that is not read on."""
        member = f", member {shown(self.member)}," if self.member else ""
        return InputError(f"{self.path}{member} {cause}: delete the archive and run again to fetch it anew")

    @contextmanager
    def foreign(self) -> Iterator[None]:
        """Turn whatever the standard library raises over a damaged archive into the one error."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # zipfile, tarfile and the decompressors raise some twenty types, MemoryError too
            raise self.refusal(f"is a damaged archive ({one_line(error)})") from error

    def count(self, unpacked: int) -> None:
        """Count bytes that came out.

        Raises:
            InputError: they are more than the archive may unpack to.
        """
        self.bytes += unpacked
        if self.bytes > self.unpacked:
            raise self.refusal(f"unpacks to more than the {self.unpacked:,} bytes that this archive should hold")


class Names:
    """The names of an archive's members: each is checked when it is entered."""

    def __init__(self, reading: Reading) -> None:
        self._reading, self._within = reading, reading.member  # a member that is itself an archive, or none
        self._known: dict[str, tuple[str, bool]] = {}

    def enter(self, name: str, folder: bool) -> str:
        """Return the name of the next member in the form that paths have, after all checks of it.

        Raises:
            InputError: the name leaves the folder that it is unpacked into, fits no file system, or is one that another
                member has or differs from only in case or Unicode form; or there are too many members.
        """
        reading, path = self._reading, PurePosixPath(name)
        reading.member = f"{self._within}: {name}" if self._within else name
        reading.members += 1
        if reading.members > _MOST_MEMBERS:
            raise reading.refusal(f"is one of more than {_MOST_MEMBERS:,}: refused")
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
            raise reading.refusal("would leave its folder: refused")
        if not folder and (not path.parts or name.endswith("/")):
            raise reading.refusal("has no name: refused")
        if not name.isprintable():
            raise reading.refusal("has a name of characters that are no text: refused")
        sizes = [len(part.encode()) for part in path.parts]
        if len(name.encode()) > _MOST_NAME or len(sizes) > _MOST_PARTS or max(sizes, default=0) > _MOST_PART:
            raise reading.refusal("has a name that is too long: refused")
        for each in (path, *path.parents):
            entry = (str(each), folder or each != path)
            known = self._known.setdefault(unicodedata.normalize("NFC", entry[0]).casefold(), entry)
            if known is not entry and not (known == entry and entry[1]):  # folders alone may come again
                raise reading.refusal(f"has a name that some file systems take for that of {shown(known[0])}: refused")
        return str(path)


class Unpacked(io.RawIOBase):
    """What comes out of a decompressor: it is counted, and the decompressor's errors are turned into one."""

    def __init__(self, stream: IO[bytes], reading: Reading) -> None:
        self._stream, self._reading = stream, reading

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        with self._reading.foreign():
            data = self._stream.read(len(view))
        self._reading.count(len(data))
        view[: len(data)] = data
        return len(data)


class Part(io.RawIOBase):
    """The next bytes of a stream, so many as a header says."""

    def __init__(self, stream: IO[bytes], size: int, reading: Reading) -> None:
        self._stream, self.left, self._reading = stream, size, reading

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        wanted = min(len(view), self.left)
        data = self._stream.read(wanted) if wanted else b""
        if wanted and not data:
            raise self._reading.refusal(f"is a damaged archive: it ends {self.left:,} bytes too early")
        self.left -= len(data)
        view[: len(data)] = data
        return len(data)


class Refused(io.RawIOBase):
    """A member that cannot be read: who reads it is told why, and others pass it over."""

    def __init__(self, reading: Reading, cause: str) -> None:
        self._reading, self._cause = reading, cause

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise self._reading.refusal(self._cause)


def decompressed(file: IO[bytes], reading: Reading) -> IO[bytes]:
    """Return a stream of a file's bytes, decompressed as its first bytes say."""
    packed = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, file))
    with reading.foreign():
        start = packed.peek(8)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        raise reading.refusal("is compressed with zstd, which is not read here")
    stream: IO[bytes] = cast(IO[bytes], packed)
    if start.startswith(b"\x1f\x8b"):
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    elif start.startswith(b"\xfd7zXZ\0"):
        stream = cast(IO[bytes], lzma.LZMAFile(packed, format=lzma.FORMAT_XZ))  # noqa: SIM115 (it is read later)
    elif start.startswith(b"BZh"):
        stream = cast(IO[bytes], bz2.BZ2File(packed))
    return cast(IO[bytes], io.BufferedReader(Unpacked(stream, reading), 2**16))


def gunzipped(file: IO[bytes], reading: Reading) -> IO[bytes]:
    """Return a stream of what a gzip file holds, counted as part of the archive that it is a member of."""
    return cast(IO[bytes], Unpacked(cast(IO[bytes], gzip.GzipFile(fileobj=file)), reading))
