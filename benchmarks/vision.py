"""How fast a vision transformer is trained from scratch: by each objective, and by transformers.Trainer.

    python benchmarks/vision.py                                                 # the lab scale's model
    python benchmarks/vision.py --layers 12 --hidden 384 --heads 6 --batch 256

All sides train a ViT of the same shape, from the same random weights, on the same random 8-bit images in colour: the
same batch, AdamW (fused) at the same linearly warmed and falling rate, weight decay and clipping, bf16 where the device
has it; nothing is logged, evaluated or saved. In one process they take turns:

supervised, dino, masked
          essparse_lib.training.scratch.pretrain, whole, by each objective. All images lie in one tensor on the device,
          where the views of a batch are made at once. Looks at the weights are left out, and timed by themselves.
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
beside that: what a side does beyond its formula, such as the pixels of patches that are not hidden, does not count.
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
from essparse_lib.records.pretrained import images
from essparse_lib.specs.pretraining import ImagePretraining, ObjectiveKind
from essparse_lib.tasks import Splits, Task
from essparse_lib.tasks.images import Images
from essparse_lib.training import device, pretrain
from essparse_lib.training.dynamics import measured_steps, weights_now
from essparse_lib.training.image_objectives import ImageObjective
from essparse_lib.training.views import shifted

_LAB = next(asked for asked in images("lab").values() if asked.objective == "supervised")
_BASE, _CLASSES = "supervised", 10


class Timed(ImageObjective):
    """An objective whose look before the first step is like most others: without nearest neighbours."""

    def probes(self, module: nn.Module, step: int) -> dict[str, float]:
        return super().probes(module, step or 1)


class Augmented(Dataset):
    """An objective's training images, each one moved, mirrored and standardised by itself when it is read."""

    def __init__(self, objective: ImageObjective) -> None:
        self.pixels, self.labels = map(torch.from_numpy, (objective.train.pixels, objective.train.labels))
        self.side, self.room = objective.side, max(1, objective.side // 8)
        self.mean, self.std = (torch.tensor(values)[:, None, None] for values in (objective.mean, objective.std))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, position: int) -> dict[str, torch.Tensor]:
        padded = nn.functional.pad(self.pixels[position], (self.room,) * 4)
        down, across = torch.randint(2 * self.room + 1, (2,)).tolist()
        seen = padded[:, down : down + self.side, across : across + self.side]
        seen = seen.flip(-1) if torch.rand(()) < 0.5 else seen
        return {"pixel_values": (seen / 255 - self.mean) / self.std, "labels": self.labels[position]}


@dataclass(frozen=True)
class Side:
    """What is timed: a training, as long as a clock says, and making a batch of the images at some positions."""

    asked: ImagePretraining
    train: Callable[[Clock], object]
    batch: Callable[[np.ndarray], object]


def objectives(options: argparse.Namespace) -> dict[str, ImageObjective]:
    """Each objective as the lab scale has it, but for the options, on the same random images.

    Raises:
        InputError: an option is not allowed.
    """
    # a look at step 1 has no nearest neighbours, which are looked up at tenths of the steps
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
    asked = replace(_LAB, batch_size=options.batch, **{name: getattr(options, name) for name in fields})
    return {name: Timed(replace(asked, objective=name), task) for name in ObjectiveKind}


def ours(objective: ImageObjective) -> Side:
    """Training as a study does."""
    train, chance = partial(clock.by_us, objective.asked, objective), torch.Generator().manual_seed(0)
    return Side(objective.asked, train, lambda positions: objective.batch(positions, 0, chance))


def trainer(objective: ImageObjective, workers: int) -> Side:
    """transformers.Trainer as it is usual, with so many processes beside the training's own to make its batches."""
    asked, data, collate = objective.asked, Augmented(objective), transformers.default_data_collator

    def train(timer: Clock) -> nn.Module:
        torch.manual_seed(asked.seed)
        return clock.by_trainer(asked, objective.module(), data, collate, timer, dataloader_num_workers=workers)

    return Side(asked, train, lambda positions: collate([data[i] for i in positions]))


