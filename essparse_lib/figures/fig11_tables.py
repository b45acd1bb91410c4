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
from .fig11 import MAGNITUDE, PATTERNS
from .fig11_plots import domain_of

if TYPE_CHECKING:
    import pandas as pd


def essential_table(variants: Mapping[str, Sequence[Curve]], epsilon: float = EPSILON) -> pd.DataFrame:
    """Return a row for each model and task: the dense score, guessing, and the essential sparsity in percent by method.

    Args:
        variants: the curves of each way to prune by its name; patterns, which have one sparsity, are left out.
        epsilon: tolerance, in points.
    """
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, str]] = {}
    for name, group in variants.items():
        for curve in group:
            if name in PATTERNS:
                continue
            row = rows.setdefault((curve.model, curve.task), _first_columns(curve))
            if len(curve.levels) > 1:
                row[name] = sparsity_text(curve, essential_sparsity(curve, epsilon))
    return _table(pd.DataFrame(list(rows.values())))


def _first_columns(curve: Curve) -> dict[str, str]:
    return {
        "model": curve.model,
        "asks for": domain_of(curve.task),
        "task": curve.task,
        "dense": curve.dense().text(),
        "guessing": number_text(curve.majority, 1),
    }


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
                "shift (points of sparsity)": pair.shift.estimate.text(0)
                if pair.magnitude.learned()
                else "not learned",
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
    """Return a row for each model and task: the drop in points with half of the weights gone, with and without pattern.

    Args:
        variants: the curves of each way to prune by its name.
    """
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, str]] = {}
    for name, group in variants.items():
        for curve in group:
            for pruning, drop in zip(curve.prunings, curve.drop_estimates(), strict=True):
                if pruning.sparsity != 0.5 or not curve.learned():
                    continue
                place = {"model": curve.model, "task": curve.task}
                row = rows.setdefault((curve.model, curve.task), place)
                method = name.removeprefix("N:M by ")
                row[f"{pruning.pattern}, {method}" if pruning.pattern else name] = drop.text()
    return _table(pd.DataFrame(list(rows.values())))


def perplexity_table(in_nats: Mapping[str, Sequence[Curve]]) -> pd.DataFrame:
    """Return a row for each model, text and way to prune: the perplexity at each sparsity, with its interval.

    Args:
        in_nats: the curves of log-probabilities of each way to prune by its name.
    """
    import pandas as pd

    rows = []
    for name, group in in_nats.items():
        for curve in group:
            row = LIKELIHOOD_TASKS.get(curve.task)
            if name in PATTERNS or row is None or row.kind is not LikelihoodKind.TEXT:
                continue
            perplexities = [_perplexity(estimate).text() for estimate in curve.score_estimates()]
            levels = [f"{level:.0%}" for level in curve.levels]
            of_curve = {"model": curve.model, "text": curve.task, "": name}
            rows.append({**of_curve, **dict(zip(levels, perplexities, strict=True))})
    table = pd.DataFrame(rows)
    levels_in_order = sorted((column for column in table if column.endswith("%")), key=lambda text: float(text[:-1]))
    others = [column for column in table if column not in levels_in_order]
    return _table(table[[*others, *levels_in_order]])


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
        f"{f'{curve.model} on ' if several_models else ''}{curve.task} ({curve.dense().text()}, where guessing gives "
        f"{number_text(curve.majority, 1)})"
        for curve in unlearned
    ]
    return (
        f"Without pruning, these do no better than guessing: {listing(places)}. They show nothing of what pruning "
        "costs, and do not count."
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
    return f"Contexts that the model cannot take whole lost their beginning: {listing(places)}." if places else ""


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
