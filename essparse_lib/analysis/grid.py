"""All results of one model on one task with one training, whichever studies they belong to.

Figures share trials. A number that several of them show must be the same in all, and so must its interval. So the
scores and how much they vary from one training to the next are computed here, from all trials of the same settings that
have records, and not from those that one figure asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..records.store import Record, Status
from ..specs.trial import Pruning
from .estimate import RESAMPLES
from .noise import NoiseReading, degrees_of_freedom, least_sd, training_noise, training_variance

#: A method whose own results leave fewer degrees of freedom is taken to vary as one-shot pruning does.
LEAST_FREEDOM = 6


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The scores of one model on one task: a row a seed, a column a pruning, the dense model first.

    Attributes:
        key: names the model, the task and the training: draws of the noise depend on it.
        metric: name of the metric that the scores are in.
        prunings: the pruning of each column; each has a result of at least one seed.
        seeds: the seeds whose dense trial succeeded.
        scores: scores in points, or of ``LOG_PROBABILITY`` in nats, shape (seeds, prunings); NaN where a trial is
            missing or failed. A trial that diverged is a result: it scores as a model that learned nothing.
        resampled: scores for each resample of the evaluation examples, shape (resamples, seeds, prunings).
        drawn: whether something is drawn by the seed in each column, shape (prunings,); else all seeds have one record.
        records: the records by seed and pruning.
        examples: number of evaluation examples.
        majority: score of a model that learned nothing, in the unit of the scores; NaN in nats.
    """

    key: str
    metric: str
    prunings: tuple[Pruning, ...]
    seeds: tuple[int, ...]
    scores: np.ndarray
    resampled: np.ndarray
    drawn: np.ndarray
    records: Mapping[tuple[int, Pruning], Record]
    examples: int
    majority: float

    @cached_property
    def sparsities(self) -> np.ndarray:
        """The sparsity of each column, shape (prunings,)."""
        return np.array([pruning.sparsity for pruning in self.prunings])

    def columns(self, prunings: Iterable[Pruning]) -> list[int]:
        """Return the columns of those of some prunings that there are, in their order."""
        places = {pruning: column for column, pruning in enumerate(self.prunings)}
        return [places[pruning] for pruning in dict.fromkeys(prunings) if pruning in places]

    def variances(self, reading: NoiseReading) -> np.ndarray:
        """Return the variance from one training to the next in each column, the seeds paired.

        It is estimated method by method (``training_variance``), each with the dense model, since what a method leaves
        of a model varies in its own way. Patterns by a method belong to it.

        Args:
            reading: how the variance is read off the scores.

        Returns:
            Variances in the squared unit of the scores, shape (prunings,).
        """
        if reading not in self._variances:
            self._variances[reading] = self._read_variances(reading)
        return self._variances[reading]

    @cached_property
    def _variances(self) -> dict[NoiseReading, np.ndarray]:
        return {}

    def _read_variances(self, reading: NoiseReading) -> np.ndarray:
        main, *others = self._methods() or [[]]
        variances = np.zeros(len(self.prunings))
        variances[[0, *main]] = self._variances_of([0, *main], reading)
        for columns in others:
            known = ~np.isnan(self.scores[:, [0, *columns]])
            enough = degrees_of_freedom(known) >= LEAST_FREEDOM
            fitted = [0, *columns] if enough else [0, *main, *columns]
            variances[columns] = self._variances_of(fitted, reading)[-len(columns) :]
        return variances

    def _variances_of(self, columns: list[int], reading: NoiseReading) -> np.ndarray:
        return training_variance(
            self.scores[:, columns],
            self.resampled[:, :, columns],
            self.sparsities[columns],
            reading,
            self.drawn[columns],
            least_sd(self.metric),
        )

    def _methods(self) -> list[list[int]]:
        """Return the columns of each method, those of plain magnitude first; the dense model belongs to none."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for column, pruning in enumerate(self.prunings[1:], start=1):
            method = (pruning.timing, pruning.method, pruning.scope, pruning.extent)
            groups.setdefault(method, []).append(column)
        plain = Pruning(sparsity=0.5)
        first = (plain.timing, plain.method, plain.scope, plain.extent)
        return [groups[method] for method in sorted(groups, key=lambda method: (method != first, method))]

    def noise(self, columns: list[int], reading: NoiseReading = NoiseReading.RULE) -> np.ndarray:
        """Return what training adds to each column's mean over the seeds, shape (resamples, columns).

        A column has the same draws wherever it is asked for.
        """
        variances = self.variances(reading)
        counts = (~np.isnan(self.scores)).sum(0)
        draws = np.zeros((RESAMPLES, len(columns)))
        for place, column in enumerate(columns):
            key = f"{self.key} {self.prunings[column]!r}"
            draws[:, place] = training_noise(variances[[column]], counts[[column]], key)[:, 0]
        return draws

    def failures(self, prunings: Iterable[Pruning]) -> tuple[tuple[int, float], ...]:
        """Return seed and sparsity of each trial of some prunings that diverged or failed, if none succeeded too."""
        prunings = set(prunings)
        return tuple(
            (seed, pruning.sparsity)
            for (seed, pruning), record in self.records.items()
            if pruning in prunings and record.status != Status.OK
        )
