"""Make the model that a trial begins with: pre-trained, or with random weights, with a new head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..specs.trial import Trial

if TYPE_CHECKING:
    from torch import nn


def fresh_model(trial: Trial) -> nn.Module:
    """Return the model that a trial begins with, with a new head, still on the CPU.

    Raises:
        InputError: the model cannot be had, or cannot have the head.
    """
    from .. import tasks
    from ..training import device
    from ..training.random_weights import draw_weights
    from .task_heads import TASK_HEADS

    task = tasks.get(trial.task)
    model = TASK_HEADS[task.head].load(trial.model, task, trial.training, trial.seed)
    if trial.training.random_weights:
        draw_weights(model, trial.seed)
    device.suit_attention(model, device.accelerator().device)
    return model
