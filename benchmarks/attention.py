"""The time of attention on a CPU by plain matrix products, compared with the fused kernels, in one process.

    python benchmarks/attention.py                     # the lab scale's vision transformer, its rows of 65 patches
    python benchmarks/attention.py --hidden 384 --layers 6 --heads 12 --rows 128    # like minilm-l6 on 128 tokens

Both sides take the same training steps, forward and backward in training's precision, of an encoder with random weights
(a vision transformer whose image has ``--rows`` patches) on the same random input, in turns. A ratio above 1
means that the plain products, which ``device.suit_attention`` chooses, are faster.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median

import clock
import command
import torch
from clock import Clock
from transformers import ViTConfig, ViTModel

from essparse_lib.training import device

_PATCH = 4
_SHAPE = (
    ("--layers", 4, "transformer blocks"),
    ("--hidden", 192, "width"),
    ("--heads", 3, "attention heads"),
    ("--rows", 64, "patches of an image"),
    ("--batch", 32, "images a step"),
)


def side(model: ViTModel, images: torch.Tensor, attention: str) -> Callable[[Clock], None]:
    """Return a training, forward and backward, with this implementation of attention."""

    def train(timer: Clock) -> None:
        model.set_attn_implementation(attention)
        for _ in range(timer.steps):
            timer.step_begins()
            model.zero_grad()
            with device.accelerator().autocast():
                out = model(images).last_hidden_state
            out.float().square().mean().backward()

    return train


def main(options: argparse.Namespace) -> None:
    """Time both sides and print the results."""
    command.check(options, dict.fromkeys((name.removeprefix("--") for name, *_ in _SHAPE), 1) | clock.LEAST)
    device.use_threads(options.threads)
    torch.manual_seed(0)
    size = (_PATCH, _PATCH * options.rows)
    config = ViTConfig(
        hidden_size=options.hidden,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        intermediate_size=4 * options.hidden,
        image_size=size,
        patch_size=_PATCH,
    )
    where = device.accelerator().device
    model = ViTModel(config, add_pooling_layer=False).train().to(where)
    images = torch.randn(options.batch, 3, *size, device=where)
    clock.print_setting(options)
    sides = {"fused": side(model, images, "sdpa"), "plain": side(model, images, "eager")}
    timings = clock.in_turns(sides, options.repeats, options.warm, options.timed)
    for name, seconds in timings.items():
        print(f"{name:>6}: {1000 * median(seconds):.1f} ms a step")
    ratios = sorted(a / b for a, b in zip(timings["fused"], timings["plain"], strict=True))
    print(f"plain is {median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, (*_SHAPE, *clock.SETTINGS)).parse_args())
