"""The schema of a record: the types and ranges of all that it holds beside its spec."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from ..specs.evaluation import Evaluation
from ..specs.measurement import Measurement
from ..specs.pretraining import Pretraining
from ..specs.spec import Scalar, Spec, schema_error
from ..specs.trial import Trial
from .answers import check_answers
from .integrity import SCORES, check_metrics
from .snapshots import check_pretrained
from .values import check_measured
from .written import check_written


class Status(StrEnum):
    """How a spec ended: well, with a loss that became NaN or infinite, or with an error."""

    OK = "ok"
    DIVERGED = "diverged"
    FAILED = "failed"


_Points = Annotated[float, Meta(ge=0, le=100)]
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Text = Annotated[str, Meta(max_length=10_000)]
_Processes = Annotated[int, Meta(ge=1, le=2**20)]

#: Metrics in points from 0 to 100, and those that are whole numbers. All others are finite numbers.
_POINTS = (
    *("accuracy", "top1", "f1", "exact_match", "knn", "knn_patches", "knn_pixels", "knn_random"),
    *("linear_probe", "linear_probe_patches", "linear_probe_random"),
    *("accuracy_normalised", "chance"),
    *("value_accuracy", "exact_equation"),
)
_COUNTS = ("zeros", "prunable", "steps", "parameters", "tokens", "images")

_Metrics = msgspec.defstruct(
    "Metrics",
    [
        *((name, _Points, UNSET) for name in _POINTS),
        *((name, _Count, UNSET) for name in _COUNTS),
        ("matthews", Annotated[float, Meta(ge=-100, le=100)], UNSET),
        ("log_probability", Annotated[float, Meta(le=0)], UNSET),
        ("perplexity", Annotated[float, Meta(ge=1)], UNSET),
    ],
)


class _Provenance(msgspec.Struct):
    code: _Text = ""
    versions: dict[_Text, _Text] = {}
    device: _Text = ""
    precision: _Text = ""
    threads: _Processes = 1
    processes: _Processes = 1
    weights: _Text = ""
    weights_from: _Text = ""
    data: _Text = ""
    data_from: _Text = ""
    peak_memory_bytes: _Count = 0
    seconds: Annotated[float, Meta(ge=0, le=1e10)] = 0
    finished: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")] = ""


class _Outcome(msgspec.Struct, forbid_unknown_fields=True):
    """Every field of a record but its spec; notes of provenance that are not known here may be any plain data."""

    status: Status
    metrics: dict[str, float] = {}
    predictions: str = ""
    labels: str = ""
    values: dict[str, Any] = {}
    reason: str = ""
    provenance: dict[str, Scalar | dict[str, Scalar] | list[Scalar]] = {}


class _Known(msgspec.Struct):
    """What is known of the metrics and the notes that have names here."""

    metrics: _Metrics = msgspec.field(default_factory=_Metrics)  # type: ignore[valid-type]
    provenance: _Provenance = msgspec.field(default_factory=_Provenance)


#: The fields of a line beside its id, its checksum and its spec.
OUTCOME = frozenset(_Outcome.__struct_fields__)


def check_outcome(spec: Spec, plain: Mapping[str, Any]) -> None:
    """Check what a record holds beside its spec, as its line has it.

    Args:
        spec: the record's spec.
        plain: by name, the fields in ``OUTCOME`` that the line has.

    Raises:
        ValueError: a field is missing, unknown, of another type or length, or out of its range; the metrics do not
            follow from the predictions; or the record lacks what figures need of its kind.
    """
    try:
        outcome = msgspec.convert(plain, _Outcome)
        msgspec.convert(plain, _Known)
    except msgspec.ValidationError as error:
        raise ValueError(schema_error(error)) from error
    metrics: Mapping[str, Any] = plain.get("metrics", {})
    if "zeros" in metrics and metrics["zeros"] > metrics.get("prunable", metrics["zeros"]):
        raise ValueError(f"it has {metrics['zeros']} zeros among {metrics['prunable']} weights")
    check_metrics(metrics, outcome.labels, outcome.predictions)
    if isinstance(spec, Pretraining):
        check_pretrained(spec, outcome.values)
    if outcome.status is not Status.OK:
        return
    if isinstance(spec, Trial) and not SCORES & metrics.keys():
        raise ValueError(f"it is ok, but has none of the metrics {', '.join(sorted(SCORES))}")
    if isinstance(spec, Trial):
        check_written(spec, metrics, outcome.predictions, outcome.values)
    if isinstance(spec, Pretraining) and "held_out_loss" not in metrics:
        raise ValueError("it is ok, but has no held_out_loss")
    if isinstance(spec, Measurement):
        check_measured(spec, outcome.values)
    if isinstance(spec, Evaluation):
        check_answers(spec.task, metrics, outcome.labels, outcome.predictions, outcome.values)
