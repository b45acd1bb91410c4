"""A Trial: one experiment as plain data, whose hash is its id."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from ..errors import InputError, check_pattern, check_sparsity
from .methods import Scope, check_method
from .spec import PlainData, Spec, member, shared


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

    def __post_init__(self) -> None:
        method = check_method(self.method, self.scope, self.pattern)
        self._set("scope", Scope(self.scope))
        self._set("sparsity", check_sparsity(self.sparsity))
        self._set("pattern", self.pattern or "")
        if self.pattern:
            n, m = check_pattern(self.pattern)
            self._set("pattern", f"{n}:{m}")  # one way to write it, so that the same pruning has one id
            if self.sparsity not in (0.0, round(1 - n / m, 6)):
                raise InputError(f"pattern {self.pattern} is of sparsity {1 - n / m:g}, not {self.sparsity:g}")
            self._set("sparsity", 1 - n / m)
        self._set("timing", member(Timing, "timing", self.timing))
        if method.trained and self.timing is not Timing.BEFORE:
            raise InputError(f"{self.method} trains to find its mask, and so prunes before the fine-tuning, not after")
        self._set("sparsity", check_sparsity(round(self.sparsity, 6)))
        rate = round(self.rate, 6) if isinstance(self.rate, (int, float)) else math.nan
        if not 0 < rate < 1:
            raise InputError(f"rate {self.rate!r} is not allowed: give a fraction between 0 and 1, such as 0.1")
        self._set("rate", rate)
        if method.calibrated and not (self.calibration and isinstance(self.calibration, str)):
            raise InputError(f"method {self.method!r} needs a text: name a corpus as calibration, such as wikipedia")
        for name in ("windows", "length"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)!r} is not allowed: give a whole number from 1")
        if not method.trained:
            self._reset("rate")
        if not method.calibrated:
            self._reset("calibration", "windows", "length")
        if self.sparsity == 0:  # every way to remove nothing is the dense model
            self._reset(*(each.name for each in dataclasses.fields(self) if each.name != "sparsity"))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

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
        return " ".join([*words, *(["after training"] if self.timing is Timing.AFTER else [])])


def lottery_rounds(sparsity: float, rate: float) -> list[float]:
    """Return the sparsity after each of the lottery's rounds; there is none for sparsity 0.

    Args:
        sparsity: fraction of the prunable weights that the last round's mask removes, in [0, 1).
        rate: fraction of the original weights that goes each round; the last round takes what is left to remove.

    Raises:
        InputError: the sparsity is not allowed.

    >>> lottery_rounds(0.25, 0.1)
    [0.1, 0.2, 0.25]
    """
    step, end = Decimal(str(rate)), Decimal(str(check_sparsity(sparsity)))
    whole = int(end / step)
    levels = [step * number for number in range(1, whole + 1)]
    if step * whole < end:
        levels.append(end)
    return [float(level) for level in levels]


#: The limits of a training, which may be None, and what None stands for.
_LIMITS = {"max_train": "all", "max_test": "all", "held_out": "the usual number"}

#: The fields of a training that are whole numbers: 3 and 3.0 are written differently, and so have another id.
_WHOLE = ("epochs", "batch_size", "max_length", *_LIMITS)


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

    def __post_init__(self) -> None:
        for name in _WHOLE:
            value = getattr(self, name)
            if type(value) is not int and not (value is None and name in _LIMITS):
                raise InputError(f"{name} {value!r} is not allowed: give a whole number")
        for name in ("learning_rate", "warmup", "weight_decay"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not math.isfinite(value):
                raise InputError(f"{name} {value!r} is not allowed: give a number")
        for name in ("epochs", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} {getattr(self, name)!r} is not allowed: it must be above 0")
        if self.max_length < 0:
            raise InputError(f"max_length {self.max_length!r} is not allowed: give the tokens of a text, 0 for images")
        for name, default in _LIMITS.items():
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise InputError(f"{name} {limit!r} is not allowed: it must be 1 or more, or None for {default}")


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

    @property
    def file(self) -> str:
        """The trial's task: one file holds a model's trials on a task."""
        return self.task

    def at(self, sparsity: float) -> Trial:
        """Return the same trial at another sparsity, by the same method without its pattern."""
        return dataclasses.replace(self, pruning=dataclasses.replace(self.pruning, sparsity=sparsity, pattern=""))

    @classmethod
    def from_canonical(cls, plain: Mapping[str, Any]) -> Trial:
        """Return the trial whose ``canonical()`` this is.

        Raises:
            TypeError, KeyError, ValueError: no trial has this canonical form.
        """
        training = shared(Training, **plain["training"])
        pruning = shared(Pruning, **plain.get("pruning", {}))
        return cls(**{**plain, "training": training, "pruning": pruning})

    def __str__(self) -> str:
        return f"{self.model} on {self.task}, {self.pruning}, seed {self.seed}"
