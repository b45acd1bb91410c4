"""Which specs are with which worker of a cluster, which wait, and what comes of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import InputError, one_line
from ..files import allow_many_locks
from ..records.record import Record, UnknownRecord, spec_text
from ..records.store import Store
from ..specs.spec import Spec
from ..specs.trial import Trial
from .runners import Refusal, missing, reason_of

if TYPE_CHECKING:
    from distributed import Future

    from .cluster_worker import Reply

#: Seconds after which it is looked again whether there are more workers, or the scheduler has gone.
INTERVAL = 1.0
#: How many workers may refuse a spec until it is left out: one of them may lack what the others have.
REFUSALS = 2


class Senders(Protocol):
    """What a dispatch sends specs by: ``cluster.Cluster``."""

    def ready(self) -> Collection[str]:
        """Return the addresses of the workers that there are."""

    def sharing(self) -> int:
        """Return how many of them are on one machine, at most."""

    def submit(self, function: Callable[..., Any], key: str, workers: Collection[str], /, *arguments: object) -> Future:
        """Send a function to one of these workers; none stands for any."""

    def result(self, future: Future) -> Any:
        """Return what the function has returned, or raise what it has raised."""


@dataclass
class _Flight:
    """A spec that is with a worker.

    Attributes:
        spec: the spec.
        claim: holds the claim on it among all processes that write to the store, until it is closed.
        begun: when it was first sent, by ``time.monotonic``.
        workers: addresses of the workers that it may go to; none stands for any.
        sent: how many times it was sent.
        refused_by: addresses of the workers that could not run it.
    """

    spec: Spec
    claim: ExitStack
    begun: float
    workers: Collection[str] = ()
    sent: int = 0
    refused_by: list[str] = field(default_factory=list)


class Dispatch:
    """Sends specs to the workers of a cluster, one each at a time, and keeps the records that come back.

    The rounds of a lottery follow each other on one worker, whose cache has the tickets, while there is that worker. As
    a context it gives up in the end what has not come back.
    """

    def __init__(
        self, cluster: Senders, specs: Sequence[Spec], store: Store, deadline: float | None, retry: bool, tolerant: bool
    ) -> None:
        """Hold what is to be run.

        Args:
            cluster: the workers.
            specs: what is run, in this order.
            store: where records are kept.
            deadline: in seconds since the epoch: nothing is begun that is not expected to end before; None for no such.
            retry: run failed trials again.
            tolerant: whether the others are run where one cannot be.
        """
        self._cluster, self._store = cluster, store
        self._deadline, self._retry, self._tolerant = deadline, retry, tolerant
        self._waiting = deque(specs)
        self._flights: dict[Future, _Flight] = {}
        self._ended: SimpleQueue[Future] = SimpleQueue()
        self._lotteries = {spec.id: _lottery(spec) for spec in specs}
        self._last_worker: dict[str, str] = {}  # of each lottery
        self._seconds = 0.0
        self._finished = 0

    def __enter__(self) -> Dispatch:
        allow_many_locks()  # one for each worker
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for future, flight in self._flights.items():
            with suppress(OSError, TimeoutError):
                future.cancel()
            flight.claim.close()

    def outcomes(self) -> Iterator[Record | Refusal | None]:
        """Yield what comes of each spec, as it comes; None where another process makes its record.

        Without a worker it waits until the deadline, and gives up then.

        Raises:
            InputError: the scheduler has gone; or a spec cannot be run, and the others are not to be run then.
        """
        while True:
            yield from self._send_waiting()
            if not self._waiting and not self._flights:
                return
            if not self._cluster.ready() and not self._has_time():
                return
            self._send_stranded()
            try:
                future = self._ended.get(timeout=INTERVAL)
            except Empty:
                continue
            flight = self._flights.pop(future, None)
            if flight is None:
                continue  # it was cancelled, and is sent anew
            with flight.claim:
                reply = self._reply(future)
                if self._is_for_another(flight, reply):
                    self._send(flight, set(self._cluster.ready()) - set(flight.refused_by))
                    flight.claim = flight.claim.pop_all()  # it goes on
                    continue
                outcome = self._outcome(flight, reply)
                if isinstance(outcome, Record):
                    self._store.append(outcome)
            yield outcome

    def _send_waiting(self) -> Iterator[None]:
        """Send specs until each worker has one; yield None for each that has a record, or that another process runs."""
        while self._waiting and len(self._flights) < len(self._cluster.ready()):
            if not self._has_time():
                self._waiting.clear()
                return
            spec = self._next()
            if spec is None:
                return
            claim = ExitStack()
            mine = claim.enter_context(self._store.claimed(spec))
            if mine and missing([spec], self._store.records_of(spec), self._retry):
                worker = self._last_worker.get(self._lotteries[spec.id], "")
                self._send(_Flight(spec, claim, time.monotonic()), {worker} & set(self._cluster.ready()))
            else:
                claim.close()
                yield None

    def _has_time(self) -> bool:
        """Return whether another spec that takes as long as those before would end before the deadline."""
        typical = self._seconds / self._finished if self._finished else 0.0
        return self._deadline is None or time.time() + typical < self._deadline

    def _next(self) -> Spec | None:
        """Take the next spec whose lottery has no round under way; None if there is none."""
        under_way = {self._lotteries[flight.spec.id] for flight in self._flights.values()} - {""}
        for number, spec in enumerate(self._waiting):
            if self._lotteries[spec.id] not in under_way:
                del self._waiting[number]
                return spec
        return None

    def _send_stranded(self) -> None:
        """Send anew what may only go to workers that have all gone: another one gets it now."""
        ready = set(self._cluster.ready())
        stranded = [
            future for future, flight in self._flights.items() if flight.workers and ready.isdisjoint(flight.workers)
        ]
        for future in stranded:
            self._send(self._flights[future], ())
            del self._flights[future]
            future.cancel()

    def _send(self, flight: _Flight, workers: Collection[str]) -> None:
        """Send a spec to one of these workers; none stands for any."""
        from . import cluster_worker

        key = f"{flight.spec.id}-{flight.sent}{'-again' if self._retry else ''}"
        flight.workers, flight.sent = workers, flight.sent + 1
        text, sharing = spec_text(flight.spec), self._cluster.sharing()
        future = self._cluster.submit(cluster_worker.reply, key, workers, text, sharing)
        self._flights[future] = flight
        future.add_done_callback(self._ended.put)

    def _reply(self, future: Future) -> Reply:
        """Return what a worker answered; where none could, a refusal that no worker has sent."""
        from .cluster_worker import Reply

        try:
            reply: Reply = self._cluster.result(future)
        except InputError:
            raise
        except Exception as error:  # its workers died, or could not read it
            return Reply(worker="", refusal=reason_of(error))
        return reply

    def _is_for_another(self, flight: _Flight, reply: Reply) -> bool:
        """Return whether another worker is to try what one has refused."""
        if not (reply.refusal and reply.worker):
            return False
        flight.refused_by.append(reply.worker)
        return len(flight.refused_by) < REFUSALS and bool(set(self._cluster.ready()) - set(flight.refused_by))

    def _outcome(self, flight: _Flight, reply: Reply) -> Record | Refusal | None:
        """Return what a reply says of a spec; None if it cannot be made now."""
        refusal = reply.refusal
        if reply.record:
            try:
                record = Record.from_line(reply.record)
                if record.spec != flight.spec:
                    raise ValueError(f"it is of {record.spec}")
            except (UnknownRecord, ValueError) as error:
                refusal = f"what worker {reply.worker} has sent is no record of it: {one_line(error)}"
            else:
                self._seconds += time.monotonic() - flight.begun
                self._finished += 1
                if lottery := self._lotteries[flight.spec.id]:
                    self._last_worker[lottery] = reply.worker
                return record
        if not refusal:
            return None
        if not self._tolerant:
            raise InputError(refusal)
        return Refusal(flight.spec, refusal)


def _lottery(spec: Spec) -> str:
    """Return the name of the lottery that a spec is a round of; empty for others."""
    return spec.lottery if isinstance(spec, Trial) else ""
