"""How fast a language model is pre-trained from scratch: ours against transformers.Trainer, in one process.

    python benchmarks/pretrain.py                                                  # the lab scale's model
    python benchmarks/pretrain.py --layers 12 --hidden 768 --heads 12 --vocabulary 30522 --batch 256 --dropout 0.1

All sides train a BERT of the same shape to predict masked tokens, from the same random weights on the same blocks of
random token numbers: the same batch, AdamW (fused) at the same linearly warmed and falling rate, weight decay and
clipping, bf16 where the device has it; nothing is logged, evaluated or saved. They differ in this:

Trainer  transformers.Trainer with DataCollatorForLanguageModeling, which masks each token by chance; BertForMaskedLM
         scores every token against the vocabulary, and the loss leaves out those that are not masked (label -100).
Trainer* transformers.Trainer with our batches, our loss and our choice of attention, so that only the loop is compared.
ours     essparse_lib.training.scratch.pretrain, whole, which masks the same number of tokens in each block and scores
         these alone. Its looks at the weights are left out, and timed by themselves.

Timed: whole steps, from the beginning of one to the beginning of a later one, batches and masks included. Not timed:
the first steps, making the model. A round of each side, not counted, goes first; then the sides take turns, and each
repeat begins with another one. Seconds and ratios are medians over repeats; a ratio above 1 means that ours is faster.

Utilisation is the model's own floating-point operations a second as a share of what a large matrix product reaches in
this process. A block of T tokens of which M are masked, in a model of L blocks of width h with V word pieces, takes

    forward and backward:  T · 6 · 12·L·h²  +  T · 12·L·h·T  +  M · 6 · (h² + h·V)

6 a parameter and token that meet in a matrix product (2 forward, 4 backward: Kaplan et al. 2020, arXiv 2001.08361,
§2.1), and of the attention 12·L·H·Q·T a token with h = H·Q (Chowdhery et al. 2022, arXiv 2204.02311, appendix B).
What a side does beyond that, such as scores of tokens that are not masked, does not count.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from unittest import mock

import command
import numpy as np
import tokenizers
import torch
import transformers

from essparse_lib.errors import InputError
from essparse_lib.pretrained import PRETRAINED
from essparse_lib.study.pretraining import Pretraining
from essparse_lib.training import device, scratch
from essparse_lib.training.dynamics import measured_steps, weights_now
from essparse_lib.training.objectives import OBJECTIVES

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LAB = next(asked for asked in PRETRAINED["lab"].values() if asked.architecture == "bert")


class Clock:
    """Times a number of steps, after some that warm up; told when each step begins, it takes one more to end."""

    def __init__(self, warm: int, timed: int) -> None:
        self.timed, self.steps = timed, warm + timed + 1
        self._ends, self._begun, self._at = (warm, warm + timed), 0, []

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


class Blocks:
    """Blocks of token numbers that tell a clock when they are read."""

    def __init__(self, values: np.ndarray, clock: Clock) -> None:
        self.values, self.clock = values, clock

    def __getitem__(self, chosen: np.ndarray) -> np.ndarray:
        self.clock.step_begins()
        return self.values[chosen]


@dataclass(frozen=True)
class Text:
    """What ``scratch.pretrain`` asks of a packed corpus."""

    train: Blocks
    held_out: np.ndarray

    def part(self, fraction: float) -> np.ndarray:
        return np.arange(len(self.train.values))


@dataclass(frozen=True)
class Case:
    """What all sides run: a configuration, and blocks of random tokens, each of which begins with [CLS]."""

    asked: Pretraining
    tokenizer: transformers.PreTrainedTokenizerBase
    train: np.ndarray
    held_out: np.ndarray


class Ticking(transformers.TrainerCallback):
    """Tells a clock when a step of Trainer begins."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_begin(self, *_: object, **__: object) -> None:
        self.clock.step_begins()


