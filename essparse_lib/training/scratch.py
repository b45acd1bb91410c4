"""Training a language model from random weights, watched, resumable at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import torch
from accelerate import Accelerator
from transformers import PreTrainedModel

from ..errors import InputError
from ..pruning.blocks import evaluating
from ..study.pretraining import Pretraining
from . import device
from .checkpoints import read_notes, restore, save_state
from .dynamics import Dynamics, measured_steps
from .loop import LOOK_EVERY, Diverged, Schedule, State, train
from .objectives import OBJECTIVES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..corpora.packed import Packed

#: Blocks of held-out text that every look at the model reads, always the same ones.
_HELD_OUT = 256
#: Seconds from one checkpoint to the next, about.
_CHECKPOINT_EVERY = 60.0


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        model: with its head.
        losses: of every step done.
        dynamics: what the looks found.
        seconds: spent in all, over all sessions.
        diverged: why it ended early, where the loss became NaN or infinite.
    """

    model: PreTrainedModel
    losses: list[float]
    dynamics: Dynamics
    seconds: float
    diverged: str = ""


def pretrain(
    asked: Pretraining,
    text: Packed,
    tokenizer: PreTrainedTokenizerBase,
    devices: Accelerator,
    kept: Path,
    deadline: float | None = None,
) -> Trained:
    """Train a model as asked, from the state that ``kept`` holds or from random weights.

    Args:
        text: blocks of token numbers of ``asked.length``.
        tokenizer: that of the text.
        kept: the file of checkpoints; one is written every minute or so, and when the deadline ends the training.
        deadline: by ``time.time()``; no step is begun much later.

    Raises:
        InputError: the corpus is too small for a batch, or the checkpoint is another one's or damaged.

    Returns:
        Fewer losses than ``asked.steps`` where the deadline came before; where it diverged, ``kept`` has the last
        state before that.
    """
    blocks = text.part(asked.fraction)
    if len(blocks) < asked.batch_size:
        raise InputError(
            f"{asked.fraction:.0%} of {asked.corpus} are {len(blocks)} blocks of {asked.length} tokens, "
            f"fewer than a batch of {asked.batch_size}"
        )
    objective = OBJECTIVES[asked.architecture]
    model = fresh(asked, tokenizer, devices.device)
    trained = objective.trained(model)
    watch = _Watch(asked, trained, text, tokenizer, devices, kept)

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        for step in range(watch.done, asked.steps):
            if deadline is not None and step % LOOK_EVERY == 0 and _all_say(time.time() > deadline, devices):
                return
            chosen = torch.from_numpy(text.train[blocks[_positions(asked, len(blocks), step)]].astype(np.int64))
            chance = torch.Generator().manual_seed(_chance(asked.seed, step))
            torch.manual_seed(_chance(asked.seed, step))  # what dropout draws from
            yield objective.batch(chosen, asked.masked, tokenizer, chance)

    warmup = round(asked.warmup * asked.steps)
    schedule = Schedule(asked.steps, asked.learning_rate, warmup, asked.weight_decay, clip=1.0)
    try:
        losses = train(trained, batches(), schedule, devices, watch=watch)
    except Diverged as error:
        return Trained(model, watch.state.losses, watch.dynamics, watch.seconds, str(error))
    if len(losses) < asked.steps:
        watch.keep()
    return Trained(model, losses, watch.dynamics, watch.seconds)


def fresh(asked: Pretraining, tokenizer: PreTrainedTokenizerBase, where: torch.device) -> PreTrainedModel:
    """The model before its first step, still on the CPU; the seed alone sets its weights.

    Args:
        where: it will be trained.
    """
    torch.manual_seed(asked.seed)
    model = OBJECTIVES[asked.architecture].model(asked, tokenizer)
    if where.type == "cpu":
        model.set_attn_implementation("eager")  # on short blocks and small models, faster there than the fused kernels
    return model


def _positions(asked: Pretraining, count: int, step: int) -> np.ndarray:
    """Which of so many blocks a step reads: each epoch all whole batches of them once, in an order of its own."""
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

    def __init__(
        self,
        asked: Pretraining,
        model: torch.nn.Module,
        text: Packed,
        tokenizer: PreTrainedTokenizerBase,
        devices: Accelerator,
        kept: Path,
    ) -> None:
        self.asked, self.devices, self.kept = asked, devices, kept
        held_out = torch.from_numpy(text.held_out[:_HELD_OUT].astype(np.int64))
        chance = torch.Generator().manual_seed(0)
        self.held_out = OBJECTIVES[asked.architecture].batch(held_out, asked.masked, tokenizer, chance)
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
        self.dynamics.look(done, self.state.model, loss, held_out)

    @torch.no_grad()
    def _held_out_loss(self) -> float:
        total = 0.0
        model, size = self.state.model, len(next(iter(self.held_out.values())))
        with evaluating(model), self.devices.autocast():
            for start in range(0, size, self.asked.batch_size):
                part = {n: v[start : start + self.asked.batch_size] for n, v in self.held_out.items()}
                own = {n: v.to(self.devices.device) for n, v in part.items()}
                total += float(model(**own).loss) * len(next(iter(part.values())))
        return total / size
