"""Find the matrices outside of a model's blocks: the tables of its embeddings, and the matrices of its head.

They are pruned as a control alone: SMC-Bench ranks them with those of the blocks (VITA-Group/SMC-Bench, commit
6f2856c).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import nn

from ..specs.methods import Extent
from .layouts import PLAIN
from .masks import Count, Mask
from .prunable import prunable_matrices
from .survey import PrunableMatrix
from .wrapped import holder_of, plain_modules

#: Roles of matrices outside of blocks; their depth is -1.
EMBEDDING, HEAD = "embedding", "head"

_WITH_EMBEDDINGS, _WITH_HEAD = (Extent.EMBEDDINGS, Extent.ALL), (Extent.HEAD, Extent.ALL)


def matrices_of(
    model: nn.Module, extent: str = Extent.BLOCKS, include: Iterable[str] = (), exclude: Iterable[str] = ()
) -> dict[str, PrunableMatrix]:
    """Return the matrices of a model that an extent allows to prune, by parameter name: those of the blocks first.

    The head is all that lies outside of the model's ``base_model``, as transformers calls the model without a head. A
    weight that several modules share is listed once.

    Args:
        model: a model with a head.
        extent: an ``Extent``.
        include: patterns of names in the blocks, as for ``prunable.prunable_matrices``.
        exclude: patterns of names in the blocks, likewise.

    Raises:
        InputError: as ``prunable.prunable_matrices``.

    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> model = BertForSequenceClassification(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1,
    ...                                                  num_attention_heads=1))
    >>> [name for name, entry in matrices_of(model, "head").items() if entry.component == "head"]
    ['classifier.weight']
    """
    matrices = prunable_matrices(model, include, exclude)
    seen = {id(entry.weight) for entry in matrices.values()}
    for entry in _outside(model):
        wanted = _WITH_HEAD if entry.component == HEAD else _WITH_EMBEDDINGS
        if extent in wanted and id(entry.weight) not in seen:
            seen.add(id(entry.weight))
            matrices[entry.name] = entry
    return matrices


def weights_of(model: nn.Module, extent: str = Extent.BLOCKS) -> dict[str, torch.Tensor]:
    """Return the values of ``matrices_of`` by parameter name: detached views, not copies.

    Arguments and errors as of ``matrices_of``.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> len(weights_of(model)), weights_of(model, "embeddings")["embeddings.word_embeddings.weight"].shape
    (6, torch.Size([9, 8]))
    """
    return {name: entry.values for name, entry in matrices_of(model, extent).items()}


def removed_by_part(model: nn.Module, mask: Mask, extent: str) -> dict[str, Count]:
    """Return how many weights a mask removes of the blocks, of the embeddings and of the head, as far as it has these.

    Args:
        model: the model.
        mask: a mask of ``matrices_of(model, extent)``.
        extent: an ``Extent``.
    """
    matrices = matrices_of(model, extent)
    parts = {EMBEDDING: "embeddings", HEAD: "head"}
    return mask.count(lambda name: parts.get(matrices[name].component, "blocks"))


def head_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of a model's head: all that are not those of its ``base_model``; none if it has no head.

    Args:
        model: any PyTorch model, not wrapped.
    """
    body = {id(parameter) for parameter in _body(model).parameters()}
    return [parameter for parameter in model.parameters() if id(parameter) not in body]


def _body(model: nn.Module) -> nn.Module:
    body = getattr(model, "base_model", model)
    assert isinstance(body, nn.Module)
    return body


def _outside(model: nn.Module) -> Iterator[PrunableMatrix]:
    """Yield the tables of embeddings in a model's body, and the matrices of its head."""
    head = {id(parameter) for parameter in head_parameters(model)}
    for path, module in plain_modules(model):
        for attribute, weight in module._parameters.items():
            if weight is None or weight.dim() < 2:
                continue
            if id(weight) in head:
                component = HEAD
            elif isinstance(module, nn.Embedding):
                component = EMBEDDING
            else:
                continue
            holder = holder_of(module, attribute)
            yield PrunableMatrix(
                name=f"{path}.{holder.plain}" if path else holder.plain,
                weight=weight,
                depth=-1,
                component=component,
                layout=PLAIN,
                holder=holder,
            )
