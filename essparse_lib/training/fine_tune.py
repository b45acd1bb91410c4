"""Fine-tuning of a model with its head on a task, by the recipe of the paper's Table 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from ..errors import check_seed
from ..pruning.masks import Mask
from ..specs.trial import Training
from .batches import EncodedExamples, shuffled
from .loop import Observer, Schedule, TrainingState, train


def subset(size: int, limit: int | None, seed: int) -> np.ndarray:
    """Return the positions of the examples that a trial trains on, in ascending order.

    Args:
        size: number of examples.
        limit: number of examples to draw; None for all.
        seed: seed of the draw.
    """
    if limit is None or limit >= size:
        return np.arange(size)
    return np.sort(np.random.default_rng([seed, 0]).permutation(size)[:limit])


def fine_tune(
    model: nn.Module,
    data: EncodedExamples,
    training: Training,
    seed: int,
    devices: Accelerator,
    mask: Mask | None,
    observer: Observer | None = None,
) -> list[float]:
    """Fine-tune a model in place.

    Args:
        model: a model with its head.
        data: the training examples.
        training: the settings.
        seed: determines the order of the examples and the dropout.
        devices: the devices to train on.
        mask: weights that are held at zero; None for none.
        observer: is called after every step, such as ``EpochScores``.

    Returns:
        The loss of every step.

    Raises:
        Diverged: a loss is NaN or infinite.
        InputError: the seed is no whole number from 0.
    """
    seed = check_seed(seed)
    steps = training.epochs * steps_of_epoch(len(data), training)
    schedule = Schedule(
        steps=steps,
        learning_rate=training.learning_rate,
        warmup=round(training.warmup * steps),
        weight_decay=training.weight_decay,
        head_rate=training.head_rate,
    )
    torch.manual_seed(seed)
    return train(model, _epochs(data, training, seed), schedule, devices, mask, observer)


def steps_of_epoch(examples: int, training: Training) -> int:
    """Return how many steps an epoch has."""
    return -(-examples // training.batch_size)


class EpochScores:
    """Observes a training: scores the model after each epoch but the last. The training itself stays the same.

    Attributes:
        scores: one for each epoch that was scored.
    """

    def __init__(self, examples: int, training: Training, score: Callable[[], float]) -> None:
        """Hold how a model is scored.

        Args:
            examples: number of training examples.
            training: the settings.
            score: returns the score of the model as it is.
        """
        self._steps, self._epochs = steps_of_epoch(examples, training), training.epochs
        self._score = score
        self.scores: list[float] = []

    def begin(self, state: TrainingState) -> None:
        """Do nothing: no epoch has ended."""

    def after_step(self, state: TrainingState) -> None:
        """Score the model if an epoch has ended."""
        if state.steps % self._steps == 0 and state.steps < self._epochs * self._steps:
            self.scores.append(self._score())
            state.model.train()


def _epochs(data: EncodedExamples, training: Training, seed: int) -> Iterator[dict[str, torch.Tensor]]:
    rng = np.random.default_rng([seed, 1])
    for _ in range(training.epochs):
        for positions in shuffled(data.lengths, training.batch_size, rng):
            yield data.batch(positions)
