"""The figures: what each one studies at each scale, and how it is drawn.

A module ``fig<number>.py`` with ``STUDIES``, a study for each scale, is a figure: it needs no entry in a list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

from ..errors import InputError, check_known
from ..records.counted import counted
from ..records.pretrained import PRETRAINED
from ..records.store import Record, results
from ..specs.spec import Spec
from ..specs.study import Study, check_scale

#: Whose weights Figure 8 watches: those of models trained here, at the scale, or of MultiBERTs, which are on the hub.
CHECKPOINTS = ("trained", "multiberts")


def _studies() -> dict[str, dict[str, Study]]:
    """Return the studies of each figure's module by scale, in the order of the figures' numbers."""
    names = [module.name for module in iter_modules(__path__) if re.fullmatch(r"fig\d+", module.name)]
    names.sort(key=lambda name: int(name.removeprefix("fig")))
    return {name: import_module(f".{name}", __name__).STUDIES for name in names}


#: By figure and scale, the study.
STUDIES: dict[str, dict[str, Study]] = _studies()


def study(figure: str, scale: str) -> Study:
    """Return the study of a figure at a scale.

    Args:
        figure: the figure's name, such as ``fig2``.
        scale: ``tiny``, ``lab`` or ``paper``.

    Raises:
        InputError: there is no such figure or scale.
    """
    return STUDIES[check_known("figure", figure, STUDIES)][check_scale(scale)]


def studies(names: Sequence[str], scale: str, checkpoints: str = CHECKPOINTS[0]) -> list[Study]:
    """Return the studies of several figures at a scale.

    Args:
        names: the figures' names, ``all`` for every figure's.
        scale: ``tiny``, ``lab`` or ``paper``.
        checkpoints: of Figure 8, those that are ``trained`` here, or ``multiberts``, which are on the hub.

    Raises:
        InputError: there is no such figure or scale, or no such checkpoints of it.
    """
    by_name = {figure: study(figure, scale) for figure in names if figure != "all"}
    chosen = list(STUDIES if "all" in names else by_name)
    check_known("checkpoints", checkpoints, CHECKPOINTS)
    if checkpoints == CHECKPOINTS[0]:
        return [study(figure, scale) for figure in chosen]
    if chosen != ["fig8"]:
        raise InputError(f"checkpoints {checkpoints!r} are not allowed for {', '.join(names)}: they are fig8's")
    return [import_module(".fig8", __name__).MULTIBERTS]


def records(*chosen: Study) -> dict[str, Record]:
    """Return the records that count for some figures' studies, by id; of which scales they are does not matter.

    Args:
        chosen: the studies, or narrowed ones.

    Raises:
        DamagedRecord: a line of a file is damaged (the message gives file and line).
        InputError: a file cannot be read.
    """
    by_id: dict[str, Record] = {}
    for scale in dict.fromkeys(study.scale for study in chosen):
        of_scale = [study for study in chosen if study.scale == scale]
        by_id |= counted(results(scale), of_scale, [by_scale[scale] for by_scale in STUDIES.values()])
    return by_id


def specs(scale: str) -> dict[str, Spec]:
    """Return, by id, every spec that a record at a scale can be of: of all figures, checkpoints and own pre-trainings.

    Raises:
        InputError: there is no such scale.
    """
    multiberts = import_module(".fig8", __name__).MULTIBERTS
    every = [*studies(["all"], scale), *([multiberts] if multiberts.scale == scale else [])]
    of_studies = {spec.id: spec for study in every for spec in study.specs()}
    return of_studies | {spec.id: spec for spec in PRETRAINED[scale].values()}
