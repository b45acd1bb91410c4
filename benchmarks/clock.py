"""What the benchmarks of training from scratch share: a clock for steps, the loops it times, the machine's rate."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock

import torch
import transformers
from torch import nn
from torch.utils.data import Dataset

from essparse_lib.specs.pretraining import ImagePretraining, TextPretraining
from essparse_lib.training import device, pretrain

#: Options that all of them have, as ``command.parser`` takes them; the least that each may be, for ``command.check``.
SETTINGS = (
    ("--timed", 12, "steps of each timing"),
    ("--warm", 3, "steps before them"),
    ("--repeats", 5, "timings of each side"),
    ("--matrix", 4096, "rows of the matrix product that sets the rate"),
    ("--threads", torch.get_num_threads(), "CPU threads"),
)
LEAST = {"timed": 1, "warm": 0, "repeats": 1, "matrix": 1, "threads": 1}


class Clock:
    """Times a number of steps, after some that warm up; told when each step begins, it takes one more to end."""

    def __init__(self, warm: int, timed: int) -> None:
        self.timed, self.steps = timed, warm + timed + 1
        self._ends, self._begun = (warm, warm + timed), 0
        self._at: list[float] = []

    def step_begins(self) -> None:
        if self._begun in self._ends:
            _wait()
            self._at.append(perf_counter())
        self._begun += 1

    @property
    def seconds(self) -> float:
        """Of one step."""
        begin, end = self._at
        return (end - begin) / self.timed


class Ticking(transformers.TrainerCallback):
    """Tells a clock when a step of Trainer begins."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_begin(self, *_: object, **__: object) -> None:
        self.clock.step_begins()


#: What is trained from random weights.
Spec = TextPretraining | ImagePretraining


def by_us(asked: Spec, objective: pretrain.Objective, clock: Clock, looks: Collection[int] = ()) -> nn.Module:
    """Train as a study does, for as many steps as the clock takes; returns what was trained.

    Args:
        looks: after these steps the weights are looked at, and before the first.
    """

    def batch(*given: Any) -> dict[str, torch.Tensor]:
        clock.step_begins()
        return make(*given)

    make, asked = objective.batch, replace(asked, steps=clock.steps)
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(pretrain, "measured_steps", lambda _: looks),
        mock.patch.object(objective, "batch", batch),
    ):
        trained = pretrain.pretrain(asked, objective, device.accelerator(), Path(folder) / "state.safetensors")
    assert not trained.diverged, trained.diverged
    return trained.module


def by_trainer(
    asked: Spec, module: nn.Module, data: Dataset | torch.Tensor, collate: Callable, clock: Clock, **changed: Any
) -> nn.Module:
    """Train the same number of steps by transformers.Trainer, with the same optimizer; returns what was trained.

    Args:
        changed: further training arguments.
    """
    on_cpu = device.accelerator().device.type == "cpu"
    given: dict[str, Any] = dict(
        seed=asked.seed,
        max_steps=clock.steps,
        per_device_train_batch_size=asked.batch_size,
        learning_rate=asked.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(asked.warmup * clock.steps),
        weight_decay=asked.weight_decay,
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
        arguments = transformers.TrainingArguments(folder, **{**given, **changed})
        assert arguments.world_size * max(1, arguments.n_gpu) == 1, "not comparable: run on one device"
        loop = transformers.Trainer(module, arguments, collate, train_dataset=data, callbacks=[Ticking(clock)])
        loop.remove_callback(transformers.PrinterCallback)
        loop.train()
    assert loop.state.global_step == clock.steps
    return module


def in_turns(
    sides: Mapping[str, Callable[[Clock], object]], repeats: int, warm: int, timed: int
) -> dict[str, list[float]]:
    """Seconds a step, by side, one a repeat; each repeat begins with another side."""
    found: dict[str, list[float]] = {side: [] for side in sides}
    for repeat in range(repeats):
        first = repeat % len(sides)
        for side in [*sides][first:] + [*sides][:first]:
            clock = Clock(warm, timed)
            sides[side](clock)
            found[side].append(clock.seconds)
    return found


def seconds(call: Callable[[], object]) -> float:
    """What a call takes, a GPU's work included."""
    _wait()
    started = perf_counter()
    call()
    _wait()
    return perf_counter() - started


def product_rate(size: int) -> float:
    """Floating-point operations a second of a square matrix product in training's precision, at best of several."""
    target, dtype = device.accelerator().device, torch.bfloat16 if device.has_bf16() else torch.float32
    one, other = (torch.randn(size, size, device=target, dtype=dtype) for _ in range(2))
    return 2 * size**3 / min(seconds(lambda: one @ other) for _ in range(10))


def print_setting(options: argparse.Namespace) -> float:
    """Say on what and how all sides run; returns the machine's rate, by ``product_rate``."""
    about, rate = device.description(device.accelerator().device), product_rate(options.matrix)
    print(f"{about['device']}, {about['threads']} threads, {about['precision']}, torch {torch.__version__}")
    print(f"{options.matrix}-wide matrix product: {rate / 1e12:.3g} TFLOP/s")
    print(", ".join(f"{name} {value}" for name, value in vars(options).items()) + "\n", flush=True)
    return rate


def print_share(name: str, each: float, count: int, whole: float) -> None:
    """What so many looks, of so many seconds each, add to a training of so many seconds."""
    print(f"{name:<40}{1000 * each:>8.1f} ms each, {count * each / whole:.2%} of the training")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
