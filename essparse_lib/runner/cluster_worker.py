"""What a worker of a cluster does: it takes specs of its own version as text, and returns records as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

from distributed import Client, Worker, WorkerPlugin, get_worker

from ..errors import InputError
from ..files import cache_folder
from ..records.record import Record, spec_of_text
from ..records.store import Store
from .runners import Refusal, checked, run_spec


@dataclass(frozen=True)
class Checks:
    """What a worker says of specs that it has checked.

    Attributes:
        worker: its address.
        reasons: for each spec why it cannot be run there, or an empty text.
    """

    worker: str
    reasons: list[str]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What comes back of a spec.

    Attributes:
        worker: the address of the worker that ran it.
        record: the line of its record; empty where it has none.
        refusal: why it was not run; empty where it was.
    """

    worker: str
    record: str = ""
    refusal: str = ""


class OwnData(WorkerPlugin):  # type: ignore[misc]
    """Puts prepared data of somebody's own into the cache of each worker, also of those that join later."""

    def __init__(self, data: Mapping[str, Mapping[str, bytes]]) -> None:
        """Hold the content of the files of prepared data, by the name of the data and of the file."""
        self.data = data

    def setup(self, worker: Worker) -> None:
        """Put the data into this worker's cache, if they are not in it: before it gets a spec."""
        from ..tasks import own_store

        for name, files in self.data.items():
            own_store.unpack(name, files)


@contextmanager
def sent(data: Mapping[str, Mapping[str, bytes]], client: Client) -> Iterator[None]:
    """Put prepared data into the cache of each worker, also of those that join within the block.

    Afterwards the scheduler and the workers forget the data, which stay in the caches: they would hold them in memory,
    and a worker without this module could not join.

    Args:
        data: the content of files, by the name of the data and of the file.
        client: of the scheduler.
    """
    name = f"essparse-{uuid4()}"  # others may send the same data, and end earlier
    with suppress(ImportError, AttributeError):  # of a worker without this module, which gets no specs
        client.register_plugin(OwnData(data), name=name)
    try:
        yield
    finally:
        with suppress(Exception):  # the scheduler, or a worker that lacks it, says nothing that matters now
            if client.status == "running":
                client.unregister_worker_plugin(name)


def check(texts: list[str]) -> Checks:
    """Fetch and check what some specs need; say for each whether it can be run here.

    Args:
        texts: the specs, as ``spec_text`` writes them.
    """
    specs = [spec_of_text(text) for text in texts]
    _, refused = checked(specs, tolerant=True)
    reasons = {refusal.spec.id: refusal.reason for refusal in refused}
    return Checks(get_worker().address, [reasons.get(spec.id, "") for spec in specs])


def reply(text: str, sharing: int) -> Reply:
    """Run a spec and return what came of it; nothing is kept here but what is in the cache.

    Args:
        text: the spec, as ``spec_text`` writes it.
        sharing: how many workers share this machine's cores and GPUs, this one included.
    """
    from ..training import device

    address = get_worker().address
    device.take_gpu()  # also alone: others may join on this machine later
    try:
        spec = spec_of_text(text)
    except InputError as error:
        return Reply(worker=address, refusal=str(error))
    # Only what is trained from scratch uses a store, and it is not run on a cluster.
    outcome = run_spec(spec, Store(cache_folder() / "cluster"), None, sharing, tolerant=True)
    if isinstance(outcome, Refusal):
        return Reply(worker=address, refusal=outcome.reason)
    return Reply(worker=address, record=outcome.line() if isinstance(outcome, Record) else "")
