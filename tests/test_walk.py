"""Walks through models whose blocks are handed, or read, what depends on the input."""

import copy

import pytest
import torch
from torch import nn

from essparse_lib import wanda

WIDTH = 8
PAD = 1


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, 2 * WIDTH)
        self.fc2 = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x, mask=None):
        if mask is not None:
            x = x * mask
        return x + self.fc2(torch.relu(self.fc1(x)))


class Reads(Block):
    """A block that reads a mask which the model left with it."""

    def forward(self, x):
        return super().forward(x, self.mask)


class Pair(Block):
    """A block that takes and returns a pair."""

    def forward(self, pair):
        return super().forward(*pair), pair[1]


class Named(Block):
    """A block that takes and returns its states by name."""

    def forward(self, states):
        return {"states": super().forward(states["states"], states["mask"]), "mask": states["mask"]}


class Writes(Block):
    """A block that adds to its states in place."""

    def forward(self, x, mask):
        x *= mask
        x += self.fc2(torch.relu(self.fc1(x)))
        return x


class NoneFirst(Block):
    """A block whose first argument is no tensor."""

    def forward(self, cache, x, mask):
        return super().forward(x, mask)


def left_with(block, x, mask):
    block.mask = mask
    return block(x)


def in_place_before(block, x, mask):
    x *= mask
    return block(x)


#: A kind of block, and how a model calls it in its place in the list.
CALLS = {
    "by place": (Block, lambda block, number, x, mask: block(x, mask)),
    "by name": (Block, lambda block, number, x, mask: block(x=x, mask=mask)),
    "states last": (Block, lambda block, number, x, mask: block(mask=mask, x=x)),
    "later blocks only": (Block, lambda block, number, x, mask: block(x, mask if number else None)),
    "left with the block": (Reads, lambda block, number, x, mask: left_with(block, x, mask)),
    "in place before": (Block, lambda block, number, x, mask: in_place_before(block, x, mask)),
    "in place within": (Writes, lambda block, number, x, mask: block(x, mask)),
    "pair": (Pair, lambda block, number, x, mask: block((x, mask))[0]),
    "dictionary": (Named, lambda block, number, x, mask: block({"states": x, "mask": mask})["states"]),
    "no tensor first": (NoneFirst, lambda block, number, x, mask: block(None, x, mask)),
}


class Model(nn.Module):
    def __init__(self, kind, call, blocks):
        super().__init__()
        self.embedding = nn.Embedding(20, WIDTH)
        self.layers = nn.ModuleList(kind() for _ in range(blocks))
        self.call = call

    def forward(self, input_ids):
        x, mask = self.embedding(input_ids), (input_ids != PAD).float()[..., None]
        for number, block in enumerate(self.layers):
            x = self.call(block, number, x, mask)
        return x


@torch.no_grad()
def published(model, input_ids):
    """Half of each row's weights removed by Wanda, each block after a pass through the pruned model before it."""
    model, keep = copy.deepcopy(model), {}
    for number, block in enumerate(model.layers):
        squares = {}
        hooks = [
            layer.register_forward_hook(
                lambda _, args, __, name=name, squares=squares: squares.update(
                    {name: args[0].flatten(0, -2).double().square().sum(0)}
                )
            )
            for name, layer in block.named_children()
        ]
        model(input_ids)
        for hook in hooks:
            hook.remove()
        for name, layer in block.named_children():
            scores = layer.weight.double().abs() * squares[name].sqrt()
            smallest = scores.argsort(1)[:, : scores.shape[1] // 2]
            kept = torch.ones_like(scores, dtype=torch.bool).scatter_(1, smallest, False)
            layer.weight *= kept
            keep[f"layers.{number}.{name}.weight"] = kept
    return keep


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("padded", ["first", "last"])
@pytest.mark.parametrize("how", CALLS)
def test_masks_of_some_batches_alone_are_seen_however_blocks_get_them(how, padded, blocks):
    torch.manual_seed(0)
    model = Model(*CALLS[how], blocks).eval()
    input_ids = torch.randint(2, 20, (40, 8))
    start = 0 if padded == "first" else 32
    input_ids[start : start + 8, :6] = PAD
    mask = wanda(model, input_ids, 0.5)
    expected = published(model, input_ids)
    assert {name: int((kept != expected[name]).sum()) for name, kept in mask.keep.items()} == dict.fromkeys(expected, 0)
