"""The chart of a panel as a Vega-Lite specification: lines with bands over a strip of their marks.

A chart refers to its data by name: ``rows`` (a row for each line, reading and place) and ``marks`` (a row for each line
and reading). It is written as plain data: Altair takes a second to put it together, since it copies and checks all of
it for each layer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .panels import Panel

#: Height of the lines' part of a chart, in pixels.
HEIGHT = 270

#: Heights of the strip under the lines, in pixels: what stands above its marks, and each mark.
STRIP, MARK = 34, 10

#: Dash patterns, by matplotlib's name of the line style.
DASHES = {"-": [1, 0], ":": [2, 2], "--": [7, 3], "-.": [8, 3, 2, 3]}

#: Shapes of points as SVG paths in a square from -1 to 1, in the order in which they are given out.
SHAPES = (
    "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0Z",  # a circle
    "M-.9,-.9H.9V.9H-.9Z",  # a square
    "M0,-1.1L1.1,.9H-1.1Z",  # a triangle that points up
    "M0,-1.3L1.1,0L0,1.3L-1.1,0Z",  # a diamond
    "M-.4,-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4Z",  # a cross
    "M0,1.1L1.1,-.9H-1.1Z",  # a triangle that points down
    "M-1,-1H1L-1,1H1Z",  # an hourglass
    "M-1.1,0L.9,-1.1V1.1Z",  # a triangle that points left
    "M1.1,0L-.9,-1.1V1.1Z",  # a triangle that points right
    "M-1,-1L1,1V-1L-1,1Z",  # a bow tie
)

#: The legend of each channel in a live notebook.
_LEGEND = {"title": None, "orient": "top", "columns": 4, "symbolOpacity": 1}
_LEGENDS = {
    "colour": {**_LEGEND, "symbolType": "circle"},
    "shape": _LEGEND,
    "dash": {**_LEGEND, "symbolType": "stroke", "symbolSize": 400},
}

#: Words in a chart. Like all that is no line or point they are left out of what a screen reader finds in it: Vega gives
#: an empty group of them a role and no name, and the table says the same.
_WORDS = {"type": "text", "align": "left", "baseline": "top", "dx": 4, "fontSize": 11, "aria": False}

#: What is drawn in the strip lies so far under its upper end, in pixels: one mark under the other.
_RANKED = f"height - strip + {STRIP - MARK / 2} + (datum.rank - 1) * min({MARK}, (strip - {STRIP}) / datum.lines)"


def chart(panel: Panel, controls: bool) -> dict[str, Any]:
    """Return a panel's chart as a Vega-Lite specification whose data are named ``rows`` and ``marks``.

    Args:
        panel: the panel.
        controls: whether the chart has legends and a slider, a list and check boxes of its own, or is moved from
            outside by setting its signals ``place``, ``reading``, ``drawn`` (numbers of lines) and ``strip`` (height of
            the strip in pixels).
    """
    params, filters = _params_and_filters(panel, controls)
    lines = [*_guide_layers(panel, filters), *_line_layers(panel, controls, filters)]
    layers: list[dict[str, Any]] = [{"data": {"name": "rows"}, "layer": lines}]
    if has_marks(panel):
        layers += [*_strip_layers(panel), {"data": {"name": "marks"}, "layer": _mark_layers(panel, controls, filters)}]
    if controls:
        layers.append(_words_without_lines(panel))
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": panel.description,
        "title": {"text": {"expr": "reading"}, "anchor": "start", "fontSize": 12, "fontWeight": "normal"},
        "width": "container",
        "height": HEIGHT + strip_height(panel),
        "params": params,
        "layer": layers,
    }


def has_marks(panel: Panel) -> bool:
    """Return whether at least one line of a panel has a mark."""
    return any(line.marks for line in panel.lines)


def strip_height(panel: Panel) -> int:
    """Return the height of the strip under the lines in pixels, for the lines that are drawn at first."""
    return STRIP + MARK * len(panel.drawn) if has_marks(panel) else 0


def dashes(panel: Panel) -> dict[str, list[int]]:
    """Return the dash pattern of each value that dashes stand for."""
    values, names = panel.values["dash"], panel.dashes
    return {value: DASHES[names[i % len(names)]] for i, value in enumerate(values)}


def shapes(panel: Panel) -> dict[str, str]:
    """Return the shape of the points of each value that shapes stand for, as an SVG path."""
    return {value: SHAPES[i % len(SHAPES)] for i, value in enumerate(panel.values["shape"])}


def _params_and_filters(panel: Panel, controls: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the parameters of a chart, and the transforms that keep the rows that are drawn."""
    place: dict[str, Any] = {"name": "place", "value": panel.start}
    reading: dict[str, Any] = {"name": "reading", "value": panel.readings[0] if panel.readings else ""}
    params = [place, reading, {"name": "strip", "value": strip_height(panel)}]
    filters = [{"filter": "datum.reading == reading"}]
    if not controls:
        params.append({"name": "drawn", "value": [panel.lines.index(line) for line in panel.drawn]})
        return params, [*filters, {"filter": "indexof(drawn, datum.line) >= 0"}]
    title = f"at ({panel.unit.strip()}) "
    place["bind"] = {"input": "range", "min": 0, "max": panel.last, "step": panel.step or panel.gap, "name": title}
    reading["bind"] = {"input": "select", "options": panel.readings, "name": "reading "}
    for channel, values in panel.values.items():
        if len(values) > 1:
            boxes = _boxes(panel, channel)
            params += boxes
            ticked = ", ".join(box["name"] for box in boxes)
            filters.append({"filter": f"[{ticked}][indexof({json.dumps(values)}, datum.{channel})]"})
    return params, filters


