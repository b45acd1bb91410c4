"""Walk through a model's transformer blocks in order, each with the inputs that the pruned blocks before it give."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from .blocks import Block
from .chain import Batch, BlockDone, BlockFunction, block_functions, run_model
from .inputs import InputWatcher, Moments


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
    chain = block_functions(trunk, blocks, batches)
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


class _WholePasses:
    """Blocks whose inputs come from passes through the model, each up to where the block is done."""

    def __init__(self, model: nn.Module, blocks: Sequence[Block], batches: Sequence[Batch], moments: Moments) -> None:
        self._model, self._blocks, self._batches, self._moments = model, blocks, batches, moments
        self._number = {name: number for number, block in enumerate(blocks) for name in block.matrices}
        self._entries = {name: entry for block in blocks for name, entry in block.matrices.items()}
        uses: list[int] = []
        with InputWatcher(self._entries, None, lambda name: uses.append(self._number[name])):
            run_model(model, batches[0])
        self._first = {number: at for at, number in reversed(list(enumerate(uses)))}
        self._last = {number: at for at, number in enumerate(uses)}

    def statistics(self, number: int) -> InputWatcher:
        end = self._last.get(number, -1)
        after = {other for other, first in self._first.items() if first > end}

        def stop(name: str) -> None:
            if self._number[name] in after:
                raise BlockDone

        matrices = self._blocks[number].matrices
        others = {name: entry for name, entry in self._entries.items() if self._number[name] in after}
        with InputWatcher(matrices, self._moments) as watcher, InputWatcher(others, None, stop):
            for batch in self._batches:
                try:
                    run_model(self._model, batch)
                except BlockDone:
                    pass
        return watcher

    def leave(self, number: int) -> None:
        pass


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
