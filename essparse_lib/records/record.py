"""A record: what came of one spec, and how it is written as a line of JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..errors import one_line
from ..specs.measurement import Measurement
from ..specs.pretraining import ImagePretraining, TextPretraining
from ..specs.spec import Spec, digest, member
from ..specs.trial import Trial
from .integrity import check_metrics, read_line, signed_line

_SPECS: dict[str, type[Spec]] = {
    kind.record_kind: kind for kind in (Trial, Measurement, TextPretraining, ImagePretraining)
}


class Status(StrEnum):
    """How a spec ended: well, with a loss that became NaN or infinite, or with an error."""

    OK = "ok"
    DIVERGED = "diverged"
    FAILED = "failed"


#: The fields that a line has only where they are not empty, and what each is.
_OPTIONAL = {"metrics": dict, "predictions": str, "labels": str, "values": dict, "reason": str, "provenance": dict}


class UnknownRecord(Exception):
    """A line is whole, but its spec is one that this version does not know."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What came of a trial, a measurement or a pre-training.

    Attributes:
        spec: the trial, the measurement or the pre-training.
        status: a ``Status``, or its name, which is turned into one.
        metrics: scores in points from 0 to 100, losses, and the measured sparsity after training.
        predictions: the predicted class of every evaluation example, in the task's order, one character each (0–9,
            a–z): what intervals and further metrics are computed from. Where the metric is a mean (``metrics.MEANS``),
            each example's share in two characters.
        labels: the true classes, likewise; empty where the metric is a mean.
        reason: why, unless ``ok``.
        provenance: code revision, package versions, device, seconds, peak memory, hashes of data and weights.
        values: what was measured, as plain data.

    Raises:
        InputError: there is no such status.
    """

    spec: Spec
    status: str
    metrics: dict[str, float] = field(default_factory=dict)
    predictions: str = ""
    labels: str = ""
    reason: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", member(Status, "status", self.status))

    def line(self) -> str:
        """Return the record as one line of JSON, with a checksum of its content.

        Raises:
            ValueError: a metric is not finite, or does not follow from the predictions.
        """
        check_metrics(self.metrics, self.labels, self.predictions)
        spec = self.spec
        plain = {"id": spec.id, spec.record_kind: spec.canonical(), "status": str(self.status)}
        for name in _OPTIONAL:
            if getattr(self, name):
                plain[name] = getattr(self, name)
        return signed_line(plain).decode()

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Return the record whose ``line()`` this is.

        Raises:
            UnknownRecord: a later version wrote it, of a kind or with settings that are not known here.
            ValueError: the line is damaged: no JSON, fields missing, or an id, checksum or metrics that do not follow
                from the rest.
        """
        try:
            plain = read_line(line if isinstance(line, bytes) else line.encode())
            name = plain.pop("id")
            kind = next(key for key in plain if key not in ("status", *_OPTIONAL))
            record = cls(spec=_spec(kind, plain.pop(kind), name), **plain)
            _check_kinds(record)
            check_metrics(record.metrics, record.labels, record.predictions)
        except (AttributeError, KeyError, RecursionError, StopIteration, TypeError, ValueError) as error:
            message = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            raise ValueError(message) from error
        if record.spec.id != name:
            raise ValueError(f"its id is {name}, its trial's is {record.spec.id}")
        return record


def _check_kinds(record: Record) -> None:
    for name, kind in _OPTIONAL.items():
        value = getattr(record, name)
        if not isinstance(value, kind):
            raise ValueError(f"its {name} are no {'text' if kind is str else 'object'}, but {value!r:.40}")


def _spec(kind: str, plain: Any, name: str) -> Spec:
    """Return the spec of a record with this id, from the spec's kind and its canonical form."""
    try:
        return _SPECS[kind].from_canonical(plain)
    except (KeyError, TypeError, ValueError) as error:
        if digest(plain) == name:  # as it was written
            raise UnknownRecord(f"{kind}: {one_line(error)}") from error
        raise
