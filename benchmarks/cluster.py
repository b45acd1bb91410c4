"""Drive trials that do nothing through a real scheduler and workers: trials a second, and memory.

The scheduler, the workers and this process, which sends the trials and writes their records, share the cores of one
machine. Beside it the same trials by processes of joblib, as `essparse run --jobs` has them.

    python benchmarks/cluster.py                          # 10,000 trials, 2 workers
    python benchmarks/cluster.py --trials 1000 --workers 4
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import command
import psutil
from cluster_processes import Processes

from essparse_lib.errors import InputError
from essparse_lib.records.store import Store
from essparse_lib.runner import scheduler
from essparse_lib.runner.scheduler import Workers
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Training, Trial

MODELS = ("tiny-bert", "tiny-mpnet", "tiny-opt", "tiny-opt-lm", "tiny-llama")
TASKS = ("tiny-sentiment", "tiny-pairs")
SPARSITIES = tuple(number / 20 for number in range(20))
#: What workers load: each trial comes to a record at once.
EMPTY = """
from essparse_lib.runner import trial
def run(spec, *rest):
    from essparse_lib.records.record import Record
    return Record(spec=spec, status="diverged", reason="nothing was done")
trial.run = run
"""


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
    specs = trials(options.trials)
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
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            with scheduler.workers_at(processes.address) as workers:
                on_cluster = timed(specs, folder / "on-cluster", workers)
            driver = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            of_scheduler = peak_gigabytes(started)
        finally:
            processes.end()
        exec(EMPTY, {})
        here = specs[: max(1, len(specs) // 10)]
        with scheduler.workers_at(None, 1) as workers:
            alone = timed(here, folder / "alone", workers)
    print(f"{len(specs):,} trials that do nothing, {options.workers} workers on {os.cpu_count()} cores")
    print(f"cluster           {on_cluster:8.1f} trials/s")
    print(f"this process      {alone:8.1f} trials/s ({len(here):,} of the trials)")
    print(f"ratio             {on_cluster / alone:8.2f}")
    print(f"driver            {driver:8.2f} GB at its peak, {before:.2f} before")
    print(f"scheduler         {of_scheduler:8.2f} GB at its peak")
    busy = 1 / on_cluster
    print(f"one driver keeps 1,000 workers busy if a trial takes {1000 * busy:.0f} s or more")


if __name__ == "__main__":
    settings = [("--trials", 10_000, "trials"), ("--workers", 2, "workers")]
    command.run(main, command.parser(__doc__, settings).parse_args(sys.argv[1:]))
