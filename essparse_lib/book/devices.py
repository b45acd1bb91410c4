"""What the same trials score on two devices, or at two precisions, for the page on methods.

Both are comparisons that are kept beside the records.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from ..analysis.estimate import Estimate
from ..records.documents import read_document
from ..records.store import results_folder
from ..wording import in_markdown

#: The end of the line about a table that cannot be read.
_MEND = "take it from the repository again, or make it anew with `python benchmarks/{}.py`"


class _Row(msgspec.Struct):
    """How much higher the trials of a model on a task score on the later device."""

    model: str
    task: str
    trials: int
    seeds: int
    difference: float
    low: float
    high: float
    devices: list[tuple[str, str]]


class _Comparison(msgspec.Struct):
    """How much higher the same trials score in bf16 than in fp32, as ``benchmarks/precision.py`` writes it."""

    difference: float
    low: float
    high: float
    alike: bool
    margin: float
    trials: int
    observations: int
    earlier: list[str]
    later: list[str]
    curves: list[list[str]] = []


def table() -> str:
    """Return a Markdown table of how much higher the same trials score on another device, or words if none is kept.

    ``benchmarks/devices.py`` makes the comparison.
    """
    path = results_folder("lab").parent / "devices.json"
    if not os.path.lexists(path):
        return "No trials have been run on two devices yet.\n"
    rows = [
        "| model | task | trials | seeds | later less earlier, points | devices |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in read_document(path, list[_Row], _MEND.format("devices")):
        difference = Estimate(row.difference, row.low, row.high).text(2)
        model, task, *pairs = map(in_markdown, (row.model, row.task, *(f"{old} → {new}" for old, new in row.devices)))
        devices = "; ".join(pairs)
        rows.append(f"| {model} | {task} | {row.trials} | {row.seeds} | {difference} | {devices} |")
    return "\n".join(rows) + "\n"


def precision_comparison() -> dict[str, Any] | None:
    """Return the comparison of the same trials in bf16 and in fp32; None if none is kept.

    ``benchmarks/precision.py`` makes the comparison.
    """
    path = results_folder("lab").parent / "precision.json"
    if not os.path.lexists(path):
        return None
    comparison: dict[str, Any] = msgspec.to_builtins(read_document(path, _Comparison, _MEND.format("precision")))
    return comparison


def precision() -> str:
    """Return in words whether trials score alike at two precisions, by the rule on the page on methods."""
    comparison = precision_comparison()
    if comparison is None:
        return "The trials have not been run both ways yet.\n"
    difference = Estimate(comparison["difference"], comparison["low"], comparison["high"]).text(2)
    inside = "within" if comparison["alike"] else "not within"
    earlier, later = (in_markdown("; ".join(comparison[name])) for name in ("earlier", "later"))
    return (
        f"{comparison['trials']} trials were run both ways ({earlier} → {later}). The later ones score {difference} "
        f"points higher, over {comparison['observations']} observations: {inside} {comparison['margin']:g} points of "
        "0.\n"
    )
