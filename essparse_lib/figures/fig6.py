"""Figure 6: supervised against self-supervised pre-training, on the same architecture, images and compute."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain, cycle
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.comparisons import MEAN_DROP_TO, Comparison, drop_effects, essential_effect, learned_tasks
from ..analysis.curves import Curve
from ..analysis.effects import task_means
from ..analysis.essential import EPSILON, essential_sparsity
from ..records.pretrained import from_scratch
from ..specs.measurement import MeasurementKind
from ..specs.override import AddedSeeds, Override
from ..specs.study import TENTHS, Study, at_sparsities
from . import fig6_floor, panels, style, vision_settings
from .curve_plots import sparsity_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What is measured of each model, next to its fine-tunings.
_MEASURED = (MeasurementKind.ZEROS, MeasurementKind.FEATURE_ACCURACY, MeasurementKind.HELD_OUT_LOSS)


def _study(
    scale: str, tasks: tuple[str, ...], training: Mapping, sparsities: tuple[float, ...] = TENTHS, **options
) -> Study:
    models = tuple(chain.from_iterable(vision_settings.BY_OBJECTIVE[scale].values()))
    return Study(
        figure="fig6",
        scale=scale,
        models=models,
        tasks=tasks,
        training=training,
        variants={"one-shot": at_sparsities(sparsities)},
        measured=dict.fromkeys(_MEASURED, (0.0,)),
        pretrained=from_scratch(scale, models),
        **options,
    )


#: The sparsities over which C7 averages the drop.
_DECIDING = tuple(sparsity for sparsity in TENTHS if 0 < sparsity <= MEAN_DROP_TO)

#: Further fine-tunings of the models that decide C7, at the sparsities and on the tasks that do. These models are few,
#: and the noise of their fine-tunings comes on top of what sets them apart.
_ADDED = AddedSeeds(seeds=tuple(range(3, 10)), tasks=vision_settings.LAB_TASKS[1:], sparsities=_DECIDING)
_DECIDING_MODELS = [
    vision_settings.BY_OBJECTIVE["lab"][name] for name in (vision_settings.SUPERVISED, vision_settings.DINO)
]


def _with_floor(study: Study, sparsities: tuple[float, ...] = _DECIDING) -> Study:
    """Return a study with a control: the same model fine-tuned from random weights, which has only its task to lose.

    It is pruned to the sparsities that decide, so that C7's quantity, the mean of the drops, is known of it as well.
    """
    model = vision_settings.FRESH[study.scale]
    floor = replace(
        study,
        models=(model,),
        variants={study.main: at_sparsities(sparsities)},
        overrides={},
        measured={},
        pretrained=from_scratch(study.scale, (model,)),
    )
    return replace(study, controls=(floor,))


STUDIES = {
    "tiny": _with_floor(
        _study("tiny", vision_settings.TINY_TASKS[:1], vision_settings.TINY, (0.5, 0.9), seeds=(0, 1)), (0.5, 0.9)
    ),
    "lab": _with_floor(
        _study(
            "lab",
            vision_settings.LAB_TASKS,
            vision_settings.LAB,
            overrides=dict.fromkeys(chain.from_iterable(_DECIDING_MODELS), Override(added=_ADDED)),
        )
    ),
    "paper": _study("paper", vision_settings.PAPER_TASKS, vision_settings.TABLE_1),
}


def comparisons(study: Study) -> list[Comparison]:
    """Return which models are compared with which, as far as the study has them; the first comparison decides C7."""
    groups = vision_settings.objectives(study)
    pairs = {
        "DINO less supervised, after equally many images": (vision_settings.DINO, vision_settings.SUPERVISED),
        "DINO less supervised, after equal time": (vision_settings.DINO, vision_settings.LONGER),
        "longer less shorter supervised training": (vision_settings.LONGER, vision_settings.SUPERVISED),
        "masked images less supervised, after equally many images": (
            vision_settings.MASKED,
            vision_settings.SUPERVISED,
        ),
    }
    first, *rest = [Comparison(name, groups.get(a, ()), groups.get(b, ())) for name, (a, b) in pairs.items()]
    return [first, *(comparison for comparison in rest if comparison.more and comparison.less)]


def line_styles(study: Study, models: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return how the line of each of some models is drawn: the colour is the objective, the dashes are the seed.

    Args:
        study: a study of Figure 6.
        models: the models that are drawn; those whose objective is not known are left out.
    """
    colours = style.colours(vision_settings.OBJECTIVES)
    styles = {}
    for objective, group in vision_settings.objectives(study).items():
        for model, line in zip(group, cycle(style.SEED_LINES), strict=False):
            if model in models:
                styles[model] = {"color": colours[objective], "linestyle": line, "linewidth": 1.4}
    return styles


