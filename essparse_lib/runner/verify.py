"""Run the specs of records again and hold what comes of it against the records; nothing is written.

A trial's record holds if its status and labels come out the same, and its score within ``UNITS`` units of the training
noise. A unit is the standard deviation from one training to the next, at the trial's level of its curve; it is taken as
``LEAST_NOISE`` points at least. Where the curve has one seed, the noise is not known, and the least is taken. On the
same device, at the same precision and with the same packages, all predictions should be identical: those that differ
are counted.

An evaluation trains nothing, so that its noise is the least; besides, the mean log-probability of its right answers may
differ by ``NATS`` at most.

A measurement's record holds if no number in it differs by more than ``TOLERANCE`` of itself, or 1 for whole numbers.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from .. import figures
from ..analysis.curves import curves
from ..analysis.scoring import LOG_PROBABILITY, metric_of
from ..errors import InputError
from ..records.metrics import MEANS
from ..records.pretrained import PRETRAINED, SCALE_OF, folder_of, store_of
from ..records.store import Record, Status, Store, results
from ..specs.evaluation import Evaluation
from ..specs.measurement import Measurement
from ..specs.study import Study
from ..specs.trial import Trial
from ..wording import listing, signed
from . import pretraining, sampling
from .runners import RUNNERS

#: Within how many units of training noise a score must be repeated.
UNITS = 3.0

#: The least training noise, in points: a score of a few hundred examples has no finer steps.
LEAST_NOISE = 0.2

#: The fraction of itself by which a measured number may differ: it is kept to four digits or more.
TOLERANCE = 1e-3

#: How far a mean log-probability may lie from the recorded one, in nats.
NATS = 0.05

#: What must be the same for two runs to be identical.
_ENVIRONMENT = ("device", "precision", "threads", "processes", "versions")


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """A record, and what came of its spec when it was run again.

    Attributes:
        recorded: the record.
        repeated: what came of it now.
        noise: the standard deviation, in points, from one training to the next; None where it is not known.
    """

    recorded: Record
    repeated: Record
    noise: float | None

    @property
    def holds(self) -> bool:
        """Whether the record holds, by the rule that this module states."""
        recorded, repeated = self.recorded, self.repeated
        if (recorded.status, recorded.labels) != (repeated.status, repeated.labels):
            return False
        if isinstance(recorded.spec, Measurement):
            return all(_alike(one, other) for one, other in self._values)
        if isinstance(recorded.spec, Evaluation) and not self._is_as_probable:
            return False
        difference = self.difference
        return difference is None or abs(difference) <= UNITS * (self.noise or LEAST_NOISE)

    @property
    def _log_probabilities(self) -> str:
        one, other = (each.metrics.get(LOG_PROBABILITY, math.nan) for each in (self.recorded, self.repeated))
        return f"mean log-probability {one:.3f} recorded, {other:.3f} now"

    @property
    def _is_as_probable(self) -> bool:
        """Whether the mean log-probabilities are alike, or neither run has one."""
        one, other = (each.metrics.get(LOG_PROBABILITY, math.nan) for each in (self.recorded, self.repeated))
        return self.recorded.status != Status.OK or abs(one - other) <= NATS

    @property
    def difference(self) -> float | None:
        """How much higher the score is now, in points to four decimals; None where there are no two scores."""
        name = self._metric
        if name is None or name not in self.repeated.metrics:
            return None
        return round(self.repeated.metrics[name] - self.recorded.metrics[name], 4)

    @property
    def text(self) -> str:
        """The comparison in one line."""
        recorded, repeated = self.recorded, self.repeated
        ending = "holds" if self.holds else "does not hold"
        if recorded.status != repeated.status:
            why = f" ({repeated.reason})" if repeated.reason else ""
            parts = [f"{recorded.status} recorded, {repeated.status} now{why}"]
        elif isinstance(recorded.spec, Measurement):
            pairs = self._values
            parts = [f"{sum(one != other for one, other in pairs):,} of {len(pairs):,} values differ"]
        else:
            parts = [f"{repeated.status} again"] if self.difference is None else [self._scores, self._predictions]
            parts += [self._log_probabilities] if isinstance(recorded.spec, Evaluation) else []
        parts += [f"made with other {name}" for name in ("weights", "data") if self._differs(name)]
        return f"{recorded.spec}: {'; '.join(parts)}: {ending}"

    @property
    def _metric(self) -> str | None:
        return metric_of(self.recorded) if self.recorded.status == Status.OK else None

    @property
    def _scores(self) -> str:
        name, difference = self._metric, self.difference
        assert name is not None and difference is not None
        units = "no noise is known, as the curve has one seed"
        if isinstance(self.recorded.spec, Evaluation):
            units = "nothing is trained"
        if self.noise is not None:
            units = f"{abs(difference) / self.noise:.1f} units of training noise ({self.noise:.2f} points)"
        scores = f"{name} {self.recorded.metrics[name]:.2f} recorded, {self.repeated.metrics[name]:.2f} now"
        return f"{scores}, {signed(difference, 2)} points, {units}"

    @property
    def _predictions(self) -> str:
        if self.recorded.labels != self.repeated.labels:
            return "the labels differ"
        width = 2 if self._metric in MEANS else 1
        pairs = list(zip(*(_pieces(each.predictions, width) for each in (self.recorded, self.repeated)), strict=False))
        count = sum(one != other for one, other in pairs)
        alike = count and not any(map(self._differs, _ENVIRONMENT))
        though = ", though device, precision and packages are the same" if alike else ""
        return f"{count:,} of {len(pairs):,} predictions differ{though}"

    @property
    def _values(self) -> list[tuple[object, ...]]:
        return list(zip_longest(*(_leaves(each.values) for each in (self.recorded, self.repeated))))

    def _differs(self, name: str) -> bool:
        return self.recorded.provenance.get(name) != self.repeated.provenance.get(name)


def verify(
    figure: str | None,
    scale: str,
    sample: int,
    seed: int | None = None,
    with_pretraining: bool = False,
    against: Path | None = None,
    within: float | None = None,
    tell: Callable[[str], None] = print,
) -> list[Repetition]:
    """Run the specs of some records again, drawn at random, and say of each what came of it.

    Drawn are trials that did not fail, and measurements that need no training. Models that are trained from scratch
    here and whose weights are not there are left out, since training one takes hours.

    Args:
        figure: name of the figure whose records to draw from; None for all figures.
        scale: ``tiny``, ``lab`` or ``paper``.
        sample: how many records to draw.
        seed: of the draw; None for one that is drawn itself.
        with_pretraining: train models whose weights are not there, rather than leave them out.
        against: a folder of records, with one for each scale in it; what has a record there is not drawn.
        within: draw only what should take so many seconds at most on this machine.
        tell: called with each line of the report.

    Returns:
        What was run again, in that order; nothing where ``against`` or ``within`` leave nothing.

    Raises:
        DamagedRecord: a record is damaged; nothing is run then.
        InputError: there is no such figure or scale, there are no such records, or none of those that were drawn can be
            run again.
    """
    by_name = figures.studies(["all" if figure is None else figure], scale)
    studies = [part for study in by_name for part in (study, *study.controls)]
    store = results(scale)
    records = store.records_of_studies(*studies)
    earlier = None if against is None else against / scale
    drawable = sampling.narrowed(sampling.drawable(studies, records), earlier, within, tell)
    absent = sorted({r.spec.model for r in drawable if r.spec.model in SCALE_OF and folder_of(r.spec.model) is None})
    if absent and not with_pretraining:
        kept = [record for record in drawable if record.spec.model not in absent]
        left_out = f"{len(drawable) - len(kept):,} records are left out, as these weights are not there"
        tell(f"{left_out}: {listing(absent)} (--with-pretraining trains them, which takes hours)")
        drawable = kept
    if not drawable and (earlier or within):
        return []
    if not drawable:
        lacking = f"{figure} has no record" if figure else "no figure has a record"
        raise InputError(f"{lacking} at {scale} scale that can be run again: run it first")
    seed = random.randrange(2**32) if seed is None else seed
    drawn = random.Random(seed).sample(drawable, min(sample, len(drawable)))
    tell(f"{len(drawn):,} of {len(drawable):,} records at {scale} scale, drawn with seed {seed}")
    repetitions, reasons = [], []
    for record in drawn:
        try:
            repeated = _repeated(record, store)
        except InputError as error:
            reasons.append(str(error))
            tell(f"{record.spec}: skipped: {error}")
            continue
        deviation = training_noise(record.spec, studies, records) if isinstance(record.spec, Trial) else None
        repetitions.append(Repetition(recorded=record, repeated=repeated, noise=deviation))
        tell(repetitions[-1].text)
    if not repetitions:
        raise InputError(f"none of {len(drawn):,} records could be run again: {reasons[0]}")
    skipped = f"; {len(reasons):,} skipped" if reasons else ""
    tell(f"{sum(each.holds for each in repetitions):,} of {len(repetitions):,} records hold{skipped}")
    return repetitions


def training_noise(trial: Trial, studies: Iterable[Study], records: Mapping[str, Record]) -> float | None:
    """Return the standard deviation, in points, from one training to the next at a trial's level of its curve.

    Args:
        trial: the trial.
        studies: the studies to look for its curve in; the first that has one with two seeds counts.
        records: records by the id of their spec.

    Returns:
        ``LEAST_NOISE`` or more; None where no curve has two seeds.
    """
    for study in studies:
        if all(each.id != trial.id for each in study.trials()):
            continue
        named = [name for name in study.variants_of(trial.model) if trial.pruning in study.variants[name]]
        variant = named[0] if named else study.main
        alone = Study(
            figure=study.figure,
            scale=study.scale,
            models=(trial.model,),
            tasks=(trial.task,),
            training={trial.task: trial.training},
            variants={variant: study.variants[variant]},
            seeds=study.seeds_of(trial.model, trial.task),
        )
        for curve in curves(alone, records):
            if len(curve.seeds) > 1 and trial.pruning in curve.prunings:
                deviation = float(curve.training_sd[curve.prunings.index(trial.pruning)])
                return max(deviation, LEAST_NOISE)
    return None


def _repeated(record: Record, store: Store) -> Record:
    """Return what comes of a record's spec now, on as many CPU threads; the store is left as it is."""
    from ..training import device

    spec = record.spec
    if spec.model in SCALE_OF and folder_of(spec.model) is None:
        folder = store_of(spec.model).pretrained(spec.model)
        trained = PRETRAINED[SCALE_OF[spec.model]][spec.model]
        pretraining.pretrain(trained, folder)
        pretraining.forget(trained)
    if "threads" in record.provenance:
        device.use_threads(record.provenance["threads"])
    repeated = RUNNERS[type(spec)].run(spec, store, None)
    assert repeated is not None
    return Record.from_line(repeated.line())  # as it would be read: pairs are lists then


def _leaves(value: Any) -> Iterator[object]:
    """Yield all that is in plain data, with the names and lengths that give it its shape."""
    if isinstance(value, Mapping):
        for name, entry in sorted(value.items()):
            yield name
            yield from _leaves(entry)
    elif isinstance(value, list):
        yield f"{len(value)} entries"
        for entry in value:
            yield from _leaves(entry)
    else:
        yield value


def _alike(one: object, other: object) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        whole = isinstance(one, int) and isinstance(other, int)
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1 if whole else 1e-9)
    return one == other


def _pieces(text: str, width: int) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)]
