"""The measurements of a study that have a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..records.store import Record, Status
from ..specs.measurement import Measurement, MeasurementKind
from ..specs.study import Study


def measured(
    study: Study, records: Mapping[str, Record], kind: MeasurementKind
) -> Iterator[tuple[Measurement, dict[str, Any]]]:
    """Yield the study's measurements of one kind that have a record, each with the values of its record.

    A measurement that failed has none, and is left out.

    Args:
        study: the study whose measurements are looked up.
        records: records by the id of their spec.
        kind: what is measured.
    """
    for measurement in study.measurements():
        record = records.get(measurement.id) if measurement.kind == kind else None
        if record is not None and record.status == Status.OK:
            yield measurement, record.values
