"""A Spec: one piece of work as plain data, whose hash is its id."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar, Self, TypeVar

from ..errors import unknown

E = TypeVar("E", bound=Enum)


class PlainData:
    """Base of the frozen dataclasses that specs are made of: they turn into plain data, and back."""

    def canonical(self) -> dict[str, Any]:
        """Return the fields that are not at their defaults, as plain data.

        A field that is added later, with a default that changes nothing, therefore leaves every earlier id as it was.
        A default must never be changed.
        """
        copy: dict[str, Any] = _copied(self._canonical)
        return copy

    def _set(self, name: str, value: object) -> None:
        """Set a field while the object is made: to what the given value stands for."""
        object.__setattr__(self, name, value)

    @cached_property
    def _canonical(self) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for name, default in type(self)._defaults():
            value = getattr(self, name)
            if isinstance(value, PlainData):
                if value._canonical:
                    plain[name] = value._canonical
            elif value != default:
                plain[name] = _plain(value)
        return plain

    @classmethod
    @cache
    def _defaults(cls) -> list[tuple[str, Any]]:
        """Return the names of the class's fields, each with its default (``dataclasses.MISSING`` if it has none)."""
        return [(each.name, each.default) for each in dataclasses.fields(cls)]  # type: ignore[arg-type]

    @classmethod
    def from_canonical(cls, plain: Mapping[str, Any]) -> Self:
        """Return the object whose ``canonical()`` this is.

        Raises:
            TypeError, KeyError, ValueError: no object has this canonical form.
        """
        return cls(**plain)


@lru_cache(maxsize=4096, typed=True)
def shared(kind: Callable[..., Any], /, **fields: Any) -> Any:
    """Return one object for the same fields: thousands of records name a few dozen trainings and prunings.

    Values of other types count as others (``typed``): 3 and 3.0 are written differently, and so have another hash.
    """
    return kind(**fields)


class Spec(PlainData):
    """Base of what a record can be of: a trial, a measurement, a pre-training.

    Attributes:
        record_kind: the name of this kind of spec in a record.
        model: the model's name.
    """

    record_kind: ClassVar[str]
    model: str

    @property
    def file(self) -> str:
        """The name of the file, among those of the model, that the spec's record belongs to."""
        raise NotImplementedError

    @cached_property
    def id(self) -> str:
        """The ``digest`` of the spec's canonical form."""
        return digest(self._canonical)


_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(plain: object) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of plain data as canonical JSON."""
    return hashlib.sha256(_CANONICAL_JSON.encode(plain).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """Return a field's value as JSON has it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [entry._canonical if isinstance(entry, PlainData) else entry for entry in value]
    return value


def _copied(value: Any) -> Any:
    """Return a copy of plain data that may be changed, without what ``copy.deepcopy`` takes time for."""
    if isinstance(value, dict):
        return {name: _copied(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_copied(entry) for entry in value]
    return value


def member(kind: type[E], what: str, value: object) -> E:
    """Return the member of an enumeration that has this value.

    Args:
        what: what the enumeration is of, for the message.

    Raises:
        InputError: no member has it.
    """
    try:
        return kind(value)
    except ValueError:
        raise unknown(what, value, [each.value for each in kind]) from None
