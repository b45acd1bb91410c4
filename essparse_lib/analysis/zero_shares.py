"""How many of a model's weights are zero, by several readings of zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from ..records.store import Record
from ..specs.measurement import MeasurementKind
from ..specs.study import Study
from .comparisons import Comparison
from .effects import mean_difference
from .estimate import UNKNOWN, Estimate
from .measured import measured

#: The reading of zero by which claims are judged: against each matrix's own standard deviation. It changes with the
#: shape of the distribution alone, and not with the size of all weights together, which pruning ignores as well.
RELATIVE = "below 0.01 sd"

#: An absolute reading, reported next to it: where weights grow, fewer of them are small, though none is more costly to
#: remove.
ABSOLUTE = "below 0.001"

#: How the set of weights that a scaler is fitted to is called, by its name in measurements.
_SCOPES = {"layer": "each layer", "model": "the model"}


def zero_shares(study: Study, records: Mapping[str, Record]) -> dict[str, dict[str, float]]:
    """Return the percentage of the prunable weights that is zero in the weights as saved, by reading and by model.

    Readings of ``zeros`` measurements come first, then those of ``distribution`` measurements, where weights are
    normalised before they are compared with a threshold.

    Args:
        study: the study whose measurements are looked up.
        records: records by the id of their spec.
    """
    shares: dict[str, dict[str, float]] = {}
    for measurement, values in measured(study, records, MeasurementKind.ZEROS):
        size = sum(size for _, _, size in values["places"])
        for reading, counts in values["zeros"].items():
            shares.setdefault(reading, {})[measurement.model] = 100 * sum(counts) / size
    for measurement, values in measured(study, records, MeasurementKind.DISTRIBUTION):
        size = values["model"]["size"]
        for reading, count in _normalised_counts(values).items():
            shares.setdefault(reading, {})[measurement.model] = 100 * count / size
    return shares


def _normalised_counts(values: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of normalised weights that are zero, by reading, from the values of a distribution."""
    by_reading = {}
    for scaler, by_scope in values["zeros"].items():
        for scope, counts in by_scope.items():
            for threshold, count in zip(values["thresholds"], counts, strict=True):
                by_reading[f"{scaler} of {_SCOPES[scope]}, below {threshold:g}"] = count
    return by_reading


def excess(shares: Mapping[str, float], comparison: Comparison) -> Estimate:
    """Return how many percent more zeros the first models of a comparison have than the second ones.

    The number compares the means; its interval is the range over all pairs of models. The paper's 14.37% is such a
    number, of one pair. It is NaN where a model has no share, or one of the second models has no zeros.

    Args:
        shares: percentage of zeros by the model's name, as ``zero_shares`` has it for one reading.
        comparison: the models that are compared.

    >>> surplus = excess({"a": 3.0, "b": 2.0}, Comparison("", more=("a",), less=("b",)))
    >>> surplus.value, surplus.low, surplus.high
    (50.0, 50.0, 50.0)
    """
    if not comparison.more or not comparison.less:
        return UNKNOWN
    if any(shares.get(model) is None for model in comparison.models):
        return UNKNOWN
    more, less = ([shares[model] for model in group] for group in (comparison.more, comparison.less))
    if not all(less):
        return UNKNOWN
    pairs = [100 * (first / second - 1) for first in more for second in less]
    return Estimate(100 * (fmean(more) / fmean(less) - 1), min(pairs), max(pairs))


def excess_over_pretrainings(shares: Mapping[str, float], comparison: Comparison) -> Estimate:
    """Return how many percent more zeros the first models have than the second, with a 95% t-interval.

    The unit is the pre-training. Groups are compared by the logarithms of their shares, so that the number is a ratio
    of geometric means and its interval allows for the spread of both groups. It is unknown where a model has no share
    or no zeros; its interval is unknown (NaN) where there is one pre-training a side.

    Args:
        shares: percentage of zeros by the model's name, as ``zero_shares`` has it for one reading.
        comparison: the models that are compared.

    >>> pair = Comparison("", more=("a", "b"), less=("c", "d"))
    >>> excess_over_pretrainings({"a": 2.0, "b": 2.2, "c": 1.0, "d": 1.1}, pair).text(0)
    '100 [50, 167]'
    """
    if not comparison.more or not comparison.less or not all(shares.get(model) for model in comparison.models):
        return UNKNOWN
    more, less = ([math.log(shares[model]) for model in group] for group in (comparison.more, comparison.less))
    ratio = mean_difference(more, less)
    return Estimate(*(100 * math.expm1(end) for end in (ratio.value, ratio.low, ratio.high)))
