"""The training loop: it takes batches, trains a model in place and holds a mask at every step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import nn
from transformers import get_linear_schedule_with_warmup

from ..pruning.extents import head_parameters
from ..pruning.masks import Mask

#: Steps between two checks of the losses. They are checked together, because each check makes a GPU wait.
LOSS_CHECK_INTERVAL = 20


class Diverged(RuntimeError):
    """The loss or a weight became NaN or infinite."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Settings of AdamW and its learning rate, which rises linearly in the warm-up and then falls linearly to 0.

    Attributes:
        steps: number of steps; the rate is 0 after the last.
        learning_rate: peak learning rate.
        warmup: number of steps over which the rate rises from 0.
        weight_decay: decoupled decay of matrices; vectors (biases, norms) do not decay.
        epsilon: AdamW's ε.
        clip: largest norm of all gradients together; 0 for no clipping.
        head_rate: peak learning rate of the model's head; None for that of the rest.
    """

    steps: int
    learning_rate: float
    warmup: int = 0
    weight_decay: float = 0.0
    epsilon: float = 1e-8  # the "decay 1e-8" of the paper's Table 1, by the authors' code
    clip: float = 0.0
    head_rate: float | None = None


@dataclass(kw_only=True)
class TrainingState:
    """The state of a training between two steps.

    Attributes:
        model: the module being trained, on its device.
        optimizer: the optimizer, which holds its moments of every parameter.
        losses: the loss of each step up to the last check, averaged over the processes.
        unchecked: this process's loss of each step since the last check, a scalar tensor each, on the device. There
            are few of them: thousands of small tensors that live long fragment the memory.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    losses: list[float] = field(default_factory=list)
    unchecked: list[torch.Tensor] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """The number of steps done."""
        return len(self.losses) + len(self.unchecked)

    def check_losses(self, devices: Accelerator) -> None:
        """Check the losses since the last check and move them to ``losses``; all processes must call this together.

        Raises:
            Diverged: a loss is NaN or infinite.
        """
        if not self.unchecked:
            return
        recent = torch.stack(self.unchecked)
        if devices.num_processes > 1:
            recent = devices.reduce(recent, "mean")  # so that all processes diverge together
        if not recent.isfinite().all():
            raise Diverged(f"the loss is NaN or infinite within {len(recent)} steps before step {self.steps}")
        self.losses += recent.tolist()
        self.unchecked.clear()


class Observer(Protocol):
    """An observer of a training; its methods are called in every process."""

    def begin(self, state: TrainingState) -> None:
        """Prepare before the first step.

        It may restore an earlier state. The number of losses in that state is the number of steps already done.
        """

    def after_step(self, state: TrainingState) -> None:
        """Observe the training after a step; at every multiple of ``LOSS_CHECK_INTERVAL`` all losses are checked."""


def train(
    model: nn.Module,
    batches: Iterable[dict[str, torch.Tensor]],
    schedule: Schedule,
    devices: Accelerator,
    mask: Mask | None = None,
    observer: Observer | None = None,
) -> list[float]:
    """Train a model in place.

    Args:
        model: maps a batch to an output with a ``loss``; left on the first of ``devices``.
        batches: one batch for each step that remains, the same in every process; each process takes its share.
        schedule: optimizer settings.
        devices: the devices to train on.
        mask: weights that are zero before the first step and after every step; None for no mask.
        observer: is called before the first step and after every step; it may restore an earlier state.

    Returns:
        The loss of every step, including the steps of a restored state.

    Raises:
        Diverged: a loss is NaN or infinite.
    """
    model.to(devices.device)
    optimizer = torch.optim.AdamW(
        _parameter_groups(model, schedule),
        lr=schedule.learning_rate,
        eps=schedule.epsilon,
        fused=True,
    )
    state = TrainingState(model=model, optimizer=optimizer)
    if observer is not None:
        observer.begin(state)
    # a scheduler that begins later than at step 0 reads the peak rate from each group's initial_lr
    decay = get_linear_schedule_with_warmup(optimizer, schedule.warmup, schedule.steps, last_epoch=state.steps - 1)
    wrapped, prepared = devices.prepare(model, optimizer)
    devices.sync_gradients = True  # else no step does anything, after a loop of others that ended amid accumulation
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
            state.unchecked.append(loss.detach().float())
            if state.steps % LOSS_CHECK_INTERVAL == 0:
                state.check_losses(devices)
            if observer is not None:
                observer.after_step(state)
    state.check_losses(devices)
    devices.free_memory()
    return state.losses


def _parameter_groups(model: nn.Module, schedule: Schedule) -> list[dict]:
    """Return AdamW's parameter groups: matrices, which decay, and vectors, which do not; a head with its own rate."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if schedule.head_rate is None:
        return _groups_at(schedule.learning_rate, trained, schedule.weight_decay)
    head = {id(parameter) for parameter in head_parameters(model)}
    body = [parameter for parameter in trained if id(parameter) not in head]
    rest = [parameter for parameter in trained if id(parameter) in head]
    return [
        *_groups_at(schedule.learning_rate, body, schedule.weight_decay),
        *_groups_at(schedule.head_rate, rest, schedule.weight_decay),
    ]


def _groups_at(rate: float, trained: Sequence[nn.Parameter], weight_decay: float) -> list[dict]:
    """Return the parameter groups of some parameters at one peak rate."""
    rates = {"lr": rate, "initial_lr": rate}
    if not weight_decay:
        return [{"params": trained, "weight_decay": 0.0, **rates}] if trained else []
    matrices = [parameter for parameter in trained if parameter.ndim >= 2]
    vectors = [parameter for parameter in trained if parameter.ndim < 2]
    groups = ((matrices, weight_decay), (vectors, 0.0))
    return [{"params": parameters, "weight_decay": decay, **rates} for parameters, decay in groups if parameters]


def _share(batch: dict[str, torch.Tensor], rank: int, ranks: int) -> tuple[dict[str, torch.Tensor], float]:
    """Return this process's examples of a batch, and the weight of their mean loss in the mean over processes.

    With these weights the mean over processes equals the mean over examples, even if the batch does not divide
    evenly. A process with no example left takes one at weight 0, because all processes must step together.
    """
    if ranks == 1:
        return batch, 1.0
    size = len(next(iter(batch.values())))
    positions = range(rank, size, ranks)
    share = {name: values[list(positions or (0,))] for name, values in batch.items()}
    return share, len(positions) * ranks / size
