"""Run a sweep: prepare the data, run trials round by round, and say after each round what is known."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, check_whole
from ..records.record import Record
from ..records.store import Status, Store
from ..specs.spec import Spec
from ..specs.tasks import Head
from ..specs.trial import Training, Trial
from ..wording import listing
from . import folder, words
from .answer import Answer, answer
from .design import COARSE, Cells, Limits, first, following
from .lengths import fitting_window, lengths
from .result import SweepResult
from .settings import SweepSettings
from .study import SweepStudy
from .tolerance import Tolerance

if TYPE_CHECKING:
    from ..analysis.curve import Curve
    from ..tasks.own import OwnData, Prepared


@dataclass(frozen=True, kw_only=True)
class _Round:
    """A design whose trials were run, as far as there was time, and what they say.

    Attributes:
        cells: the design.
        records: by the id of their spec.
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
        budget: seconds after which no further trial is begun.
        retry: run trials that failed again.
        save: save the model, pruned to the lower end of the interval and trained with the mask, in ``out/model``.
        say: called with each line that tells how far it is.

    Returns:
        The answer, also where the budget ended before it was as precise as is asked for.

    Raises:
        InputError: something is not allowed, cannot be had or does not fit; nothing has been written to ``out`` then.
    """
    from ..tasks import own
    from .report import write_report
    from .saving import save_swept

    deadline = None if budget is None else time.monotonic() + budget
    check_whole("jobs", jobs)
    settings = settings or SweepSettings()
    out = folder.check(out)
    source = data if isinstance(data, own.OwnData) else own.OwnData(data=data)
    prepared = _prepared(model, source)
    study, notes = _study(model, prepared, settings)
    folder.check_same(study, out)
    _check_trials(study)
    for note in notes:
        say(note)
    store = folder.begin(study, out)
    fine_tuned = study.training is not None
    limits, tolerance = settings.limits(fine_tuned), settings.tolerated(fine_tuned)
    if retry:
        failed = [each.spec for each in store.records().values() if each.status == Status.FAILED]
        _run(failed, store, jobs, deadline, retry=True)
    for each in _rounds(study, limits, tolerance, store, jobs, deadline):
        result = _result(model, source, study, settings, notes, each, jobs, out)
        write_report(result, out)
        if each.ran and not each.last:
            say(result.sentence)
    say(result.sentence)
    if save and result.answer.essential.known:
        result = save_swept(result, study, prepared, out / folder.MODEL, say)
        write_report(result, out)
    say(f"{result.reason}; see {out / 'report.html'}")
    return result


def _rounds(
    study: SweepStudy,
    limits: Limits,
    tolerance: Tolerance,
    store: Store,
    jobs: int,
    deadline: float | None,
) -> Iterator[_Round]:
    """Yield the rounds of a sweep; those whose trials all have records are only read."""
    cells: Cells | None = first(limits)
    while cells is not None:
        specs = study.specs(cells)
        before = store.records_of(*specs)
        left = _run(specs, store, jobs, deadline)
        records = store.records_of(*specs)
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


def _run(specs: Sequence[Spec], store: Store, jobs: int, deadline: float | None, retry: bool = False) -> int:
    """Run the specs that have no record, while there is time for another one; return how many still have none."""
    from ..runner import progress, scheduler

    missing = scheduler.missing(specs, store.records_of(*specs), retry)
    if not missing or (deadline is not None and time.monotonic() + _typical_seconds(store, specs) > deadline):
        return len(missing)
    budget = None if deadline is None else deadline - time.monotonic()
    with progress.bar(f"{len(missing)} trials", missing, store, jobs) as report:
        return len(scheduler.run(missing, store, jobs, budget, retry, report))


def _typical_seconds(store: Store, specs: Sequence[Spec]) -> float:
    """Return the mean seconds of the records in the files of some specs; 0 if there are none."""
    seconds = [record.provenance.get("seconds", 0.0) for record in store.records_of(*specs).values()]
    return sum(seconds) / len(seconds) if seconds else 0.0


def _prepared(model: str, source: OwnData) -> Prepared:
    """Return data that were prepared; a plain text in pieces that the model takes whole."""
    from ..models import loading
    from ..tasks import own
    from ..tasks.own_texts import WINDOW

    loading.locate(model)
    prepared = own.prepare(source)
    if prepared.kind is not own.OwnKind.PLAIN_TEXT:
        return prepared
    loading.check_writes(model)
    window, before = WINDOW, 0
    while window != before:
        before, window = window, fitting_window(model, own.test_texts(prepared.name), window)
        if window != before:
            prepared = own.prepare(source, window)
    return prepared


def _study(model: str, prepared: Prepared, settings: SweepSettings) -> tuple[SweepStudy, list[str]]:
    """Return what the trials of a sweep have in common, and what there is to say of the data and the training.

    Raises:
        InputError: the model cannot be had, or does not fit the data; or the method does not.
    """
    from ..tasks.own import OwnKind

    notes, training = list(prepared.notes), None
    if prepared.kind is OwnKind.PLAIN_TEXT:
        if settings.rule.trained:
            raise InputError(f"method {settings.method!r} trains on a task, and a plain text is none: choose another")
        settings.tolerated(fine_tuned=False)
    else:
        if settings.rule.calibrated and prepared.kind is OwnKind.CLASSES_OF_IMAGES:
            raise InputError(f"method {settings.method!r} reads a text, and the data are images: choose another")
        training = _training(model, prepared, settings, notes)
    study = SweepStudy(
        model=model,
        task=prepared.name,
        training=training,
        method=settings.method,
        scope=settings.scope,
        timing=settings.timing,
        windows=settings.windows,
        length=settings.length,
    )
    return study, notes


def _check_trials(study: SweepStudy) -> None:
    """Check all that the trials need, before anything is written.

    Raises:
        InputError: something cannot be had or does not fit, such as a text that is too short for a calibrated method.
    """
    from ..runner import evaluation, trial

    spec = study.spec(COARSE[0], seed=0)
    if isinstance(spec, Trial):
        trial.prepare(spec)
    else:
        evaluation.prepare(spec)


def _training(model: str, prepared: Prepared, settings: SweepSettings, notes: list[str]) -> Training:
    """Return how a model is fine-tuned on prepared data; what there is to say of it is added to the notes."""
    from .. import tasks
    from ..models import loading

    task = tasks.get(prepared.name)
    usual = 0
    loading.check_fits(model, task.head, max_length=0)
    if task.head is Head.SEQUENCE_CLASSIFICATION:
        examples = task.splits().train
        assert isinstance(examples, tasks.Examples)
        counted = lengths(model, examples)
        usual = counted.usual(loading.longest_input_of(model))
    training = settings.training(prepared.train, usual)
    if usual:
        loading.check_length(model, "max_length", training.max_length)
        notes.append(counted.note(training.max_length))
    trained = prepared.train if training.max_train is None else training.max_train
    steps = training.epochs * -(-trained // training.batch_size)
    drawn = "" if training.max_train is None else f", which each seed draws from {prepared.train:,},"
    passes = f"{training.epochs} epoch{'s' * (training.epochs > 1)}"
    notes.append(
        f"Each model is trained on {trained:,} examples{drawn} for {passes}: {steps:,} steps of "
        f"{training.batch_size} examples at a rate of {training.learning_rate:g}."
    )
    return training


def _why_no_curve(records: Mapping[str, Record]) -> str:
    """Return why no dense model has a score, in one line."""
    reasons = {f"{record.status}: {record.reason}" for record in records.values()}
    return f"no dense model could be trained ({listing(sorted(reasons))}): mend this and give --retry, or train slower"


def _result(
    model: str,
    source: OwnData,
    study: SweepStudy,
    settings: SweepSettings,
    notes: Sequence[str],
    round_: _Round,
    jobs: int,
    out: Path,
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
        command=_command(model, source, settings, jobs, out),
        reason=words.reason(round_.answer, round_.cells, round_.left, settings, round_.last),
    )


def _command(model: str, source: OwnData, settings: SweepSettings, jobs: int, out: Path) -> str:
    """Return the command line that goes on with a sweep."""
    options: dict[str, object] = {
        **{name: getattr(source, name) for name in ("data", "test", "text", "text2", "image", "label")},
        "out": out,
        **{name: value for name, value in vars(settings).items() if value != getattr(SweepSettings(), name)},
        "jobs": jobs if jobs > 1 else None,
    }
    if isinstance(tolerance := options.pop("tolerance", None), Tolerance):
        options["epsilon"] = tolerance.option
    words_ = [f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in options.items() if value]
    return " ".join(["essparse sweep", shlex.quote(model), *words_])
