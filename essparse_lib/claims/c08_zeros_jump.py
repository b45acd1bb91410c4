"""Claim C8: during pre-training the number of zero weights rises abruptly.

The paper does not say when a weight counts as zero, so every reading is judged. A reading agrees if the number of zeros
rises abruptly (``find_change_point``) in every complete pre-training, differs if it does so in none, and is
inconclusive otherwise. The claim agrees if some reading does, differs if all differ, and is inconclusive otherwise. It
takes two pre-trainings. Those that diverged are reported, and do not count. Whether the rise comes later with less text
is reported as well, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..analysis.change_point import ChangePoint
from ..analysis.estimate import exact
from ..analysis.series import Series, checkpoint_runs, jumps, series
from ..records.store import Record, Status
from ..specs.study import Study
from ..wording import listing
from .paper import JUMPS
from .phrases import introduced
from .rules import Decision, by_outcome, verdict_by
from .verdict import Clause, Number, Outcome, Verdict, not_run, untestable

CLAIM = "C8"

#: Outcomes of readings, the one that decides first, with the words for the runs that rise.
_WORDS = {Outcome.AGREES: "in all of", Outcome.INCONCLUSIVE: "in some of", Outcome.DIFFERS: "in none of"}


@dataclass(frozen=True, kw_only=True)
class Eligible:
    """What decides the claim.

    Attributes:
        runs: the series of all pre-trainings, complete or not.
        jumps: clearest jump of the number of zeros, by reading and by the name of the complete run.
        complete: number of complete runs.
        diverged: number of pre-trainings that diverged.
    """

    runs: Sequence[Series]
    jumps: Mapping[str, Mapping[str, ChangePoint]]
    complete: int
    diverged: int


def eligible(study: Study, records: Mapping[str, Record]) -> Eligible | Verdict:
    """Return which pre-trainings count, or the verdict where they cannot decide.

    Args:
        study: the study whose pre-trainings or measured checkpoints are judged.
        records: records by the id of their spec.
    """
    runs = series(study, records)
    by_reading = jumps(runs)
    complete = len(next(iter(by_reading.values()), {}))
    diverged = sum(spec.id in records and records[spec.id].status == Status.DIVERGED for spec in study.pretrainings())
    expected = len(study.pretrainings()) + len(checkpoint_runs(study))
    lacking = expected - diverged - complete
    if lacking:
        return not_run(CLAIM, f"{lacking} of {expected} pre-trainings lack records")
    if complete < 2:
        return untestable(CLAIM, "fewer than two pre-trainings did not diverge", needs="two that do not diverge")
    return Eligible(runs=runs, jumps=by_reading, complete=complete, diverged=diverged)


def reading_outcomes(jumps: Mapping[str, Mapping[str, ChangePoint]]) -> dict[str, Outcome]:
    """Return how each reading of zero stands to C8, by its name.

    Args:
        jumps: clearest jump of the number of zeros, by reading and by the name of the complete run.
    """
    outcomes = {}
    for reading, by_run in jumps.items():
        rises = [jump.abrupt and jump.size > 0 for jump in by_run.values()]
        if all(rises):
            outcomes[reading] = Outcome.AGREES
        else:
            outcomes[reading] = Outcome.INCONCLUSIVE if any(rises) else Outcome.DIFFERS
    return outcomes


def decide(evidence: Eligible) -> Decision[str]:
    """Return the outcome of the most favourable reading, and how many series have an abrupt jump."""
    outcomes = by_outcome((outcome, reading) for reading, outcome in reading_outcomes(evidence.jumps).items())
    abrupt = sum(jump.abrupt for by_run in evidence.jumps.values() for jump in by_run.values())
    runs = {run.name: run for run in evidence.runs}
    able = sum(runs[name].could_jump(reading) for reading, by_run in evidence.jumps.items() for name in by_run)
    counts = {
        "abrupt series": abrupt,
        "series": evidence.complete * len(evidence.jumps),
        "series that could show a jump": able,
        "runs": evidence.complete,
        "readings": len(evidence.jumps),
    }
    numbers = {name: Number(estimate=exact(count)) for name, count in counts.items()}
    return Decision(next(outcome for outcome in _WORDS if outcome in outcomes), numbers, outcomes)


def explain(evidence: Eligible, decision: Decision[str]) -> tuple[Clause, ...]:
    """Return in words by which readings the number rises, whether it does so later with less text, what diverged."""
    clauses = []
    for outcome, words in _WORDS.items():
        readings = decision.by_outcome.get(outcome, [])
        if readings:
            of = _readings_text(readings, len(evidence.jumps))
            text = f"{words} the {evidence.complete} pre-trainings by {of}"
            clauses.append(Clause(text=text, outcome=outcome, places=tuple(readings)))
    for reading in decision.by_outcome.get(Outcome.AGREES, []):
        words = order_of_rises(evidence.runs, evidence.jumps[reading])
        if words:
            clauses.append(Clause(text=f"by {reading!r} {words}", places=(reading,)))
    if evidence.diverged:
        clauses.append(Clause(text=f"not counted: {evidence.diverged} that diverged"))
    return introduced("the number of zeros rises abruptly ", clauses)


def _readings_text(readings: Sequence[str], total: int) -> str:
    if len(readings) == total:
        return f"any of the {total} readings of zero"
    if len(readings) < 5:
        return listing([repr(reading) for reading in readings])
    return f"{len(readings)} of the {total} readings"


def order_of_rises(runs: Sequence[Series], jumps: Mapping[str, ChangePoint]) -> str:
    """Return in words whether the number of zeros rises later with less text.

    It does if it rises later in every run on less text than in any run on more. The words are empty where no run on
    less text, or none on more, has an abrupt jump.

    Args:
        runs: series of pre-trainings.
        jumps: clearest jump by one reading, by the name of the run.
    """
    more, less = (_rises(runs, jumps, fractions) for fractions in JUMPS)
    if not more or not less:
        return ""
    verb = "comes later" if min(less) > max(more) else "does not always come later"
    return (
        f"it {verb} with less text: at {_steps_text(more)} steps with 80–100% of it, at {_steps_text(less)} with 60–70%"
    )


def _rises(runs: Sequence[Series], jumps: Mapping[str, ChangePoint], fractions: Collection[float]) -> list[float]:
    """Return the steps in the middle of the abrupt jumps of the runs on these fractions of the text."""
    steps = []
    for run in runs:
        jump = jumps.get(run.name)
        if run.fraction in fractions and jump is not None and jump.abrupt and jump.at:
            steps.append(sum(jump.at) / 2)
    return steps


def _steps_text(steps: Sequence[float]) -> str:
    first, last = f"{min(steps):,.0f}", f"{max(steps):,.0f}"
    return first if first == last else f"{first}–{last}"


def judge(study: Study, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on C8 from records.

    Args:
        study: the study whose pre-trainings or measured checkpoints are judged.
        records: records by the id of their spec.
    """
    return verdict_by(
        CLAIM,
        study,
        lambda: eligible(study, records),
        decide,
        explain,
        "the number of zeros jumps in {} of {} series; {} of them have zeros enough to show a jump ({} pre-trainings, "
        "{} readings of zero)",
    )
