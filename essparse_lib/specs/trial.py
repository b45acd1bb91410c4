"""A Trial: one experiment as plain data, whose hash is its id."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from ..errors import InputError, check_number, check_pattern, check_rate, check_seed, check_sparsity, check_whole, shown
from .methods import METHODS, Extent, Scope, check_method, methods_text
from .spec import PlainData, Spec, check_name, member, shared
from .tasks import TASKS, Head


class Timing(StrEnum):
    """When a model is pruned: before the fine-tuning, in which the mask is held, or after it."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, kw_only=True)
class Pruning(PlainData):
    """What a trial removes from its model, and when.

    Attributes:
        sparsity: fraction of the prunable weights, in [0, 1), kept to six decimals; set by ``pattern`` if there is one.
        method: how the weights are chosen, a name in ``methods.METHODS``.
        scope: over what the method ranks the weights.
        pattern: ``N:M``, at most N of each M consecutive weights of a row; empty for none.
        timing: ``before`` the fine-tuning, in which the mask is held, or ``after`` it, with no training to follow.
        rate: of the lottery, the fraction of the original weights that goes each round.
        calibration: the corpus whose text a calibrated method reads, a name in ``corpora``; empty for other methods.
        windows: how many pieces of the corpus a calibrated method reads, drawn by the trial's seed.
        length: tokens of each piece.
        extent: which weights can be pruned, an ``Extent`` or its name; ``sparsity`` is a fraction of these.
    """

    sparsity: float = 0.0
    method: str = "magnitude"
    scope: str = Scope.GLOBAL
    pattern: str = ""
    timing: str = Timing.BEFORE
    rate: float = 0.1
    calibration: str = ""
    windows: int = 128
    length: int = 128
    extent: str = Extent.BLOCKS

    def __post_init__(self) -> None:
        method = check_method(self.method, self.scope, self.pattern)
        self._set("scope", Scope(self.scope))
        self._set("sparsity", check_sparsity(self.sparsity))
        self._set("pattern", self.pattern or "")
        if self.pattern:
            n, m = check_pattern(self.pattern)
            self._set("pattern", f"{n}:{m}")  # one way to write it, so that the same pruning has one id
            if round(self.sparsity, 6) not in (0.0, round(1 - n / m, 6)):
                raise InputError(f"pattern {self.pattern} is of sparsity {1 - n / m:g}, not {self.sparsity:g}")
            self._set("sparsity", 1 - n / m)
        self._set("timing", member(Timing, "timing", self.timing))
        self._set("extent", member(Extent, "extent", self.extent))
        if self.extent is not Extent.BLOCKS and (not method.extends or self.pattern):
            fitting = methods_text(METHODS, lambda m: m.extends)
            raise InputError(f"extent {str(self.extent)!r} goes with {fitting} at a sparsity, and with nothing else")
        if method.trained and self.timing is not Timing.BEFORE:
            raise InputError(f"{self.method} trains to find its mask, and so prunes before the fine-tuning, not after")
        self._set("sparsity", check_sparsity(round(self.sparsity, 6)))
        self._set("rate", round(check_rate(self.rate), 6))
        if method.calibrated and not (self.calibration and isinstance(self.calibration, str)):
            raise InputError(f"method {self.method!r} needs a text: name a corpus as calibration, such as wikipedia")
        if method.calibrated:
            check_name("calibration", self.calibration)
        for name in ("windows", "length"):
            self._set(name, check_whole(name, getattr(self, name)))
        if not method.trained:
            self._reset("rate")
        if not method.calibrated:
            self._reset("calibration", "windows", "length")
        if self.sparsity == 0:  # every way to remove nothing is the dense model
            self._reset(*(each.name for each in dataclasses.fields(self) if each.name != "sparsity"))

    def _reset(self, *names: str) -> None:
        """Give these fields, which are of no effect, their defaults, so that they do not count in the id."""
        for each in dataclasses.fields(self):
            if each.name in names:
                self._set(each.name, each.default)

    def __str__(self) -> str:
        if not self.sparsity:
            return "dense"
        means = self.pattern or f"{self.sparsity:.0%}"
        words = [means, "pruned", *([f"by {self.method}"] if self.method != "magnitude" else [])]
        words += [f"({self.scope})"] if self.scope != Scope.GLOBAL else []
        words += [_EXTENTS[Extent(self.extent)]] if self.extent != Extent.BLOCKS else []
        return " ".join([*words, *(["after training"] if self.timing is Timing.AFTER else [])])


