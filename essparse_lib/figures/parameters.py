"""The parameters of a notebook, as papermill passes them, turned into what the library takes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..claims.verdict import Verdict
from ..errors import InputError, unknown
from ..specs.study import Scale, Study

#: How the cell begins that papermill adds to a notebook.
_INJECTED = "# Parameters\n"


def listed(parameter: Any) -> list[str] | None:
    """Return a parameter as a list of names, or None for ``all``.

    >>> listed("rte, sst2"), listed(["rte"]), listed(1), listed("all")
    (['rte', 'sst2'], ['rte'], ['1'], None)
    """
    if parameter is None or parameter == "all":
        return None
    parts = parameter if isinstance(parameter, (list, tuple)) else str(parameter).split(",")
    return [str(part).strip() for part in parts if str(part).strip()]


def check_names() -> None:
    """Check that the notebook which calls this has every parameter that papermill passed to it.

    papermill puts what it is passed into a cell of its own, which begins with a comment, after the cell in which
    the notebook declares its parameters with their types. Where there is no such cell, as in Jupyter or Colab, there is
    nothing to check.

    Raises:
        InputError: a parameter is not one of the notebook's.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    cells: list[str] = shell.user_ns.get("In", []) if shell else []
    declared = {name for cell in cells for name in _names(cell, ast.AnnAssign)}
    injected = [cell for cell in cells if cell.startswith(_INJECTED)]
    for name in _names(injected[-1], ast.Assign) if declared and injected else []:
        if name not in declared:
            raise unknown("parameter", name, declared)


def _names(cell: str, kind: type[ast.AnnAssign | ast.Assign]) -> list[str]:
    """Return the names to which a cell gives values, with their types (``AnnAssign``) or without (``Assign``)."""
    try:
        statements = [each for each in ast.parse(cell).body if isinstance(each, kind)]
    except SyntaxError:  # such as a command of IPython
        return []
    targets = [each.targets if isinstance(each, ast.Assign) else [each.target] for each in statements]
    return [target.id for of_one in targets for target in of_one if isinstance(target, ast.Name)]


def narrowed(study: Study, model: Any, tasks: Any, seeds: Any) -> Study:
    """Return the study on the named models, tasks and seeds; ``all`` keeps those of the study.

    Raises:
        InputError: a list is empty, or a seed is not a whole number from 0 on.
    """
    return study.narrowed(listed(model), listed(tasks), listed(seeds))  # type: ignore[arg-type]


def live_tasks(study: Study, parameter: Any) -> list[str]:
    """Return the tasks of a study on which a point without a record is run now.

    Args:
        study: the study.
        parameter: ``first``, ``none``, ``all``, or names. At paper scale ``first`` is none: a single point takes hours
            on a GPU, so there the task must be named.

    Raises:
        InputError: a named task is not in the study.
    """
    if parameter == "first":
        return [] if study.scale == Scale.PAPER else [study.tasks[0]]
    if parameter in ("none", ""):
        return []
    tasks = listed(parameter)
    if tasks is None:
        return list(study.tasks)
    for task in tasks:
        if task not in study.tasks:
            raise unknown("live task", task, study.tasks, " (the tasks of this figure), or first, all, none")
    return tasks


def glue(name: str, value: object) -> None:
    """Let other pages of the book quote a value by its name; without the book's tools, do nothing."""
    try:
        from myst_nb import glue as myst_glue
    except ImportError:
        return
    myst_glue(name, value, display=False)


def glue_verdict(verdict: Verdict) -> None:
    """Let other pages quote a claim's outcome by its name in small letters, and its numbers by ``c1_measured``."""
    glue(verdict.claim.lower(), verdict.outcome.value)
    glue(f"{verdict.claim.lower()}_measured", verdict.measured or "too few records")


def block(matrices: Sequence[Mapping[str, Any]], parameter: Any) -> int:
    """Return the number, from 0, of a block that a reader counts from 1.

    Args:
        matrices: the matrices of the model, each with its ``depth``, from 0.
        parameter: the number of the block, from 1.

    Raises:
        InputError: the model has no such block.
    """
    depths = sorted({matrix["depth"] for matrix in matrices})
    if not str(parameter).isdigit() or int(parameter) - 1 not in depths:
        raise InputError(f"block {parameter!r} is not allowed: the model has blocks 1 to {len(depths)}")
    return int(parameter) - 1
