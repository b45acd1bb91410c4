"""How fast a language model is pre-trained from scratch: ours against transformers.Trainer, in one process.

    python benchmarks/pretrain.py                                                  # the lab scale's model
    python benchmarks/pretrain.py --layers 12 --hidden 768 --heads 12 --vocabulary 30522 --batch 256 --dropout 0.1

All sides train a BERT of the same shape to predict masked tokens, from the same random weights on the same blocks of
random token numbers: the same batch, AdamW (fused) at the same linearly warmed and falling rate, weight decay and
clipping, bf16 where the device has it; nothing is logged, evaluated or saved. They differ in this:

Trainer  transformers.Trainer with DataCollatorForLanguageModeling, which masks each token at random; BertForMaskedLM
         scores every token against the vocabulary, and the loss leaves out those that are not masked (label -100).
Trainer* transformers.Trainer with our batches, our loss and our choice of attention, so that only the loop is compared.
ours     essparse_lib.training.pretrain.pretrain, whole, which masks the same number of tokens in each block and scores
         these alone. Its snapshots of the weights are left out, and timed by themselves.

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
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import cast

import clock
import command
import numpy as np
import tokenizers
import torch
import transformers
from clock import Clock

from essparse_lib.corpora.packed import Packed
from essparse_lib.records.pretrained import language_models
from essparse_lib.specs.pretraining import TextPretraining
from essparse_lib.training import device, pretrain
from essparse_lib.training.dynamics import default_measured_steps, weight_snapshot
from essparse_lib.training.text_objectives import LANGUAGE_MODELS, TextObjective

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LAB = next(spec for spec in language_models("lab").values() if spec.architecture == "bert")


@dataclass(frozen=True)
class Text:
    """Blocks of tokens in the form of a packed corpus, as far as ``TextObjective`` reads it."""

    train: np.ndarray
    held_out: np.ndarray

    def part(self, fraction: float) -> np.ndarray:
        return np.arange(len(self.train))


@dataclass(frozen=True, kw_only=True)
class Case:
    """The case that all sides run: a spec, and blocks of random tokens, each of which begins with [CLS]."""

    spec: TextPretraining
    tokenizer: transformers.PreTrainedTokenizerBase
    train: np.ndarray
    held_out: np.ndarray

    @property
    def rows(self) -> torch.Tensor:
        """The blocks to train on, in the form from which the collator makes batches fastest."""
        return torch.from_numpy(self.train.astype(np.int64))


def case(options: argparse.Namespace) -> Case:
    """Return the case of the options.

    Raises:
        InputError: an option is not allowed.
    """
    command.check(options, {**clock.LEAST, "vocabulary": len(_SPECIAL) + 1, "length": 8})
    fields = ("layers", "hidden", "heads", "vocabulary", "length", "steps", "dropout")
    spec = replace(_LAB, batch_size=options.batch, **{name: getattr(options, name) for name in fields})
    words = {word: number for number, word in enumerate([*_SPECIAL, *map(str, range(len(_SPECIAL), spec.vocabulary))])}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(tokenizers.models.WordLevel(words, "[UNK]")),
        **dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL, strict=True)),
    )
    rng = np.random.default_rng(0)
    train, held_out = (
        rng.integers(len(_SPECIAL), spec.vocabulary, (count, spec.length), np.uint16)
        for count in (16 * spec.batch_size, 256)
    )
    train[:, 0] = held_out[:, 0] = tokenizer.cls_token_id
    return Case(spec=spec, tokenizer=tokenizer, train=train, held_out=held_out)


def objective(case: Case) -> TextObjective:
    """Return the objective of the case, as a study has it."""
    return TextObjective(case.spec, cast(Packed, Text(case.train, case.held_out)), case.tokenizer)


def ours(case: Case, timer: Clock, measured_steps: Collection[int] = ()) -> torch.nn.Module:
    """Train as a study does, with a snapshot of the weights after these steps, and return the model."""
    text = objective(case)
    return text.model(clock.by_us(case.spec, text, timer, measured_steps))


def trainer(case: Case, timer: Clock) -> torch.nn.Module:
    """Train by transformers.Trainer with its own data collator for masked tokens, and return the model."""
    collate = transformers.DataCollatorForLanguageModeling(case.tokenizer, mlm_probability=case.spec.masked)
    torch.manual_seed(case.spec.seed)
    model = LANGUAGE_MODELS["bert"].build(case.spec, case.tokenizer)
    return clock.by_trainer(case.spec, model, case.rows, collate, timer)


def trainer_with_ours(case: Case, timer: Clock) -> torch.nn.Module:
    """Train by transformers.Trainer with our batches, loss and attention, and return the module."""
    make_batch = LANGUAGE_MODELS["bert"].make_batch
    generator = torch.Generator().manual_seed(case.spec.seed)

    def collate(blocks: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        return make_batch(torch.stack(blocks), case.spec.masked, case.tokenizer, generator)

    module = pretrain.initial_module(case.spec, objective(case), device.accelerator().device)
    return clock.by_trainer(case.spec, module, case.rows, collate, timer)


_SIDES: dict[str, Callable[[Case, Clock], torch.nn.Module]] = {
    "ours": ours,
    "Trainer": trainer,
    "Trainer*": trainer_with_ours,
}


def model_flops(spec: TextPretraining) -> int:
    """Return the floating-point operations of a step's matrix products, forward and backward, by the formula above."""
    blocks = 12 * spec.layers * spec.hidden**2
    attention = 12 * spec.layers * spec.hidden * spec.length
    head = spec.hidden**2 + spec.hidden * spec.vocabulary
    masked = max(1, round(spec.masked * spec.length))
    return spec.batch_size * (spec.length * (6 * blocks + attention) + masked * 6 * head)


