"""Every one-shot pruning method by its name: ``pruning/<name>.py`` has the function, ``specs.methods`` the row."""

from __future__ import annotations

from importlib import import_module

from torch import nn

from ..errors import InputError
from ..specs.methods import check_method, one_shot_methods
from .method import Pruned, Request


def prune(model: nn.Module, method: str, request: Request) -> Pruned:
    """Return what a method removes from the matrices of a model's blocks; the model is left alone.

    Args:
        model: any that has transformer blocks.
        method: a name in ``specs.methods.METHODS`` of a method that is not trained.
        request: how much to remove, and by what means.

    Raises:
        InputError: something in the request is not allowed or does not go with the method, or the model cannot be
            pruned.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> prune(model, "magnitude", Request(pattern="1:4")).mask.sparsity
    0.75
    """
    row = check_method(method, request.scope, request.pattern, one_shot_methods())
    if row.calibrated != (request.calibration is not None):
        raise InputError(f"method {method!r} {'needs' if row.calibrated else 'takes no'} calibration data")
    pruned: Pruned = import_module(f".{method}", __package__).prune(model, request)
    return pruned
