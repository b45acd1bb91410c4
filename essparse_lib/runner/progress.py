"""A progress bar over the specs of a study, with the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from ..records.cost import expected_seconds
from ..records.store import Store
from ..specs.spec import Spec
from ..wording import duration_text

if TYPE_CHECKING:
    from .scheduler import Progress


@contextmanager
def bar(title: str, trials: Sequence[Spec], store: Store, jobs: int) -> Iterator[Callable[[Progress], None]]:
    """A progress bar over a study's trials; yields what to call after each one."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    records = store.records_of(*trials)
    done = sum(t.id in records for t in {t.id: t for t in trials}.values())
    console = Console(stderr=True)
    with Bar(*columns, console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task(title, total=len(trials), completed=done, left="")

        def report(progress: Progress) -> None:
            record = progress.record
            if record is not None:
                records[record.spec.id] = record
                if record.status != "ok":
                    console.print(f"{record.spec}: {record.status}, {record.reason}")
                elif not console.is_terminal:
                    console.print(f"{record.spec}: {record.metrics}, {progress.left} left", highlight=False)
            seconds = expected_seconds(trials, records)
            left = f"about {duration_text(seconds / jobs)} left" if seconds else ""
            shown.update(task, completed=len(trials) - progress.left, left=left)

        yield report
