"""The commands that mend, add and check records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from . import options
from .options import say

Against = Annotated[
    Path | None,
    options.folder("against", "records").option("The folder of records as it was before: what it has does not count."),
]


def mend(
    folder: Annotated[
        Path,
        options.folder("folder", "records").argument("FOLDER", "The folder that the error names, such as results/lab."),
    ],
) -> None:
    """Set damaged lines of records aside, each into <file>.damaged next to its file."""
    from .records.store import existing

    mended = existing(folder, "give the one that the error about the record names").mend()
    for line in [f"mended {path}" for path in mended] or ["no record is damaged"]:
        say(line)


def merge(
    folder: Annotated[
        Path, options.path("folder").argument("FOLDER", "Where ESSPARSE_RESULTS pointed to on the other machine.")
    ],
    scale: options.Scale = "lab",
) -> None:
    """Add the records that were made elsewhere; those of trials that have one here are left out.

    Nothing is added if one of them is damaged, or of a trial that no study of this version has.
    """
    from .packs.received import check_known
    from .records.store import existing, results
    from .specs.study import check_scale

    other = existing(folder / check_scale(scale), "name the folder around it, which ESSPARSE_RESULTS pointed to")
    records = other.records()
    check_known(records, scale, other.folder)
    target = results(scale)
    merged = target.merge(records.values())
    left = f"; {merged.others:,} left out, which have another outcome here" if merged.others else ""
    say(f"{merged.added} records added to {target.folder}{left}")


def check_records(
    folder: Annotated[
        Path, options.folder("folder", "records").argument("FOLDER", "One with a folder for each scale, as results.")
    ],
    against: Against = None,
) -> None:
    """Check records as a pull request brings them: every line, and that each is of a trial that a study has.

    With --against, records may only have been added: no line is gone, and no other file was added or changed.
    """
    from .packs.received import check_records

    for received in check_records(folder, against):
        say(received.text)
