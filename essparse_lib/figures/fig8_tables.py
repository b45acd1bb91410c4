"""Figure 8's tables and sentences: what was trained, what its zeros and losses did, what that does to the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.change_point import ChangePoint
from ..analysis.effects import Effect, most_lost
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
    """By which readings no weight is zero at any look, in a sentence."""
    none = [r for r in (runs[0].zeros if runs else ()) if not any(run.zeros[r].any() for run in runs)]
    some = "By every reading some weight is zero at some look." if runs else "There is nothing to count yet."
    return f"By these readings no weight is zero at any look: {', '.join(none)}." if none else some


def learned(study: Study, runs: Sequence[Series]) -> str:
    """What the amount of text does to the held-out loss, beside what another seed does, in a sentence."""
    effect = loss_effect(study, runs)
    more, less = ([effect.values[p.model] for p in group if p.model in effect.values] for group in text_extremes(study))
    if min(len(more), len(less)) < 2:
        return "It takes two complete pre-trainings on the most and on the least text to say more."
    apart = max(max(group) - min(group) for group in (more, less))
    return (
        f"At the end the held-out loss of models of the most text is {effect.difference.text(2)} nats above that of "
        f"models of the least; two seeds on the same text end up to {apart:.2f} apart."
    )


def cost_of_pruning(scores: Mapping[float, Effect]) -> str:
    """What the score does from the dense models to the sparsest, in a sentence; in two where nothing is lost."""
    if not scores:
        return "There are no complete scores yet."
    last = max(scores)
    changes = [value - scores[0.0].values[model] for model, value in scores[last].values.items()]
    low, high = (signed(end(changes)) for end in (min, max))
    told = f"From the dense models to those without {last:.0%} of the weights, scores change by {low} to {high} points."
    if most_lost(scores) > EPSILON:
        return told
    return (
        f"{told} No model loses more than a point at any sparsity: with {1 - last:.0%} of these weights left they "
        "fine-tune as well or better, so that what is left of the blocks, with the embeddings, is enough for these "
        "tasks. Whether they need anything that the blocks learned would take models with random blocks to tell. How "
        "far such models can be pruned, and whether more text makes that easier, these curves cannot tell."
    )


def jump_table(runs: Sequence[Series], found: Mapping[str, Mapping[str, ChangePoint]]) -> pd.DataFrame:
    """A row a reading: the test in each complete run, and how the reading stands to C8."""
    import pandas as pd

    tested = [run for run in runs if all(run.name in own for own in found.values())]
    cells = {run.label: [_told(own[run.name], run.zeros[r]) for r, own in found.items()] for run in tested}
    outcomes = [outcome.value for outcome in reading_outcomes(found).values()]
    return pd.DataFrame({"zero if": list(found), **(cells if found else {}), "C8": outcomes})


def run_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """A row a pre-training: what it read, how well it then predicted held-out text, and what it cost."""
    import pandas as pd

    return pd.DataFrame([_run(asked, records.get(asked.id)) for asked in text_pretrainings(study)])


def _run(asked: TextPretraining, record: Record | None) -> dict[str, str]:
    text, metrics, notes = (record.values.get("text"), record.metrics, record.provenance) if record else ({}, {}, {})
    return {
        "text": f"{asked.fraction:.0%}",
        "seed": str(asked.seed),
        "steps": f"{asked.steps:,}",
        "tokens read": f"{asked.tokens / 1e6:,.1f} M",
        "passes": f"{asked.tokens / asked.fraction / text['tokens']:.1f}" if text else "—",
        "held-out loss": f"{metrics['held_out_loss']:.3f}" if "held_out_loss" in metrics else "—",
        "minutes": f"{notes['seconds'] / 60:.1f}" if "seconds" in notes else "—",
        "device": notes.get("device", "—"),
        "outcome": record.status if record else "no record",
    }


def effect_table(study: Study, found: Mapping[Any, Effect], title: str, digits: int) -> pd.DataFrame:
    """A row a quantity: its means on the most and on the least text, the difference, the trend over all models."""
    import pandas as pd

    columns = [
        title,
        *(f"{group[0].fraction:.0%} of the text" for group in text_extremes(study)),
        "difference",
        "trend",
    ]
    rows = []
    for name, effect in found.items():
        values = [[effect.values[p.model] for p in group if p.model in effect.values] for group in text_extremes(study)]
        means = [f"{fmean(own):.{digits}f}" if own else "—" for own in values]
        numbers = (effect.difference.text(digits), number_text(effect.trend, 2))
        known = ("—" if "nan" in number else number for number in numbers)
        rows.append([f"{name:.0%}" if isinstance(name, float) else name, *means, *known])
    return pd.DataFrame(rows, columns=columns)


def _told(jump: ChangePoint, counts: np.ndarray) -> str:
    """A jump in a cell: an arrow and where it is if it is abrupt, else its share of the range and its probability."""
    if jump.at is None:
        return "constant" if counts.any() else "no zeros"
    if jump.abrupt:
        return f"{'↑' if jump.size > 0 else '↓'} {jump.at[0]:,.0f}–{jump.at[1]:,.0f}"
    return f"{jump.share:.0%}, p\u00a0{jump.p:.2f}"
