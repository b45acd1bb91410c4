"""Run the specs that have no record, on workers here or on a cluster; several runs may share a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from .. import environment
from ..errors import InputError
from ..records.pretrained import folder_of
from ..records.store import Record, Store
from ..specs.pretraining import Pretraining
from ..specs.spec import Spec
from . import pretraining
from .local_workers import LocalWorkers
from .processes import agreed, is_main
from .runners import Refusal as Refusal
from .runners import missing as missing


class Workers(Protocol):
    """Those who run specs: processes on this machine, or on others."""

    def size(self) -> int:
        """Return how many specs are run at a time, now."""

    def checked(
        self, specs: Sequence[Spec], tolerant: bool, deadline: float | None = None, /
    ) -> tuple[list[Spec], list[Refusal]]:
        """Check what the specs need; return those that can be run, and those that cannot.

        If nobody is there to check it, this waits until the deadline (in seconds since the epoch; None for ever).
        """

    def outcomes(
        self, specs: Sequence[Spec], store: Store, deadline: float | None, retry: bool, tolerant: bool, /
    ) -> Iterator[Record | Refusal | None]:
        """Run specs and keep their records; yield what comes of each, as it comes; None where it has no record yet."""


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
    workers: Workers | int = 1,
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
        workers: those who run them; a number for so many processes on this machine, each with its share of the cores
            (and of the GPUs).
        budget: seconds of wall-clock time; no trial is begun that is not expected to end within it, and a
            pre-training is cut short, to be gone on with. A run that has no worker waits no longer than that.
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
    workers = LocalWorkers(workers) if isinstance(workers, int) else workers
    if environment.processes() > 1:
        _check_shared(workers)
    deadline = time.time() + budget if budget is not None else None
    waiting = agreed(missing(specs, store.records_of(*specs), retry))
    pretrainings, others = models_first(waiting)
    untrained = {spec.model for spec in pretrainings}
    ready = [spec for spec in others if spec.model not in untrained]
    begun, refusals = workers.checked([*pretrainings, *ready], refuse is not None, deadline)
    refusals += _refused_with_their_model(refusals, others)
    if refusals and len(refusals) == len(waiting):
        raise InputError(refusals[0].reason)
    left = len(waiting)
    if waiting:
        store.check_writable()
    if is_main():
        pretraining.forget_ended(specs, store)

    def tell(outcome: Record | Refusal | None) -> None:
        nonlocal left
        left -= 1
        if not is_main():
            return
        if not isinstance(outcome, Refusal):
            progress(Progress(outcome, left))
        elif refuse is not None:
            refuse(outcome)

    def work(part: Sequence[Spec], refusals: Sequence[Refusal]) -> list[Refusal]:
        """Tell of refusals, run specs and tell what comes of each; return the refusals that came of these runs."""
        for refusal in refusals:
            tell(refusal)
        late = []
        for outcome in workers.outcomes(part, store, deadline, retry, refuse is not None):
            tell(outcome)
            if isinstance(outcome, Refusal):
                late.append(outcome)
        return late

    work([spec for spec in begun if not isinstance(spec, Pretraining)], refusals)
    late = work([spec for spec in begun if isinstance(spec, Pretraining)], [])
    trained = [spec for spec in others if spec.model in untrained and folder_of(spec.model)]
    work(*workers.checked(trained, refuse is not None, deadline))
    for refusal in _refused_with_their_model(late, others):
        tell(refusal)
    return agreed(missing(specs, store.records_of(*specs)))


@contextmanager
def workers_at(
    cluster: str | None, jobs: int = 1, own_data: Collection[str] = (), say: Callable[[str], None] = print
) -> Iterator[Workers]:
    """Yield the workers of a cluster, or so many processes on this machine.

    Args:
        cluster: the address of the cluster's scheduler; None for this machine.
        jobs: specs at a time on this machine.
        own_data: names of prepared data of somebody's own, which the workers of a cluster are sent.
        say: called with each line about the workers of a cluster.

    Raises:
        InputError: no scheduler answers there, dask.distributed is missing, or jobs are given for a cluster.
    """
    if cluster is None:
        yield LocalWorkers(jobs)
        return
    if jobs != 1:
        raise InputError(f"{jobs} jobs and a cluster are not allowed together: start as many workers of the cluster")
    from .connection import connected

    with connected(cluster, own_data, say) as workers:
        yield workers


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


def _check_shared(workers: Workers) -> None:
    """Check that each spec is run by all processes of ``accelerate launch``, and by nobody else."""
    if isinstance(workers, LocalWorkers) and workers.jobs == 1:
        return
    if isinstance(workers, LocalWorkers):
        refused, advice = f"{workers.jobs} jobs are", "give 1"
    else:
        refused, advice = "a cluster is", "start its workers without it"
    raise InputError(f"{refused} not allowed under accelerate launch, which shares each trial: {advice}")
