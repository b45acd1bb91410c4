"""Perplexity: how well a language model predicts text."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import InputError, check_whole
from ..pruning.blocks import evaluating


@torch.no_grad()
def perplexity(model: nn.Module, tokens: torch.Tensor, batch_size: int = 8) -> float:
    """Return the perplexity of a language model: exp of the mean negative log-likelihood of the next token.

    Each window is read from its start, and its first token is not predicted.

    Args:
        model: a causal language model of transformers, on any device; its mode (training or evaluation) is kept.
        tokens: token numbers without padding, shape (windows, length).
        batch_size: number of windows read at once.

    Returns:
        At least 1, for a perfect prediction. A model that finds all tokens equally likely has the size of the
        vocabulary. Infinite if the value is beyond the range of fp32.

    Raises:
        InputError: there are no windows, they have fewer than two tokens, or the batch size is no whole number from 1.

    Source:
        Jelinek et al. 1977, J. Acoust. Soc. Am. 62, S63; windows that do not overlap, as in the papers of SparseGPT
        (arXiv 2301.00774, §4) and Wanda (arXiv 2306.11695, §4).

    >>> from transformers import OPTConfig, OPTForCausalLM
    >>> shape = dict(hidden_size=32, word_embed_proj_dim=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=2)
    >>> model = OPTForCausalLM(OPTConfig(vocab_size=50, max_position_embeddings=16, **shape))
    >>> _ = torch.nn.init.zeros_(model.get_output_embeddings().weight)
    >>> round(perplexity(model, torch.randint(50, (3, 8))), 3)
    50.0
    """
    batch_size = check_whole("batch_size", batch_size)
    if tokens.ndim != 2 or tokens.shape[1] < 2 or not len(tokens):
        raise InputError(f"windows of shape {tuple(tokens.shape)} are not allowed: give (windows, length from 2)")
    device = next(model.parameters()).device
    total = 0.0
    with evaluating(model):
        for batch in tokens.to(device).split(batch_size):
            logits = model(input_ids=batch).logits[:, :-1].float()
            total += nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), reduction="sum").item()
    return float(torch.tensor(total / tokens[:, 1:].numel()).exp())
