"""What pages of the book include that is made from records: each a file that the build writes beside the pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .. import figures
from ..figures import panels
from ..files import writing
from ..records.store import results
from . import landing, status


def write(folder: Path) -> None:
    """Write them all, in a folder that is made.

    Raises:
        InputError: a record is damaged (the message names it).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _fragments().items():
        with writing(folder / name) as file:
            file.write(text.encode())


def _fragments() -> Mapping[str, str]:
    """The text of each, by the name of its file."""
    study = figures.study("fig2", "lab")
    shown = landing.panel(study, results("lab").records_of(*study.specs(), landing.pruning_order(study)))
    nothing = "<p>The panel that belongs here shows records of Figure 2, and there are none yet.</p>"
    return {
        "landing.html": panels.book_html(shown) if shown else nothing,
        "status.md": status.table(),
    }
