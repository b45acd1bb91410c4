"""Claim C4: the turn of the curve is sharper in vision than in language.

*Sharp* is the slope after the turning point, in percent per tenth of sparsity of what the dense model scores above
always saying the commonest class. The slope in points is reported as well, but does not decide: tasks of ten classes
have up to 90 points to lose, those of two have 50 at most and often 30, and would look blunter for that alone.

The unit is the curve: one model on one task, the mean of its seeds. The claim agrees if the mean of the curves in
vision exceeds that in language by the whole 95% t-interval (``mean_difference``: the spread of the two is pooled),
differs if it lies below by the whole interval, and is inconclusive otherwise. Curves of one model on several tasks, and
of several models on one, count as independent, which makes the interval narrower than it should be.

Curves of fewer than three seeds do not count, nor do those that lack records, those whose dense model has not learned
the task, and those without an established turn: where nothing turns, nothing turns sharply or bluntly. Curves on tasks
whose classes a model knew from its pre-training count; the difference without them is reported as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ..analysis.comparisons import known_tasks
from ..analysis.curves import MIN_SEEDS
from ..analysis.turns import STRAIGHT, UNLEARNED, Turn, slope_difference, slopes
from ..specs.study import Study
from ..wording import listing, places_text
from .rules import Decision, above_zero, verdict_by
from .verdict import Clause, Number, Verdict, not_judged

CLAIM = "C4"

_SHARE = "percent of what there is to lose, per tenth"
_POINTS = "points per tenth"


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """How the curves turn on both sides, whether they count or not: each turn says why it does not.

    Attributes:
        study: the study of vision.
        vision: the turns of its curves.
        language: the turns of the curves of language.
        others: the turns of other models of vision, which decide nothing.
    """

    study: Study
    vision: Sequence[Turn]
    language: Sequence[Turn]
    others: Sequence[Turn]

    @property
    def slopes(self) -> dict[str, list[float]]:
        """Slopes after the turn of the curves that count, by side."""
        return {"vision": slopes(self.vision), "language": slopes(self.language)}


def eligible(
    study: Study, vision: Sequence[Turn], language: Sequence[Turn], others: Sequence[Turn] = ()
) -> Eligible | Verdict:
    """Return the turns on both sides, or the verdict where they cannot decide.

    Args:
        study: the study of vision; all of its curves must have their records.
        vision: how its curves turn.
        language: how the curves of one or several studies of language turn, at the same scale.
        others: how the curves of other models of vision turn.
    """
    expected = sum(len(study.tasks_of(model)) for model in study.models)
    complete = [turn for turn in vision if turn.excluded in ("", UNLEARNED, STRAIGHT)]
    if len(complete) < expected:
        lacking = f"{expected - len(complete)} of {expected} curves in vision lack records of {MIN_SEEDS} seeds"
        return not_judged(CLAIM, f"{lacking} at every sparsity", some_records=bool(complete))
    evidence = Eligible(study=study, vision=vision, language=language, others=others)
    too_few = [f"{len(values)} in {side}" for side, values in evidence.slopes.items() if len(values) < 2]
    if too_few:
        reason = f"it takes two curves with a bend on either side: there is {', '.join(too_few)}"
        return not_judged(CLAIM, reason, some_records=any(evidence.slopes.values()))
    return evidence


def decide(evidence: Eligible) -> Decision:
    """Return the outcome, and how much sharper vision turns than language."""
    share = slope_difference(evidence.vision, evidence.language)
    points = slope_difference(evidence.vision, evidence.language, points=True)
    numbers = {
        "vision less language": Number(estimate=share, unit=_SHARE),
        "vision less language in points": Number(estimate=points, unit=_POINTS, digits=1),
    }
    return Decision(above_zero(share), numbers, {})


def explain(evidence: Eligible, decision: Decision) -> tuple[Clause, ...]:
    """Return the slopes on both sides in words, what they are for parts of the curves, and which do not count."""
    share, points = (number.estimate for number in decision.numbers.values())
    means = [f"{fmean(values):.0f}% in {side} ({len(values)} curves)" for side, values in evidence.slopes.items()]
    texts = [
        f"after its turn a curve loses, of what there is to lose, per further tenth of the weights "
        f"{' and '.join(means)}: vision less language {share.text(0)} points of that share",
        f"in points of the score {points.text()}",
        *_by_group_of_language(evidence),
        *_without_known_tasks(evidence),
        *_with_other_models(evidence),
    ]
    clauses = [Clause(text=text) for text in texts]
    return (*clauses, *_not_counted([*evidence.vision, *evidence.language]))


def _by_group_of_language(evidence: Eligible) -> list[str]:
    groups = _by_group(evidence.language)
    if len(groups) < 2:
        return []
    return [
        f"that share against {group}: {_difference_text(evidence.vision, turns)}" for group, turns in groups.items()
    ]


def _without_known_tasks(evidence: Eligible) -> list[str]:
    known = sorted(known_tasks(evidence.study, evidence.study.models) & {turn.task for turn in evidence.vision})
    if not known:
        return []
    new = _difference_text([turn for turn in evidence.vision if turn.task not in known], evidence.language)
    return [f"that share without {listing(known)}, whose classes models knew beforehand: {new}"]


def _with_other_models(evidence: Eligible) -> list[str]:
    texts = []
    for group, turns in _by_group(evidence.others).items():
        texts.append(
            f"that share, on all tasks again, with {group} in place of those above ({len(slopes(turns))} of "
            f"{len(turns)} curves): {_difference_text(turns, evidence.language)}"
        )
    return texts


def _not_counted(turns: Sequence[Turn]) -> list[Clause]:
    """Return a clause for each reason why curves do not count, with these curves."""
    by_reason: dict[str, list[tuple[str, str]]] = {}
    for turn in turns:
        if turn.excluded:
            by_reason.setdefault(turn.excluded, []).append((turn.model, turn.task))
    clauses = []
    for reason, places in by_reason.items():
        text = f"not counted, {reason}: the curves {places_text(places)}"
        clauses.append(Clause(text=text, places=tuple(places)))
    return clauses


def _by_group(turns: Sequence[Turn]) -> dict[str, list[Turn]]:
    groups: dict[str, list[Turn]] = {}
    for turn in turns:
        groups.setdefault(turn.group, []).append(turn)
    return groups


def _difference_text(vision: Sequence[Turn], language: Sequence[Turn]) -> str:
    if not slopes(vision) or not slopes(language):
        return "nothing, as no curve counts"
    return slope_difference(vision, language).text(0)


def judge(study: Study, vision: Sequence[Turn], language: Sequence[Turn], others: Sequence[Turn] = ()) -> Verdict:
    """Return the verdict on C4 from how curves turn.

    Args:
        study: the study of vision; all of its curves must have their records.
        vision: how its curves turn.
        language: how the curves of one or several studies of language turn, at the same scale.
        others: how the curves of other models of vision turn; they decide nothing, and are reported.
    """
    return verdict_by(
        CLAIM, study, lambda: eligible(study, vision, language, others), decide, explain, "vision less language: {}"
    )
