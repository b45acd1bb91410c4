"""The loss of a model in pre-training on examples that are never trained on: of the whole model, and after pruning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from ..pruning.blocks import evaluating, restored
from ..pruning.magnitude import magnitude_levels
from ..pruning.prunable import prunable_matrices, prunable_weights

#: The sparsities at which a model is pruned: every twentieth.
SPARSITIES = tuple(round(0.05 * level, 2) for level in range(20))

#: Number of examples read at once.
_BATCH = 128


@torch.no_grad()
def held_out_loss(
    module: nn.Module, held_out: Mapping[str, torch.Tensor], devices: Accelerator, batch_size: int = _BATCH
) -> float:
    """Return the mean loss of a module on held-out examples.

    Args:
        module: maps a batch to an output with a loss; its mode (training or evaluation) is kept.
        held_out: the examples, as one batch of the module's objective, on any device.
        devices: the devices; the module is on the first.
        batch_size: number of examples read at once.
    """
    total = 0.0
    count = len(next(iter(held_out.values())))
    with evaluating(module), devices.autocast():
        for start in range(0, count, batch_size):
            part = {name: values[start : start + batch_size] for name, values in held_out.items()}
            size = len(next(iter(part.values())))
            batch = {name: values.to(devices.device) for name, values in part.items()}
            total += float(module(**batch).loss) * size
    return total / count


@torch.no_grad()
def pruned_losses(part: nn.Module, loss: Callable[[], float]) -> list[float]:
    """Return a loss at each of ``SPARSITIES``, after one-shot magnitude pruning over all matrices together.

    Args:
        part: the model whose prunable matrices are pruned; afterwards they are as they were, to the bit.
        loss: measures the loss of what the part belongs to.

    >>> layer = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    >>> model = nn.Sequential(nn.ModuleList([layer]))
    >>> losses = pruned_losses(model, lambda: sum(float((m.weight == 0).sum()) for m in layer.values()))
    >>> losses[0], losses[10], losses[19]
    (0.0, 4.0, 7.0)
    """
    weights = {name: weight.detach().cpu() for name, weight in prunable_weights(part).items()}
    losses = []
    with restored(prunable_matrices(part).values()):
        for mask in magnitude_levels(weights, SPARSITIES).masks():
            mask.apply(part)  # what went at the sparsity before goes at this one, too
            losses.append(round(loss(), 5))
    return losses


@dataclass(kw_only=True)
class PrunedLosses:
    """The losses of a pruned model at some steps of its pre-training, as plain data. Lists have one entry a step.

    Attributes:
        sparsities: the sparsities, from 0.
        at: number of steps done.
        losses: the held-out loss at each of the sparsities.
    """

    sparsities: list[float] = field(default_factory=lambda: list(SPARSITIES))
    at: list[int] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)

    def add(self, step: int, losses: list[float]) -> None:
        """Add the losses after a number of steps, one at each sparsity."""
        self.at.append(step)
        self.losses.append(losses)

    def plain(self) -> dict[str, Any]:
        """Return the losses as JSON data; ``PrunedLosses(**plain)`` reads them back."""
        return asdict(self)
