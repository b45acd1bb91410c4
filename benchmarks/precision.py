"""Whether trials of vision transformers score alike in bf16 and in fp32: the same trials, run both ways.

``run`` runs the trials on this machine, at the precision that it has, into a folder of their own. ``compare`` sets such
a folder against the records and writes ``results/precision.json``, from which the page on methods tells it. The rule is
on that page: seeds of both precisions share a curve only if the mean difference lies within ``MARGIN`` points of 0 with
its whole 95% interval.

    python benchmarks/precision.py run FOLDER
    python benchmarks/precision.py compare FOLDER
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import typer
from scipy import stats

from essparse_lib.figures import study
from essparse_lib.files import writing
from essparse_lib.records.record import Record
from essparse_lib.records.store import Store, results
from essparse_lib.specs.trial import Pruning, Trial

#: Where the comparison is kept.
KEPT = Path(__file__).parents[1] / "results/precision.json"

#: In points.
MARGIN = 0.5

#: Dense, and the largest sparsity at which most of the noise is which examples flip.
SPARSITIES = (0.0, 0.3)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def trials() -> list[Trial]:
    """Return the trials that are run both ways: of the models and tasks that have added seeds, with the usual seeds."""
    both_ways: dict[Trial, None] = {}
    for part in (study("fig6", "lab"), study("fig9", "lab")):
        for model, task in dict.fromkeys((trial.model, trial.task) for trial in part.added_trials()):
            for seed in part.seeds_of(model, task):
                for sparsity in SPARSITIES:
                    both_ways[part.trial(model, task, Pruning(sparsity=sparsity), seed)] = None
    return list(both_ways)


def differences(earlier: dict[str, Record], later: dict[str, Record]) -> dict[str, Any]:
    """Return how much higher trials score in the later records: the mean over models, tasks and seeds, in points.

    Args:
        earlier: records of ``trials()``, by id.
        later: others of the same trials, made at another precision.

    Raises:
        KeyError: one of them lacks a trial.
    """
    by_unit: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    places: dict[str, set[str]] = {"earlier": set(), "later": set()}
    for trial in trials():
        pair = earlier[trial.id], later[trial.id]
        scores = [record.metrics["accuracy"] for record in pair]
        by_unit[trial.model, trial.task, trial.seed].append(scores[1] - scores[0])
        for name, record in zip(places, pair, strict=True):
            places[name].add(f"{record.provenance['device']}, {record.provenance['precision']}")
    means = np.array([np.mean(values) for values in by_unit.values()])
    half = stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5
    low, high = means.mean() - half, means.mean() + half
    return {
        "curves": sorted(map(list, {(model, task) for model, task, _ in by_unit})),
        "trials": sum(map(len, by_unit.values())),
        "observations": len(means),
        **{name: sorted(values) for name, values in places.items()},
        "difference": round(float(means.mean()), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
        "margin": MARGIN,
        "alike": bool(low > -MARGIN and high < MARGIN),
    }


@app.command()
def run(folder: Path, jobs: int = 1) -> None:
    """Run the trials that have no record in the folder yet."""
    from essparse_lib.runner import progress, scheduler

    specs, store = trials(), Store(folder)
    with scheduler.workers_at(None, jobs) as workers, progress.bar("precision", specs, store, workers) as report:
        scheduler.run(specs, store, workers, progress=report)


@app.command()
def compare(folder: Path) -> None:
    """Compare the folder with the records, keep the comparison and print it."""
    specs = trials()
    row = differences(results("lab").records_of(*specs), Store(folder).records_of(*specs))
    with writing(KEPT) as file:
        file.write((json.dumps(row, indent=2) + "\n").encode())
    print(json.dumps(row, indent=2))


if __name__ == "__main__":
    app()
