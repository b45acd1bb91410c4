"""Texts as batches of token numbers: tokenised once, grouped by length, padded to the longest of the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..tasks import Examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: So many batches are drawn at random together and then sorted by length among themselves.
_POOL = 32


class Encoded:
    """Tokenised examples.

    Args:
        examples: texts (single or pairs) and labels.
        tokenizer: the model's own; what it returns (token types too, where it has them) is passed on whole.
        max_length: longer examples are cut, of a pair the longer text first.
    """

    def __init__(self, examples: Examples, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
        columns = list(zip(*examples.texts, strict=True))
        self.inputs = tokenizer(
            *[list(column) for column in columns], truncation=True, max_length=max_length, padding=False
        )
        self.labels = np.asarray(examples.labels)
        self.lengths = np.array([len(ids) for ids in self.inputs["input_ids"]])
        self._filler = {
            "input_ids": tokenizer.pad_token_id,
            "token_type_ids": tokenizer.pad_token_type_id,
            "attention_mask": 0,
        }

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """The examples at these positions, padded on the right, and their labels; shapes (n, longest) and (n,)."""
        longest = int(self.lengths[positions].max())
        padded = {
            name: torch.tensor(
                [values[i] + [self._filler[name]] * (longest - len(values[i])) for i in positions]
            )
            for name, values in self.inputs.items()
        }
        return {**padded, "labels": torch.from_numpy(self.labels[positions])}


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
