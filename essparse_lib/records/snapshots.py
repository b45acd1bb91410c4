"""The schema of what is kept of a pre-training: the snapshots of its weights and what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..specs.pretraining import Pretraining
from .values import (
    Count,
    Number,
    Place,
    Positive,
    Share,
    Size,
    check_lengths,
    check_rising,
    check_shape,
    check_zeros,
    converted,
)


class _Snapshots(msgspec.Struct):
    """How the weights change during a pre-training; lists but ``places`` have an entry for each snapshot."""

    places: list[Place]
    at: list[Count]
    zeros: dict[str, list[list[Count]]]
    norms: list[list[Positive]]
    effective: list[Share]
    loss: list[Number | None]
    held_out: list[Number]
    probes: dict[str, list[Number | None]] = {}
    seconds: Positive = 0

    def __post_init__(self) -> None:
        check_rising("steps", self.at)
        of_probes = {f"probes {name[:40]!r}": values for name, values in self.probes.items()}
        check_lengths(len(self.at), effective=self.effective, loss=self.loss, held_out=self.held_out, **of_probes)
        check_shape("norms", self.norms, len(self.at), len(self.places))
        check_zeros(self.places, self.zeros, len(self.at))
        if self.at and not self.places:
            raise ValueError("no weights are looked at")


class _Text(msgspec.Struct):
    """How much text a model is trained on."""

    tokens: Size


class _Pretrained(msgspec.Struct):
    """What is kept of a pre-training."""

    dynamics: _Snapshots | msgspec.UnsetType = msgspec.UNSET
    text: _Text | msgspec.UnsetType = msgspec.UNSET
    images: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


def check_pretrained(spec: Pretraining, values: Mapping[str, Any]) -> None:
    """Check what is kept of a pre-training by its schema.

    Raises:
        ValueError: the values do not fit it, or have more steps than the pre-training.
    """
    pretrained = converted(values, _Pretrained)
    if isinstance(pretrained.dynamics, _Snapshots) and max(pretrained.dynamics.at, default=0) > spec.steps:
        raise ValueError(f"it has a snapshot after its {spec.steps} steps")
