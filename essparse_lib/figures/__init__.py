"""The figures: what each one studies at each scale, and how it is drawn.

A module ``fig<number>.py`` with ``STUDIES``, a study for each scale, is a figure: it needs no entry in a list.
"""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules

from ..errors import unknown
from ..specs.study import Study, check_scale


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
    if figure not in STUDIES:
        raise unknown("figure", figure, STUDIES)
    return STUDIES[figure][check_scale(scale)]
