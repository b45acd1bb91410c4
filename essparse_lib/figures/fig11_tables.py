"""Tables and sentences of Figure 11: essential sparsities, shifts, patterns, perplexity, and what shows nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.curves import EPSILON, Curve, curves
from ..analysis.essential import essential_sparsity, pooled_essential_sparsity
from ..analysis.estimate import Estimate
from ..analysis.prunability import TOLERANCE, loss_curves
from ..analysis.scoring import LOG_PROBABILITY
from ..claims.c12_without_fine_tuning import Pair, at_every_sparsity, shift
from ..records.store import Record
from ..specs.evaluation_study import EvaluationStudy
from ..specs.likelihood import LIKELIHOOD_TASKS, LikelihoodKind
from ..specs.study import Study
from ..specs.trial import Pruning
from ..wording import listing, number_text
from .curve_plots import sparsity_text
from .fig11 import MAGNITUDE, PATTERNS, SPARSEGPT
from .fig11_plots import domain_of

if TYPE_CHECKING:
    import pandas as pd


def essential_table(variants: Mapping[str, Sequence[Curve]], epsilon: float = EPSILON) -> pd.DataFrame:
    """Return a row for each model and task: its dense score, guessing, and essential sparsities by two methods.

    Args:
        variants: the curves of each way to prune by its name; magnitude and SparseGPT have a column.
        epsilon: tolerance, in points.
    """
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, str]] = {}
    for name in (MAGNITUDE, SPARSEGPT):
        for curve in variants.get(name, ()):
            scores = {"dense score": curve.dense().text(), "guessing": number_text(curve.majority, 1)}
            row = rows.setdefault((curve.model, curve.task), {**_place(curve), **scores})
            if len(curve.levels) > 1:
                row[f"{name} (%)"] = sparsity_text(curve, essential_sparsity(curve, epsilon))
    return _table(pd.DataFrame(list(rows.values())))


def further_table(variants: Mapping[str, Sequence[Curve]], epsilon: float = EPSILON) -> pd.DataFrame:
    """Return a row for each model and task: its essential sparsities by the further ways to prune, without patterns.

    Args:
        variants: the curves of each way to prune by its name.
        epsilon: tolerance, in points.
    """
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, str]] = {}
    for name in variants:
        if name in (MAGNITUDE, SPARSEGPT, *PATTERNS):
            continue
        for curve in variants[name]:
            if len(curve.levels) > 1:
                row = rows.setdefault((curve.model, curve.task), _place(curve))
                row[f"{name} (%)"] = sparsity_text(curve, essential_sparsity(curve, epsilon))
    return _table(pd.DataFrame(list(rows.values())))


def _place(curve: Curve) -> dict[str, str]:
    """Return the model of a curve and its task, with what the task asks for."""
    domain = domain_of(curve.task)
    return {"model": curve.model, "task": f"{curve.task} ({domain})" if domain else curve.task}


def _table(table: pd.DataFrame, several: bool | None = None) -> pd.DataFrame:
    """Return a table with a dash where a cell has nothing, and without the column of models if there is one model.

    Args:
        table: the table.
        several: whether there are several models; None to see it by the column.
    """
    if several is None:
        several = "model" in table and table["model"].nunique() > 1
    return table.drop(columns=[] if several else "model", errors="ignore").fillna("—")


def shift_table(pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return a row for each task: the essential sparsities by magnitude and by SparseGPT, and their paired difference.

    The last row is that of the mean drop over the tasks that count and were asked at every sparsity.
    """
    import pandas as pd

    rows = []
    for pair in pairs:
        rows.append(
            {
                "model": pair.magnitude.model,
                "task": pair.magnitude.task,
                "magnitude (%)": sparsity_text(pair.magnitude, essential_sparsity(pair.magnitude)),
                "SparseGPT (%)": sparsity_text(pair.sparsegpt, essential_sparsity(pair.sparsegpt)),
                "SparseGPT − magnitude": pair.shift.estimate.text(0) if pair.magnitude.learned() else "not learned",
                "counts": "yes" if pair.counts else "no",
            }
        )
    counted = at_every_sparsity([pair for pair in pairs if pair.counts])
    if counted:
        by_magnitude = pooled_essential_sparsity([pair.magnitude for pair in counted]).estimate
        by_sparsegpt = pooled_essential_sparsity([pair.sparsegpt for pair in counted]).estimate
        texts = [estimate.text(0) for estimate in (by_magnitude, by_sparsegpt, shift(counted).estimate)]
        rows.append(dict(zip(rows[0], ("", "mean drop of those that count", *texts, ""), strict=True)))
    return _table(pd.DataFrame(rows), several=len({pair.magnitude.model for pair in pairs}) > 1)


