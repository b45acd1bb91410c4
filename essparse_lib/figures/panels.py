"""Interactive panels: lines with their intervals, to be read at a slider; charts of Altair, with or without a kernel.

In a notebook a panel shows as an Altair chart. The book puts its own controls around the same chart
(``book/_static/panels.js``), which take the keyboard too, and reads the numbers out in a table.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..study.curves import Curve, Estimate
from ..study.essential import EPSILON, essential_sparsity
from . import style

if TYPE_CHECKING:
    import altair as alt

#: Under this type a notebook's output has what the book makes a panel of.
MIME = "application/vnd.essparse.panel+json"

#: Readings of a curve, by what they are called: the first is the one that is drawn first.
CHANGE, PERCENT, SCORE = "change (points)", "change (% of dense)", "score"


@dataclass(frozen=True)
class Line:
    """What is drawn as one line, and can be turned off.

    Attributes:
        name: what its colour says, such as the task.
        kind: what its dashes say, such as the model or the way to prune.
        across: where it was measured, shape (places,).
        readings: by what is read, an estimate a place.
        seeds: by what is read, a place each, the single seeds in words.
        marks: by what is read, a place on the axis with its interval, if there is one: the essential sparsity.
    """

    name: str
    kind: str
    across: Sequence[float]
    readings: Mapping[str, Sequence[Estimate]]
    seeds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    marks: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """Lines to be compared at one place.

    Attributes:
        lines: each of another name or kind.
        across: what the axis says, with its unit.
        words: the chart in words, for those who do not see it.
        start: where the slider stands at first.
        shown: the kinds that are drawn at first; all, if none is named.
        step: of the slider; None for the smallest distance of two places.
        mark: what a line's ``marks`` are called.
        interval: what the low and the high of an estimate are; empty where there are none, and it is the value alone.
        unit: of places on the axis.
        digits: of the numbers in the table.
        legends: what names and kinds are called where they are turned on and off.
    """

    lines: Sequence[Line]
    across: str
    words: str
    start: float = 40.0
    shown: Sequence[str] = ()
    step: float | None = None
    mark: str = "essential sparsity"
    interval: str = "95%"
    legends: tuple[str, str] = ("Tasks", "Lines")
    unit: str = "%"
    digits: int = 1

    def chart(self) -> alt.LayerChart:
        """The chart with Altair's own slider and choice, for a live notebook."""
        return _chart(self, bound=True)

    def data(self) -> dict[str, Any]:
        """What the book's panel is made of, as plain data."""
        gap = self._gap()
        return {
            "spec": {**_chart(self, bound=False).to_dict(), "config": _BOOK},
            "words": self.words,
            "across": self.across,
            "unit": self.unit,
            "slider": {"from": 0, "to": self._last(), "step": self.step or gap, "start": self.start},
            "gap": gap,
            "names": self._names(),
            "kinds": self._kinds(),
            "shown": list(self.shown) or self._kinds(),
            "readings": self._readings(),
            "interval": self.interval,
            "legends": self.legends,
            "mark": self.mark if any(line.marks for line in self.lines) else None,
            "colours": dict(zip(self._names(), self._colours(), strict=True)),
        }

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown = self.chart()._repr_mimebundle_()
        bundle = dict(shown[0] if isinstance(shown, tuple) else shown)
        return {**bundle, MIME: self.data(), "text/plain": self.words}

    def _names(self) -> list[str]:
        return list(dict.fromkeys(line.name for line in self.lines))

    def _kinds(self) -> list[str]:
        return list(dict.fromkeys(line.kind for line in self.lines))

    def _readings(self) -> list[str]:
        return list(dict.fromkeys(reading for line in self.lines for reading in line.readings))

    def _colours(self) -> list[str]:
        from matplotlib.colors import to_hex

        return [to_hex(colour) for colour in style.colours(self._names()).values()]

    def _last(self) -> float:
        return max((place for line in self.lines for place in line.across), default=100)

    def _gap(self) -> float:
        """The smallest distance of two places of one line."""
        gaps = [float(np.diff(sorted(line.across)).min()) for line in self.lines if len(line.across) > 1]
        return round(min(gaps, default=10.0), 6)


