"""Masks say which weights stay: count them, combine them, apply them, hold them in training, verify them after it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import and_, or_
from typing import TypeVar

import torch
from torch import nn

from ..errors import InputError, suggestion
from .masked_weights import MaskedWeights
from .steps import after_steps, check_trains

_Group = TypeVar("_Group", bound=Hashable)


@dataclass(frozen=True)
class Count:
    """How many weights a mask removes; counts add up.

    Attributes:
        pruned: number of weights that are removed.
        size: number of all weights.

    >>> Count(1, 4) + Count(2, 4)
    Count(pruned=3, size=8)
    """

    pruned: int
    size: int

    @property
    def sparsity(self) -> float:
        """Fraction of the weights that is removed, from 0 to 1."""
        return self.pruned / self.size if self.size else 0.0

    def __add__(self, other: Count) -> Count:
        return Count(self.pruned + other.pruned, self.size + other.size)


@dataclass(frozen=True)
class Mask:
    """Which weights of a model stay.

    Attributes:
        keep: a boolean tensor per parameter, by the parameter's name in the plain model (without what DDP,
            ``torch.compile`` or PEFT add) and of its shape: True where the weight stays.

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
        """Number of weights that the mask covers."""
        return sum(kept.numel() for kept in self.keep.values())

    @property
    def pruned(self) -> int:
        """Number of weights that the mask removes."""
        return sum(count.pruned for count in self.count(str).values())

    @property
    def sparsity(self) -> float:
        """Fraction of the weights that the mask removes, from 0 to 1."""
        return sum(self.count(str).values(), Count(0, 0)).sparsity

    def count(self, group: Callable[[str], _Group]) -> dict[_Group, Count]:
        """Count the removed weights of each group of matrices.

        Args:
            group: a function that gives the group of a parameter from its name; ``str`` makes each parameter a group.

        Returns:
            The counts by group, in the order of the mask.

        >>> mask = Mask({"0.key": torch.tensor([True, False]), "1.key": torch.tensor([False, False])})
        >>> mask.count(str)["0.key"].sparsity, mask.count(lambda name: name.split(".")[1])["key"].sparsity
        (0.5, 0.75)

        With ``matrices = prunable_matrices(model)``, ``lambda name: matrices[name].component`` groups by component,
        and ``lambda name: matrices[name].depth`` by block.
        """
        counts: dict[_Group, Count] = {}
        for name, kept in self.keep.items():
            count = Count(kept.numel() - int(kept.count_nonzero()), kept.numel())
            key = group(name)
            counts[key] = counts.get(key, Count(0, 0)) + count
        return counts

    def __and__(self, other: Mask) -> Mask:
        """Return the mask that keeps what both masks keep.

        Raises:
            InputError: the masks cover different matrices, or matrices of different shapes.
        """
        return self._combine(other, and_)

    def __or__(self, other: Mask) -> Mask:
        """Return the mask that keeps what at least one of the masks keeps.

        Raises:
            InputError: the masks cover different matrices, or matrices of different shapes.
        """
        return self._combine(other, or_)

    def _combine(self, other: Mask, operation: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Mask:
        check_same_matrices(self, other)
        return Mask({name: operation(kept, other.keep[name].to(kept.device)) for name, kept in self.keep.items()})

    def apply(self, model: nn.Module) -> None:
        """Set the removed weights of a model to zero, in place, whatever they are: NaN, too.

        Args:
            model: the model, plain or wrapped (DDP, ``torch.compile``, FSDP2, PEFT).

        Raises:
            InputError: the model lacks a parameter of the mask, has it in another shape, computes it from others, or
                does not hold its values. Nothing is changed then.
        """
        MaskedWeights(model, self.keep).zero()

    @contextmanager
    def held(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
        """Set the removed weights of a model to zero, and again after every step of ``optimizer``.

        The gradients reach the optimizer unchanged. So, for every element-wise optimizer, its moments of the weights
        that stay are those of an update in which the removed weights have no part. The weights are looked up at every
        step: the model may be moved, cast, loaded or wrapped anew within the block. To merge an adapter into a matrix
        (PEFT's ``merge_and_unload``) fills its removed weights: apply the mask again after it.

        Args:
            model: the model, plain or wrapped (DDP, ``torch.compile``, FSDP2, PEFT).
            optimizer: what trains it; also as accelerate prepared it, or a list where several optimizers train it.

        Raises:
            InputError: the model lacks a parameter of the mask, now or later, has it in another shape, computes it
                from others, or does not hold its values; ``optimizer`` is none, or trains no parameter of the model;
                or, at the end of the block, removed weights are not zero, because something other than the
                optimizer's steps has changed them. They are set to zero all the same.
        """
        weights = MaskedWeights(model, self.keep)
        check_trains(optimizer, model)
        with after_steps(optimizer, weights.zero):
            weights.zero()
            yield
        drifted = weights.nonzero()
        weights.zero()
        if drifted:
            raise InputError(
                f"the mask was not held: {drifted:,} of its {self.pruned:,} removed weights were not zero at the end. "
                "Something other than a step of this optimizer wrote them, such as another optimizer, a merged adapter "
                "or load_state_dict. They are zero now; if the model was trained so, train it again and pass held each "
                "of its optimizers, as a list"
            )
        check_trains(optimizer, model)

    def drift(self, model: nn.Module) -> int:
        """Return how many of the removed weights are not zero in a model: 0 if the mask was held. NaN is not zero.

        Args:
            model: the model, plain or wrapped. Of a sharded model all processes must call this together.

        Raises:
            InputError: the model lacks a parameter of the mask, has it in another shape, computes it from others, or
                does not hold its values.
        """
        return MaskedWeights(model, self.keep).nonzero()


def check_same_matrices(one: Mask, other: Mask) -> None:
    """Check that two masks cover the same matrices.

    Raises:
        InputError: a matrix is in one mask only, or has different shapes.
    """
    shapes = {name: tuple(kept.shape) for name, kept in one.keep.items()}
    other_shapes = {name: tuple(kept.shape) for name, kept in other.keep.items()}
    for name in {**shapes, **other_shapes}:
        shape, other_shape = shapes.get(name, "absent"), other_shapes.get(name, "absent")
        if shape != other_shape:
            lacking = shapes if shape == "absent" else other_shapes
            near = suggestion(name, lacking) if name not in lacking else ""
            raise InputError(
                f"the masks are of different models: {name} is {shape} in one and {other_shape} in the other{near}"
            )


def zeros_and_size(weights: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """Return how many weights of some matrices are exactly zero, and how many weights there are."""
    zeros = sum(w.numel() - int(torch.count_nonzero(w)) for w in weights.values())
    return zeros, sum(w.numel() for w in weights.values())
