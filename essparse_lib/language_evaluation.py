"""Ask a language model of one's own the questions of likelihood tasks: what the command line shows of any decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .analysis.estimate import Estimate
from .errors import InputError, check_texts, printable
from .specs.evaluation import USUAL_QUESTIONS, USUAL_TASKS, Evaluation, Prompting
from .specs.likelihood import LIKELIHOOD_TASKS, LikelihoodKind

if TYPE_CHECKING:
    from rich.table import Table

    from .runner.evaluation import Answered


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """How a model answers the questions of one task, and how much worse than another model.

    Attributes:
        task: name of the task.
        questions: number of questions.
        metric: what the score is: ``accuracy``, ``accuracy_normalised`` or ``perplexity``.
        score: in points, with the 95% interval from the choice of questions; a perplexity has none.
        chance: what guessing scores, in points; None of a perplexity.
        log_probability: the mean of the right answers, or of whole texts, in nats.
        drop: how far the score lies below the other model's, the questions paired, in points; None where no other model
            is named, and of a perplexity.
        log_drop: how far the log-probability lies below the other model's, likewise, in nats.
        cut: how many contexts were too long for the model and lost their beginning.
    """

    task: str
    questions: int
    metric: str
    score: Estimate
    chance: float | None
    log_probability: float
    drop: Estimate | None = None
    log_drop: Estimate | None = None
    cut: int = 0


def evaluate(
    model: str,
    tasks: Sequence[str] = USUAL_TASKS,
    against: str | None = None,
    questions: int | None = None,
    shots: int = 0,
    prefix: str = "",
    tell: Callable[[str], None] = lambda line: None,
) -> list[TaskResult]:
    """Return how a language model answers the questions of likelihood tasks, as it is and with no training.

    Args:
        model: a causal language model: its name here, its id on the hub, or its local folder, pruned or not.
        tasks: names of likelihood tasks.
        against: another model, such as the one before pruning: each question is compared.
        questions: the most questions of each topic, the same ones for every model; None for about
            ``USUAL_QUESTIONS`` of a task.
        shots: how many solved examples stand before each question.
        prefix: the token before a text that begins with its choices; empty for the one that lm-eval takes.
        tell: called with a line when a model is done with a task.

    Raises:
        InputError: a task is unknown or its data cannot be had, or a model cannot be had, read or asked.
    """
    names = list(dict.fromkeys(check_texts("tasks", tasks, "['blimp']")))
    promptings = {name: _prompting(name, questions, shots, prefix) for name in names}
    for each in (model, against) if against is not None else (model,):
        _prepare(each, promptings)
    answers = _answers(model, promptings, tell)
    others = _answers(against, promptings, tell) if against is not None else {}
    return [_result(name, answers[name], others.get(name)) for name in names]


def _prompting(task: str, questions: int | None, shots: int, prefix: str) -> Prompting:
    """Return how a task's questions are put."""
    from .likelihood import tasks

    row = tasks.get(task).row
    if questions is None:
        questions = max(1, USUAL_QUESTIONS // row.topics)
    return Prompting(questions=questions, shots=shots, prefix=prefix)


def _prepare(model: str, promptings: dict[str, Prompting]) -> None:
    """Check that a model and the tasks can be had, before the first question."""
    from .runner import evaluation

    for task, prompting in promptings.items():
        evaluation.prepare(Evaluation(model=model, task=task, prompting=prompting))


def _answers(model: str, promptings: dict[str, Prompting], tell: Callable[[str], None]) -> dict[str, Answered]:
    """Return what a model makes of each task."""
    from .runner import evaluation

    answers = {}
    for task, prompting in promptings.items():
        answers[task] = evaluation.answers_to(Evaluation(model=model, task=task, prompting=prompting))
        values = answers[task].values
        cut = f", {values['cut']:,} of them without the beginning of their context" if "cut" in values else ""
        tell(f"{model}: {task}, {len(values['log_probabilities']):,} questions answered{cut}")
    return answers


def _result(task: str, answered: Answered, other: Answered | None) -> TaskResult:
    """Return how a task was answered."""
    row = LIKELIHOOD_TASKS[task]
    logs = _logs(answered)
    common = {
        "task": task,
        "questions": len(logs),
        "log_probability": float(logs.mean()),
        "log_drop": _mean(_logs(other) - logs) if other else None,
        "cut": answered.values.get("cut", 0),
    }
    if row.kind is LikelihoodKind.TEXT:
        score = Estimate(answered.metrics["perplexity"], np.nan, np.nan)
        return TaskResult(metric="perplexity", score=score, chance=None, **common)  # type: ignore[arg-type]
    right = _right(answered, row.normalised)
    return TaskResult(
        metric="accuracy_normalised" if row.normalised else "accuracy",
        score=_share(right),
        chance=answered.metrics["chance"],
        drop=_difference(_right(other, row.normalised), right) if other else None,
        **common,  # type: ignore[arg-type]
    )


def _logs(answered: Answered) -> np.ndarray:
    """Return the log-probability of each question's right answer, or of each text, in nats."""
    return np.array(answered.values["log_probabilities"])


def _right(answered: Answered, normalised: bool) -> np.ndarray:
    """Return for each question 1 where it is answered rightly, and else 0."""
    predictions = answered.values["normalised"] if normalised else answered.predictions
    return np.array([one == other for one, other in zip(predictions, answered.labels, strict=True)], dtype=float)


def _share(right: np.ndarray) -> Estimate:
    """Return the percentage that is right, with Wilson's 95% interval."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(int(right.sum()), len(right), method="wilson")
    return Estimate(float(right.mean()), float(low), float(high)).scaled(100)


def _difference(one: np.ndarray, other: np.ndarray) -> Estimate:
    """Return how many points more of the same questions are right in one than in the other, with its 95% interval.

    Source:
        Agresti and Min 2005, Statistics in Medicine 24, 729: half a question is added to each of the four cells, so
        that answers which are all alike do not give an interval of no width.
    """
    from scipy.stats import norm

    gained, lost, size = float((one > other).sum()) + 0.5, float((one < other).sum()) + 0.5, len(one) + 2
    centre = (gained - lost) / size
    margin = float(norm.ppf(0.975)) * np.sqrt((gained + lost) / size - centre**2) / np.sqrt(size)
    return Estimate(float((one - other).mean()), float(centre - margin), float(centre + margin)).scaled(100)


def _mean(values: np.ndarray) -> Estimate:
    """Return the mean over questions with its 95% interval by Student's t."""
    from scipy.stats import t

    if len(values) < 2:
        return Estimate(float(values.mean()), np.nan, np.nan)
    margin = float(t.ppf(0.975, len(values) - 1)) * float(values.std(ddof=1)) / np.sqrt(len(values))
    return Estimate(float(values.mean()), float(values.mean() - margin), float(values.mean() + margin))


def print_evaluation(
    model: str,
    tasks: Sequence[str],
    against: str | None,
    questions: int | None,
    shots: int,
    prefix: str,
    tell: Callable[[str], None],
) -> None:
    """Print how a model answers, a row a task; arguments and errors as of ``evaluate``."""
    from rich.console import Console

    if against is not None and against == model:
        raise InputError(f"against {against!r} is the model itself: name another, such as the one before pruning")
    results = evaluate(model, tasks, against, questions, shots, prefix, tell)
    Console().print(_table(printable(model), results, against))


def _table(title: str, results: Sequence[TaskResult], against: str | None) -> Table:
    """Return a table with a row for each task."""
    from rich.table import Table

    lost = [f"below {printable(against)}", "nats lost"] if against is not None else []
    table = Table("task", "questions", "score", "chance", "nats", *lost, title=title, box=None, title_justify="left")
    for result in results:
        perplexed = result.metric == "perplexity"
        cells = [
            result.task,
            f"{result.questions:,}",
            f"perplexity {result.score.value:.2f}" if perplexed else result.score.text(1),
            "" if result.chance is None else f"{result.chance:.1f}",
            f"{result.log_probability:.2f}",
        ]
        if against is not None:
            cells += [result.drop.text(1) if result.drop else "", result.log_drop.text(3) if result.log_drop else ""]
        table.add_row(*cells)
    return table
