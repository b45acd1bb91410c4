"""Figure 10: how alike the masks of lottery tickets are, to each other and to the one-shot mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.estimate import Estimate, exact
from ..analysis.measured import measured
from ..claims.paper import COSINES
from ..records.store import Record
from ..specs.measurement import MeasurementKind
from ..specs.study import Scale, Study
from . import fig9, language_settings, panels, style, vision_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _of_tickets(study: Study, most: float = 1.0, **changes: Any) -> Study:
    """Return the study of a study's lottery tickets up to a sparsity, whose masks are compared at each sparsity.

    Added seeds are left out: cosines are counted, not estimated.
    """
    tickets = tuple(pruning for pruning in study.variants[fig9.LOTTERY] if pruning.sparsity <= most)
    at: dict[str, tuple[float, ...]] = {MeasurementKind.MASK_SIMILARITY: tuple(p.sparsity for p in tickets)}
    return replace(study, figure="fig10", variants={fig9.LOTTERY: tickets}, overrides={}, measured=at, **changes)


#: Names of the similarity of unrelated masks, and of the levels that the paper reports.
_BY_CHANCE, _OF_PAPER = "unrelated masks", "the paper's levels"

#: The vision transformer is fine-tuned at a higher rate than the model of language. Here its tickets are found once
#: more, at the language model's rate, up to the sparsity to which C11 is judged.
_SLOWER = _of_tickets(
    fig9.STUDIES["lab"],
    most=0.4,
    models=vision_settings.LAB_MODELS[:1],
    training={
        task: replace(training, learning_rate=language_settings.LAB_SMALL_TEST["*"].learning_rate)
        for task, training in vision_settings.LAB.items()
    },
    pretrained={},
)

#: The tickets of Figure 9, so that no ticket is found twice.
STUDIES: dict[str, Study] = {
    scale: _of_tickets(study, controls=(_SLOWER,) if scale == Scale.LAB else ())
    for scale, study in fig9.STUDIES.items()
}


def compared_models(study: Study, records: Mapping[str, Record]) -> list[str]:
    """Return the models whose masks have been compared, in the study's order."""
    models = {measurement.model for measurement, _ in measured(study, records, MeasurementKind.MASK_SIMILARITY)}
    return [model for model in study.models if model in models]


def tables(study: Study, records: Mapping[str, Record], model: str, measure: str = "cosine") -> dict[float, np.ndarray]:
    """Return the similarities of all of a model's masks at each sparsity, shape (seeds, masks, masks).

    The masks are the tickets of the tasks, then the one-shot mask.

    Args:
        study: a study of Figure 10.
        records: its records, by id.
        model: name of the model.
        measure: ``cosine`` of what is kept, or ``jaccard_removed``.
    """
    by_sparsity: dict[float, list[list[list[float]]]] = {}
    for sparsity, values in _measured(study, records, model):
        by_sparsity.setdefault(sparsity, []).append(values[measure])
    return {sparsity: np.array(similarities) for sparsity, similarities in sorted(by_sparsity.items())}


def names(study: Study, records: Mapping[str, Record], model: str) -> list[str]:
    """Return the names of the masks of a model, in the order of ``tables``."""
    measurements = _measured(study, records, model)
    return measurements[0][1]["names"] if measurements else []


def _measured(study: Study, records: Mapping[str, Record], model: str) -> list[tuple[float, dict[str, Any]]]:
    """Return the sparsity and the values of each measurement of a model that has a record."""
    measurements = measured(study, records, MeasurementKind.MASK_SIMILARITY)
    return [(measurement.sparsity, values) for measurement, values in measurements if measurement.model == model]


