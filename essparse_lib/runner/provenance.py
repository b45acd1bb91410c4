"""What a record was made with: which code, packages, device and weights; and when."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import environment
from ..files import sha256_of_files

if TYPE_CHECKING:
    import torch

#: The file in a copy of the package, as in a pack, that says which revision it is of.
REVISION = "_revision"

_PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "numpy")


@cache
def code_revision() -> str:
    """Return the commit that the package's code is at, with ``+changes`` if files differ from it, else its version.

    A copy of the code without its repository, as on a compute node, is what ``$ESSPARSE_REVISION`` says, or the copy
    itself.
    """
    folder = Path(__file__).parents[1]
    if (folder.parent / ".git").exists():
        revision = _git(folder, "rev-parse", "--short=12", "HEAD")
        if revision:
            return revision + ("+changes" if _git(folder, "status", "--porcelain", "--", ".") else "")
    if told := environment.revision():
        return told
    if (folder / REVISION).is_file():
        return (folder / REVISION).read_text(encoding="utf-8").strip()
    try:
        distribution = metadata.distribution("essparse")
    except metadata.PackageNotFoundError:
        return "unknown"
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    commit = origin.get("vcs_info", {}).get("commit_id", "")
    return commit[:12] or f"version {distribution.version}"


def version() -> str:
    """Return the version of the installed package; ``unknown`` where the code is used without an installation."""
    try:
        return metadata.version("essparse")
    except metadata.PackageNotFoundError:
        return "unknown"


@cache
def code_hash() -> str:
    """Return a hash of the package's code: a commit does not tell which changes are on top of it."""
    return sha256_of_files(sorted(Path(__file__).parents[1].rglob("*.py")))


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide the numbers."""
    by_name = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            by_name[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            by_name[package] = "missing"
    return by_name


def made_with(device: torch.device) -> dict[str, Any]:
    """Return what is known before the work begins: code, versions and device."""
    from ..training.device import description

    return {"code": code_revision(), "versions": versions(), **description(device)}


def made_by(model: str, device: torch.device) -> dict[str, Any]:
    """Return what is known before the work begins, with the weights of the model that it begins from."""
    from ..models import loading

    source = loading.locate(model)
    return {**made_with(device), "weights": source.weights, "weights_from": source.origin}


def finished(started: float) -> dict[str, Any]:
    """Return what is known after the work: the seconds since ``started``, by ``perf_counter``, and the time in UTC."""
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _git(folder: Path, *arguments: str) -> str:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
