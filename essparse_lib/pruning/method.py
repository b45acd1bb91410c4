"""What every pruning method is given and what it gives back; ``registry`` finds a method by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from ..errors import InputError, check_seed, check_sparsity
from ..specs.methods import Scope
from .masked_weights import local_part, local_values
from .masks import Mask
from .wrapped import plain_parameters

#: Token numbers of shape (sequences, length), or a model's inputs by name, the sequences along their first dimension.
Calibration = torch.Tensor | Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Request:
    """How much a method is to remove, and by what means.

    Attributes:
        sparsity: fraction of the prunable weights, in [0, 1); None with a pattern.
        pattern: ``N:M``, which keeps N of every M inputs of an output; None with a sparsity.
        scope: over what the weights are ranked, for methods that have a choice.
        seed: of the methods that draw numbers.
        calibration: what flows through the model while a calibrated method prunes it; None for other methods.
        include: patterns of the parameters to prune, such as ``*.mlp.*`` (a sparsity is of these); () for all.
        exclude: patterns of the parameters to leave dense.
    """

    sparsity: float | None = None
    pattern: str | None = None
    scope: str = Scope.GLOBAL
    seed: int = 0
    calibration: Calibration | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.sparsity is None) == (not self.pattern):
            raise InputError("give either a sparsity, such as 0.4, or a pattern, such as 2:4")
        if self.sparsity is not None:
            object.__setattr__(self, "sparsity", check_sparsity(self.sparsity))
        object.__setattr__(self, "seed", check_seed(self.seed))


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
