"""The figures: what each one studies at each scale, and how it is drawn."""

from __future__ import annotations

from ..errors import unknown
from ..specs.study import Study, check_scale
from . import fig1, fig2, fig3, fig5, fig6, fig7, fig8, fig9, fig10

STUDIES: dict[str, dict[str, Study]] = {
    "fig1": fig1.STUDIES,
    "fig2": fig2.STUDIES,
    "fig3": fig3.STUDIES,
    "fig5": fig5.STUDIES,
    "fig6": fig6.STUDIES,
    "fig7": fig7.STUDIES,
    "fig8": fig8.STUDIES,
    "fig9": fig9.STUDIES,
    "fig10": fig10.STUDIES,
}


def study(figure: str, scale: str) -> Study:
    """Return the study of a figure at a scale.

    Raises:
        InputError: there is no such figure or scale.
    """
    if figure not in STUDIES:
        raise unknown("figure", figure, STUDIES)
    return STUDIES[figure][check_scale(scale)]
