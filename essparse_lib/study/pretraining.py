"""A Pretraining: one language model trained from scratch on text, as plain data, whose hash is its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import InputError, unknown
from .asked import Asked

#: BERT predicts masked tokens, OPT the next one.
ARCHITECTURES = ("bert", "opt")


@dataclass(frozen=True)
class Pretraining(Asked):
    """A model from random weights, trained on a corpus without labels.

    The same seed gives the same initial weights and, with the same part of the corpus, the same batches and masks.

    Attributes:
        model: the name that the trained model gets.
        architecture: one of ``ARCHITECTURES``.
        layers: transformer blocks.
        hidden: width of the hidden states; the feed-forward layers are four times as wide.
        heads: attention heads.
        corpus: its name.
        vocabulary: word pieces, trained on the whole corpus.
        length: tokens of a block.
        batch_size: blocks a step, over all devices together.
        steps: in all.
        learning_rate: AdamW's peak rate; it rises linearly from 0 over the warm-up and falls linearly to 0.
        seed: of the initial weights, the order of the blocks, the masks and the dropout.
        fraction: of the corpus's training blocks, in (0, 1]; smaller ones lie within larger ones.
        warmup: fraction of the steps.
        weight_decay: AdamW's decoupled decay.
        dropout: while pre-training; fine-tuning has the architecture's own.
        masked: fraction of the tokens that are to be predicted, for BERT.
        initial: standard deviation of the initial weights.
    """

    kind_of_record: ClassVar[str] = "pretraining"

    model: str
    architecture: str
    layers: int
    hidden: int
    heads: int
    corpus: str
    vocabulary: int
    length: int
    batch_size: int
    steps: int
    learning_rate: float
    seed: int = 0
    fraction: float = 1.0
    warmup: float = 0.05
    weight_decay: float = 0.01
    dropout: float = 0.0
    masked: float = 0.15
    initial: float = 0.02

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise unknown("architecture", self.architecture, ARCHITECTURES)
        sizes = ("layers", "hidden", "heads", "vocabulary", "length", "batch_size", "steps")
        for name in (*sizes, "learning_rate", "initial"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} {getattr(self, name)!r} is not allowed: it must be above 0")
        if self.hidden % self.heads:
            raise InputError(f"hidden {self.hidden} is not allowed: {self.heads} heads do not divide it")
        for name, low, high in (("fraction", 0, 1), ("masked", 0, 1)):
            if not low < getattr(self, name) <= high:
                raise InputError(f"{name} {getattr(self, name)!r} is not allowed: give a fraction above 0, at most 1")
        for name in ("warmup", "dropout", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)!r} is not allowed: give a number from 0 to below 1")

    @property
    def file(self) -> str:
        """One for each model."""
        return "pretraining"

    @property
    def tokens(self) -> int:
        """How many are read in all, repeated ones included."""
        return self.steps * self.batch_size * self.length

    def __str__(self) -> str:
        return f"pre-training of {self.model} on {self.fraction:.0%} of {self.corpus}, seed {self.seed}"