def case(options: argparse.Namespace) -> Case:
    """The configuration of the options, on random tokens.

    Raises:
        InputError: an option is not allowed.
    """
    for name, least in (("timed", 1), ("warm", 0), ("repeats", 1), ("vocabulary", len(_SPECIAL) + 1), ("length", 8)):
        if getattr(options, name) < least:
            raise InputError(f"{name} {getattr(options, name)} is not allowed: it must be at least {least}")
    fields = ("layers", "hidden", "heads", "vocabulary", "length", "steps", "dropout")
    asked = replace(_LAB, batch_size=options.batch, **{name: getattr(options, name) for name in fields})
    words = {word: number for number, word in enumerate([*_SPECIAL, *map(str, range(len(_SPECIAL), asked.vocabulary))])}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(tokenizers.models.WordLevel(words, "[UNK]")),
        **dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL, strict=True)),
    )
    rng = np.random.default_rng(0)
    train, held_out = (
        rng.integers(len(_SPECIAL), asked.vocabulary, (count, asked.length), np.uint16)
        for count in (16 * asked.batch_size, 256)
    )
    train[:, 0] = held_out[:, 0] = tokenizer.cls_token_id
    return Case(asked, tokenizer, train, held_out)


def ours(case: Case, clock: Clock, looks: Sequence[int] = ()) -> torch.nn.Module:
    """Train as a study does, with a look at the weights after these steps; returns the model."""
    asked, text = replace(case.asked, steps=clock.steps), Text(Blocks(case.train, clock), case.held_out)
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(scratch, "measured_steps", lambda _: looks):
        kept = Path(folder) / "state.safetensors"
        trained = scratch.pretrain(asked, text, case.tokenizer, device.accelerator(), kept)
    assert not trained.diverged, trained.diverged
    return trained.model


def trainer(case: Case, clock: Clock) -> torch.nn.Module:
    """The same by transformers.Trainer, with what it brings for masked tokens."""
    collate = transformers.DataCollatorForLanguageModeling(case.tokenizer, mlm_probability=case.asked.masked)
    torch.manual_seed(case.asked.seed)
    model = OBJECTIVES["bert"].model(case.asked, case.tokenizer)
    return _by_trainer(case, clock, collate, model, model)


