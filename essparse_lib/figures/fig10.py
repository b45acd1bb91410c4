"""Figure 10: how alike the masks of lottery tickets are, to each other and to the one-shot mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.curves import curves
from ..analysis.estimate import Estimate
from ..claims.paper import COSINES
from ..records.store import Record
from ..specs.measurement import Measurement
from ..specs.study import Study
from ..wording import listing, rates_text
from . import fig9, language_settings, panels, style, vision_settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _of_tickets(study: Study, most: float = 1.0, **changes: Any) -> Study:
    """The lottery tickets of a study up to a sparsity, with their masks compared at each."""
    tickets = tuple(pruning for pruning in study.variants[fig9.LOTTERY] if pruning.sparsity <= most)
    compared = {"mask-similarity": tuple(pruning.sparsity for pruning in tickets)}
    return replace(study, figure="fig10", variants={fig9.LOTTERY: tickets}, measured=compared, **changes)


#: The vision transformer is fine-tuned at a higher rate than the model of language. Here its tickets are found once
#: more, at the language model's rate, up to the sparsity to which C11 is judged.
_SLOWER = _of_tickets(
    fig9.STUDIES["lab"],
    most=0.4,
    models=vision_settings.LAB_MODELS[:1],
    training={
        task: replace(how, learning_rate=language_settings.LAB["*"].learning_rate)
        for task, how in vision_settings.LAB.items()
    },
    pretrained={},
)

#: Those of Figure 9, whose tickets these are.
STUDIES: dict[str, Study] = {
    scale: _of_tickets(study, control=_SLOWER if scale == "lab" else None) for scale, study in fig9.STUDIES.items()
}


def measured(study: Study, records: Mapping[str, Record]) -> list[str]:
    """The models whose masks have been compared, in the study's order."""
    there = {asked.model for asked in study.measurements() if asked.id in records}
    return [model for model in study.models if model in there]


def tables(study: Study, records: Mapping[str, Record], model: str, measure: str = "cosine") -> dict[float, np.ndarray]:
    """By sparsity, the similarities of all of a model's masks (tickets, then one-shot), shape (seeds, masks, masks)."""
    found: dict[float, list[list[list[float]]]] = {}
    for asked in _of(study, records, model):
        found.setdefault(asked.sparsity, []).append(records[asked.id].values[measure])
    return {sparsity: np.array(each) for sparsity, each in sorted(found.items())}


def names(study: Study, records: Mapping[str, Record], model: str) -> list[str]:
    """What the rows of a model's tables stand for."""
    return next((records[asked.id].values["names"] for asked in _of(study, records, model)), [])


def _of(study: Study, records: Mapping[str, Record], model: str) -> list[Measurement]:
    return [asked for asked in study.measurements() if asked.model == model and asked.id in records]


