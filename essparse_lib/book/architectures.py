"""What can be done with each architecture, for the book's page: from a table that is kept beside the records."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..records.store import results_folder
from ..wording import listing

#: How a cell begins; what is refused or wrong says why below the table.
_WORDS = {"yes": "yes", "refused": "no", "defect": "wrong"}
#: Names of weights and modules in a message, and what Markdown would interpret in the rest.
_NAME = r"([A-Za-z][\w*]*(?:[._]+[\w*]+)+)"
_SPECIAL = r"[\\`*_{}\[\]<>#|$~]"


def table() -> str:
    """Return what can be done with each architecture as Markdown: tables, reasons, and what is left alone.

    ``benchmarks/architectures.py`` makes the data. Without them, words say so.
    """
    path = results_folder("lab").parent / "architectures.json"
    if not path.is_file():
        return "The architectures have not been tried yet.\n"
    kept = json.loads(path.read_text(encoding="utf-8"))
    tried = [family for family in kept["families"] if "outcomes" in family]
    absent = [family["name"] for family in kept["families"] if "outcomes" not in family]
    reasons = _reasons(tried)
    versions = listing([f"{name} {version}" for name, version in kept["versions"].items()])
    parts = [f"Tried with {versions}: {len(tried)} architectures.\n"]
    for group in dict.fromkeys(family["group"] for family in tried):
        families = [family for family in tried if family["group"] == group]
        parts += [f"## {group}\n", _group(families, reasons)]
    if reasons:
        parts.append("## Why not\n")
        parts += [
            f"(architectures-reason-{number})=\n**{number}.** {_as_markdown(reason)}\n"
            for reason, number in reasons.items()
        ]
    parts += ["## What is left alone\n", _left_alone(tried)]
    if absent:
        parts.append(f"Not in these versions, and not tried: {listing(absent)}.\n")
    return "\n".join(parts)


def _reasons(families: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of each reason, in the order in which the tables have them."""
    reasons: dict[str, int] = {}
    for family in families:
        for state, reason in family["outcomes"].values():
            if state != "yes":
                reasons.setdefault(_general(reason, family), len(reasons) + 1)
    return reasons


def _general(reason: str, family: Mapping[str, Any]) -> str:
    """Return a reason without the name of the model's class, so that models which share it have one."""
    return reason.replace(family["model"], "the model")


def _group(families: Sequence[Mapping[str, Any]], reasons: Mapping[str, int]) -> str:
    """Return the table of one heading, a row for each family."""
    columns = list(families[0]["outcomes"])
    rows = [["architecture", *columns], ["---"] * (len(columns) + 1)]
    for family in families:
        cells = [_cell(family, column, reasons) for column in columns]
        rows.append([family["name"], *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(family: Mapping[str, Any], column: str, reasons: Mapping[str, int]) -> str:
    """Return one cell: a word, and a link to the reason where there is one."""
    state, reason = family["outcomes"][column]
    if state == "yes":
        return _WORDS[state]
    number = reasons[_general(reason, family)]
    return f"[{_WORDS[state]}, {number}](#architectures-reason-{number})"


def _left_alone(families: Sequence[Mapping[str, Any]]) -> str:
    """Return a list of what is in blocks and is pruned in none, with the families that have it."""
    names: dict[str, list[str]] = {}
    for family in families:
        for kind in family["left_alone"]:
            names.setdefault(kind, []).append(family["name"])
    return "".join(f"- {kind}: {listing(names[kind])}\n" for kind in sorted(names))


def _as_markdown(text: str) -> str:
    """Return a message in Markdown: names of weights as code, which a narrow page can break."""
    parts = re.split(_NAME, text)
    return "".join(
        f"`{part}`" if number % 2 else re.sub(_SPECIAL, r"\\\g<0>", part) for number, part in enumerate(parts)
    )
