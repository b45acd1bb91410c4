"""The report of a sweep: a page that needs no network, the picture of the curve, and all numbers as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from ...files import writable, writing
from ..result import SweepResult
from .facts import facts_of, summary
from .page import page
from .plot import pictures

#: The files of a report, the page first.
PAGE, SUMMARY, PICTURES = "report.html", "summary.json", {"svg": "curve.svg", "png": "curve.png"}


def write_report(result: SweepResult, folder: Path) -> None:
    """Write the report of a sweep into a folder: ``report.html``, ``curve.svg``, ``curve.png`` and ``summary.json``.

    An earlier report is replaced, file by file; each is written whole or not at all. The pictures need matplotlib.
    Without it the page says so, and those of an earlier report are removed.

    Args:
        result: the sweep.
        folder: the sweep's folder.

    Raises:
        InputError: the folder cannot be written, or something other than a file has one of the names.
    """
    facts = facts_of(result)
    drawn = pictures(facts)
    contents = {PICTURES[format_]: picture for format_, picture in drawn.items()}
    contents[PAGE] = page(facts, [PICTURES[format_] for format_ in drawn]).encode()
    contents[SUMMARY] = (json.dumps(summary(facts), ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
    for name in PICTURES.values():
        if name not in contents:
            with writable(folder / name):
                (folder / name).unlink(missing_ok=True)
    for name, content in contents.items():
        with writing(folder / name) as file:
            file.write(content)
