"""What the terminal shows of a study: a bar with the time left, and a table of what is there and missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from . import figures
from .figures.status import expected_seconds, spell, standing
from .study.asked import Asked
from .study.store import Store, results

if TYPE_CHECKING:
    from .run import Progress


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
            found = standing([study], results(scale).records())
            table.add_row(
                name,
                scale,
                str(found.there),
                str(found.asked - found.there),
                str(sum(found.unlucky.values())),
                "unknown: none has been run" if found.left is None else spell(found.left),
            )
    Console().print(table)
