"""What can be done with each architecture, for the book's page: from a table that is kept beside the records."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..records.documents import read_document
from ..records.store import results_folder
from ..wording import in_markdown, listing

#: How a cell begins; what is refused or wrong says why below the table.
_WORDS = {"yes": "yes", "refused": "no", "defect": "wrong"}
#: Names of weights and modules in a message.
_NAME = r"([A-Za-z][\w*]*(?:[._]+[\w*]+)+)"


class _Family(msgspec.Struct):
    """What came of one architecture: for each column of the page, a state in ``_WORDS`` and the reason."""

    name: str
    group: str = ""
    model: Annotated[str, Meta(min_length=1)] = "the model"
    left_alone: list[str] = []
    outcomes: dict[str, tuple[str, str]] | UnsetType = UNSET

    def __post_init__(self) -> None:
        for state, _ in _outcomes(self).values():
            if state not in _WORDS:
                raise ValueError(f"{state[:40]!r} is none of {', '.join(_WORDS)}")


class _Kept(msgspec.Struct):
    """All that was tried, and with what."""

    versions: dict[str, str]
    families: list[_Family]

    def __post_init__(self) -> None:
        columns: dict[str, set[str]] = {}
        for family in self.families:
            if family.outcomes is not UNSET and columns.setdefault(family.group, set(family.outcomes)) != set(
                family.outcomes
            ):
                raise ValueError(f"{family.name[:40]!r} has other columns than its group")


def table() -> str:
    """Return what can be done with each architecture as Markdown: tables, reasons, and what is left alone.

    ``benchmarks/architectures.py`` makes the data. Without them, words say so.
    """
    path = results_folder("lab").parent / "architectures.json"
    if not os.path.lexists(path):
        return "The architectures have not been tried yet.\n"
    kept = read_document(
        path, _Kept, "take it from the repository again, or make it anew with `python benchmarks/architectures.py`"
    )
    tried = [family for family in kept.families if family.outcomes is not UNSET]
    absent = [family.name for family in kept.families if family.outcomes is UNSET]
    reasons = _reasons(tried)
    versions = listing([in_markdown(f"{name} {version}") for name, version in kept.versions.items()])
    parts = [f"Tried with {versions}: {len(tried)} architectures.\n"]
    for group in dict.fromkeys(family.group for family in tried):
        families = [family for family in tried if family.group == group]
        parts += [f"## {in_markdown(group)}\n", _group(families, reasons)]
    if reasons:
        parts.append("## Why not\n")
        parts += [
            f"(architectures-reason-{number})=\n**{number}.** {_as_markdown(reason)}\n"
            for reason, number in reasons.items()
        ]
    parts += ["## What is left alone\n", _left_alone(tried)]
    if absent:
        parts.append(f"Not in these versions, and not tried: {in_markdown(listing(absent))}.\n")
    return "\n".join(parts)


def _outcomes(family: _Family) -> dict[str, tuple[str, str]]:
    """Return the outcomes of an architecture by column, none if it was not tried."""
    return {} if family.outcomes is UNSET else family.outcomes


def _reasons(families: Sequence[_Family]) -> dict[str, int]:
    """Return the number of each reason, in the order in which the tables have them."""
    reasons: dict[str, int] = {}
    for family in families:
        for state, reason in _outcomes(family).values():
            if state != "yes":
                reasons.setdefault(_general(reason, family), len(reasons) + 1)
    return reasons


def _general(reason: str, family: _Family) -> str:
    """Return a reason without the name of the model's class, so that models which share it have one."""
    return reason.replace(family.model, "the model")


def _group(families: Sequence[_Family], reasons: Mapping[str, int]) -> str:
    """Return the table of one heading, a row for each family."""
    columns = list(_outcomes(families[0]))
    rows = [["architecture", *map(in_markdown, columns)], ["---"] * (len(columns) + 1)]
    for family in families:
        cells = [_cell(family, column, reasons) for column in columns]
        rows.append([in_markdown(family.name), *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(family: _Family, column: str, reasons: Mapping[str, int]) -> str:
    """Return one cell: a word, and a link to the reason where there is one."""
    state, reason = _outcomes(family)[column]
    if state == "yes":
        return _WORDS[state]
    number = reasons[_general(reason, family)]
    return f"[{_WORDS[state]}, {number}](#architectures-reason-{number})"


def _left_alone(families: Sequence[_Family]) -> str:
    """Return a list of what is in blocks and is pruned in none, with the families that have it."""
    names: dict[str, list[str]] = {}
    for family in families:
        for kind in family.left_alone:
            names.setdefault(kind, []).append(family.name)
    return "".join(in_markdown(f"- {kind}: {listing(names[kind])}") + "\n" for kind in sorted(names))


def _as_markdown(text: str) -> str:
    """Return a message in Markdown: names of weights as code, which a narrow page can break."""
    parts = re.split(_NAME, text)
    return "".join(f"`{part}`" if number % 2 else in_markdown(part) for number, part in enumerate(parts))
