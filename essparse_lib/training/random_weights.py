"""Random weights in the place of pre-trained ones: what a task gives a model of the same shape without pre-training."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import check_seed


def draw_weights(model: nn.Module, seed: int) -> None:
    """Draw all weights of the models of transformers in a model anew, in place, as transformers draws them.

    What else the model has, such as a decoder of this package, begins with random weights as it is.

    Args:
        model: a model of transformers, or one that has such a model in it.
        seed: seed of the weights.

    >>> from transformers import BertConfig, BertModel
    >>> one, other = (BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    ...               for _ in range(2))
    >>> draw_weights(one, 0)
    >>> draw_weights(other, 0)
    >>> torch.equal(one.embeddings.word_embeddings.weight, other.embeddings.word_embeddings.weight)
    True
    """
    from transformers import PreTrainedModel

    torch.manual_seed(check_seed(seed))
    drawn: set[int] = set()
    for part in model.modules():
        if not isinstance(part, PreTrainedModel) or id(part) in drawn:
            continue
        drawn |= {id(inner) for inner in part.modules()}
        fresh = type(part)(part.config).state_dict()
        part.load_state_dict({name: fresh[name] for name in part.state_dict()})
