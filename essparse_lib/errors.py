"""The one exception for input that its giver can mend, and the checks of input that all of the package shares."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .texts import number_of_text, printable, whole_of_text
from .texts import one_line as one_line  # beside InputError, for those who raise it
from .texts import shown as shown

#: Up to so many names are listed in full where a name is unknown; of more, the nearest ones.
_LISTED = 10
#: The most names that are suggested for an unknown one.
_SUGGESTED = 3
#: Significant decimal digits that a number has in a precision lower than Python's.
_DIGITS = {"float32": 6, "float16": 3, "bfloat16": 2}
#: Types of arrays that Python reads a number from and that hold none.
_NO_NUMBERS = ("bool", "object")
#: Decimals to which a sparsity is kept: what differs by rounding alone, as 0.1 * 3 and 0.3 do, is the same sparsity.
DECIMALS = 12
#: The longest name that is compared with others.
_LONGEST_NAME = 200
#: The largest whole number where nothing else is said, and the largest M of a pattern.
_LARGEST, _LARGEST_GROUP = 2**63 - 1, 1024


class InputError(ValueError):
    """An error that the person who gave the input can mend.

    The message is one line that names the value, what is allowed and what to do. The command line
    prints it and exits with code 2; nothing has been written by then. What of it a terminal would
    act on is written as its code.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))

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


def check_known(kind: str, name: object, allowed: Iterable[str], hint: str = "", listing: str = "") -> str:
    """Return a name that is among the allowed ones.

    Args:
        kind: what the name is of, such as ``task``.
        name: the name.
        allowed: the known names.
        hint: what else is allowed, in words.
        listing: what prints all names, where they are many.

    Raises:
        InputError: it is not, or is no text.
    """
    names = list(allowed)
    if not isinstance(name, str) or name not in names:
        raise unknown(kind, name, names, hint, listing)
    return name


def nearest(name: object, names: Iterable[str]) -> list[str]:
    """Return at most three names that are like a mistyped one, the likest first.

    Args:
        name: the mistyped name.
        names: the names that there are.

    >>> nearest("RTE", ["rte", "sst2"]), nearest("bert", ["bert-base-uncased", "opt"])
    (['rte'], ['bert-base-uncased'])
    """
    by_small = {each.casefold(): each for each in names}
    small = name[:_LONGEST_NAME].casefold() if isinstance(name, str) else ""
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


def not_finite_error(name: str) -> InputError:
    """Return the error for weights of this name that are NaN or infinite, and so neither ranked nor counted."""
    return InputError(f"{name} holds NaN or infinite weights: mend these, or fetch the model anew")


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
    if isinstance(value, str):
        return number_of_text(value)
    if isinstance(value, (bool, bytes, bytearray)) or kind in _NO_NUMBERS or getattr(value, "ndim", None):
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
        most: the largest that is allowed; None for any below 2⁶³.

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
    if number is None or not least <= number <= (_LARGEST if most is None else most):
        end = "" if most is None else f" to {most}"
        raise InputError(f"{name} {shown(value)} is not allowed: give a whole number from {least}{end}")
    return number


def check_list(what: str, values: object, example: str) -> list[Any]:
    """Return what somebody lists; a text, a mapping and what cannot be gone through are no list.

    Args:
        what: what is listed, for the message.
        values: a list, or what else can be gone through.
        example: a list that is allowed, for the message.

    Raises:
        InputError: it is no list.
    """
    no_list = isinstance(values, (str, bytes, bytearray, Mapping)) or getattr(values, "ndim", 1) != 1
    if no_list or not isinstance(values, Iterable):
        raise InputError(f"{what} {shown(values)} are not allowed: give a list, such as {example}")
    return list(values)


def check_texts(what: str, values: object, example: str) -> tuple[str, ...]:
    """Return a list of texts, none of them empty; arguments and errors as of ``check_list``."""
    texts = check_list(what, values, example)
    if not all(isinstance(text, str) and text for text in texts):
        raise InputError(f"{what} {shown(values)} are not allowed: give a list of texts, such as {example}")
    return tuple(texts)


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
        InputError: it is no pattern with 1 ≤ N ≤ M ≤ 1,024.
    """
    parts: Sequence[object] = ()
    if isinstance(pattern, str):
        parts = [whole_of_text(part) for part in pattern[:_LONGEST_NAME].split(":")]
    elif isinstance(pattern, (tuple, list)):
        parts = pattern
    try:
        n, m = (check_whole("pattern", part, 1, _LARGEST_GROUP) for part in parts)
    except ValueError:  # not two, or InputError
        n, m = 0, 0
    if not 1 <= n <= m:
        raise InputError(
            f"pattern {shown(pattern)} is not allowed: give N:M with N from 1 to M, such as 2:4, and M up to "
            f"{_LARGEST_GROUP:,}"
        )
    return n, m
