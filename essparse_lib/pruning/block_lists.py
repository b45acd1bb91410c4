"""Find the lists of transformer blocks in a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import nn

from .components import ATTENTION, component_of
from .layouts import is_linear, layout_of
from .wrapped import plain_modules


@dataclass(frozen=True)
class Place:
    """Where in a model a module lies.

    Attributes:
        stack: name of the list that has the block.
        block: name of the block, or of the stage around blocks, in the model.
        depth: number of the block, counted through all stacks; of a stage, of the last block in it.
    """

    stack: str
    block: str
    depth: int

    def inner_name(self, path: str) -> str:
        """Return the name inside the block of a module of this name in the model."""
        return path.removeprefix(self.block).removeprefix(".")


@dataclass(frozen=True)
class BlockMap:
    """The blocks of a model.

    Attributes:
        places: by the name of each block, and of each stage that has blocks.
    """

    places: Mapping[str, Place]

    def place_of(self, path: str) -> Place | None:
        """Return the block or stage that a module lies in, or is; None if it lies outside."""
        while True:
            if path in self.places:
                return self.places[path]
            if not path:
                return None
            path = path.rpartition(".")[0]


def find_blocks(tree: ModuleTree) -> BlockMap:
    """Return where the transformer blocks of a model are.

    A block is an element of a list: of an ``nn.ModuleList``, or of an ``nn.Sequential`` or an ``nn.ModuleDict`` whose
    elements with matrices are all of one class. It is made of several modules, matrices among them. Of lists inside one
    another the outermost counts, since a block may have lists of its own (experts, sublayers). But where the elements
    of the inner list are blocks themselves, as in the stages of a Swin transformer, these count. A module of a block's
    class outside of all lists, as Perceiver's first, is a block, too.

    Args:
        tree: the model's modules.
    """
    places: dict[str, Place] = {}
    depth = 0
    for stack, elements in _lists(tree, ""):
        for element in elements:
            inner = _stage_blocks(tree, element)
            for block in inner or [element]:
                places[block] = Place(stack, block, depth)
                depth += 1
            if inner:
                places[element] = Place(stack, element, depth - 1)
    return BlockMap(_with_single_blocks(tree, places))


def block_prefixes(model: nn.Module) -> list[str]:
    """Return what the names of the weights in a model's blocks begin with, up to the number of the block.

    The list is empty for a model without blocks.

    Args:
        model: any PyTorch model.

    >>> from transformers import BertConfig, BertModel
    >>> block_prefixes(BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=2, num_attention_heads=1)))
    ['encoder.layer.']
    """
    stacks = dict.fromkeys(place.stack for place in find_blocks(ModuleTree(model)).places.values())
    return [f"{stack}." if stack else "" for stack in stacks]


class ModuleTree:
    """The modules of a model by their plain names, in the model's order: every module before those inside it.

    Attributes:
        modules: the modules by name; what computes parametrised weights is not among them.
    """

    def __init__(self, model: nn.Module) -> None:
        self.modules = {
            name: module for name, module in plain_modules(model) if ".parametrizations." not in f".{name}."
        }
        self._names = list(self.modules)
        self._position = {name: number for number, name in enumerate(self._names)}

    def below(self, name: str) -> list[str]:
        """Return the names of all modules inside a module, without itself."""
        start = self._position[name] + 1
        end = start
        while end < len(self._names) and (not name or self._names[end].startswith(f"{name}.")):
            end += 1
        return self._names[start:end]


def holds_matrix(module: nn.Module) -> bool:
    """Return whether one of a module's own parameters is a matrix, or would be if it were not computed from others."""
    if is_linear(module) and module._parameters.get("weight") is None:
        return True
    return any(_is_matrix(module, attribute) for attribute in module._parameters)


def _lists(tree: ModuleTree, root: str) -> list[tuple[str, list[str]]]:
    """Return the outermost lists of blocks inside a module (or that itself, if it is the model), with their elements.

    Args:
        tree: all modules of the model.
        root: name of the module to look into.
    """
    lists: list[tuple[str, list[str]]] = []
    for name in [root, *tree.below(root)] if not root else tree.below(root):
        if lists and name.startswith(f"{lists[-1][0]}." if lists[-1][0] else ""):
            continue
        elements = _elements(tree, name)
        experts = not root and "expert" in name.rpartition(".")[2].lower()  # parts of a block, wherever it is
        if elements and not experts:
            lists.append((name, elements))
    return lists


