"""The connection to the scheduler of a cluster: its address is checked, and it is let go in the end, as it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from ..errors import InputError, one_line
from .cluster import Cluster

if TYPE_CHECKING:
    from distributed import Client

#: Seconds within which a scheduler must answer.
ANSWERS_WITHIN = 10.0


def check_installed() -> None:
    """Raise InputError if dask.distributed cannot be imported."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise InputError(f"a cluster needs dask.distributed ({error}): pip install 'essparse[cluster]'") from error


def host_and_port(address: str) -> tuple[str, int]:
    """Return the host and the port of a scheduler's address.

    Raises:
        InputError: it is no address with a host and a port.
    """
    from distributed.comm.addressing import get_address_host_port

    try:
        host, port = get_address_host_port(address)
    except (OverflowError, TypeError, ValueError) as error:
        raise InputError(
            f"address {address!r} is not allowed ({one_line(error)}): give that of a scheduler, such as "
            "tcp://127.0.0.1:8786"
        ) from error
    return host, port


@contextmanager
def connected(address: str, own_data: Collection[str] = (), say: Callable[[str], None] = print) -> Iterator[Cluster]:
    """Yield the workers of a scheduler; let it go in the end, as it is.

    Args:
        address: the scheduler's, such as ``tcp://127.0.0.1:8786``; ``tls://`` with the certificates of dask's settings.
        own_data: names of prepared data of somebody's own, which the workers are sent.
        say: called with each line about workers.

    Raises:
        InputError: dask.distributed is not installed, no scheduler answers, or the data are too large.
    """
    check_installed()
    from distributed import Client

    from ..tasks import own_store

    host_and_port(address)

    class ClosedByHand(Client):  # type: ignore[misc]
        """Dask's own, whose destructor waits for what has never begun, and then prints a traceback."""

        def __del__(self) -> None:
            """Do nothing: the client is closed below, if it has begun."""

    data = own_store.packed(own_data)
    for name in logging.getLogger("distributed").manager.loggerDict:
        if name.startswith("distributed"):  # dask sets levels for several of them; what matters is raised
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with ExitStack() as stack:
        try:
            client = stack.enter_context(_closing(ClosedByHand(address, timeout=ANSWERS_WITHIN, set_as_default=False)))
        except (OSError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"no scheduler answers at {address!r} ({one_line(error)}): give its address, such as "
                "tcp://127.0.0.1:8786; essparse cluster scheduler starts one"
            ) from error
        cluster = Cluster(client, address, say)
        if data:
            from .cluster_worker import sent

            with cluster.scheduler_there():
                stack.enter_context(sent(data, client))
        yield cluster


@contextmanager
def _closing(client: Client) -> Iterator[Client]:
    """Close a client in the end; a scheduler that has gone meanwhile does not matter."""
    try:
        yield client
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=2)
