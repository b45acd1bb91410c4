"""How much memory and disk it takes to prune, to fine-tune and to save a model, from its number of weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..wording import size_text

if TYPE_CHECKING:
    import pandas as pd

#: Bytes of a number.
FP32, BF16 = 4, 2
#: Bytes that a mask in memory takes for each weight: a boolean.
_MASK = 1
#: Numbers that AdamW keeps for each weight, the two moments, beside the weight and its gradient.
_MOMENTS = 2


@dataclass(frozen=True)
class Memory:
    """What a model of so many weights takes, in bytes, if all of them can be pruned.

    Embeddings and heads have no mask, so that a model takes a little less. Activations, and what a method that reads a
    text keeps of it, come on top: they grow with the batch and the length of the texts, not with the weights alone.

    Attributes:
        weights: number of weights.
    """

    weights: int

    def pruning(self, number: int = BF16) -> int:
        """Return the bytes of the weights and the mask, which pruning by magnitude holds in memory at once.

        Args:
            number: bytes of a weight.
        """
        return self.weights * (number + _MASK)

    def fine_tuning(self, number: int = FP32) -> int:
        """Return the bytes of a training by AdamW: weights, gradients, two moments, and the mask that is held.

        Args:
            number: bytes of each of the four.

        >>> Memory(1_000_000).fine_tuning()
        17000000
        """
        return self.weights * ((2 + _MOMENTS) * number + _MASK)

    def file(self, number: int) -> int:
        """Return the bytes of the saved weights: as many as before the pruning, since zeros are stored, too."""
        return self.weights * number

    def mask_file(self) -> int:
        """Return the bytes of a saved mask: one bit a weight."""
        return -(-self.weights // 8)

    def compressed(self, sparsity: float, number: int = BF16) -> int:
        """Return the bytes of a compressed checkpoint: the weights that stay, and one bit for each weight.

        Args:
            sparsity: the share of the weights that is gone.
            number: bytes of a weight.

        >>> Memory(1_000_000).compressed(0.5, number=4)
        2125000
        """
        return round(self.weights * (1 - sparsity)) * number + self.mask_file()


def table(sizes: Iterable[int], sparsity: float) -> pd.DataFrame:
    """Return a row for each size of a model: memory to prune and to fine-tune, and disk.

    Args:
        sizes: numbers of weights.
        sparsity: of the compressed checkpoint.
    """
    import pandas as pd

    rows = []
    for size in sizes:
        memory = Memory(size)
        taken = {
            "prune (bf16)": memory.pruning(),
            "fine-tune (fp32)": memory.fine_tuning(),
            "file, fp32": memory.file(FP32),
            "file, bf16": memory.file(BF16),
            f"compressed, {sparsity:.0%} gone": memory.compressed(sparsity),
        }
        rows.append({"weights": _count_text(size), **{name: size_text(bytes_) for name, bytes_ in taken.items()}})
    return pd.DataFrame(rows)


def _count_text(count: int) -> str:
    return f"{count / 1e9:g}B" if count >= 1e9 else f"{count / 1e6:g}M"
