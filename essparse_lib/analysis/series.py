"""Series of snapshots of the weights during pre-training: their zeros, norms and losses."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..records.store import Record, Status
from ..specs.measurement import MeasurementKind
from ..specs.pretraining import TextPretraining
from ..specs.study import Study
from .change_point import MIN_POINTS, SHARE, ChangePoint, find_change_point
from .measured import measured

#: Fewest snapshots of a pre-training in which ``find_change_point`` can tell a jump from a bend.
MIN_SNAPSHOTS = MIN_POINTS

#: How many standard errors of a count the smallest jump that counts must be, to be seen.
_CLEAR_ERRORS = 4

#: The names that the MultiBERTs' checkpoints have on the hub.
_CHECKPOINT = re.compile(r"(?P<run>.*seed_(?P<seed>\d+))-step_(?P<thousands>\d+)k")


@dataclass(frozen=True, kw_only=True)
class Series:
    """Snapshots of the weights during one pre-training.

    Attributes:
        name: name of the model.
        fraction: share of the corpus's text that the model is trained on, from 0 to 1.
        seed: seed of the pre-training.
        steps: training steps done at each snapshot, shape (snapshots,).
        places: block, component and number of weights of each prunable matrix.
        zeros: number of weights that are zero, by reading, shape (snapshots, matrices).
        norms: Euclidean norm of each matrix, shape (snapshots, matrices).
        effective: largest share of the weights that can go and leave 99% of the squared norm, shape (snapshots,).
        loss: mean training loss since the snapshot before, in nats a token, shape (snapshots,); NaN where unknown.
        held_out: loss on text that is not trained on, in nats a token, shape (snapshots,); NaN where unknown.
        complete: whether all snapshots exist; not so if the training diverged.
    """

    name: str
    fraction: float
    seed: int
    steps: np.ndarray
    places: tuple[tuple[int, str, int], ...]
    zeros: Mapping[str, np.ndarray]
    norms: np.ndarray
    effective: np.ndarray
    loss: np.ndarray
    held_out: np.ndarray
    complete: bool

    @property
    def label(self) -> str:
        """Share of the text and seed of the pre-training, in words."""
        return f"{self.fraction:.0%}, seed {self.seed}"

    def share(self, reading: str, component: str | None = None, block: int | None = None) -> np.ndarray:
        """Return the fraction of the prunable weights that is zero at each snapshot, shape (snapshots,).

        Args:
            reading: name of the reading of zero.
            component: only matrices of this component; None for all.
            block: only matrices of this block; None for all.
        """
        chosen = self._chosen(component, block)
        return self.zeros[reading][:, chosen].sum(1) / self._sizes[chosen].sum()

    def norm(self, component: str | None = None, block: int | None = None) -> np.ndarray:
        """Return the Euclidean norm of the prunable weights at each snapshot, shape (snapshots,).

        Args:
            component: only matrices of this component; None for all.
            block: only matrices of this block; None for all.
        """
        return np.sqrt((self.norms[:, self._chosen(component, block)] ** 2).sum(1))

    def jump(self, reading: str) -> ChangePoint:
        """Return the clearest jump of the number of zeros by a reading.

        The error of a count is taken to be that of independent weights: the binomial standard deviation.
        """
        counts = self.zeros[reading].sum(1)
        return find_change_point(self.steps, counts, error=self._error(counts))

    def could_jump(self, reading: str) -> bool:
        """Return whether a jump by a reading could have been seen, had there been one.

        The smallest jump that counts, a fifth of the range of the counts, must be four standard errors of a count. A
        series of a handful of weights cannot show one.
        """
        counts = self.zeros[reading].sum(1)
        return bool(SHARE * np.ptp(counts) >= _CLEAR_ERRORS * self._error(counts) > 0)

    def _error(self, counts: np.ndarray) -> float:
        """Return the largest standard error of counts of independent weights: the binomial one."""
        return math.sqrt(float((counts * (1 - counts / self._sizes.sum())).max()))

    @property
    def _sizes(self) -> np.ndarray:
        return np.array([size for _, _, size in self.places])

    def _chosen(self, component: str | None, block: int | None) -> np.ndarray:
        """Return the indices of the matrices of a component and a block."""
        chosen = []
        for index, (matrix_block, matrix_component, _) in enumerate(self.places):
            if component in (None, matrix_component) and block in (None, matrix_block):
                chosen.append(index)
        return np.array(chosen, dtype=int)


def text_pretrainings(study: Study) -> list[TextPretraining]:
    """Return the study's pre-training specs that read text."""
    return [spec for spec in study.pretrainings() if isinstance(spec, TextPretraining)]


