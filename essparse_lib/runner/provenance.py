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

if TYPE_CHECKING:
    import torch

_PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "numpy")


@cache
def code_revision() -> str:
    """The commit that the package's code is at, with ``+changes`` if files differ from it, else its version."""
    folder = Path(__file__).parents[1]
    if (folder.parent / ".git").exists():
        revision = _git(folder, "rev-parse", "--short=12", "HEAD")
        if revision:
            return revision + ("+changes" if _git(folder, "status", "--porcelain", "--", ".") else "")
    try:
        distribution = metadata.distribution("essparse")
    except metadata.PackageNotFoundError:
        return "unknown"
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    commit = origin.get("vcs_info", {}).get("commit_id", "")
    return commit[:12] or f"version {distribution.version}"


@cache
def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide the numbers."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


def made_with(device: torch.device) -> dict[str, Any]:
    """What is known before the work begins: code, versions and device."""
    from ..training.device import description

    return {"code": code_revision(), "versions": versions(), **description(device)}


def made_by(model: str, device: torch.device) -> dict[str, Any]:
    """The same, and the weights of the model that the work begins from."""
    from ..models import loading

    source = loading.locate(model)
    return {**made_with(device), "weights": source.weights, "weights_from": source.origin}


def finished(started: float) -> dict[str, Any]:
    """What is known after it: the seconds since ``started`` (by ``time.perf_counter``), and the time now, in UTC."""
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
