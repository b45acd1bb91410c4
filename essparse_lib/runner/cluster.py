"""Workers on many machines, by dask.distributed: specs go out as text, and records come back as text.

Whoever starts a run keeps its records: no folder is shared. Each worker has a cache of its own and fetches what it
needs. A spec whose worker dies is run by another one. The scheduler and the workers are dask's own
(``cluster_commands``); a worker with other code than this process gets nothing.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

from ..errors import InputError, one_line
from ..records.record import Record, spec_text
from ..records.store import Store
from ..specs.pretraining import Pretraining
from ..specs.spec import Spec
from .cluster_dispatch import Dispatch
from .provenance import code_hash, version
from .runners import Refusal, reason_of

if TYPE_CHECKING:
    from distributed import Client, Future

#: Seconds between two looks at which workers there are.
INTERVAL = 1.0
#: Seconds without a worker after which this is said.
PATIENCE = 5.0
#: How many workers check what a spec needs until it is left out: one of them may lack what the others have.
_CHECKS = 2
#: The resource of dask that a worker with a GPU has. Where some have it, no other worker gets a spec.
_GPU = "GPU"


def resource() -> str:
    """Return the name of the resource that workers with this process's code have, and that each spec takes: one."""
    return f"essparse-{code_hash()[:16]}"


def worker_arguments(gpu: bool = False) -> list[str]:
    """Return what dask's own worker is started with so that it gets specs: one at a time, and of its own version.

    Args:
        gpu: whether it has a GPU.

    >>> worker_arguments(gpu=True)[:2]
    ['--nthreads', '1']
    """
    resources = f"{resource()}=1" + (f",{_GPU}=1" if gpu else "")  # no blank: batch jobs write it without quotes
    return ["--nthreads", "1", "--memory-limit", "0", "--resources", resources]


