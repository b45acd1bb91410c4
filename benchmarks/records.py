"""Reading records, of a store many times as large as the committed one: all of it, and what one figure needs.

The store is made up in a temporary folder: every committed record of lab scale is copied under other seeds (into the
same files) and under other models (into other files).

plainly       every file, each trial's training and pruning made anew for every record, no checksum or metric checked:
              as a reader would write it
everything    Store.records(): every file; a few dozen trainings and prunings serve all records
one figure    Store.records_of_studies(): the files alone that the figure's study names

Each line says how many seconds of the processor a side takes, how many times as fast as ``plainly`` it is, how many
records it reads, and how much memory it takes at its highest (Linux alone).

    python benchmarks/records.py [--seeds 10] [--models 10] [--figure fig2]
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import command

from essparse_lib import figures
from essparse_lib.records.store import Record, Store, results_folder
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.pretraining import ImagePretraining, TextPretraining
from essparse_lib.specs.spec import Spec
from essparse_lib.specs.trial import Pruning, Training, Trial

SETTINGS = (
    ("--seeds", 10, "copies of each record under other seeds, itself included"),
    ("--models", 10, "copies of each model under another name, itself included"),
    ("--figure", "fig2", "the figure whose records are read"),
)
LEAST = {"seeds": 1, "models": 1}

#: What is added to a seed from one copy to the next; studies have seeds below it.
SEEDS = 1000


def copied(spec: Spec, model: int, seed: int) -> Spec | None:
    """Return the spec under another model and another seed; None for a measurement under another seed: it has none."""
    name = f"{spec.model}-copy-{model}" if model else spec.model
    if isinstance(spec, Measurement):
        trials = tuple(replace(trial, model=name) for trial in spec.trials)
        return None if seed else replace(spec, model=name, trials=trials)
    assert isinstance(spec, (Trial, TextPretraining, ImagePretraining))
    return replace(spec, model=name, seed=spec.seed + SEEDS * seed)


def make_up(store: Store, models: int, seeds: int) -> int:
    """Fill a store with copies of the committed records; return how many there are."""
    count = 0
    for path in sorted(results_folder("lab").glob("*/*.jsonl")):
        records = [Record.from_line(line) for line in path.read_bytes().splitlines()]
        for model in range(models):
            lines: list[str] = []
            for record in records:
                specs = (copied(record.spec, model, seed) for seed in range(seeds))
                lines += [replace(record, spec=spec).line() for spec in specs if spec is not None]
            spec = copied(records[0].spec, model, 0)
            assert spec is not None
            target = store.path(spec)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("".join(line + "\n" for line in lines))
            count += len(lines)
    return count


def read_plainly(store: Store) -> dict[str, Record]:
    """Return every record, with nothing shared between records."""
    records = {}
    for path in sorted(store.folder.glob("*/*.jsonl")):
        for line in path.read_bytes().splitlines():
            plain: dict[str, Any] = json.loads(line)
            name = plain.pop("id")
            del plain["checksum"]
            record = Record(spec=made_anew(plain), **plain)
            if record.spec.id != name:
                raise ValueError(f"{path}: {name}")
            records[name] = record
    return records


def made_anew(plain: dict[str, Any]) -> Spec:
    """Return the spec of a record's plain data, and take it out of them."""
    if "trial" in plain:
        fields = plain.pop("trial")
        fields["training"] = Training(**fields["training"])
        fields["pruning"] = Pruning(**fields.get("pruning", {}))
        return Trial(**fields)
    for kind in (Measurement, TextPretraining, ImagePretraining):
        if kind.record_kind in plain:
            return kind.from_canonical(plain.pop(kind.record_kind))
    raise ValueError(f"a record of an unknown kind: {sorted(plain)}")


def measured(read: Callable[[], dict[str, Record]]) -> tuple[float, int, float]:
    """Return the seconds that reading takes, the number of records, and the megabytes that it takes at its highest.

    Seconds are of the processor: other programs on the machine do not count. Megabytes are NaN but on Linux.
    """
    gc.collect()
    before = _megabytes("VmRSS") if _reset_peak() else math.nan
    begun = process_time()
    records = read()
    return process_time() - begun, len(records), _megabytes("VmHWM") - before if before == before else math.nan


def _reset_peak() -> bool:
    """Reset the process's highest memory to what it has now; return whether the system can."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # or freed memory is taken anew, unseen
        Path("/proc/self/clear_refs").write_text("5")
        return True
    except (OSError, AttributeError):
        return False


def _megabytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def main(options: argparse.Namespace) -> None:
    command.check(options, LEAST)
    study = figures.study(options.figure, "lab")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        count = make_up(store, options.models, options.seeds)
        size = sum(path.stat().st_size for path in store.folder.glob("*/*.jsonl"))
        print(f"{count:,} records, {size / 1e6:,.0f} MB")
        study.specs()  # made once, whatever is read
        sides = {
            f"one figure ({options.figure})": lambda: store.records_of_studies(study),
            "everything": store.records,
            "plainly": lambda: read_plainly(store),
        }
        timed = {name: measured(read) for name, read in sides.items()}
        plainly = timed["plainly"][0]
        for name, (seconds, records, memory) in timed.items():
            ratio = plainly / seconds
            print(f"{name:20} {seconds:7.2f} s  {ratio:7.2f} ×  {records:9,} records  {memory:7,.0f} MB")


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, SETTINGS).parse_args())
