"""The processes of ``accelerate launch``, which work on every spec together: the main one decides and writes."""

from __future__ import annotations

from typing import TypeVar

from .. import environment

_T = TypeVar("_T")


def is_main() -> bool:
    """Return whether this process decides and writes."""
    return environment.count("RANK", 0) == 0


def agreed(value: _T) -> _T:
    """Return the main process's value, in all of them."""
    if environment.processes() == 1:
        return value
    from ..training import device

    return device.agreed(value)
