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

if TYPE_CHECKING:
    import pandas as pd

_NONE = "—"


def dense_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each model and data set: dense accuracy, that from random weights, and the published ones.

    Args:
        study: the study of the figure.
        records: records by the id of their spec.
    """
    pretrained = curves(study, records)
    by_place = advantages(pretrained, random_curves(study, records))
    rows = []
    for curve in data_set_curves(pretrained):
        advantage = by_place.get((curve.model, curve.task))
        published = {each.system: number_text(each.accuracies[0.0], 1) for each in smc_bench.on(curve.task)}
        rows.append(
            {
                "model": curve.model,
                "data set": curve.task,
                "pre-trained": curve.dense().text(),
                "random weights": advantage.random.estimate.text() if advantage else _NONE,
                "difference": advantage.effect.estimate.text() if advantage else _NONE,
                "same equation": _exact(study, records, curve),
                "commonest equation": number_text(curve.majority, 1),
                **{f"{system}, published": accuracy for system, accuracy in published.items()},
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
    """Return a row for each data set and system, ours first: the accuracy in percent at each share that is gone.

    Ours is a share of the blocks' weights, theirs one of all weights.

    Args:
        of_data_sets: our curves, a data set each.
    """
    ours = [(curve.task, curve.model, _accuracies(curve)) for curve in of_data_sets]
    theirs = [
        (each.data_set, f"{each.name} (published)", {at: number_text(a, 1) for at, a in each.accuracies.items()})
        for each in smc_bench.PUBLISHED
    ]
    rows = [*ours, *theirs]
    order = list(dict.fromkeys(data_set for data_set, _, _ in (*theirs, *ours)))
    steps = sorted({at for _, _, accuracies in rows for at in accuracies})
    table = []
    for data_set, system, accuracies in sorted(rows, key=lambda row: order.index(row[0])):
        row = {"data set": data_set, "system": system}
        table.append(row | {_percent(at): accuracies.get(at, _NONE) for at in steps})
    return _table(table)


def _accuracies(curve: Curve) -> dict[float, str]:
    return {
        float(at): score.text() for at, score in zip(curve.levels, curve.score_estimates(), strict=True) if score.known
    }


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def collapse_sentence() -> str:
    """Return what SMC-Bench's systems get right at their collapse, and how much of the decoder is gone, in words."""
    last = smc_bench.STEPS[3]
    parts = []
    for system in dict.fromkeys(each.name for each in smc_bench.PUBLISHED):
        right = [
            f"{number_text(each.accuracies[last], 1)} on {each.data_set}"
            for each in smc_bench.PUBLISHED
            if each.name == system
        ]
        parts.append(f"{system}, {listing(right)}")
    return (
        f"Of SMC-Bench's systems this is left, in percent right, with {_percent(last)} of all weights gone: "
        f"{'; '.join(parts)}. About {smc_bench.DECODER_GONE:.0%} of the weights of the tree decoder are gone then."
    )


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
                        "task": curve.task,
                        "pruned": what,
                        "right (%)": curve.score_estimates()[level].text(),
                        "drop (points)": curve.drop_estimates()[level].text(),
                        **_shares_gone(part, records, curve, pruning),
                    }
                )
    places = list(dict.fromkeys((row["model"], row["task"]) for row in rows))
    return _table(sorted(rows, key=lambda row: places.index((row["model"], row["task"]))))


def _shares_gone(study: Study, records: Mapping[str, Record], curve: Curve, pruning: Pruning) -> dict[str, str]:
    """Return the share of each part's weights that is gone, as the first record of a pruning has it."""
    trials = (study.trial(curve.model, curve.task, pruning, seed) for seed in curve.seeds)
    succeeded = [records[trial.id] for trial in trials if trial.id in records and records[trial.id].status == Status.OK]
    removed = succeeded[0].values.get("removed", {}) if succeeded else {}
    names = {"head": "decoder"}
    shares = {f"{names.get(part, part)} gone": f"{gone / size:.0%}" for part, (gone, size) in removed.items() if size}
    return shares or {"blocks gone": f"{pruning.sparsity:.0%}"}


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
                        "task": task,
                        "leaked": f"{share:.0%}",
                        "dense, all": both[0].dense().text(),
                        "dense, not leaked": both[1].dense().text(),
                        "drop at 30%, all": _drop(both[0]).text(),
                        "drop at 30%, not leaked": _drop(both[1]).text(),
                    }
                )
    return _table(rows)


def epoch_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return what it would add to take the best epoch on the test problems, as SMC-Bench does, instead of the last.

    Beside the dense model stand the sparsity at which the claim is judged, and the highest one. A row is a data set.
    Numbers are means over the trainings that succeeded at all of these levels.

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
            row = {"model": model, "data set": data_set, "dense, last epoch": number_text(float(last[0]), 1)}
            row["dense, best epoch"] = number_text(float(best[0]), 1)
            for level, pruning in enumerate(levels[1:], start=1):
                drop = f"drop at {_percent(pruning.sparsity)}"
                row[f"{drop}, last epochs"] = number_text(float(last[0] - last[level]), 1)
                row[f"{drop}, best epochs"] = number_text(float(best[0] - best[level]), 1)
            rows.append(row | {"trainings": str(len(trainings))})
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
