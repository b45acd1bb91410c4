"""The training loop: batches in, a trained model out, a mask held all the way."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import nn
from transformers import get_linear_schedule_with_warmup

from ..pruning.masks import Mask

#: Losses are looked at together every so many steps: each look makes a GPU wait.
_LOOK_EVERY = 20


class Diverged(RuntimeError):
    """The loss became NaN or infinite."""


@dataclass(frozen=True)
class Schedule:
    """AdamW and its rate: linear warm-up over ``warmup`` steps, then linear decay to 0 at ``steps``."""

    steps: int
    learning_rate: float
    warmup: int = 0
    weight_decay: float = 0.0
    epsilon: float = 1e-8  # the "decay 1e-8" of the paper's Table 1, by the authors' code


def train(
    model: nn.Module,
    batches: Iterable[dict[str, torch.Tensor]],
    schedule: Schedule,
    devices: Accelerator,
    mask: Mask | None = None,
) -> list[float]:
    """Train a model in place.

    Args:
        model: maps a batch to an output with a ``loss``; left on the first of ``devices``.
        batches: ``schedule.steps`` of them; with several processes each sees its own share.
        mask: weights that are zero before the first step and after every step.

    Returns:
        The loss of every step (of this process's share of the batch).

    Raises:
        Diverged: a loss is NaN or infinite.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=schedule.learning_rate,
        eps=schedule.epsilon,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    decay = get_linear_schedule_with_warmup(optimizer, schedule.warmup, schedule.steps)
    model.to(devices.device)
    wrapped, prepared = devices.prepare(model, optimizer)
    wrapped.train()
    losses: list[torch.Tensor] = []
    with ExitStack() as stack:
        if mask is not None:
            stack.enter_context(mask.held(model, optimizer))
        for batch in batches:
            loss = wrapped(**{k: v.to(devices.device, non_blocking=True) for k, v in batch.items()}).loss
            devices.backward(loss)
            prepared.step()
            decay.step()
            prepared.zero_grad()
            losses.append(loss.detach().float())
            if len(losses) % _LOOK_EVERY == 0:
                _check(losses[-_LOOK_EVERY:], len(losses))
        _check(losses[-_LOOK_EVERY:], len(losses))
    devices.free_memory()
    return torch.stack(losses).tolist() if losses else []


def _check(recent: list[torch.Tensor], step: int) -> None:
    if recent and not torch.stack(recent).isfinite().all():
        raise Diverged(f"the loss is NaN or infinite within {len(recent)} steps before step {step}")
