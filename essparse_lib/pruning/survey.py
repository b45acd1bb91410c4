"""Look at every parameter of a model's blocks: which are matrices that are pruned, and why the others are not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from ..errors import InputError
from .absent import check_complete, computed_weights
from .block_lists import ModuleTree, Place, find_blocks
from .components import ATTENTION, component_of
from .layouts import PLAIN, TRANSPOSED, Layout, fused_parts, is_linear, layout_of
from .wrapped import Holder, holder_of

#: Names of parameters that nothing is multiplied by as a matrix, whatever their shape.
_NO_MATRIX = re.compile(
    r"(^|_)(bias(es)?|table|embed(ding)?s?|scale|scaling|gamma|beta|lambda|alpha|lambdas?|A_log|D|tokens?|pos|position"
    r"|latents?|sinks?|rpb|rel_pos|decay|mix|first)(_[a-z0-9]+)?$"
)
_ROUTER = re.compile(r"(^|\.)(\w*router\w*|\w*gate|gating)(\.\w+)?$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class PrunableMatrix:
    """A parameter of a transformer block whose weights are pruned: a matrix, or several in one tensor.

    Attributes:
        name: name of the parameter in the plain model, such as ``encoder.layer.0.output.dense.weight``.
        weight: the parameter itself, not a copy.
        depth: number of the block that has the matrix, from 0, counted through all stacks of the model.
        component: role of the matrix in the block (query, key, value, attention output, intermediate, output, other);
            where a projection computes several, all of them: ``query, key, value``.
        stack: name of the list that has the block, such as ``encoder.layer``.
        layout: how the matrices lie in the parameter.
        holder: where the parameter is held; None if that is not known.
    """

    name: str
    weight: nn.Parameter
    depth: int
    component: str
    stack: str = ""
    layout: Layout = PLAIN
    holder: Holder | None = field(default=None, repr=False)

    @property
    def transposed(self) -> bool:
        """Whether it is one matrix that is stored as (inputs, outputs), as in GPT-2, and not as (outputs, inputs)."""
        return self.weight.dim() == 2 and self.layout.inputs == TRANSPOSED.inputs

    @property
    def values(self) -> torch.Tensor:
        """The weights as the model uses them, of the parameter's shape: a detached view, unless torch has pruned it.

        Raises:
            InputError: not all values are here: they are on the device ``meta``, offloaded, quantised, or sharded.
        """
        check_complete(self.name, self.weight, self.holder.module if self.holder else None)
        weight, removed = self.weight.detach(), self.torch_mask
        return weight if removed is None else weight * removed

    @property
    def torch_mask(self) -> torch.Tensor | None:
        """The mask by which ``torch.nn.utils.prune`` multiplies the parameter; None if torch has not pruned it."""
        return self.holder.torch_mask if self.holder else None

    def components(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the role of each matrix in the parameter, with its weights of shape (outputs, inputs).

        Experts, and other matrices of one role, come as one.
        """
        rows = self.layout.rows(self.values)
        if not self.layout.parts:
            yield self.component, rows
        for part in self.layout.parts:
            yield part.component or self.component, rows[part.rows]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the blocks of a model are made of.

    Attributes:
        matrices: the matrices that are known, by parameter name.
        unknown: number of weights of every other parameter that may be a matrix, by name.
        remedies: what makes an unknown one known, by name, where there is something.
        left_out: number of weights that are left out by rule, by the reason.
    """

    matrices: dict[str, PrunableMatrix] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    remedies: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


def survey_blocks(model: nn.Module) -> Survey:
    """Look at every parameter of a model's blocks that has two dimensions or more.

    Args:
        model: any PyTorch model, wrapped or not.

    Raises:
        InputError: it is no model, or has no transformer blocks.

    >>> block = nn.TransformerEncoderLayer(4, 1, 8)
    >>> [entry.component for entry in survey_blocks(nn.Sequential(block, block)).matrices.values()]
    ['query, key, value', 'attention output', 'intermediate', 'output']
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"a {type(model).__name__} is no PyTorch model: load it first, as with load_model")
    tree = ModuleTree(model)
    blocks, computed = find_blocks(tree), computed_weights(model)
    survey = Survey()
    seen: set[int] = set()
    for path, module in tree.modules.items():
        place = blocks.place_of(path)
        if place is None:
            continue
        for attribute in _computed_here(path, computed):
            name = _join(path, attribute)
            survey.unknown[name] = getattr(module, attribute).numel()
            survey.remedies[name] = computed[name]
        for attribute, tensor in _tensors(module):
            holder = holder_of(module, attribute)
            name = _join(path, holder.plain)
            if id(tensor) in seen or tensor.dim() < 2 or not tensor.numel() or _is_half_of_computed(name, computed):
                continue
            seen.add(id(tensor))
            inner = place.inner_name(path if holder.plain == "weight" else name)
            layout = layout_of(module, holder.plain, tensor)
            reason = _reason_to_leave(tree, path, inner, holder.plain, tensor, layout)
            if reason:
                survey.left_out[reason] = survey.left_out.get(reason, 0) + tensor.numel()
            elif layout is None or not isinstance(tensor, nn.Parameter) or not tensor.is_floating_point():
                survey.unknown[name] = tensor.numel()
                if not tensor.is_floating_point():
                    survey.remedies[name] = "prune the model before it is quantised"
            else:
                survey.matrices[name] = _entry(tree, path, name, inner, place, layout, holder)
    _drop_convolutions_of_others(survey)
    if not survey.matrices and not survey.unknown:
        raise InputError(
            f"{type(model).__name__} has no transformer blocks (a ModuleList of composite modules with linear "
            "layers), so there is nothing to prune"
        )
    return survey


