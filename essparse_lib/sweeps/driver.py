"""Run a sweep: prepare the data, run trials round by round, and say after each round what is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, check_whole
from ..records.record import Record
from ..records.store import Status, Store
from ..specs.spec import Spec
from ..texts import printable
from ..wording import listing
from . import folder, preparation, words
from .answer import Answer, answer
from .design import Cells, Limits, first, following
from .result import SweepResult
from .settings import SweepSettings
from .study import SweepStudy
from .tolerance import Tolerance

if TYPE_CHECKING:
    from ..analysis.curve import Curve
    from ..runner.scheduler import Workers
    from ..tasks.own import OwnData


@dataclass(frozen=True, kw_only=True)
class _Round:
    """A design whose trials were run, as far as there was time, and what they say.

    Attributes:
        cells: the design.
        records: those of the design, by the id of their spec.
        curve: the scores; None where no dense trial has succeeded.
        answer: what they say.
        left: how many trials are still to be run, since the budget was spent or another process runs them.
        ran: whether any of them was run now, rather than read.
        last: whether no further round follows.
    """

    cells: Cells
    records: Mapping[str, Record]
    curve: Curve | None
    answer: Answer
    left: int
    ran: bool
    last: bool


def sweep(
    model: str,
    data: OwnData | str | Path,
    out: str | Path,
    settings: SweepSettings | None = None,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    budget: float | None = None,
    retry: bool = False,
    save: bool = False,
    say: Callable[[str], None] = print,
) -> SweepResult:
    """Find how much of a model can be pruned before it loses more on data of one's own than is tolerated.

    The model is pruned to several sparsities and fine-tuned on the data with several seeds. First come coarse
    levels, then levels between those where the loss is reached, then more seeds, until the interval is as narrow as is
    asked for. A causal language model on a plain text is not trained: its perplexity is measured. The folder gets the
    records, ``report.html``, ``curve.svg``, ``curve.png`` and ``summary.json``. Called again, it goes on.

    Args:
        model: its name here, its id on the hub, or its local folder.
        data: what the model is for: an ``OwnData``, or the path or id that one is made of.
        out: a new folder, or one in which the same sweep was begun.
        settings: how it is pruned, trained and judged; None for the defaults.
        jobs: trials at a time, sharing the cores and GPUs.
        cluster: the address of a dask scheduler whose workers run the trials; they are sent the data. None runs them
            on this machine.
        budget: seconds after which no further trial is begun.
        retry: run trials that failed again.
        save: save the model, pruned to the lower end of the interval and trained with the mask, in a folder of ``out``
            that the result names.
        say: called with each line that tells how far it is.

    Returns:
        The answer, also where the budget ended before it was as precise as is asked for.

    Raises:
        InputError: something is not allowed, cannot be had or does not fit; nothing has been written to ``out`` then.
    """
    from ..runner import scheduler
    from ..tasks import own
    from .report import write_report
    from .saving import save_swept

    deadline = None if budget is None else time.monotonic() + budget
    check_whole("jobs", jobs)
    settings = settings or SweepSettings()
    source = data if isinstance(data, own.OwnData) else own.OwnData(data=data)
    out = folder.check(out, [each for each in (source.data, source.test) if each is not None])
    prepared = preparation.prepared_data(model, source)
    study, notes = preparation.study_of(model, prepared, settings)
    folder.check_same(study, out)
    preparation.check_trials(study)
    say = _printing(say)
    for note in notes:
        say(note)
    fine_tuned = study.training is not None
    limits, tolerance = settings.limits(fine_tuned), settings.tolerated(fine_tuned)
    command = words.command(model, source, settings, jobs, cluster, out)
    with scheduler.workers_at(cluster, jobs, [prepared.name], say) as workers:
        store = folder.begin(study, out)
        if retry:
            failed = [each.spec for each in store.records().values() if each.status == Status.FAILED]
            _run(failed, store, workers, deadline, retry=True)
        for each in _rounds(study, limits, tolerance, store, workers, deadline):
            if not (each.ran or each.last):
                continue  # what an earlier run has told
            result = _result(model, source, study, settings, notes, each, command)
            write_report(result, out)
            if not each.last:
                say(result.sentence)
    say(result.sentence)
    if save and result.answer.essential.known:
        result = save_swept(result, study, prepared, out / folder.MODEL, say)
        write_report(result, out)
    say(f"{result.reason}; see {out / 'report.html'}")
    return result


def _printing(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return what says a line without signs on which a terminal acts: names of classes and of files may have some."""
    return lambda line: say(printable(line, None))


