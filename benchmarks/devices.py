"""What the same trials score on two devices: measured once, kept beside the records, and told on the page on methods.

Run as ``python benchmarks/devices.py OLD NEW``, where both are folders of records of the lab scale, such as
``results/lab`` of two revisions; it writes ``results/devices.json``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import typer
from scipy import stats

from essparse_lib.files import writing
from essparse_lib.records.record import Record
from essparse_lib.records.store import Store
from essparse_lib.specs.trial import Trial

#: Where the comparison is kept; the page on methods has it from there.
KEPT = Path(__file__).parents[1] / "results/devices.json"


def compare(old: Path, new: Path) -> list[dict[str, Any]]:
    """Return for each model and task how much higher the same trials score in one folder of records than in another.

    Trials of one seed share their head, data order and training examples. So a difference is averaged over a seed's
    trials first, and its 95% t-interval is that of the mean over the seeds.

    Args:
        old: a folder of records.
        new: another, some of whose records are of the same trials, on another device.
    """
    before, after = Store(old).records(), Store(new).records()
    differences: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    devices: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for name in before.keys() & after.keys():
        pair = before[name], after[name]
        if not isinstance(pair[0].spec, Trial) or _place(pair[0]) == _place(pair[1]):
            continue
        where = pair[0].spec.model, pair[0].spec.task
        if all("accuracy" in record.metrics for record in pair):
            differences[where][pair[0].spec.seed].append(pair[1].metrics["accuracy"] - pair[0].metrics["accuracy"])
            devices[where].add((_place(pair[0]), _place(pair[1])))
    rows = []
    for (model, task), by_seed in sorted(differences.items()):
        means = np.array([np.mean(values) for values in by_seed.values()])
        error = means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.nan
        margin = stats.t.ppf(0.975, len(means) - 1) * error if len(means) > 1 else np.nan
        row = {"model": model, "task": task, "trials": sum(map(len, by_seed.values())), "seeds": len(means)}
        ends = {"difference": means.mean(), "low": means.mean() - margin, "high": means.mean() + margin}
        row |= {name: round(float(value), 3) for name, value in ends.items()}
        rows.append({**row, "devices": sorted(map(list, devices[model, task]))})
    return rows


def _place(record: Record) -> str:
    """Return the device and the precision of a record's trial."""
    return f"{record.provenance.get('device')}, {record.provenance.get('precision')}"


def main(old: Path, new: Path) -> None:
    """Compare two folders of records, keep the comparison and print it."""
    rows = compare(old, new)
    with writing(KEPT) as file:
        file.write((json.dumps(rows, indent=2) + "\n").encode())
    for row in rows:
        print(row)


if __name__ == "__main__":
    typer.run(main)
