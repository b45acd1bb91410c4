"""What a page of the book lets its readers download: of each plot the numbers as CSV and JSON, and the picture.

The notebooks know nothing of it. The build adds two cells to its copy of a notebook: one before the first, by which
the kernel hands over what it draws, and one after the last, by which it says which records that rests on. Neither is
kept. What was handed over becomes files, and a line of links below each plot.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..figures import plot_files
from ..files import sha256
from ..wording import duration_text

#: The folder of the files within the stage.
FOLDER = "downloads"

_TAG = "essparse-downloads"
_BEFORE = "from essparse_lib.figures import plot_files\n\nplot_files.collect(get_ipython())"
_AFTER = 'plot_files.Sources(study, records) if {"study", "records"} <= globals().keys() else None'
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def add_cells(notebook: dict[str, Any]) -> None:
    """Add to a notebook the cells by which its kernel hands over what it draws, and on what that rests."""
    notebook["cells"] = [_cell(_BEFORE), *notebook["cells"], _cell(_AFTER)]


def take_cells(notebook: dict[str, Any]) -> None:
    """Take out of an executed notebook what ``add_cells`` added; keep in its metadata on what its numbers rest."""
    added = [cell for cell in notebook["cells"] if _TAG in cell["metadata"].get("tags", [])]
    for output in (output for cell in added for output in cell["outputs"]):
        if sources := output.get("data", {}).get(plot_files.SOURCES_MIME):
            notebook["metadata"][_TAG] = sources
    notebook["cells"] = [cell for cell in notebook["cells"] if cell not in added]


def say_time(notebook: dict[str, Any], seconds: float) -> None:
    """Put below the title of an executed notebook how long it ran.

    Args:
        notebook: it is changed; its first cell begins with the title.
        seconds: how long it ran.
    """
    ran = f"This notebook ran in {duration_text(seconds)} when this page was made"
    said = f"*{ran}, from records alone: nothing was trained.*"
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (title := _TITLE.search(source)):
            cell["source"] = f"{source[: title.end()]}\n\n{said}{source[title.end() :]}"
            return


def _cell(source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"{_TAG}-{len(source)}",
        "metadata": {"tags": [_TAG]},
        "outputs": [],
        "source": source,
    }


def unpack(notebook: dict[str, Any], folder: Path, notes: Mapping[str, str]) -> None:
    """Write the files of a notebook's plots, and put a line of links below each plot that has numbers.

    A plot that has no name (in the metadata of its cell) has no files.

    Args:
        notebook: an executed notebook that ``take_cells`` has gone through; it is changed.
        folder: for the files, which lies beside the notebooks' folder; it is made if it does not exist.
        notes: the licence, and how to cite.
    """
    folder.mkdir(exist_ok=True)
    sources = notebook["metadata"].pop(_TAG, {})
    title = _title(notebook)
    cells = []
    for cell in notebook["cells"]:
        cells.append(cell)
        for data in _outputs(cell):
            plot = data.pop(plot_files.MIME, None)
            figure = cell["metadata"].get("mystnb", {}).get("figure", {})
            if not plot or not plot["panels"] or "name" not in figure:
                continue
            described = {"plot": f"{figure['name']} of {title}", "caption": figure.get("caption", "")}
            described |= {**sources, **notes}
            _write(folder / figure["name"], plot, data["image/png"], described)
            cells.append(_links(figure["name"]))
    notebook["cells"] = cells


def share_pictures(html: Path) -> None:
    """Let the links to the PNGs of plots lead to the pictures that the pages show, and delete the copies.

    A copy that is no page's picture stays.

    Args:
        html: the folder of the built pages.
    """
    shown = {sha256(picture): picture.name for picture in html.glob("_images/*.png")}
    copies = {path: shown.get(sha256(path)) for path in html.glob("_downloads/*/*.png")}
    pages = {page: page.read_text(encoding="utf-8") for page in html.glob("notebooks/*.html")}
    for path, picture in copies.items():
        if picture is None:
            continue
        link = re.compile(rf'download="" href="\.\./{path.relative_to(html).as_posix()}"')
        for page, text in pages.items():
            pages[page] = link.sub(f'download="{path.name}" href="../_images/{picture}"', text)
        if not any(path.parent.name in text for text in pages.values()):
            path.unlink()
            path.parent.rmdir()
    for page, text in pages.items():
        page.write_text(text, encoding="utf-8")


def _title(notebook: Mapping[str, Any]) -> str:
    texts = ("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    return next((found[1] for text in texts if (found := _TITLE.search(text))), "a notebook")


def _outputs(cell: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return (output["data"] for output in cell.get("outputs", ()) if "data" in output)


def _write(path: Path, plot: Mapping[str, Any], png: str, notes: Mapping[str, str]) -> None:
    for ending, text in plot_files.texts(plot["panels"], plot["svg"], notes).items():
        path.with_name(f"{path.name}{ending}").write_text(text, encoding="utf-8")
    path.with_name(f"{path.name}.png").write_bytes(base64.b64decode("".join(png)))


def _links(name: str) -> dict[str, Any]:
    """Return the cell that links to the files of a plot."""

    def link(ending: str) -> str:
        return f"{{download}}`{name}.{ending} <../{FOLDER}/{name}.{ending}>`"

    text = f"Numbers: {link('csv')}, {link('json')}. Picture: {link('svg')}, {link('png')}."
    source = f":::{{container}} plot-files\n{text}\n:::"
    return {"cell_type": "markdown", "id": f"files-{name}", "metadata": {}, "source": source}
