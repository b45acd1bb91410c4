"""Curves of one group of a task's questions each, such as BLiMP's fields of grammar or MMLU's groups of subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress

from ..records.metrics import agreement, from_digits
from ..records.store import Record, Status
from ..specs.evaluation import Evaluation
from ..specs.likelihood import LIKELIHOOD_TASKS
from ..specs.study import Study
from .curves import Curve, curves
from .scoring import ACCURACIES


def group_curves(study: Study, records: Mapping[str, Record], variant: str) -> list[Curve]:
    """Return a curve for each group of questions, where a task has groups, named as in ``blimp: syntax``.

    Args:
        study: a study of evaluations.
        records: records by the id of their spec.
        variant: name of the study's way to prune.

    Raises:
        InputError: records of one curve do not go together.
    """
    result = []
    for task in study.tasks:
        row = LIKELIHOOD_TASKS.get(task)
        of_task = {id_: each for id_, each in records.items() if _is_of(each, task)}
        for number, name in enumerate(row.groups if row else ()):
            of_group = {id_: part for id_, each in of_task.items() if (part := part_of(each, number)) is not None}
            result += [replace(curve, task=f"{task}: {name}") for curve in curves(study, of_group, variant)]
    return result


def _is_of(record: Record, task: str) -> bool:
    return isinstance(record.spec, Evaluation) and record.spec.task == task and record.status == Status.OK


def part_of(record: Record, group: int) -> Record | None:
    """Return a record of the questions of one group alone; None if it has none.

    Args:
        record: of an evaluation that succeeded, on a task with groups whose questions have equally many choices.
        group: the number of the group.
    """
    members = [number == group for number in from_digits(record.values.get("groups", ""))]
    if not any(members):
        return None
    predictions, labels, normalised = (
        _selected(text, members) for text in (record.predictions, record.labels, record.values.get("normalised", ""))
    )
    probabilities = list(compress(record.values["log_probabilities"], members))
    metrics = {"chance": record.metrics["chance"], "log_probability": sum(probabilities) / len(probabilities)}
    for metric, answers in zip(ACCURACIES, (predictions, normalised), strict=True):
        if answers:
            metrics[metric] = agreement(labels, answers)
    values = {"log_probabilities": probabilities, "normalised": normalised}
    return replace(record, metrics=metrics, predictions=predictions, labels=labels, values=values)


def _selected(text: str, members: Sequence[bool]) -> str:
    return "".join(compress(text, members))
