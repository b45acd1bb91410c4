"""The one exception for input that its giver can mend, and the checks of input that all of the package shares."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

#: Up to so many names are listed in full where a name is unknown; of more, the nearest ones.
_LISTED = 10
#: The most names that are suggested for an unknown one.
_SUGGESTED = 3
#: Significant decimal digits that a number has in a precision lower than Python's.
_DIGITS = {"float32": 6, "float16": 3, "bfloat16": 2}
#: Decimals to which a sparsity is kept: what differs by rounding alone, as 0.1 * 3 and 0.3 do, is the same sparsity.
DECIMALS = 12


class InputError(ValueError):
    """An error that the person who gave the input can mend.

    The message is one line that names the value, what is allowed and what to do. The command line
    prints it and exits with code 2; nothing has been written by then.
    """

    def _render_traceback_(self) -> list[str]:
        """In a notebook, too, the line alone is shown (IPython's protocol)."""
        return [f"InputError: {self}"]


class UnknownName(InputError):
    """An error about a name that is none of those that this version knows; a later one may."""


def unknown(kind: str, name: object, allowed: Iterable[str], hint: str = "", listing: str = "") -> UnknownName:
    """Return the error for a name that is not allowed, with the nearest allowed names if some are near.

    Few names are listed in full, of many the nearest alone.

    Args:
        kind: what the name is of, such as ``task``.
        name: the unknown name; what is no text, such as None, is unknown too.
        allowed: the known names.
        hint: what else is allowed, in words.
        listing: what prints all names, where they are many.
    """
    names = sorted(map(str, allowed))
    if len(names) <= _LISTED:
        return UnknownName(
            f"unknown {kind} {shown(name)}: choose from {', '.join(names)}{hint}{suggestion(name, names, most=1)}"
        )
    printed = f" that {listing} prints" if listing else f", such as {', '.join(names[:_SUGGESTED])}"
    return UnknownName(
        f"unknown {kind} {shown(name)}: choose from the {len(names)} names{printed}{hint}{suggestion(name, names)}"
    )


def nearest(name: object, names: Iterable[str]) -> list[str]:
    """Return at most three names that are like a mistyped one, the likest first.

    Args:
        name: the mistyped name.
        names: the names that there are.

    >>> nearest("RTE", ["rte", "sst2"]), nearest("bert", ["bert-base-uncased", "opt"])
    (['rte'], ['bert-base-uncased'])
    """
    by_small = {each.casefold(): each for each in names}
    small = str(name).casefold()
    prefixed = [each for each in by_small if each.endswith(f".{small}") or small.endswith(f".{each}")]
    near = prefixed + difflib.get_close_matches(small, by_small, n=_SUGGESTED)
    if not near and len(small) > 2:  # a part of a long name is not alike as a whole
        near = [each for each in by_small if small in each]
    return [by_small[each] for each in dict.fromkeys(near)][:_SUGGESTED]


def suggestion(name: object, names: Iterable[str], most: int = _SUGGESTED) -> str:
    """Return the end of an error's line that suggests the names nearest to a mistyped one; empty if none is near.

    >>> suggestion("fig22", ["fig2", "fig3"])
    "; did you mean 'fig2' or 'fig3'?"
    """
    near = [repr(each) for each in nearest(name, names)[:most]]
    listed = " or ".join(filter(None, (", ".join(near[:-1]), *near[-1:])))
    return f"; did you mean {listed}?" if listed else ""


def is_path(name: str) -> bool:
    """Return whether a name is that of a folder rather than an id of the hub, by how it is written.

    It begins as paths do, has more parts than an id, or begins with a folder that exists.

    >>> is_path("./my-model"), is_path("a/b/c"), is_path("google/vit-base"), is_path("bert")
    (True, True, False, False)
    """
    parts = name.partition("@")[0].replace("\\", "/").split("/")  # an id may name a revision, which may have parts
    return name.startswith((".", "~", "/", "\\")) or len(parts) > 2 or (len(parts) == 2 and Path(parts[0]).is_dir())


def missing_folder(name: str) -> InputError:
    """Return the error for the path of a folder that is not there, with the nearest names beside it.

    Args:
        name: the path.

    >>> str(missing_folder("./essparse-nowhere"))
    "no such folder: './essparse-nowhere'"
    """
    path = Path(name).expanduser()
    above = path.parent
    while not above.is_dir() and above != above.parent:
        path, above = above, above.parent
    try:
        beside = [entry.name for entry in above.iterdir() if entry.is_dir()]
    except OSError:  # it must not be read
        beside = []
    near = [str(above / each) for each in nearest(path.name, beside)]
    return InputError(f"no such folder: {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")


def not_finite_error(name: str) -> InputError:
    """Return the error for weights of this name that are NaN or infinite, and so neither ranked nor counted."""
    return InputError(f"{name} holds NaN or infinite weights: mend these, or fetch the model anew")


def one_line(error: BaseException, length: int = 200) -> str:
    """Return an error's message on one line, cut to ``length`` characters; its type's name if it has none."""
    return " ".join(str(error).split())[:length] or type(error).__name__


def shown(value: object, length: int = 80) -> str:
    """Return a value as code on one line, cut to ``length`` characters: an array has many lines."""
    text = " ".join(repr(value).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def as_number(value: Any) -> float:
    """Return the number that a value stands for, as far as its precision goes; NaN if it stands for none.

    A 0.3 of NumPy or torch in single precision is 0.3, not 0.30000001192092896.

    Args:
        value: a number of Python, ``decimal``, ``fractions`` or NumPy, a 0-d array or tensor, or the text of a number.

    >>> from fractions import Fraction
    >>> as_number(Fraction(1, 4)), as_number("0.4"), as_number(True), as_number(None)
    (0.25, 0.4, nan, nan)
    """
    kind = str(getattr(value, "dtype", "")).removeprefix("torch.")
    if isinstance(value, bool) or kind == "bool" or getattr(value, "ndim", None):
        return float("nan")
    try:
        return float(f"{float(value):.{_DIGITS.get(kind, 17)}g}")
    except (ArithmeticError, RuntimeError, TypeError, ValueError):  # torch's is a RuntimeError
        return float("nan")


def check_number(name: str, value: object, allowed: Callable[[float], bool], wanted: str) -> float:
    """Return a number of any type as Python's float, read by ``as_number``.

    Args:
        name: what the number is, for the message.
        value: the number; a text is none.
        allowed: whether a finite number may be given.
        wanted: what may be given, in words.

    Raises:
        InputError: it is no finite number, or not allowed.

    >>> check_number("share", 2, lambda share: 0 < share <= 1, "a number above 0 and at most 1")
    Traceback (most recent call last):
    essparse_lib.errors.InputError: share 2 is not allowed: give a number above 0 and at most 1
    """
    number = float("nan") if isinstance(value, (str, bytes)) else as_number(value)
    if not abs(number) < float("inf") or not allowed(number):
        raise InputError(f"{name} {shown(value)} is not allowed: give {wanted}")
    return number


def check_whole(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Return a whole number of Python, NumPy or torch as Python's int.

    Args:
        name: what the number is, for the message.
        value: the number; a text, a truth value and 3.0 are none.
        least: the smallest that is allowed.
        most: the largest that is allowed; None for any.

    Raises:
        InputError: it is no whole number, or out of this range.

    >>> check_whole("sequences", 0)
    Traceback (most recent call last):
    essparse_lib.errors.InputError: sequences 0 is not allowed: give a whole number from 1
    """
    try:
        boolean = isinstance(value, bool) or "bool" in str(getattr(value, "dtype", ""))
        number = None if boolean or getattr(value, "ndim", None) else operator.index(value)
    except (RuntimeError, TypeError):  # a tensor without a value raises torch's RuntimeError
        number = None
    if number is None or number < least or (most is not None and number > most):
        end = "" if most is None else f" to {most}"
        raise InputError(f"{name} {shown(value)} is not allowed: give a whole number from {least}{end}")
    return number


def check_sparsity(sparsity: object) -> float:
    """Return a sparsity as a number that is the same however it was computed or written.

    Args:
        sparsity: what ``as_number`` reads, kept to twelve decimals.

    Raises:
        InputError: it is not a number in [0, 1).

    >>> check_sparsity(0.1 * 3), check_sparsity("0.3"), check_sparsity(1 - 0.9)
    (0.3, 0.3, 0.1)
    """
    value = round(as_number(sparsity), DECIMALS) + 0.0  # no −0
    if not 0 <= value < 1:
        raise InputError(f"sparsity {shown(sparsity)} is not allowed: give a number from 0 to below 1, such as 0.4")
    return value


def check_rate(rate: object) -> float:
    """Return the lottery's rate, the fraction of the original weights that goes each round.

    Raises:
        InputError: it is no number in [0.001, 1): a smaller one takes thousands of rounds.
    """
    wanted = "a fraction from 0.001 to below 1, such as 0.1"
    return round(check_number("rate", rate, lambda r: 0.001 <= r <= 0.999999, wanted), DECIMALS)


def check_seed(seed: object, name: str = "seed") -> int:
    """Return a seed as a number that all generators of random numbers take.

    Raises:
        InputError: it is no whole number from 0 to below 2⁶⁴.
    """
    try:
        return check_whole(name, seed, 0, 2**64 - 1)
    except InputError:
        raise InputError(f"{name} {shown(seed)} is not allowed: give a whole number from 0 to below 2^64") from None


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
        raise InputError(f"pattern {shown(pattern)} is not allowed: give N:M with N from 1 to M, such as 2:4")
    return n, m
