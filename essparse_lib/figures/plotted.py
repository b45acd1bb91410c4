"""What a plot shows, as numbers: every line, band, interval, point and cell that has a name, read from the drawing.

The numbers are taken from matplotlib's own objects, so that they cannot differ from what is seen. Whoever draws names
what is data by ``label``; what is no data (an arrow, an outline) has the label ``style.NO_DATA``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure

#: The columns of the numbers, with what each one holds.
COLUMNS = {
    "panel": "title of the panel, if the plot has several",
    "series": "name of the line, band, point or cell, as in the legend",
    "x": "horizontal place; empty for a level or a band over the whole width",
    "x_low": "lower end of the interval or band along x",
    "x_high": "upper end of the interval or band along x",
    "y": "vertical place; empty for a level or a band over the whole height, and for marks at the panel's edge",
    "y_low": "lower end of the interval or band along y",
    "y_high": "upper end of the interval or band along y",
    "value": "value of a cell of a map",
}

_COLORBAR = "<colorbar>"
_ROW = "row, from the top"
_CELL = "column of the map, from 1", "row of the map, from 1"


def panels(figure: Figure) -> list[dict[str, Any]]:
    """Return the numbers of a figure as plain data, a panel each that shows any.

    A panel has its name, what its axes show with their units, and its series. A series has its name and, of those in
    ``COLUMNS``, the columns that any of its rows has, each a list. What a row lacks is None.

    Args:
        figure: what was drawn.
    """
    plain = []
    for ax in _panels(figure):
        by_series: dict[str, list[dict[str, Any]]] = {}
        for row in _merged(_rows(ax)):
            by_series.setdefault(row["series"], []).append(row)
        if by_series:
            series = [{"name": name, **_columns(rows)} for name, rows in by_series.items()]
            plain.append({"panel": panel_name(ax), "axes": _axis_titles(ax), "series": series})
    return plain


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Return the columns of the rows of a series, to twelve digits; unknown numbers are None."""
    names = [name for name in COLUMNS if any(name in row for row in rows) and name not in ("panel", "series")]
    return {name: [_number(row.get(name)) for row in rows] for name in names}


def _number(value: Any) -> float | None:
    return float(f"{value:.12g}") if value is not None and np.isfinite(value) else None


