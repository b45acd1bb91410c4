"""Figure 1: where in a block the 21.50% of the weights lie that go without a drop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..claims.paper import FREE_OF_BERT
from ..specs.study import Study, at_sparsities
from . import language_settings, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_WHERE = {"one-shot": at_sparsities((FREE_OF_BERT,))}
_MEASURED = {"pruned-share": (FREE_OF_BERT,), "pruning-order": (0.0,)}

STUDIES = {
    "tiny": Study(
        figure="fig1",
        scale="tiny",
        models=("tiny-bert",),
        tasks=language_settings.TINY_TASKS,
        training=language_settings.TINY,
        variants=_WHERE,
        seeds=(0, 1),
        measured=_MEASURED,
    ),
    "lab": Study(
        figure="fig1",
        scale="lab",
        models=("minilm-l6",),
        tasks=language_settings.LAB_TASKS,
        training=language_settings.LAB,
        variants=_WHERE,
        measured=_MEASURED,
    ),
    "paper": Study(
        figure="fig1",
        scale="paper",
        models=("bert-base-uncased",),
        tasks=language_settings.PAPER_TASKS,
        training=language_settings.TABLE_1,
        variants=_WHERE,
        measured=_MEASURED,
    ),
}


def draw(matrices: Sequence[dict[str, Any]], block: int) -> Figure:
    """Of one block each matrix as a map: how much of each cell's weights goes. One colour scale for all.

    Args:
        matrices: as a measurement of kind ``pruned-share`` lists them.
        block: number of the block.
    """
    import matplotlib.pyplot as plt

    own = [m for m in matrices if m["depth"] == block]
    overall = sum(m["pruned"] for m in matrices) / max(1, sum(m["size"] for m in matrices))
    columns = min(3, len(own))
    rows = -(-len(own) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(style.WIDTH, 2.7 * rows), squeeze=False, layout="constrained")
    for ax in grid.flat:
        ax.set_axis_off()
    for ax, matrix in zip(grid.flat, own, strict=False):
        image = ax.imshow(matrix["map"], cmap="viridis", vmin=0, vmax=max(1, min(100, 300 * overall)), aspect="auto")
        ax.set_title(f"{matrix['component']}: {matrix['pruned'] / matrix['size']:.1%}", fontsize=10)
    figure.colorbar(image, ax=grid, label="removed (% of a cell's weights)", shrink=0.7)
    return figure


def draw_shares(matrices: Sequence[dict[str, Any]]) -> Figure:
    """How sparse each component of each block becomes: a line a component, against the block's number."""
    import matplotlib.pyplot as plt

    components = list(dict.fromkeys(m["component"] for m in matrices))
    colours = style.colours(components)
    figure, ax = plt.subplots(figsize=(style.WIDTH, 3.2), layout="constrained")
    for component in components:
        own = [m for m in matrices if m["component"] == component]
        ax.plot(
            [m["depth"] + 1 for m in own],
            [100 * m["pruned"] / m["size"] for m in own],
            marker="o",
            markersize=4,
            color=colours[component],
            label=component,
        )
    overall = sum(m["pruned"] for m in matrices) / max(1, sum(m["size"] for m in matrices))
    ax.axhline(100 * overall, color=style.GUIDE, linestyle="--", linewidth=1, label="all together")
    ax.set(xlabel="block", ylabel="removed (%)", ylim=(0, None))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(fontsize=9, ncols=2)
    return figure


def table(matrices: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row a component: its share of the weights, its share of those removed, and how sparse it becomes."""
    import pandas as pd

    size, pruned = (max(1, sum(m[name] for m in matrices)) for name in ("size", "pruned"))
    rows = []
    for component in dict.fromkeys(m["component"] for m in matrices):
        own = [m for m in matrices if m["component"] == component]
        held, gone = (sum(m[name] for m in own) for name in ("size", "pruned"))
        rows.append(
            {
                "component": component,
                "share of the weights": f"{held / size:.1%}",
                "share of those removed": f"{gone / pruned:.1%}",
                "removed": f"{gone / held:.1%}",
            }
        )
    return pd.DataFrame(rows)
