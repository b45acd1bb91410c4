"""Batches of examples, which are grouped by length; texts are padded to the longest of the batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Number of batches in a pool; the examples of a pool are drawn at random and then sorted by length.
_POOL = 32


class EncodedExamples(Protocol):
    """Examples of any kind in the form that a model takes, as training and evaluation need them."""

    @property
    def targets(self) -> Mapping[str, np.ndarray]:
        """The numbers to predict, one an example, by the name of the model's argument."""

    @property
    def lengths(self) -> np.ndarray:
        """The length of each example, shape (examples,); examples of similar length share a batch."""

    def __len__(self) -> int:
        """Return the number of examples."""

    def input_batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """Return the model's inputs for the examples at these positions, which are the first dimension."""

    def batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """Return the model's inputs and the targets for the examples at these positions."""


@dataclass(frozen=True, eq=False)
class EncodedTexts:
    """Tokenised texts.

    Attributes:
        inputs: rows of numbers, one an example, of different lengths, by the name of the model's argument.
        targets: the numbers to predict, one an example, by the name of the model's argument.
        padding: the number that pads short rows, by the name of the input.
    """

    inputs: Mapping[str, Sequence[Sequence[int]]]
    targets: Mapping[str, np.ndarray]
    padding: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def lengths(self) -> np.ndarray:
        """The number of tokens of each example, shape (examples,)."""
        return np.array([len(row) for row in next(iter(self.inputs.values()))])

    def input_batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """Return the inputs of the examples at these positions, padded on the right; shapes (positions, longest)."""
        longest = int(self.lengths[positions].max())
        batch = {}
        for name, rows in self.inputs.items():
            padded = [[*rows[i], *[self.padding[name]] * (longest - len(rows[i]))] for i in positions]
            batch[name] = torch.tensor(padded)
        return batch

    def batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """Return the input batch and the targets; shapes (positions, longest) and (positions,)."""
        return with_targets(self, positions)


def with_targets(examples: EncodedExamples, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
    """Return the model's inputs for the examples at these positions, and their targets, by the names of arguments.

    Args:
        examples: encoded examples of any kind.
        positions: positions of the examples, which are the first dimension.
    """
    targets = {name: torch.from_numpy(values[positions]) for name, values in examples.targets.items()}
    return {**examples.input_batch(positions), **targets}


def padding_values(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Return the numbers that pad a tokenizer's outputs, by the name of the output."""
    return {
        "input_ids": tokenizer.pad_token_id,
        "token_type_ids": tokenizer.pad_token_type_id,
        "attention_mask": 0,
    }


def shuffled(lengths: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the positions of one epoch in batches: each example once, in random order, similar lengths together.

    Examples are shuffled and sorted by length within pools of several batches. Then the batches are shuffled. So
    there is little padding, and the order is still random. Only the lengths and the generator determine the order.

    Args:
        lengths: length of each example, shape (examples,).
        size: number of examples in a batch.
        rng: generator of random numbers.
    """
    order = rng.permutation(len(lengths))
    pools = [order[i : i + size * _POOL] for i in range(0, len(order), size * _POOL)]
    grouped = [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
    batches = [pool[i : i + size] for pool in grouped for i in range(0, len(pool), size)]
    yield from (batches[i] for i in rng.permutation(len(batches)))


def by_length(lengths: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield all positions in batches, longest examples first, for evaluation, where the order does not matter.

    Args:
        lengths: length of each example, shape (examples,).
        size: number of examples in a batch.
    """
    order = np.argsort(-lengths, kind="stable")
    yield from (order[i : i + size] for i in range(0, len(order), size))