def rows_of(panels: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each point, level, band or cell of what ``panels`` returns, with the columns ``COLUMNS``."""
    for panel in panels:
        for series in panel["series"]:
            columns = {name: values for name, values in series.items() if name != "name"}
            for numbers in zip(*columns.values(), strict=True):
                yield {"panel": panel["panel"], "series": series["name"], **dict(zip(columns, numbers, strict=True))}


def _axis_titles(ax: Axes) -> dict[str, str]:
    """Return what the axes of a panel show, with units: ``x``, ``y`` and, of a map, ``value``."""
    if _is_map(ax):
        return {"x": _CELL[0], "y": _CELL[1], "value": _value_title(ax)}
    return {"x": _x_title(ax), "y": _y_title(ax)}


def panel_name(ax: Axes) -> str:
    """Return the name of a panel in one line: its label, or else its title; a panel alone may have neither."""
    name = ax.get_label() or ax.get_title() or ax.get_title(loc="left") or "the only panel"
    return " ".join(str(name).split())


def unnamed(figure: Figure) -> list[str]:
    """Return what of a figure is neither named as data nor marked as no data: its type and its panel.

    Args:
        figure: what was drawn.
    """
    offenders = []
    for ax in _panels(figure):
        for artist in _artists(ax):
            label = str(artist.get_label())
            if not label or label.startswith("_child"):
                offenders.append(f"{type(artist).__name__} in {panel_name(ax)!r}")
    return offenders


def _panels(figure: Figure) -> list[Axes]:
    """Return the axes of a figure that are seen and show data."""
    seen = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != _COLORBAR]
    return [ax for ax in seen if ax.axison or ax.images]


def _artists(ax: Axes) -> list[Any]:
    """Return what is drawn in a panel: containers of error bars, then what belongs to none of them."""
    from matplotlib.container import ErrorbarContainer

    bars = [container for container in ax.containers if isinstance(container, ErrorbarContainer)]
    parts = {id(part) for container in bars for part in _parts(container)}
    others = (*ax.lines, *ax.collections, *ax.patches, *ax.images)
    return [*bars, *(artist for artist in others if id(artist) not in parts)]


def _parts(container: ErrorbarContainer) -> list[Any]:
    """Return the lines and collections that a container of error bars is made of."""
    line, caps, bars = container.lines
    return [part for part in (line, *caps, *bars) if part is not None]


def _rows(ax: Axes) -> Iterator[dict[str, Any]]:
    """Yield the rows of all that has a name in a panel."""
    from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
    from matplotlib.container import ErrorbarContainer
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    rows: Iterator[dict[str, Any]]
    for artist in _artists(ax):
        series = str(artist.get_label())
        if series.startswith("_"):
            continue
        match artist:
            case ErrorbarContainer():
                rows = _error_rows(artist)
            case Line2D():
                rows = _line_rows(ax, artist)
            case LineCollection():
                rows = _interval_rows(ax, artist)
            case PolyCollection():
                rows = _band_rows(artist)
            case Rectangle():
                rows = _span_rows(ax, artist)
            case QuadMesh():
                rows = _cell_rows(ax, np.asarray(artist.get_array()))
            case AxesImage():
                rows = _cell_rows(ax, np.asarray(artist.get_array()))
            case _:
                raise TypeError(f"no numbers are read from a {type(artist).__name__}")
        for row in rows:
            yield {"series": series, **row}


def _seen(ax: Axes, artist: Artist) -> tuple[bool, bool]:
    """Return whether the horizontal and the vertical places of an artist are data, rather than shares of the panel."""
    x_is_data, y_is_data = artist.get_transform().contains_branch_seperately(ax.transData)
    return x_is_data, y_is_data


def _line_rows(ax: Axes, line: Any) -> Iterator[dict[str, Any]]:
    """Yield the points of a line; a level across the whole panel is one row."""
    x_is_data, y_is_data = _seen(ax, line)
    points = line.get_xydata()
    if not (x_is_data and y_is_data) and len(points) == 2:
        points = points[:1]
    for x, y in points:
        yield {**({"x": x} if x_is_data else {}), **({"y": y} if y_is_data else {})}


def _error_rows(container: Any) -> Iterator[dict[str, Any]]:
    """Yield the points of error bars with the ends of their intervals."""
    line, _, bars = container.lines
    names = [name for name, has in (("x", container.has_xerr), ("y", container.has_yerr)) if has]
    for number, (x, y) in enumerate(line.get_xydata()):
        row = {"x": x, "y": y}
        for name, collection in zip(names, bars, strict=True):
            ends = collection.get_paths()[number].vertices[:, "xy".index(name)]
            row[f"{name}_low"], row[f"{name}_high"] = ends.min(), ends.max()
        yield row


def _interval_rows(ax: Axes, collection: Any) -> Iterator[dict[str, Any]]:
    """Yield the intervals that lie along x, as ``Axes.hlines`` draws them."""
    _, y_is_data = _seen(ax, collection)
    for path in collection.get_paths():
        places, heights = path.vertices.T
        row = {"x_low": places.min(), "x_high": places.max()}
        yield {**row, "y": heights[0]} if y_is_data else row


def _band_rows(collection: Any) -> Iterator[dict[str, Any]]:
    """Yield the lower and the upper end of a band between two lines, at each of its places along x."""
    for path in collection.get_paths():
        places, heights = path.vertices.T
        for x in np.unique(places):
            ends = heights[places == x]
            yield {"x": x, "y_low": ends.min(), "y_high": ends.max()}


def _span_rows(ax: Axes, rectangle: Any) -> Iterator[dict[str, Any]]:
    """Yield the ends of a band over the whole width or height of a panel."""
    row = {}
    for name, is_data, ends in zip("xy", _seen(ax, rectangle), rectangle.get_bbox().get_points().T, strict=True):
        if is_data:
            row[f"{name}_low"], row[f"{name}_high"] = ends.min(), ends.max()
    yield row


def _cell_rows(ax: Axes, values: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yield the cells of a map, named by the ticks of their row and column where each has one."""
    columns, rows = _tick_names(ax.xaxis, values.shape[1]), _tick_names(ax.yaxis, values.shape[0])
    for (row, column), value in np.ndenumerate(values):
        name = {"series": f"{rows[row]} and {columns[column]}"} if rows and columns else {}
        yield {"x": column + 1, "y": row + 1, "value": value, **name}


def _tick_names(axis: Any, count: int) -> list[str]:
    """Return the texts at an axis's ticks if there is one for each of so many cells, else nothing."""
    texts = [label.get_text() for label in axis.get_ticklabels()]
    return texts if len(texts) == count and all(texts) else []


def _merged(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in which an interval stands with the point of its series at the same place.

    One along y belongs to the point with its x, one along x to the point with its y, which marks at the panel's edge
    do not have.
    """
    points: list[dict[str, Any]] = []
    intervals: list[dict[str, Any]] = []
    for row in rows:
        is_interval = ("x_low" in row and "x" not in row) or ("y_low" in row and "y" not in row)
        (intervals if is_interval else points).append(row)
    by_place: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in points:
        for name in "xy":
            by_place.setdefault((row["series"], name, row.get(name)), row)
    alone = []
    for row in intervals:
        along, across = ("y", "x") if "y_low" in row else ("x", "y")
        point = by_place.get((row["series"], across, row.get(across)), {})
        if along in point and f"{along}_low" not in point:
            point |= {name: row[name] for name in (f"{along}_low", f"{along}_high")}
        else:
            alone.append(row)
    return points + alone


def _is_map(ax: Axes) -> bool:
    """Return whether a panel shows cells, each of which has a value."""
    from matplotlib.collections import QuadMesh

    return bool(ax.images) or any(isinstance(collection, QuadMesh) for collection in ax.collections)


def _x_title(ax: Axes) -> str:
    below = [other for other in _neighbours(ax, "colspan") if other.get_xlabel()]
    return ax.get_xlabel() or ax.figure.get_supxlabel() or (below[-1].get_xlabel() if below else "")


def _y_title(ax: Axes) -> str:
    """Return what a vertical axis shows: its title, that of its row, or else what the panel's title says."""
    if ax.yaxis_inverted():
        return _ROW
    row = [other.get_ylabel() for other in _neighbours(ax, "rowspan") if other.get_ylabel()]
    return " ".join((ax.get_ylabel() or next(iter(row), "") or ax.figure.get_supylabel() or panel_name(ax)).split())


def _neighbours(ax: Axes, span: str) -> list[Axes]:
    """Return the panels of a figure in the same row (``rowspan``) or column (``colspan``) of its grid."""
    place = ax.get_subplotspec()
    others = [(other, other.get_subplotspec()) for other in ax.figure.axes]
    return [other for other, spec in others if place and spec and getattr(spec, span) == getattr(place, span)]


def _value_title(ax: Axes) -> str:
    """Return what the cells of a map show: the title of the colour bar, or else of the figure."""
    bars = [other.get_ylabel() for other in ax.figure.axes if other.get_label() == _COLORBAR]
    return next(filter(None, bars), "") or ax.figure.get_suptitle()
