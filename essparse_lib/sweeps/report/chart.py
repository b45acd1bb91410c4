"""The chart of a report's page: a drawing for each frame, which stands there whole before any script runs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from .elements import add
from .facts import Facts
from .frames import Frame, tick_step, tick_texts

#: The drawing, and its frame in it.
WIDTH, HEIGHT = 420, 330
LEFT, RIGHT, TOP, BOTTOM = 62, 410, 14, 276


def x_of(frame: Frame, sparsity: float) -> float:
    """Return where a sparsity lies in the drawing, from the left."""
    return round(LEFT + (RIGHT - LEFT) * sparsity / frame.last, 2)


def y_of(frame: Frame, loss: float) -> float:
    """Return where a loss lies in the drawing, from the top; what lies far outside of the frame ends close to it."""
    height = min(max(frame.height(loss), -0.5), 1.5)
    return round(BOTTOM - (BOTTOM - TOP) * height, 2)


def add_chart(parent: Element, facts: Facts, frame: Frame, number: int) -> None:
    """Add the drawing of a frame to a page.

    Args:
        parent: the element that it is added to.
        facts: the facts.
        frame: the frame.
        number: of the frame on the page.
    """
    drawing = add(parent, "svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=_description(facts, frame))
    clip = add(add(drawing, "defs"), "clipPath", id=f"frame-{number}")
    add(clip, "rect", x=LEFT, y=TOP - 2, width=RIGHT - LEFT + 6, height=BOTTOM - TOP + 4)
    _add_axes(drawing, facts, frame)
    inside = add(drawing, "g", clip_path=f"url(#frame-{number})")
    _add_guides(inside, facts, frame)
    _add_curve(inside, facts, frame)
    _add_essential(inside, facts, frame)
    place = facts.places[facts.start]
    x, y = x_of(frame, place.sparsity), y_of(frame, place.loss.value)
    cursor = add(inside, "g", class_="cursor")
    add(cursor, "line", x1=x, x2=x, y1=TOP, y2=BOTTOM)
    add(cursor, "circle", cx=x, cy=y, r=6)


def _description(facts: Facts, frame: Frame) -> str:
    """Return what a drawing shows, for those who do not see it."""
    last = facts.places[-1]
    title = f", {frame.title}" if frame.title else ""
    return (
        f"A line chart{title}: {facts.unit.axis} by sparsity, from 0% to {last.name}, where it is {last.loss.text}. "
        "The table of measured levels has the same numbers."
    )


def _add_axes(drawing: Element, facts: Facts, frame: Frame) -> None:
    axes = add(drawing, "g", class_="axes")
    ticks = frame.ticks()
    for tick, text in zip(ticks, tick_texts(ticks), strict=True):
        y = y_of(frame, tick)
        add(axes, "line", x1=LEFT, x2=RIGHT, y1=y, y2=y)
        add(axes, "text", text, x=LEFT - 7, y=y + 5, text_anchor="end")
    step = tick_step(100 * frame.last)
    for tick in range(math.floor(100 * frame.last / step + 1e-9) + 1):
        percent = step * tick
        x = x_of(frame, percent / 100)
        add(axes, "line", x1=x, x2=x, y1=BOTTOM, y2=BOTTOM + 5)
        add(axes, "text", f"{percent:g}", x=x, y=BOTTOM + 21, text_anchor="middle")
    middle = (TOP + BOTTOM) / 2
    add(axes, "text", "sparsity (% of the weights)", x=(LEFT + RIGHT) / 2, y=HEIGHT - 8, text_anchor="middle")
    turned = f"rotate(-90 14 {middle})"
    add(axes, "text", facts.unit.axis, x=14, y=middle, text_anchor="middle", transform=turned)


def _add_guides(inside: Element, facts: Facts, frame: Frame) -> None:
    """Add the lines that are not data: no loss, the tolerance, and a model that learned nothing."""
    for name, loss in (("none", 0.0), ("tolerance", facts.tolerance), ("floor", facts.floor)):
        if not math.isnan(loss) and frame.holds(loss):
            y = y_of(frame, loss)
            add(inside, "line", class_=name, x1=LEFT, x2=RIGHT, y1=y, y2=y)


def _add_curve(inside: Element, facts: Facts, frame: Frame) -> None:
    """Add the band, a thin line for each seed, the line of the mean with its levels, and crosses for failures."""
    upper = [(place.sparsity, place.loss.high) for place in facts.places]
    lower = [(place.sparsity, place.loss.low) for place in reversed(facts.places)]
    add(inside, "polygon", class_="band", points=_points(frame, upper + lower))
    for seed in range(len(facts.seeds) if len(facts.seeds) > 1 else 0):
        losses = [(level.sparsity, level.losses[seed]) for level in facts.levels]
        known = [(sparsity, loss) for sparsity, loss in losses if loss is not None]
        add(inside, "polyline", class_="seed", points=_points(frame, known))
    means = [(place.sparsity, place.loss.value) for place in facts.places]
    add(inside, "polyline", class_="mean", points=_points(frame, means))
    for place in facts.places:
        if place.measured and frame.holds(place.loss.value):
            add(inside, "circle", class_="level", cx=x_of(frame, place.sparsity), cy=y_of(frame, place.loss.value), r=4)
    for level in facts.levels:
        if level.failures:
            x, y = x_of(frame, level.sparsity), y_of(frame, 0.0)
            add(inside, "path", class_="failure", d=f"M{x - 5} {y - 5}l10 10m0 -10l-10 10")


def _add_essential(inside: Element, facts: Facts, frame: Frame) -> None:
    """Add the mark of the essential sparsity and its interval, at the bottom."""
    essential = facts.essential
    if math.isnan(essential.value):
        return
    low, value, high = (x_of(frame, share) for share in (essential.low, essential.value, essential.high))
    y = BOTTOM - 12
    mark = add(inside, "g", class_="essential")
    add(mark, "line", class_="interval", x1=low, x2=high, y1=y, y2=y)
    add(mark, "line", class_="value", x1=value, x2=value, y1=y - 8, y2=y + 8)


def _points(frame: Frame, places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x_of(frame, sparsity)},{y_of(frame, loss)}" for sparsity, loss in places)
