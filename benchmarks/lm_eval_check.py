"""Score the same questions with the same pruned model here and by lm-evaluation-harness: answers and time side by side.

    python benchmarks/lm_eval_check.py                                # needs lm-eval 0.4.13 and ESSPARSE_MIRROR
    python benchmarks/lm_eval_check.py --questions 20 --tasks copa,blimp

Both sides read the data sets in the folder named by ESSPARSE_MIRROR, each with its own code, and score the questions
that are drawn here. A question's answer is its most probable choice, as it is and with the log-probability divided by
the choice's characters; of a last word, whether it is the most probable one. Where the two sides differ, the question
is printed with how close the two choices are.

Seconds are the processor's, all threads together, from texts to log-probabilities, one side after the other in one
process, task by task. lm-eval reads with transformers' own attention and as many requests at once as ``--batch`` says,
by its default one; here it is as the package does. Weights are in 32 bits.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from time import process_time
from typing import Any

import command
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval_prompts import FILES, offline_task, requests

from essparse_lib.errors import check_known
from essparse_lib.likelihood import tasks
from essparse_lib.likelihood.encoding import encode
from essparse_lib.likelihood.scorer import ChoiceScore, Scorer
from essparse_lib.models import loading
from essparse_lib.pruning.calibration import longest_input
from essparse_lib.runner.evaluation import likeliest, pruned_model
from essparse_lib.runner.workbench import Workbench
from essparse_lib.specs.evaluation import Evaluation
from essparse_lib.specs.likelihood import LikelihoodKind
from essparse_lib.specs.trial import Pruning
from essparse_lib.tasks.likelihood import LikelihoodQuestion

_SETTINGS = (
    ("--model", "smollm2-135m", "the model"),
    ("--sparsity", 0.3, "what global magnitude pruning removes first"),
    ("--questions", 100, "questions of each task"),
    ("--batch", 1, "requests that lm-eval reads at once"),
    ("--tasks", ",".join(FILES), "the tasks"),
    ("--shots", 5, "solved examples for MMLU, which is also asked without"),
    ("--threads", torch.get_num_threads(), "CPU threads"),
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came of one task.

    Attributes:
        name: the task, with its shots.
        questions: how many questions both sides scored.
        equal: how many have the same answer.
        equal_normalised: how many have the same answer by the length-normalised log-probability.
        largest: the largest difference of a log-probability, in nats.
        seconds: ours and theirs.
    """

    name: str
    questions: int
    equal: int
    equal_normalised: int
    largest: float
    seconds: tuple[float, float]

    def __str__(self) -> str:
        ours, theirs = self.seconds
        return (
            f"{self.name:18} {self.questions:4} questions, answers equal {self.equal:4}, normalised "
            f"{self.equal_normalised:4}, largest difference {self.largest:.1e} nats, "
            f"{ours:6.1f} s against {theirs:6.1f} s: {theirs / ours:4.1f} times"
        )


def drawn(name: str, count: int, shots: int) -> list[LikelihoodQuestion]:
    """Return at most so many questions of a task: equally many of each topic, or with shots those of few topics.

    Solved examples are the same before all questions of a topic, and all of these are mostly asked together.
    """
    task = tasks.get(name)
    of_each_topic = count if shots else -(-count // task.row.topics)
    return list(task.questions(of_each_topic, shots).items[:count])


def prompts_of_lm_eval(name: str, questions: Sequence[LikelihoodQuestion], shots: int) -> None:
    """Check that lm-eval asks the same questions, with the same right choices.

    Raises:
        AssertionError: it does not.
    """
    by_topic = dict.fromkeys(question.topic for question in questions)
    theirs = {request for topic in by_topic for request in requests(offline_task(name, topic), shots)}
    assert all((question.context, question.choices, question.answer) in theirs for question in questions), name


def score_by_lm_eval(lm: HFLM, questions: Sequence[LikelihoodQuestion]) -> list[tuple[ChoiceScore, ...]]:
    """Return what lm-eval finds of each choice of each question."""
    pairs = [(question.context, choice) for question in questions for choice in question.choices]
    instances = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(pairs)]
    scores = iter(lm.loglikelihood(instances, disable_tqdm=True))
    return [tuple(ChoiceScore(*next(scores)) for _ in question.choices) for question in questions]


