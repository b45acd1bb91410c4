"""The book's first page: a block of a real model whose weights go as a slider moves, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..analysis.curves import curves
from ..figures import panels
from ..records.store import Record
from ..specs.measurement import Measurement, MeasurementKind
from ..specs.study import Study

_ALT = (
    "One line for each task: the change of the score against the dense model, after fine-tuning, as more of the "
    "weights are removed; flat at first, then falling. Bands are 95% intervals, marks at the bottom the essential "
    "sparsity."
)


def pruning_order(study: Study) -> Measurement:
    """Return the spec of the measurement that the page's block is drawn from: that of the study's first model."""
    return Measurement(kind=MeasurementKind.PRUNING_ORDER, model=study.models[0], sparsity=0.0)


def panel(study: Study, records: Mapping[str, Record]) -> dict[str, Any] | None:
    """What the page's panel is made of, as ``panels.book_html`` takes it; None while there are no records of it.

    Args:
        study: that of Figure 2; its first model is shown.
        records: with the study's, and with a measurement of kind ``pruning-order`` of that model, if it is there.
    """
    found = [curve for curve in curves(study, records) if curve.model == study.models[0] and len(curve.levels) > 1]
    shown = panels.of_curves(panels.by_model(found), _ALT, start=30.0, step=1.0)
    if shown is None:
        return None
    data = shown.data()
    order = records.get(pruning_order(study).id)
    return {**data, "weights": order.values["matrices"]} if order is not None and order.status == "ok" else data
