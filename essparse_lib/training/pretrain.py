"""Training a model from random weights, watched, resumable at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
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
from ..specs.pretraining import Pretraining
from . import device
from .checkpoints import read_notes, restore, save_state
from .dynamics import Dynamics, measured_steps
from .loop import LOOK_EVERY, Diverged, Schedule, State, train

#: Seconds from one checkpoint to the next, about.
_CHECKPOINT_EVERY = 60.0


class Objective(Protocol):
    """What a model is asked, and about what, as ``text_objectives`` and ``image_objectives`` have it.

    Attributes:
        examples: how many there are to train on.
    """

    examples: int

    @property
    def held_out(self) -> Mapping[str, torch.Tensor]:
        """A batch that is never trained on; every look at the model has its loss."""

    @property
    def content(self) -> str:
        """Hash of what is trained on."""

    def module(self) -> nn.Module:
        """What is trained, with random weights; maps a batch to an output with a loss."""

    def model(self, module: nn.Module) -> PreTrainedModel:
        """The part of it that is watched and kept."""

    def batch(self, positions: np.ndarray, step: int, chance: torch.Generator) -> dict[str, torch.Tensor]:
        """What is asked in a step about the examples at these positions; the first side of each tensor is theirs.

        Chance comes from the generator, or torch's own, which is seeded for the step.
        """

    def probes(self, module: nn.Module, step: int) -> dict[str, float]:
        """What else there is to see after so many steps."""

    def described(self) -> dict[str, Any]:
        """What is trained on, as plain data for the record."""

    def metrics(self, trained: Trained) -> dict[str, float]:
        """How much was seen, and how good the trained model is, beside its losses."""

    def save(self, module: nn.Module, folder: Path) -> None:
        """Save the model as ``from_pretrained`` loads it, in fp16."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What came of it.

    Attributes:
        module: as the objective made it, trained.
        losses: of every step done.
        dynamics: what the looks found.
        seconds: spent in all, over all sessions.
        diverged: why it ended early, where the loss became NaN or infinite.
    """

    module: nn.Module
    losses: list[float]
    dynamics: Dynamics
    seconds: float
    diverged: str = ""


def pretrain(
    asked: Pretraining, objective: Objective, devices: Accelerator, kept: Path, deadline: float | None = None
) -> Trained:
    """Train a model as asked, from the state that ``kept`` holds or from random weights.

    Args:
        kept: the file of checkpoints; one is written every minute or so, and when the deadline ends the training.
        deadline: by ``time.time()``; no step is begun much later.

    Raises:
        InputError: the checkpoint is another one's or damaged.

    Returns:
        Fewer losses than ``asked.steps`` where the deadline came before; where it diverged, ``kept`` has the last
        state before that.
    """
    module = fresh(asked, objective, devices.device)
    watch = _Watch(asked, objective, devices, kept)

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        for step in range(watch.done, asked.steps):
            if deadline is not None and step % LOOK_EVERY == 0 and _all_say(time.time() > deadline, devices):
                return
            chance = torch.Generator().manual_seed(_chance(asked.seed, step))
            torch.manual_seed(_chance(asked.seed, step))  # what dropout and views of images draw from
            yield objective.batch(_positions(asked, objective.examples, step), step, chance)

    warmup = round(asked.warmup * asked.steps)
    schedule = Schedule(
        steps=asked.steps, learning_rate=asked.learning_rate, warmup=warmup, weight_decay=asked.weight_decay, clip=1.0
    )
    try:
        losses = train(module, batches(), schedule, devices, watch=watch)
    except Diverged as error:
        return Trained(
            module=module,
            losses=watch.state.losses,
            dynamics=watch.dynamics,
            seconds=watch.seconds,
            diverged=str(error),
        )
    if len(losses) < asked.steps:
        watch.keep()
    return Trained(module=module, losses=losses, dynamics=watch.dynamics, seconds=watch.seconds)


def fresh(asked: Pretraining, objective: Objective, where: torch.device) -> nn.Module:
    """What is trained before its first step, still on the CPU; the seed alone sets its weights.

    Args:
        where: it will be trained.
    """
    torch.manual_seed(asked.seed)
    module = objective.module()
    device.suit_attention(module, where)
    return module


def _positions(asked: Pretraining, count: int, step: int) -> np.ndarray:
    """Which of so many examples a step sees: each epoch all whole batches of them once, in an order of its own."""
    epoch, place = divmod(step, count // asked.batch_size)
    return _order(asked.seed, epoch, count)[place * asked.batch_size : (place + 1) * asked.batch_size]


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)


def _all_say(said: bool, devices: Accelerator) -> bool:
    """The main process's word, in all of them."""
    return device.agreed(said) if devices.num_processes > 1 else said


def _chance(seed: int, step: int) -> int:
    """A number of its own for every step: a training that is resumed draws what an unbroken one does."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)


class _Watch:
    """Looks at the weights, and keeps checkpoints."""

    def __init__(self, asked: Pretraining, objective: Objective, devices: Accelerator, kept: Path) -> None:
        self.asked, self.objective, self.devices, self.kept = asked, objective, devices, kept
        self.looks = set(measured_steps(asked.steps))
        notes = read_notes(kept) or {"asked": asked.canonical(), "dynamics": {}, "seconds": 0.0, "steps": 0}
        if notes["asked"] != asked.canonical():
            raise InputError(f"{kept} is a checkpoint of another configuration: remove it to begin anew")
        self.dynamics = Dynamics(**notes["dynamics"])
        self.done: int = notes["steps"]
        self._earlier: float = notes["seconds"]
        self._started = self._last = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Spent on this training so far, over all sessions."""
        return self._earlier + time.perf_counter() - self._started

    def begin(self, state: State) -> None:
        self.state = state
        if self.done:
            restore(state, self.kept)
        else:
            self._look()

    def after_step(self, state: State) -> None:
        done = state.steps
        if done in self.looks:
            state.look(self.devices)
            self._look()
        due = time.perf_counter() - self._last > _CHECKPOINT_EVERY
        if done % LOOK_EVERY == 0 and due and self.devices.is_main_process:
            self.keep()

    def keep(self) -> None:
        """Write a checkpoint."""
        notes = {
            "asked": self.asked.canonical(),
            "dynamics": self.dynamics.plain(),
            "seconds": self.seconds,
            "steps": len(self.state.losses),
        }
        if self.devices.is_main_process:
            save_state(self.state, notes, self.kept)
        self._last = time.perf_counter()

    def _look(self) -> None:
        before = self.dynamics.at[-1] if self.dynamics.at else 0
        done, recent = self.state.steps, self.state.losses[before:]
        loss = fmean(recent) if recent else None
        held_out = self._held_out_loss()
        if not all(value is None or math.isfinite(value) for value in (loss, held_out)):
            raise Diverged(f"the loss is NaN or infinite between step {before} and step {done}")
        with evaluating(self.state.model), self.devices.autocast():
            probes = self.objective.probes(self.state.model, done)
        self.dynamics.look(done, self.objective.model(self.state.model), loss, held_out, probes)

    @torch.no_grad()
    def _held_out_loss(self) -> float:
        total = 0.0
        model, held_out = self.state.model, self.objective.held_out
        size = len(next(iter(held_out.values())))
        with evaluating(model), self.devices.autocast():
            for start in range(0, size, self.asked.batch_size):
                part = {n: v[start : start + self.asked.batch_size] for n, v in held_out.items()}
                own = {n: v.to(self.devices.device) for n, v in part.items()}
                total += float(model(**own).loss) * len(next(iter(part.values())))
        return total / size
