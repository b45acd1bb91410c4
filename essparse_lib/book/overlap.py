"""How many texts of one task stand in another, for the page on data: from counts that are kept beside the records."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
from msgspec import Meta

from ..records.documents import read_document
from ..records.store import results_folder
from ..wording import in_markdown

Count = Annotated[int, Meta(ge=0, le=2**53)]


class _Counts(msgspec.Struct):
    """How many of the texts stand in the other task, whole or also by a phrase."""

    texts: Annotated[int, Meta(ge=1, le=2**53)]
    whole: Count
    whole_or_phrase: Count


def table() -> str:
    """Return a Markdown table of how many texts of each split stand in another task's, or words if none are kept.

    ``benchmarks/overlap.py`` makes the counts.
    """
    path = results_folder("lab").parent / "overlap.json"
    if not os.path.lexists(path):
        return "The shared texts have not been counted yet.\n"
    rows = [
        "| texts | of | stand there whole | whole, or with a phrase that stands there |",
        "| --- | --- | --- | --- |",
    ]
    mend = "take it from the repository again, or make it anew with `python benchmarks/overlap.py`"
    for places, counts in read_document(path, dict[str, _Counts], mend).items():
        shares = [f"{count:,} ({count / counts.texts:.0%})" for count in (counts.whole, counts.whole_or_phrase)]
        rows.append(f"| {in_markdown(places)} | {counts.texts:,} | {' | '.join(shares)} |")
    return "\n".join(rows) + "\n"
