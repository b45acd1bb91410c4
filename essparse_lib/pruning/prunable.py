"""Find the weights that are pruned: the matrices of the transformer blocks, by walking the module tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import InputError

#: The last parts of a module's name that say which of a block's matrices it is, in the names of BERT, MPNet,
#: ViT, OPT, GPT-2 and Llama. Longer endings are looked up first.
_COMPONENTS = {
    "query": ("query", "q_proj", "attn.q", "q"),
    "key": ("key", "k_proj", "attn.k", "k"),
    "value": ("value", "v_proj", "attn.v", "v"),
    "attention output": ("attention.output.dense", "out_proj", "o_proj", "attn.o", "attn.c_proj", "o"),
    "intermediate": ("intermediate.dense", "fc1", "up_proj", "gate_proj", "mlp.c_fc"),
    "output": ("output.dense", "fc2", "down_proj", "mlp.c_proj"),
}
_ENDINGS = sorted(
    ((ending, component) for component, endings in _COMPONENTS.items() for ending in endings),
    key=lambda pair: -len(pair[0]),
)


@dataclass(frozen=True, kw_only=True)
class PrunableMatrix:
    """A weight matrix of a transformer block.

    Attributes:
        name: name of the parameter in the model, such as ``encoder.layer.0.output.dense.weight``.
        weight: the parameter itself, not a copy.
        depth: number of the block that has the matrix, from 0.
        component: role of the matrix in the block (query, key, value, attention output, intermediate, output, other).
        transposed: whether the matrix is stored as (inputs, outputs), as in GPT-2, and not as (outputs, inputs).
    """

    name: str
    weight: nn.Parameter
    depth: int
    component: str
    transposed: bool = False


def prunable_matrices(model: nn.Module) -> dict[str, PrunableMatrix]:
    """Return the matrices of a model's transformer blocks, by parameter name, in the model's order.

    A block is an element of a ``ModuleList`` that is made of several modules, matrices among them. Embeddings, biases,
    norms, poolers and heads lie outside of blocks or are no matrices. A weight that several modules share is listed
    once (paper, §3: six matrices a block, 84,934,656 weights in bert-base).

    Args:
        model: any PyTorch model; not changed.

    Raises:
        InputError: the model has no such blocks.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=2, num_attention_heads=1))
    >>> [entry.component for entry in prunable_matrices(model).values() if entry.depth == 1]
    ['query', 'key', 'value', 'attention output', 'intermediate', 'output']
    """
    matrices: dict[str, PrunableMatrix] = {}
    listed: set[int] = set()
    for list_name, blocks in _outermost_lists(model):
        for depth, block in enumerate(blocks):
            for name, module in block.named_modules():
                weight = getattr(module, "weight", None)
                if not name or not is_linear(module) or not isinstance(weight, nn.Parameter):
                    continue  # an element that is itself a matrix (no name) is no block
                if id(weight) in listed:
                    continue
                listed.add(id(weight))
                full_name = ".".join(part for part in (list_name, str(depth), name, "weight") if part)
                matrices[full_name] = PrunableMatrix(
                    name=full_name,
                    weight=weight,
                    depth=depth,
                    component=component_of(name),
                    transposed=not isinstance(module, nn.Linear),
                )
    if not matrices:
        raise InputError(
            f"{type(model).__name__} has no transformer blocks (a ModuleList of composite modules with linear "
            "layers), so there is nothing to prune"
        )
    return matrices


def _outermost_lists(model: nn.Module) -> Iterator[tuple[str, nn.ModuleList]]:
    """Yield the lists of modules that lie in no other such list, by name."""
    names: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in names)
        if isinstance(module, nn.ModuleList) and not inside:
            names.append(name)
            yield name, module


def component_of(name: str) -> str:
    """Return the role of a matrix from the name of its module inside the block, or ``other``."""
    for ending, role in _ENDINGS:
        if name == ending or name.endswith(f".{ending}"):
            return role
    return "other"


def prunable_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the values of a model's prunable matrices by parameter name: detached views, not copies.

    Args:
        model: any PyTorch model made of transformer blocks.

    Raises:
        InputError: the model has no such blocks.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> prunable_weights(model)["encoder.layer.0.attention.self.query.weight"].shape
    torch.Size([8, 8])
    """
    return {name: entry.weight.detach() for name, entry in prunable_matrices(model).items()}


def transposed_names(model: nn.Module) -> set[str]:
    """Return the names of the model's prunable matrices that are stored as (inputs, outputs), as GPT-2's are.

    Args:
        model: any PyTorch model made of transformer blocks.

    Raises:
        InputError: the model has no such blocks.

    >>> from transformers import GPT2Config, GPT2Model
    >>> len(transposed_names(GPT2Model(GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=1))))
    4
    """
    return {name for name, entry in prunable_matrices(model).items() if entry.transposed}


def is_linear(module: nn.Module) -> bool:
    """Return whether a module multiplies its input by a matrix of weights."""
    # GPT-2 keeps its matrices, transposed, in transformers' Conv1D
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
