"""The tables and sentences of Figure 4: what is learned, what is published, what leaks, and what else was pruned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.advantages import advantages, random_curves
from ..analysis.curves import Curve, curves
from ..analysis.estimate import Estimate
from ..analysis.folds import data_set_curves
from ..analysis.leaks import leaked_share, without_leaked
from ..claims.c05_arithmetic_reasoning import LOWEST
from ..records.store import Record, Status
from ..specs.study import Study
from ..specs.tasks import source_of
from ..specs.trial import Pruning
from ..wording import listing, number_text
from . import smc_bench
from .fig4 import COLLAPSE, extents_of
from .task_titles import task_title

if TYPE_CHECKING:
    import pandas as pd

_NONE = "—"


def dense_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each model and data set: accuracy without pruning, and what it is from random weights.

    Args:
        study: the study of the figure.
        records: records by the id of their spec.
    """
    pretrained = curves(study, records)
    by_place = advantages(pretrained, random_curves(study, records))
    rows = []
    for curve in data_set_curves(pretrained):
        advantage = by_place.get((curve.model, curve.task))
        rows.append(
            {
                "model": curve.model,
                "data set": task_title(curve.task),
                "pre-trained": curve.dense().text(),
                "random weights": advantage.random.estimate.text() if advantage else _NONE,
                "difference": advantage.effect.estimate.text() if advantage else _NONE,
                "same equation": _exact(study, records, curve),
                "commonest equation": number_text(curve.majority, 1),
            }
        )
    return _table(rows)


def _exact(study: Study, records: Mapping[str, Record], curve: Curve) -> str:
    """Return the mean percentage of a data set's problems whose equation is the right one, symbol for symbol."""
    dense = _dense_records(study, records, curve.model)
    of_data_set = [record.metrics["exact_equation"] for record in dense if source_of(record.spec.file) == curve.task]
    return number_text(fmean(of_data_set), 1) if of_data_set else _NONE


def _dense_records(study: Study, records: Mapping[str, Record], model: str) -> list[Record]:
    """Return the records of a model's dense trials that succeeded, task by task."""
    dense = []
    for task in study.tasks_of(model):
        for seed in study.seeds_of(model, task):
            record = records.get(study.trial(model, task, Pruning(), seed).id)
            if record is not None and record.status == Status.OK:
                dense.append(record)
    return dense


def published_table(of_data_sets: Sequence[Curve]) -> pd.DataFrame:
    """Return a row for each data set and system, ours first: the accuracy in percent without pruning and at each step.

    The steps are those of ``smc_bench.NEAREST``: a share of all weights for what is published, of the blocks' for ours.

    Args:
        of_data_sets: our curves, a data set each.
    """
    rows = []
    for data_set in dict.fromkeys((*(each.data_set for each in smc_bench.PUBLISHED), *(c.task for c in of_data_sets))):
        for curve in of_data_sets:
            if curve.task == data_set:
                ours = [0.0, *(at for _, at in smc_bench.NEAREST)]
                rows.append(_step_row(data_set, f"{curve.model} (here)", ours, _accuracies(curve)))
        for each in smc_bench.on(data_set):
            theirs = [0.0, *(at for at, _ in smc_bench.NEAREST)]
            accuracies = {at: number_text(accuracy, 1) for at, accuracy in each.accuracies.items()}
            rows.append(_step_row(data_set, f"{each.name} (published)", theirs, accuracies))
    return _table(rows)


def _step_row(data_set: str, system: str, places: Sequence[float], accuracies: Mapping[float, str]) -> dict[str, str]:
    """Return a row of the published table: the accuracy of a system at the place of each step."""
    titles = ["no pruning", *(_step_title(*step) for step in smc_bench.NEAREST)]
    scores = [accuracies.get(place, _NONE) for place in places]
    return {"data set": task_title(data_set), "system": system, **dict(zip(titles, scores, strict=True))}


def _step_title(theirs: float, ours: float) -> str:
    return f"{_percent(theirs)} gone" if theirs == ours else f"{_percent(theirs)} gone (here {_percent(ours)})"


def _accuracies(curve: Curve) -> dict[float, str]:
    return {
        float(at): score.text() for at, score in zip(curve.levels, curve.score_estimates(), strict=True) if score.known
    }


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def collapse_sentence() -> str:
    """Return what SMC-Bench's systems get right at their collapse, and how much of the decoder is gone, in words."""
    last = smc_bench.STEPS[3]
    sentences = [f"SMC-Bench's systems collapse where {_percent(last)} of all weights are gone."]
    for system in dict.fromkeys(each.name for each in smc_bench.PUBLISHED):
        right = [
            f"{number_text(each.accuracies[last], 1)}% on {each.data_set}"
            for each in smc_bench.PUBLISHED
            if each.name == system
        ]
        sentences.append(f"Right answers of {system}: {listing(right)}.")
    sentences.append(f"About {smc_bench.DECODER_GONE:.0%} of the weights of the tree decoder are gone then.")
    return " ".join(sentences)


