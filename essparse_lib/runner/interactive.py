"""Trials that a reader runs from a notebook: their records are kept in the cache, so that each is run once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from .. import tasks
from ..errors import InputError
from ..files import cache_folder
from ..likelihood import tasks as likelihood_tasks
from ..models import loading
from ..models.catalogue import MODELS
from ..records.cost import expected_seconds
from ..records.store import Record, Status, Store
from ..specs.evaluation import Evaluation
from ..specs.evaluation_study import EvaluationStudy
from ..specs.spec import Spec
from ..specs.study import Scale, Study
from ..specs.tasks import TASKS, Head
from ..specs.trial import Pruning
from ..wording import duration_text, listing
from . import needs, scheduler
from .scheduler import Progress, missing, models_first

#: Seconds between two reports, and what a trial is taken to last where none has a record.
_BEAT, _GUESS = 0.5, 60.0
#: By a model that a notebook takes unless another is named, and that is fetched, one that comes with this package.
_STAND_INS = {"minilm-l6": "bert-2x128-100-0"}


def checked_study(study: Study, head: Head | None = None) -> Study:
    """Return the study, once it is clear that its tasks exist, of the kind that it asks for, and that its models may.

    Args:
        study: the study of a figure, on the models and tasks that were named.
        head: the head that all tasks need, of a figure that shows what tasks with others lack; None for any.

    Raises:
        InputError: a task is unknown or needs another head, or a model is neither known here nor an id of the hub nor a
            folder.
    """
    get = likelihood_tasks.get if isinstance(study, EvaluationStudy) else tasks.get
    for name in study.tasks:
        task = get(name)
        if head is not None and getattr(task, "head", None) is not head:
            fitting = listing([row.name for row in TASKS.values() if row.head is head])
            raise InputError(f"task {name!r} is of another kind than {study.figure} shows: choose from {fitting}")
    for model in study.models:
        loading.check_name(model)
    return study


def model_at_hand(name: str) -> str:
    """Return the model whose weights a notebook's steps use, so that by default no notebook fetches anything.

    Args:
        name: the model that the notebook is about.

    Returns:
        The model itself; a small one that comes with this package in place of a default whose files are not here yet.

    >>> model_at_hand("bert-2x128-100-0")
    'bert-2x128-100-0'
    """
    stand_in = _STAND_INS.get(name)
    if stand_in is None:
        return name
    packaged = MODELS[name].archive
    return name if packaged and packaged[0].path.exists() else stand_in


def unrecorded(
    study: Study, records: Mapping[str, Record], prunings: Sequence[Pruning], on: Iterable[str]
) -> list[Spec]:
    """Return the trials, or evaluations, that a point of a figure needs and that have no record.

    They are, for each model and each of its tasks where no seed has records of all prunings: one seed of them, and the
    dense model of that seed. At tiny scale, where nothing is committed, all of the study that is missing as well.

    Args:
        study: whose models, seeds and training they have.
        records: by id, those that exist.
        prunings: what the point is of.
        on: the tasks to look at.
    """
    trials: list[Spec] = []
    for model in study.models:
        for task in on:
            if task not in study.tasks_of(model):
                continue
            by_seed = [
                [study.trial(model, task, pruning, seed) for pruning in prunings]
                for seed in study.seeds_of(model, task)
            ]
            # a model with seeds of its own has none left where others are asked for
            if by_seed and not any(all(trial.id in records for trial in of_seed) for of_seed in by_seed):
                first = study.seeds_of(model, task)[0]
                trials += [study.trial(model, task, Pruning(), first), *by_seed[0]]
    trials += study.specs() if study.scale == Scale.TINY else []
    return missing(trials, records)


def run(
    specs: Iterable[Spec],
    scale: str,
    say: Callable[[str], None] = print,
    progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Record]:
    """Run specs, or read their records if they were run before, and return the records by id.

    Args:
        specs: trials, evaluations, measurements and pre-trainings.
        scale: ``tiny``, ``lab`` or ``paper``: records of each are kept by themselves.
        say: takes a line, of what is run and of what went wrong.
        progress: called after each spec that is run.

    Raises:
        InputError: a model or a task cannot be had.
    """
    folder = cache_folder() / "live" / scale
    pretrainings, others = models_first(specs)
    records = _run_missing(pretrainings, Store(folder / "pretraining"), say, progress)
    by_model: dict[str, list[Spec]] = {}
    for spec in others:
        by_model.setdefault(spec.model, []).append(spec)
    for model, of_model in by_model.items():
        # A folder or a branch of the hub may hold other weights tomorrow, under the same name.
        records |= _run_missing(of_model, Store(folder / loading.locate(model).weights), say, progress)
    for record in records.values():
        if record.status != Status.OK:
            say(f"{record.spec}: {record.status}, {record.reason}")
    return records


def run_for(study: Study, records: Mapping[str, Record], specs: Iterable[Spec]) -> dict[str, Record]:
    """Run what a notebook needs, as ``run`` does, and say before what is run and fetched, and how long that takes.

    Args:
        study: the notebook's study.
        records: by id, those that exist.
        specs: what the notebook needs; where there are none, nothing is said.
    """
    listed = list(specs)
    if listed:
        print(needs.sentence(study, records, listed))
    return run(listed, study.scale)


def run_with_progress(
    specs: Sequence[Spec], study: Study, records: Mapping[str, Record], tell: Callable[[float, Sequence[str]], None]
) -> tuple[dict[str, Record], set[str]]:
    """Run specs as ``run`` does, and report twice a second: between one spec and the next by the clock alone.

    Args:
        specs: trials, measurements and pre-trainings.
        study: whose records say how long a trial takes.
        records: by id, those that exist.
        tell: takes the share that is done, from 0 to 1, and lines of what is run, what went wrong and how long it
            takes. It is called from another thread too, since what runs keeps this one busy.

    Returns:
        The records by id, and the ids of those that were made now rather than read.

    Raises:
        InputError: a model or a task cannot be had.
    """
    if not specs:
        tell(1.0, ["Nothing had to be run: there are records."])
        return {}, set()
    lines: list[str] = []
    made: set[str] = set()
    started = last = time.monotonic()
    done = 0
    timed = [spec for spec in study.specs() if spec.id in records]
    expected = expected_seconds([*timed, *specs], dict(records))
    about = f", of about {duration_text(expected)} where the records were made" if expected else ""

    def report() -> None:
        now = time.monotonic()
        part = min(0.95, (now - last) * len(specs) / (expected or _GUESS * len(specs)))
        state = f"{done} of {len(specs)} done in {duration_text(now - started)}{about}"
        tell((done + part) / len(specs), [*lines, state])

    def count(progress: Progress) -> None:
        nonlocal done, last
        done, last = len(specs) - progress.left, time.monotonic()
        if progress.record is not None:
            made.add(progress.record.spec.id)

    with _every(_BEAT, report):
        new = run(specs, study.scale, lines.append, count)
    nothing = "Nothing had to be run: it was before, and is kept."
    ended = f"Run in {duration_text(time.monotonic() - started)}." if made else nothing
    tell(1.0, [*lines, ended])
    return new, made


@contextmanager
def _every(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call a function every so many seconds, in a thread, until the block has ended."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(seconds):
            call()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _run_missing(
    specs: Sequence[Spec], store: Store, say: Callable[[str], None], progress: Callable[[Progress], None]
) -> dict[str, Record]:
    """Run the specs that have no record in the store, and return the records of all."""
    if not specs:
        return {}
    new = missing(specs, store.records_of(*specs), retry=True)
    if new:
        say(f"Running {len(new)} {_kind(new)} that have no record: {new[0]}" + (", …" if len(new) > 1 else ""))
        scheduler.run(new, store, retry=True, progress=progress)
    records = store.records_of(*specs)
    return {spec.id: records[spec.id] for spec in specs if spec.id in records}


def _kind(specs: Iterable[Spec]) -> str:
    """Return what specs are called together."""
    return "evaluations" if all(isinstance(spec, Evaluation) for spec in specs) else "trials"
