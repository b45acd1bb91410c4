"""A Measurement: numbers read from a model's weights or masks, as plain data, whose hash is its id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from ..errors import InputError, check_sparsity, check_whole
from .spec import Spec, check_name, member
from .trial import Trial


class MeasurementKind(StrEnum):
    """What is measured.

    ``pruned-share``: where the weights lie that one-shot magnitude pruning removes (Figure 1).
    ``mask-similarity``: how alike the masks of several trials and the one-shot mask are (Figure 10).
    ``zeros``: what is zero by each reading, and how large the weights are, matrix by matrix (Figure 8); at sparsity 0.
    ``distribution``: how the weights are distributed, raw and normalised, layer by layer (Figure 7); at sparsity 0.
    ``pruning-order``: at which sparsity each weight of a part of one block goes (the book's first page); at sparsity 0.
    ``held-out-loss``: the loss of a model that is pre-trained here, by its own objective on held-out examples, at every
    twentieth of the weights removed by one-shot magnitude pruning (Figures 6 and 8); at sparsity 0.
    ``feature-accuracy``: how well the classes of a task's images follow from the features of a vision model, at every
    tenth of the weights removed likewise and without fine-tuning (Figure 6); at sparsity 0.
    """

    PRUNED_SHARE = "pruned-share"
    MASK_SIMILARITY = "mask-similarity"
    ZEROS = "zeros"
    DISTRIBUTION = "distribution"
    PRUNING_ORDER = "pruning-order"
    HELD_OUT_LOSS = "held-out-loss"
    FEATURE_ACCURACY = "feature-accuracy"


@dataclass(frozen=True, kw_only=True)
class Measurement(Spec):
    """What is measured, of which model.

    Attributes:
        kind: what is measured, a ``MeasurementKind`` or its name.
        model: the model's name.
        sparsity: the sparsity of the masks that are measured.
        trials: the trials whose masks are compared, for ``mask-similarity``.
        task: the task whose images are classified, for ``feature-accuracy``.
        step: for ``held-out-loss``, the number of pre-training steps after which the model is measured; None for the
            trained model.
    """

    record_kind: ClassVar[str] = "measurement"

    kind: MeasurementKind
    model: str
    sparsity: float
    trials: tuple[Trial, ...] = ()
    task: str = ""
    step: int | None = None

    def __post_init__(self) -> None:
        self._set("kind", member(MeasurementKind, "measurement", self.kind))
        check_name("model", self.model)
        self._set("sparsity", check_sparsity(round(check_sparsity(self.sparsity), 6)))
        if self.step is not None:
            self._set("step", check_whole("step", self.step, 0))
        self._check_types()
        if self.kind is MeasurementKind.MASK_SIMILARITY and not self.trials:
            raise InputError(f"a measurement {str(self.kind)!r} needs trials: name those whose masks are compared")
        if (self.kind is MeasurementKind.FEATURE_ACCURACY) != bool(self.task):
            needs = "takes no task" if self.task else "needs a task: name one of images"
            raise InputError(f"a measurement {str(self.kind)!r} {needs}")
        if self.task:
            check_name("task", self.task)
        if self.step is not None and self.kind is not MeasurementKind.HELD_OUT_LOSS:
            raise InputError(f"step {self.step!r} is not allowed: give one for a held-out-loss alone")
        for trial in self.trials:
            if trial.model != self.model or trial.pruning.sparsity != self.sparsity:
                raise InputError(f"the masks compared must all be of {self.model} at {self.sparsity:g}")

    @property
    def file(self) -> str:
        """The kind of measurement: one file holds a model's measurements of a kind."""
        return self.kind.value

    @classmethod
    def from_canonical(cls, plain: Mapping[str, Any]) -> Measurement:
        """Return the measurement whose ``canonical()`` this is.

        Raises:
            UnknownName: it has a field, or a choice in a field, that this version does not know.
            ValueError: no measurement has this canonical form.
        """
        fields = cls._fields_of(plain)
        trials = tuple(Trial.from_canonical(trial) for trial in fields.pop("trials", ()))
        return cls(**fields, trials=trials)

    def __str__(self) -> str:
        place = f" on {self.task}" if self.task else "" if self.step is None else f" after {self.step:,} steps"
        return f"{self.kind} of {self.model}{place} at {self.sparsity:.4g}"
