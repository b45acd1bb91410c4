"""What the same trials score on two devices, for the page on methods: from a comparison kept beside the records."""

from __future__ import annotations

import json

from ..analysis.estimate import Estimate
from ..records.store import results_folder


def table() -> str:
    """Return a Markdown table of how much higher the same trials score on another device, or words if none is kept.

    ``benchmarks/devices.py`` makes the comparison.
    """
    path = results_folder("lab").parent / "devices.json"
    if not path.is_file():
        return "No trials have been run on two devices yet.\n"
    rows = [
        "| model | task | trials | seeds | later less earlier, points | devices |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in json.loads(path.read_text(encoding="utf-8")):
        difference = Estimate(row["difference"], row["low"], row["high"]).text(2)
        devices = "; ".join(f"{old} → {new}" for old, new in row["devices"])
        rows.append(f"| {row['model']} | {row['task']} | {row['trials']} | {row['seeds']} | {difference} | {devices} |")
    return "\n".join(rows) + "\n"
