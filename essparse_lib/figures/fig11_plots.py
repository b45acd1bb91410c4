"""How Figure 11 is drawn: a panel for each task, a line for each way to prune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..analysis.curves import EPSILON, Curve
from ..analysis.scoring import LOG_PROBABILITY
from ..specs.likelihood import LIKELIHOOD_TASKS
from . import curve_plots, panels, style
from .fig11 import EACH_MATRIX, MAGNITUDE, PATTERNS, RANDOM, SPARSEGPT, WANDA
from .points import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Line styles of further ways to prune, and markers of patterns.
_LINES = {EACH_MATRIX: ":", WANDA: "--", RANDOM: "-."}
_MARKERS = dict(zip(PATTERNS, ("s", "^", "v"), strict=True))


def domain_of(task: str) -> str:
    """Return what a task, or a group of its questions as in ``blimp: syntax``, asks for; empty if it is not known.

    >>> domain_of("blimp: syntax"), domain_of("my-task")
    ('language', '')
    """
    row = LIKELIHOOD_TASKS.get(task.partition(":")[0])
    return str(row.domain) if row else ""


def draw(
    curves: Mapping[str, Sequence[Curve]], points: Sequence[Point] = (), epsilon: float = EPSILON, *, model: str
) -> Figure:
    """Draw change from the dense model against sparsity: a panel for each task, domain by domain.

    Magnitude and SparseGPT have thick lines with bands, which are 95% intervals; other ways to prune thin lines, and
    patterns a marker at their sparsity. The dashed grey line lies ε below the dense model, the dotted one is guessing.
    Ticks at the bottom are essential sparsities with their intervals.

    Args:
        curves: the curves of each variant by its name; in points, or in nats.
        points: points to mark with a diamond.
        epsilon: tolerance of the essential sparsity, in points.
        model: whose curves and points are drawn.
    """
    drawn = {
        name: [curve for curve in group if curve.model == model and len(curve.levels) > 1]
        for name, group in curves.items()
    }
    tasks = sorted({curve.task: None for group in drawn.values() for curve in group}, key=_domain_order)
    if not tasks:
        return style.note()
    in_nats = any(curve.metric == LOG_PROBABILITY for group in drawn.values() for curve in group)
    unit = "change (nats)" if in_nats else "change (points)"
    figure, axes = style.titled_axes([_title(task) for task in tasks], unit, style.SPARSITY, height=2.2)
    colours = style.colours(list(curves))
    for task, ax in zip(tasks, axes, strict=True):
        for name, group in drawn.items():
            for curve in group:
                if curve.task == task:
                    _draw_variant(ax, name, curve, colours[name])
        if not in_nats:
            _draw_guides(ax, task, drawn, colours, epsilon)
        for point in points:
            if (point.model, point.task) == (model, task):
                curve_plots.draw_point(ax, point)
    _add_legend(figure, {name: colours[name] for name, group in drawn.items() if group}, in_nats, epsilon)
    return figure


def panel(curves: Mapping[str, Sequence[Curve]], start: float, epsilon: float = EPSILON) -> panels.Panel | None:
    """Return a panel of the curves with the colours of ``draw``, or None if there are none.

    At first lines of magnitude and of SparseGPT are drawn. Patterns, which have few sparsities, are left out.

    Args:
        curves: the curves of each variant by its name, in points.
        start: the first position of the slider, in percent.
        epsilon: tolerance of the essential sparsity, in points.
    """
    groups = {
        name: [curve for curve in group if len(curve.levels) > 1]
        for name, group in curves.items()
        if name not in PATTERNS
    }
    return panels.of_curves(
        groups,
        "A line for each task, model and way to prune: the change from the dense model against the share of the "
        "weights removed.",
        name_of=attrgetter("variant"),
        dash_of=attrgetter("model"),
        shown=[MAGNITUDE, SPARSEGPT],
        legends=("pruning", "task", "model"),
        palette=style.colours(list(curves)),
        start=start,
        epsilon=epsilon,
    )


def _domain_order(task: str) -> int:
    domains = list(dict.fromkeys(str(row.domain) for row in LIKELIHOOD_TASKS.values()))
    domain = domain_of(task)
    return domains.index(domain) if domain in domains else len(domains)


def _title(task: str) -> str:
    domain = domain_of(task)
    return f"{task} ({domain})" if domain and ":" not in task else task


def _draw_variant(ax: Axes, name: str, curve: Curve, colour: style.Colour) -> None:
    if name in (MAGNITUDE, SPARSEGPT):
        curve_plots.draw_curve(ax, curve, name, colour)
    else:
        ax.plot(100 * curve.levels[1:], -curve.drops()[0][1:], **_thin(name, colour), label=name)


def _thin(name: str, colour: style.Colour) -> dict[str, Any]:
    """Return how a further way to prune is drawn: patterns as markers alone."""
    if name in _MARKERS:
        return dict(color=colour, marker=_MARKERS[name], markersize=4, linestyle="", markerfacecolor="none")
    return dict(color=colour, linestyle=_LINES.get(name, "-"), linewidth=1, marker=".", markersize=4)


def _draw_guides(
    ax: Axes, task: str, drawn: Mapping[str, Sequence[Curve]], colours: Mapping[str, style.Colour], epsilon: float
) -> None:
    """Draw the tolerance, the score of guessing, and the essential sparsities of the paper's two ways to prune."""
    ax.axhline(-epsilon, color=style.GUIDE, linestyle="--", linewidth=1, label=f"dense − {epsilon:g} point")
    for height, name in ((0.04, MAGNITUDE), (0.11, SPARSEGPT)):
        for curve in drawn.get(name, ()):
            if curve.task != task:
                continue
            if name == MAGNITUDE:
                guessing = curve.majority - curve.dense().value
                ax.axhline(guessing, color=style.GUIDE, linestyle=":", linewidth=1, label="guessing")
            curve_plots.draw_essential_sparsity(ax, curve, name, colours[name], epsilon, height)
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.15 * (high - low), high)


def _add_legend(figure: Figure, colours: Mapping[str, style.Colour], in_nats: bool, epsilon: float) -> None:
    lines: dict[str, dict[str, Any]] = {}
    for name, colour in colours.items():
        thick = name in (MAGNITUDE, SPARSEGPT)
        lines[name] = dict(color=colour, marker="o", markersize=3) if thick else _thin(name, colour)
    if not in_nats:
        lines[f"dense − {epsilon:g} point"] = dict(color=style.GUIDE, linestyle="--", linewidth=1)
        lines["guessing"] = dict(color=style.GUIDE, linestyle=":", linewidth=1)
    style.line_legend(figure, lines)
