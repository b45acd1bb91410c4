"""The chart of a panel, by Altair: lines with bands, larger points at the slider, and marks at the bottom.

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
    import altair as alt

    from .panels import Panel

#: The type of a notebook's output that holds ``book_data``, from which the book makes its own panel.
MIME = "application/vnd.essparse.panel+json"

_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 3], [4, 2, 1, 2])

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

    A slider moves the place, a list chooses the reading, and a click on a legend chooses what is drawn (several with
    the shift key).
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

    Args:
        panel: the panel.
        controls: whether the chart has a slider, a list and legends of its own, or is moved from outside by setting
            its signals ``place``, ``reading``, ``names`` and ``kinds``.
    """
    import altair as alt

    encodings = _Encodings(panel, controls)
    drawn = alt.layer(*_line_layers(panel, encodings), data=alt.NamedData(name="rows"))
    if any(line.marks for line in panel.lines):
        spots = alt.layer(*_mark_layers(panel, encodings), data=alt.NamedData(name="marks"))
        drawn = alt.layer(drawn, spots).resolve_scale(y="independent")
    drawn = drawn.add_params(*encodings.params)
    return drawn.properties(width="container", height=300, description=panel.description).to_dict()


class _Encodings:
    """What all layers of a chart share: its parameters, its filters, colours, dashes, tooltips and axes.

    Data are never put into these objects: Altair would copy and check them again for each layer.
    """

    def __init__(self, panel: Panel, controls: bool) -> None:
        import altair as alt

        self.controls = controls
        names, kinds, readings = panel.names, panel.kinds, panel.readings
        unit = panel.unit.strip()
        slider = alt.binding_range(min=0, max=panel.last, step=panel.step or panel.gap, name=f"at ({unit}) ")
        choice = alt.binding_select(options=readings, name="reading ")
        self.params = [
            alt.param(name="place", value=panel.start, **({"bind": slider} if controls else {})),
            alt.param(name="reading", value=readings[0] if readings else "", **({"bind": choice} if controls else {})),
        ]
        self.filters: list[Any] = ["datum.reading == reading"]
        for field, values, shown in (("name", names, names), ("kind", kinds, list(panel.shown) or kinds)):
            if not controls:
                self.params.append(alt.param(name=f"{field}s", value=shown))
                self.filters.append(f"indexof({field}s, datum.{field}) >= 0")
            elif len(values) > 1:
                first = [{field: value} for value in shown] if len(shown) < len(values) else alt.Undefined
                selection = alt.selection_point(name=f"{field}s", fields=[field], bind="legend", value=first)
                self.params.append(selection)
                self.filters.append(selection)

        legend = alt.Legend(title=None, orient="top", columns=4)
        colours = alt.Scale(domain=names, range=[panel.colours[name] for name in names])
        patterns = alt.Scale(domain=kinds, range=[_DASHES[i % len(_DASHES)] for i in range(len(kinds))])
        colour = alt.Color("name:N", scale=colours, legend=legend if controls and len(names) > 1 else None)
        self.line = {"detail": ["name:N", "kind:N"], "color": colour}
        self.dashes = alt.StrokeDash("kind:N", scale=patterns, legend=legend if controls and len(kinds) > 1 else None)
        self.x = alt.X("place:Q", title=panel.axis, scale=alt.Scale(domain=[0, panel.last], nice=False))
        self.y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False))

        value_title = f"value [{panel.interval}]" if panel.interval else "value"
        titles = {"name:N": "name", "kind:N": "kind", "place:Q": f"at ({unit})", "text:N": value_title}
        if any(line.seeds for line in panel.lines):
            titles["seeds:N"] = "seeds"
        self.tooltips = [alt.Tooltip(field, title=title) for field, title in titles.items()]

    def filtered(self) -> alt.Chart:
        """Return a chart of the rows that are drawn now, without a mark yet."""
        import altair as alt

        base = alt.Chart()
        for condition in self.filters:
            base = base.transform_filter(condition)
        return base


def _line_layers(panel: Panel, encodings: _Encodings) -> list[Any]:
    import altair as alt

    base, x, y, half = encodings.filtered(), encodings.x, encodings.y, panel.gap / 2
    at_slider = base.transform_filter(f"datum.place - place <= {half} && place - datum.place < {half}")
    points = {"x": x, "y": y, "tooltip": encodings.tooltips, **encodings.line}
    layers: list[Any] = []
    if panel.interval:
        band = base.mark_area(opacity=0.13, aria=False)
        layers.append(band.encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q", **encodings.line))
    layers += [
        base.mark_line(strokeWidth=1.8).encode(x=x, y=y, strokeDash=encodings.dashes, **encodings.line),
        base.mark_point(filled=True, size=28, opacity=1).encode(**points),
        at_slider.mark_point(filled=True, size=110, opacity=1).encode(**points),
        alt.Chart(alt.Data(values=[{}]))
        .mark_rule(strokeWidth=1.5, strokeDash=[2, 2])
        .transform_calculate(place="place")
        .encode(x=x),
    ]
    return layers


def _mark_layers(panel: Panel, encodings: _Encodings) -> list[Any]:
    """Return the layers of the marks, which lie at the bottom, one above the other."""
    import altair as alt

    kinds = json.dumps(panel.kinds) if encodings.controls else "kinds"  # moved from outside: the kinds that are drawn
    rank = f"indexof({json.dumps(panel.names)}, datum.name) + {len(panel.names)} * indexof({kinds}, datum.kind)"
    spots = encodings.filtered().transform_calculate(rank=rank)
    top = max(24, len(panel.names) * len(panel.kinds)) if encodings.controls else 24
    shared = {
        **encodings.line,
        "y": alt.Y("rank:Q", scale=alt.Scale(domain=[-0.7, top], zero=False), axis=None),
        "tooltip": [*encodings.tooltips[:2], alt.Tooltip("text:N", title=f"{panel.mark} (%)")],
    }
    spans = spots.mark_rule(strokeWidth=3, opacity=0.45).encode(x="low:Q", x2="high:Q", **shared)
    ticks = spots.mark_tick(orient="vertical", thickness=2.5, size=9).encode(x="value:Q", **shared)
    return [spans, ticks]
