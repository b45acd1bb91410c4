"""Shared by the benchmarks of pre-training: a clock for steps, the training loops that it times, the machine's rate."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn
from torch.utils.data import Dataset

from essparse_lib.specs.pretraining import ImagePretraining, TextPretraining
from essparse_lib.training import device, pretrain

#: The common options, for ``command.parser``, and the smallest value of each, for ``command.check``.
SETTINGS = (
    ("--timed", 12, "steps of each timing"),
    ("--warm", 3, "steps before them"),
    ("--repeats", 5, "timings of each side"),
    ("--matrix", 4096, "rows of the matrix product that sets the rate"),
    ("--threads", torch.get_num_threads(), "CPU threads"),
)
LEAST = {"timed": 1, "warm": 0, "repeats": 1, "matrix": 1, "threads": 1}


class Clock:
    """A clock that times a number of steps, after some steps that warm up.

    A loop calls ``step_begins`` before every step, and runs ``steps`` of them: one more than the warm and timed ones,
    because the beginning of the last ends the timing.
    """

    def __init__(self, warm: int, timed: int) -> None:
        self.timed, self.steps = timed, warm + timed + 1
        self._read_before, self._begun = (warm, warm + timed), 0
        self._times: list[float] = []

    def step_begins(self) -> None:
        if self._begun in self._read_before:
            _wait()
            self._times.append(perf_counter())
        self._begun += 1

    @property
    def seconds(self) -> float:
        """Seconds of one step."""
        begin, end = self._times
        return (end - begin) / self.timed


class Ticking(transformers.TrainerCallback):
    """A callback of Trainer that tells a clock when a step begins."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_begin(self, *_: object, **__: object) -> None:
        self.clock.step_begins()


#: A pre-training.
Spec = TextPretraining | ImagePretraining


class TickingObjective:
    """An objective that tells a clock when a step begins, and else is another objective."""

    def __init__(self, objective: pretrain.Objective, clock: Clock) -> None:
        self.objective, self.clock = objective, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objective, name)

    def batch(self, positions: np.ndarray, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        self.clock.step_begins()
        return self.objective.batch(positions, step, generator)


def by_us(spec: Spec, objective: pretrain.Objective, clock: Clock, measured_steps: Collection[int] = ()) -> nn.Module:
    """Train as a study does, for as many steps as the clock takes, and return the trained module.

    Args:
        spec: settings of the model and its training; its number of steps is not used.
        objective: what is optimised.
        clock: is told when each step begins.
        measured_steps: steps after which a snapshot is taken; there is always one before the first step.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = pretrain.pretrain(
            replace(spec, steps=clock.steps),
            TickingObjective(objective, clock),
            device.accelerator(),
            Path(folder) / "state.safetensors",
            measured_steps=measured_steps,
        )
    assert not result.diverged, result.diverged
    return result.module


def by_trainer(
    spec: Spec, module: nn.Module, data: Dataset | torch.Tensor, collate: Callable, clock: Clock, **changed: Any
) -> nn.Module:
    """Train by transformers.Trainer, with the same optimizer, and return the trained module.

    Args:
        spec: settings of the training; its number of steps is not used.
        module: the module to train.
        data: training examples.
        collate: makes a batch of examples.
        clock: is told when each step begins, and says how many there are.
        changed: further training arguments.
    """
    on_cpu = device.accelerator().device.type == "cpu"
    settings: dict[str, Any] = dict(
        seed=spec.seed,
        max_steps=clock.steps,
        per_device_train_batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(spec.warmup * clock.steps),
        weight_decay=spec.weight_decay,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        bf16=device.has_bf16(),
        use_cpu=on_cpu,
        dataloader_num_workers=0,
        dataloader_pin_memory=not on_cpu,
        dataloader_drop_last=True,
        logging_strategy="no",
        logging_nan_inf_filter=False,  # would make a GPU wait at every step
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(folder, **{**settings, **changed})
        assert arguments.world_size * max(1, arguments.n_gpu) == 1, "not comparable: run on one device"
        loop = transformers.Trainer(module, arguments, collate, train_dataset=data, callbacks=[Ticking(clock)])
        loop.remove_callback(transformers.PrinterCallback)
        loop.train()
    assert loop.state.global_step == clock.steps
    return module


def in_turns(
    sides: Mapping[str, Callable[[Clock], object]], repeats: int, warm: int, timed: int
) -> dict[str, list[float]]:
    """Time all sides in turns, and return the seconds a step of each repeat, by side.

    Args:
        sides: trainings by name; each repeat begins with another one.
        repeats: number of timings of each side.
        warm: number of steps before each timing.
        timed: number of steps of each timing.
    """
    timings: dict[str, list[float]] = {side: [] for side in sides}
    for repeat in range(repeats):
        first = repeat % len(sides)
        for side in [*sides][first:] + [*sides][:first]:
            clock = Clock(warm, timed)
            sides[side](clock)
            timings[side].append(clock.seconds)
    return timings


def seconds(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes, including the work of a GPU."""
    _wait()
    started = perf_counter()
    call()
    _wait()
    return perf_counter() - started


def product_rate(size: int) -> float:
    """Return the floating-point operations a second of a square matrix product in training's precision, best of ten."""
    target, dtype = device.accelerator().device, torch.bfloat16 if device.has_bf16() else torch.float32
    left, right = (torch.randn(size, size, device=target, dtype=dtype) for _ in range(2))
    return 2 * size**3 / min(seconds(lambda: left @ right) for _ in range(10))


def print_setting(options: argparse.Namespace) -> float:
    """Print the device and the options, and return the machine's rate, by ``product_rate``."""
    about, rate = device.description(device.accelerator().device), product_rate(options.matrix)
    print(f"{about['device']}, {about['threads']} threads, {about['precision']}, torch {torch.__version__}")
    print(f"{options.matrix}-wide matrix product: {rate / 1e12:.3g} TFLOP/s")
    print(", ".join(f"{name} {value}" for name, value in vars(options).items()) + "\n", flush=True)
    return rate


def print_share(name: str, each: float, count: int, whole: float) -> None:
    """Print what ``count`` snapshots of ``each`` seconds add to a training of ``whole`` seconds."""
    print(f"{name:<40}{1000 * each:>8.1f} ms each, {count * each / whole:.2%} of the training")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
