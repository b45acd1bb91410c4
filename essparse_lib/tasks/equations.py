"""Equations in prefix notation as data: read, checked and evaluated by this code alone; no text is ever run.

A prefix equation says by itself where it ends, and which symbols belong together: ``* + number0 2.0 number1`` is
(number0 + 2) · number1. So it is evaluated from its end with a stack, however deep it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

#: What an equation combines two values by.
OPERATORS = ("+", "-", "*", "/")
#: The numbers that equations have without their being in the problem: those of MAWPS and ASDiv-A, as written there.
CONSTANTS = tuple("0.01 0.05 0.1 0.25 0.5 1.0 2.0 3.0 4.0 5.0 7.0 8.0 10.0 12.0 25.0 60.0 100.0".split())
#: The most numbers that a problem may have, and the words by which its text and its equation name them, in order.
MOST_NUMBERS = 7
SLOTS = tuple(f"number{position}" for position in range(MOST_NUMBERS))
#: All that an equation may be made of, by number; the slots come last.
SYMBOLS = (*OPERATORS, *CONSTANTS, *SLOTS)
#: The most symbols of an equation that is written; the longest of MAWPS, ASDiv-A and SVAMP has as many.
LONGEST = 15

#: How far a value may lie from the right one, as SMC-Bench has it.
TOLERANCE = 1e-4

_NUMBER_OF = {symbol: number for number, symbol in enumerate(SYMBOLS)}
_CONSTANT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_SLOT = re.compile(r"number([0-9]{1,3})")


def is_complete(equation: Iterable[str]) -> bool:
    """Return whether symbols are one whole equation: each operator has its two operands, and nothing follows.

    Any other symbol than an operator counts as an operand, whatever it is.

    >>> is_complete(["+", "1.0", "number0"]), is_complete(["+", "1.0"]), is_complete(["1.0", "1.0"])
    (True, False, False)
    """
    missing = 1  # operands that are still needed
    for symbol in equation:
        if not missing:
            return False
        missing += 1 if symbol in OPERATORS else -1
    return not missing


def value(equation: Sequence[str], numbers: Sequence[float]) -> float | None:
    """Return the value of an equation; None where it has none.

    It has none if it is not whole, divides by zero, becomes larger than a floating-point number can be, or has a symbol
    that is neither an operator, nor a decimal number, nor the slot of a number that is there.

    Args:
        equation: its symbols, in prefix notation; any texts.
        numbers: the problem's numbers, which ``number0``, ``number1`` and so on stand for.

    >>> value("* + number0 2.0 number1".split(), [1, 5]), value(["/", "1.0", "number0"], [0]), value(["+"], [])
    (15.0, None, None)
    """
    if not is_complete(equation):
        return None
    operands: list[float] = []
    for symbol in reversed(equation):
        result = _combined(symbol, operands) if symbol in OPERATORS else _operand(symbol, numbers)
        if result is None or not math.isfinite(result):
            return None
        operands.append(result)
    return operands.pop()


def _combined(operator: str, operands: list[float]) -> float | None:
    """Return what an operator makes of the last two operands, which are taken away: the first one was read last."""
    first, second = operands.pop(), operands.pop()
    if operator == "/":
        return first / second if second else None
    if operator == "*":
        return first * second
    return first + second if operator == "+" else first - second


def _operand(symbol: str, numbers: Sequence[float]) -> float | None:
    """Return the number that a symbol stands for; None if it stands for none."""
    if slot := _SLOT.fullmatch(symbol):
        position = int(slot[1])
        return float(numbers[position]) if position < len(numbers) else None
    return float(symbol) if _CONSTANT.fullmatch(symbol) else None


def has_value_of(equation: Sequence[str], right: Sequence[str], numbers: Sequence[float]) -> bool:
    """Return whether two equations of a problem have one value, to within ``TOLERANCE``; what has none is not right.

    >>> has_value_of(["+", "number1", "number0"], ["+", "number0", "number1"], [0.1, 0.2])
    True
    """
    values = [value(each, numbers) for each in (equation, right)]
    return None not in values and abs(values[0] - values[1]) <= TOLERANCE  # type: ignore[operator]


def to_numbers(equation: Sequence[str]) -> list[int]:
    """Return the numbers of an equation's symbols in ``SYMBOLS``.

    Raises:
        KeyError: a symbol is not among them.

    >>> to_numbers(["+", "0.01"])
    [0, 4]
    """
    return [_NUMBER_OF[symbol] for symbol in equation]


def from_numbers(numbers: Iterable[int]) -> tuple[str, ...]:
    """Return the symbols of these numbers; numbers below 0, which pad rows, are left out.

    >>> from_numbers([0, 4, -100])
    ('+', '0.01')
    """
    return tuple(SYMBOLS[number] for number in numbers if number >= 0)
