"""Masks chosen by one look at the weights: magnitude, random and N:M, by their names."""

from __future__ import annotations

from torch import nn

from .levels import rank_levels
from .masks import Mask
from .n_m import n_m
from .prunable import prunable_weights, transposed_names
from .random import random_mask


def one_look(
    model: nn.Module,
    sparsity: float | str | None,
    method: str = "magnitude",
    scope: str = "global",
    pattern: str | None = None,
    seed: int = 0,
) -> Mask:
    """What goes from a model's blocks; the model is left alone.

    Args:
        model: any that has transformer blocks.
        sparsity: fraction in [0, 1); of no effect with a pattern.
        method: ``magnitude`` or ``random``.
        scope: over what weights are ranked, as for ``levels.rank_levels``.
        pattern: ``N:M`` by magnitude, in place of sparsity and scope.
        seed: of ``random``.

    Raises:
        InputError: one of them is not allowed, or the model cannot be pruned.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> one_look(model, None, pattern="1:4").sparsity
    0.75
    """
    if pattern:
        return n_m(prunable_weights(model), pattern, transposed_names(model))
    assert sparsity is not None
    if method == "random":
        return random_mask(prunable_weights(model), sparsity, seed, scope)
    return next(rank_levels(prunable_weights(model), [sparsity], scope).masks())
