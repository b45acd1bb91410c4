"""How sharply curves turn, in vision and in language: claim C4."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from ..analysis.curves import Curve
from ..analysis.effects import mean_difference
from ..analysis.estimate import Estimate
from ..analysis.turning_point import TurningPoint, find_turning_point
from ..specs.study import Study
from ..wording import listing, places_text
from . import verdict
from .c07_self_supervision import seen
from .verdict import SEEDS, Outcome, Verdict

#: Why a curve does not count.
INCOMPLETE, UNLEARNED, STRAIGHT, BESIDE = "records are missing", "not learned", "no bend", "told beside"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """How one model's curve on one task turns.

    Attributes:
        kind: of what it is, such as ``vision``.
        bend: where and how sharply, if a bend is established.
        why_not: why it does not count; empty if it does.
    """

    kind: str
    model: str
    task: str
    bend: TurningPoint | None
    why_not: str = ""

    @property
    def name(self) -> str:
        """Model and task."""
        return f"{self.model} on {self.task}"


def turns(study: Study, found: Sequence[Curve], kind: str) -> list[Turn]:
    """The turns of a study's curves; one whose dense model learned nothing, or that lacks records, has no bend."""
    return [_turn(study, curve, kind) for curve in found]


def _turn(study: Study, curve: Curve, kind: str) -> Turn:
    turn = find_turning_point(curve) if curve.learned() else None
    if len(curve.seeds) < SEEDS:
        why = f"fewer than {SEEDS} seeds"
    elif not curve.complete(study):
        why = INCOMPLETE
    else:
        why = UNLEARNED if not curve.learned() else STRAIGHT if turn is None else ""
    return Turn(kind=kind, model=curve.model, task=curve.task, bend=turn, why_not=why)


def uncounted(found: Iterable[Turn]) -> list[Turn]:
    """The same turns, as what is told beside those that count."""
    return [replace(turn, why_not=turn.why_not or BESIDE) for turn in found]


def sharper(vision: Sequence[Turn], language: Sequence[Turn], points: bool = False) -> Estimate:
    """Mean slope after the turn in vision less that in language, over the curves that count, with a 95% t-interval.

    In percent of what there is to lose per tenth of sparsity, or with ``points`` in points of the metric.
    """
    return mean_difference(slopes(vision, points), slopes(language, points))


def slopes(found: Iterable[Turn], points: bool = False) -> list[float]:
    """Slopes after the turn of the curves that count, in the unit of ``sharper``."""
    bends = [turn.bend for turn in found if turn.bend is not None and not turn.why_not]
    return [(each.slope if points else each.share).value for each in bends]


def c4(study: Study, vision: Sequence[Turn], language: Sequence[Turn], beside: Sequence[Turn] = ()) -> Verdict:
    """C4: the turn is sharper in vision than in language.

    *Sharp* is the slope after the turning point, in percent per tenth of sparsity of what the dense model scores above
    always saying the commonest class. That decides, and not the slope in points: tasks of ten classes have up to 90
    points to lose, those of two 50 at most and often 30, and would look blunter for that alone. The slope in points
    is told beside it.

    The unit is the curve: one model on one task, the mean of its seeds. Agrees if the mean of the curves in vision
    exceeds that in language by the whole 95% t-interval (``mean_difference``: the spread of the two pooled); differs
    if it lies below by the whole interval; is inconclusive otherwise. Curves of one model on several tasks, and of
    several models on one, count as independent, which makes the interval narrower than it should be. Left out are
    curves of fewer than three seeds, those that lack records, those whose dense model has not learned the task, and
    those without a bend: where nothing turns, nothing turns sharply or bluntly. Curves on tasks whose classes a model
    knew from its pre-training count; the difference without them is told beside.

    Args:
        study: that of vision; all of its curves must be there.
        vision: its turns.
        language: those of one or of several studies of language at the same scale.
        beside: those of other models of vision, which decide nothing: what they would say is told.
    """
    if study.scale == "tiny":
        return verdict.untested("C4")
    expected = sum(len(study.tasks_of(model)) for model in study.models)
    complete = [turn for turn in vision if turn.why_not in ("", UNLEARNED, STRAIGHT)]
    if len(complete) < expected:
        outcome: Outcome = "inconclusive" if complete else "not tested at this scale"
        lacking = f"{expected - len(complete)} of {expected} curves in vision lack records of {SEEDS} seeds"
        return Verdict(claim="C4", outcome=outcome, reason=f"{lacking} at every sparsity")
    counted = {"vision": slopes(vision), "language": slopes(language)}
    few = [f"{len(own)} in {kind}" for kind, own in counted.items() if len(own) < 2]
    if few:
        outcome = "inconclusive" if any(counted.values()) else "not tested at this scale"
        return Verdict(
            claim="C4",
            outcome=outcome,
            reason=f"it takes two curves with a bend on either side: there is {', '.join(few)}",
        )
    share, points = (sharper(vision, language, points) for points in (False, True))
    parts = [
        "after its turn a curve loses, of what there is to lose, per further tenth of the weights "
        + " and ".join(f"{fmean(own):.0f}% in {kind} ({len(own)} curves)" for kind, own in counted.items())
        + f": vision less language {share.text(0)} points of that share",
        f"in points of the score {points.text()}",
    ]
    by_kind = _by_kind(language)
    parts += [f"that share against {kind}: {_less(vision, own)}" for kind, own in by_kind.items() if len(by_kind) > 1]
    known = sorted(seen(study, study.models) & {turn.task for turn in vision})
    if known:
        new = _less([turn for turn in vision if turn.task not in known], language)
        parts.append(f"that share without {listing(known)}, whose classes models knew beforehand: {new}")
    parts += [
        f"that share, on all tasks again, with {kind} in place of those above ({len(slopes(own))} of {len(own)} "
        f"curves): {_less(own, language)}"
        for kind, own in _by_kind(beside).items()
    ]
    parts += left_out([*vision, *language])
    measured = f"vision less language: {share.text(0)} percent of what there is to lose, per tenth"
    return Verdict(claim="C4", outcome=verdict.above_zero(share), reason="; ".join(parts), measured=measured)


def left_out(found: Iterable[Turn]) -> list[str]:
    """Which curves do not count, and why, a sentence a reason."""
    curves: dict[str, list[tuple[str, str]]] = {}
    for turn in found:
        if turn.why_not:
            curves.setdefault(turn.why_not, []).append((turn.model, turn.task))
    return [f"not counted, {why}: the curves {places_text(own)}" for why, own in curves.items()]


def _by_kind(found: Sequence[Turn]) -> dict[str, list[Turn]]:
    return {kind: [turn for turn in found if turn.kind == kind] for kind in dict.fromkeys(turn.kind for turn in found)}


def _less(vision: Sequence[Turn], language: Sequence[Turn]) -> str:
    if not slopes(vision) or not slopes(language):
        return "nothing, as no curve counts"
    return sharper(vision, language).text(0)
