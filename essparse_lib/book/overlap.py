"""How many texts of one task stand in another, for the page on data: from counts that are kept beside the records."""

from __future__ import annotations

import json

from ..records.store import results_folder


def table() -> str:
    """Return a Markdown table of how many texts of each split stand in another task's, or words if none are kept.

    ``benchmarks/overlap.py`` makes the counts.
    """
    path = results_folder("lab").parent / "overlap.json"
    if not path.is_file():
        return "The shared texts have not been counted yet.\n"
    rows = [
        "| texts | of | stand there whole | whole, or with a phrase that stands there |",
        "| --- | --- | --- | --- |",
    ]
    for places, counts in json.loads(path.read_text(encoding="utf-8")).items():
        shares = [f"{counts[kind]:,} ({counts[kind] / counts['texts']:.0%})" for kind in ("whole", "whole_or_phrase")]
        rows.append(f"| {places} | {counts['texts']:,} | {' | '.join(shares)} |")
    return "\n".join(rows) + "\n"