def draw(
    study: Study,
    curves: Sequence[Curve],
    marked: float | None = None,
    epsilon: float = EPSILON,
    floor: Sequence[Curve] = (),
) -> Figure:
    """Draw change from the dense model against sparsity: the mean over the tasks that all models learned, then each.

    A line is a pre-trained model, the mean of its fine-tunings, with the 95% interval of these. Colours are objectives,
    line styles pre-training seeds. The dashed grey line lies ε below the dense model.

    Args:
        study: a study of Figure 6.
        curves: its curves.
        marked: a sparsity to mark with a vertical line.
        epsilon: where the dashed line lies, in points.
        floor: the curves of the model with random weights, which are drawn as a dotted black line.
    """
    pruned = [curve for curve in curves if len(curve.levels) > 1]
    styles = line_styles(study, {curve.model for curve in pruned})
    drawn = [curve for curve in pruned if curve.model in styles]
    if not drawn:
        return style.note()
    tasks = learned_tasks(study, drawn, list(dict.fromkeys(curve.model for curve in drawn)))
    means = task_means(drawn, tasks, lambda curve: -curve.drops()[0]) if len(tasks) > 1 else {}
    titles = [*(["mean of the learned tasks"] if means else []), *dict.fromkeys(curve.task for curve in drawn)]
    figure, axes = style.titled_axes(titles, "change (points)", style.SPARSITY)
    for title, ax in zip(titles, axes, strict=True):
        ax.axhline(-epsilon, color=style.GUIDE, linestyle="--", linewidth=1, label=f"dense − {epsilon:g} point")
        if marked is not None:
            ax.axvline(100 * marked, color=style.MARKED, linewidth=1, linestyle="--", label="marked sparsity")
        for curve in drawn:
            if curve.task == title:
                _draw_curve(ax, curve, styles[curve.model])
        for curve in floor:
            if curve.task == title:
                _draw_curve(ax, curve, fig6_floor.LINE)
    for model, change in means.items():
        axes[0].plot([100 * sparsity for sparsity in study.sparsities], change, **styles[model], label=model)
    add_legend(figure, study, styles, {fig6_floor.NAME: fig6_floor.LINE} if floor else {})
    return figure


def _draw_curve(ax: Axes, curve: Curve, line_style: Mapping[str, Any]) -> None:
    percent = 100 * curve.levels
    drop, resampled = curve.drops()
    low, high = np.nanquantile(resampled, (0.025, 0.975), axis=0)
    ax.fill_between(percent, -high, -low, color=line_style["color"], alpha=0.1, linewidth=0, label=curve.model)
    ax.plot(percent, -drop, **line_style, label=curve.model)


