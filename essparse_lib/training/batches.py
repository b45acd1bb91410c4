"""Examples as batches of numbers: grouped by length; of texts, padded to the longest of the batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: So many batches are drawn at random together and then sorted by length among themselves.
_POOL = 32


class Batches(Protocol):
    """Examples as a model takes them, of whatever kind: what training and evaluation need of them."""

    @property
    def targets(self) -> Mapping[str, np.ndarray]:
        """What the model is to answer, by the name of its argument: per example a number."""

    @property
    def lengths(self) -> np.ndarray:
        """How long each example is, shape (examples,): those of like length come together."""

    def __len__(self) -> int:
        """How many examples there are."""

    def shown(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """What the model reads of the examples at these positions; the first dimension is theirs."""

    def batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """The same, and what the model is to answer."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Texts as a model takes them.

    Attributes:
        inputs: what the model reads, by the name of its argument: per example a row of numbers of its own length.
        targets: what it is to answer, by the name of its argument: per example a number.
        fillers: by input, the number that short rows are filled up with.
    """

    inputs: Mapping[str, Sequence[Sequence[int]]]
    targets: Mapping[str, np.ndarray]
    fillers: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def lengths(self) -> np.ndarray:
        """The numbers in each example's rows, shape (examples,)."""
        return np.array([len(row) for row in next(iter(self.inputs.values()))])

    def shown(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """What the model reads of the examples at these positions, padded on the right; shapes (n, longest)."""
        longest = int(self.lengths[positions].max())
        return {
            name: torch.tensor([[*rows[i], *[self.fillers[name]] * (longest - len(rows[i]))] for i in positions])
            for name, rows in self.inputs.items()
        }

    def batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """The same, and what the model is to answer; shapes (n, longest) and (n,)."""
        targets = {name: torch.from_numpy(values[positions]) for name, values in self.targets.items()}
        return {**self.shown(positions), **targets}


def fillers(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """What fills up short rows of what a tokenizer returns."""
    return {
        "input_ids": tokenizer.pad_token_id,
        "token_type_ids": tokenizer.pad_token_type_id,
        "attention_mask": 0,
    }


def shuffled(lengths: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """One epoch of positions in batches of ``size``: each example once, examples of like length together.

    Examples are shuffled, sorted by length within pools of several batches, and the batches shuffled, so
    that padding is rare and the order still random. Only the lengths and the generator decide the order.
    """
    order = rng.permutation(len(lengths))
    pools = [order[i : i + size * _POOL] for i in range(0, len(order), size * _POOL)]
    grouped = [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
    batches = [pool[i : i + size] for pool in grouped for i in range(0, len(pool), size)]
    yield from (batches[i] for i in rng.permutation(len(batches)))


def by_length(lengths: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """All positions in batches of ``size``, longest first: for evaluation, where order does not matter."""
    order = np.argsort(-lengths, kind="stable")
    yield from (order[i : i + size] for i in range(0, len(order), size))
