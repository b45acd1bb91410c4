"""Look up the named tasks, and the kinds of data that they have."""

from __future__ import annotations

from ..errors import check_known
from . import glue, own, own_store, packaged, squad, svamp, vision
from .images import Images
from .problems import Problem, Problems
from .questions import Answer, Question, Questions
from .task import Data, Examples, Splits, Task, fixed_part

_ALL = (*packaged.TASKS, *squad.TASKS, *glue.TASKS, *svamp.TASKS, *vision.TASKS)
TASKS: dict[str, Task] = {task.name: task for task in _ALL}


def get(name: str) -> Task:
    """Return the task of a name.

    Args:
        name: name of the task, as in trials and in the parameters of notebooks; or one that ``own.prepare`` gave.

    Raises:
        InputError: no task has this name, or it is of somebody's own data that are not in the cache.
    """
    if own_store.is_own(name) and name not in TASKS:
        return own.task(name)
    listing = "python -c 'from essparse_lib import tasks; print(*tasks.TASKS)'"
    return TASKS[check_known("task", name, TASKS, listing=listing)]


__all__ = [
    "TASKS",
    "Answer",
    "Data",
    "Examples",
    "Images",
    "Problem",
    "Problems",
    "Question",
    "Questions",
    "Splits",
    "Task",
    "fixed_part",
    "get",
]
