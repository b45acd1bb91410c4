"""Read the members of zip files, tar files and Debian packages as streams, one after the other, within limits.

Nothing is unpacked whole, no member leaves its folder, and no more comes out than may.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from ..errors import shown
from .streams import Names, Part, Reading, Refused, Unpacked, decompressed

#: The most bytes of a zip's list of members, and of a header in a tar file that gives the next member's name.
_MOST_LISTING, _MOST_HEADER = 4 * 2**20, 8192
#: Bytes of a block of a tar file.
_BLOCK = 512
#: Types of a tar file's headers that say something of the next member.
_NAMING = (
    *(tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
#: Types of a tar file's members that have no content, whatever their size.
_WITHOUT_CONTENT = (
    *(tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE),
    *(tarfile.FIFOTYPE, tarfile.DIRTYPE),
)


@contextmanager
def members(reading: Reading) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """Open an archive; for every member that is no folder there is its checked name and, until the next one, its bytes.

    The file's ending says what it is: ``.whl`` or ``.zip``, ``.deb``, or else a tar file, compressed or not.

    Args:
        reading: the archive, and how much may come out.

    Raises:
        InputError: the archive cannot be opened, is damaged, holds more than it may, or a member's name is refused. A
            member that is encrypted, a link or compressed in a way that is not read here is refused when it is read.
    """
    zipped = reading.path.suffix in (".whl", ".zip")
    try:
        file = _Listed(io.FileIO(reading.path)) if zipped else reading.path.open("rb")
    except OSError as error:
        raise reading.refusal(f"cannot be read ({error.strerror})") from error
    with file:
        if zipped:
            yield _zip_members(file, reading)
        elif reading.path.suffix == ".deb":
            yield tar_members(_debian_data(file, reading), reading)
        else:
            yield tar_members(file, reading)


class _Listed(io.BufferedReader):
    """A zip file, which is read in one piece where its members are listed: a listing that is too large is refused."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MOST_LISTING:
            raise zipfile.BadZipFile(f"a list of members of {size:,} bytes")
        return super().read(size)


def _zip_members(file: IO[bytes], reading: Reading) -> Iterator[tuple[str, IO[bytes]]]:
    with reading.foreign():
        archive = zipfile.ZipFile(file)
    names = Names(reading)
    for info in archive.infolist():
        folder = info.orig_filename.endswith("/")
        name = names.enter(info.orig_filename, folder)  # the other name is cut at a zero byte
        if not folder:
            yield name, _zip_member(archive, info, reading)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, reading: Reading) -> IO[bytes]:
    if info.flag_bits & 1:
        return cast(IO[bytes], Refused(reading, "is encrypted"))
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return cast(IO[bytes], Refused(reading, f"has compression {info.compress_type}, which is not read here"))
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        return cast(IO[bytes], Refused(reading, "is a link or a device, no file"))
    with reading.foreign():
        return cast(IO[bytes], Unpacked(archive.open(info), reading))


def tar_members(file: IO[bytes], reading: Reading) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield every member of a tar file that is no folder: its checked name and, until the next one, its bytes.

    ``tarfile`` itself is used for the headers alone. In some releases of Python it never returns from a negative size
    or a sparse map that is cut, and in all it takes a damaged header for the archive's end.

    Args:
        file: the tar file, compressed or not, which may be a member of another archive.
        reading: the archive, and how much may come out.

    Raises:
        InputError: as for ``members``.
    """
    names = Names(reading)
    stream = decompressed(file, reading)
    extended: dict[str, str] = {}
    while True:
        with reading.foreign():
            header = _exactly(stream, _BLOCK, reading)
            if not header.strip(b"\0"):
                return
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
            size = int(extended.get("size", info.size))
            if size < 0 or (info.type in _NAMING and size > _MOST_HEADER):
                raise tarfile.ReadError(f"a size of {size}")
        content = Part(stream, size if info.type not in _WITHOUT_CONTENT else 0, reading)
        if info.type in _NAMING:
            with reading.foreign():
                data = _exactly(cast(IO[bytes], content), size, reading)
                extended |= _extended(info.type, data)
        else:
            name = names.enter(extended.get("path", info.name), info.isdir())
            if info.isdir():
                pass
            elif info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE) or "sparse" in extended:
                yield name, cast(IO[bytes], Refused(reading, "is a link, a device or a sparse file, no plain one"))
            else:
                yield name, cast(IO[bytes], content)
            extended = {}
        for left in range(content.left + -size % _BLOCK * (info.type not in _WITHOUT_CONTENT), 0, -(2**16)):
            _exactly(stream, min(left, 2**16), reading)


def _extended(kind: bytes, data: bytes) -> dict[str, str]:
    """Return what a header says of the next member: its ``path`` and ``size``, and whether it is ``sparse``."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
    extended = {}
    while data and kind in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):  # records "<length> <key>=<value>\n"
        digits = data.partition(b" ")[0]
        record, data = data[: int(digits)], data[int(digits) :]
        key, equals, value = record[len(digits) + 1 : -1].decode("utf-8", "surrogateescape").partition("=")
        if not equals or not record.endswith(b"\n") or int(digits) != len(record):
            raise tarfile.ReadError(f"a record {shown(record)}")
        extended["sparse" if key.startswith("GNU.sparse") else key] = value
    return extended


def _exactly(stream: IO[bytes], size: int, reading: Reading) -> bytes:
    """Return the next bytes of a stream, so many and no fewer."""
    data = stream.read(size)
    if len(data) < size:
        raise reading.refusal("is a damaged archive: it ends too early")
    return data


def _debian_data(file: IO[bytes], reading: Reading) -> IO[bytes]:
    """Return the member ``data.tar.*`` of a Debian package, which is an ``ar`` file of three members (deb(5))."""
    with reading.foreign():
        if file.read(8) != b"!<arch>\n":
            raise tarfile.ReadError("not an ar file")
        while header := file.read(60):
            name, size, end = header[:16].strip(), header[48:58].strip(), header[58:]
            if end != b"`\n" or not re.fullmatch(rb"[0-9]+", size):
                raise tarfile.ReadError("not an ar header")
            if name.startswith(b"data.tar"):
                return cast(IO[bytes], Part(file, int(size), reading))
            file.seek(int(size) + int(size) % 2, io.SEEK_CUR)  # members start at even offsets
        raise tarfile.ReadError("no data.tar")
