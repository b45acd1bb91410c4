"""A Spec: one piece of work as plain data, whose hash is its id; and the schema that plain data must fit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import operator
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar, Self, TypeVar, get_origin, get_type_hints
from unicodedata import category

import msgspec

from ..errors import InputError, UnknownName, as_number, check_seed, check_sparsity, shown, unknown

E = TypeVar("E", bound=Enum)

#: The most bytes that a name may have: it becomes the name of a file, of which most systems allow 255.
LONGEST_NAME = 230

# what the simplest of plain data are
Scalar = str | int | float | bool | None


class Checked:
    """Base of frozen dataclasses whose fields are of the types that they are declared with, once they are made."""

    def __post_init__(self) -> None:
        self._check_types()

    def _set(self, name: str, value: object) -> None:
        """Set a field while the object is made: to what the given value stands for."""
        object.__setattr__(self, name, value)

    def _check_types(self) -> None:
        """Check that every field is of the type that it is declared with; a list becomes the tuple that is declared.

        Raises:
            InputError: a field is of another type; its line says which, and what is wrong in it.
        """
        for name, kind in type(self)._types().items():
            value = getattr(self, name)
            try:
                converted = msgspec.convert(_without_arrays(value), kind)
            except (msgspec.ValidationError, UnicodeEncodeError, RecursionError) as error:
                raise InputError(f"{name} {shown(value)} is not allowed: {schema_error(error)}") from None
            if isinstance(value, (tuple, list, dict)):
                self._set(name, converted)

    @classmethod
    @cache
    def _types(cls) -> dict[str, Any]:
        """Return the type of each field, by its name."""
        hints = get_type_hints(cls, include_extras=True)
        return {each.name: hints[each.name] for each in dataclasses.fields(cls)}  # type: ignore[arg-type]


class PlainData(Checked):
    """Base of the frozen dataclasses that specs are made of: they turn into plain data, and back."""

    def canonical(self) -> dict[str, Any]:
        """Return the fields that are not at their defaults, as plain data.

        A field that is added later, with a default that changes nothing, therefore leaves every earlier id as it was.
        A default must never be changed.
        """
        copy: dict[str, Any] = _copied(self._canonical)
        return copy

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
    @cache
    def _form(cls) -> Any:
        """Return the schema of the canonical form: the fields' types, with choices as texts and parts as objects."""
        fields: list[tuple[str, Any, Any]] = []
        for each in dataclasses.fields(cls):  # type: ignore[arg-type]
            required = each.default is each.default_factory is dataclasses.MISSING
            default = msgspec.NODEFAULT if required else msgspec.UNSET
            fields.append((each.name, _as_json(cls._types()[each.name]), default))
        return msgspec.defstruct(cls.__name__, fields, kw_only=True)

    @classmethod
    def from_canonical(cls, plain: Mapping[str, Any]) -> Self:
        """Return the object whose ``canonical()`` this is.

        Raises:
            UnknownName: it has a field, or a choice in a field, that this version does not know.
            ValueError: no object has this canonical form.
        """
        return cls(**cls._fields_of(plain))

    @classmethod
    def _fields_of(cls, plain: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a canonical form, once each is known to be there and of the type that JSON has for it.

        Raises:
            UnknownName, ValueError: as ``from_canonical``.
        """
        form = msgspec.convert(plain, cls._form())
        names = cls._types()
        for name in plain:
            if name not in names:
                raise UnknownName(f"unknown field {shown(name)}")
        return {name: getattr(form, name) for name in plain}


@lru_cache(maxsize=4096, typed=True)
def shared(kind: type[PlainData], /, **fields: Any) -> Any:
    """Return one object for the same canonical form: thousands of records name a few dozen trainings and prunings.

    Values of other types count as others (``typed``): 3 and 3.0 are written differently, and so have another hash.
    """
    return kind.from_canonical(fields)


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


def check_name(what: str, name: object) -> None:
    """Check the name of a model, a task or a corpus: a text in one line that files can be named after.

    Args:
        what: what the name is of, for the message.
        name: the name.

    Raises:
        InputError: it is no text, too long, has no letter and no digit, or has a sign that breaks the line or that
            UTF-8 does not have.

    >>> check_name("model", "../..")
    Traceback (most recent call last):
    essparse_lib.errors.InputError: model '../..' is not allowed: give a name with a letter or a digit
    """
    wanted = "a text"
    if isinstance(name, str):
        wanted = _wanted(name) if len(name) <= LONGEST_NAME else _SHORT
    if wanted:
        raise InputError(f"{what} {shown(name)} is not allowed: give {wanted}")


def check_names(what: str, names: Iterable[object]) -> None:
    """Check several names, each as ``check_name`` does."""
    for name in names:
        check_name(what, name)


@lru_cache(maxsize=4096)  # thousands of trials have a few dozen names
def _wanted(name: str) -> str:
    """Return what is wanted in place of a name, in words; empty if the name is one."""
    if not any(map(str.isalnum, name)):
        return "a name with a letter or a digit"
    if any(category(sign) in _NO_NAMES for sign in name):
        return "a name in one line, without control characters"
    return "" if len(name.encode()) <= LONGEST_NAME else _SHORT


#: What is wanted in place of a long name.
_SHORT = f"a name of at most {LONGEST_NAME} bytes"

#: Unicode's categories of signs that no name has: control characters, halves of pairs, ends of lines.
_NO_NAMES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def as_sparsities(values: Any) -> Any:
    """Return sparsities, however they are written, as the numbers that they are; what is no tuple or list as it is.

    Raises:
        InputError: one is no sparsity.
    """
    return tuple(map(check_sparsity, values)) if isinstance(values, (tuple, list)) else values


def as_seeds(values: Any) -> Any:
    """Return seeds as Python's whole numbers; what is no tuple or list as it is.

    Raises:
        InputError: one is no seed.
    """
    return tuple(map(check_seed, values)) if isinstance(values, (tuple, list)) else values


def _without_arrays(value: Any) -> Any:
    """Return what a field is given, with numbers of NumPy or torch in tuples, lists and dicts as Python's own."""
    if isinstance(value, (tuple, list)):
        return tuple(map(_without_arrays, value)) if type(value) in (tuple, list) else value
    if type(value) is dict:
        return {name: _without_arrays(entry) for name, entry in value.items()}
    kind = str(getattr(value, "dtype", ""))
    if "float" in kind:
        return as_number(value)
    return operator.index(value) if "int" in kind else value


def schema_error(error: BaseException) -> str:
    """Return in words what does not fit a schema, and where.

    >>> try:
    ...     msgspec.convert({"a": [1, "2"]}, dict[str, list[int]])
    ... except msgspec.ValidationError as error:
    ...     schema_error(error)
    'expected int, got str at [...][1]'
    """
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return "it has a character that UTF-8 cannot write"
    text = str(error).replace("`", "").replace(" - at $", " at ").replace(" - at key in $", " in a name ").rstrip()
    return text[:1].lower() + text[1:] if text.startswith(("Expected", "Object", "Invalid", "Number")) else text


def _as_json(kind: Any) -> Any:
    """Return the type that JSON has for a field: a text for a choice, objects for what specs are made of."""
    if isinstance(kind, type) and issubclass(kind, PlainData):
        return dict[str, Scalar]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return str
    return list[dict[str, Any]] if get_origin(kind) is tuple else kind


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
