"""One look for every figure: size, type, colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches: the text column of the book.
WIDTH = 8.0

#: What an axis of sparsity says.
SPARSITY = "sparsity (% of the block matrices' weights)"

#: What marks a tolerance, a floor or a null: not data.
GUIDE = "0.45"

#: Lines of pre-training seeds, in their order.
SEED_LINES = ("-", "--", ":", "-.")

#: What marks the point that the reader asked for.
ASKED = "#d55e00"


def apply() -> None:
    """Set the look for everything drawn, and every table shown, from here on."""
    import pandas as pd
    import seaborn as sns

    pd.set_option("display.max_colwidth", None)  # long cells are wrapped, not cut

    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "font.size": 10,
            "grid.alpha": 0.35,
            "legend.frameon": False,
            "savefig.bbox": "tight",
        },
    )


def colours(names: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """A colour for each name, in their order, told apart by the colour-blind."""
    import seaborn as sns

    # Not the fourth, which marks the reader's point; those that are pale on white last.
    palette = [sns.color_palette("colorblind", 10)[i] for i in (0, 1, 2, 4, 5, 9, 7, 6, 8)]
    return {name: palette[i % len(palette)] for i, name in enumerate(names)}


def panels(count: int, height: float = 2.5) -> tuple[Figure, list[Axes]]:
    """A grid of ``count`` panels with one horizontal axis, the spare places of the last row left empty."""
    import matplotlib.pyplot as plt

    columns = 2 if count == 4 else min(3, count)
    rows = -(-count // columns)
    size = (WIDTH, height * rows + 0.4)
    figure, grid = plt.subplots(rows, columns, figsize=size, sharex=True, squeeze=False, layout="constrained")
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.set_visible(False)
    for place in range(max(0, count - columns), count):
        axes[place].tick_params(labelbottom=True)
    return figure, axes[:count]


def titled(titles: Sequence[str], up: str = "", across: str = "", height: float = 2.5) -> tuple[Figure, list[Axes]]:
    """A panel a title, with what is drawn upwards at the left and what across below."""
    figure, axes = panels(len(titles), height)
    for title, ax in zip(titles, axes, strict=True):
        ax.set_title(title, fontsize=10)
    for ax in first_column(axes):
        ax.set_ylabel(up)
    figure.supxlabel(across, fontsize=10)
    return figure, axes


def note(text: str = "no records yet") -> Figure:
    """In place of a figure that there is nothing for."""
    figure, (ax,) = panels(1, height=0.8)
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color=GUIDE)
    return figure


def first_column(axes: Sequence[Axes]) -> list[Axes]:
    """Those panels that stand at the left."""
    places = ((ax, ax.get_subplotspec()) for ax in axes)
    return [ax for ax, place in places if place is not None and place.is_first_col()]


def line_legend(figure: Figure, looks: Mapping[str, Mapping[str, Any]], columns: int = 4) -> None:
    """A legend of lines above the panels: what each looks like, by its name, or by the label that the look has."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **{"label": name, **look}) for name, look in looks.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(columns, max(1, len(handles))), fontsize=9)


def legend(figure: Figure, lines: Mapping[str, object], patches: Mapping[str, object]) -> None:
    """A legend above the panels: names of lines and of shaded bands, with their colours."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, marker="o", markersize=3.5, label=name)  # type: ignore[arg-type]
        for name, colour in lines.items()
    ]
    handles += [Patch(color=colour, alpha=0.15, label=name) for name, colour in patches.items()]  # type: ignore[arg-type]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(4, len(handles)), fontsize=9)
