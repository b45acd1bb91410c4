"""A Pretraining: a model of text or of images trained from random weights, as plain data, whose hash is its id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from ..errors import InputError, check_number, check_seed, check_whole
from .models import Reads, Shape
from .spec import Spec, check_name, member

#: Percentages of the steps after which the held-out loss of the model, pruned, is measured.
_PRUNED_AT = (0, 1, 2, 5, 10, 20, 40, 60, 80, 100)


class Architecture(StrEnum):
    """Architectures of language models: BERT predicts masked tokens, OPT the next one."""

    BERT = "bert"
    OPT = "opt"


class ObjectiveKind(StrEnum):
    """What a vision model learns from.

    ``supervised``: the classes of the images. ``dino``: without labels, the output of a slowly moving copy of the model
    for another view of the same image (Caron et al. 2021, arXiv 2104.14294). ``masked``: the pixels of hidden patches
    (SimMIM, Xie et al. 2022, arXiv 2111.09886).
    """

    SUPERVISED = "supervised"
    DINO = "dino"
    MASKED = "masked"


class Pretraining(Spec):
    """Base of the specs of models that are trained from random weights.

    The same seed gives the same initial weights, the same batches and the same random draws in every step.

    Attributes:
        reads: what the model reads.
        model: the name that the trained model gets.
        layers: transformer blocks.
        hidden: width of the hidden states; the feed-forward layers are four times as wide.
        heads: attention heads.
        batch_size: examples a step, over all devices together.
        steps: optimizer steps in all; with 0 the model keeps its random weights.
        learning_rate: AdamW's peak rate; it rises linearly from 0 over the warm-up and falls linearly to 0.
        seed: of the initial weights, the order of the examples, and all that is drawn.
        warmup: fraction of the steps.
        weight_decay: AdamW's decoupled decay.
        dropout: while pre-training; fine-tuning has the architecture's own.
        initial: standard deviation of the initial weights.
    """

    reads: ClassVar[Reads]

    layers: int
    hidden: int
    heads: int
    batch_size: int
    steps: int
    learning_rate: float
    seed: int
    warmup: float
    weight_decay: float
    dropout: float
    initial: float

    @property
    def file(self) -> str:
        """The one name that the file of a model's pre-training has."""
        return "pretraining"

    @property
    def shape(self) -> Shape:
        """The number of blocks, and their width."""
        return Shape(self.layers, self.hidden)

    @property
    def pruned_steps(self) -> tuple[int, ...]:
        """The numbers of steps after which the held-out loss of the model, pruned, is measured.

        They are 0, 1, 2, 5, 10, 20, 40, 60, 80 and 100% of all steps, to the nearest whole step, each once.
        """
        return tuple(sorted({round(self.steps * percent / 100) for percent in _PRUNED_AT}))

    @property
    def loss_unit(self) -> str:
        """The unit of the loss, in words."""
        raise NotImplementedError

    def _check(self, counts: Iterable[str], shares: Iterable[str], below: Iterable[str]) -> None:
        """Check the fields that all have, and those named: whole numbers from 1; in (0, 1]; in [0, 1)."""
        check_name("model", self.model)
        for name in ("layers", "hidden", "heads", "batch_size", *counts):
            self._set(name, check_whole(name, getattr(self, name)))
        self._set("steps", check_whole("steps", self.steps, 0))
        self._set("seed", check_seed(self.seed))
        if self.hidden % self.heads:
            raise InputError(f"hidden {self.hidden} is not allowed: {self.heads} heads do not divide it")
        for name in ("learning_rate", "initial"):
            self._set(name, check_number(name, getattr(self, name), lambda value: value > 0, "a number above 0"))
        for name in shares:
            value = check_number(name, getattr(self, name), lambda value: 0 < value <= 1, _SHARE)
            self._set(name, value)
        for name in ("warmup", "dropout", "weight_decay", *below):
            self._set(name, check_number(name, getattr(self, name), lambda value: 0 <= value < 1, _BELOW))


#: What may be given, in words.
_SHARE, _BELOW = "a fraction above 0, at most 1", "a number from 0 to below 1"


@dataclass(frozen=True, kw_only=True)
class TextPretraining(Pretraining):
    """A language model, trained on a corpus without labels.

    Attributes:
        architecture: an ``Architecture`` or its name.
        corpus: the corpus's name.
        vocabulary: word pieces, trained on the whole corpus.
        length: tokens of a block; ``batch_size`` counts blocks.
        fraction: of the corpus's training blocks, in (0, 1]; smaller ones lie within larger ones.
        masked: fraction of the tokens that are predicted, for BERT.
    """

    record_kind: ClassVar[str] = "pretraining"
    reads: ClassVar[Reads] = Reads.TEXTS

    model: str
    architecture: Architecture
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
        self._set("architecture", member(Architecture, "architecture", self.architecture))
        check_name("corpus", self.corpus)
        self._check(counts=("vocabulary", "length"), shares=("fraction", "masked"), below=())

    @property
    def loss_unit(self) -> str:
        """The unit of the loss, in words."""
        return "nats a token"

    @property
    def tokens(self) -> int:
        """The number of tokens that are read in all, repeated ones included."""
        return self.steps * self.batch_size * self.length

    def __str__(self) -> str:
        return f"pre-training of {self.model} on {self.fraction:.0%} of {self.corpus}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class ImagePretraining(Pretraining):
    """A vision transformer, trained on the training images of a task, with their labels or without.

    Attributes:
        objective: an ``ObjectiveKind`` or its name.
        task: the task whose training images are seen, and none of its test images.
        patch: side of a patch in pixels; it must divide that of the images.
        masked: fraction of the patches that are hidden, for ``masked``.
        small_views: small views of an image, next to two large ones, for ``dino``.
        outputs: the width of the projection head, over which the teacher gives probabilities, for ``dino``.
        momentum: the share of its weights that the teacher keeps in a step, for ``dino``; it rises to 1 by a cosine.
    """

    record_kind: ClassVar[str] = "image-pretraining"
    reads: ClassVar[Reads] = Reads.IMAGES

    model: str
    objective: ObjectiveKind
    layers: int
    hidden: int
    heads: int
    task: str
    patch: int
    batch_size: int
    steps: int
    learning_rate: float
    seed: int = 0
    warmup: float = 0.1
    weight_decay: float = 0.05
    dropout: float = 0.0
    initial: float = 0.02
    masked: float = 0.6
    small_views: int = 4
    outputs: int = 1024
    momentum: float = 0.99

    def __post_init__(self) -> None:
        self._set("objective", member(ObjectiveKind, "objective", self.objective))
        check_name("task", self.task)
        self._check(counts=("patch", "outputs"), shares=("masked",), below=("momentum",))
        self._set("small_views", check_whole("small_views", self.small_views, 0))

    @property
    def loss_unit(self) -> str:
        """The unit of the loss, in words; errors are of hidden patches, of pixels with a standard deviation of 1."""
        return "mean absolute error" if self.objective is ObjectiveKind.MASKED else "nats an image"

    @property
    def images(self) -> int:
        """The number of images that are seen in all, repeated ones included, each once for all of its views."""
        return self.steps * self.batch_size

    def __str__(self) -> str:
        return f"pre-training of {self.model} ({self.objective}) on the images of {self.task}, seed {self.seed}"
