"""Run a model's transformer blocks one at a time, gather statistics of their inputs, and restore their weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .prunable import PrunableMatrix, prunable_matrices

#: A block as a function of its hidden states; all its other arguments are filled in.
BlockFunction = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Matrix:
    """A prunable matrix with the module that multiplies by it.

    Attributes:
        module: the module that multiplies by the matrix.
        weight: the parameter itself, not a copy.
        transposed: whether the matrix is stored as (inputs, outputs), not as (outputs, inputs).
    """

    module: nn.Module
    weight: nn.Parameter
    transposed: bool

    def turned(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the weight's shape as (outputs, inputs), or one of that shape as it is stored."""
        return tensor.t().contiguous() if self.transposed else tensor


@dataclass(frozen=True)
class Block:
    """A transformer block with its prunable matrices.

    Attributes:
        module: the block.
        matrices: the block's prunable matrices, by parameter name in the model.
    """

    module: nn.Module
    matrices: dict[str, Matrix]


def transformer_blocks(model: nn.Module) -> list[Block]:
    """Return the model's blocks in order, each with its prunable matrices (none if an earlier block shares them).

    Args:
        model: any PyTorch model made of one stack of transformer blocks.

    Raises:
        InputError: the model has no blocks, or several stacks of them, such as an encoder and a decoder.

    >>> from transformers import GPT2Config, GPT2Model
    >>> model = GPT2Model(GPT2Config(n_embd=8, n_layer=2, n_head=2, vocab_size=10, bos_token_id=0, eos_token_id=0))
    >>> [len(block.matrices) for block in transformer_blocks(model)]
    [4, 4]
    """
    stacks: dict[str, list[PrunableMatrix]] = {}
    for entry in prunable_matrices(model).values():
        stacks.setdefault(_stack_name(model, entry.name), []).append(entry)
    if len(stacks) > 1:
        raise InputError(
            f"{type(model).__name__} has {len(stacks)} stacks of blocks ({', '.join(stacks)}), and calibrated pruning "
            "walks one: give the part of the model that has one, or prune by magnitude"
        )
    ((name, entries),) = stacks.items()
    blocks = [Block(module, {}) for module in model.get_submodule(name).children()]
    for entry in entries:
        module = model.get_submodule(entry.name.removesuffix(".weight"))
        blocks[entry.depth].matrices[entry.name] = Matrix(module, entry.weight, entry.transposed)
    return blocks


def _stack_name(model: nn.Module, name: str) -> str:
    """Return the name of the list whose blocks hold this parameter: the outermost, as in ``prunable_matrices``."""
    parts = name.split(".")
    prefixes = (".".join(parts[:end]) for end in range(len(parts)))
    return next(prefix for prefix in prefixes if isinstance(model.get_submodule(prefix), nn.ModuleList))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode; afterwards every module is back in the mode that it was in.

    Args:
        model: any PyTorch model.

    >>> model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with evaluating(model):
    ...     [module.training for module in model]
    [False, False]
    >>> [module.training for module in model]
    [True, False]
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def restored(matrices: Iterable[Matrix | PrunableMatrix]) -> Iterator[None]:
    """Give matrices back the values that they had, to the bit, whatever happens in between.

    Args:
        matrices: the matrices, changed in place meanwhile.

    >>> module = nn.Linear(1, 1)
    >>> before = module.weight.item()
    >>> with restored([Matrix(module, module.weight, transposed=False)]):
    ...     _ = nn.init.zeros_(module.weight)
    >>> module.weight.item() == before
    True
    """
    before = [(matrix.weight, matrix.weight.detach().clone()) for matrix in matrices]
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, values in before:
                weight.copy_(values)


