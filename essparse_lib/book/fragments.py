"""Parts of pages that are made from records: files that the build writes and the pages include."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import figures
from ..figures import panel_chart
from ..files import writing
from ..plans import printed
from ..records.store import results
from . import architectures, changelog, devices, front_page, landing, overlap, status, verdicts


def write(folder: Path, notebooks: Iterable[Path] = ()) -> None:
    """Write all fragments.

    Args:
        folder: where they are written; it is made if it does not exist.
        notebooks: executed notebooks, whose verdicts the first page shows.

    Raises:
        InputError: a record is damaged (the message names it).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _fragments(verdicts.of_notebooks(notebooks)).items():
        with writing(folder / name) as file:
            file.write(text.encode())


def _fragments(judged: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    """Return the text of each fragment, by the name of its file; the verdicts are plain data by claim."""
    study = figures.study("fig2", "lab")
    order = results("lab").records_of(landing.pruning_order(study))
    data = landing.panel(study, figures.records(study) | order)
    without_records = "<p>The panel that belongs here shows records of Figure 2, and there are none yet.</p>"
    return {
        "architectures.md": architectures.table(),
        "claims.md": front_page.table(judged),
        "forest.html": front_page.forest(judged),
        "summary.md": front_page.summary(judged),
        "landing.html": panel_chart.book_html(data) if data else without_records,
        "overlap.md": overlap.table(),
        "devices.md": devices.table(),
        "precision.md": devices.precision(),
        "plan.md": printed.fragment(),
        "status.md": "\n".join(status.table([scale]) for scale in ("lab", "paper")),
        "verdicts.md": changelog.table(),
    }
