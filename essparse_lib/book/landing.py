"""The panel of the book's first page: a slider prunes a block of a real model, and shows what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from ..analysis.curves import curves
from ..figures import panel_chart, panels
from ..records.store import Record, Status
from ..specs.measurement import Measurement, MeasurementKind
from ..specs.study import Study

_DESCRIPTION = (
    "One line for each task: the change of the score from the dense model, after fine-tuning, as more of the weights "
    "are removed. Lines are flat at first, then fall. Bands are 95% intervals. A strip below shows the essential "
    "sparsities."
)


def pruning_order(study: Study) -> Measurement:
    """Return the spec of the measurement that the page's block is drawn from: that of the study's first model."""
    return Measurement(kind=MeasurementKind.PRUNING_ORDER, model=study.models[0], sparsity=0.0)


def panel(study: Study, records: Mapping[str, Record]) -> dict[str, Any] | None:
    """Return the data of the first page's panel, for ``panel_chart.book_html``, or None if there are no records.

    Args:
        study: the study of Figure 2; the panel shows its first model.
        records: records by id: of the study, and of a ``pruning-order`` measurement of that model if there is one.
    """
    model = study.models[0]
    drawn = [curve for curve in curves(study, records) if curve.model == model and len(curve.levels) > 1]
    panel_of_model = panels.of_curves(
        panels.by_model(drawn),
        _DESCRIPTION,
        name_of=attrgetter("task"),  # there is one model: colours are free to tell tasks apart
        shape_of=attrgetter("model"),
        legends=("task", "model", "pruning"),
        start=30.0,
        step=1.0,
    )
    if panel_of_model is None:
        return None
    data = panel_chart.book_data(panel_of_model)
    order = records.get(pruning_order(study).id)
    if order is not None and order.status == Status.OK:
        data["weights"] = order.values["matrices"]
    return data
