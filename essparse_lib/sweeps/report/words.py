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
    Outcome.NOT_LEARNED: "No answer: the dense model is not sure to have learned",
    Outcome.UNMEASURED: "No answer yet: too little is measured",
}


def limit_of(result: SweepResult) -> tuple[str, ...]:
    """Return what limits an answer beyond what its heading and the reason of its end say, in sentences."""
    answer, curve = result.answer, result.curve
    sentences: list[str] = []
    if answer.outcome is Outcome.NEVER:
        assert curve is not None
        sentences = [
            f"The highest level that was tried is {percent_text(float(curve.levels.max()))}, and not even there is "
            "more lost on average than is tolerated. How much higher the essential sparsity lies is not known, only "
            f"that it lies above {percent_text(answer.essential.low)}."
        ]
    elif answer.outcome is Outcome.NOT_LEARNED:
        sentences = ["What is lost below says nothing of pruning: a model that learned nothing has nothing to lose."]
    elif answer.outcome is Outcome.UNMEASURED:
        sentences = ["A dense trial that succeeds and a pruned one beside it are needed before anything can be said."]
    if answer.outcome is not Outcome.NOT_LEARNED and answer.needs and answer.needs not in result.reason:
        asked = f"{100 * result.precision:.1f}% of the weights"
        sentences.append(f"For an interval of at most {asked}: {answer.needs}.")
    return tuple(sentences)
