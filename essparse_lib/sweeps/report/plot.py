"""The picture of a sweep's curve, for slides and papers: the frames of the report's chart in the house style."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...figures import style
from .facts import Facts
from .frames import Frame, frames, tick_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The formats of the picture, with what would change from day to day or from one version to the next left out.
_METADATA: dict[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}

_CURVE = "#0173b2"


def pictures(facts: Facts) -> dict[str, bytes]:
    """Return the picture by format, ``svg`` and ``png``; nothing where matplotlib is not installed.

    The same facts make the same bytes.
    """
    try:
        import matplotlib as mpl
        import matplotlib.pyplot as plt
    except ImportError:
        return {}
    made = {}
    # loaded within the context, a notebook's backend would forget at its end that figures are to be shown
    plt.switch_backend(mpl.get_backend())
    with mpl.rc_context(style.look() | {"svg.hashsalt": "essparse", "savefig.dpi": 160}):
        figure = draw(facts)
        for format_, metadata in _METADATA.items():
            file = io.BytesIO()
            figure.savefig(file, format=format_, metadata=metadata)
            made[format_] = file.getvalue()
        plt.close(figure)
    return made


def draw(facts: Facts) -> Figure:
    """Draw what is lost by sparsity: its mean, seeds and 95% band, the tolerance and the essential sparsity."""
    views = frames(facts)
    if not views:
        return style.note("too little is measured for a curve")
    titles = [frame.title for frame in views]
    figure, axes = style.titled_axes(titles, y=facts.unit.axis, x=style.SPARSITY, height=3.4)
    for frame, ax in zip(views, axes, strict=True):
        _draw_frame(ax, facts, frame)
    style.line_legend(figure, _legend(facts, views), columns=3)
    return figure


def _draw_frame(ax: Axes, facts: Facts, frame: Frame) -> None:
    percent = [100 * place.sparsity for place in facts.places]
    most = 100 * frame.most  # beyond the frame, and finite
    losses = [[min(end, most) for end in (p.loss.value, p.loss.low, p.loss.high)] for p in facts.places]
    means, lows, highs = np.array(losses).T
    if frame.logarithmic:
        ax.set_yscale("function", functions=(lambda rise: np.log1p(np.maximum(rise, -99) / 100), _rise))
    ticks = frame.ticks()
    ax.set_yticks(ticks, tick_texts(ticks))
    ax.set_ylim(*((frame.least, frame.most) if frame.rises else (frame.most, frame.least)))
    ax.axhline(facts.tolerance, color=style.GUIDE, linestyle="--", linewidth=1)
    if frame.holds(facts.floor):
        ax.axhline(facts.floor, color=style.GUIDE, linestyle=":", linewidth=1)
    ax.fill_between(percent, lows, highs, color=_CURVE, alpha=0.2, linewidth=0)
    of_seeds = np.array([level.losses for level in facts.levels], dtype=float)
    if len(facts.seeds) > 1:
        ax.plot([100 * level.sparsity for level in facts.levels], of_seeds, color=_CURVE, linewidth=0.6, alpha=0.6)
    ax.plot(percent, means, color=_CURVE, linewidth=1.6)
    at = [i for i, place in enumerate(facts.places) if place.measured]
    ax.plot([percent[i] for i in at], means[at], "o", color=_CURVE, markersize=3.5)
    for level in facts.levels:
        if level.failures:
            ax.plot(100 * level.sparsity, 0, "x", color=_CURVE)
    essential = facts.essential
    if not math.isnan(essential.value):
        bottom: dict[str, Any] = {"color": _CURVE, "transform": ax.get_xaxis_transform()}
        ax.plot([100 * essential.low, 100 * essential.high], [0.04, 0.04], linewidth=3, alpha=0.35, **bottom)
        ax.plot(100 * essential.value, 0.04, "|", markersize=12, markeredgewidth=2, **bottom)


def _rise(height: np.ndarray) -> np.ndarray:
    return 100 * np.expm1(height)


def _legend(facts: Facts, views: list[Frame]) -> dict[str, dict[str, Any]]:
    """Return what is drawn of a line in the legend, by its name."""
    lines: dict[str, dict[str, Any]] = {"mean, with its 95% band": {"color": _CURVE, "marker": "o", "markersize": 3.5}}
    if len(facts.seeds) > 1:
        lines["one seed"] = {"color": _CURVE, "linewidth": 0.6, "alpha": 0.6}
    lines[f"tolerance: {facts.tolerance_text}"] = {"color": style.GUIDE, "linestyle": "--", "linewidth": 1}
    if any(frame.holds(facts.floor) for frame in views):
        lines["a model that learned nothing"] = {"color": style.GUIDE, "linestyle": ":", "linewidth": 1}
    if not math.isnan(facts.essential.value):
        lines["essential sparsity, 95%"] = {"color": _CURVE, "marker": "|", "linewidth": 3, "alpha": 0.5}
    if facts.failures:
        lines["diverged or failed"] = {"color": _CURVE, "marker": "x", "linestyle": ""}
    return lines