def series(study: Study, records: Mapping[str, Record]) -> list[Series]:
    """Return the series of a study's pre-trainings, then those of runs whose checkpoints were measured.

    A pre-training that was interrupted or diverged has a series as far as it went; one without a snapshot has none.

    Args:
        study: the study whose pre-trainings and ``zeros`` measurements are looked up.
        records: records by the id of their spec.
    """
    result = []
    for spec in text_pretrainings(study):
        record = records.get(spec.id)
        snapshots = record.values.get("dynamics", {}) if record is not None else {}
        if record is not None and snapshots.get("at"):
            result.append(_series(spec.model, spec.fraction, spec.seed, snapshots, record.status == Status.OK))
    return [*result, *_series_of_checkpoints(study, records)]


def checkpoint_runs(study: Study) -> dict[tuple[str, int], int]:
    """Return the number of measured checkpoints of each run, by the run's name and its seed."""
    counts: dict[tuple[str, int], int] = {}
    for measurement in study.measurements():
        name = _CHECKPOINT.fullmatch(measurement.model)
        if measurement.kind == MeasurementKind.ZEROS and name is not None:
            run = (name["run"], int(name["seed"]))
            counts[run] = counts.get(run, 0) + 1
    return counts


def _series_of_checkpoints(study: Study, records: Mapping[str, Record]) -> list[Series]:
    by_run: dict[tuple[str, int], dict[int, Mapping[str, Any]]] = {}
    for measurement, values in measured(study, records, MeasurementKind.ZEROS):
        name = _CHECKPOINT.fullmatch(measurement.model)
        if name is not None:
            by_step = by_run.setdefault((name["run"], int(name["seed"])), {})
            by_step[1000 * int(name["thousands"])] = values
    result = []
    for (run, seed), count in checkpoint_runs(study).items():
        by_step = by_run.get((run, seed), {})
        if by_step:
            snapshots = _joined(dict(sorted(by_step.items())))
            result.append(_series(run, 1.0, seed, snapshots, len(by_step) == count))
    return result


def _joined(by_step: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return measurements of several checkpoints, by their step, in the layout of a pre-training's snapshots."""
    checkpoints = list(by_step.values())
    return {
        "at": list(by_step),
        "places": checkpoints[0]["places"],
        "zeros": {reading: [each["zeros"][reading] for each in checkpoints] for reading in checkpoints[0]["zeros"]},
        "norms": [each["norms"] for each in checkpoints],
        "effective": [each["effective"] for each in checkpoints],
    }


def _series(name: str, fraction: float, seed: int, snapshots: Mapping[str, Any], complete: bool) -> Series:
    def losses(key: str) -> np.ndarray:
        values = snapshots.get(key)
        if values is None:
            values = [None] * len(snapshots["at"])
        return np.array([math.nan if value is None else value for value in values])

    return Series(
        name=name,
        fraction=fraction,
        seed=seed,
        steps=np.array(snapshots["at"]),
        places=tuple((block, component, size) for block, component, size in snapshots["places"]),
        zeros={reading: np.array(counts) for reading, counts in snapshots["zeros"].items()},
        norms=np.array(snapshots["norms"]),
        effective=np.array(snapshots["effective"]),
        loss=losses("loss"),
        held_out=losses("held_out"),
        complete=complete,
    )


def shared_readings(runs: Sequence[Series]) -> list[str]:
    """Return the readings of zero that all of these series have, in the order of the first."""
    return [reading for reading in (runs[0].zeros if runs else ()) if all(reading in run.zeros for run in runs)]


def jumps(runs: Sequence[Series]) -> dict[str, dict[str, ChangePoint]]:
    """Return the clearest jump of the number of zeros, by reading and by the name of the run.

    Runs that are not complete or have fewer than ``MIN_SNAPSHOTS`` snapshots are left out, and so are readings that not
    all of the others have.
    """
    tested = [run for run in runs if run.complete and len(run.steps) >= MIN_SNAPSHOTS]
    return {reading: {run.name: run.jump(reading) for run in tested} for reading in shared_readings(tested)}
