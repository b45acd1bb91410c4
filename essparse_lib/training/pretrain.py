"""Pre-training from random weights, with snapshots of the weights, resumable after any step."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from transformers import PreTrainedModel

from ..errors import InputError
from ..pruning.blocks import evaluating
from ..sources.foreign import reading
from ..specs.pretraining import Pretraining
from . import device
from .checkpoints import read_notes, restore_state, save_state
from .dynamics import Dynamics, default_measured_steps
from .held_out import PrunedLosses, held_out_loss, pruned_losses
from .loop import LOSS_CHECK_INTERVAL, Diverged, Schedule, TrainingState, train

#: Seconds from one checkpoint to the next, by default. Checkpoints are written right after a check of the losses.
CHECKPOINT_INTERVAL = 60.0


class Objective(Protocol):
    """What a pre-training optimises, and on which examples; see ``text_objectives`` and ``image_objectives``.

    Attributes:
        examples: number of training examples.
    """

    examples: int

    @property
    def held_out(self) -> Mapping[str, torch.Tensor]:
        """A batch that is never trained on; every snapshot has the model's loss on it."""

    @property
    def content(self) -> str:
        """Hash of the training data."""

    def module(self) -> nn.Module:
        """Return the module to train, with random weights; it maps a batch to an output with a loss."""

    def model(self, module: nn.Module) -> PreTrainedModel:
        """Return the part of the module that snapshots measure and that is saved."""

    def pruned_part(self, module: nn.Module) -> nn.Module:
        """Return the part of the module that is pruned where the held-out loss of the pruned model is measured."""

    def batch(self, positions: np.ndarray, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the batch of a step.

        Args:
            positions: positions of the training examples; they are the first dimension of each tensor.
            step: number of steps done.
            generator: source of random numbers; it and torch's global generator are seeded for the step.
        """

    def probes(self, module: nn.Module, step: int) -> dict[str, float]:
        """Return the objective's further measures for the snapshot after a number of steps, by name."""

    def described(self) -> dict[str, Any]:
        """Return a description of the training data, as plain data for the record."""

    def metrics(self, result: TrainingResult) -> dict[str, float]:
        """Return the metrics of a trained model, by name, without its losses."""

    def save(self, module: nn.Module, folder: Path) -> None:
        """Save the model in fp16, in the form that ``from_pretrained`` loads."""


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """The result of a pre-training.

    Attributes:
        module: the trained module, as ``Objective.module`` made it.
        losses: the loss of every step done.
        dynamics: the snapshots.
        pruned: the held-out loss after one-shot pruning, at some of the snapshots.
        seconds: time spent in all sessions together.
        diverged: why the training ended early, if the loss became NaN or infinite; else empty.
    """

    module: nn.Module
    losses: list[float]
    dynamics: Dynamics
    pruned: PrunedLosses
    seconds: float
    diverged: str = ""


def pretrain(
    spec: Pretraining,
    objective: Objective,
    devices: Accelerator,
    checkpoint: Path,
    deadline: float | None = None,
    *,
    measured_steps: Collection[int] | None = None,
    checkpoint_interval: float = CHECKPOINT_INTERVAL,
) -> TrainingResult:
    """Train a model from a checkpoint or, if there is none, from random weights.

    Args:
        spec: settings of the model and its training.
        objective: what is optimised, and on which examples.
        devices: the devices to train on.
        checkpoint: file of the checkpoint, which is written regularly and when the deadline ends the training.
        deadline: time, as of ``time.time()``, after which no more steps begin; checked every few steps.
        measured_steps: numbers of steps after which to take a snapshot; there is always one before the first step.
            None for those of ``default_measured_steps``.
        checkpoint_interval: seconds from one checkpoint to the next, at least.

    Returns:
        The result. It has fewer losses than ``spec.steps`` if the deadline came first or if the loss diverged. After
        a divergence, the file holds the last checkpoint before it.

    Raises:
        InputError: the checkpoint belongs to another spec, or is damaged.
    """
    module = initial_module(spec, objective, devices.device)
    if measured_steps is None:
        measured_steps = default_measured_steps(spec.steps)
    monitor = _Monitor(
        spec=spec,
        objective=objective,
        devices=devices,
        checkpoint=checkpoint,
        checkpoint_interval=checkpoint_interval,
        measured_steps=frozenset(measured_steps),
    )

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        for step in range(monitor.steps_done, spec.steps):
            if deadline is not None and step % LOSS_CHECK_INTERVAL == 0 and _is_past(deadline, devices):
                return
            seed = _step_seed(spec.seed, step)
            generator = torch.Generator().manual_seed(seed)
            torch.manual_seed(seed)  # dropout and views of images draw from torch's global generator
            yield objective.batch(_batch_positions(spec, objective.examples, step), step, generator)

    schedule = Schedule(
        steps=spec.steps,
        learning_rate=spec.learning_rate,
        warmup=round(spec.warmup * spec.steps),
        weight_decay=spec.weight_decay,
        clip=1.0,
    )
    try:
        losses = train(module, batches(), schedule, devices, observer=monitor)
    except Diverged as error:
        return TrainingResult(
            module=module,
            losses=monitor.state.losses,
            dynamics=monitor.dynamics,
            pruned=monitor.pruned,
            seconds=monitor.seconds,
            diverged=str(error),
        )
    if len(losses) < spec.steps:
        monitor.write_checkpoint()
    return TrainingResult(
        module=module, losses=losses, dynamics=monitor.dynamics, pruned=monitor.pruned, seconds=monitor.seconds
    )


def initial_module(spec: Pretraining, objective: Objective, training_device: torch.device) -> nn.Module:
    """Return the module before its first step, on the CPU; the spec's seed alone determines its weights.

    Args:
        spec: settings of the model.
        objective: makes the module.
        training_device: the device that the module will be trained on; it decides how attention is computed.
    """
    torch.manual_seed(spec.seed)
    module = objective.module()
    device.suit_attention(module, training_device)
    return module


def _batch_positions(spec: Pretraining, count: int, step: int) -> np.ndarray:
    """Return the positions, among ``count`` examples, of a step's batch.

    An epoch is as many whole batches as there are, without repetition. Each epoch has its own order.
    """
    epoch, batch = divmod(step, count // spec.batch_size)
    order = _epoch_order(spec.seed, epoch, count)
    return order[batch * spec.batch_size : (batch + 1) * spec.batch_size]


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)


def _is_past(deadline: float, devices: Accelerator) -> bool:
    """Return whether the deadline has passed, by the clock of the main process."""
    past = time.time() > deadline
    return device.agreed(past) if devices.num_processes > 1 else past


def _step_seed(seed: int, step: int) -> int:
    """Return the seed of a step. As every step has its own, a resumed training draws what an unbroken one does."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)


class _Monitor:
    """The observer of a pre-training, which takes snapshots and writes checkpoints."""

    def __init__(
        self,
        *,
        spec: Pretraining,
        objective: Objective,
        devices: Accelerator,
        checkpoint: Path,
        checkpoint_interval: float,
        measured_steps: frozenset[int],
    ) -> None:
        self.spec = spec
        self.objective = objective
        self.devices = devices
        self.checkpoint = checkpoint
        self.checkpoint_interval = checkpoint_interval
        self.measured_steps = measured_steps
        beginning: dict[str, Any] = dict(asked=spec.canonical(), dynamics={}, pruned={}, seconds=0.0, steps=0)
        notes = read_notes(checkpoint) or beginning
        with reading(checkpoint, "it is a checkpoint of another version, remove it to begin anew"):
            if notes["asked"] != spec.canonical():
                raise InputError(f"{checkpoint} is a checkpoint of another configuration: remove it to begin anew")
            self.dynamics = Dynamics(**notes["dynamics"])
            self.pruned = PrunedLosses(**notes["pruned"])
            self.steps_done: int = notes["steps"]
            self._earlier_seconds: float = notes["seconds"]
        self._started = self._last_checkpoint = time.perf_counter()

    @property
    def seconds(self) -> float:
        """The time spent on this training so far, in all sessions together."""
        return self._earlier_seconds + time.perf_counter() - self._started

    def begin(self, state: TrainingState) -> None:
        self.state = state
        if self.steps_done:
            restore_state(state, self.checkpoint)
        if not self.dynamics.at:
            self._take_snapshot()

    def after_step(self, state: TrainingState) -> None:
        if state.steps in self.measured_steps:
            state.check_losses(self.devices)
            self._take_snapshot()
        due = time.perf_counter() - self._last_checkpoint > self.checkpoint_interval
        if state.steps % LOSS_CHECK_INTERVAL == 0 and due and self.devices.is_main_process:
            self.write_checkpoint()

    def write_checkpoint(self) -> None:
        """Write a checkpoint; only the main process does."""
        notes = {
            "asked": self.spec.canonical(),
            "dynamics": self.dynamics.plain(),
            "pruned": self.pruned.plain(),
            "seconds": self.seconds,
            "steps": len(self.state.losses),
        }
        if self.devices.is_main_process:
            save_state(self.state, notes, self.checkpoint)
        self._last_checkpoint = time.perf_counter()

    def _take_snapshot(self) -> None:
        step = self.state.steps
        last_step = self.dynamics.at[-1] if self.dynamics.at else 0
        recent_losses = self.state.losses[last_step:]
        loss = fmean(recent_losses) if recent_losses else None
        loss_on_held_out = partial(held_out_loss, self.state.model, self.objective.held_out, self.devices)
        held_out = loss_on_held_out()
        if not all(value is None or math.isfinite(value) for value in (loss, held_out)):
            raise Diverged(f"the loss is NaN or infinite between step {last_step} and step {step}")
        with evaluating(self.state.model), self.devices.autocast():
            probes = self.objective.probes(self.state.model, step)
        self.dynamics.add_snapshot(step, self.objective.model(self.state.model), loss, held_out, probes)
        if step in self.spec.pruned_steps:
            self.pruned.add(step, pruned_losses(self.objective.pruned_part(self.state.model), loss_on_held_out))
