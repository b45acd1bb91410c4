"""Wanda: pruning by the products of weights and the size of their inputs."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from .calibrated import Amount, PruneMatrix, amount, for_request, keep_within_rows, layer_by_layer
from .masks import Mask
from .method import Calibration, Pruned, PrunedMatrices, Request


def wanda(
    model: nn.Module,
    calibration: Calibration,
    sparsity: float | None = None,
    pattern: str | tuple[int, int] | None = None,
    batch_size: int = 8,
    dtype: torch.dtype = torch.float32,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> Mask:
    """Remove of each output's weights those with the least ``|W_ij|`` · ‖X_j‖₂; nothing is trained or updated.

    ‖X_j‖₂ is the norm of input j over all calibration tokens, taken where the blocks before are pruned already. Equal
    scores go in the order of position.

    Args:
        model: any with transformer blocks; left alone.
        calibration: token numbers of shape (sequences, length), see ``calibration_windows``; or the model's inputs by
            name, as ``{"pixel_values": ...}``. Every position counts, so there must be no padding.
        sparsity: fraction in [0, 1): exactly ⌊sparsity · inputs⌋ weights of every output go.
        pattern: instead, ``"2:4"`` or ``(2, 4)``: 2 of every 4 consecutive inputs of an output stay.
        batch_size: sequences that go through a block at once.
        dtype: precision of the norms and scores.
        include: patterns of the parameters to prune, as for ``prunable_matrices``.
        exclude: patterns of the parameters to leave dense.

    Returns:
        which weights stay, on the model's device.

    Raises:
        InputError: not exactly one of sparsity and pattern is given, or one out of its range; or the model or the
            calibration cannot be used (see ``layer_by_layer``).

    Source:
        Sun et al. 2024, "A Simple and Effective Pruning Approach for Large Language Models", arXiv 2306.11695, §3.

    >>> from transformers import OPTConfig, OPTModel
    >>> shape = dict(hidden_size=32, word_embed_proj_dim=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=2)
    >>> model = OPTModel(OPTConfig(vocab_size=50, max_position_embeddings=16, **shape))
    >>> tokens = torch.randint(50, (4, 16))
    >>> mask = wanda(model, tokens, sparsity=0.3)
    >>> {name: kept.sum(1).unique().tolist() for name, kept in mask.keep.items() if "layers.1.fc" in name}
    {'decoder.layers.1.fc1.weight': [23], 'decoder.layers.1.fc2.weight': [45]}
    >>> wanda(model, tokens, pattern="2:4").sparsity
    0.5
    """
    method = _method(amount(sparsity, pattern))
    matrices = layer_by_layer(model, calibration, _squares, method, batch_size, dtype, include, exclude)
    return Pruned.collect(matrices).mask


def prune(model: nn.Module, request: Request) -> PrunedMatrices:
    """Remove what ``wanda`` removes, with its other arguments as they are by default.

    Arguments and errors as of ``registry.pruned_matrices``.
    """
    assert request.calibration is not None
    method = for_request(model, request, _method)
    chosen = {"include": request.include, "exclude": request.exclude}
    return layer_by_layer(model, request.calibration, _squares, method, **chosen)  # type: ignore[arg-type]


def _method(amount: Amount) -> PruneMatrix:
    """Return what Wanda does with a matrix and its inputs' sums of squares."""

    def method(weight: torch.Tensor, squares: torch.Tensor) -> tuple[torch.Tensor, None]:
        return keep_within_rows(weight.abs() * squares.sqrt(), amount), None

    return method


def _squares(inputs: torch.Tensor) -> torch.Tensor:
    """Return each input's sum of squares over the tokens: shape (tokens, inputs) to (inputs,)."""
    return inputs.square().sum(0)
