"""Drawing and telling of curves of performance against sparsity: what Figure 2 and its kin share."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.curves import Curve, curves
from ..analysis.essential import EPSILON, essential_sparsity
from ..analysis.estimate import Estimate
from ..analysis.turning_point import turning_point
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from ..wording import places_text
from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Point:
    """One model on one task at the sparsity that the reader asked for.

    Attributes:
        drop: in points, or in percent of the dense score, with its interval.
        seeds: how many it rests on.
        live: whether it was run just now, rather than read from the study's records.
        relative: whether the drop is in percent of the dense score.
    """

    model: str
    task: str
    sparsity: float
    drop: Estimate
    seeds: int
    live: bool
    relative: bool = False


def points(study: Study, records: Mapping[str, Record], sparsity: float, live: Container[str]) -> list[Point]:
    """The asked point of every curve that has it, paired with the dense model on the same seeds.

    Args:
        live: the ids of the trials that were run just now.
    """
    return pruned_points(study, records, Pruning(sparsity=sparsity), live)


def pruned_points(study: Study, records: Mapping[str, Record], pruning: Pruning, live: Container[str]) -> list[Point]:
    """As ``points``, of the models pruned in this way, whichever it is.

    What chance in training does is told from the whole curve, so that a point has the interval that it has there.
    """
    found, good = [], {i: record for i, record in records.items() if record.status == "ok"}
    for curve in curves(study, good, prunings=(*study.variants[study.main], pruning)):
        if pruning in curve.prunings:
            fresh = any(study.trial(curve.model, curve.task, pruning, seed).id in live for seed in curve.seeds)
            found.append(_point_at(curve, curve.prunings.index(pruning), live=fresh))
    return found


def measured_point(curve: Curve, sparsity: float, relative: bool = False) -> Point | None:
    """A curve's own point at one of its levels, or None where it has none there.

    Args:
        relative: the drop in percent of the dense score.
    """
    there = np.flatnonzero(np.isclose(curve.levels, sparsity))
    return _point_at(curve, int(there[0]), relative) if len(there) else None


def _point_at(curve: Curve, place: int, relative: bool = False, live: bool = False) -> Point:
    """Of a curve what it says at the level with this number."""
    drop = curve.drop_estimates(relative)[place]
    seeds = curve.seeds_of(curve.prunings[0], curve.prunings[place])
    return Point(
        model=curve.model,
        task=curve.task,
        sparsity=float(curve.levels[place]),
        drop=drop,
        seeds=seeds,
        live=live,
        relative=relative,
    )


def sentence(point: Point) -> str:
    """A point in words, with its drop and interval."""
    seeds = "one seed" if point.seeds == 1 else f"{point.seeds} seeds"
    source = "run now" if point.live else "from records"
    verb = "loses" if point.drop.value >= 0 else "gains"
    size = point.drop if point.drop.value >= 0 else -point.drop
    unit = "% of its dense score" if point.relative else " points"
    return (
        f"With {point.sparsity:.4g} of its prunable weights gone, {point.model} {verb} {size.text()}{unit} "
        f"on {point.task} ({seeds}, {source})."
    )


#: Line styles of the ways that are drawn thin beside the main one, in their order.
_BESIDE = (":", "--", "-.")


def draw(
    found: Sequence[Curve],
    asked: Sequence[Point] = (),
    epsilon: float = EPSILON,
    beside: Mapping[str, Sequence[Curve]] | None = None,
    relative: bool = False,
) -> Figure:
    """Change from the dense model against sparsity: a panel a task, a colour a model.

    Every panel has its own vertical scale. Lines are means over the seeds, thin lines the seeds, bands 95%
    intervals, the dashed line lies ε below the dense model, the dotted one at always saying the commonest class;
    ticks at the bottom are the essential sparsity with its interval, crosses trials that diverged or failed.

    Args:
        beside: curves of other ways by their names, drawn as thin broken lines of their means, with dots where
            they were measured: records may be missing between them.
        relative: all in percent of the dense score, not in points; so must be ``asked`` and ε.
    """
    beside = {way: [c for c in curves_ if len(c.levels) > 1] for way, curves_ in (beside or {}).items()}
    tasks = list(dict.fromkeys([c.task for c in found] + [p.task for p in asked]))
    models = list(dict.fromkeys([c.model for c in found] + [p.model for p in asked]))
    colours = style.colours(models)
    figure, axes = style.panels(max(1, len(tasks)))
    for task, ax in zip(tasks, axes, strict=False):
        ax.set_title(task, fontsize=10)
        ax.axhline(-epsilon, color=style.GUIDE, linestyle="--", linewidth=1)
        for curve in (c for c in found if c.task == task):
            _curve(ax, curve, colours[curve.model], epsilon, len(models), relative)
        for line, others in zip(_BESIDE, beside.values(), strict=False):
            for curve in (c for c in others if c.task == task):
                change = -curve.drops(relative)[0]
                ax.plot(100 * curve.levels, change, f".{line}", color=colours[curve.model], linewidth=1, markersize=4)
        for point in (p for p in asked if p.task == task):
            _point(ax, point)
        ax.set_ylim(*_limits([c for c in found if c.task == task], [p for p in asked if p.task == task], relative))
    for ax in style.first_column(axes):
        ax.set_ylabel("change (% of dense)" if relative else "change (points)")
    figure.supxlabel(style.SPARSITY, fontsize=10)
    tolerated = f"dense − {epsilon:g}{'%' if relative else ' point'}"
    _legend(figure, colours, bool(asked), any(c.failures for c in found), tolerated, beside)
    return figure


def _limits(found: Sequence[Curve], asked: Sequence[Point], relative: bool) -> tuple[float, float]:
    """The range of the bands and of the asked points: the commonest class may lie far below."""
    changes = [-drop for curve in found for e in curve.drop_estimates(relative) for drop in (e.low, e.high)]
    changes += [-drop for point in asked for drop in (point.drop.low, point.drop.high)]
    low, high = min(changes, default=-5.0), max(changes, default=1.0)
    room = 0.08 * (high - low) + 1
    return low - 2 * room, high + room


def _curve(
    ax: Axes, curve: Curve, colour: tuple[float, float, float], epsilon: float, models: int, relative: bool
) -> None:
    percent = 100 * curve.levels
    drop, resampled = curve.drops(relative)
    dense = curve.scores[:, :1]
    unit = dense / 100 if relative and (dense > 0).all() else np.ones_like(dense)
    ax.plot(percent, ((curve.scores - dense) / unit).T, color=colour, linewidth=0.6, alpha=0.6)
    if len(percent) > 1:
        low, high = np.nanquantile(resampled, (0.025, 0.975), axis=0)
        ax.fill_between(percent, -high, -low, color=colour, alpha=0.2, linewidth=0)
    ax.plot(percent, -drop, color=colour, marker="o", markersize=3, linewidth=1.6)
    if models == 1:
        ax.axhline(
            (curve.majority - float(dense.mean())) / float(unit.mean()), color=style.GUIDE, linestyle=":", linewidth=1
        )
    for _, level in curve.failures:
        ax.plot(100 * level, 0, marker="x", color=colour)
    if len(percent) > 2 and curve.learned():
        knee = essential_sparsity(curve, epsilon, relative)
        transform = ax.get_xaxis_transform()
        span = [100 * knee.low, 100 * knee.high]
        ax.plot(span, [0.04, 0.04], color=colour, linewidth=3, alpha=0.35, transform=transform)
        ax.plot(100 * knee.value, 0.04, marker="|", color=colour, markersize=12, markeredgewidth=2, transform=transform)


def _point(ax: Axes, point: Point) -> None:
    error = [[max(0, point.drop.high - point.drop.value)], [max(0, point.drop.value - point.drop.low)]]
    ax.errorbar(
        100 * point.sparsity,
        -point.drop.value,
        yerr=error,
        color=style.ASKED,
        marker="D",
        markersize=6,
        capsize=3,
        zorder=5,
    )


def _legend(
    figure: Figure, colours: Mapping[str, Any], asked: bool, unlucky: bool, tolerated: str, beside: Mapping[str, Any]
) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=c, marker="o", markersize=3, label=m) for m, c in colours.items()]
    handles += [
        Line2D([], [], color="0.2", linestyle=line, linewidth=1, label=way)
        for line, (way, curves_) in zip(_BESIDE, beside.items(), strict=False)
        if curves_
    ]
    handles.append(Line2D([], [], color=style.GUIDE, linestyle="--", label=tolerated))
    if len(colours) == 1:
        handles.append(Line2D([], [], color=style.GUIDE, linestyle=":", label="commonest class"))
    handles.append(Line2D([], [], color="0.2", marker="|", linewidth=3, alpha=0.5, label="essential sparsity, 95%"))
    if asked:
        handles.append(Line2D([], [], color=style.ASKED, marker="D", linestyle="", label="the point asked for"))
    if unlucky:
        handles.append(Line2D([], [], color="0.2", marker="x", linestyle="", label="diverged or failed"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(3, len(handles)), fontsize=9)


def table(found: Sequence[Curve], epsilon: float = EPSILON) -> pd.DataFrame:
    """A row a curve: dense score, essential sparsity (ε absolute and relative) and turning point, with intervals."""
    import pandas as pd

    rows = []
    for curve in found:
        learned = curve.learned()
        rows.append(
            {
                "model": curve.model,
                "task": curve.task if curve.metric == "accuracy" else f"{curve.task} ({curve.metric})",
                "dense": curve.dense().text(),
                "commonest class": f"{curve.majority:.1f}",
                "essential sparsity %": sparsity_text(curve, essential_sparsity(curve, epsilon), learned),
                "the same, ε relative": sparsity_text(curve, essential_sparsity(curve, epsilon, True), learned),
                "turning point %": sparsity_text(curve, turning_point(curve), learned),
                "seeds": len(curve.seeds),
            }
        )
    shown = pd.DataFrame(rows)
    return shown.drop(columns="model") if len({curve.model for curve in found}) == 1 else shown


def sparsity_text(curve: Curve, found: Estimate, learned: bool) -> str:
    """A sparsity of a curve in percent: with ``≥`` where the curve ends before, in words where there is none."""
    if not learned:
        return "not learned"
    if np.isnan(found.value) or len(curve.levels) < 3:
        return "none"
    return found.text(digits=0, scale=100, last=curve.levels[-1])


def unfalling(study: Study, found: Sequence[Curve], epsilon: float = EPSILON) -> str:
    """In words which complete curves never fall by more than ε, and what follows; empty if all do."""
    end = max(study.sparsities)
    lasting = [curve for curve in _counted(study, found) if essential_sparsity(curve, epsilon).value >= end]
    if not lasting:
        return ""
    where = places_text((curve.model, curve.task) for curve in lasting)
    return (
        f"With up to {end:.0%} of the weights gone the loss stays within ε {where}: what is left of the blocks is "
        "enough there, with the embeddings, which are not pruned. Where the essential sparsity ends cannot be told, "
        "only that it lies no lower."
    )


def range_text(study: Study, found: Sequence[Curve], epsilon: float = EPSILON) -> str:
    """The smallest and the largest essential sparsity of the complete curves that learned, such as ``27% to 54%``."""
    values = [essential_sparsity(curve, epsilon).value for curve in _counted(study, found)]
    if not values:
        return "not known yet"
    end = max(study.sparsities)
    low, high = (f"{'at least ' if value >= end else ''}{value:.0%}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _counted(study: Study, found: Sequence[Curve]) -> list[Curve]:
    return [curve for curve in found if curve.complete(study) and curve.learned()]
