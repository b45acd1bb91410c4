"""How Figure 4 is drawn: curves by data set, and what pruning costs against how hard a data set is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis.curves import EPSILON, Curve
from ..specs.tasks import source_of
from . import curve_plots, smc_bench, style
from .points import Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The sparsities that are compared: SMC-Bench's first three steps, and our nearest ones.
_STEPS = smc_bench.NEAREST

#: Markers of the published systems, in their order.
_MARKERS = ("s", "^", "v")


def draw(of_data_sets: Sequence[Curve], points: Sequence[Point] = (), epsilon: float = EPSILON) -> Figure:
    """Draw change from the dense model against sparsity, a panel for each data set, as ``curve_plots.draw`` does.

    Args:
        of_data_sets: the curves, a data set each.
        points: points to mark with a diamond, of single folds: each stands in the panel of its data set.
        epsilon: tolerance of the essential sparsity, in points.
    """
    if not of_data_sets and not points:
        return style.note()
    marked = [replace(point, task=source_of(point.task)) for point in points]
    return curve_plots.draw(of_data_sets, marked, epsilon, floor="commonest equation")


def draw_difficulty(of_data_sets: Sequence[Curve]) -> Figure:
    """Draw the drop of each system on each data set against the share of problems that its dense model gets wrong.

    A panel is a step of SMC-Bench, or our nearest sparsity. Ours has intervals, theirs has none.

    Args:
        of_data_sets: our curves, a data set each.
    """
    titles = [f"published {100 * theirs:.4g}%, here {100 * ours:g}%" for theirs, ours in _STEPS]
    figure, axes = style.titled_axes(titles, "drop (points)", "wrong without pruning (%): harder to the right")
    systems = list(dict.fromkeys(each.name for each in smc_bench.PUBLISHED))
    models = list(dict.fromkeys(curve.model for curve in of_data_sets))
    colours = style.colours([*models, *systems])
    lines: dict[str, dict[str, Any]] = {model: dict(color=colours[model], marker="o") for model in models}
    for name, marker in zip(systems, _MARKERS, strict=False):
        lines[f"{name} (published)"] = dict(color=colours[name], marker=marker, linestyle=":", markerfacecolor="none")
    for (theirs, ours), ax in zip(_STEPS, axes, strict=True):
        for name in systems:
            of_system = [each for each in smc_bench.PUBLISHED if each.name == name]
            places = [
                (100 - each.accuracies[0.0], each.accuracies[0.0] - each.accuracies[theirs]) for each in of_system
            ]
            ax.plot(*zip(*sorted(places), strict=True), **lines[f"{name} (published)"], label=f"{name} (published)")
        for model in models:
            _draw_ours(ax, [curve for curve in of_data_sets if curve.model == model], ours, lines[model])
    style.line_legend(figure, lines)
    return figure


def _draw_ours(ax: Any, of_model: Sequence[Curve], sparsity: float, look: dict[str, Any]) -> None:
    """Draw one model's drops at a sparsity, with their intervals, as far as its curves have that level."""
    at_level = [curve for curve in of_model if sparsity in curve.levels]
    for curve in sorted(at_level, key=lambda curve: -curve.dense().value):
        drop = curve.drop_estimates()[list(curve.levels).index(sparsity)]
        error = [[max(0.0, drop.value - drop.low)], [max(0.0, drop.high - drop.value)]]
        ax.errorbar(
            100 - curve.dense().value, drop.value, yerr=error, capsize=3, linestyle="", **look, label=of_model[0].model
        )
