"""Figure 8's scores: against sparsity, as a picture and as a panel, and without pruning against the amount of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.curves import Curve
from ..analysis.series import text_pretrainings
from ..analysis.text_effects import score_effects
from ..specs.pretraining import TextPretraining
from ..specs.study import Study
from . import panels, style
from .fig8 import line_styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: How far points of one place are shifted aside for each seed of the pre-training, in points of the page.
_OFFSET = 2.8

_FLOOR_LEGEND = {"commonest class": dict(color=style.GUIDE, linestyle=":", linewidth=1)}


def draw_scores(study: Study, curves: Sequence[Curve], marked: float) -> Figure:
    """Draw score against sparsity: the mean over the tasks that count, then a panel for each task.

    Args:
        study: a study of Figure 8.
        curves: its curves.
        marked: a sparsity to mark with a vertical line.
    """
    means = score_effects(study, curves)
    titles = [*(["mean of the learned tasks"] if means else []), *dict.fromkeys(curve.task for curve in curves)]
    if not titles:
        return style.note()
    figure, axes = style.titled_axes(titles, "score", style.SPARSITY)
    styles = line_styles(_pretrainings_of(study, curves))
    for title, ax in zip(titles, axes, strict=True):
        ax.axvline(100 * marked, color=style.MARKED, linewidth=1, linestyle="--", label="marked sparsity")
        for curve in curves:
            if curve.task == title:
                ax.plot(100 * curve.levels, np.nanmean(curve.scores, 0), **styles[curve.model])
                ax.axhline(curve.majority, **style.named(_FLOOR_LEGEND))
    for model in means[0.0].values if means else ():
        scores = [effect.values[model] for effect in means.values()]
        axes[0].plot([100 * sparsity for sparsity in means], scores, **styles[model])
    style.line_legend(figure, {**styles, **_FLOOR_LEGEND}, columns=5)
    return figure


def panel(study: Study, curves: Sequence[Curve], start: float) -> panels.Panel | None:
    """Return a panel of the curves, or None if there are none: a colour for each share of the text, dashes for seeds.

    At first the models of the most and of the least text are drawn, on one task.

    Args:
        study: a study of Figure 8.
        curves: its curves.
        start: the first position of the slider, in percent.
    """
    pretrainings = {pretraining.model: pretraining for pretraining in text_pretrainings(study)}
    styles = line_styles([*pretrainings.values()])
    text_of = {model: f"{pretraining.fraction:.0%}" for model, pretraining in pretrainings.items()}
    fractions = [pretraining.fraction for pretraining in pretrainings.values()]
    extremes = {max(fractions), min(fractions)}
    groups: dict[str, list[Curve]] = {"most and least": [], "between": []}
    for curve in curves:
        is_extreme = pretrainings[curve.model].fraction in extremes
        groups["most and least" if is_extreme else "between"].append(curve)
    return panels.of_curves(
        groups,
        "A line for each pre-trained model and task: the change from the dense model against the share of the weights "
        "removed.",
        name_of=lambda curve: text_of[curve.model],
        dash_of=lambda curve: f"seed {pretrainings[curve.model].seed}",
        shown=["most and least"],
        legends=("share of the text", "task", "seed"),
        palette={text_of[model]: look["color"][:3] for model, look in styles.items()},
        dashes=style.SEED_LINES,
        start=start,
    )


def draw_dense(study: Study, curves: Sequence[Curve]) -> Figure:
    """Draw score without pruning against the part of the text, with 95% intervals over fine-tuning seeds and examples.

    Args:
        study: a study of Figure 8.
        curves: its curves.
    """
    tasks = list(dict.fromkeys(curve.task for curve in curves))
    if not tasks:
        return style.note()
    figure, axes = style.titled_axes(tasks, "score", "text that the model was pre-trained on (%)")
    pretrainings = {pretraining.model: pretraining for pretraining in _pretrainings_of(study, curves)}
    styles = line_styles([*pretrainings.values()])
    for curve in curves:
        ax, pretraining, dense = axes[tasks.index(curve.task)], pretrainings[curve.model], curve.dense()
        error = [[dense.value - dense.low], [dense.high - dense.value]]
        look: dict[str, Any] = {**styles[curve.model], "marker": "o", "markersize": 4, "capsize": 3}
        side_by_side = style.shifted(ax, _OFFSET * pretraining.seed)
        ax.errorbar(100 * pretraining.fraction, dense.value, yerr=error, **look, transform=side_by_side)
        ax.axhline(curve.majority, **style.named(_FLOOR_LEGEND))
    style.line_legend(figure, {**styles, **_FLOOR_LEGEND}, columns=5)
    return figure


def _pretrainings_of(study: Study, curves: Sequence[Curve]) -> list[TextPretraining]:
    """Return the pre-trainings of the models that have curves."""
    models = {curve.model for curve in curves}
    return [pretraining for pretraining in text_pretrainings(study) if pretraining.model in models]
