"""Figure 6: supervised against self-supervised pre-training, on the same architecture, images and compute."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import cycle, zip_longest
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.comparisons import Comparison, drop_effects, essential_effect, learned_tasks
from ..analysis.curves import Curve
from ..analysis.effects import task_means
from ..analysis.essential import EPSILON, essential_sparsity
from ..records.pretrained import from_scratch
from ..specs.study import TENTHS, Study, at_sparsities
from . import curve_plots as drawing
from . import panels, style, vision_settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _study(
    scale: str, tasks: tuple[str, ...], training: Mapping, sparsities: tuple[float, ...] = TENTHS, **options
) -> Study:
    models = tuple(model for own in vision_settings.BY_OBJECTIVE[scale].values() for model in own)
    return Study(
        figure="fig6",
        scale=scale,
        models=models,
        tasks=tasks,
        training=training,
        variants={"one-shot": at_sparsities(sparsities)},
        measured={"zeros": (0.0,)},
        pretrained=from_scratch(scale, models),
        **options,
    )


STUDIES = {
    "tiny": _study("tiny", vision_settings.TINY_TASKS[:1], vision_settings.TINY, (0.5, 0.9), seeds=(0, 1)),
    "lab": _study("lab", vision_settings.LAB_TASKS, vision_settings.LAB),
    "paper": _study("paper", vision_settings.PAPER_TASKS, vision_settings.TABLE_1),
}


def comparisons(study: Study) -> list[Comparison]:
    """What is held against what, as far as the study has the models; the first decides C7."""
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
    found = [Comparison(name, groups.get(a, ()), groups.get(b, ())) for name, (a, b) in pairs.items()]
    return [found[0], *(each for each in found[1:] if each.more and each.less)]


def looks(study: Study, drawn: Collection[str]) -> dict[str, dict[str, Any]]:
    """Colour of the objective and line of the pre-training seed, by model, for those that are drawn."""
    groups = vision_settings.objectives(study)
    colours = style.colours(vision_settings.WAYS)
    return {
        model: {"color": colours[way], "linestyle": line, "linewidth": 1.4}
        for way, models in groups.items()
        for model, line in zip(models, cycle(style.SEED_LINES), strict=False)
        if model in drawn
    }


def draw(study: Study, found: Sequence[Curve], asked: float | None = None, epsilon: float = EPSILON) -> Figure:
    """Change from the dense model against sparsity: the mean over the tasks that all models learned, then each task.

    A line a pre-trained model, the mean of its fine-tunings, with the 95% interval of these; colours are objectives,
    line styles pre-training seeds. The dashed grey line lies ε below the dense model.

    Args:
        asked: a sparsity to mark.
    """
    pruned = [curve for curve in found if len(curve.levels) > 1]
    own = looks(study, {curve.model for curve in pruned})
    drawn = [curve for curve in pruned if curve.model in own]
    if not drawn:
        return style.note()
    tasks = learned_tasks(study, drawn, list(dict.fromkeys(curve.model for curve in drawn)))
    means = task_means(drawn, tasks, lambda curve: -curve.drops()[0]) if len(tasks) > 1 else {}
    titles = [*(["mean of the learned tasks"] if means else []), *dict.fromkeys(curve.task for curve in drawn)]
    across = style.SPARSITY
    figure, axes = style.titled(titles, "change (points)", across)
    for title, ax in zip(titles, axes, strict=True):
        ax.axhline(-epsilon, color=style.GUIDE, linestyle="--", linewidth=1)
        if asked is not None:
            ax.axvline(100 * asked, color=style.ASKED, linewidth=1, linestyle="--")
        for curve in (c for c in drawn if c.task == title):
            _line(ax, curve, own[curve.model])
    for model, change in means.items():
        axes[0].plot([100 * s for s in study.sparsities], change, **own[model])
    legend(figure, study, own)
    return figure


def _line(ax: Axes, curve: Curve, look: Mapping[str, Any]) -> None:
    percent = 100 * curve.levels
    drop, resampled = curve.drops()
    low, high = np.nanquantile(resampled, (0.025, 0.975), axis=0)
    ax.fill_between(percent, -high, -low, color=look["color"], alpha=0.1, linewidth=0)
    ax.plot(percent, -drop, **look)


def panel(study: Study, found: Sequence[Curve], words: str, start: float) -> panels.Panel | None:
    """The curves, with the colours of ``draw``; at first those of one task, which counts in C7 if any does."""
    groups, ways = vision_settings.objectives(study), vision_settings.ways(study)
    counted = learned_tasks(study, found, comparisons(study)[0].models)
    kinds = {
        f"{task}, pre-training {i}": [curve for curve in found if curve.task == task and curve.model in models]
        for task in study.tasks
        for i, models in enumerate(zip_longest(*groups.values()), 1)
    }
    first = next(iter([*counted, *(curve.task for curve in found)]), "")
    return panels.of_curves(
        kinds,
        words,
        name=lambda curve: ways[curve.model],
        legends=("Pre-trainings", "Lines"),
        palette=vision_settings.WAYS,
        shown=[kind for kind in kinds if kind.startswith(f"{first},")],
        start=start,
    )


def legend(figure: Figure, study: Study, own: Mapping[str, Mapping[str, Any]]) -> None:
    """Which colour is which objective and, where there are several, which line which pre-training."""
    groups = vision_settings.objectives(study).items()
    named = {way: {**own[m], "linestyle": "-"} for way, models in groups for m in models if m in own}
    drawn = {look["linestyle"] for look in own.values()}
    lines = {
        f"pre-training {i}": {"color": "0.2", "linestyle": line}
        for i, line in enumerate(style.SEED_LINES, 1)
        if line in drawn
    }
    style.line_legend(figure, {**named, **(lines if len(lines) > 1 else {})})


def essential_table(study: Study, found: Sequence[Curve], epsilon: float = EPSILON) -> pd.DataFrame:
    """A row a pre-trained model: dense score and essential sparsity on each task, with 95% intervals."""
    import pandas as pd

    rows = []
    for way, models in vision_settings.objectives(study).items():
        for model in models:
            own = {curve.task: curve for curve in found if curve.model == model}
            row = {"pre-training": way, "model": model}
            for task in study.tasks_of(model):
                row[f"{task}, dense"] = own[task].dense().text() if task in own else "—"
                row[f"{task}, essential sparsity %"] = (
                    drawing.sparsity_text(own[task], essential_sparsity(own[task], epsilon), own[task].learned())
                    if task in own
                    else "—"
                )
            rows.append(row)
    return pd.DataFrame(rows)


def effect_table(study: Study, found: Sequence[Curve]) -> pd.DataFrame:
    """A row a quantity, a column a comparison: the difference between the models, with its interval over pre-trainings.

    The drop at each sparsity in points (above 0: the first models lose more), then the essential sparsity in points of
    sparsity (above 0: they can lose more), both the mean over the tasks that all models compared have learned.
    """
    import pandas as pd

    columns = {}
    for compared in comparisons(study):
        drops = {level: e for level, e in drop_effects(study, found, compared).items() if level}
        cells = {f"drop at {level:.0%}": effect.difference.text() for level, effect in drops.items()}
        essential = essential_effect(study, found, compared)
        if cells:
            cells["essential sparsity"] = essential.difference.text(0, 100)
            for side, models in (("first", compared.more), ("second", compared.less)):
                cells[f"essential sparsity of the {side}"] = f"{100 * fmean(essential.values[m] for m in models):.0f}"
        columns[compared.name] = cells
    names = list(dict.fromkeys(what for cells in columns.values() for what in cells))
    return pd.DataFrame(
        {name: [cells.get(what, "—") for what in names] for name, cells in columns.items()}, index=names
    )
