"""Figure 8's scores: against sparsity, and without pruning against the amount of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.curves import Curve
from ..analysis.series import text_pretrainings
from ..analysis.text_effects import score_effects
from ..specs.pretraining import TextPretraining
from ..specs.study import Study
from . import style
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
