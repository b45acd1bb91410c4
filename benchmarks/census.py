"""Count the matrices of a model's blocks by what ``families`` says of them, without the library's own search.

That search is what is on trial in ``attempts``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from families.family import INPUTS_LAST, Family
from torch import nn


class Defect(Exception):
    """The library did something else than it says."""


@dataclass(frozen=True)
class Census:
    """The parameters of a model's blocks, by name.

    Attributes:
        matrices: the matrices, each once.
        either: matrices that may be counted to the blocks or not.
        left_alone: number of weights in other parameters of two dimensions or more, by what they are.
    """

    matrices: Mapping[str, nn.Parameter]
    either: Mapping[str, nn.Parameter]
    left_alone: Mapping[str, int]


def census(family: Family, model: nn.Module) -> Census:
    """Count the matrices of a model's blocks, by what its family says of them.

    Raises:
        Defect: something that the family says does not fit the model, so that the table would be of something else.
    """
    prefixes = [re.compile("".join(_pattern(blocks)) + r"[^.]+\.") for blocks in family.blocks]
    matrices, either, left_alone = {}, {}, dict[str, int]()
    used: set[object] = set()
    for name, parameter in model.named_parameters():
        reason = _match(family.either, name, used)
        if reason is not None:
            either[name] = parameter
            continue
        inside = [prefix for prefix in prefixes if prefix.match(name)]
        used.update(inside[:1])
        if not inside or parameter.ndim < 2:
            continue
        reason = _match(family.left_alone, name, used) or _other_kind(model, name, parameter)
        if reason is None:
            matrices[name] = parameter
        else:
            left_alone[reason] = left_alone.get(reason, 0) + parameter.numel()
    unused = {*family.either, *family.left_alone, *prefixes} - used
    if unused:
        raise Defect(f"{family.name} has nothing of the names {', '.join(map(str, unused))}")
    return Census(matrices, either, left_alone)


def rows(family: Family, model: nn.Module, name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of a parameter's shape with one row for each output, its inputs along the row."""
    for expression, layout in family.layouts.items():
        if re.search(expression, name):
            return layout.rows(tensor)
    owner = model.get_submodule(name.rpartition(".")[0])
    return tensor.flatten(1) if isinstance(owner, nn.modules.conv._ConvNd) else INPUTS_LAST.rows(tensor)


def _pattern(blocks: str) -> Iterator[str]:
    """Yield a regular expression for names that begin with that of a list of blocks, one part after the other."""
    for part in filter(None, blocks.split(".")):
        yield (r"[^.]+" if part == "*" else re.escape(part)) + r"\."


def _match(reasons: Mapping[str, str], name: str, used: set[object]) -> str | None:
    for expression, reason in reasons.items():
        if re.search(expression, name):
            used.add(expression)
            return reason
    return None


def _other_kind(model: nn.Module, name: str, parameter: nn.Parameter) -> str | None:
    """Return what a parameter is that is no matrix by its module or shape, or None."""
    owner = model.get_submodule(name.rpartition(".")[0])
    if isinstance(owner, nn.modules.conv._ConvNd) and parameter.shape[2:].numel() > 1:
        return "kernels of convolutions over several positions"
    if isinstance(owner, nn.Embedding):
        return "tables of embeddings"
    if sum(size > 1 for size in parameter.shape) < 2 and not isinstance(owner, nn.Linear):
        return "vectors"
    return None
