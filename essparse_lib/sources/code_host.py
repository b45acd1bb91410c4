"""Get single files of a repository of code, each pinned by a commit and its hash: from a mirror, else from its host."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import InputError, one_line
from ..files import cache_folder, disk_refuses, locked, sha256_once, writable
from ..temporaries import temporary_folder
from . import gathering
from .downloads import download_from_address
from .foreign import reading, regular_file
from .hub import mirror_folders

#: Where the host has a file of a repository at a commit, as it is.
_ADDRESS = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"


@dataclass(frozen=True, kw_only=True)
class PinnedFile:
    """A file of a repository of code.

    Attributes:
        path: its path in the repository, below ``CodeRepository.root``.
        sha256: SHA-256 of the file, hexadecimal.
        size: bytes of the file; more are neither fetched nor read.
    """

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class CodeRepository:
    """A repository of code at one commit.

    Attributes:
        id: name of the repository, ``owner/name``.
        commit: the full hash of the commit.
        root: folder of the repository that its files here lie in; a mirror has them without it.
    """

    id: str
    commit: str
    root: str = ""

    def address(self, file: PinnedFile) -> str:
        """Return where the host has a file."""
        path = PurePosixPath(self.root, file.path).as_posix()
        return _ADDRESS.format(repository=self.id, commit=self.commit, path=path)


def pinned_files(repository: CodeRepository, files: Sequence[PinnedFile]) -> tuple[list[Path], str]:
    """Return the local paths of some files of a repository, each with its hash checked; they are fetched if needed.

    A mirror has the files at ``owner/name/path`` of a folder that ``ESSPARSE_MIRROR`` names.

    Args:
        repository: the repository.
        files: the files; either all or none of them come from a mirror.

    Returns:
        The paths, in the order of the files, and where they come from, in words.

    Raises:
        InputError: a file is in no mirror and cannot be fetched, or is another one than is pinned.
    """
    for mirror in mirror_folders():
        paths = [mirror / repository.id / file.path for file in files]
        if any(path.exists() for path in paths):
            for path, file in zip(paths, files, strict=True):
                _check(path, file, "complete the mirror, or leave this repository out of it")
            names = [file.path for file in files]
            local = gathering.kept(mirror / repository.id, gathering.mirror_folder() / repository.id, names)
            return [local / name for name in names], f"mirror of {repository.id}"
    return [_fetched(repository, file) for file in files], f"{repository.id}@{repository.commit}"


def _fetched(repository: CodeRepository, file: PinnedFile) -> Path:
    """Return the path of a file in the cache, after fetching it if needed."""
    path = cache_folder() / "files" / f"{file.sha256[:16]}-{PurePosixPath(file.path).name}"
    if not path.exists():
        with locked(path.parent / f".{path.name}.lock"):
            if not path.exists():  # another process may have fetched it meanwhile
                _download(repository, file, path)
    _check(path, file, "delete it and run again to fetch it anew")
    return path


def _download(repository: CodeRepository, file: PinnedFile, path: Path) -> None:
    with writable(path), temporary_folder(path.parent) as folder:
        fetched = folder / path.name
        try:
            if known := gathering.lent(path):
                shutil.copyfile(known, fetched)
            else:
                download_from_address(repository.address(file), fetched, size=file.size, sha256=file.sha256)
        except (OSError, LookupError) as error:
            if disk_refuses(error):
                raise
            raise InputError(
                f"cannot fetch {file.path} of {repository.id} ({one_line(error)}); connect to a network, or set "
                f"ESSPARSE_MIRROR to a folder that holds {repository.id}/{file.path} with sha256 {file.sha256}"
            ) from error
        fetched.replace(path)


def _check(path: Path, file: PinnedFile, remedy: str) -> None:
    """Check that a path is the file that is pinned."""
    size = regular_file(path).stat().st_size
    if size > file.size:
        raise InputError(f"{path} has {size:,} bytes, more than {file.size:,}: {remedy}")
    with reading(path, remedy):
        digest = sha256_once(path)
    if digest != file.sha256:
        raise InputError(f"{path} has sha256 {digest}, but must have {file.sha256}: {remedy}")
