"""What a sweep's report states: every number once, unrounded and as it is written, for the page and for the summary."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...analysis.curve import Curve
from ...analysis.estimate import Estimate
from ...analysis.scoring import LOG_PROBABILITY
from ...records.summary import counted, origins
from ...specs.trial import Trial
from ...texts import printable
from ..result import SweepResult
from .levels import Failure, Level, failures_of, levels_of
from .noise import Noise, noise_of
from .places import Place, Shown, places_of
from .unit import LossUnit
from .words import HEADINGS, limit_of

#: The metric that losses are named after where nothing was measured.
_USUAL_METRIC = "accuracy"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a report states. Texts are printable; numbers are unrounded, and NaN where they are unknown.

    Attributes:
        model: the model.
        data: what the data are called.
        outcome: how far the sweep came.
        heading: the outcome in plain words.
        sentence: the answer in one sentence.
        limit: what limits the answer: sentences.
        reason: why the sweep ended.
        essential: the essential sparsity, from 0 to 1, with its text in percent.
        tolerance: the loss that is tolerated, in the unit of the losses.
        tolerance_text: the same in words.
        precision: the widest interval that was asked for, from 0 to 1.
        metric: the name of the metric.
        unit: what losses are stated in.
        examples: the number of test examples; 0 where nothing was measured.
        floor: the loss of a model that learned nothing, in the unit of the losses; NaN where it is not known.
        seeds: the seeds of the sweep.
        levels: what is known at each sparsity, rising.
        places: where the slider stops.
        start: the number of the place that the slider begins at.
        failures: trials that diverged or failed.
        noise: how far chance moves the losses.
        settings: what was done.
        notes: what there is to say of the data.
        command: the command that goes on.
        saved: the folder of the saved model.
        provenance: where the records come from.
        versions: the versions of Python and of packages that records were made with.
        seconds: computing time, summed over the records.
        records: the number of records.
    """

    model: str
    data: str
    outcome: str
    heading: str
    sentence: str
    limit: tuple[str, ...]
    reason: str
    essential: Shown
    tolerance: float
    tolerance_text: str
    precision: float
    metric: str
    unit: LossUnit
    examples: int
    floor: float
    seeds: tuple[int, ...]
    levels: tuple[Level, ...]
    places: tuple[Place, ...]
    start: int
    failures: tuple[Failure, ...]
    noise: Noise
    settings: dict[str, str]
    notes: tuple[str, ...]
    command: str
    saved: str
    provenance: dict[str, str]
    versions: dict[str, list[str]]
    seconds: float
    records: int

    @property
    def has_curve(self) -> bool:
        """Whether there is anything to draw: losses at two levels or more."""
        return bool(self.places)


def facts_of(result: SweepResult) -> Facts:
    """Return all that the report of a sweep states."""
    curve = result.curve
    metric = _USUAL_METRIC if curve is None else curve.metric
    unit = LossUnit.of(metric, result.tolerance)
    losses = [] if curve is None else unit.losses(curve)
    outcome = result.answer.outcome
    places = () if curve is None else places_of(curve, losses, unit, result.tolerance.value, outcome)
    essential = result.answer.essential
    last = math.inf if curve is None else float(curve.levels.max())
    notes = [record.provenance for record in result.records]
    versions = _versions(notes)
    levels = levels_of(result, losses, unit)
    return Facts(
        model=printable(result.model),
        data=printable(result.data),
        outcome=outcome.value,
        heading=HEADINGS[outcome],
        sentence=printable(result.sentence, None),
        limit=limit_of(result),
        reason=printable(result.reason, None),
        essential=Shown.of(essential, essential.text(1, 100, last) if essential.known else "unknown"),
        tolerance=result.tolerance.value,
        tolerance_text=result.tolerance.text(metric),
        precision=result.precision,
        metric=metric,
        unit=unit,
        examples=0 if curve is None else curve.examples,
        floor=_floor(curve, unit),
        seeds=() if curve is None else curve.seeds,
        levels=levels,
        places=places,
        start=_start(places, essential),
        failures=failures_of(result.records),
        noise=noise_of(curve, unit, essential, _is_trained(result)),
        settings={printable(name): printable(text, None) for name, text in result.settings.items()},
        notes=tuple(printable(note, None) for note in result.notes),
        command="\n".join(printable(line, None) for line in result.command.splitlines()),
        saved=printable(result.saved, None),
        provenance={name: printable(text) for name, text in _provenance(result, versions).items()},
        versions=versions,
        seconds=float(sum(note.get("seconds", 0) for note in notes)),
        records=len(result.records),
    )


def summary(facts: Facts) -> dict[str, Any]:
    """Return the facts as plain data for strict JSON: what is not finite is None."""
    return _plain(dataclasses.asdict(facts))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _floor(curve: Curve | None, unit: LossUnit) -> float:
    """Return the loss of a model that learned nothing, as it is shown; NaN where it is not known."""
    if curve is None or curve.metric == LOG_PROBABILITY:
        return math.nan
    dense = float(curve.scores[:, 0].mean())
    return unit.spread(curve, dense - curve.majority)


def _start(places: tuple[Place, ...], essential: Estimate) -> int:
    """Return the number of the place nearest to the essential sparsity; of the middle one where that is unknown."""
    if not essential.known or not places:
        return len(places) // 2
    return int(np.argmin([abs(place.sparsity - essential.value) for place in places]))


def _is_trained(result: SweepResult) -> bool:
    return any(isinstance(record.spec, Trial) for record in result.records)


def _provenance(result: SweepResult, versions: dict[str, list[str]]) -> dict[str, str]:
    """Return where the records come from, in words by name, with the versions of all packages."""
    if not result.records:
        return {}
    others = {name: ", ".join(found) for name, found in versions.items() if name not in ("torch", "transformers")}
    return {"records": counted(result.records), **origins(result.records), **others}


def _versions(notes: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the different versions of each package, in alphabetical order."""
    versions: dict[str, set[str]] = {}
    for note in notes:
        for package, version in note.get("versions", {}).items():
            versions.setdefault(printable(package), set()).add(printable(version))
    return {package: sorted(values) for package, values in sorted(versions.items())}
