"""A curve of performance against sparsity, with the uncertainty from training and from the choice of examples.

Where nothing is trained, what a seed draws takes the place of training: random masks, or the text that a calibrated
method reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..specs.study import TENTHS, Study
from ..specs.trial import Pruning
from .estimate import Estimate, percentile_interval
from .grid import Grid
from .noise import NoiseReading, least_sd, training_noise, training_variance
from .pooled import Effect

#: The paper's tolerance (§3), in points: performance within 1% of the dense model's.
EPSILON = 1.0

#: Fewest seeds of a curve from which something is concluded.
MIN_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The scores of one model on one task at several sparsities, the dense model (level 0) first.

    Attributes:
        model: name of the model.
        task: name of the task.
        variant: name of the way to prune, in the study.
        metric: name of the metric that the scores are in.
        prunings: the pruning at each level, the dense model first; each has a result of at least one seed.
        levels: the sparsity at each level, shape (levels,).
        seeds: the seeds whose dense trial succeeded.
        scores: scores in points, or of ``LOG_PROBABILITY`` in nats, shape (seeds, levels); NaN where a trial is missing
            or failed. A trial that diverged is a result: it scores as a model that learned nothing.
        resampled: scores for each resample of the evaluation examples, shape (resamples, seeds, levels).
        drawn: whether something is drawn by the seed at each level, shape (levels,); else all seeds have one record.
        variances: variance of one training at each level, the seeds paired, in squared points, shape (levels,).
        noise: what training adds to each level's mean over the seeds, shape (resamples, levels).
        examples: number of evaluation examples.
        majority: score of a model that learned nothing: of always saying the commonest class, of guessing among the
            choices, or of no right word; NaN in nats.
        failures: (seed, sparsity) of each trial that diverged or failed.
        grid: all results that the curve's are a part of, where it is a part; its noise is estimated from all of them.
        score_noise: what else moves each level's mean score, as the choice of folds does, shape (resamples, levels); 0
            where nothing does. What it adds to the drops is part of ``noise``.
    """

    model: str
    task: str
    variant: str
    metric: str
    prunings: tuple[Pruning, ...]
    levels: np.ndarray
    seeds: tuple[int, ...]
    scores: np.ndarray
    resampled: np.ndarray
    drawn: np.ndarray
    variances: np.ndarray
    noise: np.ndarray
    examples: int
    majority: float
    failures: tuple[tuple[int, float], ...]
    grid: Grid | None = None
    score_noise: np.ndarray | float = 0.0

    @classmethod
    def of_grid(cls, grid: Grid, model: str, task: str, variant: str, prunings: Iterable[Pruning]) -> Curve:
        """Return the curve of some prunings of a grid: those of them that there are, the dense model first.

        Args:
            grid: all results of a model on a task with one training.
            model: name of the model.
            task: name of the task.
            variant: name of the way to prune, in the study.
            prunings: the prunings, in the order of the levels.
        """
        prunings = list(prunings)
        columns = grid.columns([grid.prunings[0], *prunings])
        return cls(
            model=model,
            task=task,
            variant=variant,
            metric=grid.metric,
            prunings=tuple(grid.prunings[column] for column in columns),
            levels=grid.sparsities[columns],
            seeds=grid.seeds,
            scores=grid.scores[:, columns],
            resampled=grid.resampled[:, :, columns],
            drawn=grid.drawn[columns],
            variances=grid.variances(NoiseReading.RULE)[columns],
            noise=grid.noise(columns),
            examples=grid.examples,
            majority=grid.majority,
            failures=grid.failures([grid.prunings[0], *prunings]),
            grid=grid,
        )

    @cached_property
    def at_tenths(self) -> Curve:
        """The curve of the same method at every tenth that has results, which its essential sparsity is read off.

        A figure may ask for fewer levels, or for others. The curve itself where it mixes methods, prunes by patterns,
        or has as many levels of its own.
        """
        pruned = self.prunings[1:]
        plain = {replace(pruning, sparsity=TENTHS[1]) for pruning in pruned if not pruning.pattern}
        if self.grid is None or len(plain) != 1 or any(pruning.pattern for pruning in pruned):
            return self
        (one,) = plain
        columns = self.grid.columns(replace(one, sparsity=tenth) for tenth in TENTHS[1:])
        prunings = [self.grid.prunings[column] for column in columns]
        if len(prunings) < len(pruned) or prunings == list(pruned):
            return self
        return Curve.of_grid(self.grid, self.model, self.task, self.variant, prunings)

    def drops(self, relative: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return how far each level lies below the dense model, the seeds paired.

        Args:
            relative: in percent of the dense score; else in points of the metric.

        Returns:
            The drops, shape (levels,), and the drops of each resample, shape (resamples, levels).
        """
        return self._relative_drops if relative else self._absolute_drops

    @cached_property
    def _absolute_drops(self) -> tuple[np.ndarray, np.ndarray]:
        return _mean_drop(self.scores, False), _mean_drop(self.resampled, False) + self._noise_of_drops

    @cached_property
    def _relative_drops(self) -> tuple[np.ndarray, np.ndarray]:
        dense = self.scores[:, 0].mean()
        noise = self._noise_of_drops
        noise = 100 * noise / dense if dense > 0 else np.zeros_like(noise)
        return _mean_drop(self.scores, True), _mean_drop(self.resampled, True) + noise

    @cached_property
    def _noise_of_drops(self) -> np.ndarray:
        """What training adds to each level's drop from the dense model, shape (resamples, levels)."""
        return np.stack([self._noise_of_difference(0, level) for level in range(len(self.levels))], axis=1)

    def _noise_of_difference(self, first: int, second: int) -> np.ndarray:
        """Return what training adds to the mean difference of two levels, shape (resamples,).

        The mean is over the seeds that have both, and the noise of a level is that of the mean over all its seeds: each
        is made as large as it is with fewer.
        """
        known = ~np.isnan(self.scores[:, [first, second]])
        paired = max(int(known.all(1).sum()), 1)
        scale = np.sqrt(known.sum(0) / paired)
        return scale[0] * self.noise[:, first] - scale[1] * self.noise[:, second]

    @property
    def training_sd(self) -> np.ndarray:
        """The standard deviation of one training at each level, the seeds paired, in points, shape (levels,)."""
        return np.sqrt(self.variances)

    def drop_estimates(self, relative: bool = False) -> list[Estimate]:
        """Return the drop at each level with its interval, in the unit of ``drops``."""
        drops, resampled = self.drops(relative)
        return [percentile_interval(drop, column) for drop, column in zip(drops, resampled.T, strict=True)]

    def difference(self, first: Pruning, second: Pruning) -> tuple[float, np.ndarray]:
        """Return how far one pruning scores above another, in points, over the seeds that have both.

        Returns:
            The difference, and that of each resample, shape (resamples,).

        Raises:
            ValueError: one of them is not among ``prunings``.
        """
        columns = [self.prunings.index(pruning) for pruning in (first, second)]
        noise = self._noise_of_difference(*columns)
        # the drop from the first column to the second
        value = _mean_drop(self.scores[..., columns], False)[..., 1]
        resampled = _mean_drop(self.resampled[..., columns], False)[..., 1]
        return float(value), resampled + noise

    def with_noise(self, reading: NoiseReading) -> Curve:
        """Return the curve with the variance of one training read in another way, and noise drawn alike."""
        if self.grid is not None:
            columns = self.grid.columns(self.prunings)
            variances, noise = self.grid.variances(reading)[columns], self.grid.noise(columns, reading)
            return replace(self, variances=variances, noise=noise)
        least = least_sd(self.metric)
        variances = training_variance(self.scores, self.resampled, self.levels, reading, self.drawn, least)
        noise = noise_of_means(variances, self.scores, self.model, self.task, self.variant)
        return replace(self, variances=variances, noise=noise)

    def seeds_of(self, *prunings: Pruning) -> int:
        """Return how many seeds have a result of all of these prunings."""
        columns = [self.prunings.index(pruning) for pruning in prunings]
        return int((~np.isnan(self.scores[:, columns])).all(1).sum())

    def dense(self) -> Estimate:
        """Return the dense model's mean score over the seeds, in points."""
        return self._dense

    @cached_property
    def _dense(self) -> Estimate:
        return self._score(0)

    def score_estimates(self) -> list[Estimate]:
        """Return the mean score at each level, in points, over the seeds that have one."""
        return [self._score(level) for level in range(len(self.levels))]

    def dense_effect(self) -> Effect:
        """Return the dense model's mean score over the seeds, with its resamples, to compare it with another one's.

        Resamples of two curves draw the same examples of a test set, and noise of training of their own.
        """
        return self.score_effect(0)

    def score_effect(self, level: int) -> Effect:
        """Return the mean score at one level over the seeds that have one, as ``dense_effect`` does."""
        key = f"{self.variant} {self._key(level)}"
        return Effect(model=self.model, task=self.task, **self._mean_score(level, key))

    def _score(self, level: int) -> Estimate:
        """Return the mean score at one level. Unlike drops it has the effect of the seeds in its interval."""
        return percentile_interval(*self._mean_score(level, self._key(level)).values())

    def _key(self, level: int) -> str:
        return f"{self.model} {self.task} {self.prunings[level]}"

    def _mean_score(self, level: int, key: str) -> dict[str, Any]:
        """Return the mean score at one level, ``value``, and that of each resample, ``resampled``."""
        known = ~np.isnan(self.scores[:, level])
        scores, resampled = self.scores[known, level], self.resampled[:, known, level]
        drawn, least = self.drawn[[level]], least_sd(self.metric)
        variance = training_variance(
            scores[:, None], resampled[..., None], self.levels[[level]], drawn=drawn, least=least
        )
        noise = training_noise(variance, known.sum(keepdims=True), key)[:, 0]
        noise += np.broadcast_to(self.score_noise, self.noise.shape)[:, level]
        return {"value": float(scores.mean()), "resampled": resampled.mean(1) + noise}

    def complete(self, study: Study) -> bool:
        """Return whether each seed of a study has a result at all of its levels there: added seeds have fewer levels.

        Seeds that other studies have besides need not.
        """
        usual, added = study.seeds_of(self.model, self.task), study.added_seeds_of(self.model, self.task)
        levels_of = partial(study.prunings_of, self.model, self.task, self.variant)
        if not set(usual) <= set(self.seeds) or len(self.prunings) != 1 + len(levels_of()):
            return False
        of_study = [seed for seed in self.seeds if seed in (*usual, *added)]
        rows = [self.seeds.index(seed) for seed in of_study]
        wanted = [[not each.sparsity or each in levels_of(seed) for each in self.prunings] for seed in of_study]
        return not np.isnan(self.scores[rows][np.array(wanted)]).any()

    @cached_property
    def computed(self) -> dict[tuple, Any]:
        """Where an analysis keeps what it has computed of this curve, which is frozen, by its name and parameters."""
        return {}

    def learned(self) -> bool:
        """Return whether the dense model scores above a model that learned nothing by its whole 95% interval."""
        return self.dense().low > self.majority

    def sensitive(self) -> bool:
        """Return whether the model has something to lose: whether its drop at the last level is above ``EPSILON``.

        The whole 95% interval must lie above. A model that loses nothing at any sparsity cannot show how much it takes.
        The last level is the largest sparsity by magnitude without a pattern, where there is such a level.
        """
        plain = [each.method == "magnitude" and not each.pattern for each in self.prunings]
        eligible = np.array(plain) if any(plain[1:]) else np.ones(len(plain), dtype=bool)
        last = int(np.where(eligible, self.levels, -1).argmax())
        return self.drop_estimates()[last].low > EPSILON


def noise_of_means(variances: np.ndarray, scores: np.ndarray, *names: str) -> np.ndarray:
    """Return what training adds to each level's mean, shape (resamples, levels), with draws that the names choose."""
    return training_noise(variances, (~np.isnan(scores)).sum(0), " ".join(names))


def _mean_drop(scores: np.ndarray, relative: bool) -> np.ndarray:
    """Return the mean over the seeds of the drop from level 0: (..., seeds, levels) to (..., levels)."""
    dense = scores[..., :1]
    drops = dense - scores
    if relative:
        drops = 100 * np.divide(drops, dense, out=np.full_like(drops, np.nan), where=dense > 0)
    known = ~np.isnan(drops)
    total = np.where(known, drops, 0).sum(-2)
    return np.divide(total, known.sum(-2), out=np.full_like(total, np.nan), where=known.any(-2))
