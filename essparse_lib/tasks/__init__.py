"""The named tasks."""

from __future__ import annotations

from ..errors import unknown
from . import glue, packaged, squad
from .questions import Answer, Question, Questions
from .task import Data, Examples, Splits, Task, fixed_part

TASKS: dict[str, Task] = {task.name: task for task in (*packaged.TASKS, *squad.TASKS, *glue.TASKS)}


def get(name: str) -> Task:
    """The task of this name.

    Raises:
        InputError: there is none.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


__all__ = [
    "TASKS",
    "Answer",
    "Data",
    "Examples",
    "Question",
    "Questions",
    "Splits",
    "Task",
    "fixed_part",
    "get",
]
