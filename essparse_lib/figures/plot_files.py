"""Files of a plot to use elsewhere: its numbers as CSV and JSON, the drawing as SVG and PNG.

A notebook writes none of them by itself. The book's build lets it hand over what it draws (``collect``); in a notebook
of one's own, ``write`` writes the files of one figure.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import writing
from ..records import summary
from ..records.store import Record
from ..specs.study import Study
from . import plotted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The kind of a cell's output that holds what a figure shows, and of the one that holds where its numbers come from.
MIME, SOURCES_MIME = "application/vnd.essparse.plot+json", "application/vnd.essparse.records+json"

#: How an SVG is written: texts stay texts, and the same drawing gives the same bytes.
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "essparse"}


def collect(shell: Any) -> None:
    """Let each figure that a kernel shows from now on hand over its numbers and its SVG, next to its picture.

    Args:
        shell: what ``get_ipython()`` returns in the kernel.
    """
    from matplotlib.figure import Figure

    formatters = shell.display_formatter.formatters
    kind: Any = type(formatters["application/json"])

    class PlotFormatter(kind):
        """Formats figures by itself: matplotlib's backend takes what is registered for them out of every formatter."""

        def __call__(self, shown: Any) -> dict[str, Any] | None:
            return plain(shown) if isinstance(shown, Figure) else None

    formatters[MIME] = PlotFormatter(format_type=MIME, enabled=True)


def plain(figure: Figure) -> dict[str, Any]:
    """Return a figure as plain data: its numbers as of ``plotted.panels``, and its SVG."""
    return {"panels": plotted.panels(figure), "svg": _svg(figure)}


class Sources:
    """What the numbers of a notebook rest on, which a cell that ends in it hands over as plain data.

    Attributes:
        study: the study of the notebook's figure.
        records: its records, by id.
    """

    def __init__(self, study: Study, records: Mapping[str, Record]) -> None:
        self.study = study
        self.records = records

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {SOURCES_MIME: sources(self.study, self.records), "text/plain": ""}


def sources(study: Study, records: Mapping[str, Record]) -> dict[str, str]:
    """Return in words which records a study's figure rests on: the scale, their number, and the hash of their lines."""
    used = summary.used(study, records)
    known = summary.counted(used) if used else "none"
    return {"scale": str(study.scale), "records": known, "fingerprint of the records": summary.fingerprint(used)}


def csv_text(panels: list[dict[str, Any]], notes: Mapping[str, str]) -> str:
    """Return the numbers of a plot as CSV, below lines that begin with ``#``.

    These hold the notes, what the columns are, and what the axes show with their units.
    ``pandas.read_csv(file, comment="#")`` reads the rest.

    Args:
        panels: as ``plotted.panels`` returns them.
        notes: what else is said of the plot, by name.
    """
    text = io.StringIO()
    for name, note in {**notes, **_axes_notes(panels)}.items():
        text.write(f"# {name}: {' '.join(note.split())}\n")
    for name, note in plotted.COLUMNS.items():
        text.write(f"# column {name}: {note}\n")
    writer = csv.DictWriter(text, plotted.COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(plotted.rows_of(panels))
    return text.getvalue()


def _axes_notes(panels: list[dict[str, Any]]) -> dict[str, str]:
    """Return what the axes show, once if all panels show the same."""
    shown = [", ".join(f"{axis} is {title}" for axis, title in panel["axes"].items() if title) for panel in panels]
    if len(set(shown)) == 1:
        return {"axes": shown[0]}
    return {f"axes of {panel['panel']}": axes for panel, axes in zip(panels, shown, strict=True)}


def json_text(panels: list[dict[str, Any]], notes: Mapping[str, str]) -> str:
    """Return the numbers of a plot as JSON, with the notes and what the columns are; arguments as of ``csv_text``."""
    columns = {name: note for name, note in plotted.COLUMNS.items() if name not in ("panel", "series")}
    plain = {**notes, "columns": columns, "panels": panels}
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


def texts(panels: list[dict[str, Any]], svg: str, notes: Mapping[str, str]) -> dict[str, str]:
    """Return the files of a plot that are texts, by the ending of their names: CSV, JSON and SVG."""
    return {".csv": csv_text(panels, notes), ".json": json_text(panels, notes), ".svg": svg}


def write(figure: Figure, path: Path, notes: Mapping[str, str] | None = None) -> list[Path]:
    """Write a figure's numbers as CSV and JSON, and the figure as SVG and PNG; files of these names are replaced.

    Args:
        figure: what was drawn.
        path: the files' path without an ending.
        notes: what is said of the plot in the CSV and the JSON, by name; None for nothing.

    Returns:
        The files' paths.

    Raises:
        InputError: a file cannot be written.
    """
    contents = {ending: text.encode() for ending, text in texts(**plain(figure), notes=notes or {}).items()}
    contents[".png"] = _png(figure)
    paths = []
    for ending, content in contents.items():
        target = path.with_name(f"{path.name}{ending}")
        with writing(target) as file:
            file.write(content)
        paths.append(target)
    return paths


def _svg(figure: Figure) -> str:
    import matplotlib as mpl

    data = io.StringIO()
    with mpl.rc_context(_SVG):
        figure.savefig(data, format="svg", metadata={"Date": None})
    return data.getvalue()


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()
