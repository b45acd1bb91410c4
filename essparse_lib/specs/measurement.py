"""A Measurement: something looked up in a model's weights or masks, as plain data, whose hash is its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import InputError, check_sparsity, unknown
from .spec import Spec
from .trial import Trial

#: ``pruned-share``: where the weights lie that one-shot magnitude pruning removes (Figure 1).
#: ``mask-similarity``: how alike the masks of several trials and the one-shot mask are (Figure 10).
#: ``zeros``: what is zero by each reading, and how large the weights are, matrix by matrix (Figure 8); at sparsity 0.
#: ``distribution``: how the weights are distributed, raw and normalised, layer by layer (Figure 7); at sparsity 0.
#: ``pruning-order``: at which sparsity each weight of a part of one block goes (the book's first page); at sparsity 0.
KINDS = ("pruned-share", "mask-similarity", "zeros", "distribution", "pruning-order")


@dataclass(frozen=True, kw_only=True)
class Measurement(Spec):
    """What is measured, of which model.

    Attributes:
        kind: one of ``KINDS``.
        model: its name.
        sparsity: of the masks that are looked at.
        trials: whose masks are compared, for ``mask-similarity``.
    """

    record_kind: ClassVar[str] = "measurement"

    kind: str
    model: str
    sparsity: float
    trials: tuple[Trial, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("measurement", self.kind, KINDS)
        object.__setattr__(self, "sparsity", check_sparsity(round(check_sparsity(self.sparsity), 6)))
        if any(t.model != self.model or t.pruning.sparsity != self.sparsity for t in self.trials):
            raise InputError(f"the masks compared must all be of {self.model} at {self.sparsity:g}")

    @property
    def file(self) -> str:
        """Its kind."""
        return self.kind

    def canonical(self) -> dict[str, Any]:
        """As of a trial: plain data without the fields at their defaults."""
        plain = super().canonical()
        if self.trials:
            plain["trials"] = [trial.canonical() for trial in self.trials]
        return plain

    @classmethod
    def from_canonical(cls, plain: dict[str, Any]) -> Measurement:
        """The measurement whose ``canonical()`` this is.

        Raises:
            TypeError, KeyError, ValueError: it is that of no measurement.
        """
        return cls(**{**plain, "trials": tuple(Trial.from_canonical(t) for t in plain.get("trials", ()))})

    def __str__(self) -> str:
        return f"{self.kind} of {self.model} at {self.sparsity:.4g}"
