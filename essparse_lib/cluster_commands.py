"""The commands that start a scheduler and workers of dask, with the settings that runs here need."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from . import options
from .errors import InputError

app = typer.Typer(cls=options.OneLineGroup, no_args_is_help=True, help="Start a scheduler, and workers that join it.")

#: Seconds after which a worker ends that no scheduler answers, so that a batch job does not wait for nothing.
_LONELY = 120
#: No dashboard; what is left of dask's web server listens to this machine alone.
_QUIET = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")


@app.command()
def scheduler(
    host: Annotated[
        str, options.text("host").option("Address to listen on; workers on other machines need one that they reach.")
    ] = "127.0.0.1",
    port: Annotated[int, options.PORT.option("Port to listen on; 0 for one that is free.")] = 8786,
) -> None:
    """Start a scheduler, which runs until it is stopped; it listens to this machine alone unless --host says another.

    Whoever reaches it can run code on its workers: on another host than 127.0.0.1 use a network that is closed, or
    certificates (DASK_DISTRIBUTED__COMM__TLS__…, see dask's pages).
    """
    _become("dask_scheduler", "--host", host, "--port", str(port), *_QUIET)


@app.command()
def worker(
    address: Annotated[str, options.text("address").argument("ADDRESS", "The scheduler's: tcp://127.0.0.1:8786.")],
    gpu: Annotated[
        bool, typer.Option("--gpu", help="It has a GPU: where such workers are, others get nothing.")
    ] = False,
) -> None:
    """Start a worker, which runs one spec at a time until it is stopped; one for each GPU of a machine.

    It has a cache of its own (ESSPARSE_CACHE), and keeps no records.
    """
    from .runner.cluster import worker_arguments

    host = _interface(address)
    _become(*("dask_worker", address, "--host", host, "--death-timeout", str(_LONELY)), *worker_arguments(gpu), *_QUIET)


def _interface(address: str) -> str:
    """Return the address of this machine by which it reaches a scheduler: a worker listens on no other one."""
    from .runner.connection import check_installed, host_and_port

    check_installed()
    from distributed.utils import get_ip

    try:
        return str(get_ip(*host_and_port(address)))
    except (OSError, OverflowError) as error:
        raise InputError(
            f"address {address!r} is not allowed ({error}): give tcp://HOST:PORT of a scheduler"
        ) from error


def _become(module: str, *arguments: str) -> NoReturn:
    """Replace this process by one of dask's own programs."""
    from .runner.connection import check_installed

    check_installed()
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", f"distributed.cli.{module}", *arguments])
