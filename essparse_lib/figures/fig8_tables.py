"""Tables and sentences of Figure 8: its pre-trainings, their zeros and losses, and the scores after pruning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.change_point import ChangePoint
from ..analysis.effects import PretrainingEffect, most_lost
from ..analysis.essential import EPSILON
from ..analysis.series import Series, text_pretrainings
from ..analysis.text_effects import loss_effect, text_extremes
from ..claims.c08_zeros_jump import reading_outcomes
from ..records.store import Record
from ..specs.pretraining import TextPretraining
from ..specs.study import Study
from ..wording import number_text, signed

if TYPE_CHECKING:
    import pandas as pd


def nowhere(runs: Sequence[Series]) -> str:
    """Return a sentence that names the readings by which no weight is zero in any snapshot."""
    if not runs:
        return "There is nothing to count yet."
    without_zeros = [reading for reading in runs[0].zeros if not any(run.zeros[reading].any() for run in runs)]
    if not without_zeros:
        return "By every reading some weight is zero at some snapshot."
    return f"By these readings no weight is zero at any snapshot: {', '.join(without_zeros)}."


def learned(study: Study, runs: Sequence[Series]) -> str:
    """Return a sentence that compares what the amount of text does to the held-out loss with what another seed does."""
    effect = loss_effect(study, runs)
    more, less = _values_by_group(study, effect)
    if min(len(more), len(less)) < 2:
        return "It takes two complete pre-trainings on the most and on the least text to say more."
    apart = max(max(group) - min(group) for group in (more, less))
    return (
        f"By a line through all pre-trainings, the held-out loss at the end of models of the most text is "
        f"{effect.difference.text(2)} nats above that of models of the least; two seeds on the same text end up to "
        f"{apart:.2f} apart."
    )


def cost_of_pruning(scores: Mapping[float, PretrainingEffect]) -> str:
    """Return how scores change from the dense models to the sparsest, in words.

    Args:
        scores: the effect of the text at each sparsity, with the score of each model.
    """
    if not scores:
        return "There are no complete scores yet."
    last = max(scores)
    changes = [value - scores[0.0].values[model] for model, value in scores[last].values.items()]
    low, high = (signed(end(changes)) for end in (min, max))
    change = (
        f"From the dense models to those without {last:.0%} of the weights, scores change by {low} to {high} points."
    )
    if most_lost(scores) > EPSILON:
        return change
    return (
        f"{change} No model loses more than a point at any sparsity: with {1 - last:.0%} of these weights left they "
        "fine-tune as well or better, so that what is left of the blocks, with the embeddings, is enough for these "
        "tasks. Whether they need anything that the blocks learned would take models with random blocks to tell. How "
        "far such models can be pruned, and whether more text makes that easier, these curves cannot tell."
    )


def jump_table(runs: Sequence[Series], jumps: Mapping[str, Mapping[str, ChangePoint]]) -> pd.DataFrame:
    """Return a row for each reading: the clearest jump in each complete run, and the verdict on C8 by this reading.

    Args:
        runs: the pre-trainings.
        jumps: by reading and name of the run, the clearest jump of the count.
    """
    import pandas as pd

    columns = {}
    for run in runs:
        if jumps and all(run.name in by_run for by_run in jumps.values()):
            columns[run.label] = [_jump_text(by_run[run.name], run.zeros[name]) for name, by_run in jumps.items()]
    outcomes = [outcome.value for outcome in reading_outcomes(jumps).values()]
    return pd.DataFrame({"zero if": list(jumps), **columns, "C8": outcomes})


def run_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each pre-training: what it read, its loss on held-out text, and what it cost."""
    import pandas as pd

    return pd.DataFrame([_row(pretraining, records.get(pretraining.id)) for pretraining in text_pretrainings(study)])


def _row(pretraining: TextPretraining, record: Record | None) -> dict[str, str]:
    text = record.values.get("text") if record else None
    metrics, provenance = (record.metrics, record.provenance) if record else ({}, {})
    return {
        "text": f"{pretraining.fraction:.0%}",
        "seed": str(pretraining.seed),
        "steps": f"{pretraining.steps:,}",
        "tokens read": f"{pretraining.tokens / 1e6:,.1f} M",
        "passes": f"{pretraining.tokens / pretraining.fraction / text['tokens']:.1f}" if text else "—",
        "held-out loss": f"{metrics['held_out_loss']:.3f}" if "held_out_loss" in metrics else "—",
        "minutes": f"{provenance['seconds'] / 60:.1f}" if "seconds" in provenance else "—",
        "device": provenance.get("device", "—"),
        "outcome": record.status if record else "no record",
    }


def effect_table(study: Study, effects: Mapping[Any, PretrainingEffect], title: str, digits: int) -> pd.DataFrame:
    """Return a row for each quantity: means on the most and on the least text, what a line changes by, the trend.

    Args:
        study: a study of Figure 8.
        effects: the effect of the text on each quantity, by its name or, if it is a score, by the sparsity.
        title: of the column of quantities.
        digits: after the point.
    """
    import pandas as pd

    columns = [
        title,
        *(f"{group[0].fraction:.0%} of the text" for group in text_extremes(study)),
        "difference",
        "trend",
    ]
    rows = []
    for name, effect in effects.items():
        means = [f"{fmean(values):.{digits}f}" if values else "—" for values in _values_by_group(study, effect)]
        difference = effect.difference.text(digits) if effect.difference.known else "—"
        trend = "—" if math.isnan(effect.trend) else number_text(effect.trend, 2)
        rows.append([f"{name:.0%}" if isinstance(name, float) else name, *means, difference, trend])
    return pd.DataFrame(rows, columns=columns)


def _values_by_group(study: Study, effect: PretrainingEffect) -> list[list[float]]:
    """Return the values of the models of the most text, and of those of the least."""
    return [
        [effect.values[pretraining.model] for pretraining in group if pretraining.model in effect.values]
        for group in text_extremes(study)
    ]


def _jump_text(jump: ChangePoint, counts: np.ndarray) -> str:
    """Return an arrow and the place of an abrupt jump, or the share of the range and the probability of another one."""
    if jump.at is None:
        return "constant" if counts.any() else "no zeros"
    if jump.abrupt:
        return f"{'↑' if jump.size > 0 else '↓'} {jump.at[0]:,.0f}–{jump.at[1]:,.0f}"
    return f"{jump.share:.0%}, p\u00a0{jump.p:.2f}"
