"""Processes on this machine that run specs, by joblib."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

from .. import environment
from ..records.store import Record, Status, Store
from ..specs.pretraining import Pretraining
from ..specs.spec import Spec
from ..stopping import in_workers
from . import pretraining
from .processes import agreed, is_main
from .runners import Refusal, checked, missing, run_spec


class LocalWorkers:
    """As many processes as there are jobs, each with its share of the cores (and of the GPUs)."""

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs

    def size(self) -> int:
        """Return how many specs are run at a time."""
        return self.jobs

    def checked(
        self, specs: Sequence[Spec], tolerant: bool, deadline: float | None = None
    ) -> tuple[list[Spec], list[Refusal]]:
        """Fetch and check what the specs need, as ``runners.checked``, in this process, which waits for nobody."""
        return agreed(checked(specs, tolerant))

    def outcomes(
        self, specs: Sequence[Spec], store: Store, deadline: float | None, retry: bool, tolerant: bool
    ) -> Iterator[Record | Refusal | None]:
        """Run specs and keep their records; yield what comes of each, as it comes.

        Args:
            specs: what is run, in this order.
            store: where records are kept.
            deadline: in seconds since the epoch: nothing is begun that is not expected to end before; None for no such.
            retry: run failed trials again.
            tolerant: whether the others are run where one cannot be.

        Returns:
            An iterator; None where there is no record yet, or another process makes it.
        """
        import joblib

        workers = max(1, min(self.jobs, len(specs)))
        tolerant = tolerant and environment.processes() == 1
        calls = (
            joblib.delayed(_run_and_keep)(spec, store, deadline, workers, retry, tolerant)
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
            if agreed(time.time() + typical > deadline):
                return
        yield spec


def _run_and_keep(
    spec: Spec, store: Store, deadline: float | None, workers: int, retry: bool, tolerant: bool
) -> Record | Refusal | None:
    """Run one spec in a worker and keep its record, unless another process has or is doing so.

    If ``tolerant``, a spec that cannot be run is returned with the reason; one that cannot be written ends the run.
    """
    with store.claimed(spec) if is_main() else nullcontext(True) as mine:
        if not agreed(mine and bool(missing([spec], store.records_of(spec), retry))):
            return None
        outcome = run_spec(spec, store, deadline, workers, tolerant)
        if isinstance(outcome, Record) and is_main():
            store.append(outcome)
            if isinstance(spec, Pretraining):
                pretraining.forget(spec)
    if isinstance(outcome, Record) and outcome.status == Status.FAILED and environment.processes() > 1:
        raise RuntimeError(f"{spec} failed ({outcome.reason}): others may be waiting for this process, so all end")
    return outcome