def draw(study: Study, records: Mapping[str, Record], sparsities: Sequence[float] = (0.1, 0.2, 0.3, 0.4)) -> Figure:
    """Heat maps of the cosines, the mean over the seeds, with the null 1 − s in each title; one scale for all.

    Those of each model begin a row: masks of different models have nothing in common.
    """
    import matplotlib.pyplot as plt

    models = measured(study, records)
    maps = {m: {s: t for s, t in tables(study, records, m).items() if s in sparsities} for m in models}
    maps = {model: own for model, own in maps.items() if own}
    if not maps:
        return style.note()
    least = min(100 * float(table.mean(0).min()) for own in maps.values() for table in own.values())
    columns = min(2, max(len(own) for own in maps.values()))
    rows = {model: -(-len(own) // columns) for model, own in maps.items()}
    size = (style.WIDTH, 3.4 * sum(rows.values()))
    figure, grid = plt.subplots(sum(rows.values()), columns, figsize=size, squeeze=False, layout="constrained")
    first = 0
    for model, own in maps.items():
        places = grid[first : first + rows[model]].flatten()
        first += rows[model]
        for ax in places[len(own) :]:
            ax.set_visible(False)
        _maps(places, own, names(study, records, model), columns, least, f"{model}\n" if len(maps) > 1 else "")
    figure.suptitle("cosine similarity of masks (%)", fontsize=10)
    return figure


def _maps(
    places: Sequence[Axes],
    found: Mapping[float, np.ndarray],
    labels: Sequence[str],
    columns: int,
    least: float,
    title: str,
) -> None:
    import seaborn as sns

    for place, ((sparsity, table), ax) in enumerate(zip(found.items(), places, strict=False)):
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
        ax.set_title(f"{title}sparsity {sparsity:.0%}; by chance {1 - sparsity:.0%}", fontsize=10)
        ax.tick_params(axis="x", rotation=90)  # seaborn would leave some level, where names run into each other
        ax.tick_params(axis="y", rotation=0)


def draw_against_null(study: Study, records: Mapping[str, Record]) -> Figure:
    """Similarity against sparsity, tickets with one-shot and with each other, beside what chance gives.

    Left the cosine, as in the paper; right the overlap of what is removed (Jaccard), which starts from chance near 0.
    Points are pairs of masks, lines their means; a row a model.
    """
    import matplotlib.pyplot as plt

    models = measured(study, records)
    if not models:
        return style.note()
    size = (style.WIDTH, 3.2 * len(models))
    figure, grid = plt.subplots(len(models), 2, figsize=size, squeeze=False, layout="constrained")
    titles = {"cosine": "cosine of what is kept", "jaccard_removed": "overlap of what is removed"}
    for model, axes in zip(models, grid, strict=True):
        for ax, (measure, title) in zip(axes, titles.items(), strict=True):
            _against_null(ax, study, records, model, measure)
            ax.set(xlabel="sparsity (%)")
            ax.set_title(f"{model}:\n{title}" if len(models) > 1 else title, fontsize=10)
    grid[0][0].legend(fontsize=9)
    return figure


def _against_null(ax: Axes, study: Study, records: Mapping[str, Record], model: str, measure: str) -> None:
    kinds = {"ticket and one-shot": _with_one_shot, "tickets of two tasks": _of_two_tasks}
    colours = style.colours(list(kinds))
    found = tables(study, records, model, measure)
    for kind, rows in kinds.items():
        for sparsity, table in found.items():
            values = rows(table)
            ax.plot([100 * sparsity] * len(values), 100 * values, ".", color=colours[kind], alpha=0.35)
        means = {s: 100 * rows(t).mean() for s, t in found.items() if len(rows(t))}  # one task has no two tickets
        ax.plot([100 * s for s in means], list(means.values()), color=colours[kind], label=kind)
    chance = {a.sparsity: records[a.id].values["independent"][measure] for a in _of(study, records, model)}
    ax.plot([100 * s for s in chance], [100 * v for v in chance.values()], "--", color=style.GUIDE, label="by chance")
    if measure == "cosine":
        for level in COSINES:
            ax.axhline(100 * level, color=style.GUIDE, linewidth=0.8, linestyle=":")
    ax.set(ylabel="similarity (%)", ylim=(0, 102))


def panel(study: Study, records: Mapping[str, Record]) -> panels.Panel | None:
    """What ``draw_against_null`` shows, to be read at a slider: means over pairs and seeds, least and greatest."""
    kinds = {"ticket and one-shot": _with_one_shot, "tickets of two tasks": _of_two_tasks}
    readings = {"cosine (%)": "cosine", "overlap of what is removed (%)": "jaccard_removed"}
    lines = []
    for model in measured(study, records):
        found = {said: tables(study, records, model, measure) for said, measure in readings.items()}
        places = [100 * sparsity for sparsity in found["cosine (%)"]]
        for kind, rows in kinds.items():
            if all(len(rows(table)) for own in found.values() for table in own.values()):
                read = {said: [_spread(100 * rows(table)) for table in own.values()] for said, own in found.items()}
                lines.append(panels.Line(name=kind, kind=model, across=places, readings=read))
        own = {asked.sparsity: records[asked.id].values["independent"] for asked in _of(study, records, model)}
        chance = {
            said: [Estimate(*[100 * own[s][measure]] * 3) for s in sorted(own)] for said, measure in readings.items()
        }
        lines.append(panels.Line(name="by chance", kind=model, across=places, readings=chance))
    words = "Similarity of masks against sparsity: of tickets with the one-shot mask, with each other, and by chance."
    return (
        panels.Panel(
            lines=lines,
            across=style.SPARSITY,
            words=words,
            interval="least, greatest",
            legends=("Pairs", "Models"),
            digits=2,
        )
        if lines
        else None
    )


def _spread(values: np.ndarray) -> Estimate:
    return Estimate(float(values.mean()), float(values.min()), float(values.max()))


def table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """A row a sparsity: least and mean cosines, what chance gives, and whether 96% and 98% are exceeded by all.

    Where masks of several models have been compared, it is one row a model and sparsity.
    """
    import pandas as pd

    models = measured(study, records)
    return pd.DataFrame(
        [
            {**({"model": model} if len(models) > 1 else {}), **_row(sparsity, found)}
            for model in models
            for sparsity, found in tables(study, records, model).items()
        ]
    )


def rates(study: Study) -> str:
    """With which learning rate each model is fine-tuned while its tickets are found, in a sentence."""
    return f"Learning rates of the fine-tuning: {_rates(study)}."


def _rates(study: Study) -> str:
    by_model: dict[str, list[float]] = {}
    for trial in study.trials():
        by_model.setdefault(trial.model, []).append(trial.training.learning_rate)
    return ", ".join(f"{rates_text(rates)} for {model}" for model, rates in by_model.items())


def controlled(study: Study, records: Mapping[str, Record]) -> str:
    """What the control changes, and what it does to the models without any pruning, in a sentence."""
    if study.control is None:
        return "This study has no such run."
    own = replace(study, models=study.control.models)
    usual = {(curve.model, curve.task): curve.dense().text() for curve in curves(own, records)}
    told = [
        f"{curve.dense().text()} on {curve.task} ({usual.get((curve.model, curve.task), '—')} at its own rate)"
        for curve in curves(study.control, records)
    ]
    dense = f" Without pruning it then scores {listing(told)}." if told else ""
    return f"{rates(study)} Here: {_rates(study.control)}.{dense}"


def _row(sparsity: float, found: np.ndarray) -> dict[str, str]:
    with_one_shot, of_two = _with_one_shot(found), _of_two_tasks(found)
    least = float(min(with_one_shot.min(), of_two.min(initial=1.0)))
    return {
        "sparsity": f"{sparsity:.0%}",
        "with one-shot": f"{100 * with_one_shot.mean():.2f}",
        "of two tasks": f"{100 * of_two.mean():.2f}" if len(of_two) else "—",
        "least": f"{100 * least:.2f}",
        "by chance": f"{100 * (1 - sparsity):.0f}",
        **{f"all above {level:.0%}": "yes" if least > level else "no" for level in COSINES},
    }


def _with_one_shot(table: np.ndarray) -> np.ndarray:
    return table[:, :-1, -1].flatten()


def _of_two_tasks(table: np.ndarray) -> np.ndarray:
    places = np.triu_indices(table.shape[1] - 1, 1)
    return table[:, *places].flatten()
