"""Plots of curves of performance against sparsity, for Figure 2 and figures like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.curves import Curve
from ..analysis.essential import EPSILON, essential_sparsity
from ..analysis.estimate import Estimate
from ..specs.study import Study
from ..wording import listing, places_text
from . import style
from .points import Point
from .task_titles import task_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


#: Names of the point at the sparsity that the reader chose, and of runs without a score, in legends.
ASKED, FAILED = "the sparsity chosen", "diverged or failed"

#: What stands in place of a sparsity, and above a panel, where the dense model has not learned the task.
NOT_LEARNED = "not learned"

#: Line styles of the further variants, which are drawn thin, in their order.
_THIN_LINES = style.VARIANT_LINES[1:]


def draw(
    curves: Sequence[Curve],
    points: Sequence[Point] = (),
    epsilon: float = EPSILON,
    variants: Mapping[str, Sequence[Curve]] | None = None,
    floor: str = "commonest class",
) -> Figure:
    """Draw change from the dense model against sparsity: a panel for each task, a colour for each model.

    Every panel has its own vertical scale. Tasks that no dense model has learned come last, with a grey title. Thick
    lines are means over the seeds, thin lines single seeds, bands 95% intervals. The dashed grey line lies ε below the
    dense model, the dotted one where a model always says the commonest class. Ticks at the bottom are essential
    sparsities with their intervals, crosses trials that diverged or failed.

    Args:
        curves: the curves of the main variant.
        points: points to mark with a diamond.
        epsilon: tolerance of the essential sparsity, in points.
        variants: curves of further variants, by name: thin broken lines of their means, with a dot at each level that
            has a record.
        floor: what the dotted line is, as the legend says it.
    """
    further = {name: [curve for curve in group if len(curve.levels) > 1] for name, group in (variants or {}).items()}
    tasks = list(dict.fromkeys([curve.task for curve in curves] + [point.task for point in points]))
    not_learned = {task for task in tasks if _not_learned(curves, task)}
    tasks.sort(key=not_learned.__contains__)
    models = list(dict.fromkeys([curve.model for curve in curves] + [point.model for point in points]))
    colours = style.colours(models)
    tolerance = f"dense − {epsilon:g} point"
    figure, axes = style.grid_of_axes(max(1, len(tasks)))
    for task, ax in zip(tasks, axes, strict=False):
        curves_of_task = [curve for curve in curves if curve.task == task]
        points_of_task = [point for point in points if point.task == task]
        if task in not_learned:
            ax.set_title(f"{task_title(task)}: {NOT_LEARNED}", fontsize=10, color=style.GUIDE)
        else:
            ax.set_title(task_title(task), fontsize=10)
        ax.axhline(-epsilon, color=style.GUIDE, linestyle="--", linewidth=1, label=tolerance)
        for curve in curves_of_task:
            draw_curve(ax, curve, curve.model, colours[curve.model])
            if len(models) == 1:
                below = float(curve.scores[:, 0].mean()) - curve.majority
                ax.axhline(-below, color=style.GUIDE, linestyle=":", linewidth=1, label=floor)
            draw_essential_sparsity(ax, curve, curve.model, colours[curve.model], epsilon)
        for line, (name, group) in zip(_THIN_LINES, further.items(), strict=False):
            for curve in group:
                if curve.task == task:
                    change, colour = -curve.drops()[0], colours[curve.model]
                    look: dict[str, Any] = {"color": colour, "linewidth": 1, "markersize": 4}
                    ax.plot(100 * curve.levels, change, f".{line}", label=f"{curve.model}, {name}", **look)
        for point in points_of_task:
            draw_point(ax, point)
        ax.set_ylim(*_limits(curves_of_task, points_of_task))
    for ax in style.first_column(axes):
        ax.set_ylabel("change (points)")
    figure.supxlabel(style.SPARSITY, fontsize=10)
    _add_legend(
        figure,
        colours,
        tolerance=tolerance,
        floor=floor,
        variants=further,
        has_points=bool(points),
        has_failures=any(curve.failures for curve in curves),
    )
    return figure


def _not_learned(curves: Sequence[Curve], task: str) -> bool:
    """Return whether there are curves on a task, and of none of them the dense model has learned it."""
    learned = [curve.learned() for curve in curves if curve.task == task]
    return bool(learned) and not any(learned)


def _limits(curves: Sequence[Curve], points: Sequence[Point]) -> tuple[float, float]:
    """Return the vertical range of the bands and points; the line of the commonest class may lie far below it."""
    drops = [drop for curve in curves for drop in curve.drop_estimates()] + [point.drop for point in points]
    changes = [-end for drop in drops for end in (drop.low, drop.high)]
    low, high = min(changes, default=-5.0), max(changes, default=1.0)
    room = 0.08 * (high - low) + 1
    return low - 2 * room, high + room


def draw_curve(ax: Axes, curve: Curve, name: str, colour: tuple[float, float, float]) -> None:
    """Draw one curve's change from the dense model: its mean, its seeds, its band and the trials that failed.

    Args:
        ax: the panel.
        curve: the curve.
        name: of the line, for the plot's numbers.
        colour: of all that is drawn.
    """
    changes_of_seeds = curve.scores - curve.scores[:, :1]
    names = [f"{name}, seed {seed}" for seed in curve.seeds]
    ax.plot(100 * curve.levels, changes_of_seeds.T, color=colour, linewidth=0.6, alpha=0.6, label=names)
    draw_mean(ax, curve, name, colour)
    for _, level in curve.failures:
        ax.plot(100 * level, 0, marker="x", color=colour, label=f"{name}, {FAILED}")


def draw_mean(ax: Axes, curve: Curve, name: str, colour: tuple[float, float, float]) -> None:
    """Draw one curve's change from the dense model: its mean over the seeds, and its band.

    Args:
        ax: the panel.
        curve: the curve.
        name: of the line and the band, for the plot's numbers.
        colour: of both.
    """
    percent = 100 * curve.levels
    drop, resampled = curve.drops()
    if len(percent) > 1:
        low, high = np.nanquantile(resampled, (0.025, 0.975), axis=0)
        ax.fill_between(percent, -high, -low, color=colour, alpha=0.2, linewidth=0, label=name)
    ax.plot(percent, -drop, color=colour, marker="o", markersize=3, linewidth=1.6, label=name)


def draw_essential_sparsity(
    ax: Axes, curve: Curve, name: str, colour: tuple[float, float, float], epsilon: float, height: float = 0.04
) -> None:
    """Mark a curve's essential sparsity and its interval at a height above the bottom, as a fraction of the panel's.

    Nothing is drawn if the curve has fewer than three levels, or if its dense model has not learned the task.

    Args:
        ax: the panel.
        curve: the curve.
        name: of its line, for the plot's numbers.
        colour: of the mark.
        epsilon: the tolerated loss, in points.
        height: of the mark, as a share of the panel's.
    """
    if len(curve.levels) < 3 or not curve.learned():
        return
    essential = essential_sparsity(curve, epsilon).scaled(100)
    bottom: dict[str, Any] = {"color": colour, "transform": ax.get_xaxis_transform()}
    bottom["label"] = f"{name}, essential sparsity"
    ax.hlines(height, essential.low, essential.high, linewidth=3, alpha=0.35, **bottom)
    ax.plot(essential.value, height, marker="|", markersize=12, markeredgewidth=2, **bottom)


def draw_point(ax: Axes, point: Point) -> None:
    """Draw the point that the reader asked for, with its interval."""
    error = [[max(0, point.drop.high - point.drop.value)], [max(0, point.drop.value - point.drop.low)]]
    look: dict[str, Any] = {"color": style.MARKED, "marker": "D", "markersize": 6, "capsize": 3, "zorder": 5}
    look["label"] = f"{point.model}, {ASKED}"
    ax.errorbar(100 * point.sparsity, -point.drop.value, yerr=error, **look)


def _add_legend(
    figure: Figure,
    colours: Mapping[str, style.Colour],
    *,
    tolerance: str,
    floor: str,
    variants: Mapping[str, Sequence[Curve]],
    has_points: bool,
    has_failures: bool,
) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=c, marker="o", markersize=3, label=model) for model, c in colours.items()]
    handles += [
        Line2D([], [], color="0.2", linestyle=line, linewidth=1, label=name)
        for line, (name, curves) in zip(_THIN_LINES, variants.items(), strict=False)
        if curves
    ]
    handles.append(Line2D([], [], color=style.GUIDE, linestyle="--", label=tolerance))
    if len(colours) == 1:
        handles.append(Line2D([], [], color=style.GUIDE, linestyle=":", label=floor))
    handles.append(Line2D([], [], color="0.2", marker="|", linewidth=3, alpha=0.5, label="essential sparsity, 95%"))
    if has_points:
        handles.append(Line2D([], [], color=style.MARKED, marker="D", linestyle="", label=ASKED))
    if has_failures:
        handles.append(Line2D([], [], color="0.2", marker="x", linestyle="", label=FAILED))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(3, len(handles)), fontsize=9)


def sparsity_text(curve: Curve, sparsity: Estimate) -> str:
    """Return a sparsity of a curve in percent, such as ``40 [31, 52]``.

    ``≥`` stands before it at the last level of the curve. Words stand in its place where there is none.
    """
    if not curve.learned():
        return NOT_LEARNED
    if not sparsity.known or len(curve.levels) < 3:
        return "none"
    return sparsity.text(digits=0, scale=100, last=curve.at_tenths.levels[-1])


def unfalling(study: Study, curves: Sequence[Curve], epsilon: float = EPSILON) -> str:
    """Return which complete curves never fall by more than ε, and what follows from that; empty if all fall."""
    lasting: dict[float, list[tuple[str, str]]] = {}
    for curve in _complete(study, curves):
        if essential_sparsity(curve, epsilon).value >= curve.at_tenths.levels[-1]:
            lasting.setdefault(float(curve.at_tenths.levels[-1]), []).append((curve.model, curve.task))
    if not lasting:
        return ""
    where = [f"with up to {end:.0%} of the weights gone {places_text(places)}" for end, places in lasting.items()]
    return (
        f"The loss stays within ε {listing(where)}. What is left of the blocks is enough there, with the embeddings, "
        "which are not pruned. The essential sparsity lies there or higher."
    )


def range_text(study: Study, curves: Sequence[Curve], epsilon: float = EPSILON) -> str:
    """Return the smallest and the largest essential sparsity of the complete curves, such as ``27% to 54%``."""
    values = [
        (essential_sparsity(curve, epsilon).value, curve.at_tenths.levels[-1]) for curve in _complete(study, curves)
    ]
    if not values:
        return "not known yet"
    low, high = (f"{'at least ' if value >= end else ''}{value:.0%}" for value, end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _complete(study: Study, curves: Sequence[Curve]) -> list[Curve]:
    """Return the curves that have all records of the study and whose dense model learned its task."""
    return [curve for curve in curves if curve.complete(study) and curve.learned()]
