"""What a sweep may be asked, checked before any work begins, and what is chosen where nothing is said."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import InputError, check_number, check_whole
from ..specs.methods import METHODS, Method, Scope, check_method
from ..specs.spec import member
from ..specs.trial import Timing, Training
from ..tasks.own import OwnKind
from .design import Limits
from .tolerance import Tolerance

#: Steps of a fine-tuning that are enough where data are few, and the passes over them that are made for it.
_ENOUGH_STEPS, _PASSES = 300, (3, 10)
#: The most examples that are trained on where nothing is said: what more would take is better spent on seeds.
USUAL_TRAIN = 20_000
#: AdamW's peak rate, and the fraction of the steps in which it rises.
_LEARNING_RATE, _WARMUP = 5e-5, 0.06
#: The settings of a training.
_OF_TRAINING = ("timing", "epochs", "batch_size", "learning_rate", "max_length", "max_train")
#: The most seeds that may be asked for.
_MOST_SEEDS = 100


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """How a sweep prunes, trains and judges.

    Attributes:
        method: how the weights are chosen, a name in ``specs.methods.METHODS``.
        scope: over what the method ranks them.
        timing: ``before`` the fine-tuning, in which the mask is held, or ``after`` it.
        tolerance: the loss that is tolerated, or the text or number of one; None for 1 point, and 1% of a perplexity.
        precision: the widest interval of the answer, in percent of the weights.
        seeds: of every level.
        most_seeds: of the levels around the answer, where the interval is wider than asked.
        epochs: passes over the training examples; None for as many as few data need.
        batch_size: examples a step.
        learning_rate: AdamW's peak rate.
        max_length: tokens kept of a text; None for as many as nearly all texts have.
        max_train: training examples that each seed draws; None for all, at most 20,000.
        windows: pieces of the training texts that a calibrated method reads.
        length: tokens of each piece.

    Raises:
        InputError: something is not allowed.
    """

    method: str = "magnitude"
    scope: str = Scope.GLOBAL
    timing: str = Timing.BEFORE
    tolerance: Tolerance | str | float | None = None
    precision: float = 20.0
    seeds: int = 3
    most_seeds: int = 10
    epochs: int | None = None
    batch_size: int = 16
    learning_rate: float = _LEARNING_RATE
    max_length: int | None = None
    max_train: int | None = None
    windows: int = 128
    length: int = 128

    def __post_init__(self) -> None:
        method = check_method(self.method, self.scope, None)
        set_ = object.__setattr__
        set_(self, "scope", Scope(self.scope))
        set_(self, "timing", member(Timing, "timing", self.timing))
        if method.trained and self.timing is not Timing.BEFORE:
            raise InputError(f"{self.method} trains to find its mask, and so prunes before the fine-tuning, not after")
        if self.tolerance is not None and not isinstance(self.tolerance, Tolerance):
            set_(self, "tolerance", Tolerance.read(self.tolerance))
        wanted = "percent of the weights, from 1 to 50, such as 20"
        set_(self, "precision", check_number("precision", self.precision, lambda p: 1 <= p <= 50, wanted))
        set_(self, "seeds", check_whole("seeds", self.seeds, 2, _MOST_SEEDS))
        set_(self, "most_seeds", check_whole("most_seeds", self.most_seeds, 2, _MOST_SEEDS))
        if self.most_seeds < self.seeds:
            raise InputError(
                f"most_seeds {self.most_seeds} is not allowed: give at least as many as seeds, {self.seeds}"
            )
        for name in ("epochs", "max_length", "max_train"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name))
        for name in ("batch_size", "windows", "length"):
            check_whole(name, getattr(self, name))
        self.training(examples=1, usual_length=1)  # checks the rate

    @property
    def rule(self) -> Method:
        """The method's row, which says what it needs."""
        return METHODS[self.method]

    def check_used(self, kind: OwnKind) -> None:
        """Check that every setting that is given has an effect on data of a kind.

        Raises:
            InputError: one has none.
        """
        idle: dict[str, str] = {}
        if kind is OwnKind.PLAIN_TEXT:
            idle |= dict.fromkeys(_OF_TRAINING, "nothing is trained on a plain text")
        if kind is OwnKind.CLASSES_OF_IMAGES:
            idle["max_length"] = "images have no tokens"
        if not self.rule.calibrated:
            idle |= dict.fromkeys(("windows", "length"), f"method {self.method!r} reads no text")
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in idle and value != each.default:
                raise InputError(f"{each.name} {value} is not allowed: {idle[each.name]}, so leave it out")

    def tolerated(self, fine_tuned: bool = True) -> Tolerance:
        """Return the loss that is tolerated: of a score, or of the perplexity of models that are not trained.

        Raises:
            InputError: it is in points, which a perplexity does not have.
        """
        if self.tolerance is None:
            return Tolerance(1.0, relative=not fine_tuned)
        assert isinstance(self.tolerance, Tolerance)
        if not fine_tuned and not self.tolerance.relative:
            value = f"{self.tolerance.value:g}"
            raise InputError(f"epsilon {value} is not allowed: a perplexity has no points, give percent, as {value}%")
        return self.tolerance

    def limits(self, fine_tuned: bool = True) -> Limits:
        """Return how far the design may go.

        Args:
            fine_tuned: whether models are trained; else one seed is enough for a method that draws nothing.
        """
        drawn = fine_tuned or self.rule.seeded
        seeds, most = (self.seeds, self.most_seeds) if drawn else (1, 1)
        return Limits(seeds=seeds, most_seeds=most, precision=self.precision / 100)

    def training(self, examples: int, usual_length: int) -> Training:
        """Return how models are fine-tuned.

        Args:
            examples: number of training examples.
            usual_length: tokens that nearly all texts have at most; 0 for images.
        """
        trained = min(examples, self.max_train or USUAL_TRAIN)
        least, most = _PASSES
        steps = -(-trained // self.batch_size)
        return Training(
            epochs=self.epochs if self.epochs is not None else min(max(-(-_ENOUGH_STEPS // steps), least), most),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            max_length=usual_length if self.max_length is None or not usual_length else self.max_length,
            max_train=trained if trained < examples else None,
            warmup=_WARMUP,
        )
