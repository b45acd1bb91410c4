"""The chart of a panel, by Altair: lines with bands, larger where the slider stands, and marks at the bottom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.estimate import Estimate

if TYPE_CHECKING:
    import altair as alt

    from .panels import Panel

_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 3], [4, 2, 1, 2])

#: In the book all that is not data has the colour of the page's text, light or dark.
BOOK = {
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


def _rows(panel: Panel) -> list[dict[str, Any]]:
    """A row for each line, reading and place."""
    return [
        {
            "name": line.name,
            "kind": line.kind,
            "reading": reading,
            "across": place,
            **_plain(estimate, panel),
            **({"seeds": line.seeds[reading][i]} if reading in line.seeds else {}),
        }
        for line in panel.lines
        for reading, estimates in line.readings.items()
        for i, (place, estimate) in enumerate(zip(line.across, estimates, strict=True))
        if not np.isnan(estimate.value)
    ]


def _marks(panel: Panel) -> list[dict[str, Any]]:
    return [
        {"name": line.name, "kind": line.kind, "reading": reading, **_plain(mark, panel, max(line.across))}
        for line in panel.lines
        for reading, mark in line.marks.items()
    ]


def _plain(estimate: Estimate, panel: Panel, last: float = np.inf) -> dict[str, Any]:
    """Its numbers for the chart, and its words for whoever reads; from ``last`` on with ≥."""
    text = estimate.text(panel.digits, last=last)
    if not panel.interval:
        return {"value": _rounded(estimate.value), "text": text.split(" [")[0]}
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {**{key: _rounded(x) for key, x in numbers.items()}, "text": text}


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.6g}")


def chart(panel: Panel, bound: bool) -> alt.LayerChart:
    """The chart; ``bound`` to controls of its own, or to be moved by the book's."""
    import altair as alt

    names, kinds, readings, gap = panel.names, panel.kinds, panel.readings, panel.gap
    low, high = 0, panel.last
    slider = alt.binding_range(min=low, max=high, step=panel.step or gap, name=f"at ({panel.unit.strip()}) ")
    choice = alt.binding_select(options=readings, name="reading ")
    asked = alt.param(name="place", value=panel.start, **({"bind": slider} if bound else {}))
    reading = alt.param(name="reading", value=readings[0] if readings else "", **({"bind": choice} if bound else {}))
    lists = [alt.param(name="names", value=names), alt.param(name="kinds", value=list(panel.shown) or kinds)]

    wanted = "datum.reading == reading && indexof(names, datum.name) >= 0 && indexof(kinds, datum.kind) >= 0"
    base = alt.Chart().transform_filter(wanted)  # of the layers' data, which is written once
    above = alt.Legend(title=None, orient="top", columns=4)
    colours = alt.Scale(domain=names, range=list(panel.colours.values()))
    colour = alt.Color("name:N", scale=colours, legend=above if bound and len(names) > 1 else None)
    patterns = alt.Scale(domain=kinds, range=[_DASHES[i % len(_DASHES)] for i in range(len(kinds))])
    dashes = alt.StrokeDash("kind:N", scale=patterns, legend=above if bound and len(kinds) > 1 else None)
    across = alt.X("across:Q", title=panel.across, scale=alt.Scale(domain=[low, high], nice=False))
    up = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False))
    titles = {"name:N": "name", "kind:N": "kind", "across:Q": f"at ({panel.unit.strip()})"}
    titles["text:N"] = f"value [{panel.interval}]" if panel.interval else "value"
    titles |= {"seeds:N": "seeds"} if any(line.seeds for line in panel.lines) else {}
    told = [alt.Tooltip(field, title=title) for field, title in titles.items()]
    plain = {"detail": ["name:N", "kind:N"], "color": colour}
    layers: list[Any] = [
        base.mark_line(strokeWidth=1.8).encode(x=across, y=up, strokeDash=dashes, **plain),
        base.mark_point(filled=True, size=28, opacity=1).encode(x=across, y=up, tooltip=told, **plain),
        base.transform_filter(f"datum.across - place <= {gap / 2} && place - datum.across < {gap / 2}")
        .mark_point(filled=True, size=110, opacity=1)
        .encode(x=across, y=up, tooltip=told, **plain),
        alt.Chart(alt.Data(values=[{}]))
        .mark_rule(strokeWidth=1.5, strokeDash=[2, 2])
        .transform_calculate(across="place")
        .encode(x=across),
    ]
    if panel.interval:
        band = base.mark_area(opacity=0.13, aria=False)
        layers.insert(0, band.encode(x=across, y=alt.Y("low:Q", title=None), y2="high:Q", **plain))
    lines = alt.layer(*layers, data=alt.Data(values=_rows(panel)))
    if marks := _marks(panel):
        # at the bottom, one above the other
        rank = f"indexof({json.dumps(names)}, datum.name) + {len(names)} * indexof(kinds, datum.kind)"
        place = alt.Y("rank:Q", scale=alt.Scale(domain=[-0.7, 24], zero=False), axis=None)
        spots = alt.Chart().transform_filter(wanted).transform_calculate(rank=rank)
        said = [*told[:2], alt.Tooltip("text:N", title=f"{panel.mark} (%)")]
        plain |= {"y": place, "tooltip": said}
        spans = spots.mark_rule(strokeWidth=3, opacity=0.45).encode(x="low:Q", x2="high:Q", **plain)
        ticks = spots.mark_tick(orient="vertical", thickness=2.5, size=9).encode(x="value:Q", **plain)
        lines = alt.layer(lines, alt.layer(spans, ticks, data=alt.Data(values=marks))).resolve_scale(y="independent")
    return lines.add_params(asked, reading, *lists).properties(width="container", height=300, description=panel.words)
