"""How many weights are zero, and how large they are, for each component of each block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .prunable import PrunableMatrix


@dataclass(frozen=True)
class Statistics:
    """Of the matrices of one component in one block (or, added up, of several).

    Attributes:
        weights: how many there are.
        zeros: how many of them are exactly zero.
        absolute: sum of the absolute values.
    """

    weights: int
    zeros: int
    absolute: float

    @property
    def sparsity(self) -> float:
        """Fraction of zeros."""
        return self.zeros / self.weights if self.weights else 0.0

    @property
    def mean(self) -> float:
        """Mean absolute value, zeros included."""
        return self.absolute / self.weights if self.weights else 0.0

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(self.weights + other.weights, self.zeros + other.zeros, self.absolute + other.absolute)


NOTHING = Statistics(0, 0, 0.0)


def statistics(matrices: Iterable[PrunableMatrix]) -> dict[tuple[int, str], Statistics]:
    """By block and component, in the model's order."""
    found: dict[tuple[int, str], Statistics] = {}
    for matrix in matrices:
        weight = matrix.weight.detach()
        here = Statistics(
            weight.numel(), weight.numel() - int(weight.count_nonzero()), float(weight.abs().double().sum())
        )
        place = (matrix.depth, matrix.component)
        found[place] = found.get(place, NOTHING) + here
    return found
