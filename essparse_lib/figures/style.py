"""One look for every figure: size, type, colours, grids of axes and legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: A colour as red, green and blue, each from 0 to 1.
Colour = tuple[float, float, float]

#: Width of a figure in inches: the text column of the book.
WIDTH = 8.0

#: Title of an axis of sparsity.
SPARSITY = "sparsity (% of the block matrices' weights)"

#: Colour of tolerances, floors and nulls, which are not data.
GUIDE = "0.45"

#: Line styles of pre-training seeds, in their order.
SEED_LINES = ("-", "--", ":", "-.")

#: Label of what is drawn and is no data, such as an arrow: it is in no legend, and not among a plot's numbers.
NO_DATA = "_nolegend_"

#: Line styles of pruning variants, in their order: the main one is solid.
VARIANT_LINES = ("-", ":", "--", "-.")

#: Colour of what marks the point that the reader asked for.
MARKED = "#d55e00"

#: Seaborn's palette "colorblind" (Waskom 2021), without the fourth colour, which is ``MARKED``; those that are pale on
#: white come last.
_PALETTE = ("#0173b2", "#de8f05", "#029e73", "#cc78bc", "#ca9161", "#56b4e9", "#949494", "#fbafe4", "#ece133")

#: Seaborn's style "ticks" and context "notebook" (Waskom 2021), which are written down here because importing seaborn
#: takes two seconds.
_SEABORN: dict[str, Any] = {
    "figure.facecolor": "white",
    "axes.axisbelow": True,
    "axes.edgecolor": ".15",
    "axes.facecolor": "white",
    "axes.labelcolor": ".15",
    "axes.labelsize": 12,
    "axes.linewidth": 1.25,
    "axes.titlesize": 12,
    "font.family": ["sans-serif"],
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    "grid.color": ".8",
    "grid.linestyle": "-",
    "grid.linewidth": 1,
    "legend.fontsize": 11,
    "legend.title_fontsize": 12,
    "lines.linewidth": 1.5,
    "lines.markersize": 6,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "patch.linewidth": 1,
    "text.color": ".15",
}
for _axis in ("xtick", "ytick"):
    _SEABORN |= {f"{_axis}.color": ".15", f"{_axis}.direction": "out", f"{_axis}.labelsize": 11}
    _SEABORN |= {f"{_axis}.major.size": 6, f"{_axis}.major.width": 1.25}
    _SEABORN |= {f"{_axis}.minor.size": 4, f"{_axis}.minor.width": 1}

#: What differs from seaborn's look.
_CHANGES: dict[str, Any] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 110,
    "font.size": 10,
    "grid.alpha": 0.35,
    "legend.frameon": False,
    "savefig.bbox": "tight",
}


def apply() -> None:
    """Set the look of everything drawn, and of every table shown, from here on."""
    import matplotlib as mpl
    import pandas as pd

    pd.set_option("display.max_colwidth", None)  # long cells are wrapped, not cut
    pd.set_option("styler.format.escape", "html")  # a cell may hold a note of a record, such as its device
    mpl.rcParams.update(look())


def look() -> dict[str, Any]:
    """Return the settings of matplotlib that make up the look, for ``matplotlib.rc_context``."""
    from matplotlib.rcsetup import cycler

    return _SEABORN | _CHANGES | {"axes.prop_cycle": cycler(color=_PALETTE)}


def colours(names: Sequence[str]) -> dict[str, Colour]:
    """Return a colour for each name, in their order: a palette for readers who are colour-blind, repeated."""
    from matplotlib.colors import to_rgb

    return {name: to_rgb(_PALETTE[i % len(_PALETTE)]) for i, name in enumerate(names)}


def grid_of_axes(count: int, height: float = 2.5) -> tuple[Figure, list[Axes]]:
    """Return a figure with a grid of ``count`` panels that share one horizontal axis; spare places stay empty.

    Args:
        count: how many panels, at least 1.
        height: of one row, in inches.
    """
    import matplotlib.pyplot as plt

    columns = 2 if count == 4 else min(3, count)
    rows = -(-count // columns)
    size = (WIDTH, height * rows + 0.4)
    figure, grid = plt.subplots(rows, columns, figsize=size, sharex=True, squeeze=False, layout="constrained")
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.set_visible(False)
    for ax in axes[max(0, count - columns) : count]:
        ax.tick_params(labelbottom=True)
    return figure, axes[:count]


def titled_axes(titles: Sequence[str], y: str = "", x: str = "", height: float = 2.5) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each title, as ``grid_of_axes`` does.

    Args:
        titles: the titles of the panels, at least one.
        y: the title of the vertical axes, which stands at the left.
        x: the title of the horizontal axis, which stands below.
        height: of one row, in inches.
    """
    figure, axes = grid_of_axes(len(titles), height)
    for title, ax in zip(titles, axes, strict=True):
        ax.set_title(title, fontsize=10)
    for ax in first_column(axes):
        ax.set_ylabel(y)
    figure.supxlabel(x, fontsize=10)
    return figure, axes


