"""The parameters of a notebook, as papermill passes them, turned into what the library takes."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any

from ..analysis.essential import check_epsilon
from ..claims.verdict import Verdict
from ..errors import InputError, check_known, check_pattern, check_sparsity, check_whole, shown, unknown
from ..files import check_new_folder
from ..paths import check_file, check_path
from ..specs.study import Scale, Study, check_scale
from ..texts import whole_of_text
from . import CHECKPOINTS

#: How the cell begins that papermill adds to a notebook.
_INJECTED = "# Parameters\n"


def listed(parameter: Any, what: str = "names") -> list[str] | None:
    """Return a parameter as a list of names, or None for ``all``.

    Args:
        parameter: names with commas between them, a list of names, or one number.
        what: what is named, for the message.

    Raises:
        InputError: it is nothing of the kind, or names nothing.

    >>> listed("rte, sst2"), listed(["rte"]), listed(1), listed("all")
    (['rte', 'sst2'], ['rte'], ['1'], None)
    """
    if isinstance(parameter, str) and parameter == "all":
        return None
    parts = parameter.split(",") if isinstance(parameter, str) else parameter
    entries = list(parts) if isinstance(parts, (list, tuple)) else [parts]
    if not all(isinstance(entry, (str, int)) and not isinstance(entry, bool) for entry in entries):
        raise InputError(f"{what} {shown(parameter)} are not allowed: give names with commas between them, or all")
    names = [shown(entry) if isinstance(entry, int) else entry.strip() for entry in entries]
    if not any(names):
        raise InputError(f"no {what} are named: give at least one")
    return list(filter(None, names))


def check(names: Mapping[str, Any]) -> None:
    """Check all parameters of the notebook that calls this, before any work.

    Whether a model, a task or a seed exists is seen when the study is made, which needs no work either.

    Args:
        names: the notebook's global names: a parameter is one that the notebook declares with its type.

    Raises:
        InputError: a parameter cannot be what the notebook takes, is of another type than the notebook declares, or
            is not one of the notebook's.
    """
    check_names()
    for name, declared in names.get("__annotations__", {}).items():
        _check_type(name, names[name], declared)
        if name in CHECKS:
            CHECKS[name](names[name])


def _check_type(name: str, value: Any, declared: type) -> None:
    """Check that a parameter is of the type that its notebook declares.

    papermill makes a number of what looks like one, so a text may come as a whole number: seed 0, a folder named 7.
    From Python a text that lists names may also be a list of them.

    Raises:
        InputError: it is of another type.
    """
    taken, wanted = _TYPES[declared]
    if not isinstance(value, taken) or (isinstance(value, bool) and declared is not bool):
        found = "a text" if isinstance(value, str) else f"of the type {type(value).__name__}"
        raise InputError(f"{name} {shown(value)} is not allowed: {name} is {wanted}, and this is {found}")


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


def narrowed(study: Study, model: Any, tasks: Any, seeds: Any, live: bool = True) -> Study:
    """Return the study on the named models, tasks and seeds; ``all`` keeps those of the study.

    Args:
        study: the study of a figure.
        model: the models' names.
        tasks: the tasks' names.
        seeds: the seeds.
        live: whether the notebook runs what has no record; else only the study's own seeds have any.

    Raises:
        InputError: a list is empty, or a seed is not a whole number from 0 on, or not one of the study's.
    """
    chosen = listed(seeds, "seeds")
    small = study.narrowed(listed(model, "models"), listed(tasks, "tasks"), chosen)  # type: ignore[arg-type]
    for seed in small.seeds if chosen and not live else ():
        check_known("seed", str(seed), map(str, study.all_seeds))
    return small


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
    if parameter == "none":
        return []
    hint = " (the tasks of this figure), or first, all, none"
    tasks = listed(parameter, "live tasks")
    return [check_known("live task", task, study.tasks, hint) for task in (study.tasks if tasks is None else tasks)]


def glue(name: str, value: object) -> None:
    """Let other pages of the book quote a value by its name; without the book's tools, do nothing."""
    try:
        from myst_nb import glue as myst_glue
    except ImportError:
        return
    myst_glue(name, value, display=False)


#: What ends the name under which a notebook quotes a whole verdict as JSON.
VERDICT = "_verdict"


def glue_verdict(verdict: Verdict) -> None:
    """Let other pages quote a claim's outcome by its name in small letters, and the whole verdict as JSON."""
    name = verdict.claim.lower()
    glue(name, verdict.outcome.value)
    glue(f"{name}{VERDICT}", json.dumps(verdict.plain()))


def block(matrices: Sequence[Mapping[str, Any]], parameter: Any) -> int:
    """Return the number, from 0, of a block that a reader counts from 1.

    Args:
        matrices: the matrices of the model, each with its ``depth``, from 0.
        parameter: the number of the block, from 1.

    Raises:
        InputError: the model has no such block.
    """
    depths = sorted({matrix["depth"] for matrix in matrices})
    number = _block(parameter)
    if number - 1 not in depths:
        raise InputError(f"block {number} is not allowed: the model has blocks 1 to {len(depths)}")
    return number - 1


def _block(parameter: Any) -> int:
    """Return the number of a block, from 1, which may be written as a text."""
    number = whole_of_text(parameter) if isinstance(parameter, str) else None
    return check_whole("block", parameter if number is None else number)


def _name(what: str) -> Callable[[Any], None]:
    """Return the check of a parameter that is one name."""

    def check(parameter: Any) -> None:
        if not isinstance(parameter, str) or not parameter.strip():
            raise InputError(f"{what} {shown(parameter)} is not allowed: give a name")

    return check


def _optional(check: Callable[[str, Any], Any], what: str) -> Callable[[Any], None]:
    """Return the check of a parameter that is a path, or empty for none."""

    def check_given(parameter: Any) -> None:
        if parameter != "":
            check(what, parameter)

    return check_given


def _own_data(parameter: Any) -> None:
    """Check what names somebody's own data: a path or an id of the hub, which are read when they are used."""
    if not isinstance(parameter, str):
        raise InputError(f"data {shown(parameter)} is not allowed: give a path, an id of the hub, or an empty text")


def _new_folder(what: str, parameter: Any) -> None:
    """Check a folder that a notebook is to write."""
    check_new_folder(check_path(what, parameter))


#: By the type that a notebook declares, the types that are taken for it, and what it is in words.
_TYPES: Mapping[type, tuple[tuple[type, ...], str]] = {
    str: ((str, Integral, list, tuple), "a text (str)"),
    float: ((Real,), "a number (float)"),
    int: ((Integral,), "a whole number (int)"),
    bool: ((bool,), "True or False (bool)"),
}

#: By the name of a notebook's parameter, what checks it before any work.
CHECKS: Mapping[str, Callable[[Any], object]] = {
    "sparsity": check_sparsity,
    "epsilon": check_epsilon,
    "pattern": check_pattern,
    "block": _block,
    "scale": check_scale,
    "figure": _name("figure"),
    "model": partial(listed, what="models"),
    "models": partial(listed, what="models"),
    "tasks": partial(listed, what="tasks"),
    "task": _name("task"),
    "seeds": partial(listed, what="seeds"),
    "live_tasks": partial(listed, what="live tasks"),
    "checkpoints": lambda parameter: check_known("checkpoints", parameter, CHECKPOINTS),
    "method": _name("method"),
    "data": _own_data,
    "text": _optional(check_file, "text"),
    "out": _optional(_new_folder, "out"),
}
