"""Tables and sentences of Figure 8: its pre-trainings, their zeros and losses, and the scores after pruning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ..analysis.change_point import ChangePoint
from ..analysis.effects import PretrainingEffect, most_lost
from ..analysis.essential import EPSILON
from ..analysis.series import Series, text_pretrainings
from ..analysis.text_effects import loss_effect, text_extremes
from ..claims.c08_zeros_jump import reading_outcomes
from ..records.store import Record
from ..specs.pretraining import TextPretraining
from ..specs.study import Study
from ..wording import listing, number_text, signed

if TYPE_CHECKING:
    import pandas as pd


def nowhere(runs: Sequence[Series]) -> str:
    """Return a sentence that names the readings by which no weight is zero in any snapshot."""
    if not runs:
        return "There is nothing to count yet."
    without_zeros = [reading for reading in runs[0].zeros if not any(run.zeros[reading].any() for run in runs)]
    if not without_zeros:
        return "By every reading some weight is zero at some snapshot."
    return f"No weight is zero at any snapshot by these readings: {', '.join(without_zeros)}."


def seen(runs: Sequence[Series], jumps: Mapping[str, Mapping[str, ChangePoint]]) -> str:
    """Return in a sentence what the counts below fixed thresholds do; empty if none of them could show a jump.

    Args:
        runs: the pre-trainings.
        jumps: by reading and name of the run, the clearest jump of the count.
    """
    complete = [run for run in runs if run.complete]
    fixed = [reading for reading in jumps if reading.startswith("below ") and not reading.endswith(" sd")]
    readings = [reading for reading in fixed if complete and all(run.could_jump(reading) for run in complete)]
    series = [(run, reading) for reading in readings for run in complete]
    if not series:
        return ""
    falling = [(run, reading) for run, reading in series if run.share(reading)[-1] < run.share(reading)[0]]
    smooth = [(run, reading) for run, reading in falling if not jumps[reading][run.name].abrupt]
    thresholds = listing([reading.removeprefix("below ") for reading in readings])
    if len(smooth) == len(series):
        return f"No jump is seen: the counts below {thresholds} fall smoothly in all {len(complete)} pre-trainings."
    return (
        f"The counts below {thresholds} fall in {len(falling)} of {len(series)} series, {len(smooth)} times smoothly."
    )


def learned(study: Study, runs: Sequence[Series]) -> str:
    """Return in words what the amount of text and another seed do to the held-out loss, and which runs end higher."""
    effect = loss_effect(study, runs)
    more, less = _values_by_group(study, effect)
    if min(len(more), len(less)) < 2:
        return "It takes two complete pre-trainings on the most and on the least text to say more."
    apart = max(max(group) - min(group) for group in (more, less))
    losses = {run.label: effect.values[run.name] for run in runs if run.name in effect.values}
    return (
        f"{_two_groups(losses)}From the least text to the most, "
        f"a line through all pre-trainings changes by {effect.difference.text(2)} nats. Two seeds on the same text "
        f"end up to {apart:.2f} nats apart."
    )


def _two_groups(losses: Mapping[str, float]) -> str:
    """Return in a sentence which runs end at a clearly higher loss; empty if the losses do not fall into two groups.

    They do if the largest gap between two neighbouring losses is more than half of their range.

    Args:
        losses: the held-out loss at the end, in nats a token, by the run's label.
    """
    ordered = sorted(losses, key=losses.__getitem__)
    gaps = [losses[later] - losses[earlier] for earlier, later in pairwise(ordered)]
    if not gaps or max(gaps) <= (losses[ordered[-1]] - losses[ordered[0]]) / 2:
        return ""
    split = gaps.index(max(gaps)) + 1
    lower, higher = ordered[:split], ordered[split:]
    low, high = (listing(sorted({f"{losses[label]:.1f}" for label in group})) for group in (lower, higher))
    if 2 * split < len(ordered):
        return f"{_runs(lower)} at {low} nats, the others at {high}. "
    return f"{_runs(higher)} at {high} nats, the others at {low}. "


def _runs(labels: Sequence[str]) -> str:
    """Return the labels of runs as the subject of a sentence, with its verb."""
    names = listing([f"({label})" for label in labels])
    return f"The runs {names} end" if len(labels) > 1 else f"The run {names} ends"


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
    change = f"Without {last:.0%} of the weights, scores change by {low} to {high} points against the dense models."
    if most_lost(scores) > EPSILON:
        return change
    return (
        f"{change} No model loses more than a point at any sparsity. The rest of the blocks, with the embeddings, is "
        "enough for these tasks. Whether the models need anything that their blocks learned cannot be tested here: "
        "that takes models with random blocks. These curves also cannot show which model can be pruned further."
    )


def jump_table(runs: Sequence[Series], jumps: Mapping[str, Mapping[str, ChangePoint]]) -> pd.DataFrame:
    """Return a row for each reading: how many complete runs could show a jump, which do, and the verdict on C8.

    Args:
        runs: the pre-trainings.
        jumps: by reading and name of the run, the clearest jump of the count.
    """
    import pandas as pd

    by_name = {run.name: run for run in runs}
    rows = []
    for reading, outcome in reading_outcomes(jumps).items():
        complete = {by_name[name].label: jump for name, jump in jumps[reading].items()}
        able = sum(by_name[name].could_jump(reading) for name in jumps[reading])
        places = [f"{_jump_text(jump)} ({label})" for label, jump in complete.items() if jump.abrupt and jump.at]
        rows.append(
            {
                "zero if": reading,
                "runs with enough zeros": f"{able} of {len(complete)}",
                "abrupt jumps": f"{len(places)} of {len(complete)}",
                "between the steps": ", ".join(places) or "—",
                "C8 by this reading": outcome.value,
            }
        )
    return pd.DataFrame(rows)


def run_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each pre-training: what it read, its loss on held-out text, and what it cost."""
    import pandas as pd

    return pd.DataFrame([_row(pretraining, records.get(pretraining.id)) for pretraining in text_pretrainings(study)])


def _row(pretraining: TextPretraining, record: Record | None) -> dict[str, str]:
    text = record.values.get("text") if record else None
    metrics, provenance = (record.metrics, record.provenance) if record else ({}, {})
    return {
        "text, seed": f"{pretraining.fraction:.0%}, seed {pretraining.seed}",
        "tokens read": f"{pretraining.tokens / 1e6:,.1f} M",
        "passes": f"{pretraining.tokens / pretraining.fraction / text['tokens']:.1f}" if text else "—",
        "held-out loss": f"{metrics['held_out_loss']:.3f}" if "held_out_loss" in metrics else "—",
        "minutes": f"{provenance['seconds'] / 60:.1f}" if "seconds" in provenance else "—",
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


def _jump_text(jump: ChangePoint) -> str:
    """Return an arrow and the steps between which an abrupt jump lies; empty if it has no place."""
    return f"{'↑' if jump.size > 0 else '↓'} {jump.at[0]:,.0f}–{jump.at[1]:,.0f}" if jump.at else ""
