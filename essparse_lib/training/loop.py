"""The training loop: batches in, a trained model out, a mask held all the way."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import nn
from transformers import get_linear_schedule_with_warmup

from ..pruning.masks import Mask

#: Losses are looked at together every so many steps: each look makes a GPU wait.
LOOK_EVERY = 20


class Diverged(RuntimeError):
    """The loss became NaN or infinite."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """AdamW and its rate: linear warm-up over ``warmup`` steps, then linear decay to 0 at ``steps``.

    Weight decay leaves vectors (biases, norms) alone; ``clip`` bounds the norm of all gradients together, 0 for none.
    """

    steps: int
    learning_rate: float
    warmup: int = 0
    weight_decay: float = 0.0
    epsilon: float = 1e-8  # the "decay 1e-8" of the paper's Table 1, by the authors' code
    clip: float = 0.0


@dataclass(kw_only=True)
class State:
    """A training between two steps.

    Attributes:
        model: what is trained, on its device.
        optimizer: with its moments of every parameter.
        losses: of the steps so far, up to the last look at them: means over the processes.
        unseen: of the steps since, a scalar each, on the device; this process's share. They are few: thousands of
            small tensors that live long leave holes in the memory around them.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    losses: list[float] = field(default_factory=list)
    unseen: list[torch.Tensor] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """How many are done."""
        return len(self.losses) + len(self.unseen)

    def look(self, devices: Accelerator) -> None:
        """Look at the losses since the last look; all processes must do so together.

        Raises:
            Diverged: one is NaN or infinite.
        """
        if not self.unseen:
            return
        recent = torch.stack(self.unseen)
        if devices.num_processes > 1:
            recent = devices.reduce(recent, "mean")  # all see the same and so diverge as one
        if not recent.isfinite().all():
            raise Diverged(f"the loss is NaN or infinite within {len(recent)} steps before step {self.steps}")
        self.losses += recent.tolist()
        self.unseen.clear()


class Watch(Protocol):
    """What looks on while a model is trained; called in every process."""

    def begin(self, state: State) -> None:
        """Before the first step: may put an earlier state in place, whose losses say how many steps it has done."""

    def after_step(self, state: State) -> None:
        """After every step; at every multiple of ``LOOK_EVERY`` the losses have just been looked at."""


def train(
    model: nn.Module,
    batches: Iterable[dict[str, torch.Tensor]],
    schedule: Schedule,
    devices: Accelerator,
    mask: Mask | None = None,
    watch: Watch | None = None,
) -> list[float]:
    """Train a model in place.

    Args:
        model: maps a batch to an output with a ``loss``; left on the first of ``devices``.
        batches: those of the steps to do, the same ones in every process; each takes its share of every batch.
        mask: weights that are zero before the first step and after every step.
        watch: looks on, and may begin from an earlier state.

    Returns:
        The loss of every step, those of an earlier state included.

    Raises:
        Diverged: a loss is NaN or infinite.
    """
    model.to(devices.device)
    optimizer = torch.optim.AdamW(
        _groups(model, schedule),
        lr=schedule.learning_rate,
        eps=schedule.epsilon,
        fused=True,
    )
    state = State(model=model, optimizer=optimizer)
    if watch is not None:
        watch.begin(state)
    # a scheduler that begins later than at step 0 reads the peak rate from each group's initial_lr
    decay = get_linear_schedule_with_warmup(optimizer, schedule.warmup, schedule.steps, last_epoch=state.steps - 1)
    wrapped, prepared = devices.prepare(model, optimizer)
    wrapped.train()
    with ExitStack() as stack:
        if mask is not None:
            stack.enter_context(mask.held(model, optimizer))
        for batch in batches:
            share, weight = _share(batch, devices.process_index, devices.num_processes)
            loss = weight * wrapped(**{k: v.to(devices.device, non_blocking=True) for k, v in share.items()}).loss
            devices.backward(loss)
            if schedule.clip:
                devices.clip_grad_norm_(wrapped.parameters(), schedule.clip)
            prepared.step()
            decay.step()
            prepared.zero_grad()
            state.unseen.append(loss.detach().float())
            if state.steps % LOOK_EVERY == 0:
                state.look(devices)
            if watch is not None:
                watch.after_step(state)
    state.look(devices)
    devices.free_memory()
    return state.losses


def _groups(model: nn.Module, schedule: Schedule) -> list[dict]:
    """The parameters, those apart that do not decay."""
    rate = {"initial_lr": schedule.learning_rate}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not schedule.weight_decay:
        return [{"params": trained, "weight_decay": 0.0, **rate}]
    kinds: tuple[list, list] = ([], [])
    for parameter in trained:
        kinds[parameter.ndim < 2].append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, **rate}
        for parameters, decay in zip(kinds, (schedule.weight_decay, 0.0), strict=True)
        if parameters
    ]


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