def of_curves(kinds: Mapping[str, Sequence[Curve]], words: str, name: str = "task", **rest: Any) -> Panel | None:
    """A panel of curves of performance against sparsity; None, which a notebook does not show, if there are none.

    Args:
        kinds: curves by what they have in common and the others have not, such as the way to prune.
        words: the chart in words.
        name: which attribute of a curve names its colour: ``task`` or ``model``.
        rest: as ``Panel`` takes it.
    """
    lines = [_of_curve(curve, getattr(curve, name), kind) for kind, own in kinds.items() for curve in own]
    return Panel(lines, style.SPARSITY, words, **rest) if lines else None


def by_model(found: Sequence[Curve]) -> dict[str, list[Curve]]:
    """Curves, by the names of their models."""
    return {model: [c for c in found if c.model == model] for model in dict.fromkeys(c.model for c in found)}


def book_html(data: Mapping[str, Any]) -> str:
    """The element that the book's script makes a panel of, from ``Panel.data()``."""
    plain = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return (
        f'<div class="panel"><script type="application/json">{plain}</script>'
        f"<noscript><p>{html.escape(data['words'])} To be moved, it needs JavaScript.</p></noscript></div>"
    )


def _of_curve(curve: Curve, name: str, kind: str) -> Line:
    flip = {
        reading: [-drop for drop in curve.drop_estimates(relative)]
        for reading, relative in ((CHANGE, False), (PERCENT, True))
    }
    marks = {}
    if curve.learned() and len(curve.levels) > 2:
        absolute = essential_sparsity(curve, EPSILON)
        marks = {CHANGE: absolute, PERCENT: essential_sparsity(curve, EPSILON, True), SCORE: absolute}
        marks = {reading: Estimate(*(100 * x for x in (e.value, e.low, e.high))) for reading, e in marks.items()}
    seeds = [
        ", ".join(f"{seed}: {score:.1f}" for seed, score in zip(curve.seeds, column, strict=True) if score == score)
        for column in curve.scores.T
    ]
    return Line(
        name,
        kind,
        [round(100 * float(level), 6) for level in curve.levels],
        {**flip, SCORE: curve.score_estimates()},
        dict.fromkeys((CHANGE, PERCENT, SCORE), seeds),
        {reading: mark for reading, mark in marks.items() if not np.isnan(mark.value)},
    )


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
        {"name": line.name, "kind": line.kind, "reading": reading, **_plain(mark, panel)}
        for line in panel.lines
        for reading, mark in line.marks.items()
    ]


def _plain(estimate: Estimate, panel: Panel) -> dict[str, Any]:
    """Its numbers for the chart, and its words for whoever reads."""
    text = estimate.text(panel.digits)
    if not panel.interval:
        return {"value": _rounded(estimate.value), "text": text.split(" [")[0]}
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {**{key: _rounded(x) for key, x in numbers.items()}, "text": text}


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.6g}")


def _chart(panel: Panel, bound: bool) -> alt.LayerChart:
    """The chart; ``bound`` to controls of its own, or to be moved by the book's."""
    import altair as alt

    names, kinds, readings, gap = panel._names(), panel._kinds(), panel._readings(), panel._gap()
    low, high = 0, panel._last()
    slider = alt.binding_range(min=low, max=high, step=panel.step or gap, name=f"at ({panel.unit.strip()}) ")
    choice = alt.binding_select(options=readings, name="reading ")
    asked = alt.param(name="place", value=panel.start, **({"bind": slider} if bound else {}))
    reading = alt.param(name="reading", value=readings[0] if readings else "", **({"bind": choice} if bound else {}))
    lists = [alt.param(name="names", value=names), alt.param(name="kinds", value=list(panel.shown) or kinds)]

    wanted = "datum.reading == reading && indexof(names, datum.name) >= 0 && indexof(kinds, datum.kind) >= 0"
    base = alt.Chart().transform_filter(wanted)  # of the layers' data, which is written once
    above = alt.Legend(title=None, orient="top", columns=4)
    colours = alt.Scale(domain=names, range=panel._colours())
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
        chart = alt.layer(lines, alt.layer(spans, ticks, data=alt.Data(values=marks))).resolve_scale(y="independent")
    else:
        chart = lines
    return chart.add_params(asked, reading, *lists).properties(width="container", height=300, description=panel.words)


_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])

#: In the book all that is not data has the colour of the page's text, light or dark.
_BOOK = {
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
