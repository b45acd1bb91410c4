"""Random pruning: the baseline that any method must beat."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..errors import check_seed, not_finite_error
from .levels import Levels, rank_levels
from .masks import Mask
from .method import Pruned, Request
from .prunable import prunable_weights


def prune(model: nn.Module, request: Request) -> Pruned:
    """Remove weights of a model's blocks that the seed draws; the model is left alone.

    Arguments and errors as of ``registry.prune``.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> prune(model, Request(sparsity=0.25, seed=1)).mask.sparsity
    0.25
    """
    assert request.sparsity is not None  # patterns do not go with it
    weights = prunable_weights(model, request.include, request.exclude)
    for name, weight in weights.items():  # methods that rank by the weights see it themselves
        if not weight.isfinite().all():
            raise not_finite_error(name)
    return Pruned(random_mask(weights, request.sparsity, request.seed, request.scope))


def random_levels(
    weights: Mapping[str, torch.Tensor], sparsities: Sequence[float | str], seed: int, scope: str = "layer"
) -> Levels:
    """Return the nested random masks of a whole sweep: each weight draws a number, and the smallest numbers go.

    A matrix's numbers depend on the seed, its name and its shape alone: neither on the other matrices nor on the
    device.

    Args:
        weights: matrices by name, any shapes; only their shapes and devices matter.
        sparsities: as for ``levels.rank_levels``.
        seed: of the numbers, 0 or more.
        scope: ``layer``, all matrices at one sparsity; ``erk``, at Erdős–Rényi-kernel densities; ``global``, drawn
            from all matrices together.

    Raises:
        InputError: a sparsity, the seed or the scope is not allowed.

    Source: Liu et al., "The Unreasonable Effectiveness of Random Pruning", ICLR 2022, arXiv 2202.02643.

    >>> import torch
    >>> sweep = random_levels({"w": torch.zeros(10, 10)}, [0.2, 0.9], seed=0)
    >>> [sweep.mask(s).pruned for s in (0.2, 0.9)]
    [20, 90]
    """
    seed = check_seed(seed)
    return rank_levels(
        {name: _numbers(name, w.shape, seed).to(w.device) for name, w in weights.items()}, sparsities, scope
    )


def random_mask(weights: Mapping[str, torch.Tensor], sparsity: float | str, seed: int, scope: str = "layer") -> Mask:
    """Return one random mask. Arguments and errors as of ``random_levels``.

    >>> import torch
    >>> random_mask({"w": torch.zeros(10, 10)}, 0.25, seed=1).pruned
    25
    """
    return next(random_levels(weights, [sparsity], seed, scope).masks())


def _numbers(name: str, shape: torch.Size, seed: int) -> torch.Tensor:
    """Return the numbers in [0, 1) that the weights of one matrix draw."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
    return torch.rand(shape, generator=generator)
