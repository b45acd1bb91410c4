"""Read MAWPS, ASDiv-A and SVAMP as Patel et al. (2021) prepared them: word problems with prefix equations, as CSV.

MAWPS and ASDiv-A come in five folds each, SVAMP is evaluated after training on both. MAWPS' folds leak: of the 384 test
questions of each, 110 to 128 stand word for word in its training set, so each test problem is marked
(``Problem.leaked``).

Source: Patel, Bhattamishra and Goyal 2021, arXiv 2103.07191; MAWPS: Koncel-Kedziorski et al. 2016; ASDiv: Miao et al.
2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ..errors import InputError, shown
from ..sources import tiny
from ..sources.code_host import CodeRepository, PinnedFile, pinned_files
from ..sources.delimited import read_rows
from ..sources.hub import Repository, repository_folder
from .problems import Problem, Problems, against
from .svamp_files import FILES
from .task import Splits, Task

_REPOSITORY = CodeRepository(
    id="arkilpatel/SVAMP", commit="689d7ccac74b9983a2ac7cc3b264f441b99e7c53", root="data"
)  # fmt: skip
_TINY = Repository(tiny.ARITHMETIC, tiny.REVISION, "dataset")
#: The columns that are read; the others repeat what these say.
_COLUMNS = ("Question", "Numbers", "Equation")
FOLDS = range(5)


def read_problems(path: Path) -> list[Problem]:
    """Return the problems of a file in the layout of SVAMP's, each checked.

    Args:
        path: the file: comma-separated values with the columns Question, Numbers and Equation.

    Raises:
        InputError: the file is no such table, or a row holds no problem: the message names the line of the table.
    """
    problems = []
    for number, row in enumerate(read_rows(path), 1):
        if missing := [name for name in _COLUMNS if name not in row]:
            columns = ", ".join(row)
            raise InputError(
                f"{path} has no column {missing[0]!r} among {shown(columns)}: name its columns as SVAMP does"
            )
        problem = _problem(row, f"{path}, problem {number}")
        if fault := problem.fault():
            raise InputError(f"{path}, problem {number}, has {fault}: mend its line or leave it out")
        problems.append(problem)
    return problems


def _problem(row: Mapping[str, str], place: str) -> Problem:
    """Return the problem of a row; messages name its place."""
    texts = row["Numbers"].split()
    try:
        numbers = tuple(float(text) for text in texts)
    except ValueError:
        raise InputError(
            f"{place}, has Numbers {shown(row['Numbers'])}, which must be numbers with blanks between them: mend its "
            "line or leave it out"
        ) from None
    return Problem(question=row["Question"].strip(), numbers=numbers, equation=tuple(row["Equation"].split()))


def _from_folder(folder: str) -> Splits:
    """Return the problems of a folder of the repository."""
    files = [
        PinnedFile(path=f"{folder}/{name}", sha256=digest, size=size)
        for name, (digest, size) in zip(("train.csv", "dev.csv"), FILES[folder], strict=True)
    ]
    (train, test), origin = pinned_files(_REPOSITORY, files)
    return _splits(train, test, origin)


def _tiny() -> Splits:
    folder, origin = repository_folder(_TINY, ("*.csv",))
    return _splits(folder / "train.csv", folder / "dev.csv", origin)


def _splits(train: Path, test: Path, origin: str) -> Splits:
    sides: tuple[Problems, Problems] = against(read_problems(train), read_problems(test))
    return Splits(*sides, origin)


def _task(name: str, folder: str, source: str) -> Task:
    return Task.named(name, classes=(), load=partial(_from_folder, folder), source=source)


_PREPARED = f"prepared by Patel et al. (2021), {_REPOSITORY.id}, MIT"
TASKS = (
    *(
        _task(f"mawps-{fold}", f"cv_mawps/fold{fold}", f"MAWPS (Koncel-Kedziorski et al. 2016), {_PREPARED}")
        for fold in FOLDS
    ),
    *(
        _task(f"asdiv-a-{fold}", f"cv_asdiv-a/fold{fold}", f"ASDiv-A (Miao et al. 2020), CC BY-NC 4.0, {_PREPARED}")
        for fold in FOLDS
    ),
    _task(
        "svamp",
        "mawps-asdiv-a_svamp",
        f"Trained on MAWPS and ASDiv-A, CC BY-NC 4.0, evaluated on SVAMP, all {_PREPARED}",
    ),
    Task.named("tiny-arithmetic", classes=(), load=_tiny, source=f"{_TINY.id}, made by this package"),
)
