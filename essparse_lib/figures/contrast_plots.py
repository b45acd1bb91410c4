"""Plots, tables and sentences of contrasts: differences between two ways to prune, with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.contrasts import MARGIN, Contrast
from . import signs, style
from .task_titles import task_title

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Distance between the error bars of two labels at one sparsity, in printer's points.
_OFFSET = 2.8

#: Name of the band within which two ways to prune count as equivalent.
_BAND = f"±{MARGIN:g} point"


def draw(
    contrasts: Sequence[Contrast], name_of: Callable[[Contrast], str] = lambda _: "", marked: float | None = None
) -> Figure:
    """Draw differences against sparsity: a panel for each task, a colour for each label.

    Bars are 95% intervals. The shaded band is the margin within which two ways to prune count as equivalent.

    Args:
        contrasts: the differences, in points.
        name_of: returns a contrast's name in the legend, where its model stands before it if there are several models.
            There is no legend if all labels are empty.
        marked: a sparsity to mark with a vertical line.
    """
    tasks = list(dict.fromkeys(contrast.task for contrast in contrasts))
    several_models = _has_several_models(contrasts)
    labelled: dict[str, list[Contrast]] = {}
    for contrast in contrasts:
        parts = (contrast.model if several_models else "", name_of(contrast))
        labelled.setdefault(", ".join(filter(None, parts)), []).append(contrast)
    colours = style.colours(list(labelled))
    figure, axes = style.grid_of_axes(max(1, len(tasks)))
    for task, ax in zip(tasks, axes, strict=False):
        ax.set_title(task_title(task), fontsize=10)
        ax.axhspan(-MARGIN, MARGIN, color=style.GUIDE, alpha=0.15, linewidth=0, label=_BAND)
        ax.axhline(0, color=style.GUIDE, linewidth=1, label="no difference")
        for place, (label, group) in enumerate(labelled.items()):
            offset = _OFFSET * (place - (len(labelled) - 1) / 2)
            of_task = [contrast for contrast in group if contrast.task == task]
            _draw_errors(ax, of_task, label or "difference", colours[label], offset)
        if marked is not None:
            ax.axvline(100 * marked, color=style.MARKED, linewidth=1, linestyle="--", label="marked sparsity")
    for ax in style.first_column(axes):
        ax.set_ylabel("difference (points)")
    figure.supxlabel(style.SPARSITY, fontsize=10)
    style.legend(figure, {label: colour for label, colour in colours.items() if label}, {_BAND: style.GUIDE})
    return figure


def _draw_errors(ax: Axes, contrasts: Sequence[Contrast], label: str, colour: style.Colour, offset: float) -> None:
    ordered = sorted(contrasts, key=lambda contrast: contrast.pruning.sparsity)
    differences = [contrast.difference for contrast in ordered]
    below = [difference.value - difference.low for difference in differences]
    above = [difference.high - difference.value for difference in differences]
    ax.errorbar(
        [100 * contrast.pruning.sparsity for contrast in ordered],
        [difference.value for difference in differences],
        yerr=[below, above],
        color=colour,
        marker="o",
        markersize=3.5,
        linewidth=1,
        capsize=2,
        label=label,
        transform=style.shifted(ax, offset),
    )


def table(contrasts: Sequence[Contrast], columns: Mapping[str, Callable[[Contrast], str]]) -> pd.DataFrame:
    """Return a row for each difference, with its 95% interval and its sign; without a sign where nothing was learned.

    Args:
        contrasts: the differences, in points.
        columns: further columns, by their titles: each takes a contrast and returns a text.
    """
    import pandas as pd

    model = ["model"] if _has_several_models(contrasts) else []
    titles = [*model, "task", "sparsity", *columns, "difference", "sign", "seeds"]
    rows = [
        {
            "model": contrast.model,
            "task": task_title(contrast.task) + ("" if contrast.learned else ", not learned"),
            "sparsity": f"{contrast.pruning.sparsity:.0%}",
            **{title: text_of(contrast) for title, text_of in columns.items()},
            "difference": contrast.difference.text_by_zero(),
            "sign": signs.SIGNS[contrast.standing] if contrast.learned else signs.NO_SIGN,
            "seeds": contrast.seeds,
        }
        for contrast in contrasts
    ]
    return pd.DataFrame(rows, columns=titles)


def _has_several_models(contrasts: Sequence[Contrast]) -> bool:
    return len({contrast.model for contrast in contrasts}) > 1


def tally(contrasts: Sequence[Contrast]) -> str:
    """Return in Markdown what the signs in a table mean, and how many of the differences have each."""
    if not contrasts:
        return "No records yet."
    return signs.legend(contrast.standing for contrast in contrasts if contrast.learned)
