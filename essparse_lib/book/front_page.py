"""What the book's first page says of the twelve claims: how many agree, a forest plot, and a row for each."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ..claims.headlines import HEADLINES
from ..claims.registry import CLAIMS
from ..claims.verdict import Outcome
from ..wording import in_markdown, listing, unbroken
from .forest import Row, forest_html

#: What the first page says of an outcome, after a number of claims: of one, and of several.
_COUNTED = {
    Outcome.AGREES: ("agrees", "agree"),
    Outcome.DIFFERS: ("differs", "differ"),
    Outcome.DEPENDS: ("depends on the setting", "depend on the setting"),
    Outcome.INCONCLUSIVE: ("cannot be decided for want of power", "cannot be decided for want of power"),
    Outcome.UNTESTABLE: ("cannot be tested here", "cannot be tested here"),
    Outcome.NOT_RUN: ("has not been run yet", "have not been run yet"),
}

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def summary(verdicts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return in sentences how many of the paper's claims have which outcome.

    >>> summary({"C1": {"outcome": "agrees"}, "C2": {"outcome": "agrees"}, "C3": {"outcome": "differs"}})
    "Of the paper's three claims, **two agree** (C1 and C2). **One differs** (C3).\\n"
    """
    counts = {outcome: [name for name, each in verdicts.items() if each["outcome"] == outcome] for outcome in Outcome}
    parts = []
    for outcome, (one, several) in _COUNTED.items():
        if names := counts[outcome]:
            parts.append(f"**{_NUMBERS[len(names)]} {one if len(names) == 1 else several}** ({listing(names)})")
    first, *others = parts or ["**none has a verdict**"]
    sentences = [f"Of the paper's {_NUMBERS[len(verdicts)]} claims, {first}."]
    for part in others:
        sentences.append(f"**{part[2].upper()}{part[3:]}.")
    return " ".join(sentences) + "\n"


def table(verdicts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a Markdown table: for each claim what the paper reports, what was measured, and then the verdict."""
    rows = [["Claim", "Paper reports", "We measure, with 95% intervals", "Verdict"], ["---"] * 4]
    for name, verdict in verdicts.items():
        headline, figure = HEADLINES[name], CLAIMS[name].figure
        claim = f"[{name}](../notebooks/{figure}.ipynb): {in_markdown(headline.claim)}"
        rows.append(
            [
                claim,
                in_markdown(headline.paper),
                unbroken(in_markdown(verdict["finding"])),
                f"**{verdict['outcome']}**",
            ]
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def forest(verdicts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the forest plot of every number that a claim is judged by, or that the paper gives, as HTML."""
    rows = []
    for name, verdict in verdicts.items():
        for quantity, number in verdict["numbers"].items():
            if number["value"] is not None and (number["allowed"] or number["paper"]):
                of = f", {number['of']}" if number["of"] and number["of"] not in quantity else ""
                rows.append(
                    Row(
                        claim=name,
                        page=f"../notebooks/{CLAIMS[name].figure}.html",
                        quantity=escape(f"{quantity}{of}"),
                        outcome=verdict["outcome"],
                        number=number,
                    )
                )
    return forest_html(rows)
