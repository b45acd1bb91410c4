"""Figure 3: how far performance falls as one-shot pruning takes more, on vision tasks; and how sharply it turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.curves import Curve, curves
from ..analysis.essential import EPSILON
from ..analysis.estimate import Estimate
from ..analysis.series import text_pretrainings
from ..analysis.turns import Turn, turns
from ..records.pretrained import vision_models
from ..records.store import Record
from ..specs.study import TENTHS, Scale, Study, at_sparsities
from . import curve_plots, fig2, fig6, fig8, style, vision_settings
from .points import Point
from .task_titles import task_title

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STUDIES = {
    "tiny": Study(
        figure="fig3",
        scale="tiny",
        models=vision_settings.TINY_MODELS,
        tasks=vision_settings.TINY_TASKS,
        training=vision_settings.TINY,
        variants={"one-shot": at_sparsities((0.5, 0.9))},
        seeds=(0, 1),
    ),
    "lab": Study(
        figure="fig3",
        scale="lab",
        models=vision_settings.LAB_MODELS,
        tasks=vision_settings.LAB_TASKS,
        training=vision_settings.LAB,
        variants={"one-shot": at_sparsities(TENTHS)},
        pretrained=vision_models("lab"),  # also of models that are in no study, which a reader may name
    ),
    "paper": Study(
        figure="fig3",
        scale="paper",
        models=vision_settings.PAPER_MODELS,
        tasks=vision_settings.PAPER_TASKS,
        training=vision_settings.TABLE_1,
    ),
}

#: The kinds of curves that are compared: of vision models, of language models that others pre-trained, of language
#: models that were trained here from random weights, as the vision models are, and of vision models that saw their
#: images more often.
VISION, LANGUAGE, SCRATCH = "vision", "public language models", "language models trained here"
LONGER = "vision models trained for longer"

#: Titles of the columns of slopes.
POINTS_LOST = "points lost per extra 10% sparsity"
SHARE_LOST = "% of the score above chance lost per extra 10% sparsity"


def language_studies(scale: str) -> list[Study]:
    """Return the studies of language models: Figure 2's; at lab scale also Figure 8's models that read all the text."""
    studies = [fig2.STUDIES[scale]]
    if scale == Scale.LAB:
        whole = fig8.STUDIES[scale]
        studies.append(whole.narrowed(models=[p.model for p in text_pretrainings(whole) if p.fraction == 1]))
    return studies


def longer_study(study: Study) -> Study | None:
    """Return the study, on the study's tasks, of Figure 6's models that were supervised for longer; None without any.

    A model that the study itself has is left out.
    """
    longer_models = vision_settings.BY_OBJECTIVE[study.scale].get(vision_settings.LONGER, ())
    models = [model for model in longer_models if model not in study.models]
    return fig6.STUDIES[study.scale].narrowed(models, study.tasks) if models else None


def compared_with(study: Study) -> list[Study]:
    """Return the studies whose curves the figure draws next to those of its own study."""
    longer_one = longer_study(study)
    return [*language_studies(study.scale), *([longer_one] if longer_one else [])]


def language(scale: str, records: Mapping[str, Record]) -> list[Turn]:
    """Return how the curves of the ``language_studies`` turn at a scale."""
    return [
        turn
        for study in language_studies(scale)
        for curve in curves(study, records)
        for turn in turns(study, [curve], SCRATCH if curve.model in study.pretrained else LANGUAGE)
    ]


def longer(study: Study, records: Mapping[str, Record]) -> list[Turn]:
    """Return how the curves of the ``longer_study`` turn, if there is one."""
    others = longer_study(study)
    return turns(others, curves(others, records), LONGER) if others else []


def draw(curves: Sequence[Curve], points: Sequence[Point] = (), epsilon: float = EPSILON) -> Figure:
    """Draw change from the dense model against sparsity, as ``curve_plots.draw`` does; words if there is nothing."""
    return curve_plots.draw(curves, points, epsilon) if curves or points else style.note()


def draw_turns(turns: Sequence[Turn]) -> Figure:
    """Draw the slope after the turn, a row for each curve that has one: left in points, right as a share.

    The share is of what can be lost. Bars are 95% intervals, vertical lines the means over the curves of a kind that
    count. Curves that do not count are hollow.
    """
    drawn = [turn for turn in turns if turn.point is not None]
    if not drawn:
        return style.note()
    colours = style.colours(list(dict.fromkeys(turn.group for turn in drawn)))
    titles = ("points", "% of the score above chance")
    figure, axes = style.titled_axes(
        titles, "", "lost per extra 10% sparsity, after the turn", height=max(2.0, 0.22 * len(drawn))
    )
    for ax, name in zip(axes, ("slope", "share"), strict=True):
        for row, turn in enumerate(drawn):
            slope: Estimate = getattr(turn.point, name)
            ax.errorbar(
                slope.value,
                row,
                xerr=[[slope.value - slope.low], [slope.high - slope.value]],
                color=colours[turn.group],
                marker="o",
                markerfacecolor=colours[turn.group] if not turn.excluded else "white",
                markersize=4,
                linewidth=1,
                label=turn.name,
            )
        for kind, colour in colours.items():
            values = [getattr(turn.point, name).value for turn in drawn if turn.group == kind and not turn.excluded]
            if values:
                ax.axvline(sum(values) / len(values), color=colour, linewidth=1, linestyle="--", label=f"mean, {kind}")
        ax.set_ylim(len(drawn) - 0.5, -0.5)
        ax.set_yticks(range(len(drawn)), [turn.name for turn in drawn] if ax is axes[0] else [], fontsize=8)
    style.line_legend(figure, {kind: {"color": c, "marker": "o", "markersize": 4} for kind, c in colours.items()})
    return figure


def table(turns: Sequence[Turn]) -> pd.DataFrame:
    """Return a row for each curve: where it turns, how steep it is after that, and why it does not count, if so."""
    import pandas as pd

    titles = ("curve", "kind", "turning point %", POINTS_LOST, SHARE_LOST, "used in the means")
    rows = []
    for turn in turns:
        point, name = turn.point, f"{turn.model} on {task_title(turn.task)}"
        numbers = (point.at.text(0, 100), point.slope.text(), point.share.text(0)) if point else ("—",) * 3
        rows.append((name, turn.group, *numbers, f"no: {turn.excluded}" if turn.excluded else "yes"))
    return pd.DataFrame(rows, columns=titles)
