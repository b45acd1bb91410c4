"""Figure 1: where in a block the 21.50% of the weights lie that go without a drop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..claims.paper import FREE_OF_BERT
from ..specs.measurement import MeasurementKind
from ..specs.study import Study, at_sparsities
from . import language_settings, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_VARIANTS = {"one-shot": at_sparsities((FREE_OF_BERT,))}
_MEASURED: dict[str, tuple[float, ...]] = {
    MeasurementKind.PRUNED_SHARE: (FREE_OF_BERT,),
    MeasurementKind.PRUNING_ORDER: (0.0,),
}

STUDIES = {
    "tiny": Study(
        figure="fig1",
        scale="tiny",
        models=("tiny-bert",),
        tasks=language_settings.TINY_TASKS,
        training=language_settings.TINY,
        variants=_VARIANTS,
        seeds=(0, 1),
        measured=_MEASURED,
    ),
    "lab": Study(
        figure="fig1",
        scale="lab",
        models=("minilm-l6",),
        tasks=language_settings.LAB_TASKS,
        training=language_settings.LAB,
        variants=_VARIANTS,
        task_seeds=language_settings.LAB_SEEDS,
        measured=_MEASURED,
    ),
    "paper": Study(
        figure="fig1",
        scale="paper",
        models=("bert-base-uncased",),
        tasks=language_settings.PAPER_TASKS,
        training=language_settings.TABLE_1,
        variants=_VARIANTS,
        measured=_MEASURED,
    ),
}


def draw(matrices: Sequence[dict[str, Any]], block: int) -> Figure:
    """Draw each matrix of one block as a map of the percentage of weights that go in each of its cells.

    All maps have one colour scale.

    Args:
        matrices: the matrices of a model, as a measurement of kind ``pruned-share`` lists them.
        block: number of the block, from 0.
    """
    import matplotlib.pyplot as plt

    matrices_of_block = [matrix for matrix in matrices if matrix["depth"] == block]
    brightest = max(1, min(100, 300 * _share_pruned(matrices)))
    columns = min(3, len(matrices_of_block))
    rows = -(-len(matrices_of_block) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(style.WIDTH, 2.7 * rows), squeeze=False, layout="constrained")
    for ax in grid.flat:
        ax.set_axis_off()
    for ax, matrix in zip(grid.flat, matrices_of_block, strict=False):
        image = ax.imshow(matrix["map"], cmap="viridis", vmin=0, vmax=brightest, aspect="auto")
        image.set_label(matrix["component"])
        ax.set_title(f"{matrix['component']}: {matrix['pruned'] / matrix['size']:.1%}", fontsize=10)
    figure.colorbar(image, ax=grid, label="removed (% of a cell's weights)", shrink=0.7)
    return figure


def draw_shares(matrices: Sequence[dict[str, Any]]) -> Figure:
    """Draw how sparse each component of each block becomes: a line for each component, against the block's number.

    Args:
        matrices: the matrices of a model, as a measurement of kind ``pruned-share`` lists them.
    """
    import matplotlib.pyplot as plt

    by_component = _by_component(matrices)
    colours = style.colours(list(by_component))
    figure, ax = plt.subplots(figsize=(style.WIDTH, 3.2), layout="constrained")
    for component, group in by_component.items():
        ax.plot(
            [matrix["depth"] + 1 for matrix in group],
            [100 * matrix["pruned"] / matrix["size"] for matrix in group],
            marker="o",
            markersize=4,
            color=colours[component],
            label=component,
        )
    ax.axhline(100 * _share_pruned(matrices), color=style.GUIDE, linestyle="--", linewidth=1, label="all together")
    ax.set(xlabel="block", ylabel="removed (%)", ylim=(0, None))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(fontsize=9, ncols=2)
    return figure


def table(matrices: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return a row for each component: its share of the weights, its share of those removed, and its sparsity.

    Args:
        matrices: the matrices of a model, each with its ``component``, ``size`` and number of weights ``pruned``.
    """
    import pandas as pd

    all_weights, all_pruned = max(1, _total(matrices, "size")), max(1, _total(matrices, "pruned"))
    rows = []
    for component, group in _by_component(matrices).items():
        size, pruned = _total(group, "size"), _total(group, "pruned")
        rows.append(
            {
                "component": component,
                "share of all weights": f"{size / all_weights:.1%}",
                "share of removed weights": f"{pruned / all_pruned:.1%}",
                "removed from this part": f"{pruned / size:.1%}",
            }
        )
    return pd.DataFrame(rows)


def _by_component(matrices: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for matrix in matrices:
        groups.setdefault(matrix["component"], []).append(matrix)
    return groups


def _share_pruned(matrices: Sequence[dict[str, Any]]) -> float:
    return _total(matrices, "pruned") / max(1, _total(matrices, "size"))


def _total(matrices: Sequence[dict[str, Any]], name: str) -> int:
    return sum(matrix[name] for matrix in matrices)
