"""Trials that a reader asks for in a notebook: run now, kept in the cache, so that asking again costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from . import models, tasks
from .files import cache_folder
from .study.asked import Asked
from .study.grid import Study
from .study.pretraining import FromScratch
from .study.store import Record, Store
from .study.trial import Pruning


def checked(study: Study) -> Study:
    """The study, if all its models and tasks can be meant.

    Raises:
        InputError: a task is unknown, or a model is neither known here nor an id of the hub nor a folder.
    """
    for task in study.tasks:
        tasks.get(task)
    for model in study.models:
        models.check_name(model)
    return study


def wanted(study: Study, records: Mapping[str, Record], prunings: Sequence[Pruning], on: Iterable[str]) -> list[Asked]:
    """The trials that a point needs and no record has.

    For each model, on each of its tasks among ``on`` where no seed has records of all ``prunings``: one seed of them,
    and the dense model of that seed. At tiny scale, where nothing is committed, all of the study that is missing as
    well.
    """
    trials: list[Asked] = []
    for model in study.models:
        for task in (task for task in on if task in study.tasks_of(model)):
            by_seed = [[study.trial(model, task, p, seed) for p in prunings] for seed in study.seeds_of(model)]
            if not any(all(trial.id in records for trial in own) for own in by_seed):
                trials += [by_seed[0][0].at(0.0), *by_seed[0]]
    trials += study.asked() if study.scale == "tiny" else []
    return list({t.id: t for t in trials if t.id not in records}.values())


def run(trials: Iterable[Asked], scale: str) -> dict[str, Record]:
    """Run trials, or read them back if they were run before, and say what is going on.

    Raises:
        InputError: a model or a task cannot be had.
    """
    folder = cache_folder() / "live" / scale
    todo = list(trials)
    # models first: what is done with them needs their weights
    found = _kept([one for one in todo if isinstance(one, FromScratch)], Store(folder / "pretraining"))
    by_model: dict[str, list[Asked]] = {}
    for one in todo:
        if not isinstance(one, FromScratch):
            by_model.setdefault(one.model, []).append(one)
    for model, own in by_model.items():
        # A folder or a branch of the hub may hold other weights tomorrow, under the same name.
        found |= _kept(own, Store(folder / models.locate(model).weights))
    for record in found.values():
        if record.status != "ok":
            print(f"{record.trial}: {record.status}, {record.reason}")
    return found


def _kept(todo: Sequence[Asked], store: Store) -> dict[str, Record]:
    """The records of these, from the store or made now."""
    if not todo:
        return {}
    from . import run as runner  # the bench: torch is imported here, and only if something is to be run

    new = runner.missing(todo, store.records(), retry=True)
    if new:
        print(f"Running {len(new)} trials that have no record: {new[0]}" + (", …" if len(new) > 1 else ""))
        runner.run(new, store, retry=True)
    kept = store.records()
    return {one.id: kept[one.id] for one in todo if one.id in kept}