def first_inputs(
    model: nn.Module, chain: Sequence[Block], batches: Iterable[dict[str, torch.Tensor]]
) -> tuple[list[torch.Tensor], list[list[BlockFunction]]]:
    """Return the inputs of the first block, and each block as a function from its inputs to the next block's.

    The whole forward pass runs, and hooks record the calls of the blocks. Stopping after the first block would take an
    exception thrown through the model's code. And the other arguments of a later block may differ from the first's (an
    attention mask by kind of layer), which only a whole pass shows. These arguments are kept by reference: mostly, all
    blocks are called with the same masks and position embeddings.

    Args:
        model: the model, in eval mode.
        chain: all blocks of the model, in order.
        batches: the model's inputs by name.

    Returns:
        The first block's hidden states per batch, and the functions per block and batch.

    Raises:
        InputError: the model does not call each block once, with the output of the block before.

    >>> from transformers import GPT2Config, GPT2Model
    >>> model = GPT2Model(GPT2Config(n_embd=8, n_layer=2, n_head=2, vocab_size=10, bos_token_id=0, eos_token_id=0))
    >>> chain = transformer_blocks(model.eval())
    >>> batches = [{"input_ids": torch.zeros(3, 5, dtype=torch.int64)}]
    >>> states, runs = first_inputs(model, chain, batches)
    >>> after_first = runs[0][0](states[0])
    >>> torch.equal(model.ln_f(runs[1][0](after_first)), model(**batches[0]).last_hidden_state)
    True
    """
    trunk = getattr(model, "base_model", model)  # without the head, whose logits can take more memory than the rest
    # a cache of keys and values would grow every time that a block is run
    options = {"use_cache": False} if "use_cache" in inspect.signature(trunk.forward).parameters else {}
    states: list[torch.Tensor] = []
    runs: list[list[BlockFunction]] = [[] for _ in chain]
    trace: list[tuple[int, bool]] = []
    last: torch.Tensor | None = None

    def before(number: int, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        state, args, kwargs = (args[0], args[1:], kwargs) if args else _split_keywords(kwargs)
        trace.append((number, number == 0 or state is last or (last is not None and torch.equal(state, last))))
        runs[number].append(partial(_run, module, args, kwargs))
        if number == 0:
            states.append(state)

    def after(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        nonlocal last
        last = _state(output)

    with ExitStack() as hooks:
        for number, block in enumerate(chain):
            hooks.callback(block.module.register_forward_pre_hook(partial(before, number), with_kwargs=True).remove)
            hooks.callback(block.module.register_forward_hook(after).remove)
        for batch in batches:
            trace.clear()
            trunk(**batch, **options)
            if trace != [(number, True) for number in range(len(chain))]:
                raise InputError(
                    f"{type(model).__name__} does not hand each block's output as it is to the next, so its blocks "
                    "cannot be calibrated one at a time: prune by magnitude"
                )
    return states, runs


def sum_over_inputs(
    matrices: dict[str, Matrix],
    runs: Sequence[BlockFunction],
    states: Sequence[torch.Tensor],
    moments: Callable[[torch.Tensor], torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Return a statistic of each matrix's inputs, added up over the batches that run through its block.

    Args:
        matrices: the matrices of one block, by name.
        runs: the block as a function, per batch.
        states: the block's hidden states, per batch.
        moments: a function from inputs, shape (tokens, inputs), to the statistic.

    Raises:
        InputError: inputs are NaN or infinite, or a matrix got none. The message names the matrix.

    >>> block = nn.Linear(2, 2)
    >>> matrix = Matrix(block, block.weight, transposed=False)
    >>> batches = [torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[3.0, 4.0]]])]
    >>> sum_over_inputs({"weight": matrix}, [block, block], batches, lambda x: x.square().sum(0))
    {'weight': tensor([10., 20.])}
    """
    totals: dict[str, torch.Tensor] = {}

    def add(name: str, _module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        statistic = moments(args[0].reshape(-1, args[0].shape[-1]))
        totals[name] = totals[name].add_(statistic) if name in totals else statistic

    with ExitStack() as hooks:
        for name, matrix in matrices.items():
            hooks.callback(matrix.module.register_forward_pre_hook(partial(add, name)).remove)
        for run, state in zip(runs, states, strict=True):
            run(state)
    for name in matrices:
        if name not in totals:
            raise InputError(f"no inputs reached {name} in calibration: it cannot be pruned by them")
        if not torch.isfinite(totals[name]).all():
            raise InputError(f"inputs of {name} are NaN or infinite in calibration: run the model in a wider precision")
    return totals


def _run(
    module: nn.Module, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any], state: torch.Tensor
) -> torch.Tensor:
    return _state(module(state, *args, **kwargs))


def _split_keywords(kwargs: dict[str, Any]) -> tuple[torch.Tensor, tuple[()], dict[str, Any]]:
    """Return the hidden states of a block that is called by keywords alone, no positional arguments, and the rest."""
    name, *others = kwargs
    return kwargs[name], (), {other: kwargs[other] for other in others}


def _state(output: Any) -> torch.Tensor:
    """Return the hidden states in a block's output: a tensor, or a tuple that begins with it."""
    return output if isinstance(output, torch.Tensor) else output[0]
