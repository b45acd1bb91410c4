"""Gather in one cache all that is read of other folders of this machine, so that the cache serves another machine.

What a mirror or the hub's own cache has is read where it lies. While a cache is gathered, it is copied into the cache
first: into ``mirror``, laid out as a mirror is, and into ``hub``, by kind, name and revision. Both are looked for
wherever a cache has them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from ..files import cache_folder, writable

#: Folders of a cache that was gathered.
_MIRROR, _HUB = "mirror", "hub"

#: While a cache is gathered, another cache, of which files are taken rather than fetched.
_other: Path | None = None


@contextmanager
def gathering(other: Path) -> Iterator[None]:
    """Copy into the cache, within the block, whatever is read of mirrors and of the hub's cache.

    Args:
        other: another cache, such as this machine's usual one, of which archives and what was made of them are taken
            where it has them.
    """
    global _other
    before, _other = _other, other
    try:
        yield
    finally:
        _other = before


def is_gathering() -> bool:
    """Return whether a cache is being gathered."""
    return _other is not None


def lent(path: Path) -> Path | None:
    """Return the path that another cache has for one in this cache, while this one is gathered; else None."""
    if _other is None or not path.is_relative_to(cache_folder()):
        return None
    candidate = _other / path.relative_to(cache_folder())
    return candidate if candidate.exists() else None


def mirror_folder() -> Path:
    """Return the folder of the cache that is laid out as a mirror, which need not exist."""
    return cache_folder() / _MIRROR


def snapshot_folder(kind: str, name: str, revision: str) -> Path:
    """Return the folder of the cache for a repository of the hub at a revision, which need not exist."""
    return cache_folder() / _HUB / kind / name / revision


def kept(folder: Path, target: Path, patterns: Sequence[str]) -> Path:
    """Return ``target`` with a copy of those files of a folder that match patterns; else, if none is gathered, itself.

    Args:
        folder: the folder that is read.
        target: its place in the cache.
        patterns: patterns of file names relative to the folder, in which ``*`` also stands for slashes.

    Raises:
        InputError: the files cannot be written.
    """
    if not is_gathering():
        return folder
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and any(fnmatchcase(name.as_posix(), pattern) for pattern in patterns):
            _copy(path, target / name)
    return target


def _copy(source: Path, target: Path) -> None:
    """Copy a file's content, unless the target exists; a link is followed."""
    if target.exists():
        return
    with writable(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
