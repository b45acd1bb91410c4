"""Make classes of labels of any kind: texts, whole numbers, booleans, named classes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, shown
from ..texts import number_of_text
from ..wording import listing

#: The most classes of a task: as many as two digits of a record tell apart.
MOST_CLASSES = 36**2
#: The most different values that are classes where they are no whole numbers.
_MOST_FRACTIONS = 20
#: Texts of labels that say that there is none, where all others are numbers.
_NO_NUMBER = ("nan", "na", "n/a", "null", "none")
_WHOLE = re.compile(r"[+-]?[0-9]+")
#: How many groups of names that look alike are told.
_MOST_ALIKE = 5


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The labels of a part of the data.

    Attributes:
        values: the label of each row: a text, a number or a boolean; None where there is none.
        names: names of the classes by their numbers, where the values are such numbers; else empty.
    """

    values: Sequence[Any]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Classes:
    """The classes of a task.

    Attributes:
        names: in the order of their numbers.
        numbers: the class of each row of each part; None for a row without a label.
        identity: the labels as they stand in the data, whatever the classes are called, in the order of the classes.
        notes: what is to be told.
    """

    names: tuple[str, ...]
    numbers: tuple[list[int | None], ...]
    identity: tuple[str, ...]
    notes: list[str]


def classes_of(parts: Sequence[Labels], source: object) -> Classes:
    """Return the classes of labels, in the order of their numbers or else of their names.

    Texts that write numbers are numbers, and texts that write booleans booleans, so that the same data in another
    format have the same classes.

    Args:
        parts: labels of training examples, and maybe of test examples.
        source: what the labels were read from, for messages.

    Raises:
        InputError: there is one class, more than ``MOST_CLASSES``, or as many as half of the rows; or labels are
            fractions with many values, which are numbers to predict.
    """
    names = next((part.names for part in parts if part.names), ())
    # one number may be another class in each part, and where one part has names the other may have numbers
    differing = len({part.names for part in parts if part.names}) > 1
    by_name = differing or any(value in names for part in parts if not part.names for value in part.values)
    texts = [[_text(value, part.names if by_name else ()) for value in part.values] for part in parts]
    counts = Counter(text for part in texts for text in part if text)
    _check_encodable(counts, source)
    tokens = _tokens(counts, source)
    present = {token for token in tokens.values() if token}
    numbers = {token: number_of_text(token) for token in present}
    are_numbers = all(number == number for number in numbers.values())
    order = sorted(present, key=lambda token: (numbers[token], token) if are_numbers else (0.0, token))
    _check_count(order, sum(counts.values()), source)
    position = {text: order.index(token) for text, token in _unique(tokens).items()}
    shown_names = [_name(token, () if by_name else names) for token in order]
    notes = _alike_notes(shown_names)
    if not are_numbers and any(number == number for number in numbers.values()):
        some = next(token for token in order if numbers[token] == numbers[token])
        notes.append(f"Some labels are numbers, such as {some}, and others words: all are taken as names of classes.")
    return Classes(
        names=tuple(shown_names),
        numbers=tuple([position.get(text) for text in part] for part in texts),
        identity=tuple(order),
        notes=notes,
    )


def _unique(tokens: Mapping[str, str]) -> dict[str, str]:
    return {text: token for text, token in tokens.items() if token}


def _text(value: Any, names: Sequence[str]) -> str:
    """Return a label as a text, its signs composed (Unicode's NFC); empty if there is none."""
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if names:
        value = names[value]
    return unicodedata.normalize("NFC", value.strip()) if isinstance(value, str) else _number_text(value)


def _number_text(number: float) -> str:
    """Return a number as a text, a whole one with all its digits: as a float, two large ones may be the same.

    >>> _number_text(2.0), _number_text(2**53 + 1), _number_text(0.1), _number_text(float("inf"))
    ('2', '9007199254740993', '0.1', 'inf')
    """
    if isinstance(number, float) and not number.is_integer():
        return f"{number:.12g}"
    return str(int(number))


def _tokens(counts: Mapping[str, int], source: object) -> dict[str, str]:
    """Return what each text of a label stands for: a number in one way to write it, a boolean, or itself; or nothing.

    Two texts that stand for one number, such as 1 and 01, are names.
    """
    numbers = {text: number_of_text(text) for text in counts if text.casefold() not in _NO_NUMBER}
    if numbers and all(number == number for number in numbers.values()):
        tokens = {
            text: _number_text(int(text) if _WHOLE.fullmatch(text) else number) for text, number in numbers.items()
        }
        values = set(tokens.values())
        if len(values) > _MOST_FRACTIONS and any(not value.lstrip("-").isdigit() for value in values):
            raise InputError(
                f"the labels of {source} are {len(values):,} different numbers, such as {min(values)}: numbers to "
                "predict are not supported, so make classes of them or name another column (label)"
            )
        if len(values) == len(tokens) or any("." in text for text in tokens):
            return {text: tokens.get(text, "") for text in counts}
    elif numbers and all(text.casefold() in ("true", "false") for text in counts):
        return {text: text.casefold() for text in counts}
    return {text: text for text in counts}


def _check_encodable(texts: Iterable[str], source: object) -> None:
    """Check that labels can be written in UTF-8: the name of a folder may have bytes that are none."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(f"class {shown(text)} of {source} is no UTF-8: rename it") from None


def _alike_notes(names: Sequence[str]) -> list[str]:
    """Return a sentence on classes whose names look alike, which may be one class that is written in several ways.

    >>> _alike_notes(["bad", "Bad ", "good"])
    ["These classes look alike and are taken as different ones: 'bad' and 'Bad '."]
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_look(name), []).append(repr(name))
    alike = [listing(group) for group in groups.values() if len(group) > 1]
    if not alike:
        return []
    more = f"; and {len(alike) - _MOST_ALIKE} more" if len(alike) > _MOST_ALIKE else ""
    return [f"These classes look alike and are taken as different ones: {'; '.join(alike[:_MOST_ALIKE])}{more}."]


def _look(name: str) -> str:
    """Return a name without regard to case, blanks, signs that are not seen, and forms of one sign."""
    signs = unicodedata.normalize("NFKC", name).casefold()
    return "".join(sign for sign in signs if not sign.isspace() and unicodedata.category(sign)[0] != "C")


def _check_count(order: Sequence[str], rows: int, source: object) -> None:
    """Check that there are at least two classes, and not as many as there would be of names or numbers."""
    if len(order) < 2:
        held = f"one class, {shown(order[0])}" if order else "no labels"
        raise InputError(f"the data of {source} have {held}: give examples of two classes or more")
    if len(order) > MOST_CLASSES:
        raise InputError(f"the data of {source} have {len(order):,} classes: at most {MOST_CLASSES:,} are possible")
    if 2 * len(order) > rows:
        raise InputError(
            f"the labels of {source} are {len(order):,} classes of {rows:,} examples, more than half as many: give "
            "more examples of each, or name the column of the labels (label)"
        )


def _name(token: str, names: Sequence[str]) -> str:
    """Return the name of a class: what the data call its number, or else the label itself."""
    return names[int(token)] if names and token.isdigit() and int(token) < len(names) else token
