"""Tables and sentences of Figure 6: dense scores, essential sparsities, and what the objective of pre-training does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from statistics import fmean
from typing import TYPE_CHECKING

from ..analysis.comparisons import drop_effects, essential_effect
from ..analysis.curves import Curve
from ..analysis.essential import EPSILON, essential_sparsity
from ..analysis.zero_shares import RELATIVE, excess_over_pretrainings, zero_shares
from ..records.store import Record
from ..specs.study import Study
from . import vision_settings
from .curve_plots import sparsity_text
from .fig6 import EQUAL_TIME, comparisons

if TYPE_CHECKING:
    import pandas as pd


def essential_table(study: Study, curves: Sequence[Curve], epsilon: float = EPSILON) -> pd.DataFrame:
    """Return a row for each pre-trained model: its essential sparsity on each task in percent, with 95% intervals."""
    return _table_by_task(study, curves, lambda curve: sparsity_text(curve, essential_sparsity(curve, epsilon)))


def dense_table(study: Study, curves: Sequence[Curve]) -> pd.DataFrame:
    """Return a row for each pre-trained model: its score without pruning on each task, with 95% intervals."""
    return _table_by_task(study, curves, lambda curve: curve.dense().text())


def _table_by_task(study: Study, curves: Sequence[Curve], text_of: Callable[[Curve], str]) -> pd.DataFrame:
    """Return a row for each pre-trained model, and a column for each task with a text of its curve."""
    import pandas as pd

    texts = {(curve.model, curve.task): text_of(curve) for curve in curves}
    rows = []
    for model in chain.from_iterable(vision_settings.objectives(study).values()):
        cells = {task: texts.get((model, task), "—") for task in study.tasks_of(model)}
        rows.append({"model": vision_settings.model_title(model), **cells})
    return pd.DataFrame(rows)


def effect_table(study: Study, curves: Sequence[Curve]) -> pd.DataFrame:
    """Return a row for each quantity and a column for each comparison: differences, with intervals over pre-trainings.

    The quantities are the drop at each sparsity in points (above 0: the first models lose more) and the essential
    sparsity in points of sparsity (above 0: the first models can lose more). Both are means over the tasks that all
    compared models have learned. A row below gives the mean essential sparsity of either side.
    """
    import pandas as pd

    objective_of = vision_settings.objective_of(study)
    columns = {}
    for comparison in comparisons(study):
        cells = {}
        for level, effect in drop_effects(study, curves, comparison).items():
            if level:
                cells[f"drop at {level:.0%}"] = effect.difference.text()
        if cells:
            essential = essential_effect(study, curves, comparison)
            cells["essential sparsity"] = essential.difference.text(0, 100)
            means = []
            for models in (comparison.more, comparison.less):
                mean = fmean(essential.values[model] for model in models)
                means.append(f"{objective_of[models[0]]} {100 * mean:.0f}%")
            cells["mean essential sparsities"] = ", ".join(means)
        columns[comparison.name] = cells
    quantities = list(dict.fromkeys(quantity for cells in columns.values() for quantity in cells))
    cells_of = {name: [cells.get(quantity, "—") for quantity in quantities] for name, cells in columns.items()}
    return pd.DataFrame({"quantity": quantities, **cells_of})


def equal_time(study: Study, records: Mapping[str, Record]) -> str:
    """Return in a sentence whether DINO has more or fewer zeros after equal time; empty if it is not known.

    The number is that of C7's explanation: how many percent more zeros (``RELATIVE``), with its 95% interval.

    Args:
        study: a study of Figure 6.
        records: its records, by id.
    """
    shares = zero_shares(study, records).get(RELATIVE, {})
    surpluses = [excess_over_pretrainings(shares, each) for each in comparisons(study) if each.name == EQUAL_TIME]
    if not surpluses or not surpluses[0].known or not surpluses[0].has_interval:
        return ""
    (surplus,) = surpluses
    numbers = f"DINO − supervised is {surplus.text()}% (weights {RELATIVE})"
    if surplus.low <= 0 <= surplus.high:
        return f"After equal training time, which of the two has more zeros is inconclusive: {numbers}."
    verb = "more" if surplus.low > 0 else "fewer"
    return f"After equal training time, DINO models have {verb} zeros than supervised models: {numbers}."
