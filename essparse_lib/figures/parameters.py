"""A notebook's parameters, as papermill gives them, turned into what the library takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..claims.verdict import Verdict
from ..errors import InputError, unknown
from ..specs.study import Study


def listed(given: Any) -> list[str] | None:
    """``all`` as None, else the names in ``a, b``, or in a list, or the one number or name."""
    if given is None or given == "all":
        return None
    parts = given if isinstance(given, (list, tuple)) else str(given).split(",")
    return [str(part).strip() for part in parts if str(part).strip()]


def narrowed(study: Study, model: Any, tasks: Any, seeds: Any) -> Study:
    """The study on the named models, tasks and seeds; ``all`` keeps the study's own."""
    return study.narrowed(listed(model), listed(tasks), listed(seeds))  # type: ignore[arg-type]


def live_tasks(study: Study, given: Any) -> list[str]:
    """On which of the study's tasks a point without a record is run: ``first``, ``none``, ``all``, or names.

    At paper scale ``first`` is none: a single point takes hours on a GPU, so there it must be named.

    Raises:
        InputError: a named task is not in the study.
    """
    if given == "first":
        return [] if study.scale == "paper" else [study.tasks[0]]
    if given in ("none", ""):
        return []
    chosen = listed(given)
    if chosen is None:
        return list(study.tasks)
    for task in chosen:
        if task not in study.tasks:
            raise unknown("live task", task, study.tasks, " (the tasks of this figure), or first, all, none")
    return chosen


def glue(name: str, value: object) -> None:
    """Make a value quotable from other pages of the book; without the book's tools, do nothing."""
    try:
        from myst_nb import glue as keep
    except ImportError:
        return
    keep(name, value, display=False)


def glue_verdict(verdict: Verdict) -> None:
    """Make a claim's outcome quotable by its name in small letters, and its numbers by such as ``c1_measured``."""
    glue(verdict.claim.lower(), verdict.outcome.value)
    glue(f"{verdict.claim.lower()}_measured", verdict.measured or "too few records")


def block(matrices: Sequence[Mapping[str, Any]], given: Any) -> int:
    """The number from 0 of a block that is counted from 1.

    Raises:
        InputError: the model has no such block.
    """
    depths = sorted({matrix["depth"] for matrix in matrices})
    if not str(given).isdigit() or int(given) - 1 not in depths:
        raise InputError(f"block {given!r} is not allowed: the model has blocks 1 to {len(depths)}")
    return int(given) - 1
