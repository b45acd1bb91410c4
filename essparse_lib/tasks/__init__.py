"""The named tasks."""

from __future__ import annotations

from ..errors import unknown
from . import glue, packaged
from .task import Examples, Splits, Task

TASKS: dict[str, Task] = {task.name: task for task in (*packaged.TASKS, *glue.TASKS)}


def get(name: str) -> Task:
    """The task of this name.

    Raises:
        InputError: there is none.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


__all__ = ["TASKS", "Examples", "Splits", "Task", "get"]
