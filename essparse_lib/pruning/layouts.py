"""Say how matrices lie in a parameter: turned, stacked as experts are, or several side by side in one projection.

Whatever its shape, a parameter that linear maps multiply by is a number of *rows*, one an output, each with a weight
for every input. Its matrices are sets of these rows: all of them, one expert's, or the queries'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

#: Rows of a parameter: a range, or their numbers.
Rows = slice | torch.Tensor


@dataclass(frozen=True)
class Part:
    """One of the matrices in a parameter.

    Attributes:
        component: the matrix's role in the block; None if it has the parameter's.
        rows: which of the parameter's rows it is made of.
    """

    component: str | None
    rows: Rows


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the matrices of a parameter lie in it.

    Attributes:
        inputs: the dimensions that are summed over in the product; the others are outputs.
        stacked: number of matrices along the first dimension, which share no input (experts, groups).
        shape: shape to see the parameter in first; None for its own.
        parts: the rows of each component, where one product computes several (query, key, value); () where it is one.
        apart: whether the parts are matrices of their own, whose inputs may differ, as in ``nn.MultiheadAttention``. In
            a linear layer they are one matrix, which methods prune as a whole.

    >>> weight = torch.arange(6).view(3, 2)  # three inputs, two outputs
    >>> Layout(inputs=(0,)).rows(weight)
    tensor([[0, 2, 4],
            [1, 3, 5]])
    """

    inputs: tuple[int, ...] = (-1,)
    stacked: int = 1
    shape: tuple[int, ...] | None = None
    parts: tuple[Part, ...] = ()
    apart: bool = False

    def rows(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the parameter's shape as rows, shape (all outputs, inputs): a view where that is possible.

        Args:
            tensor: the parameter, its mask, or anything of its shape.
        """
        seen = tensor.reshape(self.shape) if self.shape else tensor
        order = self._order(seen.dim())
        width = math.prod(seen.shape[dim] for dim in self._inputs(seen.dim()))
        return seen.permute(order).reshape(-1, width)

    def stored(self, rows: torch.Tensor, shape: torch.Size | tuple[int, ...]) -> torch.Tensor:
        """Return rows as the parameter stores them: the inverse of ``rows``, contiguous.

        Args:
            rows: shape (all outputs, inputs).
            shape: the parameter's.
        """
        seen_shape = self.shape or tuple(shape)
        order = self._order(len(seen_shape))
        turned = rows.reshape([seen_shape[dim] for dim in order])
        return turned.permute([order.index(dim) for dim in range(len(order))]).reshape(shape).contiguous()

    def matrices(self, outputs: int) -> tuple[Part, ...]:
        """Return the matrices of a parameter.

        Args:
            outputs: number of all the parameter's rows.
        """
        if self.parts and self.apart:
            return self.parts
        height = outputs // self.stacked
        return tuple(Part(None, slice(k * height, (k + 1) * height)) for k in range(self.stacked))

    def first_row(self, offset: int, shape: torch.Size) -> int | None:
        """Return the number of the row that begins at an element of a contiguous parameter; None if none does.

        Args:
            offset: number of the element in the parameter's storage, from its first.
            shape: the parameter's.
        """
        seen_shape = self.shape or tuple(shape)
        strides = [math.prod(seen_shape[dim + 1 :]) for dim in range(len(seen_shape))]
        inputs = self._inputs(len(seen_shape))
        row = 0
        for dim, (size, stride) in enumerate(zip(seen_shape, strides, strict=True)):
            index, offset = divmod(offset, stride) if stride else (0, offset)
            if dim not in inputs:
                row = row * size + index
            elif index:
                return None
        return row

    def strides(self, shape: torch.Size) -> tuple[int, int] | None:
        """Return by how many elements outputs and inputs lie apart within a matrix of a contiguous parameter.

        None if they are not evenly spaced.
        """
        seen_shape = self.shape or tuple(shape)
        all_strides = [math.prod(seen_shape[dim + 1 :]) for dim in range(len(seen_shape))]
        inputs = self._inputs(len(seen_shape))
        outputs = [dim for dim in range(len(seen_shape)) if dim not in inputs]
        if self.stacked > 1:
            outputs = outputs[1:]
        steps = []
        for dims in ([dim for dim in side if seen_shape[dim] > 1] for side in (outputs, inputs)):
            if any(all_strides[a] != all_strides[b] * seen_shape[b] for a, b in pairwise(dims)):
                return None
            steps.append(all_strides[dims[-1]] if dims else 1)
        return steps[0], steps[1]

    def _inputs(self, dims: int) -> tuple[int, ...]:
        return tuple(dim % dims for dim in self.inputs)

    def _order(self, dims: int) -> list[int]:
        return [*(dim for dim in range(dims) if dim not in self._inputs(dims)), *self._inputs(dims)]


#: (outputs, inputs), as ``nn.Linear`` has it.
PLAIN = Layout()
#: (inputs, outputs), as GPT-2's ``Conv1D`` has it.
TRANSPOSED = Layout(inputs=(0,))

#: Parameters that are no ``weight`` of a linear layer: the end of the class's name, the parameter's name ("" for any),
#: and the dimensions of its inputs. The first dimension of those with three counts matrices, but for XLNet and Funnel.
_STACKS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("Llama4TextExperts", "", (1,)),
    ("GroupedLinearLayer", "weight", (1,)),  # ConvBERT
    ("RecurrentGemmaRglru", "input_gate_weight", (1,)),
    ("RecurrentGemmaRglru", "recurrent_gate_weight", (1,)),
    ("ZambaMambaMixer", "x_proj_weight", (2,)),
    ("ZambaMambaMixer", "dt_proj_weight", (2,)),
    ("Experts", "", (2,)),  # (experts, outputs, inputs), in transformers' own and most others
    ("FlexibleLinear", "weight", (2,)),  # Moshi, Kyutai
)
_PER_HEAD: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("XLNetRelativeAttention", "o", (1, 2)),
    ("XLNetRelativeAttention", "", (0,)),
    ("FunnelRelMultiheadAttention", "r_kernel", (0,)),
)
#: Linear layers whose queries, keys and values come head by head, not one after the other.
_BY_HEAD = ("query_key_value", "self.in_proj")


def layout_of(module: nn.Module, attribute: str, parameter: torch.Tensor) -> Layout | None:
    """Return how the matrices of a module's parameter lie in it; None if it is not known to hold any.

    Parts (query, key, value) are not told apart here: see ``fused_parts``.

    Args:
        module: the module that holds the parameter.
        attribute: the parameter's name in it.
        parameter: the parameter.

    >>> layout_of(nn.Linear(3, 2), "weight", torch.zeros(2, 3)) == PLAIN
    True
    >>> print(layout_of(nn.Embedding(3, 2), "weight", torch.zeros(3, 2)))
    None
    """
    kind, dims = type(module).__name__, parameter.dim()
    if is_linear(module) and attribute == "weight" and dims == 2:
        return TRANSPOSED if kind == "Conv1D" else PLAIN
    if isinstance(module, nn.MultiheadAttention) and attribute.endswith("proj_weight"):
        return PLAIN
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)) and attribute == "weight":
        return _pointwise(module, parameter)
    if kind == "DbrxExpertGLU" and dims == 2:  # all experts' rows below one another
        experts = _number(module, "moe_num_experts") or 1
        shape = (experts, parameter.shape[0] // experts, parameter.shape[1])
        return Layout(inputs=(1,) if attribute == "w2" else (2,), stacked=shape[0], shape=shape)
    if dims == 3:
        for ending, name, inputs in _PER_HEAD:
            if kind.endswith(ending) and (attribute == name or (not name and attribute in ("q", "k", "v", "r"))):
                return Layout(inputs=inputs)
        for ending, name, inputs in _STACKS:
            if kind.endswith(ending) and name in ("", attribute) and "bias" not in attribute:
                transposed = getattr(module, "is_transposed", False) is True  # transformers says so of its experts
                return Layout(inputs=(1,) if transposed else inputs, stacked=parameter.shape[0])
    return None


def is_linear(module: nn.Module) -> bool:
    """Return whether a module multiplies its input by a matrix of weights, which is called ``weight``.

    >>> is_linear(nn.Linear(1, 1)), is_linear(nn.LayerNorm(1))
    (True, False)
    """
    # GPT-2 keeps its matrices, transposed, in transformers' Conv1D
    if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D":
        return True
    weight = module._parameters.get("weight")  # a linear layer of one's own, such as I-BERT's
    shape = (getattr(module, "out_features", None), getattr(module, "in_features", None))
    return weight is not None and tuple(weight.shape) == shape


def fused_parts(name: str, attention: nn.Module, outputs: int) -> tuple[Part, ...]:
    """Return the queries, keys and values in a projection that computes them at once.

    Args:
        name: the projection's name inside the block, such as ``attn.c_attn``.
        attention: the module that has the projection, which knows the number of heads.
        outputs: number of the projection's rows.

    Returns:
        The parts in the order query, key, value (or key, value); () if how they lie is not known.

    >>> [part.rows for part in fused_parts("attn.qkv", nn.Identity(), 6)]
    [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    width, heads = 0, _number(attention, "num_attention_heads", "num_heads", "n_head", "n_heads")
    if name.endswith("qkv_proj") and type(attention).__name__ == "CodeGenAttention":
        grid = torch.arange(outputs).view(4, 3, -1)  # four cores, each with queries, values and keys
        return _of_grid(grid[:, 0], grid[:, 2], grid[:, 1])
    if type(attention).__name__ == "FalconAttention" and heads:
        return _falcon(attention, heads, outputs)
    if name.endswith(_BY_HEAD):
        if not heads or outputs % (3 * heads):
            return ()
        grid = torch.arange(outputs).view(heads, 3, -1)
        return _of_grid(grid[:, 0], grid[:, 1], grid[:, 2])
    key_value_heads = _number(attention, "num_key_value_heads", "num_kv_heads", "kv_heads")
    if getattr(attention, "is_cross_attention", False) and outputs % 2 == 0:
        return _ranges(("key", outputs // 2), ("value", outputs // 2))
    if name.endswith("c_attn") and getattr(attention, "kv_dim", None):  # GPT-BigCode
        width = _number(attention, "kv_dim") or 0
    elif heads and key_value_heads and key_value_heads != heads:
        head, rest = divmod(outputs, heads + 2 * key_value_heads)
        if rest:
            return ()
        width = key_value_heads * head
    elif outputs % 3 == 0:
        width = outputs // 3
    if not 0 < 2 * width < outputs:
        return ()
    return _ranges(("query", outputs - 2 * width), ("key", width), ("value", width))


def _pointwise(module: nn.Conv1d | nn.Conv2d | nn.Conv3d, parameter: torch.Tensor) -> Layout | None:
    """Return the layout of a convolution that looks at one position at a time; None of any other."""
    if module.transposed or any(size != 1 for size in parameter.shape[2:]):
        return None
    groups = module.groups
    if parameter.shape[1] == 1 and groups > 1:  # one weight a channel: a scale, no matrix
        return None
    shape = (groups, parameter.shape[0] // groups, parameter.shape[1])
    return Layout(inputs=(2,), stacked=groups, shape=shape)


def _falcon(attention: nn.Module, heads: int, outputs: int) -> tuple[Part, ...]:
    """Return the parts of Falcon's projection, which lie in one of three ways."""
    head = outputs // heads
    if getattr(attention, "new_decoder_architecture", False):
        groups = _number(attention, "num_kv_heads") or heads
        grid = torch.arange(outputs).view(groups, heads // groups + 2, -1)
        return _of_grid(grid[:, :-2], grid[:, -2], grid[:, -1])
    if getattr(attention, "multi_query", False):
        head = outputs // (heads + 2)
        return _ranges(("query", heads * head), ("key", head), ("value", head))
    grid = torch.arange(outputs).view(heads, 3, head // 3)
    return _of_grid(grid[:, 0], grid[:, 1], grid[:, 2])


def _of_grid(*numbers: torch.Tensor) -> tuple[Part, ...]:
    names = ("query", "key", "value")
    return tuple(Part(name, rows.reshape(-1)) for name, rows in zip(names, numbers, strict=True))


def _ranges(*sizes: tuple[str, int]) -> tuple[Part, ...]:
    parts, start = [], 0
    for name, size in sizes:
        parts.append(Part(name, slice(start, start + size)))
        start += size
    return tuple(parts)


def _number(module: Any, *names: str) -> int | None:
    """Return the first of a module's attributes, or of its configuration's, that is a number."""
    for owner in (module, getattr(module, "config", None)):
        for name in names:
            value = getattr(owner, name, None)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return None
