"""Tables of curves of performance against sparsity, for Figure 2 and figures like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.curves import Curve
from ..analysis.essential import EPSILON, essential_sparsity
from ..analysis.turning_point import turning_point
from .curve_plots import sparsity_text
from .task_titles import task_title

if TYPE_CHECKING:
    import pandas as pd

#: How metrics are called after the name of a task; those that count right answers need no words.
_METRICS = {"accuracy": "", "value_accuracy": "", "top1": "", "f1": "F1"}


def table(curves: Sequence[Curve], epsilon: float = EPSILON) -> pd.DataFrame:
    """Return a row for each curve: dense score, essential sparsity and turning point, with intervals.

    The model has a column if there are several.

    Args:
        curves: the curves.
        epsilon: tolerance of the essential sparsity, in points.
    """
    rows = []
    for curve in curves:
        rows.append(
            {
                **_place(curve),
                "dense score": curve.dense().text(),
                "essential sparsity %": sparsity_text(curve, essential_sparsity(curve, epsilon)),
                "turning point %": sparsity_text(curve, turning_point(curve)),
                "seeds": len(curve.seeds),
            }
        )
    return _without_one_model(rows)


def tolerance_table(curves: Sequence[Curve], epsilon: float = EPSILON, floor: str = "commonest class") -> pd.DataFrame:
    """Return a row for each curve: its dense and lowest scores, and its essential sparsity by two tolerances.

    The model has a column if there are several.

    Args:
        curves: the curves.
        epsilon: tolerance of the essential sparsity, once in points and once in percent of the dense score.
        floor: what the lowest score is of.
    """
    rows = []
    for curve in curves:
        relative = essential_sparsity(curve, epsilon, relative=True)
        rows.append(
            {
                **_place(curve),
                "dense score": curve.dense().text(),
                floor: f"{curve.majority:.1f}",
                f"essential sparsity %, ε = {epsilon:g} point": sparsity_text(
                    curve, essential_sparsity(curve, epsilon)
                ),
                f"essential sparsity %, ε = {epsilon:g}% of dense": sparsity_text(curve, relative),
            }
        )
    return _without_one_model(rows)


def _place(curve: Curve) -> dict[str, str]:
    """Return the first cells of a curve's row: its model and its task, with a metric other than accuracy."""
    metric = _METRICS.get(curve.metric, curve.metric)
    return {"model": curve.model, "task": task_title(curve.task) + (f", {metric}" if metric else "")}


def _without_one_model(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return a table of rows, with the column of the model only where there are several."""
    import pandas as pd

    frame = pd.DataFrame(list(rows))
    return frame.drop(columns="model") if len({row["model"] for row in rows}) == 1 else frame
