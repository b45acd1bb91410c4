"""Trials that a reader asks for in a notebook: run now, kept in the cache, so that asking again costs nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .. import tasks
from ..files import cache_folder
from ..models import loading
from ..records.cost import expected_seconds
from ..records.store import Record, Store
from ..specs.pretraining import Pretraining
from ..specs.spec import Spec
from ..specs.study import Study
from ..specs.trial import Pruning
from ..wording import duration_text

if TYPE_CHECKING:
    from .scheduler import Progress

#: Seconds between two looks at the clock, and what a trial is taken to last where none has a record.
_BEAT, _GUESS = 0.5, 60.0


def checked(study: Study) -> Study:
    """The study, if all its models and tasks can be meant.

    Raises:
        InputError: a task is unknown, or a model is neither known here nor an id of the hub nor a folder.
    """
    for task in study.tasks:
        tasks.get(task)
    for model in study.models:
        loading.check_name(model)
    return study


def wanted(study: Study, records: Mapping[str, Record], prunings: Sequence[Pruning], on: Iterable[str]) -> list[Spec]:
    """The trials that a point needs and no record has.

    For each model, on each of its tasks among ``on`` where no seed has records of all ``prunings``: one seed of them,
    and the dense model of that seed. At tiny scale, where nothing is committed, all of the study that is missing as
    well.
    """
    trials: list[Spec] = []
    for model in study.models:
        for task in (task for task in on if task in study.tasks_of(model)):
            by_seed = [[study.trial(model, task, p, seed) for p in prunings] for seed in study.seeds_of(model)]
            if not any(all(trial.id in records for trial in own) for own in by_seed):
                trials += [by_seed[0][0].at(0.0), *by_seed[0]]
    trials += study.specs() if study.scale == "tiny" else []
    return list({t.id: t for t in trials if t.id not in records}.values())


def run(
    trials: Iterable[Spec],
    scale: str,
    say: Callable[[str], None] = print,
    progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Record]:
    """Run trials, or read them back if they were run before, and say what is going on.

    Args:
        say: takes a line, of what is run and of what went wrong.
        progress: called after each trial that is run.

    Raises:
        InputError: a model or a task cannot be had.
    """
    folder = cache_folder() / "live" / scale
    todo = list(trials)
    # models first: what is done with them needs their weights
    found = _kept([one for one in todo if isinstance(one, Pretraining)], Store(folder / "pretraining"), say, progress)
    by_model: dict[str, list[Spec]] = {}
    for one in todo:
        if not isinstance(one, Pretraining):
            by_model.setdefault(one.model, []).append(one)
    for model, own in by_model.items():
        # A folder or a branch of the hub may hold other weights tomorrow, under the same name.
        found |= _kept(own, Store(folder / loading.locate(model).weights), say, progress)
    for record in found.values():
        if record.status != "ok":
            say(f"{record.spec}: {record.status}, {record.reason}")
    return found


def watched(
    todo: Sequence[Spec], study: Study, records: Mapping[str, Record], tell: Callable[[float, Sequence[str]], None]
) -> tuple[dict[str, Record], set[str]]:
    """As ``run``, told of twice a second: between one trial and the next the clock alone says how far it is.

    Args:
        study: whose records say how long a trial takes.
        tell: takes the share that is done, from 0 to 1, and lines of what is run, what went wrong and how long it
            takes. It is called from another thread too, since what runs keeps this one busy.

    Returns:
        The records, and the ids of those that were made now rather than read back.

    Raises:
        InputError: a model or a task cannot be had.
    """
    if not todo:
        tell(1.0, ["Nothing had to be run: there are records."])
        return {}, set()
    lines: list[str] = []
    made: set[str] = set()
    begun = last = time.monotonic()
    done = 0
    there = [trial for trial in study.specs() if trial.id in records]
    expected = expected_seconds([*there, *todo], dict(records))
    about = f", of about {duration_text(expected)} where the records were made" if expected else ""

    def look() -> None:
        now = time.monotonic()
        part = min(0.95, (now - last) * len(todo) / (expected or _GUESS * len(todo)))
        tell((done + part) / len(todo), [*lines, f"{done} of {len(todo)} done in {duration_text(now - begun)}{about}"])

    def count(told: Progress) -> None:
        nonlocal done, last
        done, last = len(todo) - told.left, time.monotonic()
        if told.record is not None:
            made.add(told.record.spec.id)

    with _every(_BEAT, look):
        found = run(todo, study.scale, lines.append, count)
    nothing = "Nothing had to be run: it was before, and is kept."
    ended = f"Run in {duration_text(time.monotonic() - begun)}." if made else nothing
    tell(1.0, [*lines, ended])
    return found, made


@contextmanager
def _every(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call it every so many seconds, in a thread of its own, until what is within has ended."""
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


def _kept(
    todo: Sequence[Spec], store: Store, say: Callable[[str], None], progress: Callable[[Progress], None]
) -> dict[str, Record]:
    """The records of these, from the store or made now."""
    if not todo:
        return {}
    from . import scheduler as runner

    new = runner.missing(todo, store.records_of(*todo), retry=True)
    if new:
        say(f"Running {len(new)} trials that have no record: {new[0]}" + (", …" if len(new) > 1 else ""))
        runner.run(new, store, retry=True, progress=progress)
    kept = store.records_of(*todo)
    return {one.id: kept[one.id] for one in todo if one.id in kept}
