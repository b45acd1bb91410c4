"""Make curves of performance against sparsity from the records of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..errors import InputError
from ..records.metrics import MEANS, METRICS
from ..records.store import Record, Status
from ..specs.evaluation import Evaluation
from ..specs.study import Study
from ..specs.tasks import fold_of
from ..specs.trial import Pruning, Trial
from .curve import EPSILON as EPSILON
from .curve import MIN_SEEDS as MIN_SEEDS
from .curve import Curve
from .estimate import RESAMPLES
from .grid import Grid
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

    A curve has all seeds that there are records of, those of other studies too, but for studies whose seeds a reader
    named. So what several figures show is the same in all. A task whose records lack the metric has no curve, such as
    texts, which have no answers to judge.

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
    recorded = _by_settings(records)
    result = []
    for model in study.models:
        for task in study.tasks_of(model):
            alike = recorded.get(_settings(study.trial(model, task, Pruning(), 0)), [])
            grid = _grid(study, model, task, alike, records, metric)
            if grid is not None:
                pruned = study.prunings_of(model, task, variant) if named is None else named
                result.append(Curve.of_grid(grid, model, task, variant, pruned))
    return result


#: What is fine-tuned and scored, or pruned and asked.
Scored = Trial | Evaluation


def _settings(spec: Scored) -> tuple[object, ...]:
    """Return what trials, or evaluations, have in common that differ in the pruning and the seed alone."""
    return type(spec), spec.model, spec.task, spec.training if isinstance(spec, Trial) else spec.prompting


def _by_settings(records: Mapping[str, Record]) -> dict[tuple[object, ...], list[Scored]]:
    """Return the trials and evaluations that have records, by their settings."""
    groups: dict[tuple[object, ...], list[Scored]] = {}
    for record in records.values():
        if isinstance(record.spec, Scored):
            groups.setdefault(_settings(record.spec), []).append(record.spec)
    return groups


def _grid(
    study: Study, model: str, task: str, alike: Sequence[Scored], records: Mapping[str, Record], metric: str | None
) -> Grid | None:
    """Return all results of a model on a task with the study's training; None where no dense trial succeeded.

    None, too, where the records lack the metric that is named, or are evaluations on texts, which have no answers.

    Args:
        study: the study.
        model: name of the model.
        task: name of the task.
        alike: the trials, or evaluations, of these settings that have records.
        records: records by the id of their spec.
        metric: name of the metric; None for that by which the records are judged.
    """
    dense = Pruning()
    usual = (*study.seeds_of(model, task), *study.added_seeds_of(model, task))
    others = sorted({spec.seed for spec in alike} - set(usual)) if study.any_seed else []
    in_study = [pruning for variant in study.variants for pruning in study.prunings_of(model, task, variant)]
    not_in_study = sorted({spec.pruning for spec in alike} - {dense, *in_study}, key=repr)
    all_prunings = tuple(dict.fromkeys((dense, *in_study, *not_in_study)))
    ids = {(s, p): study.trial(model, task, p, s).id for s in (*usual, *others) for p in all_prunings}
    recorded = {place: records[id_] for place, id_ in ids.items() if id_ in records}
    good = {place: record for place, record in recorded.items() if record.status != Status.FAILED}
    seeds = tuple(s for s in (*usual, *others) if (s, dense) in good and good[s, dense].status == Status.OK)
    if not seeds:
        return None
    prunings = tuple(pruning for pruning in all_prunings if any((seed, pruning) in good for seed in seeds))
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

    weights = resampled_examples(scorer.groups or scorer.examples, fold_of(task))
    blocks = [weighted_scores(weights[start : start + _BLOCK]) for start in range(0, RESAMPLES, _BLOCK)]
    return Grid(
        key=" ".join(map(repr, _settings(study.trial(model, task, dense, seeds[0]))[1:])),
        metric=metric,
        prunings=prunings,
        seeds=seeds,
        scores=weighted_scores(np.ones((1, scorer.examples)))[0],
        resampled=np.concatenate(blocks),
        drawn=np.array([_is_drawn(study, model, task, pruning) for pruning in prunings]),
        records=recorded,
        examples=scorer.examples,
        majority=scorer.floor,
    )


def _is_drawn(study: Study, model: str, task: str, pruning: Pruning) -> bool:
    """Return whether anything that comes of a pruning is drawn by the seed: two seeds have two specs then."""
    return study.trial(model, task, pruning, 0) != study.trial(model, task, pruning, 1)
