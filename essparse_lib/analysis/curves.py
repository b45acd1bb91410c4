"""Curves of performance against sparsity, with the uncertainty from training and from the choice of examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np

from ..errors import InputError
from ..records.metrics import MEANS, METRICS
from ..records.store import Record, Status
from ..specs.study import Study
from ..specs.trial import Pruning
from .estimate import RESAMPLES, Estimate, percentile_interval
from .noise import NoiseReading, training_noise, training_variance
from .scoring import check_same_origin, metric_of, scoring

#: The paper's tolerance (§3), in points: performance within 1% of the dense model's.
EPSILON = 1.0

#: Fewest seeds of a curve from which something is concluded.
MIN_SEEDS = 3

_BLOCK = 250  # resamples computed together: bounds the memory on large test sets


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
        scores: scores in points, shape (seeds, levels); NaN where a trial is missing or failed. A trial that diverged
            is a result: it scores as always saying the commonest class, or no right word.
        resampled: scores for each resample of the evaluation examples, shape (resamples, seeds, levels).
        variances: variance of one training at each level, the seeds paired, in squared points, shape (levels,).
        noise: what training adds to each level's mean over the seeds, shape (resamples, levels).
        examples: number of evaluation examples.
        majority: score of always saying the commonest class, or no right word.
        failures: (seed, sparsity) of each trial that diverged or failed.
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
    variances: np.ndarray
    noise: np.ndarray
    examples: int
    majority: float
    failures: tuple[tuple[int, float], ...]

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
        noise = self.noise[:, :1] - self.noise
        return _mean_drop(self.scores, False), _mean_drop(self.resampled, False) + noise

    @cached_property
    def _relative_drops(self) -> tuple[np.ndarray, np.ndarray]:
        dense = self.scores[:, 0].mean()
        noise = self.noise[:, :1] - self.noise
        noise = 100 * noise / dense if dense > 0 else np.zeros_like(noise)
        return _mean_drop(self.scores, True), _mean_drop(self.resampled, True) + noise

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
        noise = self.noise[:, columns[0]] - self.noise[:, columns[1]]
        # the drop from the first column to the second
        value = _mean_drop(self.scores[..., columns], False)[..., 1]
        resampled = _mean_drop(self.resampled[..., columns], False)[..., 1]
        return float(value), resampled + noise

    def with_noise(self, reading: NoiseReading) -> Curve:
        """Return the curve with the variance of one training read in another way, and noise drawn alike."""
        variances = training_variance(self.scores, self.resampled, self.levels, reading)
        noise = _noise(variances, self.scores, self.model, self.task, self.variant)
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

    def _score(self, level: int) -> Estimate:
        """Return the mean score at one level. Unlike drops it has the effect of the seeds in its interval."""
        known = ~np.isnan(self.scores[:, level])
        scores, resampled = self.scores[known, level], self.resampled[:, known, level]
        variance = training_variance(scores[:, None], resampled[..., None], self.levels[[level]])
        key = f"{self.model} {self.task} {self.prunings[level]}"
        noise = training_noise(variance, known.sum(keepdims=True), key)[:, 0]
        return percentile_interval(float(scores.mean()), resampled.mean(1) + noise)

    def complete(self, study: Study) -> bool:
        """Return whether every seed that counts has a result at each of its levels: added seeds have fewer levels."""
        usual, added = study.seeds_of(self.model, self.task), study.added_seeds_of(self.model, self.task)
        levels_of = partial(study.prunings_of, self.model, self.task, self.variant)
        if self.seeds not in (tuple(usual), (*usual, *added)) or len(self.prunings) != 1 + len(levels_of()):
            return False
        wanted = [[not each.sparsity or each in levels_of(seed) for each in self.prunings] for seed in self.seeds]
        return not np.isnan(self.scores[np.array(wanted)]).any()

    @cached_property
    def computed(self) -> dict[tuple, Any]:
        """Where an analysis keeps what it has computed of this curve, which is frozen, by its name and parameters."""
        return {}

    def learned(self) -> bool:
        """Return whether the dense model scores above the commonest class by its whole 95% interval."""
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


def curves(
    study: Study, records: Mapping[str, Record], variant: str | None = None, prunings: Iterable[Pruning] | None = None
) -> list[Curve]:
    """Return the study's curves, model by model and task by task, as far as there are records.

    Added seeds are in none of them unless the trials of all added seeds of the study have records.

    Args:
        study: the study whose trials are looked up.
        records: records by the id of their spec.
        variant: name of the study's way to prune; None for the main one.
        prunings: levels in place of those of the variant; the dense model is always added as the first.

    Raises:
        InputError: a record has no known metric or no predictions, or records of one curve do not go together.
    """
    variant = study.main if variant is None else variant
    named = None if prunings is None else tuple(prunings)
    with_added = all(trial.id in records for trial in study.added_trials())
    result = []
    for model in study.models:
        for task in study.tasks_of(model):
            pruned = study.prunings_of(model, task, variant) if named is None else named
            levels = tuple(dict.fromkeys((Pruning(), *pruned)))
            seeds = (*study.seeds_of(model, task), *(study.added_seeds_of(model, task) if with_added else ()))
            grid = {}
            for seed in seeds:
                for pruning in levels:
                    record = records.get(study.trial(model, task, pruning, seed).id)
                    if record is not None:
                        grid[seed, pruning] = record
            curve = _curve(model, task, variant, levels, seeds, grid)
            if curve is not None:
                result.append(curve)
    return result


def _curve(
    model: str,
    task: str,
    variant: str,
    levels: tuple[Pruning, ...],
    seeds: Iterable[int],
    grid: Mapping[tuple[int, Pruning], Record],
) -> Curve | None:
    """Return the curve of a grid of records by seed and pruning; None where no dense trial succeeded."""
    dense = levels[0]
    good = {place: record for place, record in grid.items() if record.status != Status.FAILED}
    seeds = tuple(seed for seed in seeds if (seed, dense) in good and good[seed, dense].status == Status.OK)
    if not seeds:
        return None
    prunings = tuple(pruning for pruning in levels if any((seed, pruning) in good for seed in seeds))
    first = good[seeds[0], dense]
    metric = metric_of(first)
    if metric is None:
        known = ", ".join((*METRICS, *sorted(MEANS)))
        raise InputError(f"the record of {first.spec} has none of the metrics {known}: set it aside")
    check_same_origin([record for record in good.values() if record.status == Status.OK])
    scorer = scoring(metric, [good.get((seed, pruning)) for seed in seeds for pruning in prunings])

    def weighted_scores(weights: np.ndarray) -> np.ndarray:
        return scorer.of(weights.astype(np.float32)).reshape(-1, len(seeds), len(prunings))

    scores = weighted_scores(np.ones((1, scorer.examples)))[0]
    weights = _resampled_examples(scorer.examples)
    blocks = [weighted_scores(weights[start : start + _BLOCK]) for start in range(0, RESAMPLES, _BLOCK)]
    resampled = np.concatenate(blocks)
    sparsities = np.array([pruning.sparsity for pruning in prunings])
    variances = training_variance(scores, resampled, sparsities)
    return Curve(
        model=model,
        task=task,
        variant=variant,
        metric=metric,
        prunings=prunings,
        levels=sparsities,
        seeds=seeds,
        scores=scores,
        resampled=resampled,
        variances=variances,
        noise=_noise(variances, scores, model, task, variant),
        examples=scorer.examples,
        majority=scorer.floor,
        failures=tuple(
            (seed, pruning.sparsity) for (seed, pruning), record in grid.items() if record.status != Status.OK
        ),
    )


def _noise(variances: np.ndarray, scores: np.ndarray, *names: str) -> np.ndarray:
    """Return what training adds to each level's mean, shape (resamples, levels), with draws that the names choose."""
    return training_noise(variances, (~np.isnan(scores)).sum(0), " ".join(names))


@lru_cache(maxsize=8)  # test sets of one figure, up to some megabytes each
def _resampled_examples(size: int) -> np.ndarray:
    """Return how often each resample holds each example, shape (RESAMPLES, size).

    The same for every curve of a test set, so that differences between curves are paired by example.
    """
    generator = np.random.default_rng(1)
    return generator.multinomial(size, np.full(size, 1 / size), size=RESAMPLES).astype(np.uint8)


def _mean_drop(scores: np.ndarray, relative: bool) -> np.ndarray:
    """Return the mean over the seeds of the drop from level 0: (..., seeds, levels) to (..., levels)."""
    dense = scores[..., :1]
    drops = dense - scores
    if relative:
        drops = 100 * np.divide(drops, dense, out=np.full_like(drops, np.nan), where=dense > 0)
    known = ~np.isnan(drops)
    total = np.where(known, drops, 0).sum(-2)
    return np.divide(total, known.sum(-2), out=np.full_like(total, np.nan), where=known.any(-2))
