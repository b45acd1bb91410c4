"""The chart of a panel, in Vega-Lite: lines with bands, larger points at the slider, and marks at the bottom.

A chart refers to its data by name: ``rows`` (a row for each line, reading and place) and ``marks``. The data are
written once beside it.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.estimate import Estimate

if TYPE_CHECKING:
    from .panels import Panel

#: The type of a notebook's output that holds ``book_data``, from which the book makes its own panel.
MIME = "application/vnd.essparse.panel+json"

_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 3], [4, 2, 1, 2])

_LEGEND = {"title": None, "orient": "top", "columns": 4}

#: In the book everything but the data has the colour of the page's text, light or dark.
_BOOK_THEME = {
    "background": "transparent",
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": "currentColor",
        "tickColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "rule": {"color": "currentColor"},
}


class ShownPanel:
    """A panel that a notebook displays: an Altair chart in a live notebook, the book's own controls in the book."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        import altair as alt

        rendered = alt.renderers.get()(notebook_chart(self.panel))
        bundle = dict(rendered[0] if isinstance(rendered, tuple) else rendered)
        return {**bundle, MIME: book_data(self.panel), "text/plain": self.panel.description}


def show(panel: Panel | None) -> ShownPanel | None:
    """Return what a notebook cell displays of a panel, or None, of which it displays nothing, if there is no panel."""
    return None if panel is None else ShownPanel(panel)


def notebook_chart(panel: Panel) -> dict[str, Any]:
    """Return the whole Vega-Lite specification for a live notebook: the chart with its own controls, and its data.

    A slider moves the place, a list chooses the reading, and check boxes choose the names and kinds that are drawn.
    """
    return {**chart(panel, controls=True), "datasets": {"rows": rows(panel), "marks": marks(panel)}}


def book_data(panel: Panel) -> dict[str, Any]:
    """Return what the book's script makes a panel of, as plain data: the chart, its data and its controls."""
    return {
        "chart": {**chart(panel, controls=False), "config": _BOOK_THEME},
        "rows": rows(panel),
        "marks": marks(panel),
        "description": panel.description,
        "axis": panel.axis,
        "unit": panel.unit,
        "slider": {"from": 0, "to": panel.last, "step": panel.step or panel.gap, "start": panel.start},
        "gap": panel.gap,
        "names": panel.names,
        "kinds": panel.kinds,
        "shown": list(panel.shown) or panel.kinds,
        "readings": panel.readings,
        "interval": panel.interval,
        "legends": panel.legends,
        "mark": panel.mark if any(line.marks for line in panel.lines) else None,
        "colours": panel.colours,
    }


def book_html(data: Mapping[str, Any]) -> str:
    """Return the HTML element that the book's script turns into a panel.

    Args:
        data: as ``book_data`` returns it, with ``weights`` besides where the slider also prunes a block.
    """
    plain = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return (
        f'<div class="panel"><script type="application/json">{plain}</script>'
        f"<noscript><p>{html.escape(data['description'])} To be moved, it needs JavaScript.</p></noscript></div>"
    )


def rows(panel: Panel) -> list[dict[str, Any]]:
    """Return a row for each line, reading and place that has a value: numbers for the chart, texts for tables."""
    table = []
    for line in panel.lines:
        for reading, estimates in line.readings.items():
            for i, (place, estimate) in enumerate(zip(line.places, estimates, strict=True)):
                if not estimate.known:
                    continue
                row = {"name": line.name, "kind": line.kind, "reading": reading, "place": place}
                row |= _numbers_and_text(panel, estimate)
                if reading in line.seeds:
                    row["seeds"] = line.seeds[reading][i]
                table.append(row)
    return table


def marks(panel: Panel) -> list[dict[str, Any]]:
    """Return a row for each line and reading that has a mark; a mark at the last place is a lower bound."""
    return [
        {"name": line.name, "kind": line.kind, "reading": reading}
        | _numbers_and_text(panel, mark, last=max(line.places))
        for line in panel.lines
        for reading, mark in line.marks.items()
    ]


def _numbers_and_text(panel: Panel, estimate: Estimate, last: float = np.inf) -> dict[str, Any]:
    if not panel.interval:
        alone = Estimate(estimate.value, np.nan, np.nan)
        return {"value": _rounded(estimate.value), "text": alone.text(panel.digits, last=last)}
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {**{key: _rounded(x) for key, x in numbers.items()}, "text": estimate.text(panel.digits, last=last)}


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.6g}")


def chart(panel: Panel, controls: bool) -> dict[str, Any]:
    """Return a panel's chart as a Vega-Lite specification whose data are named ``rows`` and ``marks``.

    It is written as plain data: Altair takes a second to put it together, since it copies and checks all of it for
    each layer.

    Args:
        panel: the panel.
        controls: whether the chart has legends and a slider, a list and check boxes of its own, or is moved from
            outside by setting its signals ``place``, ``reading``, ``names`` and ``kinds``.
    """
    params, filters = _params_and_filters(panel, controls)
    layers = [{"data": {"name": "rows"}, "layer": _line_layers(panel, controls, filters)}]
    if any(line.marks for line in panel.lines):
        layers.append({"data": {"name": "marks"}, "layer": _mark_layers(panel, controls, filters)})
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": panel.description,
        "width": "container",
        "height": 300,
        "params": params,
        "layer": layers,
        "resolve": {"scale": {"y": "independent"}},
    }


