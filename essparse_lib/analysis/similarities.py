"""How similar the masks of several trials and the one-shot mask are."""

from __future__ import annotations

from collections.abc import Mapping

from ..records.store import Record
from ..specs.measurement import MeasurementKind
from ..specs.study import Study
from .measured import measured


def similarities(
    study: Study, records: Mapping[str, Record], model: str, measure: str = "cosine"
) -> dict[float, list[float]]:
    """Return the similarities of each two masks of a model, over all seeds, by sparsity.

    Args:
        study: the study whose ``mask-similarity`` measurements are looked up.
        records: records by the id of their spec.
        model: name of the model.
        measure: name of the similarity, ``cosine`` or ``jaccard_removed``.
    """
    by_sparsity: dict[float, list[float]] = {}
    for measurement, values in measured(study, records, MeasurementKind.MASK_SIMILARITY):
        if measurement.model == model:
            table = values[measure]
            pairs = [table[i][j] for i in range(len(table)) for j in range(i)]
            by_sparsity.setdefault(measurement.sparsity, []).extend(pairs)
    return by_sparsity
