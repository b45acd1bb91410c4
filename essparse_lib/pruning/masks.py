"""Masks: which weights stay, counted, combined, applied to a model, held through its training, verified after it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import and_, or_
from typing import TypeVar

import torch
from torch import nn

from ..errors import InputError

_Group = TypeVar("_Group", bound=Hashable)


@dataclass(frozen=True)
class Count:
    """How many weights a mask removes of how many.

    >>> Count(1, 4) + Count(2, 4)
    Count(pruned=3, size=8)
    """

    pruned: int
    size: int

    @property
    def sparsity(self) -> float:
        """The fraction removed, from 0 to 1."""
        return self.pruned / self.size if self.size else 0.0

    def __add__(self, other: Count) -> Count:
        return Count(self.pruned + other.pruned, self.size + other.size)


@dataclass(frozen=True)
class Mask:
    """Which weights stay.

    Attributes:
        keep: by parameter name a boolean tensor of the parameter's shape, True where the weight stays.

    >>> mask = Mask({"w": torch.tensor([True, False])}) & Mask({"w": torch.tensor([False, False])})
    >>> mask.sparsity
    1.0
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
        return sum(count.pruned for count in self.count(str).values())

    @property
    def sparsity(self) -> float:
        """The fraction removed, from 0 to 1."""
        return sum(self.count(str).values(), Count(0, 0)).sparsity

    def count(self, group: Callable[[str], _Group]) -> dict[_Group, Count]:
        """What is removed, matrix by matrix or of several together.

        Args:
            group: of a parameter, by its name: ``str`` for each by itself.

        >>> mask = Mask({"0.key": torch.tensor([True, False]), "1.key": torch.tensor([False, False])})
        >>> mask.count(str)["0.key"].sparsity, mask.count(lambda name: name.split(".")[1])["key"].sparsity
        (0.5, 0.75)

        With ``matrices = prunable(model)``, per component ``lambda name: matrices[name].component`` and per block
        ``lambda name: matrices[name].depth``.
        """
        counts: dict[_Group, Count] = {}
        for name, kept in self.keep.items():
            own = Count(kept.numel() - int(kept.count_nonzero()), kept.numel())
            place = group(name)
            counts[place] = counts.get(place, Count(0, 0)) + own
        return counts

    def __and__(self, other: Mask) -> Mask:
        """What both keep.

        Raises:
            InputError: they cover other matrices, or of other shapes.
        """
        return self._with(other, and_)

    def __or__(self, other: Mask) -> Mask:
        """What either keeps; errors as of ``&``."""
        return self._with(other, or_)

    def _with(self, other: Mask, operation: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Mask:
        check_alike(self, other)
        return Mask({name: operation(kept, other.keep[name].to(kept.device)) for name, kept in self.keep.items()})

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


def check_alike(one: Mask, other: Mask) -> None:
    """Check that two masks cover the same matrices.

    Raises:
        InputError: they do not.
    """
    shapes, others = ({name: tuple(kept.shape) for name, kept in mask.keep.items()} for mask in (one, other))
    differing = [name for name in {**shapes, **others} if shapes.get(name) != others.get(name)]
    if differing:
        name = differing[0]
        there, here = (str(found.get(name, "absent")) for found in (shapes, others))
        raise InputError(f"the masks are of different models: {name} is {there} in one and {here} in the other")


def _zero(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
    for weight, kept in pairs:
        weight.mul_(kept)


def measured_sparsity(weights: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """How many of these weights are exactly zero, and how many there are."""
    zeros = sum(w.numel() - int(torch.count_nonzero(w)) for w in weights.values())
    return zeros, sum(w.numel() for w in weights.values())