#: How the weights that a pruning extends to are said.
_EXTENTS = {
    Extent.EMBEDDINGS: "with embeddings",
    Extent.HEAD: "with the head",
    Extent.ALL: "with embeddings and the head",
}


def lottery_rounds(sparsity: float, rate: float) -> list[float]:
    """Return the sparsity after each of the lottery's rounds; there is none for sparsity 0.

    Args:
        sparsity: fraction of the prunable weights that the last round's mask removes, in [0, 1).
        rate: fraction of the original weights that goes each round, from 0.001 to below 1; the last round takes what is
            left to remove. What rounding alone leaves, as after two rounds of a third, gets no round of its own.

    Raises:
        InputError: the sparsity or the rate is not allowed.

    >>> lottery_rounds(0.25, 0.1), lottery_rounds(2 / 3, 1 / 3)
    ([0.1, 0.2, 0.25], [0.333333333333, 0.666666666667])
    """
    step, end = Decimal(str(check_rate(rate))), Decimal(str(check_sparsity(sparsity)))
    whole = math.ceil(max(end - _LEFT_BY_ROUNDING, Decimal(0)) / step) or int(end > 0)
    return [float(step * number) for number in range(1, whole)] + [float(end)] * (whole > 0)


#: The lottery's rounds need not remove less than this: a sparsity is kept to six decimals in a trial.
_LEFT_BY_ROUNDING = Decimal("0.000002")


#: The limits of a training, which may be None, and what None stands for.
_LIMITS = {"max_train": "all", "max_test": "all", "held_out": "the usual number"}
_POSITIVE = "a number above 0, such as 1e-4"


#: The most equations that are kept while one is written.
_WIDEST = 64


class Decoder(StrEnum):
    """What writes an equation: a recurrent network (GRU) with attention, or the goal-driven tree decoder GTS."""

    GRU = "gru"
    TREE = "tree"


