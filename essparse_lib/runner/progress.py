"""A progress bar over the specs of a study, with the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from ..errors import printable
from ..records.cost import expected_seconds
from ..records.store import Status, Store
from ..specs.spec import Spec
from ..wording import duration_text

if TYPE_CHECKING:
    from .scheduler import Progress, Refusal, Workers


@contextmanager
def bar(title: str, specs: Sequence[Spec], store: Store, workers: Workers) -> Iterator[Callable[[Progress], None]]:
    """Show a progress bar over a study's specs, which these workers run; yield what to call after each one."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    records = store.records_of(*specs)
    done = sum(id in records for id in {spec.id for spec in specs})
    console = Console(stderr=True)
    with Bar(*columns, console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task(title, total=len(specs), completed=done, left="")

        def report(progress: Progress) -> None:
            record = progress.record
            if record is not None:
                records[record.spec.id] = record
                if record.status != Status.OK:
                    console.print(printable(f"{record.spec}: {record.status}, {record.reason}"), markup=False)
                elif not console.is_terminal:
                    line = printable(f"{record.spec}: {record.metrics}, {progress.left} left", None)
                    console.print(line, markup=False, highlight=False)
            seconds = expected_seconds(specs, records)
            left = f"about {duration_text(seconds / workers.size())} left" if seconds else ""
            shown.update(task, completed=len(specs) - progress.left, left=left)

        yield report


def refusals() -> Callable[[Refusal], None]:
    """Return what to call with each spec that is left out: it prints each reason once, when it first comes."""
    console = Console(stderr=True)
    told: set[str] = set()

    def report(refusal: Refusal) -> None:
        if refusal.reason not in told:
            told.add(refusal.reason)
            line = printable(f"left out: {refusal.spec}: {refusal.reason}")
            console.print(line, markup=False, highlight=False)

    return report
