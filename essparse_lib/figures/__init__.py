"""The figures: what each one studies at each scale, and how it is drawn."""

from __future__ import annotations

from ..errors import unknown
from ..study.grid import Study, check_scale
from . import fig2

STUDIES: dict[str, dict[str, Study]] = {"fig2": fig2.STUDIES}


def study(figure: str, scale: str) -> Study:
    """A figure's study at a scale.

    Raises:
        InputError: there is no such figure or scale.
    """
    if figure not in STUDIES:
        raise unknown("figure", figure, STUDIES)
    return STUDIES[figure][check_scale(scale)]
