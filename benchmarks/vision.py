"""How fast a vision transformer is trained from scratch: by each objective, and by transformers.Trainer.

    python benchmarks/vision.py                                                 # the lab scale's model
    python benchmarks/vision.py --layers 12 --hidden 384 --heads 6 --batch 256

All sides train a ViT of the same shape, from the same random weights, on the same random 8-bit images in colour: the
same batch, AdamW (fused) at the same linearly warmed and falling rate, weight decay and clipping, bf16 where the device
has it; nothing is logged, evaluated or saved. In one process they take turns:

supervised, dino, masked
          essparse_lib.training.pretrain.pretrain, whole, by each objective. All images lie in one tensor on the device,
          where the views of a batch are made at once. Snapshots are left out, and timed by themselves.
Trainer   transformers.Trainer on the supervised objective as it is usual: a map-style data set that pads, shifts,
          mirrors and standardises each image by itself on the CPU, in plain torch operations (what torchvision's
          RandomCrop, RandomHorizontalFlip and Normalize do), transformers' default collator and choice of attention.
Trainer*  transformers.Trainer on the supervised objective with a map-style data set (torch's TensorDataset) of the
          8-bit images on the device, a collator that stacks them and makes the same views as ours, with the same
          kornia modules, of the whole batch at once, and our choice of attention, so that only the loop is compared.

Timed: whole steps, from the beginning of one to that of a later one, batches included; not the first steps, nor making
model and images. A round of each side, not counted, goes first; then each repeat begins with another side. Seconds and
ratios are medians over repeats. A ratio is a side's time over that of ours, supervised, in the same repeat: of dino
what its images cost, of Trainer how much faster ours is.

Utilisation is the model's own floating-point operations a second as a share of what a large matrix product reaches in
this process. In a model of L blocks of width h a view of T tokens, patches of c numbers and the class token, takes

    forward   F(T) = T · (24·L·h² + 4·L·h·T) + (T−1) · 2·c·h
    backward  B(T) = 2·F(T) − (T−1) · 2·c·h

2 a parameter and token that meet in a matrix product and 4·h·T for a block's attention to each token; twice that
backward, but pixels need no gradient. One image, with its heads, takes

    supervised  F(T) + B(T) + 6·h·classes
    masked      F(T) + B(T) + M · 6·h·c                              of T−1 patches M are hidden
    dino        2·[F(T) + B(T)] + k·[F(t) + B(t)] + (2+k) · 6·P      the student on 2 large views and k small ones, of t
              + 2·F(T) + 2 · 2·P                                     the teacher on the large ones, forward alone

with P = 24·h² + h·outputs parameters in DINO's head. What torch's counter of operations finds in a step of ours stands
next to that: what a side does beyond its formula, such as the pixels of patches that are not hidden, does not count.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import clock
import command
import numpy as np
import torch
import transformers
from clock import Clock
from torch import nn
from torch.utils.data import Dataset, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from essparse_lib.pruning.blocks import evaluating
from essparse_lib.records.pretrained import vision_models
from essparse_lib.specs.pretraining import ImagePretraining, ObjectiveKind
from essparse_lib.tasks import Splits, Task
from essparse_lib.tasks.images import Images
from essparse_lib.training import device, pretrain
from essparse_lib.training.dynamics import default_measured_steps, weight_snapshot
from essparse_lib.training.image_objectives import ImageObjective
from essparse_lib.training.views import random_shifts

_LAB = next(spec for spec in vision_models("lab").values() if spec.objective == "supervised")
_BASE, _CLASSES = "supervised", 10


class Timed(ImageObjective):
    """An objective whose snapshot before the first step is like most others: without nearest neighbours."""

    def probes(self, module: nn.Module, step: int) -> dict[str, float]:
        return super().probes(module, step or 1)


class Augmented(Dataset):
    """An objective's training images; each is shifted, mirrored and standardised by itself when it is read."""

    def __init__(self, objective: ImageObjective) -> None:
        self.pixels, self.labels = map(torch.from_numpy, (objective.train.pixels, objective.train.labels))
        self.side, self.room = objective.side, max(1, objective.side // 8)
        self.mean, self.std = (torch.tensor(values)[:, None, None] for values in (objective.mean, objective.std))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, position: int) -> dict[str, torch.Tensor]:
        padded = nn.functional.pad(self.pixels[position], (self.room,) * 4)
        down, across = torch.randint(2 * self.room + 1, (2,)).tolist()
        view = padded[:, down : down + self.side, across : across + self.side]
        view = view.flip(-1) if torch.rand(()) < 0.5 else view
        return {"pixel_values": (view / 255 - self.mean) / self.std, "labels": self.labels[position]}


@dataclass(frozen=True)
class Side:
    """A side that is timed: a training for as many steps as a clock has, and a function that makes a batch."""

    spec: ImagePretraining
    train: Callable[[Clock], object]
    batch: Callable[[np.ndarray], object]


