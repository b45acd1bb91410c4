"""What plain matrix products save as attention on a CPU, against the fused kernels: both in one process.

    python benchmarks/attention.py                     # the lab scale's vision transformer, its rows of 65 patches
    python benchmarks/attention.py --hidden 384 --layers 6 --heads 12 --rows 128    # like minilm-l6 on 128 tokens

Both sides take the same training steps, forth and back in training's precision, of an encoder with random weights (a
vision transformer whose image has as many patches as are asked for) on the same random input. They take turns, one step
each after one that is not counted. A ratio above 1 means that the plain products, which ``device.suit_attention``
chooses, are faster.
"""

from __future__ import annotations

import argparse
from functools import partial
from statistics import median

import clock
import command
import torch
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


def step(model: ViTModel, images: torch.Tensor) -> None:
    """One forth and back."""
    model.zero_grad()
    with device.accelerator().autocast():
        out = model(images).last_hidden_state
    out.float().square().mean().backward()


def main(options: argparse.Namespace) -> None:
    """Time both."""
    command.check(options, dict.fromkeys(vars(options), 1))
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
    sides = {"fused": "sdpa", "plain": "eager"}
    found: dict[str, list[float]] = {side: [] for side in sides}
    for counted in [False] + [True] * options.repeats:
        for side, name in sides.items():
            model.set_attn_implementation(name)
            step(model, images)
            taken = clock.seconds(partial(step, model, images))
            if counted:
                found[side].append(taken)
    for side, taken in found.items():
        print(f"{side:>6}: {1000 * median(taken):.1f} ms a step")
    ratios = sorted(a / b for a, b in zip(found["fused"], found["plain"], strict=True))
    print(f"plain is {median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    settings = (*_SHAPE, *(s for s in clock.SETTINGS if s[0] in ("--repeats", "--matrix", "--threads")))
    command.run(main, command.parser(__doc__, settings).parse_args())
