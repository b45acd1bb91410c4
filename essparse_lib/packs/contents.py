"""What a pack is made of: a copy of the package with the records that there are, and a cache that runs have filled."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .. import environment
from ..files import cache_folder, writable
from ..models import loading
from ..records.pretrained import SCALE_OF, folder_of, reads
from ..records.store import Store, results
from ..runner import runners, workbench
from ..runner.provenance import REVISION, code_revision
from ..runner.runners import Refusal
from ..sources.gathering import gathering
from ..specs.evaluation import Evaluation
from ..specs.measurement import Measurement
from ..specs.models import Reads
from ..specs.pretraining import Pretraining
from ..specs.scale import Scale
from ..specs.spec import Spec
from ..specs.trial import Trial

_Checks = Mapping[Hashable, Callable[[], object]]


def copy_package(target: Path) -> None:
    """Copy this package into a folder, with the revision of its code, and without records.

    Raises:
        InputError: the folder cannot be written.
    """
    source = Path(__file__).parents[1]
    with writable(target):
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "_results"))
        (target / REVISION).write_text(code_revision() + "\n", encoding="utf-8")


def copy_records(specs: Sequence[Spec], scale: str, package: Path, cache: Path) -> int:
    """Copy the records of specs, and the weights of models that are trained here, to where a run of the copy has them.

    Args:
        specs: the specs.
        scale: their scale.
        package: the copy of the package.
        cache: the cache that goes with it.

    Returns:
        The number of records.

    Raises:
        InputError: a record is damaged, or the folders cannot be written.
    """
    target = Store(cache / "results" / scale if scale == Scale.TINY else package / "_results" / scale)
    records = results(scale).records_of(*specs)
    ids = {spec.id for spec in specs}
    added = target.merge(record for name, record in records.items() if name in ids).added
    for model in sorted({spec.model for spec in specs} & SCALE_OF.keys()):
        if folder := folder_of(model):
            with writable(target.folder):
                shutil.copytree(folder, target.pretrained(model))
    shutil.rmtree(target.folder / ".locks", ignore_errors=True)
    return added


def gather(specs: Sequence[Spec], cache: Path) -> list[Refusal]:
    """Fill a cache with what runs of specs read, by doing in it what a run does before its first spec.

    This machine's usual cache, mirrors and the hub's cache are used before anything is fetched.

    Args:
        specs: the specs.
        cache: the folder of the cache, which is made.

    Returns:
        The specs that cannot be run, since something that they need cannot be had.
    """
    untrained = {spec.model for spec in specs if isinstance(spec, Pretraining) and folder_of(spec.model) is None}
    checks = partial(_needs, untrained=untrained)
    with gathering(cache_folder()), _cache_at(cache):
        _, refusals = runners.checked(specs, tolerant=True, checks=checks)
    for lock in cache.rglob(".*.lock"):
        lock.unlink()
    return refusals


def of_images(spec: Spec) -> bool:
    """Return whether a spec's model reads images."""
    return reads(spec.model) is Reads.IMAGES


def _needs(spec: Spec, untrained: set[str]) -> _Checks:
    """Return what fetches all that a spec needs, by what it depends on.

    A model that is trained before is not there yet: what its spec reads besides is fetched.
    """
    if isinstance(spec, Pretraining):
        return runners.checks_of(spec)
    if spec.model in untrained:
        return _data(spec)
    # a measurement looks for its weights when they are measured
    return {("weights", spec.model): partial(loading.locate, spec.model), **runners.checks_of(spec)}


def _data(spec: Spec) -> _Checks:
    """Return what fetches the data of a spec, and of the trials that it measures."""
    if isinstance(spec, Evaluation):
        return {(spec.task, spec.prompting): partial(_questions, spec)}
    trials = spec.trials if isinstance(spec, Measurement) else (spec,)
    places = [(trial.task, trial.training.held_out) for trial in trials if isinstance(trial, Trial)]
    if isinstance(spec, Measurement) and spec.task:
        places.append((spec.task, None))
    return {("data", *place): partial(_load, *place) for place in places}


def _load(task: str, held_out: int | None) -> None:
    workbench.current().data(task, held_out)


def _questions(evaluation: Evaluation) -> None:
    workbench.current().questions(evaluation.task, evaluation.prompting)


@contextmanager
def _cache_at(folder: Path) -> Iterator[None]:
    """Let the cache be another folder within the block; what was found in one is not remembered in the other."""

    def forget() -> None:
        loading.forget()
        workbench.renew()

    forget()
    try:
        with environment.cache_at(folder):
            yield
    finally:
        forget()