def _entry(
    tree: ModuleTree, path: str, name: str, inner: str, place: Place, layout: Layout, holder: Holder
) -> PrunableMatrix:
    """Return the entry of a parameter that holds matrices."""
    component = component_of(inner)
    parameter = holder.parameter
    assert parameter is not None
    if component == "query, key, value":
        apart = not is_linear(holder.module)
        attention = holder.module if apart else tree.modules[path.rpartition(".")[0]]
        parts = fused_parts(inner, attention, parameter.numel() // layout.rows(parameter.detach()).shape[1])
        layout = replace(layout, parts=parts, apart=apart)
        component = ", ".join(part.component or "" for part in parts) or component
    return PrunableMatrix(
        name=name,
        weight=parameter,
        depth=place.depth,
        component=component,
        stack=place.stack,
        layout=layout,
        holder=holder,
    )


def _tensors(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Return a module's own parameters, and the buffers that quantised layers keep their weights in."""
    parameters = [(name, tensor) for name, tensor in module._parameters.items() if tensor is not None]
    packed = [
        (name, tensor)
        for name, tensor in module._buffers.items()
        if tensor is not None and name.endswith("weight") and not tensor.is_floating_point()
    ]
    return [*parameters, *packed]


def _reason_to_leave(
    tree: ModuleTree, path: str, inner: str, attribute: str, tensor: torch.Tensor, layout: Layout | None
) -> str | None:
    """Return why a tensor of a block is left out; None if it is, or may be, a matrix that is pruned."""
    module = tree.modules[path]
    kind = type(module).__name__
    if _is_router(tree, path, inner):
        return "routers"
    if layout is not None:
        return None
    if isinstance(module, nn.modules.conv._ConvNd) or ("Conv" in kind and tensor.dim() > 2):
        return "convolutions"
    if isinstance(module, nn.Embedding) or kind.endswith("Embedding"):
        return "tables"
    if "Norm" in kind or "LayerScale" in kind:
        return "norms and scales"
    if sum(size > 1 for size in tensor.shape) < 2 and not is_linear(module):
        return "vectors"
    return "tables and biases" if _NO_MATRIX.search(attribute) else None


def _is_router(tree: ModuleTree, path: str, inner: str) -> bool:
    """Return whether a module sends tokens to experts: its class or it is called so, or it is a gate beside experts."""
    if re.search(r"Router|Top[Kk]Gat", type(tree.modules[path]).__name__):
        return True
    match = _ROUTER.search(inner)
    if match is None:
        return False
    if "router" in match[0].lower():
        return True
    gate = match[0].strip(".")
    above = tree.modules.get(path[: path.rindex(gate)].rstrip("."))
    return above is not None and any("expert" in name.lower() and name != gate for name in above._modules)


def _drop_convolutions_of_others(survey: Survey) -> None:
    """Forget the matrices if they are convolutions alone, as in a ResNet, which has no transformer blocks."""
    if all(
        isinstance(entry.holder and entry.holder.module, nn.modules.conv._ConvNd) and entry.component not in ATTENTION
        for entry in survey.matrices.values()
    ):
        survey.matrices.clear()


def _computed_here(path: str, computed: Mapping[str, str]) -> list[str]:
    """Return the names of a module's own weights that are computed from others."""
    prefix = f"{path}." if path else ""
    inner_names = (name.removeprefix(prefix) for name in computed if name.startswith(prefix))
    return [name for name in inner_names if "." not in name]


def _is_half_of_computed(name: str, computed: Mapping[str, str]) -> bool:
    """Return whether a parameter is one of those that the old weight or spectral normalisation computes from."""
    return re.sub(r"_(g|v|orig|u)$", "", name) in computed


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name
