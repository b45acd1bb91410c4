"""A forest plot as HTML: a row for each number, with its interval, the paper's value, and what the claim allows.

The numbers have different units. So each row has a scale of its own, and its numbers stand beside it. Colours come from
the page's style sheet, which has a light and a dark set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

#: Width and height of a row's drawing, and the room at its ends, in the units of its own coordinates.
_WIDTH, _HEIGHT, _ROOM = 220.0, 30.0, 14.0

#: Where the parts of a row lie, from the top.
_MIDDLE, _PAPER, _FOOT = 11.0, 11.0, 28.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the plot.

    Attributes:
        claim: name of the claim.
        page: address of the page that judges it.
        quantity: what the number is, as HTML.
        outcome: the claim's outcome.
        number: the number as plain data (``Number.plain``).
    """

    claim: str
    page: str
    quantity: str
    outcome: str
    number: Mapping[str, Any]


def forest_html(rows: Sequence[Row]) -> str:
    """Return the plot as an HTML table, with the numbers in words in each row."""
    titles = ("Claim", "", "We measure", "Agrees if")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    body = "".join(map(_row, rows))
    return (
        f'<table class="forest"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>\n'
        '<p class="forest-key">Dot and bar: our estimate with its 95% interval. Shaded: where the claim agrees. '
        "Diamond: the paper's value. Each row has a scale of its own; a dash says that the number decides nothing.</p>"
        "\n"
    )


def _row(row: Row) -> str:
    number = row.number
    return (
        f'<tr data-claim="{row.claim}" data-outcome="{escape(row.outcome)}">'
        f'<th scope="row"><a href="{row.page}">{row.claim}</a> {row.quantity}</th>'
        f'<td class="drawing">{_drawing(number)}</td>'
        f'<td class="value">{escape(_value_text(number))}</td>'
        f'<td class="criterion">{escape(_allowed_text(number["allowed"], number["reach"]))}</td></tr>'
    )


def _value_text(number: Mapping[str, Any]) -> str:
    """Return the number in words, without what it was measured on."""
    return str(number["text"]).removesuffix(f" ({number['of']})")


def _allowed_text(allowed: Sequence[float | None] | None, reach: float | None = None) -> str:
    """Return in symbols which values agree with the claim; a dash where the number decides nothing.

    >>> [_allowed_text(ends) for ends in ((None, 1.0), (-1.0, 1.0), (0.0, None), None)]
    ['≤ 1', '−1 to 1', '> 0', '–']
    >>> _allowed_text((0.0, None), reach=14.37)
    '> 0, to 14.37 or more'
    """
    if not allowed:
        return "–"
    low, high = allowed
    if low is None:
        return f"≤ {high:g}"
    if high is not None:
        return f"{_signed(low)} to {high:g}"
    return f"> {low:g}" if reach is None else f"> {low:g}, to {reach:g} or more"


def _signed(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _drawing(number: Mapping[str, Any]) -> str:
    """Return one row's drawing as SVG."""
    scale = _Scale.of(number)
    value, low, high = number["value"], number["low"], number["high"]
    parts = [f'<line class="axis" x1="0" x2="{_WIDTH:g}" y1="{_FOOT - 9:g}" y2="{_FOOT - 9:g}"/>']
    if number["allowed"]:
        first, last = scale.span(number["allowed"])
        size = f'width="{last - first:.1f}" height="{_FOOT - 11:g}"'
        parts.append(f'<rect class="allowed" x="{first:.1f}" y="2" {size}/>')
    if number["paper"]:
        first, last = scale.span(number["paper"])
        if last > first:
            parts.append(f'<line class="paper" x1="{first:.1f}" x2="{last:.1f}" y1="{_PAPER:g}" y2="{_PAPER:g}"/>')
        for place in dict.fromkeys((first, last)):
            parts.append(_diamond(place))
    if low is not None and high is not None and high > low:
        first, last = scale.span((low, high))
        parts.append(f'<line class="interval" x1="{first:.1f}" x2="{last:.1f}" y1="{_MIDDLE:g}" y2="{_MIDDLE:g}"/>')
    parts.append(f'<circle class="ours" cx="{scale.place(value):.1f}" cy="{_MIDDLE:g}" r="4.5"/>')
    for tick in scale.ticks:
        parts.append(f'<text x="{scale.place(tick):.1f}" y="{_FOOT:g}" text-anchor="middle">{_signed(tick)}</text>')
    paper = f"; the paper reports {_paper_text(number['paper'])}" if number["paper"] else ""
    label = f"{number['text']}{paper}"
    drawn = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{escape(label)}">{drawn}</svg>'


def _paper_text(paper: Sequence[float]) -> str:
    low, high = paper
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _diamond(place: float) -> str:
    points = ((0, -6), (5, 0), (0, 6), (-5, 0))
    corners = " ".join(f"{place + x:.1f},{_PAPER + y:.1f}" for x, y in points)
    return f'<polygon class="paper" points="{corners}"/>'


@dataclass(frozen=True)
class _Scale:
    """Where values lie in a row's drawing."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, number: Mapping[str, Any]) -> _Scale:
        """Return the scale that holds an estimate, its interval, the paper's value and the ends of what is allowed."""
        ranges = [number["allowed"] or (), number["paper"] or ()]
        marks = {end for ends in (*ranges, (number["reach"],)) for end in ends if end is not None}
        ends = [number["value"], number["low"], number["high"], *marks]
        known = [end for end in ends if end is not None and math.isfinite(end)]
        low, high = min(known), max(known)
        room = (high - low) * 0.08 or 1.0
        return cls(low - room, high + room, tuple(sorted(marks)))

    def place(self, value: float) -> float:
        """Return where a value lies."""
        return _ROOM + (_WIDTH - 2 * _ROOM) * (value - self.low) / (self.high - self.low)

    def span(self, ends: Sequence[float | None]) -> tuple[float, float]:
        """Return where a range begins and ends; an open end is that of the drawing."""
        first, last = ends
        return (
            0.0 if first is None else max(0.0, self.place(first)),
            _WIDTH if last is None else min(_WIDTH, self.place(last)),
        )
