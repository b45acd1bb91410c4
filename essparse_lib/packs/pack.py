"""Write a pack: a folder with which figures are run on a machine that has PyTorch and transformers, and no network."""

from __future__ import annotations

import json
import platform
import sysconfig
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import figures
from ..errors import InputError
from ..files import check_new_folder, sha256, writable, writing_folder
from ..runner.provenance import code_revision, version
from ..runner.runners import Refusal
from ..wording import size_text
from . import contents, libraries
from .sums import LIBRARIES, PACKAGE, SUMS, write_sums

#: The part of a pack with what is read, and the file that says what a pack is.
CACHE, ABOUT = "cache", "pack.json"

_README = """\
What {figures} need at {scale} scale, for a machine with PyTorch and transformers (Python {python}, {system}).
Commands are run in the folder around this one, here called pack:

    export PYTHONPATH=$PWD/pack/package:$PWD/pack/libraries ESSPARSE_CACHE=$PWD/pack/cache
    python -m essparse_lib check-pack pack
    python -m essparse_lib run {names} --scale {scale}{options}

Records go into results/{scale}, or, at tiny scale, into the cache. Leave the libraries out of PYTHONPATH where the
machine has them. Bring the folder results back and add it there: essparse merge results --scale {scale}
"""


def pack(
    names: Sequence[str],
    scale: str,
    out: Path,
    checkpoints: str = figures.CHECKPOINTS[0],
    tell: Callable[[str], None] = print,
) -> list[Refusal]:
    """Write a pack of figures: the package, libraries, records, and a cache with all that their studies read.

    Args:
        names: the figures' names, ``all`` for every figure's.
        scale: ``tiny``, ``lab`` or ``paper``.
        out: the folder to write; nothing may have its name, or an empty folder.
        checkpoints: as for ``figures.studies``.
        tell: called with each line of the report.

    Returns:
        The specs that the pack cannot serve, since something that they need cannot be had here.

    Raises:
        InputError: there is no such figure or scale, the folder cannot be written, a record is damaged, or nothing at
            all can be had.
    """
    studies = figures.studies(names, scale, checkpoints)
    specs = list({spec.id: spec for study in studies for spec in study.specs()}.values())
    check_new_folder(out)
    with writing_folder(out) as made:
        contents.copy_package(made / PACKAGE / "essparse_lib")
        (made / CACHE).mkdir()
        records = contents.copy_records(specs, studies[0].scale, made / PACKAGE / "essparse_lib", made / CACHE)
        refusals = contents.gather(specs, made / CACHE)
        if len(refusals) == len(specs):
            raise InputError(refusals[0].reason)
        endings = {path.suffix for path in (made / CACHE).rglob("*")}
        packages = libraries.needed(any(map(contents.of_images, specs)), endings)
        with writable(out):
            (made / LIBRARIES).mkdir()
            libraries.copy(packages.versions, made / LIBRARIES)
        about = {
            "figures": [study.figure for study in studies],
            "scale": str(studies[0].scale),
            "checkpoints": checkpoints,
            "specs": len(specs),
            "records": records,
            "left_out": dict(Counter(refusal.reason for refusal in refusals)),
            "version": version(),
            "commit": code_revision(),
            "libraries": packages.versions,
            "absent": packages.absent,
            "python": ".".join(platform.python_version_tuple()[:2]),
            "system": sysconfig.get_platform(),
        }
        with writable(out):
            (made / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
            (made / "README.txt").write_text(_readme(about, names), encoding="utf-8")
        write_sums(made)
        sizes = {part: _size(made / part) for part in (PACKAGE, LIBRARIES, CACHE)}
    _report(out, about, sizes, tell)
    return refusals


def _report(out: Path, about: dict[str, Any], sizes: dict[str, int], tell: Callable[[str], None]) -> None:
    """Tell what a pack holds, how large each part is, and what it lacks."""
    packages = ", ".join(f"{name} {version}" for name, version in about["libraries"].items())
    notes = {
        PACKAGE: f"essparse {about['version']}, code {about['commit']}, {about['records']:,} records",
        LIBRARIES: f"{packages}; for Python {about['python']} on {about['system']}",
        CACHE: f"what {about['specs'] - sum(about['left_out'].values()):,} of {about['specs']:,} specs read",
    }
    for part, size in sizes.items():
        tell(f"{out / part}: {size_text(size)}; {notes[part]}")
    if about["absent"]:
        tell(f"not installed here, and so not packed: {', '.join(about['absent'])}")
    for reason, count in about["left_out"].items():
        tell(f"{count:,} of {about['specs']:,} specs left out: {reason}")
    tell(f"{out}: {size_text(sum(sizes.values()))}; sha256 of {SUMS}: {sha256(out / SUMS)}")


def _readme(about: dict[str, Any], names: Sequence[str]) -> str:
    """Return the text of a pack that says how to use it."""
    trained = about["checkpoints"] == figures.CHECKPOINTS[0]
    return _README.format(
        figures=", ".join(about["figures"]),
        names=" ".join(names),
        scale=about["scale"],
        options="" if trained else f" --checkpoints {about['checkpoints']}",
        python=about["python"],
        system=about["system"],
    )


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
