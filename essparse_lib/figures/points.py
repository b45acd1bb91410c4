"""Single points of curves: the drop of a model on a task at the sparsity that a reader chooses, in words and tables."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.contrasts import Standing, standing_of
from ..analysis.curves import Curve, curves
from ..analysis.estimate import Estimate
from ..records.store import Record, Status
from ..specs.study import Study
from ..specs.trial import Pruning
from . import signs
from .task_titles import task_title

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Point:
    """The drop of one model on one task at one sparsity, such as the one that the reader asked for.

    Attributes:
        model: name of the model.
        task: name of the task.
        sparsity: share of the prunable weights that is gone.
        drop: loss against the dense model in points, with its interval.
        seeds: number of seeds that the drop rests on; 0 where the seed draws nothing.
        live: whether the point was run just now, rather than read from the study's records.
        learned: whether the dense model has learned the task.
    """

    model: str
    task: str
    sparsity: float
    drop: Estimate
    seeds: int
    live: bool
    learned: bool = True


def at_sparsity(study: Study, records: Mapping[str, Record], sparsity: float, live: Container[str]) -> list[Point]:
    """Return the point at a sparsity of every curve that has one, after one-shot magnitude pruning.

    Args:
        study: the study.
        records: its records, by id.
        sparsity: share of the prunable weights that is gone.
        live: ids of the trials that were run just now.
    """
    return at_pruning(study, records, Pruning(sparsity=sparsity), live)


def at_pruning(
    study: Study, records: Mapping[str, Record], pruning: Pruning, live: Container[str], variant: str | None = None
) -> list[Point]:
    """Return the point of every curve that has records of a pruning, paired with the dense model on the same seeds.

    The spread between seeds is estimated from the whole curve, so that a point has the interval that it has there.

    Args:
        study: the study.
        records: its records, by id.
        pruning: how the models are pruned.
        live: ids of the trials that were run just now.
        variant: name of the study's way to prune whose curve the point lies on; None for the main one.
    """
    good = {id_: record for id_, record in records.items() if record.status == Status.OK}
    prunings = (*study.variants[study.main if variant is None else variant], pruning)
    points = []
    for curve in curves(study, good, prunings=prunings):
        if pruning not in curve.prunings:
            continue
        trials = (study.trial(curve.model, curve.task, pruning, seed) for seed in curve.seeds)
        ran_now = any(trial.id in live for trial in trials)
        points.append(_point_at(curve, curve.prunings.index(pruning), live=ran_now))
    return points


def _point_at(curve: Curve, level: int, live: bool) -> Point:
    return Point(
        model=curve.model,
        task=curve.task,
        sparsity=float(curve.levels[level]),
        drop=curve.drop_estimates()[level],
        seeds=curve.seeds_of(curve.prunings[0], curve.prunings[level]) if curve.drawn[level] else 0,
        live=live,
        learned=curve.learned(),
    )


def sentence(point: Point) -> str:
    """Return a sentence that gives the change at a point with its interval, what that tells, its seeds and source."""
    seeds = {0: "", 1: "one seed, "}.get(point.seeds, f"{point.seeds} seeds, ")
    return (
        f"At {100 * point.sparsity:.4g}% sparsity the score changes by {_change(point)} points, "
        f"{_MEANINGS[_standing(point)]}, for {point.model} on {point.task} ({seeds}{_source(point)})."
    )


#: What an interval tells of a change, as a sentence says it.
_MEANINGS = signs.MEANINGS | {
    Standing.BETTER: "a gain",
    Standing.WORSE: "a loss",
    Standing.UNDECIDED: "which may be chance",
}


def _standing(point: Point) -> Standing:
    return standing_of(-point.drop)


def _change(point: Point) -> str:
    return (-point.drop).text_by_zero()


def _source(point: Point) -> str:
    return "run now" if point.live else "from records"


def table(points: Sequence[Point]) -> pd.DataFrame:
    """Return a row for each point: the change of the score with its interval and sign, the seeds and the source.

    The model has a column if there are several.

    Args:
        points: points at one sparsity.
    """
    import pandas as pd

    several = len({point.model for point in points}) > 1
    rows = []
    for point in points:
        rows.append(
            {
                **({"model": point.model} if several else {}),
                "task": task_title(point.task) + ("" if point.learned else ", not learned"),
                "change (points)": _change(point),
                "sign": signs.SIGNS[_standing(point)] if point.learned else signs.NO_SIGN,
                "seeds": point.seeds or "—",
                "source": _source(point),
            }
        )
    return pd.DataFrame(rows)


def heading(points: Sequence[Point], sparsity: float) -> str:
    """Return in Markdown the lines above the table of points, or what to do where there is none.

    Args:
        points: points at one sparsity.
        sparsity: the sparsity that the reader chose.
    """
    if not points:
        return f"Nothing has been run at a sparsity of {sparsity:g}: name a task in `live_tasks` to run it."
    meanings = signs.legend(_standing(point) for point in points if point.learned)
    title = f"**At {100 * sparsity:.4g}% sparsity**, against the dense model on the same seeds, with 95% intervals."
    return f"{title} {meanings}".rstrip()
