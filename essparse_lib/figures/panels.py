"""Interactive panels as data: lines with their intervals, which a reader compares at a slider.

``panel_chart`` draws a panel: as an Altair chart in a live notebook, and in the book inside the controls of
``book/_static/panels.js``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..analysis.curves import Curve, curves
from ..analysis.essential import EPSILON, essential_sparsity
from ..analysis.estimate import Estimate
from ..records.store import Record
from ..specs.study import Study
from . import style

#: Names of the three readings of a curve. The first one is drawn first.
CHANGE, PERCENT, SCORE = "change (points)", "change (% of dense)", "score"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a panel, which the reader can turn off.

    Attributes:
        name: what the colour of the line stands for, such as the task.
        kind: what the dashes of the line stand for, such as the model or the pruning variant.
        places: where the line was measured, on the horizontal axis, shape (places,).
        readings: for each reading, an estimate at each place.
        seeds: for each reading, a text at each place with the values of the single seeds.
        marks: for each reading that has one, a place on the axis with its interval, such as the essential sparsity.
    """

    name: str
    kind: str
    places: Sequence[float]
    readings: Mapping[str, Sequence[Estimate]]
    seeds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    marks: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Lines that a reader compares at one place of the axis.

    Attributes:
        lines: the lines; no two have both the same name and the same kind.
        axis: the title of the horizontal axis, with its unit in brackets.
        description: the chart in words, for readers who do not see it.
        start: the first position of the slider.
        shown: the kinds that are drawn at first; all kinds if it is empty.
        step: the step of the slider; None for the smallest distance between two places.
        mark: what the ``marks`` of a line are called.
        interval: what the low and the high end of an estimate are; empty where estimates have no interval.
        unit: the unit of the places, as it follows a number.
        digits: how many digits after the point the table shows.
        legends: titles of the two groups of check boxes: for names, and for kinds.
        palette: the names that get colours, in their order; if it is empty, the names of the lines.
    """

    lines: Sequence[Line]
    axis: str
    description: str
    start: float = 40.0
    shown: Sequence[str] = ()
    step: float | None = None
    mark: str = "essential sparsity"
    interval: str = "95%"
    unit: str = "%"
    digits: int = 1
    legends: tuple[str, str] = ("Tasks", "Lines")
    palette: Sequence[str] = ()

    def __post_init__(self) -> None:
        if len({(line.name, line.kind) for line in self.lines}) < len(self.lines):
            raise ValueError("two lines have the same name and kind, and could not be told apart")

    @cached_property
    def names(self) -> list[str]:
        """The names of the lines, each once."""
        return list(dict.fromkeys(line.name for line in self.lines))

    @cached_property
    def kinds(self) -> list[str]:
        """The kinds of the lines, each once."""
        return list(dict.fromkeys(line.kind for line in self.lines))

    @cached_property
    def readings(self) -> list[str]:
        """The readings that at least one line has."""
        return list(dict.fromkeys(reading for line in self.lines for reading in line.readings))

    @cached_property
    def colours(self) -> dict[str, str]:
        """The colour of each name, as ``#rrggbb``."""
        from matplotlib.colors import to_hex

        colours = style.colours(self.palette or self.names)
        return {name: to_hex(colours[name]) for name in self.names}

    @cached_property
    def last(self) -> float:
        """The largest place of any line."""
        return max((place for line in self.lines for place in line.places), default=100)

    @cached_property
    def gap(self) -> float:
        """The smallest distance between two places of one line."""
        gaps = [float(np.diff(sorted(line.places)).min()) for line in self.lines if len(line.places) > 1]
        return round(min(gaps, default=10.0), 6)


def of_curves(
    curves_by_kind: Mapping[str, Sequence[Curve]],
    description: str,
    name_of: Callable[[Curve], str] = lambda curve: curve.task,
    **options: Any,
) -> Panel | None:
    """Return a panel of curves of performance against sparsity, or None if there are no curves.

    Args:
        curves_by_kind: the curves of each kind, such as of each pruning variant.
        description: the chart in words.
        name_of: returns what the colour of a curve stands for.
        options: further fields of ``Panel``.
    """
    lines = [_line(curve, name_of(curve), kind) for kind, group in curves_by_kind.items() for curve in group]
    return Panel(lines=lines, axis=style.SPARSITY, description=description, **options) if lines else None


def of_study(study: Study, records: Mapping[str, Record], start: float = 40.0) -> Panel | None:
    """Return a panel of all curves of a study, or None if there are no records of it.

    A colour is a task, a kind a model and a pruning variant. At first the main variant of each model is drawn.

    Args:
        study: a figure's study, such as ``figures.study("fig2", "lab")``.
        records: the records, by id.
        start: the first position of the slider, in percent.

    Raises:
        InputError: records of one curve were not made alike.
    """
    by_variant = {variant: curves(study, records, variant) for variant in study.variants}
    main = {id(curve) for curve in by_variant[study.main]}
    kinds = by_model_and_variant(by_variant)
    description = (
        "A line for each task, model and pruning variant: the change from the dense model against the share of the "
        "weights removed."
    )
    shown = [kind for kind, group in kinds.items() if any(id(curve) in main for curve in group)]
    return of_curves(kinds, description, shown=shown, start=start)


def by_model(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """Return the curves of each model, by the name of the model."""
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        groups.setdefault(curve.model, []).append(curve)
    return groups


def by_model_and_variant(curves_by_variant: Mapping[str, Sequence[Curve]]) -> dict[str, list[Curve]]:
    """Return the curves of each model and pruning variant, named for both; for the variant alone if there is one model.

    A curve that has the dense model alone is left out.
    """
    pruned = {
        variant: [curve for curve in group if len(curve.levels) > 1] for variant, group in curves_by_variant.items()
    }
    several_models = len({curve.model for group in pruned.values() for curve in group}) > 1
    named = {}
    for variant, group in pruned.items():
        for model, curves_of_model in by_model(group).items():
            named[f"{model}, {variant}" if several_models else variant] = curves_of_model
    return named


def _line(curve: Curve, name: str, kind: str) -> Line:
    seeds = []
    for column, drawn in zip(curve.scores.T, curve.drawn, strict=True):
        known = [(seed, score) for seed, score in zip(curve.seeds, column, strict=True) if drawn and score == score]
        seeds.append(", ".join(f"{seed}: {score:.1f}" for seed, score in known))
    return Line(
        name=name,
        kind=kind,
        places=[round(100 * float(level), 6) for level in curve.levels],
        readings={
            CHANGE: [-drop for drop in curve.drop_estimates()],
            PERCENT: [-drop for drop in curve.drop_estimates(relative=True)],
            SCORE: curve.score_estimates(),
        },
        seeds=dict.fromkeys((CHANGE, PERCENT, SCORE), seeds),
        marks=_marks(curve),
    )


def _marks(curve: Curve) -> dict[str, Estimate]:
    """Return the essential sparsity in percent for each reading, where the curve has one."""
    if not curve.learned() or len(curve.levels) < 3:
        return {}
    absolute = essential_sparsity(curve, EPSILON)
    relative = essential_sparsity(curve, EPSILON, relative=True)
    marks = {CHANGE: absolute, PERCENT: relative, SCORE: absolute}
    return {reading: mark.scaled(100) for reading, mark in marks.items() if mark.known}
