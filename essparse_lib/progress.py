"""What the terminal shows of a study: a bar with the time left, and a table of what is there and missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import mean
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from . import figures
from .study.asked import Asked
from .study.store import Record, Store, results

if TYPE_CHECKING:
    from .run import Progress


def expected_seconds(trials: Sequence[Asked], records: dict[str, Record]) -> float | None:
    """How long the trials without a record will take one after another, from the records that there are.

    A trial is taken to last as long as the mean of those in its file (a model's on one task), or else of all; None
    with no record.
    """
    spent: dict[tuple[str, str] | None, list[float]] = {}
    for trial in trials:
        if trial.id in records and (seconds := records[trial.id].provenance.get("seconds")):
            for key in ((trial.model, trial.file), None):
                spent.setdefault(key, []).append(seconds)
    if not spent:
        return None
    return sum(mean(spent.get((t.model, t.file), spent[None])) for t in trials if t.id not in records)


def spell(seconds: float) -> str:
    """A duration as people say it: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def bar(title: str, trials: Sequence[Asked], store: Store, jobs: int) -> Iterator[Callable[[Progress], None]]:
    """A progress bar over a study's trials; yields what to call after each one."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    records = store.records()
    done = sum(t.id in records for t in {t.id: t for t in trials}.values())
    console = Console(stderr=True)
    with Bar(*columns, console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task(title, total=len(trials), completed=done, left="")

        def report(progress: Progress) -> None:
            record = progress.record
            if record is not None:
                records[record.trial.id] = record
                if record.status != "ok":
                    console.print(f"{record.trial}: {record.status}, {record.reason}")
                elif not console.is_terminal:
                    console.print(f"{record.trial}: {record.metrics}, {progress.left} left", highlight=False)
            seconds = expected_seconds(trials, records)
            left = f"about {spell(seconds / jobs)} left" if seconds else ""
            shown.update(task, completed=len(trials) - progress.left, left=left)

        yield report


def status_table() -> None:
    """Print, for every figure and scale, the records there and missing and the time that these will take."""
    table = Table("figure", "scale", "records", "missing", "not ok", "expected time, one at a time", box=None)
    for name, by_scale in figures.STUDIES.items():
        for scale, study in by_scale.items():
            trials, records = study.asked(), results(scale).records()
            there = [records[t.id] for t in trials if t.id in records]
            seconds = expected_seconds(trials, records)
            table.add_row(
                name,
                scale,
                str(len(there)),
                str(len(trials) - len(there)),
                str(sum(r.status != "ok" for r in there)),
                "unknown: none has been run" if seconds is None else spell(seconds),
            )
    Console().print(table)
