"""Drawing of one way to prune held against another: differences with intervals, beside the margin of equivalence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.contrasts import MARGIN, Contrast
from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw(
    found: Sequence[Contrast], name: Callable[[Contrast], str] = lambda _: "", asked: float | None = None
) -> Figure:
    """The differences against sparsity: a panel a task, a colour a name.

    Bars are 95% intervals; the shaded band is the margin within which two ways are taken to perform alike.

    Args:
        name: what a contrast is called in the legend, after its model where there are several; if empty, no legend.
        asked: a sparsity to mark.
    """
    tasks = list(dict.fromkeys(c.task for c in found))
    several = _several(found)
    labels = [", ".join(filter(None, (c.model if several else "", name(c)))) for c in found]
    names = list(dict.fromkeys(labels))
    colours = style.colours(names)
    figure, axes = style.panels(max(1, len(tasks)))
    for task, ax in zip(tasks, axes, strict=False):
        ax.set_title(task, fontsize=10)
        ax.axhspan(-MARGIN, MARGIN, color=style.GUIDE, alpha=0.15, linewidth=0)
        ax.axhline(0, color=style.GUIDE, linewidth=1)
        for place, label in enumerate(names):
            here = (c for c, own in zip(found, labels, strict=True) if c.task == task and own == label)
            own = sorted(here, key=lambda c: c.pruning.sparsity)
            shift = 1.2 * (place - (len(names) - 1) / 2)  # side by side, in points of sparsity
            ax.errorbar(
                [100 * c.pruning.sparsity + shift for c in own],
                [c.difference.value for c in own],
                yerr=[
                    [c.difference.value - c.difference.low for c in own],
                    [c.difference.high - c.difference.value for c in own],
                ],
                color=colours[label],
                marker="o",
                markersize=3.5,
                linewidth=1,
                capsize=2,
            )
        if asked is not None:
            ax.axvline(100 * asked, color=style.ASKED, linewidth=1, linestyle="--")
    for ax in style.first_column(axes):
        ax.set_ylabel("difference (points)")
    figure.supxlabel(style.SPARSITY, fontsize=10)
    style.legend(figure, {label: colour for label, colour in colours.items() if label}, {"±1 point": style.GUIDE})
    return figure


def table(found: Sequence[Contrast], columns: Mapping[str, Callable[[Contrast], str]]) -> pd.DataFrame:
    """A row a difference: model where there are several, task, sparsity, the given columns, difference, how they stand.

    Differences have their 95% intervals.
    """
    import pandas as pd

    titles = [*(["model"] if _several(found) else []), "task", "sparsity", *columns, "difference", "verdict", "seeds"]
    return pd.DataFrame(
        [
            {
                "model": c.model,
                "task": c.task,
                "sparsity": f"{c.pruning.sparsity:.0%}",
                **{title: tell(c) for title, tell in columns.items()},
                "difference": c.difference.text(),
                "verdict": c.standing.value,
                "seeds": c.seeds,
            }
            for c in found
        ],
        columns=titles,
    )


def _several(found: Sequence[Contrast]) -> bool:
    return len({c.model for c in found}) > 1


def tally(found: Sequence[Contrast]) -> str:
    """How many stand how, in words."""
    counts = {s: sum(c.standing == s for c in found) for s in ("equivalent", "better", "worse", "undecided")}
    parts = [f"{count} {standing}" for standing, count in counts.items() if count]
    return f"Of {len(found)} differences: {', '.join(parts)}." if found else "No records yet."
