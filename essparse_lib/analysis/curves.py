"""Make curves of performance against sparsity from the records of a study."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from ..errors import InputError
from ..records.metrics import MEANS, METRICS
from ..records.store import Record, Status
from ..specs.evaluation import Evaluation
from ..specs.study import Study
from ..specs.tasks import fold_of
from ..specs.trial import Pruning
from .curve import EPSILON as EPSILON
from .curve import MIN_SEEDS as MIN_SEEDS
from .curve import Curve, least_sd, noise_of_means
from .estimate import RESAMPLES
from .noise import training_variance
from .resampling import resampled_examples
from .scoring import LOG_PROBABILITY, check_same_origin, metric_of, scoring

_BLOCK = 250  # resamples computed together: bounds the memory on large test sets


def curves(
    study: Study,
    records: Mapping[str, Record],
    variant: str | None = None,
    prunings: Iterable[Pruning] | None = None,
    metric: str | None = None,
) -> list[Curve]:
    """Return the study's curves, model by model and task by task, as far as there are records.

    Added seeds are in none of them unless the trials of all added seeds of the study have records. A task whose records
    lack the metric has no curve, such as texts, which have no answers to judge.

    Args:
        study: the study whose trials, or evaluations, are looked up.
        records: records by the id of their spec.
        variant: name of the study's way to prune; None for the main one.
        prunings: levels in place of those of the variant; the dense model is always added as the first.
        metric: ``LOG_PROBABILITY`` for curves in nats; None for the metric that each record is judged by.

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
            ids = {(seed, pruning): study.trial(model, task, pruning, seed).id for seed in seeds for pruning in levels}
            grid = {place: records[id_] for place, id_ in ids.items() if id_ in records}
            undrawn = {each for each in levels if not _is_drawn(study, model, task, each)}
            curve = _curve(model, task, variant, levels, seeds, grid, undrawn, metric)
            if curve is not None:
                result.append(curve)
    return result


def _is_drawn(study: Study, model: str, task: str, pruning: Pruning) -> bool:
    """Return whether anything that comes of a pruning is drawn by the seed: two seeds have two specs then."""
    return study.trial(model, task, pruning, 0) != study.trial(model, task, pruning, 1)


def _curve(
    model: str,
    task: str,
    variant: str,
    levels: tuple[Pruning, ...],
    seeds: Iterable[int],
    grid: Mapping[tuple[int, Pruning], Record],
    undrawn: Collection[Pruning],
    metric: str | None,
) -> Curve | None:
    """Return the curve of a grid of records by seed and pruning; None where no dense trial succeeded.

    None, too, where the records lack the metric that is named, or are evaluations on texts, which have no answers. What
    the prunings in ``undrawn`` make of a model does not depend on the seed.
    """
    dense = levels[0]
    good = {place: record for place, record in grid.items() if record.status != Status.FAILED}
    seeds = tuple(seed for seed in seeds if (seed, dense) in good and good[seed, dense].status == Status.OK)
    if not seeds:
        return None
    prunings = tuple(pruning for pruning in levels if any((seed, pruning) in good for seed in seeds))
    first = good[seeds[0], dense]
    if metric is None and (metric := metric_of(first)) is None and isinstance(first.spec, Evaluation):
        return None
    if metric == LOG_PROBABILITY and metric not in first.metrics:
        return None
    if metric is None:
        known = ", ".join((*METRICS, *sorted(MEANS)))
        raise InputError(f"the record of {first.spec} has none of the metrics {known}: set it aside")
    check_same_origin([record for record in good.values() if record.status == Status.OK])
    scorer = scoring(metric, [good.get((seed, pruning)) for seed in seeds for pruning in prunings])

    def weighted_scores(weights: np.ndarray) -> np.ndarray:
        return scorer.of(weights.astype(np.float32)).reshape(-1, len(seeds), len(prunings))

    scores = weighted_scores(np.ones((1, scorer.examples)))[0]
    weights = resampled_examples(scorer.groups or scorer.examples, fold_of(task))
    blocks = [weighted_scores(weights[start : start + _BLOCK]) for start in range(0, RESAMPLES, _BLOCK)]
    resampled = np.concatenate(blocks)
    sparsities = np.array([pruning.sparsity for pruning in prunings])
    drawn = np.array([pruning not in undrawn for pruning in prunings])
    variances = training_variance(scores, resampled, sparsities, drawn=drawn, least=least_sd(metric))
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
        drawn=drawn,
        variances=variances,
        noise=noise_of_means(variances, scores, model, task, variant),
        examples=scorer.examples,
        majority=scorer.floor,
        failures=tuple(
            (seed, pruning.sparsity) for (seed, pruning), record in grid.items() if record.status != Status.OK
        ),
    )