def make_objectives(options: argparse.Namespace) -> dict[str, ImageObjective]:
    """Return each objective with the lab scale's settings, changed by the options, on the same random images.

    Raises:
        InputError: an option is not allowed.
    """
    # a snapshot at step 1 must have no nearest neighbours, which are measured at tenths of the steps
    command.check(options, {**clock.LEAST, "side": 1, "images": 5, "workers": 0, "steps": 20})
    rng, side = np.random.default_rng(0), options.side
    train, test = (
        Images(rng.integers(256, size=(count, 3, side, side), dtype=np.uint8), rng.integers(_CLASSES, size=count))
        for count in (options.images, options.images // 5)
    )
    names, splits = tuple(map(str, range(_CLASSES))), Splits(train, test, "random numbers")
    task = Task(
        name="the benchmark",
        classes=names,
        load=lambda: splits,
        counts=None,
        metric="accuracy",
        source="",
        head="image-classification",
    )
    fields = ("layers", "hidden", "heads", "patch", "steps", "small_views", "outputs")
    spec = replace(_LAB, batch_size=options.batch, **{name: getattr(options, name) for name in fields})
    return {name: Timed(replace(spec, objective=name), task) for name in ObjectiveKind}


def ours(objective: ImageObjective) -> Side:
    """Return the side that trains as a study does."""
    train = partial(clock.by_us, objective.spec, objective)
    generator = torch.Generator().manual_seed(0)
    return Side(objective.spec, train, lambda positions: objective.batch(positions, 0, generator))


def trainer(objective: ImageObjective, workers: int) -> Side:
    """Return the side of the usual transformers.Trainer, with a number of processes that make its batches."""
    spec, data, collate = objective.spec, Augmented(objective), transformers.default_data_collator

    def train(timer: Clock) -> nn.Module:
        torch.manual_seed(spec.seed)
        return clock.by_trainer(spec, objective.module(), data, collate, timer, dataloader_num_workers=workers)

    return Side(spec, train, lambda positions: collate([data[i] for i in positions]))


def trainer_with_ours(objective: ImageObjective) -> Side:
    """Return the side of transformers.Trainer with our views and attention."""
    spec, target = objective.spec, device.accelerator().device
    data = TensorDataset(*(torch.from_numpy(a).to(target) for a in (objective.train.pixels, objective.train.labels)))

    def collate(rows: list[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
        pixels, labels = map(torch.stack, zip(*rows, strict=True))
        return {"pixel_values": objective.prepared(random_shifts(objective.side)(pixels / 255)), "labels": labels}

    def train(timer: Clock) -> nn.Module:
        module = pretrain.initial_module(spec, objective, target)
        return clock.by_trainer(spec, module, data, collate, timer, dataloader_pin_memory=False)

    return Side(spec, train, lambda positions: collate([data[i] for i in positions]))


def model_flops(objective: ImageObjective) -> int:
    """Return the floating-point operations of an image's matrix products, in both directions, by the formula above."""
    spec, side, numbers = objective.spec, objective.side, objective.channels * objective.spec.patch**2

    def embedding(patches: int) -> int:
        return patches * 2 * numbers * spec.hidden

    def forward(patches: int) -> int:
        tokens = patches + 1
        blocks = 24 * spec.layers * spec.hidden**2 + 4 * spec.layers * spec.hidden * tokens
        return tokens * blocks + embedding(patches)

    def trained(patches: int) -> int:
        return 3 * forward(patches) - embedding(patches)

    large, small = ((size // spec.patch) ** 2 for size in (side, max(spec.patch, side // 2)))
    if spec.objective == "dino":
        head = 24 * spec.hidden**2 + spec.hidden * spec.outputs
        student = 2 * trained(large) + spec.small_views * trained(small) + (2 + spec.small_views) * 6 * head
        return student + 2 * forward(large) + 2 * 2 * head
    if spec.objective == "supervised":
        outputs = objective.classes
    else:
        outputs = max(1, round(spec.masked * large)) * numbers
    return trained(large) + 6 * spec.hidden * outputs


def counted_flops(objective: ImageObjective, count: int = 4) -> float:
    """Return the operations that torch counts for an image, in a step on a few images on the CPU."""
    module = pretrain.initial_module(objective.spec, objective, torch.device("cpu")).train()
    batch = objective.batch(np.arange(count), 0, torch.Generator())
    with FlopCounterMode(display=False) as counter:
        module(**{name: values.cpu() for name, values in batch.items()}).loss.backward()
    return counter.get_total_flops() / count


def print_speed(sides: dict[str, Side], timings: dict[str, list[float]], flops: dict[str, int], rate: float) -> None:
    """Print a line for each side."""
    print(f"\n{'side':<12}{'images/s':>10}{'ms a step':>12}{'utilisation':>13}{'/supervised':>13}  (least to most)")
    for side, seconds in timings.items():
        spec, step = sides[side].spec, median(seconds)
        speed = spec.batch_size / step
        ratios = [time / base for time, base in zip(seconds, timings[_BASE], strict=True)]
        print(f"{side:<12}{speed:>10,.0f}{1000 * step:>12.1f}{flops[spec.objective] * speed / rate:>13.1%}", end="")
        print(f"{median(ratios):>13.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")
        if spec.objective != _BASE:
            print(f"{'':<12}{spec.steps:,} steps take as long as {spec.steps * median(ratios):,.0f} supervised ones")


def forward_and_backward(objective: ImageObjective) -> Callable[[], None]:
    """Return a call that takes a model forward and backward on a batch made in advance."""
    devices, spec = device.accelerator(), objective.spec
    module = pretrain.initial_module(spec, objective, devices.device).to(devices.device).train()
    batch = objective.batch(np.arange(spec.batch_size), 0, torch.Generator().manual_seed(0))

    def call() -> None:
        module.zero_grad()
        with devices.autocast():
            loss = module(**batch).loss
        loss.backward()

    return call


def print_parts(
    objectives: dict[str, ImageObjective],
    sides: dict[str, Side],
    timings: dict[str, list[float]],
    warm: int,
    timed: int,
) -> None:
    """Print where a step's time goes: making its batch, and the model forward and backward, each timed alone."""

    def alone(call: Callable[[], object]) -> float:
        return median([clock.seconds(call) for _ in range(warm + timed)][warm:])

    print(f"\n{'ms of':<12}{'a step':>9}{'batch':>9}{'model':>9}   (the batch: reading, views, putting on the device)")
    positions = np.random.default_rng(0).permutation(objectives[_BASE].examples)[: objectives[_BASE].spec.batch_size]
    for name, side in sides.items():
        step, batch = median(timings[name]), alone(partial(side.batch, positions))
        model = f"{1000 * alone(forward_and_backward(objectives[name])):>9.1f}" if name in objectives else f"{'':>9}"
        print(f"{name:<12}{1000 * step:>9.1f}{1000 * batch:>9.1f}{model}", end="")
        verdict = "the bottleneck" if batch > step / 2 else "not the bottleneck"
        print(f"   data loading takes {batch / step:.1%} of a step: {verdict}", flush=True)


def print_snapshots(objective: ImageObjective, step: float, warm: int, timed: int) -> None:
    """Print what the snapshots add to a training of the study's length."""
    spec, timer = objective.spec, Clock(warm, timed)
    module = clock.by_us(spec, objective, timer, range(timer.steps))
    snapshots, whole = len(default_measured_steps(spec.steps)), spec.steps * step
    print(f"\n{spec.objective}: {snapshots} snapshots in {spec.steps:,} steps of {1000 * step:.1f} ms:")
    counting = median(clock.seconds(partial(weight_snapshot, objective.model(module))) for _ in range(5))
    clock.print_share("counting in the weights", counting, snapshots, whole)
    each = timer.seconds - step
    clock.print_share("the same, held-out loss and entropies", each, snapshots, whole)
    with evaluating(module), device.accelerator().autocast():
        usual, rare = (partial(ImageObjective.probes, objective, module, at) for at in (1, 0))
        tenth = median(clock.seconds(rare) - clock.seconds(usual) for _ in range(3))
    clock.print_share("nearest neighbours, at every tenth part", tenth, 11, whole)
    print(f"{'all together':<40}{(snapshots * each + 11 * tenth) / whole:>31.2%} of the training", flush=True)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    settings = (
        ("--layers", _LAB.layers, "transformer blocks"),
        ("--hidden", _LAB.hidden, "width"),
        ("--heads", _LAB.heads, "attention heads"),
        ("--patch", _LAB.patch, "side of a patch, in pixels"),
        ("--side", 32, "of the images, in pixels"),
        ("--images", 50_000, "to train on"),
        ("--batch", _LAB.batch_size, "images a step"),
        ("--small-views", _LAB.small_views, "of an image, in addition to two large ones, for dino"),
        ("--outputs", _LAB.outputs, "of dino's head"),
        ("--steps", _LAB.steps, "of the study's training, over which its snapshots are spread"),
        ("--workers", 0, "processes that make the batches of Trainer (not of Trainer*)"),
        *clock.SETTINGS,
    )
    return command.parser(__doc__, settings).parse_args()


def main(options: argparse.Namespace) -> None:
    """Time all sides, the parts of their steps and the snapshots, and print the results as they come."""
    transformers.logging.set_verbosity_error()
    device.use_threads(options.threads)
    objectives = make_objectives(options)
    flops = {name: model_flops(objective) for name, objective in objectives.items()}
    rate = clock.print_setting(options)
    for name, objective in objectives.items():
        share = flops[name] / counted_flops(objective)
        print(f"{name:<12}{flops[name] / 1e9:>8.3f} GFLOP an image, {share:.1%} of what torch counts", flush=True)
    sides = {name: ours(objective) for name, objective in objectives.items()}
    sides |= {"Trainer": trainer(objectives[_BASE], options.workers), "Trainer*": trainer_with_ours(objectives[_BASE])}
    trainings = {name: side.train for name, side in sides.items()}
    clock.in_turns(trainings, 1, 0, 1)
    timings = clock.in_turns(trainings, options.repeats, options.warm, options.timed)
    print_speed(sides, timings, flops, rate)
    print_parts(objectives, sides, timings, options.warm, options.timed)
    for name, objective in objectives.items():
        print_snapshots(objective, median(timings[name]), options.warm, options.timed)


if __name__ == "__main__":
    command.run(main, arguments())
