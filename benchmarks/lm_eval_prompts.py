"""Compare the prompts of likelihood tasks with those of lm-evaluation-harness, character by character.

    python benchmarks/lm_eval_prompts.py             # needs lm-eval 0.4.13 and ESSPARSE_MIRROR; a minute or two
    python benchmarks/lm_eval_prompts.py --rows 1000000

Both sides make prompts of the same rows of the data sets in the folder named by ESSPARSE_MIRROR. Compared are the
context and each choice as lm-eval hands them to a model, and the position of the right choice. Of BLiMP and MMLU the
rows are those of every paradigm and every subject; MMLU is also asked with five solved examples.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command
import lm_eval.tasks
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

from essparse_lib.tasks.likelihood import LikelihoodQuestion, LikelihoodTask
from essparse_lib.tasks.likelihood_data import TASKS

#: By task, lm-eval's file of it; a star stands for each topic.
FILES = {
    "blimp": "blimp/*.yaml",
    "arc-easy": "arc/arc_easy.yaml",
    "arc-challenge": "arc/arc_challenge.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
    "mmlu": "mmlu/default/mmlu_*.yaml",
    "piqa": "piqa/piqa.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "copa": "super_glue/copa/default.yaml",
    "sciq": "sciq/sciq.yaml",
    "lambada": "lambada/lambada_openai.yaml",
}
#: Tasks of whose splits the folder has no more than the one that is evaluated on.
_ONE_SPLIT = ("piqa", "hellaswag", "copa", "sciq", "openbookqa")
_SETTINGS = (("--rows", 50, "rows of each topic that are compared"),)


def offline_task(task: str, topic: str = "") -> ConfigurableTask:
    """Return lm-eval's task, which reads the folder laid out like the hub.

    Args:
        task: our name of the task.
        topic: name of the paradigm or of the subject, for BLiMP and MMLU.
    """
    folder = Path(lm_eval.tasks.__file__).parent
    config: dict[str, Any] = dict(load_yaml(folder / FILES[task].replace("*", topic)))
    mirror = Path(os.environ["ESSPARSE_MIRROR"].split(os.pathsep)[0])
    config["dataset_path"] = str(mirror / config["dataset_path"])
    if task in _ONE_SPLIT:
        config["training_split"] = None
    if task == "sciq":  # we read its validation split
        config["test_split"] = None
    if task == "mmlu":  # the folder has all subjects in one configuration
        config["dataset_name"] = "all"
        config["process_docs"] = lambda rows: rows.filter(lambda subject: subject == topic, input_columns="subject")
    return ConfigurableTask(config=config)


def requests(task: ConfigurableTask, shots: int) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield the context, the choices and the position of the right one of each of lm-eval's questions."""
    for row in task.eval_docs:
        context = task.fewshot_context(row, shots)
        instances = task.construct_requests(row, context)
        pairs = [instance.args for instance in (instances if isinstance(instances, list) else [instances])]
        contexts = {pair[0] for pair in pairs}
        assert len(contexts) == 1
        target = task.doc_to_target(row)
        choices = tuple(pair[1] for pair in pairs)
        yield contexts.pop(), choices, target if isinstance(target, int) else _position(target, choices)


def _position(target: str, choices: tuple[str, ...]) -> int:
    """Return the position of a right choice that lm-eval names by its text, with or without its delimiter."""
    (position,) = {number for number, choice in enumerate(choices) if choice.endswith(target)}
    return position


def compare(task: LikelihoodTask, rows: int, shots: int = 0) -> tuple[int, int]:
    """Return how many questions of a task were compared, and of how many anything differs; these are printed."""
    by_topic: dict[str, list[LikelihoodQuestion]] = {}
    for question in task.questions(shots=shots).items:
        by_topic.setdefault(question.topic, []).append(question)
    compared = different = 0
    for topic, questions in by_topic.items():
        for ours, theirs in zip(questions[:rows], requests(offline_task(task.name, topic), shots), strict=False):
            compared += 1
            if (ours.context, ours.choices, ours.answer) != theirs:
                different += 1
                print(f"{task.name} {topic}\n  ours   {ours}\n  theirs {theirs}")
    return compared, different


def main() -> None:
    """Compare all tasks of the hub, and print the counts."""
    settings = command.parser(__doc__, _SETTINGS).parse_args()
    command.check(settings, {"rows": 1})
    for task in TASKS:
        if task.name in FILES:
            for shots in (0, 5) if task.name == "mmlu" else (0,):
                compared, different = compare(task, settings.rows, shots)
                print(f"{task.name}, {shots} shots: {compared:,} compared, {different:,} differ", flush=True)


if __name__ == "__main__":
    main()
