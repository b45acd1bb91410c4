"""The one exception for input that its giver can mend, and the checks of input that all of the package shares."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class InputError(ValueError):
    """An error that the person who gave the input can mend.

    The message is one line that names the value, what is allowed and what to do. The command line
    prints it and exits with code 2; nothing has been written by then.
    """

    def _render_traceback_(self) -> list[str]:
        """In a notebook, too, the line alone is shown (IPython's protocol)."""
        return [f"InputError: {self}"]


def unknown(kind: str, name: object, allowed: Iterable[str], hint: str = "") -> InputError:
    """Return the error for a name that is not allowed, with the nearest allowed name if one is near.

    Args:
        kind: what the name is of, such as ``task``.
        name: the unknown name; what is no text, such as None, is unknown too.
        allowed: the known names.
        hint: what else is allowed, in words.
    """
    names = sorted(map(str, allowed))
    near = difflib.get_close_matches(str(name), names, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return InputError(f"unknown {kind} {name!r}: choose from {', '.join(names)}{hint}{guess}")


def one_line(error: BaseException, length: int = 200) -> str:
    """Return an error's message on one line, cut to ``length`` characters; its type's name if it has none."""
    return " ".join(str(error).split())[:length] or type(error).__name__


def check_sparsity(sparsity: object) -> float:
    """Return a sparsity as a number.

    Raises:
        InputError: it is not a number in [0, 1).
    """
    try:
        value = float(sparsity)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        value = float("nan")
    if not 0 <= value < 1:
        raise InputError(f"sparsity {sparsity!r} is not allowed: give a number from 0 to below 1, such as 0.4")
    return value


def check_pattern(pattern: str | tuple[int, int]) -> tuple[int, int]:
    """Return an N:M pattern, at most N non-zero of each M weights, as two numbers.

    Raises:
        InputError: it is no pattern with 1 ≤ N ≤ M.
    """
    parts: Sequence[object] = ()
    if isinstance(pattern, str):
        parts = pattern.split(":")
    elif isinstance(pattern, (tuple, list)):
        parts = pattern
    numbers = [int(str(part)) if str(part).isdecimal() else 0 for part in parts]
    n, m = numbers if len(numbers) == 2 else (0, 0)
    if not 1 <= n <= m:
        raise InputError(f"pattern {pattern!r} is not allowed: give N:M with N from 1 to M, such as 2:4")
    return n, m
