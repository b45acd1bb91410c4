"""Walk through a model's transformer blocks in order, each with the inputs that the pruned blocks before it give."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from ..errors import InputError, one_line
from .blocks import Block
from .inputs import InputWatcher, Moments

#: A block as a function of its hidden states; all its other arguments are filled in.
BlockFunction = Callable[[torch.Tensor], torch.Tensor]
#: What a block is called with beside its hidden states.
_Call = tuple[tuple[Any, ...], dict[str, Any]]
#: A model's inputs by name.
Batch = dict[str, torch.Tensor]


class Walk(Protocol):
    """A way to go through a model's blocks, one after the other."""

    def statistics(self, number: int) -> InputWatcher:
        """Return the statistics of the inputs of a block's matrices, with all blocks before it as they are now."""

    def leave(self, number: int) -> None:
        """Go on: the block has its pruned weights now."""


def walk(model: nn.Module, blocks: Sequence[Block], batches: Sequence[Batch], moments: Moments) -> tuple[Walk, bool]:
    """Return a walk over the blocks of a model, and whether it needs pruned blocks to stay as they are till its end.

    Where each block is handed the output of the one before, one pass through the whole model is enough: afterwards the
    blocks are run one at a time. Other models (an encoder and a decoder, stages with something in between, a block that
    is used several times) are run from the start for each block.

    Args:
        model: the model, in eval mode.
        blocks: all blocks of the model, in order.
        batches: the model's inputs.
        moments: the statistic, which adds up over batches.

    Raises:
        InputError: the model cannot read the batches.
    """
    trunk = _trunk(model, blocks, batches[0])
    chain = _chain(trunk, blocks, batches)
    if chain is not None:
        states, runs = chain
        return _Chain(blocks=blocks, states=states, runs=runs, moments=moments), False
    return _WholePasses(trunk, blocks, batches, moments), True


@dataclass(kw_only=True)
class _Chain:
    """Blocks that are run one at a time on what the one before put out.

    Attributes:
        blocks: the blocks.
        states: hidden states before the next block, per batch.
        runs: the functions per block and batch.
        moments: the statistic.
    """

    blocks: Sequence[Block]
    states: list[torch.Tensor]
    runs: list[list[BlockFunction]]
    moments: Moments

    def statistics(self, number: int) -> InputWatcher:
        with InputWatcher(self.blocks[number].matrices, self.moments) as watcher:
            for run, state in zip(self.runs[number], self.states, strict=True):
                run(state)
        return watcher

    def leave(self, number: int) -> None:
        if number + 1 < len(self.blocks):
            for batch, run in enumerate(self.runs[number]):  # one by one: the old inputs go as the new ones come
                self.states[batch] = run(self.states[batch])


class _BlockDone(BaseException):
    """All products of a block have been made, and the rest of the pass is of no use; no error that code may catch."""


class _WholePasses:
    """Blocks whose inputs come from passes through the model, each up to where the block is done."""

    def __init__(self, model: nn.Module, blocks: Sequence[Block], batches: Sequence[Batch], moments: Moments) -> None:
        self._model, self._blocks, self._batches, self._moments = model, blocks, batches, moments
        self._number = {name: number for number, block in enumerate(blocks) for name in block.matrices}
        self._entries = {name: entry for block in blocks for name, entry in block.matrices.items()}
        uses: list[int] = []
        with InputWatcher(self._entries, None, lambda name: uses.append(self._number[name])):
            _forward(model, batches[0])
        self._first = {number: at for at, number in reversed(list(enumerate(uses)))}
        self._last = {number: at for at, number in enumerate(uses)}

    def statistics(self, number: int) -> InputWatcher:
        end = self._last.get(number, -1)
        after = {other for other, first in self._first.items() if first > end}

        def stop(name: str) -> None:
            if self._number[name] in after:
                raise _BlockDone

        matrices = self._blocks[number].matrices
        others = {name: entry for name, entry in self._entries.items() if self._number[name] in after}
        with InputWatcher(matrices, self._moments) as watcher, InputWatcher(others, None, stop):
            for batch in self._batches:
                try:
                    _forward(self._model, batch)
                except _BlockDone:
                    pass
        return watcher

    def leave(self, number: int) -> None:
        pass


