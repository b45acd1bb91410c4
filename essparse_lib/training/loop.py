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
        batches: ``schedule.steps`` of them, the same ones in every process; each takes its share of every batch.
        mask: weights that are zero before the first step and after every step.

    Returns:
        The loss of every step.

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
            share, weight = _share(batch, devices.process_index, devices.num_processes)
            loss = weight * wrapped(**{k: v.to(devices.device, non_blocking=True) for k, v in share.items()}).loss
            devices.backward(loss)
            prepared.step()
            decay.step()
            prepared.zero_grad()
            losses.append(loss.detach().float())
            if len(losses) % _LOOK_EVERY == 0:
                _check(_together(losses[-_LOOK_EVERY:], devices), len(losses))
    together = _together(losses, devices)
    _check(together[-_LOOK_EVERY:], len(losses))
    devices.free_memory()
    return together.tolist()


def _share(batch: dict[str, torch.Tensor], rank: int, ranks: int) -> tuple[dict[str, torch.Tensor], float]:
    """This process's examples of a batch, and what their mean loss counts in the mean over processes.

    The weights make that mean the one over the examples, also where the batch does not divide evenly. A process
    that is left without an example takes one along at weight 0, as all must step together.
    """
    if ranks == 1:
        return batch, 1.0
    size = len(next(iter(batch.values())))
    own = range(rank, size, ranks)
    return {name: values[list(own or (0,))] for name, values in batch.items()}, len(own) * ranks / size


def _together(losses: list[torch.Tensor], devices: Accelerator) -> torch.Tensor:
    """The losses, shape (steps,), averaged over the processes: all see the same and so diverge as one."""
    own = torch.stack(losses) if losses else torch.zeros(0)
    return devices.reduce(own, "mean") if devices.num_processes > 1 and losses else own


def _check(recent: torch.Tensor, step: int) -> None:
    if not recent.isfinite().all():
        raise Diverged(f"the loss is NaN or infinite within {len(recent)} steps before step {step}")
