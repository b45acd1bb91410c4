"""Interactive panels as data: lines with their intervals, which a reader compares at a slider.

``panel_chart`` draws a panel: as an Altair chart in a live notebook, and in the book inside the controls of
``book/_static/panels.js``. Lines are told apart as in the static figures: a colour for each model, dashes for each
pruning variant; and, as a panel has all tasks in one chart, a shape of the points for each task.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from operator import attrgetter
from typing import Any

import numpy as np

from ..analysis.curves import Curve, curves
from ..analysis.essential import EPSILON, essential_sparsity
from ..analysis.estimate import Estimate
from ..records.store import Record
from ..specs.study import Study
from ..wording import number_text
from . import style

#: Names of the three readings of a curve. The first one is drawn first.
CHANGE = "change from dense (points)"
PERCENT = "change from dense (% of the dense score)"
SCORE = "score (0 to 100)"

#: How many lines are drawn at first, at most.
MOST_LINES = 4

#: What tells the lines of a panel apart, in the order of ``Panel.legends``.
CHANNELS = ("colour", "shape", "dash")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a panel, which the reader can turn off.

    Attributes:
        colour: what the colour of the line stands for, such as the model.
        shape: what the shape of its points stands for, such as the task.
        dash: what its dashes stand for, such as the pruning variant.
        places: where the line was measured, on the horizontal axis, shape (places,).
        readings: for each reading, an estimate at each place.
        seeds: for each reading, a text at each place with the values of the single seeds, in the reading's unit.
        marks: for each reading that has one, a place on the axis with its interval, such as the essential sparsity.
        unmarked: what is said in place of a mark where there is none.
        first: whether the line may be among those that are drawn at first.
    """

    colour: str
    shape: str = ""
    dash: str = ""
    places: Sequence[float]
    readings: Mapping[str, Sequence[Estimate]]
    seeds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    marks: Mapping[str, Estimate] = field(default_factory=dict)
    unmarked: str = "none"
    first: bool = True

    @property
    def key(self) -> tuple[str, ...]:
        """The line's value of each channel."""
        return tuple(getattr(self, channel) for channel in CHANNELS)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Lines that a reader compares at one place of the axis.

    Attributes:
        lines: the lines; no two have the same colour, shape and dashes.
        axis: the title of the horizontal axis, with its unit in brackets.
        description: the chart in words, for readers who do not see it.
        start: the first position of the slider.
        step: the step of the slider; None for the smallest distance between two places.
        mark: what the ``marks`` of a line are called.
        interval: what the low and the high end of an estimate are; empty where estimates have no interval.
        unit: the unit of the places, as it follows a number.
        digits: how many digits after the point the table shows; None for three digits of a reading's largest value.
        legends: what colours, shapes and dashes stand for, such as model, task and pruning; what has one value alone
            needs no name.
        palette: colours by what they stand for, those of the static figure; if it is empty, those of ``style.colours``.
        dashes: matplotlib's names of the dashes, in the order in which they are given out.
        guides: for each reading that has one, the value of a dashed horizontal line, and the words beside it.
    """

    lines: Sequence[Line]
    axis: str
    description: str
    start: float = 40.0
    step: float | None = None
    mark: str = "essential sparsity"
    interval: str = "95% interval"
    unit: str = "%"
    digits: int | None = 1
    legends: Sequence[str] = ("model", "task", "pruning")
    palette: Mapping[str, style.Colour] = field(default_factory=dict)
    dashes: Sequence[str] = style.VARIANT_LINES
    guides: Mapping[str, tuple[float, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len({line.key for line in self.lines}) < len(self.lines):
            raise ValueError("two lines have the same colour, shape and dashes, and could not be told apart")

    @cached_property
    def values(self) -> dict[str, list[str]]:
        """The values of each channel, each once; colours come in the order of the palette, if there is one."""
        values = {channel: list(dict.fromkeys(getattr(line, channel) for line in self.lines)) for channel in CHANNELS}
        return values | {"colour": [value for value in self.palette or values["colour"] if value in values["colour"]]}

    @cached_property
    def titles(self) -> dict[str, str]:
        """What each channel stands for; empty where that has no name."""
        return dict(zip_longest(CHANNELS, self.legends, fillvalue=""))

    @cached_property
    def ticked(self) -> dict[str, list[str]]:
        """The values of each channel that are ticked at first, so that at most ``MOST_LINES`` lines are drawn.

        Each colour's first shape comes before any second one, such as each model's first task.
        """
        ranks: dict[str, list[str]] = {}
        for line in self.lines:
            shapes = ranks.setdefault(line.colour, [])
            if line.first and line.shape not in shapes:
                shapes.append(line.shape)
        candidates = [line for line in self.lines if line.first] or list(self.lines[:1])
        candidates.sort(key=lambda line: ranks[line.colour].index(line.shape) if line.first else 0)
        ticked: dict[str, set[str]] = {channel: set() for channel in CHANNELS}
        for line in candidates:
            wider = {channel: ticked[channel] | {getattr(line, channel)} for channel in CHANNELS}
            if len(self._among(wider)) > MOST_LINES:
                break
            ticked = wider
        return {channel: [value for value in self.values[channel] if value in ticked[channel]] for channel in CHANNELS}

    @cached_property
    def drawn(self) -> list[Line]:
        """The lines that are drawn at first."""
        return self._among(self.ticked)

    def _among(self, ticked: Mapping[str, Collection[str]]) -> list[Line]:
        """Return the lines whose value of each channel is ticked."""
        return [line for line in self.lines if all(getattr(line, channel) in ticked[channel] for channel in CHANNELS)]

    @cached_property
    def readings(self) -> list[str]:
        """The readings that at least one line has."""
        return list(dict.fromkeys(reading for line in self.lines for reading in line.readings))

    @cached_property
    def colours(self) -> dict[str, str]:
        """The colour of each value that colours stand for, as ``#rrggbb``."""
        from matplotlib.colors import to_hex

        colours = self.palette or style.colours(self.values["colour"])
        return {value: to_hex(colours[value]) for value in self.values["colour"]}

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
    groups: Mapping[str, Sequence[Curve]],
    description: str,
    *,
    name_of: Callable[[Curve], str] = attrgetter("model"),
    shape_of: Callable[[Curve], str] = attrgetter("task"),
    dash_of: Callable[[Curve], str] = attrgetter("variant"),
    shown: Collection[str] = (),
    epsilon: float = EPSILON,
    **options: Any,
) -> Panel | None:
    """Return a panel of curves of performance against sparsity, or None if there are no curves.

    Of the curves that may be drawn at first those come first whose dense model learned the task.

    Args:
        groups: the curves, in groups with a name, such as a pruning variant.
        description: the chart in words.
        name_of: returns what the colour of a curve stands for.
        shape_of: returns what the shape of its points stands for.
        dash_of: returns what its dashes stand for.
        shown: the groups that may be drawn at first; all groups if it is empty.
        epsilon: the tolerance of the essential sparsity, in points and in percent of the dense score.
        options: further fields of ``Panel``.
    """
    lines = []
    for group, curves_of_group in groups.items():
        for curve in curves_of_group:
            first = curve.learned() and (not shown or group in shown)
            lines.append(_line(curve, (name_of(curve), shape_of(curve), dash_of(curve)), first, epsilon))
    if not lines:
        return None
    guides = dict.fromkeys((CHANGE, PERCENT), (-epsilon, f"−ε, {epsilon:g} below dense"))
    return Panel(lines=lines, axis=style.SPARSITY, description=description, guides=guides, **options)