def _chain(
    model: nn.Module, blocks: Sequence[Block], batches: Sequence[Batch]
) -> tuple[list[torch.Tensor], list[list[BlockFunction]]] | None:
    """Return the inputs of the first block, and each block as a function from its inputs to the next block's.

    Hooks record the calls of the blocks in a whole forward pass. The other arguments of a later block may differ from
    the first's (an attention mask by kind of layer), which only a whole pass shows. They are kept by reference: mostly,
    all blocks are called with the same masks and position embeddings. If two batches of different data were called
    with equal arguments, later batches pass through the model up to the first block only, and take these arguments.

    Args:
        model: the model, in eval mode.
        blocks: all its blocks, in order.
        batches: the model's inputs.

    Returns:
        The first block's hidden states per batch, and the functions per block and batch; None if the model does not
        call each block once, with the output of the block before.

    Raises:
        InputError: the model cannot read the batches.
    """
    modules = [block.module for block in blocks if block.module is not None]
    if len({id(module) for module in modules}) < len(blocks):
        return None
    states: list[torch.Tensor] = []
    calls: list[list[_Call]] = []
    in_order = True
    last: torch.Tensor | None = None

    def before(number: int, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal in_order
        state, args, kwargs = (args[0], args[1:], kwargs) if args else _split_keywords(kwargs)
        follows = number == 0 or state is last or (last is not None and torch.equal(state, last))
        in_order &= follows and number == len(calls[-1])
        calls[-1].append((args, kwargs))
        if number == 0:
            states.append(state)
            if _repeats(batches[: len(calls)], calls):
                raise _BlockDone

    def after(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        nonlocal last
        last = _state(output)

    with ExitStack() as hooks:
        for number, module in enumerate(modules):
            hooks.callback(module.register_forward_pre_hook(partial(before, number), with_kwargs=True).remove)
            hooks.callback(module.register_forward_hook(after).remove)
        for batch in batches:
            calls.append([])
            try:
                _forward(model, batch)
            except _BlockDone:
                calls[-1] = calls[0]
            if not in_order or len(calls[-1]) != len(blocks):
                return None
    runs: list[list[BlockFunction]] = [
        [partial(_run, module, *of_batch[number]) for of_batch in calls] for number, module in enumerate(modules)
    ]
    return states, runs


def _repeats(batches: Sequence[Batch], calls: Sequence[list[_Call]]) -> bool:
    """Return whether the last batch's blocks would be called with the same arguments as the first two batches' were.

    So it is if these two batches differ in some inputs, their arguments in none, and the last batch differs from the
    first in none but those inputs.
    """
    if len(batches) < 3 or len(calls[0]) != len(calls[1]):
        return False
    first, second, last = batches[0], batches[1], batches[-1]
    varied = {name for name in first if not torch.equal(first[name], second[name])}
    same_shapes = all(first[name].shape == last[name].shape for name in first)
    rest_equal = same_shapes and all(torch.equal(first[name], last[name]) for name in first if name not in varied)
    return bool(varied) and rest_equal and _equal(calls[0], calls[1])


def _equal(one: Any, other: Any) -> bool:
    """Return whether two arguments are the same in all their parts."""
    if one is other:
        return True
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    plain = (bool, int, float, str, type(None))
    return isinstance(one, plain) and isinstance(other, plain) and one == other


def _trunk(model: nn.Module, blocks: Sequence[Block], batch: Batch) -> nn.Module:
    """Return a model without its head, whose logits can take more memory than the rest; itself if it needs the head.

    It does if the head has blocks, or if what transformers calls the base model does not read the model's inputs.
    """
    trunk = getattr(model, "base_model", model)
    if not isinstance(trunk, nn.Module) or not set(batch) <= set(inspect.signature(trunk.forward).parameters):
        return model
    inside = {id(parameter) for parameter in trunk.parameters()}
    has_all = all(id(entry.weight) in inside for block in blocks for entry in block.matrices.values())
    return trunk if has_all else model


def _forward(model: nn.Module, batch: Batch) -> None:
    """Run a model on a batch.

    Raises:
        InputError: it cannot read it.
    """
    options = {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
    try:
        model(**batch, **options)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        shapes = ", ".join(f"{name} of shape {tuple(values.shape)}" for name, values in batch.items())
        raise InputError(f"{type(model).__name__} cannot read the calibration ({shapes}): {one_line(error)}") from error


def _run(
    module: nn.Module, args: tuple[torch.Tensor, ...], kwargs: Mapping[str, Any], state: torch.Tensor
) -> torch.Tensor:
    return _state(module(state, *args, **kwargs))


def _split_keywords(kwargs: dict[str, Any]) -> tuple[torch.Tensor, tuple[()], dict[str, Any]]:
    """Return the hidden states of a block that is called by keywords alone, no positional arguments, and the rest."""
    name, *others = kwargs
    return kwargs[name], (), {other: kwargs[other] for other in others}


def _state(output: Any) -> torch.Tensor:
    """Return the hidden states in a block's output: a tensor, or a tuple that begins with it."""
    return output if isinstance(output, torch.Tensor) else output[0]


@contextmanager
def plain_products(model: nn.Module) -> Iterator[None]:
    """Let a model make its products one by one, where it has faster ways that hide them, and keep no keys and values.

    A cache of keys and values would grow every time that a block is run.

    Args:
        model: any PyTorch model; afterwards it computes as before.

    >>> with plain_products(nn.Linear(1, 1)):
    ...     torch.backends.mha.get_fastpath_enabled()
    False
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    configs: dict[int, Any] = {id(part.config): part.config for part in model.modules() if hasattr(part, "config")}
    changed = [
        (config, name, vars(config)[name], value)
        for config in configs.values()
        for name, value in (("use_cache", False), ("_experts_implementation_internal", "eager"))
        if vars(config).get(name) is not None
    ]
    torch.backends.mha.set_fastpath_enabled(False)
    for config, name, _, value in changed:
        setattr(config, name, value)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for config, name, before, _ in changed:
            setattr(config, name, before)
