"""Figure 10: how alike the masks of lottery tickets are, to each other and to the one-shot mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..study.grid import Study
from ..study.paper import COSINES
from ..study.store import Record
from . import fig9, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Those of Figure 9, whose tickets these are, with their masks compared at every sparsity.
STUDIES = {
    scale: replace(
        study,
        figure="fig10",
        ways={fig9.LOTTERY: study.ways[fig9.LOTTERY]},
        measured={"mask-similarity": tuple(pruning.sparsity for pruning in study.ways[fig9.LOTTERY])},
    )
    for scale, study in fig9.STUDIES.items()
}


def tables(study: Study, records: Mapping[str, Record], measure: str = "cosine") -> dict[float, np.ndarray]:
    """By sparsity, the similarities of all masks (tickets, then one-shot), shape (seeds, masks, masks)."""
    found: dict[float, list[list[list[float]]]] = {}
    for asked in study.measurements():
        if asked.id in records:
            found.setdefault(asked.sparsity, []).append(records[asked.id].values[measure])
    return {sparsity: np.array(each) for sparsity, each in sorted(found.items())}


def names(study: Study, records: Mapping[str, Record]) -> list[str]:
    """What the rows of the tables stand for."""
    return next((records[m.id].values["names"] for m in study.measurements() if m.id in records), [])


def draw(study: Study, records: Mapping[str, Record], sparsities: Sequence[float] = (0.1, 0.2, 0.3, 0.4)) -> Figure:
    """Heat maps of the cosines, the mean over the seeds, with the null 1 − s in each title; one scale for all."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    found = {s: table for s, table in tables(study, records).items() if s in sparsities}
    labels = names(study, records)
    least = min((100 * float(table.mean(0).min()) for table in found.values()), default=50.0)
    columns = min(2, max(1, len(found)))
    rows = -(-max(1, len(found)) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(style.WIDTH, 3.4 * rows), squeeze=False, layout="constrained")
    for ax in grid.flat[len(found) :]:
        ax.set_visible(False)
    for place, ((sparsity, table), ax) in enumerate(zip(found.items(), grid.flat, strict=False)):
        sns.heatmap(
            100 * table.mean(0),
            ax=ax,
            vmin=np.floor(least) - 1,
            vmax=100,
            cmap="viridis",
            annot=True,
            fmt=".1f",
            annot_kws={"size": 8},
            cbar=False,
            square=True,
            xticklabels=labels if place >= len(found) - columns else False,
            yticklabels=labels if place % columns == 0 else False,
        )
        ax.set_title(f"sparsity {sparsity:.0%}; by chance {1 - sparsity:.0%}", fontsize=10)
        ax.tick_params(axis="y", rotation=0)
    figure.suptitle("cosine similarity of masks (%)", fontsize=10)
    return figure


def draw_against_null(study: Study, records: Mapping[str, Record]) -> Figure:
    """Similarity against sparsity, tickets with one-shot and with each other, beside what chance gives.

    Left the cosine, as in the paper; right the overlap of what is removed (Jaccard), which starts from chance near 0.
    Points are pairs of masks, lines their means.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(style.WIDTH, 3.2), layout="constrained")
    kinds = ("ticket and one-shot", "tickets of two tasks")
    colours = style.colours(kinds)
    titles = {"cosine": "cosine of what is kept", "jaccard_removed": "overlap of what is removed"}
    for ax, (measure, title) in zip(axes, titles.items(), strict=True):
        found = tables(study, records, measure)
        for kind, rows in zip(kinds, (_with_one_shot, _of_two_tasks), strict=True):
            for sparsity, table in found.items():
                values = rows(table)
                ax.plot([100 * sparsity] * len(values), 100 * values, ".", color=colours[kind], alpha=0.35)
            ax.plot(
                [100 * s for s in found],
                [100 * rows(t).mean() for t in found.values()],
                color=colours[kind],
                label=kind,
            )
        chance = {
            m.sparsity: records[m.id].values["independent"][measure] for m in study.measurements() if m.id in records
        }
        ax.plot(
            [100 * s for s in chance], [100 * v for v in chance.values()], "--", color=style.GUIDE, label="by chance"
        )
        if measure == "cosine":
            for level in COSINES:
                ax.axhline(100 * level, color=style.GUIDE, linewidth=0.8, linestyle=":")
        ax.set(title=title, xlabel="sparsity (%)", ylabel="similarity (%)", ylim=(0, 102))
    axes[0].legend(fontsize=9)
    return figure


def table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """A row a sparsity: least and mean cosines, what chance gives, and whether 96% and 98% are exceeded by all."""
    import pandas as pd

    rows = []
    for sparsity, found in tables(study, records).items():
        with_one_shot, of_two = _with_one_shot(found), _of_two_tasks(found)
        least = float(min(with_one_shot.min(), of_two.min()))
        rows.append(
            {
                "sparsity": f"{sparsity:.0%}",
                "with one-shot": f"{100 * with_one_shot.mean():.2f}",
                "of two tasks": f"{100 * of_two.mean():.2f}",
                "least": f"{100 * least:.2f}",
                "by chance": f"{100 * (1 - sparsity):.0f}",
                **{f"all above {level:.0%}": "yes" if least > level else "no" for level in COSINES},
            }
        )
    return pd.DataFrame(rows)


def _with_one_shot(table: np.ndarray) -> np.ndarray:
    return table[:, :-1, -1].flatten()


def _of_two_tasks(table: np.ndarray) -> np.ndarray:
    places = np.triu_indices(table.shape[1] - 1, 1)
    return table[:, *places].flatten()
