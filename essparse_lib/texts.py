"""Texts from outside: shown on one line, and the numbers that they write."""

from __future__ import annotations

import re

#: A number and a whole number as a text: Python's own reading allows 1_0, spaces, and the digits of any script, too.
_NUMBER = re.compile(r"[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,4})?")
_WHOLE = re.compile(r"[0-9]{1,40}")


def one_line(error: BaseException, length: int = 200) -> str:
    """Return an error's message on one line, cut to ``length`` characters; its type's name if it has none."""
    return " ".join(str(error).split())[:length] or type(error).__name__


def printable(text: str, length: int | None = 900) -> str:
    """Return a text as one line that a terminal shows and does not act on.

    What is not printable, such as a line's end, an escape sequence or a byte that is no UTF-8, is written as its code.

    Args:
        text: any text.
        length: of a text with more characters the middle is left out; None for any number.

    >>> print(printable("a\\x1b[2J\\nb"))
    a\\x1b[2J\\nb
    """
    # a longer text is cut before it is looked at, as it may be a whole file
    signs = _without_middle(text, length)
    escaped = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in signs)
    return _without_middle(escaped, length)


def _without_middle(text: str, length: int | None) -> str:
    if length is None or len(text) <= length:
        return text
    half = length // 2
    return f"{text[: half - 1]}…{text[-half:]}"


def shown(value: object, length: int = 80) -> str:
    """Return a value as code on one line, cut to ``length`` characters: an array has many lines."""
    try:
        text = " ".join(repr(value).split())
    except (RecursionError, ValueError):  # nested too deep, or a whole number of thousands of digits
        text = f"({type(value).__name__})"
    return text if len(text) <= length else f"{text[: length - 1]}…"


def number_of_text(text: str) -> float:
    """Return the number that a text writes in plain digits, with or without point and exponent; else NaN.

    >>> number_of_text("0.4"), number_of_text("-1e3"), number_of_text("1_0"), number_of_text("inf")
    (0.4, -1000.0, nan, nan)
    """
    return float(text) if _NUMBER.fullmatch(text) else float("nan")


def whole_of_text(text: str) -> int | None:
    """Return the whole number of 0 or more that a text writes in plain digits; else None.

    >>> whole_of_text("12"), whole_of_text("1_0"), whole_of_text("1.0"), whole_of_text("-1")
    (12, None, None, None)
    """
    return int(text) if _WHOLE.fullmatch(text) else None
