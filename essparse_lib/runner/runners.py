"""What runs one spec, by its kind: checks what it needs, and makes its record without writing it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .. import environment
from ..errors import InputError, one_line
from ..records.store import Record, Status, Store
from ..specs.evaluation import Evaluation
from ..specs.measurement import Measurement
from ..specs.pretraining import ImagePretraining, TextPretraining
from ..specs.spec import Spec
from ..specs.trial import Trial
from . import evaluation, measurement, pretraining, trial, workbench


class Runner(Protocol):
    """What runs one kind of spec: a module of this package."""

    def checks(self, spec: Any, /) -> Mapping[Hashable, Callable[[], object]]:
        """Return what must be checked before the spec is run, by what the check depends on."""

    def run(self, spec: Any, store: Store, deadline: float | None, /) -> Record | None:
        """Run the spec; return its record, or None if the deadline came first or it cannot be made now."""


#: What runs a spec, by its kind.
RUNNERS: dict[type[Spec], Runner] = {
    Trial: trial,
    Evaluation: evaluation,
    Measurement: measurement,
    TextPretraining: pretraining,
    ImagePretraining: pretraining,
}


@dataclass(frozen=True)
class Refusal:
    """A spec that is left out, and why.

    Attributes:
        spec: the spec.
        reason: what it needs and cannot be had, in one line.
    """

    spec: Spec
    reason: str


def missing(specs: Iterable[Spec], records: Mapping[str, Record], retry: bool = False) -> list[Spec]:
    """Return the specs without a record (with ``retry`` also those that failed), each once."""
    by_id = {spec.id: spec for spec in specs}
    return [spec for id, spec in by_id.items() if id not in records or (retry and records[id].status == Status.FAILED)]


def checks_of(spec: Spec) -> Mapping[Hashable, Callable[[], object]]:
    """Return what must be checked before a spec is run, by what the check depends on."""
    return RUNNERS[type(spec)].checks(spec)


def checked(
    specs: Iterable[Spec],
    tolerant: bool,
    checks: Callable[[Spec], Mapping[Hashable, Callable[[], object]]] | None = None,
) -> tuple[list[Spec], list[Refusal]]:
    """Fetch and check what the specs need, each model, task, length and text of theirs once.

    Args:
        specs: what is to be run.
        tolerant: whether a spec that cannot be run is returned with the reason, rather than raised as an error.
        checks: returns what must be checked of a spec, by what it depends on; None for ``checks_of``.

    Returns:
        The specs that can be run, and those that cannot.

    Raises:
        InputError: one of them cannot be run, and ``tolerant`` is False.
    """
    reasons: dict[Hashable, str] = {}
    ready: list[Spec] = []
    refusals: list[Refusal] = []
    for spec in specs:
        of_spec = (checks or checks_of)(spec)
        for need, check in of_spec.items():
            if need in reasons:
                continue
            try:
                check()
                reasons[need] = ""
            except Exception as error:
                if not tolerant:
                    raise
                reasons[need] = reason_of(error)
        reason = next((reasons[need] for need in of_spec if reasons[need]), "")
        if reason:
            refusals.append(Refusal(spec, reason))
        else:
            ready.append(spec)
    return ready, refusals


def run_spec(spec: Spec, store: Store, deadline: float | None, sharing: int, tolerant: bool) -> Record | Refusal | None:
    """Run one spec in this process and return its record, which is not written yet.

    Args:
        spec: what is run.
        store: where the weights of a model that is trained from scratch are kept.
        deadline: when a pre-training is cut short, in seconds since the epoch; None for never.
        sharing: how many processes share this machine's cores and GPUs, this one included.
        tolerant: whether a spec that cannot be run is returned with the reason, or raises.

    Returns:
        The record; None if the deadline came first or it cannot be made now.
    """
    from ..training import device

    device.use_threads(_cores() // (sharing * environment.processes()))
    device.keep_memory()
    if sharing > 1:
        device.take_gpu()
    try:
        with workbench.current().sharing_trainings():
            return RUNNERS[type(spec)].run(spec, store, deadline)
    except Exception as error:
        if not tolerant:
            raise
        return Refusal(spec, reason_of(error))


def reason_of(error: Exception) -> str:
    """Return why a spec cannot be run, in one line."""
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {one_line(error)}"


def _cores() -> int:
    """Return how many cores this process may use: as OMP_NUM_THREADS says, or else all that the system gives it."""
    import joblib

    available: int = joblib.cpu_count()  # knows of affinities and of containers' quotas
    return min(environment.threads() or available, available)