def note(text: str = "no records yet") -> Figure:
    """Return a figure with words in place of one that there is nothing for."""
    figure, (ax,) = grid_of_axes(1, height=0.8)
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color=GUIDE)
    return figure


def shifted(ax: Axes, points: float) -> Any:
    """Return a transform of a panel's data that draws them so many points further to the right, as neighbours overlap.

    Args:
        ax: the panel.
        points: printer's points, below 0 to the left.
    """
    from matplotlib.transforms import ScaledTranslation

    return ax.transData + ScaledTranslation(points / 72, 0, ax.figure.dpi_scale_trans)


def first_column(axes: Sequence[Axes]) -> list[Axes]:
    """Return the panels that stand at the left of their grid."""
    places = ((ax, ax.get_subplotspec()) for ax in axes)
    return [ax for ax, place in places if place is not None and place.is_first_col()]


def scale_steps(axes: Sequence[Axes], last: float) -> None:
    """Scale the axes of steps by the square root, so that early steps can be read too.

    Args:
        axes: the panels of a figure.
        last: the last step.
    """
    import numpy as np

    ticks = [last * share for share in (0.01, 0.1, 0.4, 1)]
    for ax in axes:
        ax.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
        ax.set_xticks(ticks, [_step_text(step) for step in ticks])
        ax.set_xlim(0, last)
    axes[0].figure.supxlabel("pre-training steps", fontsize=10)


def _step_text(step: float) -> str:
    if step >= 1e6:
        return f"{step / 1e6:g}M"
    return f"{step / 1e3:g}k" if step >= 1e3 else f"{step:g}"


#: About how many characters of a legend an inch holds, and how many a legend's line takes with the room around it.
_CHARACTERS_AN_INCH, _CHARACTERS_OF_A_LINE = 15, 6


def line_legend(figure: Figure, lines: Mapping[str, Mapping[str, Any]], columns: int = 4) -> None:
    """Add a legend of lines above the panels.

    Args:
        figure: the figure.
        lines: keywords of ``Line2D`` for each name; a ``label`` among them replaces the name.
        columns: of the legend, at most; fewer where names are so long that the legend would be wider than the figure.
    """
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **{"label": name, **keywords}) for name, keywords in lines.items()]
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    fitting = int(WIDTH * _CHARACTERS_AN_INCH / (longest + _CHARACTERS_OF_A_LINE))
    columns = max(1, min(columns, len(handles), fitting))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=9)


def named(legend: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return how the one line of a legend is drawn, with its name as its label."""
    ((name, look),) = legend.items()
    return {**look, "label": name}


def legend(figure: Figure, lines: Mapping[str, object], bands: Mapping[str, object]) -> None:
    """Add a legend of lines and of shaded bands above the panels.

    Args:
        figure: the figure.
        lines: the colour of each line, by its name.
        bands: the colour of each band, by its name.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, marker="o", markersize=3.5, label=name)  # type: ignore[arg-type]
        for name, colour in lines.items()
    ]
    handles += [Patch(color=colour, alpha=0.15, label=name) for name, colour in bands.items()]  # type: ignore[arg-type]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(4, len(handles)), fontsize=9)
