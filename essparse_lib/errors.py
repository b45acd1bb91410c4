"""The one exception that means: the person who asked can mend this; and the checks that every wing shares."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something asked for cannot be done as asked.

    The message is one line that names the value, what is allowed and what to do. The command line
    prints it and exits with code 2; nothing has been written by then.
    """

    def _render_traceback_(self) -> list[str]:
        """In a notebook, too, the line alone is shown (IPython's protocol)."""
        return [f"InputError: {self}"]


def unknown(kind: str, given: str, allowed: Iterable[str], hint: str = "") -> InputError:
    """The error for a name that is in no list, with the nearest allowed name if one is near."""
    names = sorted(map(str, allowed))
    near = difflib.get_close_matches(given, names, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return InputError(f"unknown {kind} {given!r}: choose from {', '.join(names)}{hint}{guess}")


def one_line(error: BaseException, length: int = 200) -> str:
    """An error's message on one line, cut to ``length`` characters; its type's name if it has none."""
    return " ".join(str(error).split())[:length] or type(error).__name__


def check_sparsity(given: object) -> float:
    """A sparsity as a number.

    Raises:
        InputError: it is not a number in [0, 1).
    """
    try:
        value = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 <= value < 1:
        raise InputError(f"sparsity {given!r} is not allowed: give a number from 0 to below 1, such as 0.4")
    return value


def check_pattern(given: str | tuple[int, int]) -> tuple[int, int]:
    """An N:M pattern, at most N non-zero of each M weights, as two numbers.

    Raises:
        InputError: it is no pattern with 1 ≤ N ≤ M.
    """
    parts = given.split(":") if isinstance(given, str) else given if isinstance(given, (tuple, list)) else ()
    n, m = (int(part) if str(part).isdecimal() else 0 for part in parts) if len(parts) == 2 else (0, 0)
    if not 1 <= n <= m:
        raise InputError(f"pattern {given!r} is not allowed: give N:M with N from 1 to M, such as 2:4")
    return n, m
