"""What a recovery from pruning is asked for and what it came to: a brief training with the mask held."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, as_number, check_seed, check_whole, shown
from ..paths import check_file

_MOST_STEPS, _STEPS, _LEARNING_RATE = 1_000_000, 200, 1e-4


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How to train a pruned language model so that it recovers.

    All weights that are not zero are trained, those of embeddings, norms and heads too, by AdamW in float32 or, where
    that is faster, bfloat16; a mask holds the zeros of all matrices of the blocks.

    Attributes:
        text: a file of text in UTF-8, like that which the model is for; its last tenth is held out.
        steps: number of steps, each on 8 windows of at most 256 tokens.
        learning_rate: the peak rate, which is reached after a tenth of the steps and falls to 0.
        seed: of the order of the windows, of dropout and of the tokens to mask.
    """

    text: Path
    steps: int = _STEPS
    learning_rate: float | str = _LEARNING_RATE
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", check_file("recover", self.text, "text"))
        check_whole("recover-steps", self.steps, most=_MOST_STEPS)
        rate = as_number(self.learning_rate)
        if not 0 < rate <= 1:
            raise InputError(
                f"recover-rate {shown(self.learning_rate)} is not allowed: give a number above 0 and at most 1, such "
                f"as {_LEARNING_RATE:g}"
            )
        object.__setattr__(self, "learning_rate", rate)
        object.__setattr__(self, "seed", check_seed(self.seed))


def recovery_of(text: Path | None, steps: int | None, rate: str | None, seed: int) -> Recovery | None:
    """Return the recovery that options ask for, or None if there is no text.

    Args:
        text: the text to train on.
        steps: number of steps; None for the usual one.
        rate: the learning rate; None for the usual one.
        seed: seed of the training.

    Raises:
        InputError: an option is not allowed, or goes with a text and there is none.
    """
    given = {name: value for name, value in (("steps", steps), ("learning_rate", rate)) if value is not None}
    if text is None:
        if given:
            raise InputError("recover-steps and recover-rate go with a text to recover on, and none is given (recover)")
        return None
    return Recovery(text=text, seed=seed, **given)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What a recovery came to.

    Attributes:
        objective: what the model learned, in words.
        windows: number of windows that could be trained on.
        held_out: number of windows held out.
        length: tokens in each.
        loss_dense: mean loss on the held-out windows before pruning, in nats a token that is predicted.
        loss_pruned: the same after pruning.
        loss_recovered: the same after the training, with the weights in the precision that they are saved in.
    """

    objective: str
    windows: int
    held_out: int
    length: int
    loss_dense: float
    loss_pruned: float
    loss_recovered: float

    def text(self, recovery: Recovery) -> str:
        """Return the losses as a clause."""
        return (
            f"loss on {self.held_out:,} held-out windows of {recovery.text.name}, in nats a token ({self.objective}): "
            f"{self.loss_dense:.3f} dense, {self.loss_pruned:.3f} pruned, {self.loss_recovered:.3f} after "
            f"{recovery.steps:,} steps of training with the zeros held"
        )