@dataclass(frozen=True, kw_only=True)
class Training(PlainData):
    """How the model is fine-tuned after pruning; the paper's Table 1 unless said otherwise.

    Attributes:
        epochs: passes over the training examples.
        batch_size: examples a step, over all devices together.
        learning_rate: AdamW's peak rate; it falls linearly to 0.
        max_length: tokens kept of a text; 0 for images, which have none.
        max_train: examples trained on, a subset drawn by the trial's seed; None for all.
        warmup: fraction of the steps in which the rate rises linearly from 0.
        weight_decay: AdamW's decoupled decay.
        max_test: examples evaluated on, the same ones for every seed; None for all.
        held_out: examples of the task's source that are held out for evaluation, the same ones for every seed; None
            for the task's usual number.
        head_rate: the peak rate of the head alone, as of a decoder that begins with random weights; None for
            ``learning_rate``.
        random_weights: whether the whole model begins with random weights, which the trial's seed draws, in place of
            the pre-trained ones: what a task gives without any pre-training.
        decoder: what writes equations, a ``Decoder`` or its name; without effect on other tasks.
        beam: equations that are kept while one is written; 1 always takes the likeliest symbol. Without effect on other
            tasks.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int = 0
    max_train: int | None = None
    warmup: float = 0.0
    weight_decay: float = 0.0
    max_test: int | None = None
    held_out: int | None = None
    head_rate: float | None = None
    random_weights: bool = False
    decoder: str = Decoder.GRU
    beam: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            self._set(name, check_whole(name, getattr(self, name)))
        self._set("max_length", check_whole("max_length", self.max_length, 0))
        for name, default in _LIMITS.items():
            limit = getattr(self, name)
            try:
                self._set(name, None if limit is None else check_whole(name, limit))
            except InputError as error:
                raise InputError(f"{error}, or None for {default}") from None
        self._set("learning_rate", check_number("learning_rate", self.learning_rate, lambda r: r > 0, _POSITIVE))
        self._set("warmup", check_number("warmup", self.warmup, lambda w: 0 <= w <= 1, "a fraction of the steps"))
        decay = check_number("weight_decay", self.weight_decay, lambda d: d >= 0, "a number from 0, such as 0.01")
        self._set("weight_decay", decay)
        if self.head_rate is not None:
            try:
                self._set("head_rate", check_number("head_rate", self.head_rate, lambda r: r > 0, _POSITIVE))
            except InputError as error:
                raise InputError(f"{error}, or None for the learning rate") from None
        if not isinstance(self.random_weights, bool):
            raise InputError(f"random_weights {shown(self.random_weights)} is not allowed: give True or False")
        self._set("decoder", member(Decoder, "decoder", self.decoder))
        self._set("beam", check_whole("beam", self.beam, 1, _WIDEST))

    def without_decoder(self) -> Training:
        """Return the same training without what has an effect on equations alone, so that it does not count in ids."""
        if (self.decoder, self.beam) == (Decoder.GRU, 1):
            return self
        return dataclasses.replace(self, decoder=Decoder.GRU, beam=1)


@dataclass(frozen=True, kw_only=True)
class Trial(Spec):
    """One experiment: prune a model, fine-tune it on a task, evaluate it.

    The same seed gives the same head, training subset, data order and dropout at every sparsity, so trials
    that differ in ``pruning`` alone are paired.

    Attributes:
        model: the model's name, its id on the hub, or its local folder.
        task: the task's name.
        seed: of the head, the training subset, the data order, dropout and random masks.
        training: how the model is fine-tuned.
        pruning: what is removed; nothing unless given.
    """

    record_kind: ClassVar[str] = "trial"

    model: str
    task: str
    seed: int
    training: Training
    pruning: Pruning = field(default_factory=Pruning)

    def __post_init__(self) -> None:
        check_name("model", self.model)
        check_name("task", self.task)
        self._set("seed", check_seed(self.seed))
        for name, kind in (("training", Training), ("pruning", Pruning)):
            if not isinstance(part := getattr(self, name), kind):
                raise InputError(f"{name} {shown(part)} is not allowed: give a {kind.__name__}")
        if self.task not in TASKS or TASKS[self.task].head is not Head.EQUATION:
            self._set("training", self.training.without_decoder())

    @property
    def file(self) -> str:
        """The trial's task: one file holds a model's trials on a task."""
        return self.task

    @property
    def lottery(self) -> str:
        """The name of the lottery that the trial is a round of, in which each needs the one before; empty for none."""
        return f"{self.at(0.0).id}-{self.pruning.rate:g}" if METHODS[self.pruning.method].trained else ""

    def at(self, sparsity: float) -> Trial:
        """Return the same trial at another sparsity, by the same method without its pattern."""
        return dataclasses.replace(self, pruning=dataclasses.replace(self.pruning, sparsity=sparsity, pattern=""))

    @classmethod
    def from_canonical(cls, plain: Mapping[str, Any]) -> Trial:
        """Return the trial whose ``canonical()`` this is.

        Raises:
            UnknownName: it has a field, or a choice in a field, that this version does not know.
            ValueError: no trial has this canonical form.
        """
        fields = cls._fields_of(plain)
        fields["training"] = shared(Training, **fields["training"])
        fields["pruning"] = shared(Pruning, **fields.get("pruning", {}))
        return cls(**fields)

    def __str__(self) -> str:
        return f"{self.model} on {self.task}, {self.pruning}, seed {self.seed}"
