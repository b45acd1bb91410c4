"""Interactive panels: lines with their intervals, to be read at a slider; charts of Altair, with or without a kernel.

In a notebook a panel shows as an Altair chart. The book puts its own controls around the same chart
(``book/_static/panels.js``), which take the keyboard too, and reads the numbers out in a table.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.curves import Curve
from ..analysis.essential import EPSILON, essential_sparsity
from ..analysis.estimate import Estimate
from . import style
from .panel_chart import BOOK, chart

if TYPE_CHECKING:
    import altair as alt

#: Under this type a notebook's output has what the book makes a panel of.
MIME = "application/vnd.essparse.panel+json"

#: Readings of a curve, by what they are called: the first is the one that is drawn first.
CHANGE, PERCENT, SCORE = "change (points)", "change (% of dense)", "score"


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
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
        palette: the names that colours are given to, in their order; those of the lines, if none is named.
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
    palette: Sequence[str] = ()
    unit: str = "%"
    digits: int = 1

    def __post_init__(self) -> None:
        if len({(line.name, line.kind) for line in self.lines}) < len(self.lines):
            raise ValueError("two lines have the same name and kind, and could not be told apart")

    def chart(self) -> alt.LayerChart:
        """The chart with Altair's own slider and choice, for a live notebook."""
        return chart(self, bound=True)

    def data(self) -> dict[str, Any]:
        """What the book's panel is made of, as plain data."""
        return {
            "spec": {**chart(self, bound=False).to_dict(), "config": BOOK},
            "words": self.words,
            "across": self.across,
            "unit": self.unit,
            "slider": {"from": 0, "to": self.last, "step": self.step or self.gap, "start": self.start},
            "gap": self.gap,
            "names": self.names,
            "kinds": self.kinds,
            "shown": list(self.shown) or self.kinds,
            "readings": self.readings,
            "interval": self.interval,
            "legends": self.legends,
            "mark": self.mark if any(line.marks for line in self.lines) else None,
            "colours": self.colours,
        }

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown = self.chart()._repr_mimebundle_()
        bundle = dict(shown[0] if isinstance(shown, tuple) else shown)
        return {**bundle, MIME: self.data(), "text/plain": self.words}

    @cached_property
    def names(self) -> list[str]:
        """Those of its lines, each once."""
        return list(dict.fromkeys(line.name for line in self.lines))

    @cached_property
    def kinds(self) -> list[str]:
        """Those of its lines, each once."""
        return list(dict.fromkeys(line.kind for line in self.lines))

    @cached_property
    def readings(self) -> list[str]:
        """What can be read off any of its lines."""
        return list(dict.fromkeys(reading for line in self.lines for reading in line.readings))

    @cached_property
    def colours(self) -> dict[str, str]:
        """By name, as ``#rrggbb``."""
        from matplotlib.colors import to_hex

        found = style.colours(self.palette or self.names)
        return {name: to_hex(found[name]) for name in self.names}

    @cached_property
    def last(self) -> float:
        """The largest place of any line."""
        return max((place for line in self.lines for place in line.across), default=100)

    @cached_property
    def gap(self) -> float:
        """The smallest distance of two places of one line."""
        gaps = [float(np.diff(sorted(line.across)).min()) for line in self.lines if len(line.across) > 1]
        return round(min(gaps, default=10.0), 6)


def of_curves(
    kinds: Mapping[str, Sequence[Curve]],
    words: str,
    name: Callable[[Curve], str] = lambda curve: curve.task,
    **rest: Any,
) -> Panel | None:
    """A panel of curves of performance against sparsity; None, which a notebook does not show, if there are none.

    Args:
        kinds: curves by what they have in common and the others have not, such as the way to prune.
        words: the chart in words.
        name: what its colour says of a curve.
        rest: as ``Panel`` takes it.
    """
    lines = [_of_curve(curve, name(curve), kind) for kind, own in kinds.items() for curve in own]
    return Panel(lines=lines, across=style.SPARSITY, words=words, **rest) if lines else None


def by_model(found: Sequence[Curve]) -> dict[str, list[Curve]]:
    """Curves, by the names of their models."""
    return {model: [c for c in found if c.model == model] for model in dict.fromkeys(c.model for c in found)}


def by_model_and_way(ways: Mapping[str, Sequence[Curve]]) -> dict[str, list[Curve]]:
    """Curves that pruning made, by model and way; by the way alone where all are of one model."""
    curves = {way: [curve for curve in own if len(curve.levels) > 1] for way, own in ways.items()}
    several = len({curve.model for own in curves.values() for curve in own}) > 1
    named = {(model, way): own for way, found in curves.items() for model, own in by_model(found).items()}
    return {f"{model}, {way}" if several else way: own for (model, way), own in named.items()}


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
        name=name,
        kind=kind,
        across=[round(100 * float(level), 6) for level in curve.levels],
        readings={**flip, SCORE: curve.score_estimates()},
        seeds=dict.fromkeys((CHANGE, PERCENT, SCORE), seeds),
        marks={reading: mark for reading, mark in marks.items() if not np.isnan(mark.value)},
    )
