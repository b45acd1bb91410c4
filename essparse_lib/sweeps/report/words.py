"""The words of a report: what each outcome is called, and what limits the answer."""

from __future__ import annotations

from ..answer import Outcome
from ..result import SweepResult
from .places import percent_text

#: Outcomes in plain words.
HEADINGS = {
    Outcome.RESOLVED: "Answered, as narrowly as was asked",
    Outcome.WIDE: "Answered, less narrowly than was asked",
    Outcome.NEVER: "A lower bound: no level loses so much",
    Outcome.NOT_LEARNED: "No answer: the dense model learned nothing",
    Outcome.UNMEASURED: "No answer yet: too little is measured",
}


def limit_of(result: SweepResult) -> tuple[str, ...]:
    """Return what limits the answer of a sweep, and what it would take to know better: sentences."""
    answer, curve = result.answer, result.curve
    asked = _points(result.precision)
    if answer.outcome in (Outcome.RESOLVED, Outcome.WIDE):
        sentences = [f"The interval is {_points(answer.width)} wide; at most {asked} was asked."]
    elif answer.outcome is Outcome.NEVER:
        assert curve is not None
        sentences = [
            f"The highest level that was tried is {percent_text(float(curve.levels.max()))}, and not even there is "
            "more lost than is tolerated. Where the essential sparsity ends is not known, only that it lies no lower."
        ]
    elif answer.outcome is Outcome.NOT_LEARNED:
        sentences = ["What is lost below says nothing of pruning: a model that learned nothing has nothing to lose."]
    else:
        sentences = ["A dense trial that succeeds and a pruned one beside it are needed before anything can be said."]
    if answer.needs and answer.needs not in result.reason:
        sentences.append(f"For an interval of at most {asked}: {answer.needs}.")
    return tuple(sentences)


def _points(share: float) -> str:
    """Return a difference of two sparsities in words.

    >>> _points(0.125)
    '12.5% of the weights'
    """
    return f"{100 * share:.1f}% of the weights"
