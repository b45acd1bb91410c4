"""Many trials: those without a record are run over joblib, within a budget, beside other runs on the same store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

from .errors import InputError
from .experiment import execute, prepare
from .measure import measure
from .study.measurement import Measurement
from .study.store import Asked, Record, Store

_T = TypeVar("_T")


@dataclass(frozen=True)
class Progress:
    """Told after every trial: the record (None if another process was running the trial), how many are left."""

    record: Record | None
    left: int


def run(
    trials: Sequence[Asked],
    store: Store,
    jobs: int = 1,
    budget: float | None = None,
    retry: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[Asked]:
    """Run the trials that have no record yet.

    Killed at any instant, it loses the trials in flight alone; run again, it goes on. Several runs at once on
    one store share the work. Under ``accelerate launch`` its processes work on every trial together, and the main
    one decides and writes.

    Args:
        jobs: trials at a time, each in its own process with its share of the cores (and of the GPUs).
        budget: seconds of wall-clock time; no trial is begun that is not expected to end within it.
        retry: run failed trials again (diverged ones stay: they are results).
        progress: called after each trial.

    Returns:
        The trials that still have no record: the budget was spent, or another process is running them.

    Raises:
        InputError: something cannot be had or written. Checked before the first trial.
    """
    import joblib

    if jobs > 1 and _processes() > 1:
        raise InputError(f"{jobs} jobs are not allowed under accelerate launch, which shares each trial: give 1")
    deadline = time.monotonic() + budget if budget is not None else None
    todo = _agreed(missing(trials, store.records(), retry))
    for one in {(t.model, t.task): t for t in todo}.values():
        for trial in one.trials if isinstance(one, Measurement) else [one]:
            prepare(trial)
    if todo:
        store.check_writable()
    left = len(todo)
    workers = max(1, min(jobs, left))
    threads = max(1, _cores() // (workers * _processes()))
    calls = (joblib.delayed(_work)(trial, store, threads, workers, retry) for trial in _until(deadline, todo, workers))
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch=workers, batch_size=1)
    for record in parallel(calls):
        left -= 1
        if _is_main():
            progress(Progress(record, left))
    return _agreed(missing(trials, store.records()))


def missing(trials: Iterable[Asked], records: dict[str, Record], retry: bool = False) -> list[Asked]:
    """The trials without a record (with ``retry`` also those that failed), each once."""
    once = {t.id: t for t in trials}
    return [t for i, t in once.items() if i not in records or (retry and records[i].status == "failed")]


def _until(deadline: float | None, todo: Sequence[Asked], workers: int) -> Iterator[Asked]:
    """The trials one by one while there is time for another one like those before."""
    begun = time.monotonic()
    for number, trial in enumerate(todo):
        if deadline is not None:
            rounds = max(1, number // workers)
            typical = (time.monotonic() - begun) / rounds if number >= workers else 0.0
            if _agreed(time.monotonic() + typical > deadline):
                return
        yield trial


def _work(trial: Asked, store: Store, threads: int, workers: int, retry: bool) -> Record | None:
    """In a worker: run a trial and keep its record, unless another process has or is doing so."""
    from .training import device

    device.use_threads(threads)
    if workers > 1:
        device.take_gpu()
    with store.claimed(trial) if _is_main() else nullcontext(True) as mine:
        if not _agreed(mine and bool(missing([trial], store.records_of(trial), retry))):
            return None
        record = measure(trial) if isinstance(trial, Measurement) else execute(trial)
        if _is_main():
            store.append(record)
    if record.status == "failed" and _processes() > 1:
        raise RuntimeError(f"{trial} failed ({record.reason}): others may be waiting for this process, so all end")
    return record


def _cores() -> int:
    """The cores that this process may use: as OMP_NUM_THREADS says, or else all that the system gives it."""
    import joblib

    named = os.environ.get("OMP_NUM_THREADS", "")
    given = joblib.cpu_count()  # knows of affinities and of containers' quotas
    return min(int(named), given) if named.isdigit() and int(named) else given


def _processes() -> int:
    """How many processes an ``accelerate launch`` (or ``torchrun``) has started to work together; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _is_main() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _agreed(value: _T) -> _T:
    """The main process's value in all of them."""
    if _processes() == 1:
        return value
    from .training import device

    return device.agreed(value)