def score_here(scorer: Scorer, tokenizer: Any, questions: Sequence[LikelihoodQuestion]) -> list[tuple]:
    """Return what this package finds of each choice of each question."""
    encoded, _ = encode(questions, tokenizer, longest=longest_input(scorer.model))
    return scorer.scores(encoded)


def answers(
    kind: LikelihoodKind, questions: Sequence[LikelihoodQuestion], scores: Sequence[Sequence[ChoiceScore]]
) -> tuple[list[int], list[int]]:
    """Return the answer to each question, and the one by normalised log-probabilities."""
    if kind is LikelihoodKind.LAST_WORD:
        greedy = [int(row[0].greedy) for row in scores]
        return greedy, greedy
    return (
        [likeliest(row, question.choices) for row, question in zip(scores, questions, strict=True)],
        [likeliest(row, question.choices, normalised=True) for row, question in zip(scores, questions, strict=True)],
    )


def compare(name: str, scorer: Scorer, lm: HFLM, tokenizer: Any, count: int, shots: int = 0) -> Comparison:
    """Return what came of one task, and print the questions with other answers."""
    questions = drawn(name, count, shots)
    prompts_of_lm_eval(name, questions, shots)
    model, attention = scorer.model, scorer.model.config._attn_implementation
    start = process_time()
    ours = score_here(scorer, tokenizer, questions)
    middle = process_time()
    model.set_attn_implementation("sdpa")
    switched = process_time()
    theirs = score_by_lm_eval(lm, questions)
    end = process_time()
    model.set_attn_implementation(attention)
    kind = tasks.get(name).kind
    (first, first_normalised), (second, second_normalised) = (
        answers(kind, questions, scores) for scores in (ours, theirs)
    )
    for number, question in enumerate(questions):
        if first[number] != second[number]:
            print(f"{name}: {question.context[-60:]!r} {ours[number]} {theirs[number]}")
    differences = [
        abs(one.log_probability - other.log_probability)
        for rows in zip(ours, theirs, strict=True)
        for one, other in zip(*rows, strict=True)
    ]
    return Comparison(
        name=f"{name}, {shots} shots" if shots else name,
        questions=len(questions),
        equal=sum(map(int.__eq__, first, second)),
        equal_normalised=sum(map(int.__eq__, first_normalised, second_normalised)),
        largest=max(differences),
        seconds=(middle - start, end - switched),
    )


def main(settings: argparse.Namespace) -> None:
    """Compare the tasks, one after the other, and print each and all together."""
    command.check(settings, {"questions": 1, "batch": 1, "threads": 1, "shots": 0})
    names = [check_known("task", name, FILES) for name in settings.tasks.split(",")]
    torch.set_num_threads(settings.threads)
    pruning = Pruning(method="magnitude", sparsity=settings.sparsity) if settings.sparsity else Pruning()
    model = pruned_model(Evaluation(model=settings.model, task=names[0], pruning=pruning), Workbench())
    tokenizer = loading.tokenizer_of(settings.model)
    scorer = Scorer(model)
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=settings.batch)
    compared = []
    for name in names:
        for shots in (0, settings.shots) if name == "mmlu" and settings.shots else (0,):
            compared.append(compare(name, scorer, lm, tokenizer, settings.questions, shots))
            print(compared[-1], flush=True)
    total = sum(each.questions for each in compared)
    ours, theirs = (sum(each.seconds[side] for each in compared) for side in (0, 1))
    ratios = [each.seconds[1] / each.seconds[0] for each in compared]
    print(
        f"all: answers equal {100 * sum(each.equal for each in compared) / total:.2f}%, normalised "
        f"{100 * sum(each.equal_normalised for each in compared) / total:.2f}%; {ours:.0f} s against {theirs:.0f} s: "
        f"{theirs / ours:.1f} times, median of the tasks {statistics.median(ratios):.1f} times"
    )


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, _SETTINGS).parse_args())
