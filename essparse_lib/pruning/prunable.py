"""Which weights are pruned: the matrices of the transformer blocks, found by walking the module tree."""

from __future__ import annotations

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
    """One prunable matrix.

    Attributes:
        name: of the parameter in the model, such as ``encoder.layer.0.output.dense.weight``.
        weight: the parameter itself, where it lies.
        depth: number of its block, from 0.
        component: its role in the block (query, key, value, attention output, intermediate, output, other).
        transposed: whether it is stored as (inputs, outputs), as GPT-2's are, not as (outputs, inputs).
    """

    name: str
    weight: nn.Parameter
    depth: int
    component: str
    transposed: bool = False


def prunable_matrices(model: nn.Module) -> dict[str, PrunableMatrix]:
    """The matrices of a model's transformer blocks, by name, in the model's order.

    A block is an element of a ``ModuleList`` that is itself a composite with matrices inside; embeddings,
    biases, norms, poolers and heads lie outside or are no matrices. A weight that several modules share is
    listed once (paper, §3: six matrices a block, 84,934,656 weights in bert-base).

    Raises:
        InputError: the model has no such blocks.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=2, num_attention_heads=1))
    >>> [entry.component for entry in prunable_matrices(model).values() if entry.depth == 1]
    ['query', 'key', 'value', 'attention output', 'intermediate', 'output']
    """
    found: dict[str, PrunableMatrix] = {}
    seen: set[int] = set()
    lists: list[str] = []
    for list_name, candidate in model.named_modules():
        inside = any(list_name.startswith(f"{outer}.") for outer in lists)
        if not isinstance(candidate, nn.ModuleList) or inside:
            continue
        lists.append(list_name)
        for depth, block in enumerate(candidate):
            for name, module in block.named_modules():
                weight = getattr(module, "weight", None)
                if not name or not is_matrix(module) or not isinstance(weight, nn.Parameter):
                    continue  # an element that is itself a matrix (no name) is no block
                if id(weight) not in seen:
                    seen.add(id(weight))
                    full = ".".join(part for part in (list_name, str(depth), name, "weight") if part)
                    found[full] = PrunableMatrix(
                        name=full,
                        weight=weight,
                        depth=depth,
                        component=component(name),
                        transposed=not isinstance(module, nn.Linear),
                    )
    if not found:
        raise InputError(
            f"{type(model).__name__} has no transformer blocks (a ModuleList of composite modules with linear "
            "layers), so there is nothing to prune"
        )
    return found


def component(name: str) -> str:
    """A matrix's role from its module's name inside the block, or ``other``."""
    for ending, role in _ENDINGS:
        if name == ending or name.endswith(f".{ending}"):
            return role
    return "other"


def prunable_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The prunable matrices' values by name: detached views, not copies.

    Arguments and errors as of ``prunable_matrices``.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> prunable_weights(model)["encoder.layer.0.attention.self.query.weight"].shape
    torch.Size([8, 8])
    """
    return {name: entry.weight.detach() for name, entry in prunable_matrices(model).items()}


def transposed(model: nn.Module) -> set[str]:
    """The names of the model's prunable matrices that are stored as (inputs, outputs).

    >>> from transformers import GPT2Config, GPT2Model
    >>> len(transposed(GPT2Model(GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=1))))
    4
    """
    return {name for name, entry in prunable_matrices(model).items() if entry.transposed}


def is_matrix(module: nn.Module) -> bool:
    """Whether a module multiplies by a matrix of weights."""
    # GPT-2 keeps its matrices, transposed, in transformers' Conv1D.
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
