"""Rank the weights: hold the nested masks of a sweep over sparsities, in one byte a weight, or yield one by matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from ..errors import InputError, check_list, check_sparsity
from ..specs.methods import Scope
from . import radix_select
from .allocation import pruned_count, removed_per_layer
from .masks import Mask

#: Up to so many sparsities of a sweep are listed where one is not in it.
_LISTED = 10
#: Sparsities that differ by no more are the same level of a sweep.
_SAME = 1e-9


@dataclass(frozen=True)
class Levels:
    """The masks of one ranking of the weights at several sparsities.

    Such masks nest: what goes at one sparsity goes at every higher one. So one number a weight stands for all masks.

    Attributes:
        sparsities: the sparsities of the sweep, ascending, as ``check_sparsity`` reads them.
        level: a uint8 tensor per parameter, by the parameter's name and of its shape: for each weight the position in
            ``sparsities`` at which it goes first, or ``len(sparsities)`` if it always stays.

    >>> sweep = Levels((0.25, 0.5), {"w": torch.tensor([0, 2, 1, 2], dtype=torch.uint8)})
    >>> sweep.mask(0.5).keep["w"]
    tensor([False,  True, False,  True])
    """

    sparsities: tuple[float, ...]
    level: Mapping[str, torch.Tensor]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sparsities", _ascending(self.sparsities))

    def mask(self, sparsity: float | str) -> Mask:
        """Return the mask at one of the sparsities: a view, made tensor by tensor as it is read.

        Sparsities that differ by rounding alone, as 0.1 * 3 and 0.3 do, are the same.

        Raises:
            InputError: the sparsity is not in the sweep.
        """
        wanted = check_sparsity(sparsity)
        near = sorted(self.sparsities, key=lambda level: abs(level - wanted))[:_LISTED]
        if not near or abs(near[0] - wanted) > _SAME:
            listed = ", ".join(f"{level:.9g}" for level in sorted(near))
            of_all = f", the nearest of {len(self.sparsities)}" if len(self.sparsities) > _LISTED else ""
            raise InputError(f"sparsity {sparsity!r} is not in this sweep: choose from {listed}{of_all}")
        return Mask(_View(self.level, self.sparsities.index(near[0])))

    def masks(self) -> Iterator[Mask]:
        """Yield the masks of all sparsities, in ascending order."""
        for sparsity in self.sparsities:
            yield self.mask(sparsity)


class _View(Mapping[str, torch.Tensor]):
    """Which weights stay at one level, by parameter name."""

    def __init__(self, level: Mapping[str, torch.Tensor], number: int) -> None:
        self._level = level
        self._number = number

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._level[name] > self._number

    def __iter__(self) -> Iterator[str]:
        return iter(self._level)

    def __len__(self) -> int:
        return len(self._level)


def rank_levels(scores: Mapping[str, torch.Tensor], sparsities: Sequence[float | str], scope: str = "global") -> Levels:
    """Return the masks that remove, at each sparsity, the weights with the smallest absolute scores.

    Args:
        scores: a score for each weight, by parameter name; fp32, bf16 or fp16; not changed.
        sparsities: at most 127 fractions s of all n weights, in [0, 1), ascending; ⌊s·n⌋ weights go.
        scope: over what the scores are ranked: ``global``, all tensors together; ``layer``, each by itself, all at
            one sparsity; ``erk``, each by itself, at Erdős–Rényi-kernel densities (``allocation``).

    Raises:
        InputError: a sparsity or the scope is not allowed, or a score is NaN or infinite (the message names it).
    """
    fractions = _ascending(sparsities)
    return Levels(fractions, dict(_levels_in_turn(scores, fractions, scope)))


def kept_in_turn(
    scores: Mapping[str, torch.Tensor], sparsity: float | str | Mapping[str, float], scope: str = "global"
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield which weights stay, tensor by tensor, and keep nothing of the tensors that were yielded.

    The same weights go as in ``rank_levels(scores, [sparsity], scope)``. Over ``global``, all scores are read before
    the first tensor is yielded. What was yielded may be pruned at once, so that no mask of the whole is ever held.

    Args:
        scores: a score for each weight, by parameter name; fp32, bf16 or fp16; not changed. Each tensor is read
            several times, one at a time: a mapping may compute it when it is read.
        sparsity: fraction s of all n weights, in [0, 1); ⌊s·n⌋ weights go. Or a fraction for each tensor, by its name:
            each is ranked by itself then.
        scope: over what the scores are ranked, as for ``rank_levels``; says nothing with a fraction for each.

    Yields:
        The tensor's name, and a boolean tensor of its shape: True where the weight stays.

    Raises:
        InputError: as ``rank_levels``.

    >>> for name, kept in kept_in_turn({"a": torch.tensor([3.0, -1.0]), "b": torch.tensor([2.0, 4.0])}, 0.5):
    ...     print(name, kept.tolist())
    a [True, False]
    b [False, True]
    """
    if isinstance(sparsity, Mapping):
        for name, tensor in scores.items():
            yield from kept_in_turn({name: tensor}, sparsity[name], Scope.LAYER)
        return
    for name, level in _levels_in_turn(scores, _ascending([sparsity]), scope):
        yield name, level > 0


def _levels_in_turn(
    scores: Mapping[str, torch.Tensor], fractions: Sequence[float], scope: str
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the levels of ``rank_levels``, tensor by tensor."""
    shapes = {name: tensor.shape for name, tensor in scores.items()}
    size = sum(shape.numel() for shape in shapes.values())
    counts = [pruned_count(sparsity, size) for sparsity in fractions]
    if scope == Scope.GLOBAL:
        yield from radix_select.removal_levels_in_turn(scores, counts)
        return
    shares = [removed_per_layer(shapes, count, scope) for count in counts]
    for name, tensor in scores.items():
        yield from radix_select.removal_levels({name: tensor}, [share[name] for share in shares]).items()


def _ascending(sparsities: Iterable[float | str]) -> tuple[float, ...]:
    """Return the sparsities of a sweep as numbers, once it is clear that they ascend."""
    sparsities = check_list("sparsities", sparsities, "[0.1, 0.2]")
    fractions = tuple(check_sparsity(sparsity) for sparsity in sparsities)
    if list(fractions) != sorted(set(fractions)) or len(fractions) > radix_select.MOST_RANKS:
        raise InputError(f"sparsities {list(fractions)} are not allowed: they must ascend, and be at most 127")
    return fractions
