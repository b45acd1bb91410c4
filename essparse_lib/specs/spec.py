"""What a record can be of: plain data, whose hash is its name."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import cached_property
from typing import Any, ClassVar, Self


class Spec:
    """Base of the frozen dataclasses that say what is to be run: a trial, a measurement, a pre-training.

    Attributes:
        record_kind: what a record calls it.
        model: the model's name.
    """

    record_kind: ClassVar[str]
    model: str

    @property
    def file(self) -> str:
        """The name of the file, among those of its model, that its record belongs to."""
        raise NotImplementedError

    def canonical(self) -> dict[str, Any]:
        """Plain data without the fields at their defaults.

        A field that is added later, with a default that changes nothing, therefore leaves every earlier id as it was;
        a default must never be changed.
        """
        return without_defaults(self)

    @classmethod
    def from_canonical(cls, plain: dict[str, Any]) -> Self:
        """That whose ``canonical()`` this is.

        Raises:
            TypeError, KeyError, ValueError: it is that of none.
        """
        return cls(**plain)

    @cached_property
    def id(self) -> str:
        """The ``digest`` of its canonical form."""
        return digest(self.canonical())


def digest(plain: object) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of plain data as canonical JSON."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_defaults(value: Any) -> dict[str, Any]:
    """A dataclass as plain data, without the fields at their defaults."""
    plain = {}
    for entry in dataclasses.fields(value):
        current = getattr(value, entry.name)
        if dataclasses.is_dataclass(current):
            current = without_defaults(current)
            if not current:
                continue
        elif current == entry.default:
            continue
        plain[entry.name] = current
    return plain
