"""Where the slider of a report stops, and what it shows there: the measured levels, and whole percents between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ...analysis import choice
from ...analysis.curve import Curve
from ...analysis.estimate import Estimate
from ..answer import Outcome
from .unit import LossUnit


class LossVerdict(StrEnum):
    """How a loss lies to the tolerance, in words."""

    DENSE = "the dense model"
    NOTHING_TO_LOSE = "says nothing: there is nothing to lose"
    UNKNOWN = "not measured"
    WITHIN = "within the tolerance"
    BEYOND = "beyond the tolerance"
    UNDECIDED = "undecided"


#: What a report says where a loss was measured and says something.
_VERDICTS = {
    choice.Place.WITHIN: LossVerdict.WITHIN,
    choice.Place.BEYOND: LossVerdict.BEYOND,
    choice.Place.UNDECIDED: LossVerdict.UNDECIDED,
}


@dataclass(frozen=True)
class Shown:
    """A number with its interval, unrounded, and as the report writes it."""

    value: float
    low: float
    high: float
    text: str

    @classmethod
    def of(cls, estimate: Estimate, text: str) -> Shown:
        """Return an estimate with the text that it is shown as."""
        return cls(estimate.value, estimate.low, estimate.high, text)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A stop of the slider.

    Attributes:
        sparsity: from 0 to 1.
        name: the sparsity in percent.
        measured: whether it is a measured level.
        loss: the loss against the dense model; between levels on the straight line that joins them.
        source: how the loss is known.
        verdict: how the loss lies to the tolerance; between levels as far as these decide it.
        spoken: all of it in one sentence.
    """

    sparsity: float
    name: str
    measured: bool
    loss: Shown
    source: str
    verdict: LossVerdict
    spoken: str


def percent_text(share: float) -> str:
    """Return a share in percent with up to two digits.

    >>> percent_text(0.4), percent_text(0.4375), percent_text(1)
    ('40%', '43.75%', '100%')
    """
    return f"{round(100 * share, 2):g}%"


def verdict_on(loss: Estimate, tolerance: float, sparsity: float, outcome: Outcome) -> LossVerdict:
    """Return how a loss at a measured level lies to the tolerance, both as they are shown.

    Args:
        loss: the loss against the dense model.
        tolerance: the loss that is tolerated.
        sparsity: where it is lost, from 0 to 1.
        outcome: of the sweep. Where nothing was learned, there is nothing to lose.

    >>> str(verdict_on(Estimate(0.5, 0.2, 0.8), 1, 0.4, Outcome.WIDE))
    'within the tolerance'
    >>> str(verdict_on(Estimate(0.5, 0.2, 1.8), 1, 0.4, Outcome.WIDE))
    'undecided'
    """
    if not sparsity:
        return LossVerdict.DENSE
    if outcome is Outcome.NOT_LEARNED:
        return LossVerdict.NOTHING_TO_LOSE
    if not loss.known:
        return LossVerdict.UNKNOWN
    return _VERDICTS[choice.place_of(loss, tolerance)]


def verdict_between(below: LossVerdict, above: LossVerdict) -> LossVerdict:
    """Return how losses between two measured levels lie to the tolerance, of which is known only that they rise.

    Args:
        below: the verdict on the lower level.
        above: the verdict on the higher level.

    >>> str(verdict_between(LossVerdict.WITHIN, LossVerdict.BEYOND))
    'undecided'
    """
    if below is LossVerdict.BEYOND:
        return below
    return above if above in (LossVerdict.WITHIN, LossVerdict.NOTHING_TO_LOSE) else LossVerdict.UNDECIDED


def places_of(
    curve: Curve, losses: Sequence[Estimate], unit: LossUnit, tolerance: float, outcome: Outcome
) -> tuple[Place, ...]:
    """Return where the slider stops; nothing where fewer than two levels have a loss.

    Args:
        curve: the scores.
        losses: the loss at each level, in the curve's own unit.
        unit: what losses are shown in.
        tolerance: the loss that is tolerated, as it is shown.
        outcome: of the sweep.
    """
    known = [column for column, loss in enumerate(losses) if loss.known]
    known.sort(key=lambda column: curve.levels[column])
    if len(known) < 2:
        return ()
    levels = curve.levels[known]
    ends = np.array([[losses[column].value, losses[column].low, losses[column].high] for column in known])
    whole = np.arange(int(100 * levels.min()), int(100 * levels.max()) + 1) / 100
    apart = np.abs(whole[:, None] - levels).min(1) > 1e-9
    sparsities = np.sort(np.concatenate([levels, whole[apart & (whole < levels.max()) & (whole > levels.min())]]))
    verdicts = [
        verdict_on(unit.shown_loss(losses[column]), tolerance, float(curve.levels[column]), outcome) for column in known
    ]
    places = []
    for sparsity in sparsities:
        loss = unit.shown_loss(Estimate(*(float(np.interp(sparsity, levels, end)) for end in ends.T)))
        at = np.flatnonzero(levels == sparsity)
        if len(at):
            source, verdict = _measured_with(curve, known[int(at[0])]), verdicts[int(at[0])]
        else:
            after = int(np.searchsorted(levels, sparsity))
            verdict = verdict_between(verdicts[after - 1], verdicts[after])
            source = (
                f"not measured: read off the straight line from {percent_text(levels[after - 1])} "
                f"to {percent_text(levels[after])}"
            )
        name, text = percent_text(float(sparsity)), unit.loss_text(loss)
        place = Place(
            sparsity=float(sparsity),
            name=name,
            measured=bool(len(at)),
            loss=Shown.of(loss, text),
            source=source,
            verdict=verdict,
            spoken=f"{name} removed; {unit.loss}: {text} {unit.unit}; {verdict}; {source}",
        )
        places.append(place)
    return tuple(places)


def seeds_text(curve: Curve, column: int) -> str:
    """Return how many seeds have a result at a level of a curve, in words."""
    seeds = curve.seeds_of(curve.prunings[column])
    return f"{seeds} seed{'' if seeds == 1 else 's'}"


def _measured_with(curve: Curve, column: int) -> str:
    drawn = bool(curve.drawn[column])
    return f"measured with {seeds_text(curve, column)}" if drawn else "measured; no seed changes anything"
