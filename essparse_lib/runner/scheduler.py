"""Many trials, measurements and pre-trainings: those without a record are run over joblib, within a budget, beside
other runs on the same store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

from ..errors import InputError
from ..records.pretrained import SCALES, folder_of, store_of
from ..records.store import Record, Store
from ..specs.measurement import Measurement
from ..specs.pretraining import Pretraining
from ..specs.spec import Spec
from ..specs.trial import Trial
from . import pretraining as pretraining
from .measurement import measure
from .trial import execute, prepare

_T = TypeVar("_T")


@dataclass(frozen=True)
class Progress:
    """Told after every trial: the record (None if another process was running the trial), how many are left."""

    record: Record | None
    left: int


def run(
    trials: Sequence[Spec],
    store: Store,
    jobs: int = 1,
    budget: float | None = None,
    retry: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[Spec]:
    """Run the trials that have no record yet; models that are to be trained from scratch come first.

    Killed at any instant, it loses the trials in flight alone (of a pre-training the last minute); run again, it goes
    on. Several runs at once on one store share the work. Under ``accelerate launch`` its processes work on every trial
    together, and the main one decides and writes.

    Args:
        jobs: trials at a time, each in its own process with its share of the cores (and of the GPUs).
        budget: seconds of wall-clock time; no trial is begun that is not expected to end within it, and a
            pre-training is cut short, to be gone on with.
        retry: run failed trials again (diverged ones stay: they are results).
        progress: called after each trial.

    Returns:
        The trials that still have no record, since the budget was spent or another process is running them.

    Raises:
        InputError: something cannot be had or written. Checked before the first trial.
    """
    if jobs > 1 and _processes() > 1:
        raise InputError(f"{jobs} jobs are not allowed under accelerate launch, which shares each trial: give 1")
    deadline = time.time() + budget if budget is not None else None
    todo = _agreed(missing(trials, store.records_of(*trials), retry))
    models = [t for t in todo if isinstance(t, Pretraining)]
    untrained = {t.model for t in models}
    ready = [t for t in todo if t.model not in untrained]
    _prepare([*models, *ready])
    if todo:
        store.check_writable()
    left = len(todo)

    def work(part: Sequence[Spec]) -> None:
        nonlocal left
        for record in _records(part, store, jobs, deadline, retry):
            left -= 1
            if _is_main():
                progress(Progress(record, left))

    work(models)
    trained = [t for t in todo if t not in models and t.model in untrained and folder_of(t.model)]
    _prepare(trained)
    work([*trained, *ready])
    return _agreed(missing(trials, store.records_of(*trials)))


def _records(
    todo: Sequence[Spec], store: Store, jobs: int, deadline: float | None, retry: bool
) -> Iterator[Record | None]:
    """What comes of each, as it comes; None where there is no record yet, or another process makes it."""
    import joblib

    workers = max(1, min(jobs, len(todo)))
    threads = max(1, _cores() // (workers * _processes()))
    calls = (
        joblib.delayed(_work)(one, store, threads, workers, retry, deadline) for one in _until(deadline, todo, workers)
    )
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch=workers, batch_size=1)
    yield from parallel(calls)


def missing(trials: Iterable[Spec], records: dict[str, Record], retry: bool = False) -> list[Spec]:
    """The trials without a record (with ``retry`` also those that failed), each once."""
    once = {t.id: t for t in trials}
    return [t for i, t in once.items() if i not in records or (retry and records[i].status == "failed")]


def _prepare(todo: Sequence[Spec]) -> None:
    """Fetch and check what these need, each model's files once."""
    for one in {(t.model, t.file): t for t in todo}.values():
        if isinstance(one, Pretraining):
            pretraining.prepare(one)
        for trial in (one,) if isinstance(one, Trial) else one.trials if isinstance(one, Measurement) else ():
            prepare(trial)


def _until(deadline: float | None, todo: Sequence[Spec], workers: int) -> Iterator[Spec]:
    """Those to do one by one, while there is time for another one like those before."""
    begun = time.time()
    for number, one in enumerate(todo):
        if deadline is not None:
            rounds = max(1, number // workers)
            known = number >= workers and not isinstance(one, Pretraining)  # which can be cut short
            typical = (time.time() - begun) / rounds if known else 0.0
            if _agreed(time.time() + typical > deadline):
                return
        yield one


def _work(one: Spec, store: Store, threads: int, workers: int, retry: bool, deadline: float | None) -> Record | None:
    """In a worker: do what is asked and keep its record, unless another process has or is doing so."""
    from ..training import device

    device.use_threads(threads)
    device.keep_memory()
    if workers > 1:
        device.take_gpu()
    with store.claimed(one) if _is_main() else nullcontext(True) as mine:
        if not _agreed(mine and bool(missing([one], store.records_of(one), retry))):
            return None
        record = _record(one, store, deadline)
        if record is not None and _is_main():
            store.append(record)
    if record is not None and record.status == "failed" and _processes() > 1:
        raise RuntimeError(f"{one} failed ({record.reason}): others may be waiting for this process, so all end")
    return record


def _record(one: Spec, store: Store, deadline: float | None) -> Record | None:
    if isinstance(one, Pretraining):
        home = store_of(one.model) if one.model in SCALES else store
        return pretraining.pretrain(one, home.pretrained(one.model), deadline)
    if isinstance(one, Measurement):
        return measure(one)
    assert isinstance(one, Trial)
    return execute(one)


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
    from ..training import device

    return device.agreed(value)
