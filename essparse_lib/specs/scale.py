"""How large a study is."""

from __future__ import annotations

from enum import StrEnum

from .spec import member


class Scale(StrEnum):
    """How large a study is: tiny for tests, lab for any machine, paper for the original models and data."""

    TINY = "tiny"
    LAB = "lab"
    PAPER = "paper"


def check_scale(scale: str) -> Scale:
    """Return the scale of this name, or raise InputError."""
    return member(Scale, "scale", scale)
