"""A trial becomes a record here, and nowhere else do trials meet models; many of them over joblib."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import InputError, one_line
from .provenance import code_revision, versions
from .study.store import Record, Store
from .study.trial import Trial

_T = TypeVar("_T")

if TYPE_CHECKING:
    from .tasks import Splits
    from .training.batches import Encoded


def execute(trial: Trial) -> Record:
    """Run one trial: prune, fine-tune with the mask held, evaluate.

    Returns:
        Its record, also where training diverged or an error ended it.

    Raises:
        InputError: the model or the data cannot be had: nothing was tried.
    """
    from . import models
    from .training import device

    prepare(trial)
    devices = device.accelerator()
    started = time.perf_counter()
    device.reset_peak_memory(devices.device)
    common: dict[str, Any] = {
        "code": code_revision(),
        "versions": versions(),
        **device.description(devices.device),
        "weights": models.locate(trial.model).weights,
        "weights_from": models.locate(trial.model).origin,
        "data": _data(trial.task)[1],
        "data_from": _data(trial.task)[0].origin,
    }
    try:
        record = _outcome(trial, devices)
    except InputError:
        raise
    except Exception as error:  # a failure is a result: recorded with its reason, and the study goes on
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        record = Record(trial, "failed", reason=f"{type(error).__name__}: {one_line(error, 450)} ({place})")
    common["seconds"] = round(time.perf_counter() - started, 2)
    common["peak_memory_bytes"] = device.peak_memory(devices.device)
    common["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return replace(record, provenance=common)


def _outcome(trial: Trial, devices: Any) -> Record:
    from . import models, tasks
    from .pruning.magnitude import global_magnitude, pruned_count
    from .pruning.masks import measured_sparsity
    from .pruning.prunable import weights
    from .study import metrics
    from .training.evaluate import classify
    from .training.fine_tune import fine_tune
    from .training.loop import Diverged

    task = tasks.get(trial.task)
    train, test = _encoded(trial.task, trial.model, trial.training.max_length, trial.training.max_train, trial.seed)
    model = models.classifier(trial.model, len(task.classes), trial.seed)
    mask = global_magnitude(weights(model), trial.pruning.sparsity) if trial.pruning.sparsity else None
    try:
        losses = fine_tune(model, train, trial.training, trial.seed, devices, mask)
    except Diverged as error:
        return Record(trial, "diverged", reason=str(error))
    if not all(weight.isfinite().all() for weight in weights(model).values()):
        return Record(trial, "diverged", reason="weights are NaN or infinite after the last step")
    zeros, size = measured_sparsity(weights(model))
    wanted = pruned_count(trial.pruning.sparsity, size)
    if mask is not None and (mask.pruned != wanted or mask.drift(model)):
        return Record(trial, "failed", reason=f"the mask drifted: {zeros} zeros after training, not {wanted}")
    predictions = classify(model, test, devices)
    tail = losses[-max(1, len(losses) // 10) :]
    return Record(
        trial,
        "ok",
        {
            task.metric: round(metrics.score(task.metric, test.labels, predictions, len(task.classes)), 4),
            "zeros": zeros,
            "prunable": size,
            "steps": len(losses),
            "final_loss": round(sum(tail) / len(tail), 5),
        },
        _digits(predictions),
        _digits(test.labels),
    )


def prepare(trial: Trial) -> None:
    """Fetch and check what a trial needs: its model, its task, and that they fit.

    Raises:
        InputError: something is unknown, cannot be had, or does not fit.
    """
    from . import models, tasks

    task = tasks.get(trial.task)
    if trial.pruning.method != "magnitude" or trial.pruning.scope != "global":
        raise InputError(
            f"pruning {trial.pruning.method!r} over {trial.pruning.scope!r} is not known: use 'magnitude' over 'global'"
        )
    models.check_fits(trial.model, task.head, trial.training.max_length)
    _data(trial.task)


@lru_cache(maxsize=4)
def _data(task: str) -> tuple[Splits, str]:
    from . import tasks

    splits = tasks.get(task).splits()
    return splits, f"{splits.train.fingerprint()}+{splits.test.fingerprint()}"


@lru_cache(maxsize=4)
def _encoded(task: str, model: str, max_length: int, max_train: int | None, seed: int) -> tuple[Encoded, Encoded]:
    """Tokenised once for all sparsities that a worker runs."""
    from . import models
    from .training.batches import Encoded
    from .training.fine_tune import subset

    splits, tokenizer = _data(task)[0], models.tokenizer_of(model)
    train = splits.train.take(subset(len(splits.train), max_train, seed).tolist())
    return Encoded(train, tokenizer, max_length), Encoded(splits.test, tokenizer, max_length)


def _digits(classes: Iterable[int]) -> str:
    return "".join("0123456789abcdefghijklmnopqrstuvwxyz"[c] for c in classes)


@dataclass(frozen=True)
class Progress:
    """Told after every trial: the record (None if another process was running the trial), how many are left."""

    record: Record | None
    left: int


def run(
    trials: Sequence[Trial],
    store: Store,
    jobs: int = 1,
    budget: float | None = None,
    retry: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[Trial]:
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
    for trial in {(t.model, t.task): t for t in todo}.values():
        prepare(trial)
    if todo:
        store.check_writable()
    left = len(todo)
    workers = max(1, min(jobs, left))
    threads = max(1, _cores() // (workers * _processes()))
    calls = (
        joblib.delayed(_work)(trial, store, threads, workers, retry)
        for trial in _until(deadline, todo, workers)
    )
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch=workers, batch_size=1)
    for record in parallel(calls):
        left -= 1
        if _is_main():
            progress(Progress(record, left))
    return _agreed(missing(trials, store.records()))


def missing(trials: Iterable[Trial], records: dict[str, Record], retry: bool = False) -> list[Trial]:
    """The trials without a record (with ``retry`` also those that failed), each once."""
    once = {t.id: t for t in trials}
    return [t for i, t in once.items() if i not in records or (retry and records[i].status == "failed")]


def _until(deadline: float | None, todo: Sequence[Trial], workers: int) -> Iterator[Trial]:
    """The trials one by one while there is time for another one like those before."""
    begun = time.monotonic()
    for number, trial in enumerate(todo):
        if deadline is not None:
            rounds = max(1, number // workers)
            typical = (time.monotonic() - begun) / rounds if number >= workers else 0.0
            if _agreed(time.monotonic() + typical > deadline):
                return
        yield trial


def _work(trial: Trial, store: Store, threads: int, workers: int, retry: bool) -> Record | None:
    """In a worker: run a trial and keep its record, unless another process has or is doing so."""
    from .training import device

    device.use_threads(threads)
    if workers > 1:
        device.take_gpu()
    with store.claimed(trial) if _is_main() else nullcontext(True) as mine:
        if not _agreed(mine and bool(missing([trial], store.records_of(trial), retry))):
            return None
        record = execute(trial)
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
