"""Archives that are damaged, hostile, or something else than their name says."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from essparse_lib.files import sha256
from essparse_lib.sources import archives as sources
from essparse_lib.sources.archives import Archive

from .attempt import Attempt, Work

_WHEEL, _SDIST, _DEB = "pkg-1.0-py3-none-any.whl", "pkg-1.0.tar.gz", "pkg_1.0_all.deb"
#: Bytes that an archive of these attempts may hold unpacked.
_LIMIT = 10_000_000


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _tar(
    members: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda _: None, mode: str = "w"
) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            change(info)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def _targz(members: dict[str, bytes]) -> bytes:
    return gzip.compress(_tar(members))


def _ar(*members: tuple[str, bytes, str | None]) -> bytes:
    """Return a Debian package of members, each with its name, content and size; None for the true one."""
    parts = [b"!<arch>\n"]
    for name, content, size in members:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content) if size is None else size:<10}`\n"
        parts += [header.encode(), content, b"\n" * (len(content) % 2)]
    return b"".join(parts)


def _deb(data: bytes, name: str = "data.tar.xz", size: str | None = None) -> bytes:
    return _ar(("debian-binary", b"2.0\n", None), ("control.tar.xz", b"", None), (name, data, size))


_MEMBERS = {"pkg/a.txt": b"alpha" * 100, "pkg/b.txt": b"beta" * 100}
_GOOD_ZIP, _GOOD_TAR = _zip(_MEMBERS), _tar(_MEMBERS)


def _zip_flags(flag: int, method: int | None = None) -> bytes:
    """Return a zip file whose first member has a flag, or an unknown compression, in both of its headers."""
    data = bytearray(_GOOD_ZIP)
    for signature, flag_at, method_at in ((b"PK\x03\x04", 6, 8), (b"PK\x01\x02", 8, 10)):
        start = data.index(signature)
        struct.pack_into("<H", data, start + flag_at, flag)
        if method is not None:
            struct.pack_into("<H", data, start + method_at, method)
    return bytes(data)


def _zip_spoilt() -> bytes:
    """Return a zip file with other bytes in a member's compressed stream."""
    data = bytearray(_GOOD_ZIP)
    start = data.index(b"PK\x03\x04") + 30 + len("pkg/a.txt")
    data[start : start + 6] = b"\xff" * 6
    return bytes(data)


def _zip_lying() -> bytes:
    """Return a zip file whose member says that it is small, and unpacks to 100 MB."""
    data = bytearray(_zip({"pkg/a.txt": bytes(100_000_000)}))
    for signature, size_at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + size_at, 10)
    return bytes(data)