def _rounds(
    study: SweepStudy,
    limits: Limits,
    tolerance: Tolerance,
    store: Store,
    workers: Workers,
    deadline: float | None,
) -> Iterator[_Round]:
    """Yield the rounds of a sweep; those whose trials all have records are only read."""
    cells: Cells | None = first(limits)
    while cells is not None:
        specs = study.specs(cells)
        before = _records(specs, store)
        left = _run(specs, store, workers, deadline)
        records = _records(specs, store)
        curve = study.curve(records, cells)
        if curve is None and not left:
            raise InputError(_why_no_curve(records))
        found = answer(curve, tolerance, limits.precision)
        design, cells = cells, None if left else following(cells, found, limits)
        yield _Round(
            cells=design,
            records=records,
            curve=curve,
            answer=found,
            left=left,
            ran=len(records) > len(before),
            last=cells is None,
        )


def _records(specs: Sequence[Spec], store: Store) -> dict[str, Record]:
    """Return the records of a design by the id of their spec; the folder may have others, of other settings."""
    records = store.records_of(*specs)
    return {spec.id: records[spec.id] for spec in specs if spec.id in records}


def _run(specs: Sequence[Spec], store: Store, workers: Workers, deadline: float | None, retry: bool = False) -> int:
    """Run the specs that have no record, while there is time for another one; return how many still have none."""
    from ..runner import progress, scheduler

    records = store.records_of(*specs)
    missing = scheduler.missing(specs, records, retry)
    if not missing or (deadline is not None and time.monotonic() + _typical_seconds(records) > deadline):
        return len(missing)
    budget = None if deadline is None else deadline - time.monotonic()
    with progress.bar(f"{len(missing)} trials", missing, store, workers) as report:
        return len(scheduler.run(missing, store, workers, budget, retry, report))


def _typical_seconds(records: Mapping[str, Record]) -> float:
    """Return the mean seconds of some records; 0 if there are none."""
    seconds = [record.provenance.get("seconds", 0.0) for record in records.values()]
    return sum(seconds) / len(seconds) if seconds else 0.0


def _why_no_curve(records: Mapping[str, Record]) -> str:
    """Return why no dense model has a score, and what to do, in one line."""
    reasons = {f"{record.status}: {record.reason}" for record in records.values()}
    failed = any(record.status == Status.FAILED for record in records.values())
    advice = "mend this and give --retry" if failed else "train slower, in a new folder"
    return f"no dense model could be trained ({listing(sorted(reasons))}): {advice}"


def _result(
    model: str,
    source: OwnData,
    study: SweepStudy,
    settings: SweepSettings,
    notes: Sequence[str],
    round_: _Round,
    command: str,
) -> SweepResult:
    """Return what a sweep comes to after a round."""
    tolerance = settings.tolerated(study.training is not None)
    data = Path(str(source.data)).name
    return SweepResult(
        model=model,
        data=data,
        answer=round_.answer,
        sentence=words.sentence(model, data, round_.answer, settings.rule, tolerance, round_.curve),
        tolerance=tolerance,
        precision=settings.precision / 100,
        curve=round_.curve,
        records=list(round_.records.values()),
        settings=words.settings_table(study, settings, tolerance, round_.cells),
        notes=notes,
        command=command,
        reason=words.reason(round_.answer, round_.cells, round_.left, settings, round_.last),
    )