def extent_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return what it costs to prune embeddings and decoder as well, with the share of each part that is gone.

    Rows are tasks and what is pruned; the blocks alone stand at the nearest sparsity that the study has.

    Args:
        study: the study, with its controls.
        records: records by the id of their spec.
    """
    control = extents_of(study)
    if control is None:
        return _table([])
    nearest = min(study.variants[study.main], key=lambda pruning: abs(pruning.sparsity - COLLAPSE))
    groups = {f"blocks, {nearest.sparsity:.0%}": (study, study.main, nearest)}
    for name, (pruning,) in control.variants.items():
        what = {"all": "blocks, embeddings and decoder", "head": "blocks and decoder"}.get(name, f"blocks and {name}")
        groups[f"{what}, {pruning.sparsity:.0%}"] = (control, name, pruning)
    rows = []
    for what, (part, variant, pruning) in groups.items():
        for curve in curves(part, records, variant):
            if pruning in curve.prunings and curve.task in control.tasks:
                level = curve.prunings.index(pruning)
                rows.append(
                    {
                        "model": curve.model,
                        "task": task_title(curve.task),
                        "pruned": what,
                        "right (%)": curve.score_estimates()[level].text(),
                        "drop (points)": curve.drop_estimates()[level].text(),
                        "gone": _shares_gone(part, records, curve, pruning),
                    }
                )
    places = list(dict.fromkeys((row["model"], row["task"]) for row in rows))
    return _table(sorted(rows, key=lambda row: places.index((row["model"], row["task"]))))


def _shares_gone(study: Study, records: Mapping[str, Record], curve: Curve, pruning: Pruning) -> str:
    """Return in words the share of each part's weights that is gone, as the first record of a pruning has it."""
    trials = (study.trial(curve.model, curve.task, pruning, seed) for seed in curve.seeds)
    succeeded = [records[trial.id] for trial in trials if trial.id in records and records[trial.id].status == Status.OK]
    removed = succeeded[0].values.get("removed", {}) if succeeded else {}
    names = {"head": "decoder"}
    shares = [f"{gone / size:.0%} of {names.get(part, part)}" for part, (gone, size) in removed.items() if gone]
    return listing(shares) or f"{pruning.sparsity:.0%} of blocks"


def leak_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return, of each task with problems that leaked, the dense accuracy and the drop at 30% with and without these.

    Args:
        study: the study of the figure.
        records: records by the id of their spec.
    """
    whole = {(c.model, c.task): c for c in curves(study, records)}
    kept = {trial.id: records[trial.id] for trial in study.trials() if trial.id in records}
    rest = {(c.model, c.task): c for c in curves(study, without_leaked(kept))}
    rows = []
    for model in study.models:
        leaked = {str(record.spec.file): leaked_share(record) for record in _dense_records(study, records, model)}
        for task, share in leaked.items():
            if share and (model, task) in whole:
                both = whole[model, task], rest[model, task]
                rows.append(
                    {
                        "model": model,
                        "task": task_title(task),
                        "leaked": f"{share:.0%}",
                        "dense, all": both[0].dense().text(),
                        "dense, not leaked": both[1].dense().text(),
                        "drop, all": _drop(both[0]).text(),
                        "drop, not leaked": _drop(both[1]).text(),
                    }
                )
    return _table(rows)


def epoch_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return what it would add to take the best epoch on the test problems, as SMC-Bench does, instead of the last.

    A row is a data set and its dense score, its drop at the sparsity at which the claim is judged, or its drop at
    the highest one. Numbers are means over the trainings that succeeded at all of these levels.

    Args:
        study: the study of the figure.
        records: records by the id of their spec.
    """
    pruned = study.variants[study.main]
    shown = {LOWEST, max(pruning.sparsity for pruning in pruned)}
    levels = [Pruning(), *(pruning for pruning in pruned if pruning.sparsity in shown)]
    rows = []
    for model in study.models:
        by_data_set: dict[str, list[list[tuple[float, float]]]] = {}
        for task in study.tasks_of(model):
            for seed in study.seeds_of(model, task):
                trials = [study.trial(model, task, pruning, seed) for pruning in levels]
                made = [records.get(trial.id) for trial in trials]
                if all(record is not None and record.status == Status.OK for record in made):
                    epochs = [record.values["epochs"] for record in made if record is not None]
                    training = [(scores[-1], max(scores)) for scores in epochs]
                    by_data_set.setdefault(source_of(trials[0].file), []).append(training)
        for data_set, trainings in by_data_set.items():
            last, best = np.array(trainings).mean(0).T
            place = {"model": model, "data set": task_title(data_set)}
            for level, pruning in enumerate(levels):
                what = f"drop at {_percent(pruning.sparsity)}" if level else "dense score"
                ends = [means[0] - means[level] if level else means[0] for means in (last, best)]
                numbers = {"last epoch": number_text(float(ends[0]), 1), "best epoch": number_text(float(ends[1]), 1)}
                rows.append({**place, "number": what, **numbers, "trainings": str(len(trainings))})
    return _table(rows)


def _drop(curve: Curve) -> Estimate:
    """Return the drop where the claim is judged; unknown where the curve has no such level."""
    levels = [float(level) for level in curve.levels]
    if LOWEST not in levels:
        return Estimate(math.nan, math.nan, math.nan)
    return curve.drop_estimates()[levels.index(LOWEST)]


def _table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a table of rows, with the model's column only where there are several."""
    import pandas as pd

    table = pd.DataFrame(list(rows)).fillna(_NONE).replace("nan", _NONE)
    several = "model" in table and table["model"].nunique() > 1
    return table.drop(columns=[] if several else "model", errors="ignore")