def _with_single_blocks(tree: ModuleTree, places: dict[str, Place]) -> dict[str, Place]:
    """Return the places of blocks with those outside of all lists, numbered anew in the model's order."""
    found, containers = BlockMap(places), (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    kinds = tuple({type(tree.modules[place.block]) for place in places.values()}.difference(containers))
    single: dict[str, Place] = {}
    for name, module in tree.modules.items():
        outside = found.place_of(name) is None and BlockMap(single).place_of(name) is None
        around = isinstance(module, kinds) and any(below in places for below in tree.below(name))
        if outside and isinstance(module, kinds) and not around and _attends_inside(tree, name):
            single[name] = Place(name.rpartition(".")[0], name, -1)
    if not single:
        return places
    block_at = {place.depth: name for name, place in reversed(list(places.items()))}  # of a stage, its last block
    order = [name for name in tree.modules if name in single or name in block_at.values()]
    number = {depth: order.index(name) for depth, name in block_at.items()}
    return {
        **{name: replace(place, depth=order.index(name)) for name, place in single.items()},
        **{name: replace(place, depth=number[place.depth]) for name, place in places.items()},
    }


def _elements(tree: ModuleTree, name: str) -> list[str]:
    """Return the names of a list's elements that are blocks or stages; [] if the module is no such list."""
    module = tree.modules[name]
    if not isinstance(module, (nn.ModuleList, nn.Sequential, nn.ModuleDict)):
        return []
    children = [f"{name}.{key}" if name else key for key in module._modules]
    elements = [child for child in children if child in tree.modules and _is_composite(tree, child)]
    if any(_is_model(tree.modules[child]) for child in elements):
        return []
    if not isinstance(module, nn.ModuleList):
        kinds = {type(tree.modules[child]) for child in elements}
        if len(kinds) != 1 or kinds == {nn.ModuleList} or (len(elements) == 1 and _lists(tree, elements[0])):
            return []
    return elements


def _stage_blocks(tree: ModuleTree, element: str) -> list[str]:
    """Return the blocks inside an element that is a stage of several; [] if it is a block itself."""
    elements = _elements(tree, element)  # the element may itself be a list
    lists = [(element, elements)] if elements else _lists(tree, element)
    inside = {name for stack, _ in lists for name in tree.below(stack)}
    attends_itself = any(_attends(tree, name, element) for name in tree.below(element) if name not in inside)
    blocks: list[str] = []
    for name, inner in lists:
        if "expert" in name.lower():
            continue
        attend = all(_attends_inside(tree, block) for block in inner)
        if len({type(tree.modules[block]) for block in inner}) == 1 and (attend or not attends_itself):
            for block in inner:
                blocks += (_stage_blocks(tree, block) if attend else []) or [block]
    return blocks


def _is_composite(tree: ModuleTree, element: str) -> bool:
    """Return whether an element of a list has matrices in it, and is more than one itself.

    Convolutions alone, as in the projection of a feature map, are no matrices of a block, unless they attend.
    """
    holders = [name for name in [element, *tree.below(element)] if holds_matrix(tree.modules[name])]
    if holders == [element] and not tree.below(element):
        return False
    convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return any(not isinstance(tree.modules[name], convolutions) for name in holders) or any(
        _attends(tree, name, element) for name in holders
    )


def _attends(tree: ModuleTree, path: str, block: str) -> bool:
    """Return whether a module of a block holds queries, keys or values."""
    module = tree.modules[path]
    inner = path.removeprefix(block).removeprefix(".")
    names = [inner if attribute.startswith("weight") else f"{inner}.{attribute}" for attribute in module._parameters]
    return holds_matrix(module) and any(component_of(name) in ATTENTION for name in [inner, *names])


def _attends_inside(tree: ModuleTree, block: str) -> bool:
    return any(_attends(tree, name, block) for name in [block, *tree.below(block)])


def _is_matrix(module: nn.Module, attribute: str) -> bool:
    tensor = module._parameters[attribute]
    return tensor is not None and layout_of(module, attribute.removesuffix("_orig"), tensor) is not None


def _is_model(module: nn.Module) -> bool:
    """Return whether an element is a whole model of transformers, which has lists of blocks and more."""
    return any(kind.__name__ == "PreTrainedModel" for kind in type(module).__mro__)
