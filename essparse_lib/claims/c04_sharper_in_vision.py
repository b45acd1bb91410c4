"""Claim C4: the turn of the curve is sharper in vision than in language.

*Sharp* is the slope after the turning point: in percent, per tenth of sparsity, of what the dense model scores above
always saying the commonest class, and in points per tenth. Tasks of ten classes have up to 90 points to lose, those of
two have 50 at most and often 30, and look blunter in points for that alone.

The claim cannot be tested here, whatever these records say, for two reasons. A curve without an established turn has no
slope after it, and is left out: the curves that count are chosen by what is measured of them. And the models of vision
differ from those of language in architecture, size, pre-training and tasks as well as in what they read: a difference
could be any of these. Both differences are shown with their 95% t-intervals (``mean_difference``: the spread of the two
is pooled), for whoever wants to see what the curves look like. Curves of one model on several tasks, and of several
models on one, count as independent in them, which makes the intervals narrower than they should be.

Curves of fewer than three seeds do not count, nor do those that lack records, nor those whose dense model has not
learned the task.
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
from .rules import Decision, verdict_by
from .verdict import Clause, Number, Outcome, Verdict, untestable

CLAIM = "C4"

_SHARE = "% of the score above chance"
_POINTS = "points"

#: What it would take.
_NEEDS = (
    "models of vision and of language that are alike in size and pre-training, on tasks that are chosen before their "
    "curves are seen"
)

#: Why no records of these studies can test the claim.
_REASONS = (
    "curves without a turn are left out, so that those compared are chosen by what is measured of them",
    "models of vision and of language differ in architecture, size, pre-training and tasks too, so that a difference "
    "need not come from what they read",
)


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """How the curves turn on both sides, whether they count or not: each turn says why it does not.

    Attributes:
        study: the study of vision.
        vision: the turns of its curves.
        language: the turns of the curves of language.
        others: the turns of other models of vision, which are compared on their own.
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
    """Return the turns on both sides, or the verdict where there is nothing to compare.

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
        return untestable(CLAIM, *_REASONS, f"{lacking} at every sparsity", needs=_NEEDS)
    evidence = Eligible(study=study, vision=vision, language=language, others=others)
    too_few = [f"{len(values)} in {side}" for side, values in evidence.slopes.items() if len(values) < 2]
    if too_few:
        reason = f"fewer than two curves with a turn on a side: {', '.join(too_few)}"
        return untestable(CLAIM, *_REASONS, reason, needs=_NEEDS)
    return evidence


def decide(evidence: Eligible) -> Decision:
    """Return that the claim cannot be tested here, and by how much vision turns more sharply than language."""
    share = slope_difference(evidence.vision, evidence.language)
    points = slope_difference(evidence.vision, evidence.language, points=True)
    numbers = {
        "vision − language": Number(estimate=share, unit=_SHARE),
        "vision − language in points": Number(estimate=points, unit=_POINTS, digits=1),
    }
    return Decision(Outcome.UNTESTABLE, numbers, {}, needs=_NEEDS)


def explain(evidence: Eligible, decision: Decision) -> tuple[Clause, ...]:
    """Return why the claim cannot be tested, the slopes in words, also of parts of the curves, and what counts not."""
    share, points = (number.estimate for number in decision.numbers.values())
    means = [f"{fmean(values):.0f}% in {side} ({len(values)} curves)" for side, values in evidence.slopes.items()]
    texts = [
        *_REASONS,
        f"after its turn a curve loses, of what there is to lose, per further tenth of the weights "
        f"{' and '.join(means)}: vision − language {share.text(0)} points of that share",
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
    """Return the verdict on C4, which is that it cannot be tested here, with the numbers of the curves' turns.

    Args:
        study: the study of vision; all of its curves must have their records.
        vision: how its curves turn.
        language: how the curves of one or several studies of language turn, at the same scale.
        others: how the curves of other models of vision turn; they are compared on their own.
    """
    summary = (
        "loss per extra 10% of sparsity after the turn, vision − language: {}, or {}; curves without a turn are left "
        "out, and the two sides differ in more than what they read"
    )
    return verdict_by(CLAIM, study, lambda: eligible(study, vision, language, others), decide, explain, summary)
