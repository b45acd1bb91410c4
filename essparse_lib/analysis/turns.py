"""How sharply the curves of several studies turn, and which of them can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..specs.study import Study
from .curves import MIN_SEEDS, Curve
from .effects import mean_difference
from .estimate import Estimate
from .turning_point import TurningPoint, find_turning_point

#: Why a curve does not count.
INCOMPLETE, UNLEARNED, STRAIGHT, COMPARED_ONLY = "records are missing", "not learned", "no bend", "for comparison only"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """How the curve of one model on one task turns.

    Attributes:
        group: name of the group of models that the curve belongs to, such as ``vision``.
        model: name of the model.
        task: name of the task.
        point: the turning point with the slope after it; None if no turn is established.
        excluded: why the curve does not count; empty if it counts.
    """

    group: str
    model: str
    task: str
    point: TurningPoint | None
    excluded: str = ""

    @property
    def name(self) -> str:
        """Model and task in words."""
        return f"{self.model} on {self.task}"


def turns(study: Study, curves: Sequence[Curve], group: str) -> list[Turn]:
    """Return how each curve of a study turns.

    A curve whose dense model learned nothing has no turning point. It does not count, nor does one of fewer than three
    seeds, one that lacks records, or one without an established turn.

    Args:
        study: the study of the curves.
        curves: the curves.
        group: name of the group of models that they belong to.
    """
    return [_turn(study, curve, group) for curve in curves]


def _turn(study: Study, curve: Curve, group: str) -> Turn:
    point = find_turning_point(curve) if curve.learned() else None
    excluded = ""
    if len(curve.seeds) < MIN_SEEDS:
        excluded = f"fewer than {MIN_SEEDS} seeds"
    elif not curve.complete(study):
        excluded = INCOMPLETE
    elif not curve.learned():
        excluded = UNLEARNED
    elif point is None:
        excluded = STRAIGHT
    return Turn(group=group, model=curve.model, task=curve.task, point=point, excluded=excluded)


def for_comparison_only(turns: Iterable[Turn]) -> list[Turn]:
    """Return the same turns, none of which counts: those that would are marked as for comparison only."""
    return [replace(turn, excluded=turn.excluded or COMPARED_ONLY) for turn in turns]


def slopes(turns: Iterable[Turn], points: bool = False) -> list[float]:
    """Return the slopes after the turn of the curves that count.

    Args:
        turns: how curves turn.
        points: in points of the metric per tenth of sparsity; else in percent of what can be lost per tenth.
    """
    counted = [turn.point for turn in turns if turn.point is not None and not turn.excluded]
    return [(point.slope if points else point.share).value for point in counted]


def slope_difference(first: Sequence[Turn], second: Sequence[Turn], points: bool = False) -> Estimate:
    """Return the mean slope after the turn of one group of curves less that of another, with a 95% t-interval.

    Args:
        first: how the curves of the first group turn; at least one must count.
        second: how the curves of the second group turn; at least one must count.
        points: whether slopes are in points, as in ``slopes``.
    """
    return mean_difference(slopes(first, points), slopes(second, points))
