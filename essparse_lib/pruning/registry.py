"""Every one-shot pruning method by its name: ``pruning/<name>.py`` has the function, ``specs.methods`` the row."""

from __future__ import annotations

from importlib import import_module

from torch import nn

from ..errors import InputError
from ..specs.methods import Extent, check_method, one_shot_methods
from .masks import Count
from .method import Pruned, PrunedMatrices, Request


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
    return Pruned.collect(pruned_matrices(model, method, request))


def prune_in_place(model: nn.Module, method: str, request: Request) -> Count:
    """Prune the matrices of a model's blocks, each as soon as the method has chosen its weights.

    The same weights go as ``prune(model, method, request).apply(model)`` removes, and the others have the same values.
    But no mask and no value outlives its matrix, so that little memory is needed besides the model. For a calibrated
    method, that is the inputs of one block and its statistics.

    Args:
        model: any that has transformer blocks.
        method: a name in ``specs.methods.METHODS`` of a method that is not trained.
        request: how much to remove, and by what means.

    Returns:
        how many weights the method removed, and how many it had to choose from.

    Raises:
        InputError: as ``prune``. Weights that are NaN or infinite, and what does not go together, are found before
            anything is changed. An error that comes later, such as a Hessian that cannot be inverted or too little
            memory, leaves the model pruned up to the matrix in which it came: load it anew.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> prune_in_place(model, "magnitude", Request(pattern="1:4")).sparsity
    0.75
    """
    count = Count(0, 0)
    for matrix in pruned_matrices(model, method, request):
        matrix.apply()
        count += matrix.count
    return count


def pruned_matrices(model: nn.Module, method: str, request: Request) -> PrunedMatrices:
    """Return a generator of the matrices of a model's blocks, each as a method prunes it.

    The method leaves the model alone. Whoever reads the matrices may apply each before asking for the next, and need
    not keep it.

    Args:
        model: any that has transformer blocks.
        method: a name in ``specs.methods.METHODS`` of a method that is not trained.
        request: how much to remove, and by what means.

    Raises:
        InputError: something in the request is not allowed or does not go with the method; or, as the matrices are
            read, the model cannot be pruned.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> next(pruned_matrices(model, "magnitude", Request(pattern="1:4"))).entry.component
    'query'
    """
    row = check_method(method, request.scope, request.pattern, one_shot_methods(), request.sparsities is not None)
    if row.calibrated != (request.calibration is not None):
        raise InputError(f"method {method!r} {'needs' if row.calibrated else 'takes no'} calibration data")
    if request.extent != Extent.BLOCKS and not row.extends:
        raise InputError(f"method {method!r} prunes the matrices of blocks alone, not {str(request.extent)!r}")
    matrices: PrunedMatrices = import_module(f".{method}", __package__).prune(model, request)
    return matrices
