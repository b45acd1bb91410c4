"""What runs each kind of spec, and what each spec needs: fetched and checked before the first is run."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import InputError, one_line
from ..records.store import Record, Store
from ..specs.evaluation import Evaluation
from ..specs.measurement import Measurement
from ..specs.pretraining import ImagePretraining, TextPretraining
from ..specs.spec import Spec
from ..specs.trial import Trial
from . import evaluation, measurement, pretraining, trial


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
        specs: the specs.
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


def reason_of(error: Exception) -> str:
    """Return why a spec cannot be run, in one line."""
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {one_line(error)}"