class Cluster:
    """The workers of a scheduler that have this process's code: of these those with a GPU, where there are some."""

    def __init__(self, client: Client, address: str, say: Callable[[str], None]) -> None:
        """Hold an open client and the address of its scheduler, and what is called with each line about workers."""
        self._client, self._address, self._say = client, address, say
        self._ready: dict[str, Any] = {}
        self._told: set[str] = set()
        self._looked = 0.0
        self._lonely_since = time.monotonic()

    def size(self) -> int:
        """Return how many workers there are; at least 1, since some may come."""
        return max(1, len(self.ready()))

    def checked(
        self, specs: Sequence[Spec], tolerant: bool, deadline: float | None = None
    ) -> tuple[list[Spec], list[Refusal]]:
        """Let a worker fetch and check what the specs need, and another one what the first cannot have.

        Args:
            specs: what is to be run.
            tolerant: whether a spec that cannot be run is returned with the reason, rather than raised as an error.
            deadline: how long it is waited for a worker, in seconds since the epoch; None for ever.

        Returns:
            The specs that can be run, and those that cannot. No model is trained from scratch on a cluster.

        Raises:
            InputError: one of them cannot be run, and ``tolerant`` is False; or no worker can check them.
        """
        here = "a model is trained from scratch on one machine: essparse pretrain, or run this without a cluster"
        reasons = {spec.id: here for spec in specs if isinstance(spec, Pretraining)}
        reasons |= self._reasons([spec for spec in specs if spec.id not in reasons], deadline)
        refused = [Refusal(spec, reasons[spec.id]) for spec in specs if spec.id in reasons]
        if refused and not tolerant:
            raise InputError(refused[0].reason)
        return [spec for spec in specs if spec.id not in reasons], refused

    def _reasons(self, specs: Sequence[Spec], deadline: float | None) -> dict[str, str]:
        """Return why specs cannot be run on ``_CHECKS`` workers, by id, of those that cannot."""
        from . import cluster_worker

        reasons: dict[str, str] = {}
        checked_by: set[str] = set()
        while specs and len(checked_by) < _CHECKS:
            others = set(self.ready()) - checked_by if checked_by else set()
            if checked_by and not others:
                break
            texts = [spec_text(spec) for spec in specs]
            try:
                future = self.submit(cluster_worker.check, f"check-{time.time_ns()}", others, texts)
                checks = self.result(future, others, deadline)
            except InputError:
                raise
            except Exception as error:  # workers died of it, or it could not be sent
                if checked_by:
                    break
                raise InputError(f"no worker could check what is needed: {reason_of(error)}") from error
            checked_by.add(checks.worker)
            reasons = {spec.id: reason for spec, reason in zip(specs, checks.reasons, strict=True) if reason}
            specs = [spec for spec in specs if spec.id in reasons]
        return reasons

    def outcomes(
        self, specs: Sequence[Spec], store: Store, deadline: float | None, retry: bool, tolerant: bool
    ) -> Iterator[Record | Refusal | None]:
        """Have specs run by the workers, and keep their records; yield what comes of each, as ``Dispatch`` does."""
        with Dispatch(self, specs, store, deadline, retry, tolerant) as dispatch:
            yield from dispatch.outcomes()

    def ready(self) -> Collection[str]:
        """Return the addresses of the workers that get specs, as they were a moment ago."""
        now = time.monotonic()
        if now < self._looked + INTERVAL:
            return self._ready
        self._looked = now
        with self.scheduler_there():
            workers = self._client.scheduler_info(n_workers=-1).get("workers", {})  # none if it did not answer now
        self._ready = {address: worker for address, worker in workers.items() if resource() in worker["resources"]}
        with_gpu = {address: worker for address, worker in self._ready.items() if _GPU in worker["resources"]}
        self._ready = with_gpu or self._ready
        self._tell_of_others({address: workers[address] for address in workers.keys() - self._ready.keys()})
        if self._ready:
            self._lonely_since = now
        elif now > self._lonely_since + PATIENCE:
            self._say(f"waiting for a worker: essparse cluster worker {self._address}")
            self._lonely_since = float("inf")  # said once
        return self._ready

    def submit(self, function: Callable[..., Any], key: str, workers: Collection[str], *arguments: object) -> Future:
        """Send a function to a worker, which gets no other one meanwhile.

        Where dask may choose another worker than those that are named (``allow_other_workers``), it also chooses one
        without the resources that a call takes, and its scheduler fails. So whoever names workers sees to it that the
        call is sent anew when they have gone.

        Args:
            function: one of ``cluster_worker``.
            key: what the call is known by: two with one key are one call.
            workers: addresses of the workers that it may go to; none stands for any.
            arguments: of the function.
        """
        resources = {resource(): 1}
        if any(_GPU in worker["resources"] for worker in self._ready.values()):
            resources[_GPU] = 1
        with self.scheduler_there():
            return self._client.submit(
                function,
                *arguments,
                key=f"{resource()}-{key}",
                resources=resources,
                workers=list(workers) or None,
                pure=False,
            )

    def result(self, future: Future, workers: Collection[str] = (), deadline: float | None = None) -> Any:
        """Return what a call has returned; wait for its end.

        Args:
            future: the call.
            workers: addresses of the workers that it may go to; none stands for any.
            deadline: how long it is waited where there is no worker, in seconds since the epoch; None for ever.

        Raises:
            InputError: the scheduler has gone, or there was no worker in time.
            LookupError: the workers that it may go to have gone.
            Exception: whatever the call raised; ``distributed.KilledWorker`` if workers died of it.
        """
        from distributed.client import FutureCancelledError

        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        while not ended.wait(INTERVAL):
            ready = set(self.ready())
            if workers and ready.isdisjoint(workers):
                future.cancel()
                raise LookupError("its workers have gone")
            if not ready and deadline is not None and time.time() > deadline:
                raise InputError(
                    f"no worker has come within the budget: start one, essparse cluster worker {self._address}"
                )
        try:
            return future.result()
        except FutureCancelledError as error:
            raise self._gone(error) from error

    def sharing(self) -> int:
        """Return how many of the workers are on one machine, at most."""
        return max(Counter(worker["host"] for worker in self._ready.values()).values(), default=1)

    def _tell_of_others(self, workers: Mapping[str, Any]) -> None:
        """Name the workers that get nothing, each once, and why."""
        for address in sorted(workers.keys() - self._told):
            self._told.add(address)
            if not any(name.startswith("essparse-") for name in workers[address]["resources"]):
                self._say(f"worker {address} is left out: it was not started by essparse cluster worker")
                continue
            if resource() in workers[address]["resources"]:
                self._say(f"worker {address} is left out: it has no GPU, and others have one")
                continue
            with self.scheduler_there():
                versions = self._client.run(installed_version, "essparse", workers=[address], on_error="return")
            other = versions.get(address)
            self._say(
                f"worker {address} is left out: its essparse ({other if isinstance(other, str) else 'unknown'}) has "
                f"other code than this process ({version()})"
            )

    @contextmanager
    def scheduler_there(self) -> Iterator[None]:
        """Raise an InputError if the scheduler does not answer, or the connection to it was lost before."""
        if self._client.status != "running":  # of which dask says nothing where no call is under way
            raise self._gone(ConnectionError("the connection was lost"))
        try:
            yield
        except (OSError, TimeoutError) as error:
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> InputError:
        reason = getattr(error, "reason", "") or one_line(error)
        return InputError(
            f"the scheduler at {self._address} has gone ({reason}): start it and its workers again, and run the same "
            "command to go on; all finished records are kept"
        )
