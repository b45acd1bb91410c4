"""A plan as it is shown: a table for people, JSON for programs, and a part of a page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from .. import figures
from ..records.store import results
from ..specs.study import Scale
from ..wording import duration_text, listing, size_text
from .plan import GPUS, Forecast, Plan, assumptions, plan
from .simulation import USUAL, Conditions
from .storage import Storage, expected_storage

_COLUMNS = ("GPUs", "time", "90% of runs", "GPU time", "trained again", "lost", "at work", "deaths", "left out")


def planned(names: Sequence[str], scale: str, gpus: Iterable[int], conditions: Conditions, seed: int = 0) -> Plan:
    """Return the plan of figures at a scale, for these numbers of GPUs and those of every plan.

    Raises:
        InputError: there is no such figure or scale, a record is damaged, or the cost model does not know a spec.
    """
    studies = figures.studies(names, scale)
    records = results(studies[0].scale).records_of_studies(*studies)
    return plan(studies, records, [*GPUS, *gpus], conditions, seed)


def storage_of(made: Plan) -> Storage:
    """Return what the records of a plan come to, by those that there are at lab and paper scale; reading is measured.

    Raises:
        InputError: a record is damaged.
    """
    stores = [results(scale) for scale in (Scale.LAB, Scale.PAPER)]
    return expected_storage(made.specs, stores)


def print_plan(made: Plan, storage: Storage, title: str) -> None:
    """Print a plan as lines and a table, with all that is assumed."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    console.print(title)
    for line in lines(made, storage):
        console.print(line)
    printed = Table(*_COLUMNS, box=None)
    for forecast in made.forecasts:
        printed.add_row(*_cells(forecast))
    console.print(printed)
    console.print("Assumed:")
    for sentence in assumptions(made):
        console.print(f"- {sentence}")


def print_json(made: Plan, storage: Storage) -> None:
    """Print a plan as one JSON object in ASCII; seconds and bytes are plain numbers, no failures are null."""
    plain = asdict(made)
    del plain["specs"]
    if math.isinf(made.conditions.failures):
        plain["conditions"]["failures"] = None
    print(json.dumps({**plain, "storage": asdict(storage), "assumptions": assumptions(made)}, indent=2))


def lines(made: Plan, storage: Storage) -> list[str]:
    """Return what a plan says of its specs, one line each: how many, how long, and their records."""
    counts = [f"{count:,} {kind}{'' if count == 1 else 's'}" for kind, count in made.missing.items()]
    text = [f"to run: {listing(counts) or 'nothing'}; {made.done:,} have a record"]
    if made.with_pretraining:
        text[0] += f"; {made.with_pretraining:,} are measured while a model is pre-trained, and not counted"
    text.append(f"GPU time, where nothing is done twice: {duration_text(made.gpu_seconds)}")
    text.append(f"longest chain: {duration_text(made.chain.seconds)} ({made.chain.text or 'nothing'})")
    unknown = f", and {storage.unknown:,} of unknown size: no record is of their kind" if storage.unknown else ""
    if storage.reading is None:
        return [*text, "records: size not known, since there is no record at lab or paper scale"]
    text.append(f"records: {size_text(storage.size)}, by the mean of {storage.measured:,} records here{unknown}")
    text.append(
        f"drawing with them: {storage.reading:.2g} s to read them, as measured here now; statistics and plots are not "
        "counted"
    )
    return text


def _cells(forecast: Forecast) -> tuple[str, ...]:
    """Return the row of a number of GPUs."""
    return (
        f"{forecast.gpus:,}",
        duration_text(forecast.seconds),
        f"{duration_text(forecast.low)} to {duration_text(forecast.high)}",
        duration_text(forecast.gpu_seconds),
        _share(forecast.again, forecast.gpu_seconds),
        _share(forecast.lost, forecast.gpu_seconds),
        f"{forecast.busy:.1%}",
        f"{forecast.deaths:,.1f}",
        f"{forecast.left_out:,.1f}",
    )


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "0.0%"


def fragment() -> str:
    """Return a Markdown table of what all figures, and each by itself, would take at paper scale, for a page.

    Raises:
        InputError: a record is damaged.
    """
    several = GPUS[1:]  # one GPU takes about the GPU time
    columns = ("Figure", "runs, GPU time", "longest chain", *(f"GPUs: {count:,}" for count in several))
    rows = [f"| {' | '.join(columns)} |", f"| {' | '.join(['---'] * len(columns))} |"]
    made = None
    for name in (*figures.STUDIES, "all"):
        made = planned([name], Scale.PAPER, (), USUAL)
        times = [duration_text(forecast.seconds) for forecast in made.forecasts if forecast.gpus in several]
        runs = f"{sum(made.missing.values()):,}, {duration_text(made.gpu_seconds)}"
        cells = (name, runs, duration_text(made.chain.seconds), *times)
        rows.append(f"| {' | '.join(cells)} |")
    assert made is not None
    return "\n".join([*rows, "", "Assumed:", "", *(f"- {sentence}" for sentence in assumptions(made)), ""])