def panel(study: Study, curves: Sequence[Curve], description: str, start: float) -> panels.Panel | None:
    """Return a panel of the curves with the colours of ``draw``, or None if there are no curves.

    At first lines of one task are drawn: of the first that counts in C7, if any does.

    Args:
        study: a study of Figure 6.
        curves: its curves.
        description: the chart in words.
        start: the first position of the slider, in percent.
    """
    objective_of = vision_settings.objective_of(study)
    number_of = {
        model: number for group in vision_settings.objectives(study).values() for number, model in enumerate(group, 1)
    }
    of_tasks = {
        task: sorted(
            (curve for curve in curves if curve.task == task and curve.model in number_of),
            key=lambda curve: number_of[curve.model],
        )
        for task in study.tasks
    }
    counted = learned_tasks(study, curves, comparisons(study)[0].models)
    first_task = next(iter([*counted, *(curve.task for curve in curves)]), "")
    return panels.of_curves(
        of_tasks,
        description,
        name_of=lambda curve: objective_of[curve.model],
        dash_of=lambda curve: f"pre-training {number_of[curve.model]}",
        legends=("objective", "task", "pre-training"),
        palette=style.colours(vision_settings.OBJECTIVES),
        dashes=style.SEED_LINES,
        shown=[first_task],
        start=start,
    )


def add_legend(
    figure: Figure,
    study: Study,
    styles: Mapping[str, Mapping[str, Any]],
    others: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Add a legend: the colour of each objective and, if there are several, the line of each pre-training seed.

    Args:
        figure: the figure.
        study: a study of Figure 6.
        styles: how the line of each model is drawn, as ``line_styles`` returns it.
        others: further lines by their names; None for none.
    """
    objectives = {}
    for objective, models in vision_settings.objectives(study).items():
        for model in models:
            if model in styles:
                objectives[objective] = {**styles[model], "linestyle": "-"}
    drawn = {line_style["linestyle"] for line_style in styles.values()}
    seeds = {
        f"pre-training {number}": {"color": "0.2", "linestyle": line}
        for number, line in enumerate(style.SEED_LINES, 1)
        if line in drawn
    }
    style.line_legend(figure, {**objectives, **(seeds if len(seeds) > 1 else {}), **(others or {})})


def essential_table(study: Study, curves: Sequence[Curve], epsilon: float = EPSILON) -> pd.DataFrame:
    """Return a row for each pre-trained model: dense score and essential sparsity on each task, with 95% intervals."""
    import pandas as pd

    by_place = {(curve.model, curve.task): curve for curve in curves}
    rows = []
    for objective, models in vision_settings.objectives(study).items():
        for model in models:
            row = {"pre-training": objective, "model": model}
            for task in study.tasks_of(model):
                dense = essential = "—"
                if curve := by_place.get((model, task)):
                    dense = curve.dense().text()
                    essential = sparsity_text(curve, essential_sparsity(curve, epsilon))
                row[f"{task}, dense"] = dense
                row[f"{task}, essential sparsity %"] = essential
            rows.append(row)
    return pd.DataFrame(rows)


def effect_table(study: Study, curves: Sequence[Curve]) -> pd.DataFrame:
    """Return a row for each quantity and a column for each comparison: differences, with intervals over pre-trainings.

    The quantities are the drop at each sparsity in points (above 0: the first models lose more) and the essential
    sparsity in points of sparsity (above 0: the first models can lose more). Both are means over the tasks that all
    compared models have learned.
    """
    import pandas as pd

    columns = {}
    for comparison in comparisons(study):
        cells = {}
        for level, effect in drop_effects(study, curves, comparison).items():
            if level:
                cells[f"drop at {level:.0%}"] = effect.difference.text()
        if cells:
            essential = essential_effect(study, curves, comparison)
            cells["essential sparsity"] = essential.difference.text(0, 100)
            for side, models in (("first", comparison.more), ("second", comparison.less)):
                mean = fmean(essential.values[model] for model in models)
                cells[f"essential sparsity of the {side}"] = f"{100 * mean:.0f}"
        columns[comparison.name] = cells
    quantities = list(dict.fromkeys(quantity for cells in columns.values() for quantity in cells))
    return pd.DataFrame(
        {name: [cells.get(quantity, "—") for quantity in quantities] for name, cells in columns.items()},
        index=quantities,
    )
