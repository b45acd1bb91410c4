"""The command that says what a run would take on so many GPUs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from . import options


def plan(
    names: Annotated[list[str], options.text("figure").argument("FIGURE...", "Such as fig2, or several, or all.")],
    scale: options.Scale = "lab",
    gpus: Annotated[int | None, options.GPUS.option("How many GPUs, besides 1, 8, 64 and 1,000.")] = None,
    failures: Annotated[
        str | None, options.FAILURES.option("Mean time at work until a worker dies, such as 500h; none for never.")
    ] = None,
    spread: Annotated[
        float | None,
        options.number_from_zero("spread", 1).option("Of the GPUs' speeds: the standard deviation of their logarithm."),
    ] = None,
    overhead: Annotated[
        float | None,
        options.number_from_zero("overhead", 3600).option(
            "Seconds of the machine that starts the run for each trial; else as benchmarks/cluster.py measured."
        ),
    ] = None,
    seed: Annotated[int, options.SEED.option("Of the simulated runs.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="An object, for programs.")] = False,
) -> None:
    """Say what running figures would take on some numbers of GPUs, before there are any.

    Printed are the trials, their GPU hours, the longest chain of what cannot be done at the same time, the time that
    simulated runs take, bytes of records and seconds to read them, and all that is assumed. Nothing is run or written.
    """
    from .plans import printed
    from .plans.simulation import USUAL

    given: dict[str, Any] = {"failures": failures, "spread": spread, "overhead": overhead}
    conditions = replace(USUAL, **{name: value for name, value in given.items() if value is not None})
    made = printed.planned(names, scale, [] if gpus is None else [gpus], conditions, seed)
    storage = printed.storage_of(made)
    if as_json:
        printed.print_json(made, storage)
    else:
        printed.print_plan(made, storage, f"{', '.join(names)} at {scale} scale")
