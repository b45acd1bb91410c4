"""How much of what pruning removes lies in the feed-forward layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..records.store import Record
from ..specs.measurement import MeasurementKind
from ..specs.study import Study
from .measured import measured

#: The components of a block that make up its feed-forward layers.
COMPONENTS = ("intermediate", "output")


@dataclass(frozen=True)
class FeedForwardShare:
    """The part that the feed-forward layers of a model have in its prunable weights.

    Attributes:
        removed: share of the removed weights that lies in the feed-forward layers, from 0 to 1.
        held: share of all prunable weights that lies in the feed-forward layers, from 0 to 1.
    """

    removed: float
    held: float


def feed_forward_shares(study: Study, records: Mapping[str, Record]) -> dict[str, FeedForwardShare]:
    """Return the feed-forward layers' shares of the weights, by the model's name, from ``pruned-share`` measurements.

    Args:
        study: the study whose measurements are looked up.
        records: records by the id of their spec; a model without a record is left out.
    """
    shares = {}
    for measurement, values in measured(study, records, MeasurementKind.PRUNED_SHARE):
        matrices = values["matrices"]
        inside = [matrix for matrix in matrices if matrix["component"] in COMPONENTS]
        shares[measurement.model] = FeedForwardShare(
            removed=sum(m["pruned"] for m in inside) / sum(m["pruned"] for m in matrices),
            held=sum(m["size"] for m in inside) / sum(m["size"] for m in matrices),
        )
    return shares