def pattern_table(variants: Mapping[str, Sequence[Curve]]) -> pd.DataFrame:
    """Return a row for each model, task and method: the drop in points at 50% sparsity, with and without a pattern.

    Args:
        variants: the curves of each way to prune by its name.
    """
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for name, group in variants.items():
        method = name.removeprefix("N:M by ")
        for curve in group:
            for pruning, drop in zip(curve.prunings, curve.drop_estimates(), strict=True):
                if pruning.sparsity != 0.5 or not curve.learned():
                    continue
                of_place = rows.setdefault((curve.model, curve.task), {})
                row = of_place.setdefault(method, {**_place(curve), "method": method})
                row[pruning.pattern or "no pattern"] = drop.text()
    return _table(pd.DataFrame([row for of_place in rows.values() for row in of_place.values()]))


def perplexity_table(in_nats: Mapping[str, Sequence[Curve]]) -> pd.DataFrame:
    """Return a row for each model, text and sparsity: the perplexity by each way to prune, with its interval.

    The text has a column if there are several.

    Args:
        in_nats: the curves of log-probabilities of each way to prune by its name.
    """
    import pandas as pd

    rows: dict[tuple[str, str, float], dict[str, str]] = {}
    for name, group in in_nats.items():
        for curve in group:
            task = LIKELIHOOD_TASKS.get(curve.task)
            if name in PATTERNS or task is None or task.kind is not LikelihoodKind.TEXT:
                continue
            for level, estimate in zip(curve.levels.tolist(), curve.score_estimates(), strict=True):
                place = {"model": curve.model, "text": curve.task, "sparsity": f"{level:.0%}"}
                row = rows.setdefault((curve.model, curve.task, level), place)
                row[name] = _perplexity(estimate).text()
    table = _table(pd.DataFrame([rows[place] for place in sorted(rows)]))
    return table.drop(columns="text") if "text" in table and table["text"].nunique() == 1 else table


def _perplexity(nats: Estimate) -> Estimate:
    """Return the perplexity that belongs to a mean log-probability of a token; its ends change places."""
    return Estimate(*(math.exp(-value) for value in (nats.value, nats.high, nats.low)))


def guessed(variants: Mapping[str, Sequence[Curve]]) -> str:
    """Return on which tasks the dense model does no better than guessing, with its scores; empty if on none."""
    unlearned = [curve for curve in variants.get(MAGNITUDE, ()) if not curve.learned()]
    if not unlearned:
        return ""
    several_models = len({curve.model for curve in variants[MAGNITUDE]}) > 1
    places = [
        f"{f'{curve.model} on ' if several_models else ''}{curve.task} ({curve.dense().text()}, guessing "
        f"{number_text(curve.majority, 1)})"
        for curve in unlearned
    ]
    return (
        f"Not learned, no better than guessing without pruning: {listing(places)}. What pruning costs on these tasks "
        "cannot be tested here, and they do not count."
    )


def cut_contexts(study: Study, records: Mapping[str, Record]) -> str:
    """Return on which tasks contexts were longer than the model takes, with their numbers; empty if on none.

    Args:
        study: the study; its dense models are looked up, as pruning changes no context.
        records: records by the id of their spec.
    """
    places = []
    for model in study.models:
        for task in study.tasks_of(model):
            dense = records.get(study.trial(model, task, Pruning(), 0).id)
            cut = dense.values.get("cut", 0) if dense is not None else 0
            if dense is not None and cut:
                places.append(f"{model} on {task} ({cut:,} of {len(dense.values['log_probabilities']):,} questions)")
    return f"Contexts too long for the model lost their beginning: {listing(places)}." if places else ""


def prefix_table(study: EvaluationStudy, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return dense scores and essential sparsities by the token before a text, on the tasks of the controls.

    Args:
        study: the study, whose controls put the questions with another token.
        records: records by the id of their spec.
    """
    import pandas as pd

    rows = []
    for control in study.controls:
        assert isinstance(control, EvaluationStudy)
        for part, variant in itertools.product((study, control), control.variants):
            for curve in curves(part, records, variant):
                if curve.model not in control.models or curve.task not in control.tasks:
                    continue
                prefix = part.trial(curve.model, curve.task, curve.prunings[0], 0).prompting.prefix
                row = {
                    "task": curve.task,
                    "token before": prefix or "the tokenizer's own",
                    "method": variant,
                    "dense": curve.dense().text(),
                    "essential sparsity (%)": sparsity_text(curve, essential_sparsity(curve)),
                }
                rows.append(row)
    return pd.DataFrame(rows)


def held_out(study: Study, records: Mapping[str, Record]) -> str:
    """Return how far the models that are trained here can be pruned by their own loss, in words; empty if not known."""
    sentences = []
    for curve in loss_curves(study, records):
        prunable = curve.prunable()
        if prunable.known:
            sentences.append(
                f"The loss of {curve.model} on held-out text rises by {TOLERANCE:.0%} at a sparsity of "
                f"{number_text(100 * prunable.value, 0)}%."
            )
    return " ".join(sentences)


def in_nats(study: Study, records: Mapping[str, Record]) -> dict[str, list[Curve]]:
    """Return the curves of log-probabilities of each of a study's ways to prune, by its name."""
    return {variant: curves(study, records, variant, metric=LOG_PROBABILITY) for variant in study.variants}
