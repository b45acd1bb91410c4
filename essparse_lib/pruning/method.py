"""What every pruning method is given and what it gives back; ``registry`` finds a method by its name.

A method is a generator of pruned matrices, and leaves the model alone: whoever reads them applies each as it comes, or
collects them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import torch
from torch import nn

from ..errors import check_seed, check_sparsity
from ..specs.methods import Extent, Scope
from .masked_weights import local_part, local_values, renew_torch_pruned, set_to_zero
from .masks import Count, Mask
from .sparsities import check_no_include, check_one_amount, check_sparsities, sparsities_by_name
from .survey import PrunableMatrix
from .wrapped import plain_parameters

#: Token numbers of shape (sequences, length), or a model's inputs by name, the sequences along their first dimension.
Calibration = torch.Tensor | Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Request:
    """How much a method is to remove, and by what means.

    Attributes:
        sparsity: fraction of the prunable weights, in [0, 1); None with a pattern, or with sparsities of matrices.
        sparsities: instead, the fraction of each matrix by patterns of names: of those that a name fits the first
            decides, and what fits none stays dense. The patterns are then what is included.
        pattern: instead, ``N:M``, which keeps N of every M inputs of an output.
        scope: over what the weights are ranked, for methods that have a choice.
        seed: of the methods that draw numbers.
        calibration: what flows through the model while a calibrated method prunes it; None for other methods.
        include: patterns of the parameters to prune, such as ``*.mlp.*`` (a sparsity is of these); () for all.
        exclude: patterns of the parameters to leave dense.
        extent: an ``Extent``: whether embeddings and the head are pruned as well, by methods that can.
    """

    sparsity: float | None = None
    sparsities: Mapping[str, float] | None = None
    pattern: str | None = None
    scope: str = Scope.GLOBAL
    seed: int = 0
    calibration: Calibration | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    extent: str = Extent.BLOCKS

    def __post_init__(self) -> None:
        check_one_amount(self.sparsity, self.sparsities, self.pattern)
        if self.sparsity is not None:
            object.__setattr__(self, "sparsity", check_sparsity(self.sparsity))
        if self.sparsities is not None:
            object.__setattr__(self, "sparsities", check_sparsities(self.sparsities))
            if tuple(self.include) != tuple(self.sparsities):
                check_no_include(self.include)
            object.__setattr__(self, "include", tuple(self.sparsities))
        object.__setattr__(self, "seed", check_seed(self.seed))

    def amount(self, names: Iterable[str]) -> float | dict[str, float]:
        """Return the sparsity: one number for all matrices, or one for each, by name.

        Args:
            names: names of the matrices that are pruned.

        Raises:
            InputError: a pattern of the sparsities decides nothing.

        >>> Request(sparsity=0.4).amount(["0.key"]), Request(sparsities={"*.key": 0.4}).amount(["0.key"])
        (0.4, {'0.key': 0.4})
        """
        if self.sparsities is not None:
            return sparsities_by_name(self.sparsities, names)
        assert self.sparsity is not None  # a pattern is no sparsity
        return self.sparsity


@dataclass(eq=False)
class PrunedMatrix:
    """A prunable matrix, and what a method makes of it.

    Attributes:
        entry: the matrix as it is in the model.
        kept: which of its weights stay: boolean, of the parameter's shape.
        values: all its weights after pruning, in the model's precision, zero where they go; None where the weights that
            stay keep their values.
        applied: whether the matrix is pruned in the model.

    >>> layer = torch.nn.Linear(2, 1)
    >>> entry = PrunableMatrix(name="weight", weight=layer.weight, depth=0, component="other")
    >>> matrix = PrunedMatrix(entry, torch.tensor([[True, False]]), torch.tensor([[3.0, 0.0]]))
    >>> matrix.apply()
    >>> layer.weight.tolist(), matrix.count
    ([[3.0, 0.0]], Count(pruned=1, size=2))
    """

    entry: PrunableMatrix
    kept: torch.Tensor
    values: torch.Tensor | None = None
    applied: bool = field(default=False, init=False)

    @property
    def count(self) -> Count:
        """How many of the matrix's weights go."""
        return Mask({self.entry.name: self.kept}).count(str)[self.entry.name]

    @torch.no_grad()
    def apply(self) -> None:
        """Prune the matrix in the model.

        Raises:
            InputError: its weights cannot be written in place.
        """
        weight = self.entry.weight.detach()
        set_to_zero(self.entry.name, weight, self.kept)
        if self.values is not None:
            weight.copy_(self.values)
        if self.entry.holder is not None:
            renew_torch_pruned(self.entry.holder)
        self.applied = True


#: What a method yields: each matrix once. Nothing of a matrix is needed any more when the next is asked for.
PrunedMatrices = Generator[PrunedMatrix, None, None]


@dataclass(frozen=True)
class Pruned:
    """What a method chose: a mask and, where the weights that stay make up for the others, their values.

    Attributes:
        mask: which weights stay.
        values: by name, in the model's precision, the matrices that the method changed: new values where a weight
            stays, zeros elsewhere. Empty where the weights that stay keep their values.

    >>> pruned = Pruned(Mask({"weight": torch.tensor([[True, False]])}), {"weight": torch.tensor([[3.0, 0.0]])})
    >>> layer = torch.nn.Linear(2, 1)
    >>> pruned.apply(layer)
    >>> layer.weight.tolist()
    [[3.0, 0.0]]
    """

    mask: Mask
    values: Mapping[str, torch.Tensor] = field(default_factory=dict)

    @classmethod
    def collect(cls, matrices: PrunedMatrices) -> Pruned:
        """Return all that a method yields, as a whole; the model is left alone.

        Args:
            matrices: the method's pruned matrices.
        """
        keep: dict[str, torch.Tensor] = {}
        values: dict[str, torch.Tensor] = {}
        with closing(matrices):  # at an exception here, the method puts the model's own values back at once
            for matrix in matrices:
                keep[matrix.entry.name] = matrix.kept
                if matrix.values is not None:
                    values[matrix.entry.name] = matrix.values
        return cls(Mask(keep), values)

    @torch.no_grad()
    def apply(self, model: nn.Module) -> None:
        """Set the removed weights to zero and the changed matrices to their values, in place.

        Raises:
            InputError: the model has no such parameter, or another shape; nothing is changed then.
        """
        self.mask.apply(model)
        parameters = plain_parameters(model)
        for name, values in self.values.items():
            local_values(parameters[name]).copy_(local_part(name, values, parameters[name]))