def trainer_with_ours(case: Case, clock: Clock) -> torch.nn.Module:
    """The same by transformers.Trainer, with our batches, loss and attention."""
    objective, chance = OBJECTIVES["bert"], torch.Generator().manual_seed(case.asked.seed)

    def collate(blocks: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        return objective.batch(torch.stack(blocks), case.asked.masked, case.tokenizer, chance)

    model = scratch.fresh(case.asked, case.tokenizer, device.accelerator().device)
    return _by_trainer(case, clock, collate, model, objective.trained(model))


def _by_trainer(
    case: Case, clock: Clock, collate: Callable, model: torch.nn.Module, trained: torch.nn.Module
) -> torch.nn.Module:
    asked, on_cpu = case.asked, device.accelerator().device.type == "cpu"
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            folder,
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
            logging_strategy="no",
            logging_nan_inf_filter=False,  # would make a GPU wait at every step
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        assert arguments.world_size * max(1, arguments.n_gpu) == 1, "not comparable: run on one device"
        blocks = torch.from_numpy(case.train.astype(np.int64))  # of all that the collator takes, the fastest
        loop = transformers.Trainer(trained, arguments, collate, train_dataset=blocks, callbacks=[Ticking(clock)])
        loop.remove_callback(transformers.PrinterCallback)
        loop.train()
    assert loop.state.global_step == clock.steps
    return model


_SIDES: dict[str, Callable[[Case, Clock], torch.nn.Module]] = {
    "ours": ours,
    "Trainer": trainer,
    "Trainer*": trainer_with_ours,
}


def model_flops(asked: Pretraining) -> int:
    """Floating-point operations of a step's matrix products, forward and backward, by the formula above."""
    blocks = 12 * asked.layers * asked.hidden**2
    attention = 12 * asked.layers * asked.hidden * asked.length
    head = asked.hidden**2 + asked.hidden * asked.vocabulary
    masked = max(1, round(asked.masked * asked.length))
    return asked.batch_size * (asked.length * (6 * blocks + attention) + masked * 6 * head)


def product_rate(size: int) -> float:
    """Floating-point operations a second of a square matrix product in training's precision, at best of several."""
    target, dtype = device.accelerator().device, torch.bfloat16 if device.has_bf16() else torch.float32
    one, other = (torch.randn(size, size, device=target, dtype=dtype) for _ in range(2))
    return 2 * size**3 / min(seconds(lambda: one @ other) for _ in range(10))


def seconds(call: Callable[[], object]) -> float:
    """What a call takes, a GPU's work included."""
    _wait()
    started = perf_counter()
    call()
    _wait()
    return perf_counter() - started


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def steps_of(case: Case, repeats: int, warm: int, timed: int) -> dict[str, list[float]]:
    """Seconds a step, by side, one a repeat; each repeat begins with another side."""
    found: dict[str, list[float]] = {side: [] for side in _SIDES}
    for repeat in range(repeats):
        first = repeat % len(_SIDES)
        for side in [*_SIDES][first:] + [*_SIDES][:first]:
            clock = Clock(warm, timed)
            _SIDES[side](case, clock)
            found[side].append(clock.seconds)
    return found


def print_speed(case: Case, found: dict[str, list[float]], rate: float) -> None:
    """A line for each side; the target is a ratio of 1 or more."""
    print(f"{'side':<10}{'tokens/s':>10}{'ms a step':>12}{'utilisation':>13}{'side/ours':>11}  (least to most)")
    for side, taken in found.items():
        tokens = case.asked.batch_size * case.asked.length / median(taken)
        share = model_flops(case.asked) / median(taken) / rate
        ratios = [theirs / own for theirs, own in zip(taken, found["ours"], strict=True)]
        print(f"{side:<10}{tokens:>10,.0f}{1000 * median(taken):>12.1f}{share:>13.1%}{median(ratios):>11.2f}", end="")
        print(f"  ({min(ratios):.2f} to {max(ratios):.2f})")


def print_looks(case: Case, step: float, warm: int, timed: int) -> None:
    """What the looks add to a training of the study's length; the target of counting is less than 2%."""
    clock = Clock(warm, timed)
    model = ours(case, clock, looks=range(clock.steps))
    steps, count = case.asked.steps, len(measured_steps(case.asked.steps))
    print(f"\n{count} looks in {steps} steps of {1000 * step:.1f} ms:")
    counting = median(seconds(partial(weights_now, model)) for _ in range(9))
    for name, one in (("counting in the weights", counting), ("the same and the held-out loss", clock.seconds - step)):
        share = count * one / (steps * step)
        print(f"{name:<32}{1000 * one:>8.1f} ms each, {share:.2%} of the training")


def arguments() -> argparse.Namespace:
    """The command line's."""
    settings = (
        ("--layers", _LAB.layers, "transformer blocks"),
        ("--hidden", _LAB.hidden, "width"),
        ("--heads", _LAB.heads, "attention heads"),
        ("--vocabulary", _LAB.vocabulary, "word pieces"),
        ("--length", _LAB.length, "tokens of a block"),
        ("--batch", _LAB.batch_size, "blocks a step"),
        ("--steps", _LAB.steps, "of the study's training, over which its looks are spread"),
        ("--dropout", _LAB.dropout, "probability"),
        ("--timed", 12, "steps of each timing"),
        ("--warm", 3, "steps before them"),
        ("--repeats", 5, "timings of each side"),
        ("--matrix", 4096, "rows of the matrix product that sets the rate"),
        ("--threads", torch.get_num_threads(), "CPU threads"),
    )
    return command.parser(__doc__, settings).parse_args()


def main(options: argparse.Namespace) -> None:
    """Time all sides and the looks, printing as it goes."""
    transformers.logging.set_verbosity_error()
    device.use_threads(options.threads)
    current, about = case(options), device.description(device.accelerator().device)
    rate = product_rate(options.matrix)
    print(f"{about['device']}, {about['threads']} threads, {about['precision']}, torch {torch.__version__}")
    work = model_flops(current.asked)
    print(f"{options.matrix}-wide matrix product: {rate / 1e12:.3g} TFLOP/s; a step: {work / 1e12:.3g} TFLOP")
    print(", ".join(f"{name} {value}" for name, value in vars(options).items()) + "\n", flush=True)
    steps_of(current, 1, 0, 1)
    found = steps_of(current, options.repeats, options.warm, options.timed)
    print_speed(current, found, rate)
    print_looks(current, median(found["ours"]), options.warm, options.timed)


if __name__ == "__main__":
    command.run(main, arguments())
