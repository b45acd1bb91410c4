"""A record: what came of one spec, and how it is written as a line of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import msgspec

from ..errors import UnknownName, one_line, shown
from ..specs.evaluation import Evaluation
from ..specs.measurement import Measurement
from ..specs.pretraining import ImagePretraining, TextPretraining
from ..specs.spec import Spec, digest, member, schema_error
from ..specs.trial import Trial
from .integrity import read_line, signed_line
from .schema import OUTCOME, Status, check_outcome

_SPECS: dict[str, type[Spec]] = {
    kind.record_kind: kind for kind in (Trial, Evaluation, Measurement, TextPretraining, ImagePretraining)
}


#: The fields that a line has only where they are not empty, in its order.
_OPTIONAL = ("metrics", "predictions", "labels", "values", "reason", "provenance")


class UnknownRecord(Exception):
    """A line is whole, but its spec is one that this version does not know."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What came of a trial, an evaluation, a measurement or a pre-training.

    Attributes:
        spec: the trial, the evaluation, the measurement or the pre-training.
        status: a ``Status``, or its name, which is turned into one.
        metrics: scores in points from 0 to 100, losses, and the measured sparsity after training.
        predictions: the predicted class of every evaluation example, in the task's order, one character each (0–9,
            a–z): what intervals and further metrics are computed from. Where the metric is a mean (``metrics.MEANS``),
            each example's share in two characters.
        labels: the true classes, likewise; empty where the metric is a mean.
        reason: why, unless ``ok``.
        provenance: code revision, package versions, device, seconds, peak memory, hashes of data and weights.
        values: what was measured, as plain data; of an evaluation, what ``records.answers`` describes.

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

        Half a surrogate pair, as Python makes of a file name that is no UTF-8, is written as a question mark.

        Raises:
            ValueError: a number is not finite.
        """
        for name, value in self.metrics.items():
            if not isfinite(value):
                raise ValueError(f"its {name} is {value}, no finite number")
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
            ValueError: the line is damaged: no JSON; fields that are missing, of another type or out of their range; or
                an id, checksum or metrics that do not follow from the rest.
        """
        plain = read_line(line if isinstance(line, bytes) else line.encode(errors="surrogatepass"))
        name = plain.pop("id", None)
        kind = next((key for key in plain if key not in OUTCOME), None)
        if kind is None:
            raise ValueError("it has no spec")
        spec = _spec(kind, plain.pop(kind), name)
        check_outcome(spec, plain)
        if spec.id != name:
            raise ValueError(f"its id is {shown(name, 40)}, its trial's is {spec.id}")
        return cls(spec=spec, **plain)

    def outcome(self) -> tuple[object, ...]:
        """Return what came of the spec, without why, where and when: what two records of one spec must agree in."""
        return self.status, self.metrics, self.predictions, self.labels, self.values


def spec_text(spec: Spec) -> str:
    """Return a spec as a text from which ``spec_of_text`` makes it again, on another machine too."""
    return json.dumps({spec.record_kind: spec.canonical()})


def spec_of_text(text: str) -> Spec:
    """Return the spec whose ``spec_text`` this is.

    Raises:
        InputError: it is of a kind, or has settings, that are not known here.
        ValueError: it is no spec.
    """
    ((kind, plain),) = json.loads(text).items()
    return _spec(kind, plain, None)


def _spec(kind: str, plain: Any, name: object) -> Spec:
    """Return the spec of a record with this id, from the spec's kind and its canonical form."""
    try:
        if kind not in _SPECS:
            raise UnknownName(f"unknown kind of record {shown(kind)}")
        return _SPECS[kind].from_canonical(plain)
    except UnknownName as error:
        if digest(plain) == name:  # as it was written
            raise UnknownRecord(one_line(error)) from error
        raise
    except msgspec.ValidationError as error:
        raise ValueError(f"its {kind}: {schema_error(error)}") from error
