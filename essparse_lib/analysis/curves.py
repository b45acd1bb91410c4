"""Curves of performance against sparsity, with what chance in training and in the choice of examples does to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ..errors import InputError
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from .estimate import Estimate, percentile_interval
from .metrics import MEANS, METRICS
from .scoring import metric_of, scoring

RESAMPLES = 2000
_BLOCK = 250  # resamples computed together: bounds the memory on large test sets


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One model on one task, pruned in one way (or several), from the dense model (level 0) on.

    Attributes:
        variant: its name in the study.
        prunings: what was done at each level, the dense model first; each has a result of at least one seed.
        levels: the sparsities of these, shape (levels,).
        seeds: those whose dense trial succeeded.
        scores: in points, shape (seeds, levels); NaN where that trial is missing or failed. A trial that diverged
            is a result: it counts as always saying the commonest class, or no right word.
        resampled: the same for each resample of the evaluation examples, shape (resamples, seeds, levels).
        noise: what chance in training adds to each level's mean over the seeds, shape (resamples, levels).
        majority: score of always saying the commonest class, or no right word.
        failures: (seed, level) of trials that diverged or failed.
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
    noise: np.ndarray
    majority: float
    failures: tuple[tuple[int, float], ...]

    def drops(self, relative: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """How far each level lies below the dense model, the seeds paired: (levels,) and (resamples, levels).

        In points of the metric, or with ``relative`` in percent of the dense score.
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

    def drop_estimates(self, relative: bool = False) -> list[Estimate]:
        """``drops()`` with intervals, a level each."""
        drop, resampled = self.drops(relative)
        return [percentile_interval(d, r) for d, r in zip(drop, resampled.T, strict=True)]

    def difference(self, one: Pruning, other: Pruning) -> Estimate:
        """How far the first scores above the second, in points, the seeds that have both paired.

        Raises:
            ValueError: one of them is not among ``prunings``.
        """
        places = [self.prunings.index(pruning) for pruning in (one, other)]
        noise = self.noise[:, places[0]] - self.noise[:, places[1]]
        # the fall from the first to the second level of the two
        value, resampled = (_mean_drop(scores[..., places], False)[..., 1] for scores in (self.scores, self.resampled))
        return percentile_interval(float(value), resampled + noise)

    def seeds_of(self, *prunings: Pruning) -> int:
        """How many seeds have a result of all of these."""
        places = [self.prunings.index(pruning) for pruning in prunings]
        return int((~np.isnan(self.scores[:, places])).all(1).sum())

    def dense(self) -> Estimate:
        """The dense model's score, over the seeds."""
        return self._dense

    @cached_property
    def _dense(self) -> Estimate:
        value = float(self.scores[:, 0].mean())
        chance = _drawn_means(_residuals(self.scores[:, :1]), np.array([len(self.seeds)]))[:, 0]
        return percentile_interval(value, self.resampled[:, :, 0].mean(1) + chance)

    def score_estimates(self) -> list[Estimate]:
        """The score itself at each level, over the seeds that have one."""
        known = ~np.isnan(self.scores)
        means = np.where(known, self.scores, 0).sum(0) / known.sum(0)
        resampled = np.where(known, self.resampled, 0).sum(1) / known.sum(0) + self.noise
        return [percentile_interval(float(mean), column) for mean, column in zip(means, resampled.T, strict=True)]

    def complete(self, study: Study) -> bool:
        """Whether every seed that the study has for the model has a result at every level of the curve's variant."""
        wanted = (len(study.seeds_of(self.model)), 1 + len(study.variants[self.variant]))
        return self.scores.shape == wanted and not np.isnan(self.scores).any()

    @cached_property
    def results(self) -> dict[tuple, Any]:
        """Where an analysis keeps what it has computed of this curve, which is frozen, by its name and parameters."""
        return {}

    def learned(self) -> bool:
        """Whether the dense model beats always saying the commonest class, beyond doubt (95% interval)."""
        return self.dense().low > self.majority


def curves(
    study: Study, records: Mapping[str, Record], variant: str | None = None, prunings: Iterable[Pruning] | None = None
) -> list[Curve]:
    """The study's curves, model by model and task by task, as far as records have them.

    Args:
        variant: the study's variant that is meant; None for the main one.
        prunings: levels other than those of the variant; the dense model is always the first.
    """
    variant = study.main if variant is None else variant
    wanted = tuple(dict.fromkeys((Pruning(), *(study.variants[variant] if prunings is None else prunings))))
    found = []
    for model in study.models:
        for task in study.tasks_of(model):
            grid = {
                (seed, pruning): record
                for seed in study.seeds_of(model)
                for pruning in wanted
                if (record := records.get(study.trial(model, task, pruning, seed).id)) is not None
            }
            curve = _curve(model, task, variant, wanted, study.seeds_of(model), grid)
            if curve is not None:
                found.append(curve)
    return found


