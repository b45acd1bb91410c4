"""Drive trials that do nothing through a real scheduler and workers: trials a second, and memory.

The scheduler, the workers and this process, which sends the trials and writes their records, share the cores of one
machine. Beside it the same trials by processes of joblib, as `essparse run --jobs` has them; and what the simulation of
`essparse plan` gives for the same trials, and for some that take 0 to 0.95 seconds. It is told what as many as a
tenth of other trials took before: how long one keeps the driver and the workers on this machine.

    python benchmarks/cluster.py                          # 10,000 trials, 2 workers
    python benchmarks/cluster.py --trials 1000 --workers 4
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import command
import psutil
from cluster_processes import Processes

from essparse_lib.errors import InputError
from essparse_lib.plans.simulation import Conditions, simulate
from essparse_lib.plans.work import Work
from essparse_lib.records.store import Store
from essparse_lib.runner import scheduler
from essparse_lib.runner.scheduler import Workers
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Training, Trial

MODELS = ("tiny-bert", "tiny-mpnet", "tiny-opt", "tiny-opt-lm", "tiny-llama")
TASKS = ("tiny-sentiment", "tiny-pairs")
SPARSITIES = tuple(number / 20 for number in range(20))
#: What workers load: each trial of one epoch comes to a record at once; those of two take some time first.
EMPTY = """
import time
from essparse_lib.runner import trial
def run(spec, *rest):
    from essparse_lib.records.record import Record
    time.sleep((spec.training.epochs - 1) * spec.pruning.sparsity)
    return Record(spec=spec, status="diverged", reason="nothing was done")
trial.run = run
"""


#: So many trials take some time.
SLEEPING = 200


def trials(count: int) -> list[Trial]:
    """Return so many trials, on several models, tasks, sparsities and seeds."""
    training = Training(epochs=1, batch_size=16, learning_rate=1e-2, max_length=32, max_train=32)
    seeds = range(-(-count // (len(MODELS) * len(TASKS) * len(SPARSITIES))))
    study = Study(
        figure="fig2",
        scale="tiny",
        models=MODELS,
        tasks=TASKS,
        training={"*": training},
        variants={"one-shot": at_sparsities(SPARSITIES[1:])},
        seeds=tuple(seeds),
    )
    return study.trials()[:count]


def slept(specs: list[Trial]) -> list[Trial]:
    """Return the same trials so that each takes as many seconds as its sparsity says."""
    return [replace(spec, training=replace(spec.training, epochs=2)) for spec in specs]


def predicted(specs: list[Trial], workers: int, conditions: Conditions) -> float:
    """Return how many seconds the simulation of ``essparse plan`` gives these trials."""
    works = []
    for spec in specs:
        seconds = (spec.training.epochs - 1) * spec.pruning.sparsity
        works.append(Work(name=str(spec), seconds=seconds, file=f"{spec.model}/{spec.file}"))
    return simulate([works], workers, conditions, random.Random(0)).seconds


def seconds_of_reading(folder: Path) -> float:
    """Return how many seconds it takes to read one of the records that a run has kept."""
    begun = time.perf_counter()
    records = Store(folder).records()
    return (time.perf_counter() - begun) / len(records)


def timed(specs: list[Trial], folder: Path, workers: Workers) -> float:
    """Return how many trials a second are run and kept, once models and tasks are there."""
    store = Store(folder)
    workers.checked(specs, True)
    begun = time.perf_counter()
    left = scheduler.run(specs, store, workers)
    seconds = time.perf_counter() - begun
    if left or len(store.records()) != len(specs):
        raise InputError(f"{len(left)} of {len(specs)} trials have no record")
    return len(specs) / seconds


def peak_gigabytes(process: psutil.Process) -> float:
    """Return the most memory that a process has held so far (on Linux), with its children's now."""
    held = sum(child.memory_info().rss for child in process.children(recursive=True))
    status = Path(f"/proc/{process.pid}/status").read_text()
    return (int(status.split("VmHWM:")[1].split()[0]) * 1024 + held) / 1e9


def main(options: argparse.Namespace) -> None:
    """Print what a cluster and this machine alone do in a second."""
    command.check(options, {"trials": 1, "workers": 1})
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    before = max(1, options.trials // 10)
    every = trials(options.trials + before)
    specs, others = every[: options.trials], every[options.trials :]
    with tempfile.TemporaryDirectory(prefix="essparse-cluster-") as name:
        folder = Path(name)
        os.environ["ESSPARSE_CACHE"] = str(folder / "cache")
        preload = folder / "empty.py"
        preload.write_text(EMPTY)
        processes = Processes(folder)
        try:
            started = psutil.Process(processes.scheduler().pid)
            for number in range(options.workers):
                processes.worker(f"worker{number}", DASK_DISTRIBUTED__WORKER__PRELOAD=f"['{preload}']")
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            with scheduler.workers_at(processes.address) as workers:
                first = timed(others, folder / "first", workers)
                reading = seconds_of_reading(folder / "first")
                on_cluster = timed(specs, folder / "on-cluster", workers)
                asleep = slept(specs[:SLEEPING])
                of_sleeping = timed(asleep, folder / "asleep", workers)
            driver = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            of_scheduler = peak_gigabytes(started)
        finally:
            processes.end()
        exec(EMPTY, {})
        here = specs[:before]
        with scheduler.workers_at(None, 1) as workers:
            alone = timed(here, folder / "alone", workers)
    print(f"{len(specs):,} trials that do nothing, {options.workers} workers on {os.cpu_count()} cores")
    print(f"cluster           {on_cluster:8.1f} trials/s")
    print(f"this process      {alone:8.1f} trials/s ({len(here):,} of the trials)")
    print(f"ratio             {on_cluster / alone:8.2f}")
    print(f"driver            {driver:8.2f} GB at its peak, {held:.2f} before")
    print(f"scheduler         {of_scheduler:8.2f} GB at its peak")
    busy = 1 / on_cluster
    # of a run before, so that the prediction knows nothing of what it is held against
    already = len(others) / len(MODELS) / len(TASKS) / 2  # records in a trial's file when it was sent, on average
    conditions = Conditions(overhead=1 / first - already * reading, reading=reading)
    for what, rate, these in (("that do nothing", on_cluster, specs), ("of 0 to 0.95 s", of_sleeping, asleep)):
        foreseen, measured = predicted(these, options.workers, conditions), len(these) / rate
        beside = f"measured {measured:.1f} s ({foreseen / measured - 1:+.0%})"
        print(f"simulated         {foreseen:8.1f} s for {len(these):,} {what}, {beside}")
    print(f"overhead          {1000 * conditions.overhead:8.2f} ms a trial, of {len(others):,} other trials before")
    print(f"reading           {1000 * reading:8.3f} ms a record that is in the trial's file already")
    print(f"one driver keeps 1,000 workers busy if a trial takes {1000 * busy:.0f} s or more")


if __name__ == "__main__":
    settings = [("--trials", 10_000, "trials"), ("--workers", 2, "workers")]
    command.run(main, command.parser(__doc__, settings).parse_args(sys.argv[1:]))