def print_speed(case: Case, timings: dict[str, list[float]], rate: float) -> None:
    """Print a line for each side; the target is a ratio of 1 or more."""
    print(f"{'side':<10}{'tokens/s':>10}{'ms a step':>12}{'utilisation':>13}{'side/ours':>11}  (least to most)")
    for side, seconds in timings.items():
        tokens = case.spec.batch_size * case.spec.length / median(seconds)
        share = model_flops(case.spec) / median(seconds) / rate
        ratios = [theirs / base for theirs, base in zip(seconds, timings["ours"], strict=True)]
        print(f"{side:<10}{tokens:>10,.0f}{1000 * median(seconds):>12.1f}{share:>13.1%}{median(ratios):>11.2f}", end="")
        print(f"  ({min(ratios):.2f} to {max(ratios):.2f})")


def print_snapshots(case: Case, step: float, warm: int, timed: int) -> None:
    """Print what the snapshots add to a training of the study's length; the target of counting is less than 2%."""
    timer = Clock(warm, timed)
    model = ours(case, timer, measured_steps=range(timer.steps))
    steps, count = case.spec.steps, len(default_measured_steps(case.spec.steps))
    print(f"\n{count} snapshots in {steps} steps of {1000 * step:.1f} ms:")
    counting = median(clock.seconds(partial(weight_snapshot, model)) for _ in range(9))
    for name, each in (("counting in the weights", counting), ("the same and the held-out loss", timer.seconds - step)):
        clock.print_share(name, each, count, steps * step)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    settings = (
        ("--layers", _LAB.layers, "transformer blocks"),
        ("--hidden", _LAB.hidden, "width"),
        ("--heads", _LAB.heads, "attention heads"),
        ("--vocabulary", _LAB.vocabulary, "word pieces"),
        ("--length", _LAB.length, "tokens of a block"),
        ("--batch", _LAB.batch_size, "blocks a step"),
        ("--steps", _LAB.steps, "of the study's training, over which its snapshots are spread"),
        ("--dropout", _LAB.dropout, "probability"),
        *clock.SETTINGS,
    )
    return command.parser(__doc__, settings).parse_args()


def main(options: argparse.Namespace) -> None:
    """Time all sides and the snapshots, and print the results as they come."""
    transformers.logging.set_verbosity_error()
    device.use_threads(options.threads)
    current, rate = case(options), clock.print_setting(options)
    print(f"a step: {model_flops(current.spec) / 1e12:.3g} TFLOP", flush=True)
    sides = {name: partial(side, current) for name, side in _SIDES.items()}
    clock.in_turns(sides, 1, 0, 1)
    timings = clock.in_turns(sides, options.repeats, options.warm, options.timed)
    print_speed(current, timings, rate)
    print_snapshots(current, median(timings["ours"]), options.warm, options.timed)


if __name__ == "__main__":
    command.run(main, arguments())