def _params_and_filters(panel: Panel, controls: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the parameters of a chart, and the transforms that keep the rows that are drawn."""
    place: dict[str, Any] = {"name": "place", "value": panel.start}
    reading: dict[str, Any] = {"name": "reading", "value": panel.readings[0] if panel.readings else ""}
    if controls:
        step = panel.step or panel.gap
        title = f"at ({panel.unit.strip()}) "
        place["bind"] = {"input": "range", "min": 0, "max": panel.last, "step": step, "name": title}
        reading["bind"] = {"input": "select", "options": panel.readings, "name": "reading "}
    params, filters = [place, reading], [{"filter": "datum.reading == reading"}]
    shown_kinds = list(panel.shown) or panel.kinds
    for field, values, shown in (("name", panel.names, panel.names), ("kind", panel.kinds, shown_kinds)):
        if not controls:
            params.append({"name": f"{field}s", "value": shown})
            filters.append({"filter": f"indexof({field}s, datum.{field}) >= 0"})
        elif len(values) > 1:
            boxes: list[dict[str, Any]] = [
                {"name": f"{field}_{i}", "value": value in shown, "bind": {"input": "checkbox", "name": f"{value} "}}
                for i, value in enumerate(values)
            ]
            params += boxes
            ticked = ", ".join(box["name"] for box in boxes)
            filters.append({"filter": f"[{ticked}][indexof({json.dumps(values)}, datum.{field})]"})
    return params, filters


def _line_layers(panel: Panel, controls: bool, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    line = _line_encoding(panel, controls)
    legend = _LEGEND if controls and len(panel.kinds) > 1 else None
    dashes = [_DASHES[i % len(_DASHES)] for i in range(len(panel.kinds))]
    line["strokeDash"] = _nominal("kind", scale={"domain": panel.kinds, "range": dashes}, legend=legend)
    x = _quantitative("place", title=panel.axis, scale={"domain": [0, panel.last], "nice": False})
    title = panel.readings[0] if len(panel.readings) == 1 else None  # else the list of readings says what is drawn
    y = _quantitative("value", title=title, scale={"zero": False})
    shared = {name: line[name] for name in ("color", "detail")}
    point = {"x": x, "y": y, "tooltip": _tooltips(panel), **shared}
    band = {"x": x, "y": _quantitative("low", title=None), "y2": {"field": "high"}, **shared}
    half = panel.gap / 2
    at_slider = {"filter": f"datum.place - place <= {half} && place - datum.place < {half}"}
    layers = [
        _layer({"type": "line", "strokeWidth": 1.8}, filters, {"x": x, "y": y, **line}),
        _layer({"type": "point", "filled": True, "size": 28, "opacity": 1}, filters, point),
        _layer({"type": "point", "filled": True, "size": 110, "opacity": 1}, [*filters, at_slider], point),
        _layer(
            {"type": "rule", "strokeWidth": 1.5, "strokeDash": [2, 2]},
            [{"calculate": "place", "as": "place"}],
            {"x": x},
        )
        | {"data": {"values": [{}]}},
    ]
    if panel.interval:  # first, so that the lines lie above the band
        layers.insert(0, _layer({"type": "area", "opacity": 0.13, "aria": False}, filters, band))
    return layers


def _mark_layers(panel: Panel, controls: bool, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the layers of the marks, which lie at the bottom, one above the other."""
    kinds = json.dumps(panel.kinds) if controls else "kinds"  # moved from outside: the kinds that are drawn
    rank = f"indexof({json.dumps(panel.names)}, datum.name) + {len(panel.names)} * indexof({kinds}, datum.kind)"
    transforms = [*filters, {"calculate": rank, "as": "rank"}]
    top = max(24, len(panel.names) * len(panel.kinds)) if controls else 24
    shared = {
        **_line_encoding(panel, controls),
        "y": _quantitative("rank", axis=None, scale={"domain": [-0.7, top], "zero": False}),
        "tooltip": [*_tooltips(panel)[:2], _nominal("text", title=f"{panel.mark} (%)")],
    }
    span = {"x": _quantitative("low"), "x2": {"field": "high"}, **shared}
    value = {"x": _quantitative("value"), **shared}
    return [
        _layer({"type": "rule", "strokeWidth": 3, "opacity": 0.45}, transforms, span),
        _layer({"type": "tick", "orient": "vertical", "thickness": 2.5, "size": 9}, transforms, value),
    ]


def _line_encoding(panel: Panel, controls: bool) -> dict[str, Any]:
    """Return what tells lines and their marks apart: the colour, and that each name and kind is a line."""
    colours = {"domain": panel.names, "range": [panel.colours[name] for name in panel.names]}
    legend = _LEGEND if controls and len(panel.names) > 1 else None
    return {"color": _nominal("name", scale=colours, legend=legend), "detail": [_nominal("name"), _nominal("kind")]}


def _tooltips(panel: Panel) -> list[dict[str, Any]]:
    value = f"value [{panel.interval}]" if panel.interval else "value"
    tooltips = [
        _nominal("name", title="name"),
        _nominal("kind", title="kind"),
        _quantitative("place", title=f"at ({panel.unit.strip()})"),
        _nominal("text", title=value),
    ]
    return [*tooltips, _nominal("seeds", title="seeds")] if any(line.seeds for line in panel.lines) else tooltips


def _layer(mark: dict[str, Any], transforms: list[dict[str, Any]], encoding: dict[str, Any]) -> dict[str, Any]:
    return {"mark": mark, "transform": transforms, "encoding": encoding}


def _nominal(field: str, **properties: Any) -> dict[str, Any]:
    return {"field": field, "type": "nominal", **properties}


def _quantitative(field: str, **properties: Any) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", **properties}
