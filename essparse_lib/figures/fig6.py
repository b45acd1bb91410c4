"""Figure 6: supervised against self-supervised pre-training, on the same architecture, images and compute."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain, cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.comparisons import MEAN_DROP_TO, Comparison, learned_tasks
from ..analysis.curves import Curve
from ..analysis.effects import task_means
from ..analysis.essential import EPSILON
from ..records.pretrained import from_scratch
from ..specs.measurement import MeasurementKind
from ..specs.override import AddedSeeds, Override
from ..specs.study import TENTHS, Study, at_sparsities
from . import fig6_floor, panels, style, vision_settings

if TYPE_CHECKING:
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


#: The comparison after equal time.
EQUAL_TIME = "DINO − supervised, after equal time"


def comparisons(study: Study) -> list[Comparison]:
    """Return which models are compared with which, as far as the study has them; the first comparison decides C7."""
    groups = vision_settings.objectives(study)
    pairs = {
        "DINO − supervised, after equally many images": (vision_settings.DINO, vision_settings.SUPERVISED),
        EQUAL_TIME: (vision_settings.DINO, vision_settings.LONGER),
        "longer − shorter supervised training": (vision_settings.LONGER, vision_settings.SUPERVISED),
        "masked images − supervised, after equally many images": (
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


def named_line_styles(study: Study) -> dict[str, dict[str, Any]]:
    """Return how the line of each of a study's models is drawn, with the model's title as its label.

    Args:
        study: a study of Figure 6.
    """
    styles = line_styles(study, study.models)
    return {model: {**look, "label": vision_settings.model_title(model)} for model, look in styles.items()}


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
