"""Options and parameters that are not what they should be."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from .attempt import Attempt, Work, command
from .models import copied, write_bert

#: What is no number of any kind.
_NO_NUMBERS = ("", " ", "x", "nan", "inf", "-inf", "None", "1_0", "٣", "1e400", "0x10", "1,5", "--", "½", "1\n2")
_NO_WHOLE = (*_NO_NUMBERS, "1.5", "-1", "1e3", "9" * 22, "9" * 5000)
_NO_SPARSITY = (*_NO_NUMBERS, "1", "-0.1", "1.5", "100")
_NO_DURATION = (*_NO_NUMBERS, "0", "-5", "1_0s", "٣s", "infs", "nanh", "5d", "h", "5 m", "1e400h", "5mm")
_NO_PATTERN = (
    "",
    ":",
    "2",
    "2:",
    ":4",
    "4:2",
    "0:4",
    "2:4:8",
    "٢:٤",
    "2:x",
    "-2:4",
    "2.0:4",
    "1:" + "9" * 23,
    "nan:4",
    "1_0:20",
)
_NO_NAMES = ("", " ", "x" * 300, "a\x00b".replace("\x00", "\x01"), "../..", "\udc80", "\x1b[31mred", "nil\nnil")
_NO_PATHS = ("", "~nouser/x", "x" * 300, "/dev/null/x", "\udc80/x")

_PRUNE = ("prune", "./model", "--out", "pruned")
_HALF = (*_PRUNE, "--sparsity", "0.5")
_WANDA = (*_HALF, "--method", "wanda")

#: The command line up to an option, the option, and values that it must refuse.
_OPTIONS: list[tuple[tuple[str, ...], str, tuple[str, ...]]] = [
    (_PRUNE, "--sparsity", _NO_SPARSITY),
    (_PRUNE, "--pattern", _NO_PATTERN),
    (_HALF, "--method", _NO_NAMES),
    (_HALF, "--scope", _NO_NAMES),
    (_HALF, "--seed", _NO_WHOLE),
    (_HALF, "--include", ("nowhere", "", "\x1b[31m*")),
    (("prune", "./model", "--sparsity", "0.5"), "--out", (*_NO_PATHS, ".", "model", "model/config.json")),
    (_WANDA, "--text", (*_NO_PATHS, ".", "model")),
    (_WANDA, "--images", (*_NO_PATHS, ".", "model/config.json")),
    ((*_WANDA, "--text", "model/config.json"), "--windows", (*_NO_WHOLE, "0", "1000000000000")),
    ((*_WANDA, "--text", "model/config.json"), "--length", (*_NO_WHOLE, "0", "1000000000")),
    (("stats",), "", (*_NO_NAMES, *_NO_PATHS, "model/config.json", "no/such", "a/b/c", "a@b@c")),
    (("run",), "", _NO_NAMES),
    (("run", "fig2"), "--scale", _NO_NAMES),
    (("run", "fig2"), "--jobs", (*_NO_WHOLE, "0", "1000000")),
    (("run", "fig2"), "--budget", _NO_DURATION),
    (("run", "fig8"), "--checkpoints", _NO_NAMES),
    (("pretrain",), "", _NO_NAMES),
    (("pretrain", "bert-2x128-100-0"), "--budget", _NO_DURATION),
    (("verify", "fig2"), "--sample", (*_NO_WHOLE, "0", "1000000000000")),
    (("verify", "fig2"), "--seed", _NO_WHOLE),
    (("verify",), "", _NO_NAMES),
    (("status",), "--scale", _NO_NAMES),
    (("claims",), "--scale", _NO_NAMES),
    (("mend",), "", (*_NO_PATHS, "model/config.json")),
    (("merge",), "", (*_NO_PATHS, "model/config.json", "model")),
    (("merge", "model"), "--scale", _NO_NAMES),
    (("book",), "--out", (*_NO_PATHS, "model", "model/config.json", ".")),
    (("splendid",), "", ("x",)),
    ((), "--splendid", ("x",)),
]

#: Variables of the environment, a command that reads them, and values that it must refuse.
_VARIABLES: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("ESSPARSE_RESULTS", ("status",), ("~nouser/x", "x" * 300, "model/config.json")),
    ("ESSPARSE_CACHE", ("run", "fig2", "--scale", "tiny"), ("~nouser/x", "x" * 300, "model/config.json")),
    ("ESSPARSE_MIRROR", ("run", "fig2"), ("~nouser/x", "x" * 300, "model/config.json", "nowhere")),
]

#: What is passed to notebooks' parameters of each type, and must be refused.
_PARAMETERS: dict[str, tuple[Any, ...]] = {
    "float": (None, True, "x", "", "nan", float("nan"), float("inf"), [1], {}, 10**400, "0.4.1", "٣", "1_0"),
    "int": (None, True, "x", "", "nan", 1.5, -1, [1], {}, 10**400, "٣", "1_0"),
    "str": (True, float("nan"), "", " ", "nowhere", "x" * 300, {}, [None], [{}], "\x1b[31m"),
    "bool": (None, "x", "", 5, float("nan"), [1], {}),
}
#: Parameters that take what others of their type do not.
_TAKEN: dict[str, tuple[Any, ...]] = {"live_tasks": ("", " "), "seeds": (True,), "tasks": (), "model": ()}


def _environment(variable: str, value: str, arguments: tuple[str, ...]) -> Work:
    def run(folder: Path) -> None:
        os.environ[variable] = value
        command(*arguments)(folder)

    return run


def _notebooks() -> Iterator[tuple[str, str, str]]:
    """Yield notebook, name and type of every parameter."""
    for path in sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            if "parameters" in cell["metadata"].get("tags", ()):
                for each in ast.parse("".join(cell["source"])).body:
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                        yield path.name, each.target.id, ast.unparse(each.annotation)


def _executed(notebook: str, parameter: str, value: Any) -> Work:
    """Return a reader that runs the cells of a notebook in this process, with another value of a parameter."""

    def run(folder: Path) -> None:
        import matplotlib

        matplotlib.use("agg")
        cells = json.loads((Path(__file__).parents[2] / "notebooks" / notebook).read_text())["cells"]
        names: dict[str, Any] = {"__name__": "__main__"}
        with mock.patch("IPython.get_ipython", lambda: mock.MagicMock()):
            for cell in cells:
                if cell["cell_type"] == "code":
                    exec("".join(cell["source"]), names)
                    if "parameters" in cell["metadata"].get("tags", ()):
                        names[parameter] = value

    return run


def attempts() -> Iterator[Attempt]:
    """Yield every wrong value of every option, of variables and of the notebooks' parameters."""
    for arguments, option, values in _OPTIONS:
        reader = " ".join(["essparse", *arguments[:1]])
        for value in values:
            given = (option, value) if option else ("--", value)
            yield _attempt(reader, f"{option or 'argument'} {value!r:.60}", command(*arguments, *given))
    for variable, arguments, values in _VARIABLES:
        for value in values:
            yield _attempt("variables", f"{variable} {value!r:.60}", _environment(variable, value, arguments))
    for notebook, parameter, kind in _notebooks():
        for value in _PARAMETERS[kind]:
            if value not in _TAKEN.get(parameter, ()):
                yield _attempt(
                    "notebooks", f"{notebook} {parameter} {value!r:.60}", _executed(notebook, parameter, value)
                )


def _attempt(reader: str, damage: str, read: Work) -> Attempt:
    return Attempt(kind="options", reader=reader, damage=damage, prepare=copied(write_bert), read=read)