def _bomb(write: Callable[[bytes], bytes], total: int = 1_000_000_000) -> bytes:
    """Return a compressed stream of zeros."""
    return b"".join(write(bytes(10_000_000)) for _ in range(total // 10_000_000))


def _gzip_bomb() -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    header = tarfile.TarInfo("pkg/a.txt")
    header.size = 1_000_000_000
    return compressor.compress(header.tobuf()) + _bomb(compressor.compress) + compressor.flush()


def _xz_bomb() -> bytes:
    compressor = lzma.LZMACompressor(preset=0)
    header = tarfile.TarInfo("pkg/a.txt")
    header.size = 1_000_000_000
    return compressor.compress(header.tobuf()) + _bomb(compressor.compress) + compressor.flush()


def _link(kind: bytes, target: str) -> Callable[[tarfile.TarInfo], None]:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, target, 0

    return change


_CONTENTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "zip: encrypted members": (_WHEEL, lambda: _zip_flags(1)),
    "zip: unknown compression": (_WHEEL, lambda: _zip_flags(0, 77)),
    "zip: a damaged stream": (_WHEEL, _zip_spoilt),
    "zip: a member larger than it says": (_WHEEL, _zip_lying),
    "zip: 1 GB in 1 MB": (_WHEEL, lambda: _zip({f"pkg/{n}": bytes(100_000_000) for n in range(10)})),
    "zip: 200,000 members": (_WHEEL, lambda: _zip({f"pkg/{n}": b"" for n in range(200_000)})),
    "zip: cut off": (_WHEEL, lambda: _GOOD_ZIP[:-30]),
    "zip: empty file": (_WHEEL, lambda: b""),
    "zip: a tar file": (_WHEEL, lambda: _GOOD_TAR),
    "zip: a web page": (_WHEEL, lambda: b"<!doctype html><title>404</title>"),
    "zip: a member above the folder": (_WHEEL, lambda: _zip({"pkg/../../x": b"x"})),
    "zip: an absolute member": (_WHEEL, lambda: _zip({"/tmp/x": b"x", **_MEMBERS})),
    "zip: a backslash": (_WHEEL, lambda: _zip({"pkg/..\\x": b"x"})),
    "zip: a member that is file and folder": (_WHEEL, lambda: _zip({"pkg/a": b"x", "pkg/a/b": b"y"})),
    "zip: the folder is a file": (_WHEEL, lambda: _zip({"pkg/": b"", "pkg": b"x"})),
    "zip: an empty name": (_WHEEL, lambda: _zip({"pkg//": b"x", "": b"x"})),
    "zip: a name of 300 characters": (_WHEEL, lambda: _zip({"pkg/" + "x" * 300: b"x"})),
    "zip: a path of 5,000 characters": (_WHEEL, lambda: _zip({"pkg/" + "x/" * 2500 + "x": b"x"})),
    "tar: cut off": (_SDIST, lambda: gzip.compress(_GOOD_TAR)[:-40]),
    "tar: no gzip": (_SDIST, lambda: b"x" * 5000),
    "tar: gzip of something else": (_SDIST, lambda: gzip.compress(b"x" * 5000)),
    "tar: a damaged stream": (_SDIST, lambda: gzip.compress(_GOOD_TAR)[:30] + b"\xff" * 30 + b"x" * 300),
    "tar: a wrong checksum of gzip": (_SDIST, lambda: gzip.compress(_GOOD_TAR)[:-8] + bytes(8)),
    "tar: 1 GB in 1 MB": (_SDIST, _gzip_bomb),
    "tar: 200,000 members": (_SDIST, lambda: _targz({f"pkg/{n}": b"" for n in range(200_000)})),
    "tar: a member above the folder": (_SDIST, lambda: _targz({"pkg/../../x": b"x"})),
    "tar: an absolute member": (_SDIST, lambda: _targz({"/tmp/x": b"x", **_MEMBERS})),
    "tar: a member that is file and folder": (_SDIST, lambda: _targz({"pkg/a": b"x", "pkg/a/b": b"y"})),
    "tar: a name of 300 characters": (_SDIST, lambda: _targz({"pkg/" + "x" * 300: b"x"})),
    "tar: only links": (_SDIST, lambda: gzip.compress(_tar(_MEMBERS, _link(tarfile.SYMTYPE, "/etc/passwd")))),
    "tar: only hard links": (_SDIST, lambda: gzip.compress(_tar(_MEMBERS, _link(tarfile.LNKTYPE, "../../x")))),
    "tar: only devices": (_SDIST, lambda: gzip.compress(_tar(_MEMBERS, _link(tarfile.CHRTYPE, "")))),
    "deb: sizes that are letters": (_DEB, lambda: _deb(b"x" * 50, size="many")),
    "deb: a size below 0": (_DEB, lambda: _ar(("debian-binary", b"2.0\n", "-68"), ("data.tar.xz", b"", None))),
    "deb: a size beyond the file": (_DEB, lambda: _deb(b"x" * 50, size="999999999")),
    "deb: no data.tar": (_DEB, lambda: _ar(("debian-binary", b"2.0\n", None))),
    "deb: data.tar that is none": (_DEB, lambda: _deb(b"x" * 5000)),
    "deb: data.tar of unknown compression": (_DEB, lambda: _deb(b"\x28\xb5\x2f\xfd" + b"x" * 500, "data.tar.zst")),
    "deb: data.tar cut off": (_DEB, lambda: _deb(lzma.compress(_GOOD_TAR)[:-20])),
    "deb: 1 GB in 0.2 MB": (_DEB, lambda: _deb(_xz_bomb())),
    "deb: no ar file": (_DEB, lambda: b"x" * 5000),
    "deb: a header cut off": (_DEB, lambda: _deb(b"")[:80]),
}  # fmt: skip

_PLACES: dict[str, Callable[[Path], object]] = {
    "a folder in its place": lambda path: path.mkdir(),
    "a named pipe in its place": lambda path: os.mkfifo(path),
    "a link to itself in its place": lambda path: path.symlink_to(path),
    "/dev/zero in its place": lambda path: path.symlink_to("/dev/zero"),
    "another file in its place": lambda path: path.write_bytes(b"x" * 100),
}


def _archive(path: Path) -> Archive:
    """Return the archive that a file is, with its hash, so that what is inside is read."""
    digest = sha256(path) if path.is_file() and path.stat().st_size else "0" * 64
    if path.is_file() and not path.stat().st_size:
        digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return Archive(package="pkg", filename=path.name, sha256=digest, unpacked=_LIMIT)


def _with(filename: str, use: Callable[[Archive], object]) -> Work:
    """Return a reader of an archive that lies where the cache has it."""

    def read(folder: Path) -> None:
        path = folder / filename
        with mock.patch.object(Archive, "path", property(lambda _: path)):
            use(_archive(path))

    return read


def _inner(archive: Archive) -> None:
    """Read a tar file that is itself a member."""
    sources.read(archive, "pkg/inner.tar", inner="a.txt")


_READERS: dict[str, Callable[[Archive], object]] = {
    "archives.extract": lambda archive: sources.extract(archive, "pkg/"),
    "archives.read_all": lambda archive: sources.read_all(archive, "pkg/"),
}

_INNER = {
    "an inner tar that is none": b"x" * 5000,
    "an inner tar that is empty": b"",
    "an inner tar that is cut off": _tar({"a.txt": b"x" * 3000})[:1024],
    "an inner tar without the member": _tar({"b.txt": b"x"}),
    "an inner tar of a bomb": gzip.compress(_tar({"a.txt": bytes(300_000_000)})),
}


def attempts() -> Iterator[Attempt]:
    """Yield every damaged archive, with each reader."""
    for damage, (filename, make) in _CONTENTS.items():
        for reader, use in _READERS.items():
            yield Attempt(
                kind="archives",
                reader=reader,
                damage=damage,
                prepare=lambda folder, filename=filename, make=make: (folder / filename).write_bytes(make()),
                read=_with(filename, use),
            )
    for damage, put in _PLACES.items():
        yield Attempt(
            kind="archives",
            reader="archives.extract",
            damage=damage,
            prepare=lambda folder, put=put: put(folder / _WHEEL),
            read=_with(_WHEEL, _READERS["archives.extract"]),
        )
    for damage, content in _INNER.items():
        yield Attempt(
            kind="archives",
            reader="archives.read, inner",
            damage=damage,
            prepare=lambda folder, content=content: (folder / _WHEEL).write_bytes(_zip({"pkg/inner.tar": content})),
            read=_with(_WHEEL, _inner),
        )
