"""Trials that a reader asks for in a notebook: run now, kept in the cache, so that asking again costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import models, tasks
from .files import cache_folder
from .study.grid import Study
from .study.store import Record, Store
from .study.trial import Pruning, Trial


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


def wanted(study: Study, records: Mapping[str, Record], sparsity: float, on: Iterable[str]) -> list[Trial]:
    """The trials that a point of one-shot magnitude pruning needs and no record has.

    For each model, on each of its tasks among ``on`` that has no record at this sparsity: one seed there, and the dense
    model of that seed. At tiny scale, where nothing is committed, all of the study that is missing as well.
    """
    asked = Pruning(sparsity)
    pairs = [
        (study.trial(model, task, Pruning(), seeds[0]), study.trial(model, task, asked, seeds[0]))
        for model in study.models
        for seeds in [study.seeds_of(model)]
        for task in on
        if task in study.tasks_of(model)
        and not any(study.trial(model, task, asked, seed).id in records for seed in seeds)
    ]
    trials = [trial for pair in pairs for trial in pair] + (study.asked() if study.scale == "tiny" else [])
    return list({t.id: t for t in trials if t.id not in records}.values())


def run(trials: Iterable[Trial], scale: str) -> dict[str, Record]:
    """Run trials, or read them back if they were run before, and say what is going on.

    Raises:
        InputError: a model or a task cannot be had.
    """
    from . import run as runner  # the bench: torch is imported here, and only if something is to be run

    found: dict[str, Record] = {}
    by_model: dict[str, list[Trial]] = {}
    for trial in trials:
        by_model.setdefault(trial.model, []).append(trial)
    for model, todo in by_model.items():
        # A folder or a branch of the hub may hold other weights tomorrow, under the same name.
        store = Store(cache_folder() / "live" / scale / models.locate(model).weights)
        new = runner.missing(todo, store.records(), retry=True)
        if new:
            print(f"Running {len(new)} trials that have no record: {new[0]}" + (", …" if len(new) > 1 else ""))
            runner.run(new, store, retry=True)
        kept = store.records()
        found |= {trial.id: kept[trial.id] for trial in todo if trial.id in kept}
    for record in found.values():
        if record.status != "ok":
            print(f"{record.trial}: {record.status}, {record.reason}")
    return found