def _boxes(panel: Panel, channel: str) -> list[dict[str, Any]]:
    """Return a parameter with a check box for each value of a channel."""
    ticked = panel.ticked[channel]
    return [
        {"name": f"{channel}_{i}", "value": value in ticked, "bind": {"input": "checkbox", "name": f"{value} "}}
        for i, value in enumerate(panel.values[channel])
    ]


def _words_without_lines(panel: Panel) -> dict[str, Any]:
    """Return a layer of words that are shown where nothing is ticked."""
    groups = [_boxes(panel, channel) for channel, values in panel.values.items() if len(values) > 1]
    any_of_each = " && ".join(f"({' || '.join(box['name'] for box in boxes)})" for boxes in groups) or "true"
    words = {"type": "text", "text": "No line is drawn. Tick at least one box of each kind.", "fontSize": 14}
    return {"data": {"values": [{}]}, **_layer(words, [{"filter": f"!({any_of_each})"}], {})}


def _guide_layers(panel: Panel, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the layers of the dashed horizontal line, with its words under its left end.

    They are drawn at the height of the lowest value, and unseen, where the reading has no guide: Vega warns of a layer
    that has no rows.
    """
    if not panel.guides:
        return []
    values, words = zip(*panel.guides.values(), strict=True)
    at = f"indexof({json.dumps(list(panel.guides))}, reading)"
    transforms = [
        *filters,
        {"aggregate": [{"op": "min", "field": "value", "as": "lowest"}]},
        {"calculate": f"{at} < 0 ? datum.lowest : {json.dumps(values)}[{at}]", "as": "value"},
        {"calculate": f"{at} < 0 ? '' : {json.dumps(words)}[{at}]", "as": "words"},
    ]
    rule = {"type": "rule", "strokeDash": [6, 4], "opacity": {"expr": f"{at} < 0 ? 0 : 0.7"}, "aria": False}
    text = {"x": {"value": 0}, "y": _y(), "text": _nominal("words")}
    return [_layer(rule, transforms, {"y": _y()}), _layer({**_WORDS, "dy": 3}, transforms, text)]


def _line_layers(panel: Panel, controls: bool, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    colour = _line_encoding(panel, controls)
    stroke = {**colour, "strokeDash": _scaled(panel, "dash", dashes(panel), controls)}
    x, y = _x(panel, "place"), _y()
    shape = _scaled(panel, "shape", shapes(panel), controls)
    point = {"x": x, "y": y, "shape": shape, "tooltip": _tooltips(panel), **colour}
    band = {"x": x, "y": _y("low"), "y2": {"field": "high"}, **colour}
    layers = [
        _layer({"type": "line", "strokeWidth": 1.8}, filters, {"x": x, "y": y, **stroke}),
        _layer({"type": "point", "filled": True, "size": 34, "opacity": 1}, filters, point),
        _layer({"type": "point", "filled": True, "size": 120, "opacity": 1}, [*filters, *_nearest()], point),
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


def _nearest() -> list[dict[str, Any]]:
    """Return transforms that keep of each line the row nearest to the slider; of two, the one at the right."""
    distance = "abs(datum.place - place) + (datum.place < place ? 1e-9 : 0)"
    return [
        {"calculate": distance, "as": "distance"},
        {"joinaggregate": [{"op": "min", "field": "distance", "as": "nearest"}], "groupby": ["line"]},
        {"filter": "datum.distance == datum.nearest"},
    ]


def _strip_layers(panel: Panel) -> list[dict[str, Any]]:
    """Return the ground of the strip, with its label."""
    data: dict[str, Any] = {"data": {"values": [{}]}}
    ground = {"type": "rect", "opacity": 0.07, "aria": False}
    box = {
        "x": {"value": 0},
        "x2": {"value": "width"},
        "y": {"value": {"expr": f"height - max(0, strip - {MARK})"}},
        "y2": {"value": "height"},
    }
    label = f"{panel.mark} ({panel.unit.strip()}), {panel.interval}"
    words: dict[str, Any] = dict(_WORDS)
    words["text"] = {"expr": f"strip > 0 ? {json.dumps(label)} : ''"}
    place = {"x": {"value": 0}, "y": {"value": {"expr": f"height - strip + {MARK + 3}"}}}
    return [data | _layer(ground, [], box), data | _layer(words, [], place)]


def _mark_layers(panel: Panel, controls: bool, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the layers of the marks, which lie in the strip, one under the other."""
    transforms = [
        *filters,
        {"filter": "isValid(datum.value)"},
        {"window": [{"op": "row_number", "as": "rank"}]},
        {"joinaggregate": [{"op": "count", "as": "lines"}]},
        {"calculate": _RANKED, "as": "y"},
    ]
    shared = {
        **_line_encoding(panel, controls),
        "y": _quantitative("y", axis=None, scale=None),
        "tooltip": [*_names(panel), _nominal("text", title=f"{panel.mark} ({panel.unit.strip()}) [{panel.interval}]")],
    }
    span = {"x": _x(panel, "low"), "x2": {"field": "high"}, **shared}
    value = {"x": _x(panel, "value"), **shared}
    if len(panel.values["shape"]) > 1:
        value["shape"] = _scaled(panel, "shape", shapes(panel), controls)
    return [
        _layer({"type": "rule", "strokeWidth": 4, "opacity": 0.4, "aria": False}, transforms, span),
        _layer({"type": "point", "filled": True, "size": 40, "opacity": 1, "aria": False}, transforms, value),
    ]


def _line_encoding(panel: Panel, controls: bool) -> dict[str, Any]:
    """Return what tells lines and their marks apart: the colour, and that each is a line of its own."""
    return {"color": _scaled(panel, "colour", panel.colours, controls), "detail": [_nominal("line")]}


def _scaled(panel: Panel, channel: str, looks: dict[str, Any], controls: bool) -> dict[str, Any]:
    """Return the encoding of a channel by the look of each of its values, with a legend beside controls."""
    legend = _LEGENDS[channel] if controls and len(looks) > 1 else None
    scale = {"domain": list(looks), "range": list(looks.values())}
    return _nominal(channel, scale=scale, legend=legend, title=panel.titles[channel] or None)


def _names(panel: Panel) -> list[dict[str, Any]]:
    """Return the part of a tooltip that says which line it is of."""
    return [_nominal(channel, title=title) for channel, title in panel.titles.items() if title]


def _tooltips(panel: Panel) -> list[dict[str, Any]]:
    axis = panel.axis.split(" (")[0]
    tooltips = [
        *_names(panel),
        _quantitative("place", title=f"{axis} ({panel.unit.strip()})"),
        _nominal("reading", title="reading"),
        _nominal("text", title=f"value [{panel.interval}]" if panel.interval else "value"),
    ]
    return [*tooltips, _nominal("seeds", title="by seed")] if any(line.seeds for line in panel.lines) else tooltips


def _x(panel: Panel, field: str) -> dict[str, Any]:
    scale = {"domain": [0, panel.last], "nice": False}
    return _quantitative(field, title=panel.axis, scale=scale, axis={"grid": False, "titleFontWeight": "normal"})


def _y(field: str = "value") -> dict[str, Any]:
    """Return the encoding of the lines' vertical place, above the strip."""
    scale = {"zero": False, "range": [{"expr": "height - strip"}, 0]}
    return _quantitative(field, title=None, scale=scale, axis={"tickCount": 6})


def _layer(mark: dict[str, Any], transforms: list[dict[str, Any]], encoding: dict[str, Any]) -> dict[str, Any]:
    return {"mark": mark, "transform": transforms, "encoding": encoding}


def _nominal(field: str, **properties: Any) -> dict[str, Any]:
    return {"field": field, "type": "nominal", **properties}


def _quantitative(field: str, **properties: Any) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", **properties}