def trainer_with_ours(objective: ImageObjective) -> Side:
    """transformers.Trainer with our views and attention."""
    asked, target = objective.asked, device.accelerator().device
    data = TensorDataset(*(torch.from_numpy(a).to(target) for a in (objective.train.pixels, objective.train.labels)))

    def collate(rows: list[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
        pixels, labels = map(torch.stack, zip(*rows, strict=True))
        return {"pixel_values": objective.prepared(shifted(objective.side)(pixels / 255)), "labels": labels}

    def train(timer: Clock) -> nn.Module:
        module = pretrain.fresh(asked, objective, target)
        return clock.by_trainer(asked, module, data, collate, timer, dataloader_pin_memory=False)

    return Side(asked, train, lambda positions: collate([data[i] for i in positions]))


def model_flops(objective: ImageObjective) -> int:
    """Floating-point operations of an image's matrix products, forward and backward, by the formula above."""
    asked, side, numbers = objective.asked, objective.side, objective.channels * objective.asked.patch**2

    def embedding(patches: int) -> int:
        return patches * 2 * numbers * asked.hidden

    def forward(patches: int) -> int:
        tokens = patches + 1
        blocks = 24 * asked.layers * asked.hidden**2 + 4 * asked.layers * asked.hidden * tokens
        return tokens * blocks + embedding(patches)

    def trained(patches: int) -> int:
        return 3 * forward(patches) - embedding(patches)

    large, small = ((size // asked.patch) ** 2 for size in (side, max(asked.patch, side // 2)))
    if asked.objective == "dino":
        head = 24 * asked.hidden**2 + asked.hidden * asked.outputs
        student = 2 * trained(large) + asked.small_views * trained(small) + (2 + asked.small_views) * 6 * head
        return student + 2 * forward(large) + 2 * 2 * head
    told = objective.classes if asked.objective == "supervised" else max(1, round(asked.masked * large)) * numbers
    return trained(large) + 6 * asked.hidden * told


def counted_flops(objective: ImageObjective, count: int = 4) -> float:
    """The same as torch counts it, in a step on a few images on the CPU."""
    module = pretrain.fresh(objective.asked, objective, torch.device("cpu")).train()
    batch = objective.batch(np.arange(count), 0, torch.Generator())
    with FlopCounterMode(display=False) as counter:
        module(**{name: values.cpu() for name, values in batch.items()}).loss.backward()
    return counter.get_total_flops() / count


def print_speed(sides: dict[str, Side], found: dict[str, list[float]], flops: dict[str, int], rate: float) -> None:
    """A line for each side."""
    print(f"\n{'side':<12}{'images/s':>10}{'ms a step':>12}{'utilisation':>13}{'/supervised':>13}  (least to most)")
    for side, taken in found.items():
        asked, step = sides[side].asked, median(taken)
        speed = asked.batch_size / step
        ratios = [own / base for own, base in zip(taken, found[_BASE], strict=True)]
        print(f"{side:<12}{speed:>10,.0f}{1000 * step:>12.1f}{flops[asked.objective] * speed / rate:>13.1%}", end="")
        print(f"{median(ratios):>13.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")
        if asked.objective != _BASE:
            print(f"{'':<12}{asked.steps:,} steps take as long as {asked.steps * median(ratios):,.0f} supervised ones")


def there_and_back(objective: ImageObjective) -> Callable[[], None]:
    """What takes a model forward and backward, on a batch that is there already."""
    devices, asked = device.accelerator(), objective.asked
    module = pretrain.fresh(asked, objective, devices.device).to(devices.device).train()
    batch = objective.batch(np.arange(asked.batch_size), 0, torch.Generator().manual_seed(0))

    def call() -> None:
        module.zero_grad()
        with devices.autocast():
            loss = module(**batch).loss
        loss.backward()

    return call


def print_parts(
    aims: dict[str, ImageObjective], sides: dict[str, Side], found: dict[str, list[float]], warm: int, timed: int
) -> None:
    """Where a step's time goes: making its batch, and the model forward and backward, each alone and waited for."""

    def alone(call: Callable[[], object]) -> float:
        return median([clock.seconds(call) for _ in range(warm + timed)][warm:])

    print(f"\n{'ms of':<12}{'a step':>9}{'batch':>9}{'model':>9}   (the batch: reading, views, putting on the device)")
    chosen = np.random.default_rng(0).permutation(aims[_BASE].examples)[: aims[_BASE].asked.batch_size]
    for name, side in sides.items():
        step, batch = median(found[name]), alone(partial(side.batch, chosen))
        model = f"{1000 * alone(there_and_back(aims[name])):>9.1f}" if name in aims else f"{'':>9}"
        print(f"{name:<12}{1000 * step:>9.1f}{1000 * batch:>9.1f}{model}", end="")
        verdict = "the bottleneck" if batch > step / 2 else "not the bottleneck"
        print(f"   data loading takes {batch / step:.1%} of a step: {verdict}", flush=True)


def print_looks(objective: ImageObjective, step: float, warm: int, timed: int) -> None:
    """What the looks add to a training of the study's length."""
    asked, timer = objective.asked, Clock(warm, timed)
    module = clock.by_us(asked, objective, timer, range(timer.steps))
    looks, whole = len(measured_steps(asked.steps)), asked.steps * step
    print(f"\n{asked.objective}: {looks} looks in {asked.steps:,} steps of {1000 * step:.1f} ms:")
    counting = median(clock.seconds(partial(weights_now, objective.model(module))) for _ in range(5))
    clock.print_share("counting in the weights", counting, looks, whole)
    each = timer.seconds - step
    clock.print_share("the same, held-out loss and entropies", each, looks, whole)
    with evaluating(module), device.accelerator().autocast():
        usual, rare = (partial(ImageObjective.probes, objective, module, at) for at in (1, 0))
        tenth = median(clock.seconds(rare) - clock.seconds(usual) for _ in range(3))
    clock.print_share("nearest neighbours, at every tenth part", tenth, 11, whole)
    print(f"{'all together':<40}{(looks * each + 11 * tenth) / whole:>31.2%} of the training", flush=True)


def arguments() -> argparse.Namespace:
    """The command line's."""
    settings = (
        ("--layers", _LAB.layers, "transformer blocks"),
        ("--hidden", _LAB.hidden, "width"),
        ("--heads", _LAB.heads, "attention heads"),
        ("--patch", _LAB.patch, "side of a patch, in pixels"),
        ("--side", 32, "of the images, in pixels"),
        ("--images", 50_000, "to train on"),
        ("--batch", _LAB.batch_size, "images a step"),
        ("--small-views", _LAB.small_views, "of an image, beside two large ones, for dino"),
        ("--outputs", _LAB.outputs, "of dino's head"),
        ("--steps", _LAB.steps, "of the study's training, over which its looks are spread"),
        ("--workers", 0, "processes that make the batches of Trainer (not of Trainer*)"),
        *clock.SETTINGS,
    )
    return command.parser(__doc__, settings).parse_args()


def main(options: argparse.Namespace) -> None:
    """Time all sides, the parts of their steps and the looks, printing as it goes."""
    transformers.logging.set_verbosity_error()
    device.use_threads(options.threads)
    aims = objectives(options)
    flops = {name: model_flops(aim) for name, aim in aims.items()}
    rate = clock.print_setting(options)
    for name, aim in aims.items():
        share = flops[name] / counted_flops(aim)
        print(f"{name:<12}{flops[name] / 1e9:>8.3f} GFLOP an image, {share:.1%} of what torch counts", flush=True)
    sides = {name: ours(aim) for name, aim in aims.items()}
    sides |= {"Trainer": trainer(aims[_BASE], options.workers), "Trainer*": trainer_with_ours(aims[_BASE])}
    trainings = {name: side.train for name, side in sides.items()}
    clock.in_turns(trainings, 1, 0, 1)
    found = clock.in_turns(trainings, options.repeats, options.warm, options.timed)
    print_speed(sides, found, flops, rate)
    print_parts(aims, sides, found, options.warm, options.timed)
    for name, aim in aims.items():
        print_looks(aim, median(found[name]), options.warm, options.timed)


if __name__ == "__main__":
    command.run(main, arguments())