def of_study(study: Study, records: Mapping[str, Record], start: float = 40.0) -> Panel | None:
    """Return a panel of all curves of a study, or None if there are no records of it.

    At first lines of the main variant are drawn.

    Args:
        study: a figure's study, such as ``figures.study("fig2", "lab")``.
        records: the records, by id.
        start: the first position of the slider, in percent.

    Raises:
        InputError: records of one curve were not made alike.
    """
    by_variant = {variant: curves(study, records, variant) for variant in study.variants}
    pruned = {variant: [each for each in group if len(each.levels) > 1] for variant, group in by_variant.items()}
    description = "A line for each task, model and way to prune: the change from the dense model against the sparsity."
    return of_curves(pruned, description, shown=[study.main], start=start)


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


def _line(curve: Curve, key: tuple[str, str, str], first: bool, epsilon: float) -> Line:
    """Return the line of a curve, by what its colour, shape and dashes stand for."""
    colour, shape, dash = key
    changes = curve.scores - curve.scores[:, :1]
    dense = curve.scores[:, :1]
    percents = np.divide(100 * changes, dense, out=np.full(changes.shape, np.nan), where=dense > 0)
    return Line(
        colour=colour,
        shape=shape,
        dash=dash,
        places=[round(100 * float(level), 6) for level in curve.levels],
        readings={
            CHANGE: [-drop for drop in curve.drop_estimates()],
            PERCENT: [-drop for drop in curve.drop_estimates(relative=True)],
            SCORE: curve.score_estimates(),
        },
        seeds={
            CHANGE: _seeds(curve, changes),
            PERCENT: _seeds(curve, percents),
            SCORE: _seeds(curve, curve.scores),
        },
        marks=_marks(curve, epsilon),
        unmarked="none" if curve.learned() else "not learned",
        first=first,
    )


def _seeds(curve: Curve, values: np.ndarray) -> list[str]:
    """Return the value of each seed at each level in words, of values of shape (seeds, levels)."""
    texts = []
    for column, drawn in zip(values.T, curve.drawn, strict=True):
        known = [(seed, value) for seed, value in zip(curve.seeds, column, strict=True) if drawn and value == value]
        texts.append(", ".join(f"{seed}: {number_text(value, 1)}" for seed, value in known))
    return texts


def _marks(curve: Curve, epsilon: float) -> dict[str, Estimate]:
    """Return the essential sparsity in percent for each reading, where the curve has one."""
    if not curve.learned() or len(curve.levels) < 3:
        return {}
    absolute = essential_sparsity(curve, epsilon)
    relative = essential_sparsity(curve, epsilon, relative=True)
    marks = {CHANGE: absolute, PERCENT: relative, SCORE: absolute}
    return {reading: mark.scaled(100) for reading, mark in marks.items() if mark.known}
