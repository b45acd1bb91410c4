"""A model's transformer blocks as modules; run it without dropout, and give its weights back what they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .block_lists import ModuleTree, find_blocks
from .prunable import prunable_matrices
from .survey import PrunableMatrix


@dataclass(frozen=True)
class Block:
    """A transformer block with its prunable matrices.

    Attributes:
        module: the block; None where the matrices lie in several modules, as at the end of a stage.
        matrices: the block's prunable matrices, by parameter name in the model.
    """

    module: nn.Module | None
    matrices: dict[str, PrunableMatrix]


def transformer_blocks(model: nn.Module, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> list[Block]:
    """Return the model's blocks in order, each with its prunable matrices (none if an earlier block shares them).

    Args:
        model: any PyTorch model made of transformer blocks.
        include: patterns of parameter names, as for ``prunable_matrices``.
        exclude: patterns of parameter names, as for ``prunable_matrices``.

    Raises:
        InputError: as ``prunable_matrices``.

    >>> from transformers import GPT2Config, GPT2Model
    >>> model = GPT2Model(GPT2Config(n_embd=8, n_layer=2, n_head=2, vocab_size=10, bos_token_id=0, eos_token_id=0))
    >>> [len(block.matrices) for block in transformer_blocks(model)]
    [4, 4]
    """
    entries = prunable_matrices(model, include, exclude)
    tree = ModuleTree(model)
    places = find_blocks(tree).places
    # A stage has the depth of its last block and is listed after it: read backwards, the block's name is the one kept.
    names = {place.depth: name for name, place in reversed(list(places.items()))}
    by_depth: dict[int, dict[str, PrunableMatrix]] = {depth: {} for depth in sorted(names)}
    for name, entry in entries.items():
        by_depth[entry.depth][name] = entry
    return [
        Block(tree.modules[names[depth]] if all(_lies_in(name, names[depth]) for name in matrices) else None, matrices)
        for depth, matrices in by_depth.items()
    ]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode; afterwards every module is back in the mode that it was in.

    Args:
        model: any PyTorch model.

    >>> model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with evaluating(model):
    ...     [module.training for module in model]
    [False, False]
    >>> [module.training for module in model]
    [True, False]
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def plain_products(model: nn.Module) -> Iterator[None]:
    """Let a model make its products one by one, where it has faster ways that hide them, and keep no keys and values.

    A cache of keys and values would grow every time that a block is run.

    Args:
        model: any PyTorch model; afterwards it computes as before.

    >>> with plain_products(nn.Linear(1, 1)):
    ...     torch.backends.mha.get_fastpath_enabled()
    False
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    configs: dict[int, Any] = {id(part.config): part.config for part in model.modules() if hasattr(part, "config")}
    changed = [
        (config, name, vars(config)[name], value)
        for config in configs.values()
        for name, value in (("use_cache", False), ("_experts_implementation_internal", "eager"))
        if vars(config).get(name) is not None
    ]
    torch.backends.mha.set_fastpath_enabled(False)
    for config, name, _, value in changed:
        setattr(config, name, value)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for config, name, before, _ in changed:
            setattr(config, name, before)


@contextmanager
def restored(matrices: Iterable[PrunableMatrix]) -> Iterator[None]:
    """Give matrices back the values that they had, to the bit, whatever happens in between.

    Args:
        matrices: the matrices, changed in place meanwhile.

    >>> module = nn.Linear(1, 1)
    >>> before = module.weight.item()
    >>> with restored([PrunableMatrix(name="weight", weight=module.weight, depth=0, component="other")]):
    ...     _ = nn.init.zeros_(module.weight)
    >>> module.weight.item() == before
    True
    """
    before = [(matrix.weight, matrix.weight.detach().clone()) for matrix in matrices]
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, values in before:
                weight.copy_(values)


def _lies_in(name: str, block: str) -> bool:
    return not block or name.startswith(f"{block}.")