def _curve(
    model: str,
    task: str,
    variant: str,
    wanted: tuple[Pruning, ...],
    seeds: Iterable[int],
    grid: Mapping[tuple[int, Pruning], Record],
) -> Curve | None:
    good = {place: record for place, record in grid.items() if record.status != "failed"}
    dense = wanted[0]
    seeds = tuple(seed for seed in seeds if (seed, dense) in good and good[seed, dense].status == "ok")
    prunings = tuple(pruning for pruning in wanted if any((seed, pruning) in good for seed in seeds))
    if not seeds:
        return None
    first = good[seeds[0], dense]
    metric = metric_of(first)
    if metric is None:
        known = ", ".join((*METRICS, *sorted(MEANS)))
        raise InputError(f"the record of {first.spec} has none of the metrics {known}: set it aside")
    _check_alike([record for record in good.values() if record.status == "ok"])
    of = scoring(metric, [good.get((seed, pruning)) for seed in seeds for pruning in prunings])

    def scores(weights: np.ndarray) -> np.ndarray:
        return of.of(weights.astype(np.float32)).reshape(-1, len(seeds), len(prunings))

    found = scores(np.ones((1, of.examples)))[0]
    weights = _resampled_examples(of.examples)
    return Curve(
        model=model,
        task=task,
        variant=variant,
        metric=metric,
        prunings=prunings,
        levels=np.array([pruning.sparsity for pruning in prunings]),
        seeds=seeds,
        scores=found,
        resampled=np.concatenate([scores(weights[i : i + _BLOCK]) for i in range(0, RESAMPLES, _BLOCK)]),
        noise=_drawn_means(_residuals(found), (~np.isnan(found)).sum(0)),
        majority=of.floor,
        failures=tuple((seed, pruning.sparsity) for (seed, pruning), record in grid.items() if record.status != "ok"),
    )


def _residuals(scores: np.ndarray) -> np.ndarray:
    """What level and seed leave unexplained of the scores (seeds, levels), as large as one run's own chance.

    Residuals of a two-way layout are too small by the means taken out of them: they are scaled by the degrees of
    freedom (Davison and Hinkley 1997, §3.3). Empty where one seed leaves none.
    """
    known = ~np.isnan(scores)
    free = known.sum() - scores.shape[1] - (scores.shape[0] - 1 if scores.shape[1] > 1 else 0)
    if scores.shape[0] < 2 or free < 1:
        return np.zeros(0)
    left = scores - np.nanmean(scores, axis=0)
    if scores.shape[1] > 1:
        left = left - np.nanmean(left, axis=1, keepdims=True)
    return left[known] * math.sqrt(known.sum() / free)


def _drawn_means(residuals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means of as many residuals as each of the ``counts``, drawn anew for each resample: (resamples, counts)."""
    if not len(residuals):
        return np.zeros((RESAMPLES, len(counts)))
    rng = np.random.default_rng(0)
    drawn = rng.choice(residuals, (RESAMPLES, len(counts), int(counts.max())))
    used = np.arange(drawn.shape[2]) < counts[:, None]
    return (drawn * used).sum(2) / np.maximum(counts, 1)


def _check_alike(records: Sequence[Record]) -> None:
    """Raise InputError unless all were evaluated on the same examples, from the same weights and data."""
    first = records[0]
    for record in records:
        for name in ("weights", "data"):
            if record.provenance.get(name) != first.provenance.get(name):
                sources = [str(each.provenance.get(f"{name}_from", "")) for each in (record, first)]
                told = f" ({' against '.join(sources)})" if all(sources) else ""
                both = f"the records of {record.spec} and of {first.spec}"
                raise InputError(f"{both} were made with other {name}{told}")
        if record.labels != first.labels:
            raise InputError(f"the records of {record.spec} and of {first.spec} have other labels")


@lru_cache(maxsize=8)  # test sets of one figure, up to some megabytes each
def _resampled_examples(size: int) -> np.ndarray:
    """How often each resample holds each example, shape (RESAMPLES, size); the same for every curve of a test set."""
    rng = np.random.default_rng(1)
    return rng.multinomial(size, np.full(size, 1 / size), size=RESAMPLES).astype(np.uint8)


def _mean_drop(scores: np.ndarray, relative: bool) -> np.ndarray:
    """Mean over the seeds of the fall from level 0: (..., seeds, levels) to (..., levels)."""
    dense = scores[..., :1]
    drop = dense - scores
    if relative:
        drop = 100 * np.divide(drop, dense, out=np.full_like(drop, np.nan), where=dense > 0)
    known = ~np.isnan(drop)
    total = np.where(known, drop, 0).sum(-2)
    return np.divide(total, known.sum(-2), out=np.full_like(total, np.nan), where=known.any(-2))
