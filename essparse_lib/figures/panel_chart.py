"""What a notebook and the book show of a panel: its chart, as ``panel_layers`` makes it, with its data beside it."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.estimate import Estimate
from .panel_layers import HEIGHT, MARK, STRIP, chart, dashes, has_marks, shapes

if TYPE_CHECKING:
    from .panels import Panel

#: The type of a notebook's output that holds ``book_data``, from which the book makes its own panel.
MIME = "application/vnd.essparse.panel+json"

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
    "rect": {"color": "currentColor"},
    "text": {"color": "currentColor"},
    "title": {"color": "currentColor"},
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

    A slider moves the place, a list chooses the reading, and check boxes choose the lines that are drawn.
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
        "groups": [
            {"channel": channel, "title": panel.titles[channel], "values": values, "ticked": panel.ticked[channel]}
            for channel, values in panel.values.items()
        ],
        "lines": [{channel: getattr(line, channel) for channel in panel.values} for line in panel.lines],
        "readings": panel.readings,
        "interval": panel.interval,
        "mark": f"{panel.mark} ({panel.unit.strip()})" if has_marks(panel) else None,
        "strip": {"above": HEIGHT, "label": STRIP, "mark": MARK},
        "looks": {"colour": panel.colours, "shape": shapes(panel), "dash": dashes(panel)},
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
    digits = _digits(panel)
    table = []
    for number, line in enumerate(panel.lines):
        for reading, estimates in line.readings.items():
            for i, (place, estimate) in enumerate(zip(line.places, estimates, strict=True)):
                if not estimate.known:
                    continue
                row = _names(panel, number) | {"reading": reading, "place": place}
                row |= _numbers(estimate) if panel.interval else {"value": _rounded(estimate.value)}
                row["text"] = estimate.text(digits[reading])
                if reading in line.seeds:
                    row["seeds"] = line.seeds[reading][i]
                table.append(row)
    return table


def marks(panel: Panel) -> list[dict[str, Any]]:
    """Return a row for each line and reading: its mark, or the words in place of one.

    A mark at the last place is a lower bound. There are no rows if no line has a mark.
    """
    table = []
    for number, line in enumerate(panel.lines if has_marks(panel) else ()):
        for reading in line.readings:
            row = _names(panel, number) | {"reading": reading, "text": line.unmarked}
            if reading in line.marks:
                mark = line.marks[reading]
                row |= _numbers(mark) | {"text": mark.text(digits=0, last=max(line.places))}
            table.append(row)
    return table


def _names(panel: Panel, number: int) -> dict[str, Any]:
    """Return the number of a line, and what its colour, shape and dashes stand for where that has a name."""
    line = panel.lines[number]
    named = {channel: getattr(line, channel) for channel, values in panel.values.items() if values != [""]}
    return {"line": number, **named}


def _numbers(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate as the chart draws it; of a number without an interval both ends are the number itself."""
    ends = (estimate.low, estimate.high) if estimate.has_interval else (estimate.value, estimate.value)
    return {key: _rounded(x) for key, x in zip(("value", "low", "high"), (estimate.value, *ends), strict=True)}


def _digits(panel: Panel) -> dict[str, int]:
    """Return how many digits after the point each reading has in the table."""
    if panel.digits is not None:
        return dict.fromkeys(panel.readings, panel.digits)
    digits = {}
    for reading in panel.readings:
        estimates = [estimate for line in panel.lines for estimate in line.readings.get(reading, ())]
        largest = max((abs(estimate.value) for estimate in estimates if estimate.value), default=1.0)
        digits[reading] = max(0, 2 - math.floor(math.log10(largest)))
    return digits


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.6g}")
