"""Forest plots: the effect on each task, their mean, and what is to be expected on a new task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..analysis.estimate import Estimate
from ..analysis.pooled import Effect, Range
from ..claims.pools import Pool
from ..claims.rules import FOR_NEW_TASK, ON_AVERAGE
from ..specs.tasks import source_of
from ..wording import listing
from . import style
from .task_titles import task_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Height of a row and of what stands above and below the rows of a panel, in inches.
_ROW, _AROUND = 0.27, 0.55

#: Half the height of the diamond of the mean, in rows.
_DIAMOND = 0.32

#: Colour of what does not count.
_UNCOUNTED = "0.45"

#: Colour of the mean and of what is expected on a new task.
_POOLED = "0.15"

#: How far beyond the effects that count, in units of their range, the axis reaches at most.
_REACH = 0.75


@dataclass(frozen=True, kw_only=True)
class _Row:
    label: str
    estimate: Estimate
    colour: Any = _UNCOUNTED
    counts: bool = True


def draw(pools: Sequence[Pool], quantity: str = "drop") -> Figure:
    """Draw a panel for each pool: a row for each model and task, below them the mean and the interval for a new task.

    Bars are 95% intervals; those that reach beyond the axis end in an arrow. Hollow grey circles do not count, and
    their rows say why. The diamond spans the interval of the mean, the thick bar is the prediction interval for a new
    task. The dashed line is the end of what is allowed; a range with two ends is shaded.

    Args:
        pools: what is drawn; at least one effect of a pool must be known, or it is left out.
        quantity: what the axis shows, in points.
    """
    import matplotlib.pyplot as plt

    models = _models(pools)
    colours = style.colours(models)
    rows_by_pool = [(pool, _rows(pool, colours, several_models=len(models) > 1)) for pool in pools]
    drawn = [(pool, rows) for pool, rows in rows_by_pool if rows]
    if not drawn:
        return style.note()
    counts = [len(rows) + (2 if pool.counted else 0) for pool, rows in drawn]
    heights = [_ROW * count + _AROUND for count in counts]
    figure, grid = plt.subplots(
        len(drawn),
        1,
        figsize=(style.WIDTH, sum(heights) + 0.5),
        height_ratios=heights,
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    limits = _limits(pools)
    for (pool, rows), ax in zip(drawn, grid[:, 0], strict=True):
        _draw_pool(ax, pool, rows, limits)
        if len(drawn) > 1:
            ax.set_title(pool.of, fontsize=10, loc="left")
    figure.supxlabel(f"{quantity} (points)", fontsize=10)
    _add_legend(figure, pools, colours)
    return figure


def _models(pools: Sequence[Pool]) -> list[str]:
    """Return the models of all pools, each once, those of effects that count first."""
    counted = [difference for pool in pools for difference in pool.counted]
    others = [each.difference for pool in pools for each in pool.others]
    return list(dict.fromkeys(difference.curve.model for difference in (*counted, *others)))


def _rows(pool: Pool, colours: Mapping[str, style.Colour], several_models: bool) -> list[_Row]:
    """Return the rows of a pool from the top: effects that count, then the others."""

    def label(effect: Effect) -> str:
        title = task_title(effect.task)
        return f"{title} · {effect.model}" if several_models else title

    rows = []
    for effect in pool.effects:
        rows.append(_Row(label=label(effect), estimate=effect.estimate, colour=colours[effect.model]))
    for other in pool.others:
        effect = other.difference.effect()
        rows.append(_Row(label=f"{label(effect)} ({other.reason})", estimate=effect.estimate, counts=False))
    return [row for row in rows if row.estimate.known]


def _limits(pools: Sequence[Pool]) -> tuple[float, float]:
    """Return the ends of the axis: around what is allowed and all effects that count, or all if none counts."""
    estimates = [effect.estimate for pool in pools for effect in pool.effects]
    if not estimates:
        estimates = [each.difference.effect().estimate for pool in pools for each in pool.others]
    ends = [end for each in estimates for end in (each.value, each.low, each.high)]
    ends += [end for pool in pools for end in (pool.allowed.low, pool.allowed.high, 0.0)]
    ends = [end for end in ends if math.isfinite(end)]
    low, high = min(ends), max(ends)
    room = _REACH * (high - low)
    beyond = [end for pool in pools for end in (pool.new_task.prediction.low, pool.new_task.prediction.high)]
    beyond = [end for end in beyond if math.isfinite(end)]
    first = max(low - room, min([low, *beyond])) - 0.06 * (high - low)
    last = min(high + room, max([high, *beyond])) + 0.06 * (high - low)
    return first, last


def _draw_pool(ax: Axes, pool: Pool, rows: Sequence[_Row], limits: tuple[float, float]) -> None:
    labels, texts = [row.label for row in rows], [row.estimate.text(2) for row in rows]
    _draw_allowed(ax, pool.allowed)
    for place, row in enumerate(rows):
        _draw_span(ax, place, row.estimate, limits, {"color": row.colour, "linewidth": 1.5, "label": row.label})
        look: dict[str, Any] = {"markerfacecolor": row.colour if row.counts else "white", "markersize": 6, "zorder": 4}
        ax.plot(row.estimate.value, place, "o", color=row.colour, label=row.label, **look)
    if pool.counted:
        place = len(rows)
        ax.axhline(place - 0.5, color=_POOLED, linewidth=0.8, label=style.NO_DATA)
        mean, prediction = pool.mean, pool.new_task.prediction
        height = [place, place - _DIAMOND, place, place + _DIAMOND]
        outline = [mean.low, mean.value, mean.high, mean.value]
        ax.fill(outline, height, color=_POOLED, zorder=4, label=style.NO_DATA)
        ax.plot(mean.value, place, ".", color=_POOLED, markersize=1, label=ON_AVERAGE)  # within the diamond
        ax.hlines(place, mean.low, mean.high, color=_POOLED, linewidth=0.5, label=ON_AVERAGE)
        labels += [ON_AVERAGE, FOR_NEW_TASK]
        texts += [mean.text(2), _prediction_text(pool)]
        if prediction.has_interval:
            look = {"color": _POOLED, "linewidth": 5, "alpha": 0.45, "label": FOR_NEW_TASK}
            _draw_span(ax, place + 1, prediction, limits, look)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_xlim(*limits)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelbottom=True)
    ax.spines["left"].set_visible(False)
    ax.set_yticks(range(len(labels)), labels, fontsize=9.5)
    for place, label in enumerate(ax.get_yticklabels()):
        if place < len(rows) and not rows[place].counts:
            label.set_color(_UNCOUNTED)
        elif place >= len(rows):
            label.set_fontweight("bold")
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(len(texts)), texts, fontsize=9.5)
    right.tick_params(length=0)
    right.spines["right"].set_visible(False)


def _prediction_text(pool: Pool) -> str:
    sources = pool.new_task.sources
    return pool.new_task.prediction.text(2) if pool.new_task.prediction.has_interval else f"unknown: {sources} texts"


def _draw_allowed(ax: Axes, allowed: Range) -> None:
    ax.axvline(0, color=style.GUIDE, linewidth=0.8, label="none")
    if math.isfinite(allowed.low):
        ax.axvspan(allowed.low, allowed.high, color=style.GUIDE, alpha=0.15, linewidth=0, label="allowed")
    for end in (allowed.low, allowed.high):
        if math.isfinite(end):
            ax.axvline(end, color=style.MARKED, linewidth=1.3, linestyle="--", label="end of what is allowed")


def _draw_span(
    ax: Axes, place: float, estimate: Estimate, limits: tuple[float, float], look: Mapping[str, Any]
) -> None:
    """Draw an interval, with an arrow at an end of the axis that it reaches beyond."""
    if not estimate.has_interval:
        return
    ax.hlines(place, estimate.low, estimate.high, **look)
    arrow: dict[str, Any] = {"color": look["color"], "markersize": 6, "zorder": 5, "label": style.NO_DATA}
    inside = 0.012 * (limits[1] - limits[0])
    if estimate.low < limits[0]:
        ax.plot(limits[0] + inside, place, "<", **arrow)
    if estimate.high > limits[1]:
        ax.plot(limits[1] - inside, place, ">", **arrow)


def _add_legend(figure: Figure, pools: Sequence[Pool], colours: Mapping[str, style.Colour]) -> None:
    lines: dict[str, dict[str, Any]] = {}
    counted = dict.fromkeys(difference.curve.model for pool in pools for difference in pool.counted)
    for model in counted:
        lines[model] = {"color": colours[model], "marker": "o"}
    if any(pool.others for pool in pools):
        lines["does not count"] = {"color": _UNCOUNTED, "marker": "o", "markerfacecolor": "white"}
    if counted:
        lines["mean of those that count"] = {"color": _POOLED, "marker": "D", "linestyle": ""}
        lines["a new task, 95%"] = {"color": _POOLED, "linewidth": 5, "alpha": 0.45}
    ends = pools[0].allowed
    allowed = f"±{ends.high:g} point" if math.isfinite(ends.low) else f"ε = {ends.high:g} point"
    lines[allowed] = {"color": style.MARKED, "linestyle": "--"}
    style.line_legend(figure, lines, columns=3)


def shared_texts(pools: Sequence[Pool]) -> str:
    """Return a sentence on tasks that count as one for a new task, as they are made of the same texts; often empty."""
    shared: dict[str, dict[str, None]] = {}
    for pool in pools:
        for effect in pool.effects:
            shared.setdefault(source_of(effect.task), {})[effect.task] = None
    groups = [list(tasks) for tasks in shared.values() if len(tasks) > 1]
    if not groups:
        return ""
    alike = "; ".join(listing([task_title(task) for task in tasks]) for tasks in groups)
    return f"For a new task, tasks made of the same texts count as one: {alike}."
