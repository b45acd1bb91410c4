"""Take a model's blocks apart: each as a function from its inputs to the next block's, with one pass's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import nn

from ..errors import InputError, one_line
from .blocks import Block

#: A block as a function of its hidden states; all its other arguments are filled in.
BlockFunction = Callable[[torch.Tensor], torch.Tensor]
#: What a block is called with beside its hidden states.
_Call = tuple[tuple[Any, ...], dict[str, Any]]
#: Inputs that models cannot do without, where they have them.
_DATA = ("input_ids", "decoder_input_ids", "pixel_values", "input_features", "input_values")
#: A model's inputs by name.
Batch = dict[str, torch.Tensor]


class BlockDone(BaseException):
    """All products of a block have been made, and the rest of the pass is of no use; no error that code may catch."""


def block_functions(
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
    version = first_version = 0
    outputs: list[torch.Tensor | None] = []

    def before(number: int, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal in_order, first_version
        state, args, kwargs = (args[0], args[1:], kwargs) if args else _split_keywords(kwargs)
        if not isinstance(state, torch.Tensor):
            in_order = False
            return
        unchanged = state is last and _version(state) == version
        follows = number == 0 or unchanged or (state is not last and last is not None and torch.equal(state, last))
        in_order &= follows and number == len(calls[-1])
        calls[-1].append((args, kwargs))
        if number == 0:
            states.append(state)
            first_version = first_version if len(states) > 1 else _version(state)
            if _repeats(batches[: len(calls)], calls):
                raise BlockDone

    def after(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        nonlocal last, version
        last = _state(output)
        version = _version(last)

    with ExitStack() as hooks:
        for number, module in enumerate(modules):
            hooks.callback(module.register_forward_pre_hook(partial(before, number), with_kwargs=True).remove)
            hooks.callback(module.register_forward_hook(after).remove)
        for batch in batches:
            calls.append([])
            try:
                run_model(model, batch)
            except BlockDone:
                calls[-1] = calls[0]
            if not in_order or len(calls[-1]) != len(blocks):
                return None
            outputs.append(last)
            outputs[1:] = []
    runs: list[list[BlockFunction]] = [
        [partial(_run, module, *of_batch[number]) for of_batch in calls] for number, module in enumerate(modules)
    ]
    if _version(states[0]) != first_version:  # blocks write into their inputs
        return None
    return (states, runs) if _gives(states[0], [of_batches[0] for of_batches in runs], outputs[0]) else None


def _gives(state: torch.Tensor, runs: Sequence[BlockFunction], output: torch.Tensor | None) -> bool:
    """Return whether blocks, run one after the other now, put out what they did in the pass through the model.

    They do not if they read more than their arguments, such as a mask that the model left in an attribute.
    """
    try:
        for run in runs:
            state = run(state)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return False
    if output is None or state.shape != output.shape:
        return False
    return torch.allclose(state, output, rtol=1e-2, atol=1e-2, equal_nan=True)


def _repeats(batches: Sequence[Batch], calls: Sequence[list[_Call]]) -> bool:
    """Return whether the last batch's blocks would be called with the same arguments as the first two batches' were.

    So it is if these two batches differ in some inputs, their arguments in none, and the last batch differs from the
    first in none but those inputs, nor in the arguments of the first block; and if later blocks are handed no tensors
    but the first block's, which might depend on the inputs in this batch alone.
    """
    if len(batches) < 3 or len(calls[0]) != len(calls[1]) or not _equal(calls[0][0], calls[-1][0]):
        return False
    handed = {id(tensor) for tensor in _tensors_in(calls[0][0])}
    if not all(id(tensor) in handed for tensor in _tensors_in(calls[0][1:])):
        return False
    first, second, last = batches[0], batches[1], batches[-1]
    varied = {name for name in first if not torch.equal(first[name], second[name])}
    same_shapes = all(first[name].shape == last[name].shape for name in first)
    rest_equal = same_shapes and all(torch.equal(first[name], last[name]) for name in first if name not in varied)
    return bool(varied) and rest_equal and _equal(calls[0], calls[1])


def _tensors_in(argument: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in an argument."""
    if isinstance(argument, torch.Tensor):
        yield argument
    elif isinstance(argument, (list, tuple, Mapping)):
        for part in argument.values() if isinstance(argument, Mapping) else argument:
            yield from _tensors_in(part)


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


def run_model(model: nn.Module, batch: Batch) -> None:
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
        others = [name for name in inspect.signature(model.forward).parameters if name in _DATA and name not in batch]
        hint = f"; give it {' and '.join(others)}, too, if it needs them" if others else ""
        raise InputError(
            f"{type(model).__name__} cannot read the calibration ({shapes}): {one_line(error)}{hint}"
        ) from error


def _run(
    module: nn.Module, args: tuple[torch.Tensor, ...], kwargs: Mapping[str, Any], state: torch.Tensor
) -> torch.Tensor:
    output = _state(module(state, *args, **kwargs))
    if output is None:
        raise TypeError("the block puts out no hidden states")
    return output


def _split_keywords(kwargs: dict[str, Any]) -> tuple[torch.Tensor | None, tuple[()], dict[str, Any]]:
    """Return the hidden states of a block that is called by keywords alone, no positional arguments, and the rest."""
    name = next(iter(kwargs), "")
    return kwargs.get(name), (), {other: value for other, value in kwargs.items() if other != name}


def _state(output: Any) -> torch.Tensor | None:
    """Return the hidden states in a block's output: a tensor, or the first of several; None if it has none."""
    if isinstance(output, Mapping):
        output = tuple(output.values())
    first = output[0] if isinstance(output, (list, tuple)) and output else output
    return first if isinstance(first, torch.Tensor) else None


def _version(state: torch.Tensor | None) -> int:
    """Return how often a tensor was written in place; 0 where torch does not count it."""
    return 0 if state is None or state.is_inference() else state._version
