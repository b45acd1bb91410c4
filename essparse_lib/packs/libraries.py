"""The packages that a run needs besides PyTorch, transformers and what these need, copied as they are installed here.

A machine with the same system and the same minor version of Python can use them where they lie.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..errors import InputError

#: What the other machine has, with all that it needs.
ON_NODE = ("torch", "transformers")
#: What every run needs besides; what models and tasks of images need; and what reads files, by their ending.
ALWAYS = ("accelerate", "joblib", "msgspec")
OF_IMAGES = ("kornia", "pillow", "scikit-learn")
READERS = {".gguf": "gguf", ".parquet": "pyarrow"}


@dataclass(frozen=True)
class Libraries:
    """Packages to copy.

    Attributes:
        versions: the version of each, by its name.
        absent: those that are needed, and not installed here.
    """

    versions: dict[str, str]
    absent: list[str]


def needed(images: bool, endings: Iterable[str]) -> Libraries:
    """Return the packages that runs need besides ``ON_NODE`` and what that needs, as they are installed here.

    Args:
        images: whether a model or a task is of images.
        endings: endings of the files that are read, such as ``.parquet``.
    """
    names = [*ALWAYS, *(OF_IMAGES if images else ()), *(READERS[each] for each in endings if each in READERS)]
    wanted, present = _with_requirements(names), _with_requirements(ON_NODE)
    versions, absent = {}, []
    for name in sorted(wanted - present):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            absent.append(name)
    return Libraries(versions, absent)


def _with_requirements(names: Iterable[str]) -> set[str]:
    """Return the names of packages and of all that they require here; extras are left out."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            requirements = [Requirement(line) for line in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:
            continue
        waiting += [each.name for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
    return seen


def copy(names: Iterable[str], target: Path) -> None:
    """Copy installed packages into a folder, from where they are imported if it is on Python's path.

    Args:
        names: the packages' names.
        target: the folder.

    Raises:
        InputError: a package does not say which its files are, or lacks one of them.
    """
    for name in names:
        distribution = metadata.distribution(name)
        files = [file for file in distribution.files or () if _is_library(file)]
        if not files:
            raise InputError(f"{name} does not say which its files are: install it anew, with pip")
        for file in files:
            path = target / file
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(str(file.locate()), path)
            except FileNotFoundError as error:
                raise InputError(f"{name} lacks its file {file}: install it anew, with pip") from error


def _is_library(file: metadata.PackagePath) -> bool:
    """Return whether a file of a package lies among the libraries, and is neither a program nor made by Python."""
    return ".." not in file.parts and not file.is_absolute() and "__pycache__" not in file.parts
