"""Run the specs that have no record, over joblib and within a time budget; several runs may share a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from .. import environment
from ..errors import InputError
from ..records.pretrained import folder_of
from ..records.store import Record, Status, Store
from ..specs.pretraining import Pretraining
from ..specs.spec import Spec
from ..stopping import in_workers
from . import pretraining, workbench
from .needs import RUNNERS as RUNNERS  # beside run, for those who run one spec
from .needs import Refusal as Refusal
from .needs import checked, reason_of

_T = TypeVar("_T")


@dataclass(frozen=True)
class Progress:
    """What is reported after every spec.

    Attributes:
        record: what came of it; None if another process was running it, the budget cut it short, or it cannot be made.
        left: how many specs are still to be run.
    """

    record: Record | None
    left: int


def run(
    specs: Sequence[Spec],
    store: Store,
    jobs: int = 1,
    budget: float | None = None,
    retry: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
    refuse: Callable[[Refusal], None] | None = None,
) -> list[Spec]:
    """Run the specs that have no record yet, in the order given.

    What needs a model that is yet to be trained from scratch comes last, after all such trainings.

    Killed at any instant, it loses the trials in flight alone (of a pre-training the last minute); run again, it goes
    on. Several runs at once on one store share the work. Under ``accelerate launch`` its processes work on every trial
    together, and the main one decides and writes.

    Args:
        specs: trials, measurements and pre-trainings.
        store: where records are read and written.
        jobs: specs at a time, each in its own process with its share of the cores (and of the GPUs).
        budget: seconds of wall-clock time; no trial is begun that is not expected to end within it, and a
            pre-training is cut short, to be gone on with.
        retry: run failed trials again (diverged ones stay: they are results).
        progress: called after each spec.
        refuse: called with each spec that is left out since something cannot be had, while the others are run; None to
            run nothing in this case. Under ``accelerate launch`` an error in the middle of a spec ends the run.

    Returns:
        The specs that still have no record, since the budget was spent, another process is running them, or they can
        only be measured while a model is pre-trained anew.

    Raises:
        InputError: something cannot be had or written; with ``refuse``, nothing at all can be had. Checked before the
            first spec is run; what is done with models that are yet to be trained, once they are.
    """
    if jobs > 1 and environment.processes() > 1:
        raise InputError(f"{jobs} jobs are not allowed under accelerate launch, which shares each trial: give 1")
    deadline = time.time() + budget if budget is not None else None
    waiting = _agreed(missing(specs, store.records_of(*specs), retry))
    pretrainings, others = models_first(waiting)
    untrained = {spec.model for spec in pretrainings}
    ready = [spec for spec in others if spec.model not in untrained]
    begun, refusals = _agreed(checked([*pretrainings, *ready], refuse is not None))
    refusals += _refused_with_their_model(refusals, others)
    if refusals and len(refusals) == len(waiting):
        raise InputError(refusals[0].reason)
    left = len(waiting)
    if waiting:
        store.check_writable()
    if _is_main():
        pretraining.forget_ended(specs, store)

    def tell(outcome: Record | Refusal | None) -> None:
        nonlocal left
        left -= 1
        if not _is_main():
            return
        if not isinstance(outcome, Refusal):
            progress(Progress(outcome, left))
        elif refuse is not None:
            refuse(outcome)

    def work(part: Sequence[Spec], refusals: Sequence[Refusal]) -> list[Refusal]:
        """Run specs, tell what comes of them and of those that are left out, and return the latter of this part."""
        late = []
        for outcome in chain(refusals, _outcomes(part, store, jobs, deadline, retry, refuse is not None)):
            tell(outcome)
            late += [outcome] if isinstance(outcome, Refusal) else []
        return late[len(refusals) :]

    work([spec for spec in begun if not isinstance(spec, Pretraining)], refusals)
    late = work([spec for spec in begun if isinstance(spec, Pretraining)], [])
    trained = [spec for spec in others if spec.model in untrained and folder_of(spec.model)]
    work(*_agreed(checked(trained, refuse is not None)))
    for refusal in _refused_with_their_model(late, others):
        tell(refusal)
    return _agreed(missing(specs, store.records_of(*specs)))


def missing(specs: Iterable[Spec], records: Mapping[str, Record], retry: bool = False) -> list[Spec]:
    """Return the specs without a record (with ``retry`` also those that failed), each once."""
    by_id = {spec.id: spec for spec in specs}
    return [spec for id, spec in by_id.items() if id not in records or (retry and records[id].status == Status.FAILED)]


def models_first(specs: Iterable[Spec]) -> tuple[list[Pretraining], list[Spec]]:
    """Return the pre-trainings, whose models the other specs may need, and the other specs."""
    pretrainings: list[Pretraining] = []
    others: list[Spec] = []
    for spec in specs:
        if isinstance(spec, Pretraining):
            pretrainings.append(spec)
        else:
            others.append(spec)
    return pretrainings, others


def _refused_with_their_model(refusals: Iterable[Refusal], others: Iterable[Spec]) -> list[Refusal]:
    """Return the refusals of what needs a model whose pre-training is refused: for the same reason."""
    reasons = {each.spec.model: each.reason for each in refusals if isinstance(each.spec, Pretraining)}
    return [Refusal(spec, reasons[spec.model]) for spec in others if spec.model in reasons]


def _outcomes(
    specs: Sequence[Spec], store: Store, jobs: int, deadline: float | None, retry: bool, tolerant: bool
) -> Iterator[Record | Refusal | None]:
    """Yield what comes of each spec, as it comes; None where there is no record yet, or another process makes it."""
    import joblib

    workers = max(1, min(jobs, len(specs)))
    threads = max(1, _cores() // (workers * environment.processes()))
    tolerant = tolerant and environment.processes() == 1
    calls = (
        joblib.delayed(_work)(spec, store, threads, workers, retry, deadline, tolerant)
        for spec in _until(deadline, specs, workers)
    )
    yield from in_workers(calls, workers)


def _until(deadline: float | None, specs: Sequence[Spec], workers: int) -> Iterator[Spec]:
    """Yield the specs one by one, while there is time for another one that takes as long as those before."""
    started = time.time()
    for number, spec in enumerate(specs):
        if deadline is not None:
            rounds = max(1, number // workers)
            foreseen = number >= workers and not isinstance(spec, Pretraining)  # which can be cut short
            typical = (time.time() - started) / rounds if foreseen else 0.0
            if _agreed(time.time() + typical > deadline):
                return
        yield spec


def _work(
    spec: Spec, store: Store, threads: int, workers: int, retry: bool, deadline: float | None, tolerant: bool
) -> Record | Refusal | None:
    """Run one spec in a worker and keep its record, unless another process has or is doing so.

    If ``tolerant``, a spec that cannot be run is returned with the reason; one that cannot be written ends the run.
    """
    from ..training import device

    device.use_threads(threads)
    device.keep_memory()
    if workers > 1:
        device.take_gpu()
    with store.claimed(spec) if _is_main() else nullcontext(True) as mine:
        if not _agreed(mine and bool(missing([spec], store.records_of(spec), retry))):
            return None
        try:
            with workbench.current().sharing_trainings():
                record = RUNNERS[type(spec)].run(spec, store, deadline)
        except Exception as error:
            if not tolerant:
                raise
            return Refusal(spec, reason_of(error))
        if record is not None and _is_main():
            store.append(record)
            if isinstance(spec, Pretraining):
                pretraining.forget(spec)
    if record is not None and record.status == Status.FAILED and environment.processes() > 1:
        raise RuntimeError(f"{spec} failed ({record.reason}): others may be waiting for this process, so all end")
    return record


def _cores() -> int:
    """Return how many cores this process may use: as OMP_NUM_THREADS says, or else all that the system gives it."""
    import joblib

    available: int = joblib.cpu_count()  # knows of affinities and of containers' quotas
    return min(environment.threads() or available, available)


def _is_main() -> bool:
    """Return whether this process decides and writes."""
    return environment.count("RANK", 0) == 0


def _agreed(value: _T) -> _T:
    """Return the main process's value, in all of them."""
    if environment.processes() == 1:
        return value
    from ..training import device

    return device.agreed(value)
