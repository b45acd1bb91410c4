"""Sparsities of single matrices: which pattern of names gives each matrix of a model its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import InputError, check_sparsity, shown
from ..sources.foreign import parse_json, read_bytes

#: The most bytes of a file of sparsities, and the most patterns: each is held against each name.
_LARGEST_FILE, _MOST_PATTERNS = 2**20, 10_000
_EXAMPLE = '{"*.mlp.*": 0.6, "*": 0.3}'


def read_sparsities(path: Path) -> dict[str, float]:
    """Return the sparsities in a JSON file, by patterns of parameter names, in the order of the file.

    Args:
        path: a file with one object, such as ``{"*.mlp.*": 0.6, "*": 0.3}``.

    Raises:
        InputError: it cannot be read, is no such object, names a pattern twice, or has a value that is no sparsity.
    """
    data = read_bytes(path, _LARGEST_FILE)
    try:
        return check_sparsities(parse_json(data, path, dict, _without_doubles))
    except InputError as error:
        prefix = "" if str(error).startswith(str(path)) else f"{path}: "
        raise InputError(f"{prefix}{error}") from error


def check_sparsities(sparsities: object) -> dict[str, float]:
    """Return sparsities by patterns as numbers, in the same order.

    Args:
        sparsities: what ``check_sparsity`` reads, by patterns of parameter names.

    Raises:
        InputError: there are none, or too many; a pattern is no text, or a value no sparsity.

    >>> check_sparsities({"*.mlp.*": "0.6", "*": 0.1 * 3})
    {'*.mlp.*': 0.6, '*': 0.3}
    """
    if not isinstance(sparsities, Mapping) or not sparsities:
        raise InputError(f"sparsities {shown(sparsities)} are not allowed: give patterns of names, as {_EXAMPLE}")
    if len(sparsities) > _MOST_PATTERNS:
        raise InputError(f"sparsities of {len(sparsities):,} patterns are not allowed: give at most {_MOST_PATTERNS:,}")
    checked = {}
    for pattern, sparsity in sparsities.items():
        if not isinstance(pattern, str) or not pattern.strip():
            raise InputError(f"pattern {shown(pattern)} is not allowed: give names, or patterns such as '*.mlp.*'")
        try:
            checked[pattern] = check_sparsity(sparsity)
        except InputError as error:
            raise InputError(f"pattern {shown(pattern)}: {error}") from error
    return checked


def check_one_amount(sparsity: object, sparsities: object, pattern: object) -> None:
    """Check that exactly one of a sparsity, sparsities of matrices and a pattern is given.

    Args:
        sparsity: the sparsity; None for none.
        sparsities: the sparsities of matrices; None for none.
        pattern: the pattern; None or empty for none.

    Raises:
        InputError: none or several are given.

    >>> check_one_amount(0.4, None, None)
    """
    if (sparsity is not None) + (sparsities is not None) + bool(pattern) != 1:
        raise InputError(
            "give either a sparsity, such as 0.4, or a pattern, such as 2:4, or sparsities of matrices by their names"
        )


def check_no_include(include: Iterable[str]) -> None:
    """Check that nothing is included besides what sparsities of matrices name.

    Args:
        include: the patterns to include.

    Raises:
        InputError: there are some.

    >>> check_no_include(())
    """
    if tuple(include):
        raise InputError(
            "include does not go with sparsities of matrices, which name what is pruned: put the patterns among these"
        )


def sparsities_by_name(sparsities: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """Return the sparsity of each matrix: that of the first pattern that its name fits.

    Args:
        sparsities: sparsities by patterns; a special pattern stands before a general one.
        names: names of the matrices that are pruned, each of which fits a pattern.

    Raises:
        InputError: a pattern decides nothing, as it fits no name, or all names that it fits fit an earlier one.

    >>> sparsities_by_name({"*.mlp.*": 0.6, "*": 0.3}, ["0.mlp.up", "0.query"])
    {'0.mlp.up': 0.6, '0.query': 0.3}
    >>> sparsities_by_name({"*": 0.3, "*.mlp.*": 0.6}, ["0.mlp.up", "0.query"])
    Traceback (most recent call last):
    essparse_lib.errors.InputError: pattern '*.mlp.*' decides nothing: what it fits fits '*' first; put it before that
    """
    names = list(names)
    deciding = {name: next(pattern for pattern in sparsities if fnmatchcase(name, pattern)) for name in names}
    for pattern in sparsities.keys() - set(deciding.values()):
        earlier = next((deciding[name] for name in names if fnmatchcase(name, pattern)), None)
        if earlier is None:
            raise InputError(f"pattern {pattern!r} of the sparsities fits no matrix that is pruned: leave it out")
        raise InputError(
            f"pattern {pattern!r} decides nothing: what it fits fits {earlier!r} first; put it before that"
        )
    return {name: sparsities[pattern] for name, pattern in deciding.items()}


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object in which no key stands twice."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"{shown(double)} stands twice: give each pattern once")
    return entries