def draw(study: Study, records: Mapping[str, Record], sparsities: Sequence[float] = (0.1, 0.2, 0.3, 0.4)) -> Figure:
    """Draw heat maps of the cosines, means over the seeds, with the null 1 − s in each title; one scale for all.

    The maps of each model begin a row: masks of different models have nothing in common.

    Args:
        study: a study of Figure 10.
        records: its records, by id.
        sparsities: those that have a map.
    """
    import matplotlib.pyplot as plt

    maps = {}
    for model in compared_models(study, records):
        cosines = tables(study, records, model)
        if drawn := {sparsity: 100 * cosines[sparsity].mean(0) for sparsity in cosines if sparsity in sparsities}:
            maps[model] = drawn
    if not maps:
        return style.note()
    lowest = min(float(cosines.min()) for drawn in maps.values() for cosines in drawn.values())
    columns = min(2, max(len(drawn) for drawn in maps.values()))
    rows = {model: -(-len(drawn) // columns) for model, drawn in maps.items()}
    size = (style.WIDTH, 3.4 * sum(rows.values()))
    figure, grid = plt.subplots(sum(rows.values()), columns, figsize=size, squeeze=False, layout="constrained")
    first_row = 0
    for model, drawn in maps.items():
        axes = grid[first_row : first_row + rows[model]].flatten()
        first_row += rows[model]
        for ax in axes[len(drawn) :]:
            ax.set_visible(False)
        labels = names(study, records, model)
        for place, (sparsity, cosines) in enumerate(drawn.items()):
            _draw_map(
                axes[place],
                cosines,
                lowest=np.floor(lowest) - 1,
                labels=labels,
                at_bottom=place >= len(drawn) - columns,
                at_left=place % columns == 0,
            )
            title = f"sparsity {sparsity:.0%}; by chance {1 - sparsity:.0%}"
            name = vision_settings.model_title(model)
            axes[place].set_title(f"{name}\n{title}" if len(maps) > 1 else title, fontsize=10)
    figure.suptitle("cosine similarity of masks (%)", fontsize=10)
    return figure


def _draw_map(
    ax: Axes,
    percents: np.ndarray,
    *,
    lowest: float,
    labels: Sequence[str],
    at_bottom: bool,
    at_left: bool,
) -> None:
    """Draw one map; the names of its columns and rows are seen at the bottom and at the left of the grid alone."""
    import seaborn as sns

    sns.heatmap(
        percents,
        ax=ax,
        vmin=lowest,
        vmax=100,
        cmap="viridis",
        annot=True,
        fmt=".1f",
        annot_kws={"size": 8},
        cbar=False,
        square=True,
        xticklabels=labels,
        yticklabels=labels,
    )
    ax.collections[0].set_label("cosine")
    ax.tick_params(bottom=at_bottom, labelbottom=at_bottom, left=at_left, labelleft=at_left)
    ax.tick_params(axis="x", rotation=90)  # seaborn would leave some level, where names run into each other
    ax.tick_params(axis="y", rotation=0)


def draw_against_null(study: Study, records: Mapping[str, Record]) -> Figure:
    """Draw similarity against sparsity, of tickets with the one-shot mask and with each other, with the null.

    Left is the cosine, as in the paper; right the overlap of what is removed (Jaccard index), whose null is near 0.
    Points are pairs of masks, lines their means, the dashed line unrelated masks. A row is a model.
    """
    import matplotlib.pyplot as plt

    models = compared_models(study, records)
    if not models:
        return style.note()
    size = (style.WIDTH, 3.2 * len(models))
    figure, grid = plt.subplots(len(models), 2, figsize=size, squeeze=False, layout="constrained")
    titles = {"cosine": "cosine of what is kept", "jaccard_removed": "overlap of what is removed"}
    for model, axes in zip(models, grid, strict=True):
        for ax, (measure, title) in zip(axes, titles.items(), strict=True):
            _draw_model_against_null(ax, study, records, model, measure)
            ax.set(xlabel="sparsity (%)")
            name = vision_settings.model_title(model)
            ax.set_title(f"{name}:\n{title}" if len(models) > 1 else title, fontsize=10)
    lines = {line.get_label(): line for line in grid[0][0].get_lines()}
    grid[0][0].legend(handles=[lines[name] for name in (*_PAIRS, _BY_CHANCE) if name in lines], fontsize=9)
    return figure


def _draw_model_against_null(ax: Axes, study: Study, records: Mapping[str, Record], model: str, measure: str) -> None:
    colours = style.colours(list(_PAIRS))
    similarities = tables(study, records, model, measure)
    for kind, pairs_of in _PAIRS.items():
        means = {}
        for sparsity, table in similarities.items():
            percents = 100 * pairs_of(table)
            ax.plot(
                [100 * sparsity] * len(percents),
                percents,
                ".",
                color=colours[kind],
                alpha=0.35,
                label=f"{kind}, each pair",
            )
            if len(percents):  # one task has no two tickets
                means[100 * sparsity] = percents.mean()
        ax.plot(list(means), list(means.values()), color=colours[kind], label=kind)
    null = _null(study, records, model, measure)
    ax.plot([100 * sparsity for sparsity in null], list(null.values()), "--", color=style.GUIDE, label=_BY_CHANCE)
    if measure == "cosine":
        for level in COSINES:
            ax.axhline(100 * level, color=style.GUIDE, linewidth=0.8, linestyle=":", label=_OF_PAPER)
    ax.set(ylabel="similarity (%)", ylim=(0, 102))


def _null(study: Study, records: Mapping[str, Record], model: str, measure: str) -> dict[float, float]:
    """Return the similarity of unrelated masks at each sparsity, in percent, in the order of the measurements."""
    null = {}
    for sparsity, values in _measured(study, records, model):
        null[sparsity] = 100 * values["independent"][measure]
    return null


def panel(study: Study, records: Mapping[str, Record]) -> panels.Panel | None:
    """Return a panel of what ``draw_against_null`` shows, with its colours, or None if there are no records.

    An estimate is a mean over pairs of masks and seeds, with the least and the greatest value. The line of unrelated
    masks lies far below the others, and is not drawn at first.
    """
    measures = {"cosine (%)": "cosine", "overlap of what is removed (%)": "jaccard_removed"}
    lines = []
    for model in compared_models(study, records):
        similarities = {reading: tables(study, records, model, measure) for reading, measure in measures.items()}
        places = [100 * sparsity for sparsity in similarities["cosine (%)"]]
        for kind, pairs_of in _PAIRS.items():
            readings = {
                reading: [_spread(100 * pairs_of(table)) for table in by_sparsity.values() if len(pairs_of(table))]
                for reading, by_sparsity in similarities.items()
            }
            if all(len(estimates) == len(places) for estimates in readings.values()):
                lines.append(panels.Line(colour=kind, shape=model, places=places, readings=readings))
        readings = {}
        for reading, measure in measures.items():
            null = _null(study, records, model, measure)
            readings[reading] = [exact(null[sparsity]) for sparsity in sorted(null)]
        lines.append(panels.Line(colour=_BY_CHANCE, shape=model, places=places, readings=readings, first=False))
    if not lines:
        return None
    from matplotlib.colors import to_rgb

    return panels.Panel(
        lines=lines,
        axis=style.SPARSITY,
        description="Similarity of masks against sparsity: of tickets with the one-shot mask, of tickets of two tasks, "
        "and of unrelated masks.",
        interval="least, greatest",
        legends=("pair of masks", "model"),
        palette={**style.colours(list(_PAIRS)), _BY_CHANCE: to_rgb(style.GUIDE)},
        digits=2,
    )


def _spread(values: np.ndarray) -> Estimate:
    return Estimate(float(values.mean()), float(values.min()), float(values.max()))


def with_one_shot(table: np.ndarray) -> np.ndarray:
    """Return the similarities of each ticket with the one-shot mask, shape (seeds × tasks,)."""
    return table[:, :-1, -1].flatten()


def of_two_tasks(table: np.ndarray) -> np.ndarray:
    """Return the similarities of each two tickets, shape (seeds × pairs,); empty if there is one task."""
    places = np.triu_indices(table.shape[1] - 1, 1)
    return table[:, *places].flatten()


#: The pairs of masks that are compared, by name, with the function that takes their similarities from a table.
_PAIRS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ticket and one-shot": with_one_shot,
    "tickets of two tasks": of_two_tasks,
}
