"""Masks: which weights stay, applied to a model, held through its training, and verified after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import InputError


@dataclass(frozen=True)
class Mask:
    """Which weights stay.

    Attributes:
        keep: by parameter name a boolean tensor of the parameter's shape, True where the weight stays.
    """

    keep: Mapping[str, torch.Tensor]

    def __post_init__(self) -> None:
        for name, kept in self.keep.items():
            if kept.dtype != torch.bool:
                raise TypeError(f"mask of {name} has dtype {kept.dtype}, not bool")

    @property
    def size(self) -> int:
        """How many weights the mask covers."""
        return sum(kept.numel() for kept in self.keep.values())

    @property
    def pruned(self) -> int:
        """How many of them it removes."""
        return self.size - sum(int(kept.sum()) for kept in self.keep.values())

    @property
    def sparsity(self) -> float:
        """The fraction removed, from 0 to 1."""
        return self.pruned / self.size if self.size else 0.0

    def apply(self, model: nn.Module) -> None:
        """Set the removed weights to zero, in place.

        Raises:
            InputError: the model has no such parameter, or another shape.
        """
        _zero(self._pairs(model))

    @contextmanager
    def held(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
        """Keep the removed weights at zero after every step of ``optimizer``.

        The gradients reach the optimizer untouched, so its statistics of the surviving weights are those of
        an update in which the removed ones do not take part, for every element-wise optimizer.
        """
        pairs = self._pairs(model)  # once: on a GPU, the mask moves there here and not at every step
        _zero(pairs)
        hook = optimizer.register_step_post_hook(lambda *_: _zero(pairs))
        try:
            yield
        finally:
            hook.remove()

    def drift(self, model: nn.Module) -> int:
        """How many removed weights are not zero in the model: 0 if the mask was held."""
        return sum(int(weight.masked_fill(kept, 0).count_nonzero()) for weight, kept in self._pairs(model))

    @torch.no_grad()
    def _pairs(self, model: nn.Module) -> list[tuple[torch.Tensor, torch.Tensor]]:
        parameters = dict(model.named_parameters(remove_duplicate=False))  # a shared weight by each of its names
        pairs = []
        for name, kept in self.keep.items():
            weight = parameters.get(name)
            if weight is None or weight.shape != kept.shape:
                shape = "no such weight" if weight is None else f"shape {tuple(weight.shape)}"
                raise InputError(
                    f"the mask is of another model: {name} has shape {tuple(kept.shape)} there, {shape} here"
                )
            pairs.append((weight.detach(), kept.to(weight.device)))
        return pairs


def _zero(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
    for weight, kept in pairs:
        weight.mul_(kept)


def measured_sparsity(weights: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """How many of these weights are exactly zero, and how many there are."""
    zeros = sum(w.numel() - int(torch.count_nonzero(w)) for w in weights.values())
    return zeros, sum(w.numel() for w in weights.values())
