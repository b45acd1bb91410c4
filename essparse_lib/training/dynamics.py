"""How a model's weights change while it is trained: zeros by every reading, norms, effective sparsity, losses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from ..pruning.effective_sparsity import effective_sparsity
from ..pruning.prunable import prunable_matrices, prunable_weights
from ..pruning.zeros import count_zeros_by_component

#: Of the squared norm of the weights: what ``effective_sparsity`` leaves in place.
SHARE = 0.99


def measured_steps(steps: int) -> list[int]:
    """The numbers of steps after which the weights are looked at: every hundredth part, and 1, 2, 5, 10, … before.

    >>> measured_steps(1000)[:8]
    [0, 1, 2, 5, 10, 20, 30, 40]
    """
    early = [factor * 10**power for power in range(12) for factor in (1, 2, 5)]
    even = {round(steps * part / 100) for part in range(101)}
    first = min((step for step in even if step), default=steps)
    return sorted({*(step for step in early if step < first), *even})


def weights_now(model: nn.Module) -> dict[str, Any]:
    """One look at a model's prunable weights, as plain data: what ``Dynamics`` has of every look."""
    found = count_zeros_by_component(prunable_matrices(model).values())
    readings = {place: zeros.by_reading() for place, zeros in found.items()}
    return {
        "places": [[depth, component, zeros.weights] for (depth, component), zeros in found.items()],
        "zeros": {reading: [own[reading] for own in readings.values()] for reading in next(iter(readings.values()))},
        "norms": [float(f"{zeros.norm:.5g}") for zeros in found.values()],
        "effective": round(effective_sparsity(prunable_weights(model), SHARE), 5),
    }


@dataclass(kw_only=True)
class Dynamics:
    """What was found at each look, as plain data that a record keeps.

    Attributes:
        places: of the prunable matrices: [block, component, weights], added up where a block has several of a kind.
        at: the steps done at each look.
        zeros: by reading (``Zeros.by_reading``), at each look, the count at each place.
        norms: at each look, the Euclidean norm at each place.
        effective: at each look, the largest share of weights that can go and leave ``SHARE`` of the squared norm.
        loss: at each look, the mean loss of the steps since the last one; None before the first step.
        held_out: at each look, the loss on examples that are not trained on.
        probes: by name, at each look, what else the objective looks at; None where it did not.
        seconds: what counting took, of all looks together.
    """

    places: list[list[Any]] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    zeros: dict[str, list[list[int]]] = field(default_factory=dict)
    norms: list[list[float]] = field(default_factory=list)
    effective: list[float] = field(default_factory=list)
    loss: list[float | None] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    probes: dict[str, list[float | None]] = field(default_factory=dict)
    seconds: float = 0.0

    def look(
        self, step: int, model: nn.Module, loss: float | None, held_out: float, probes: Mapping[str, float]
    ) -> None:
        """Add what the model is like now; its weights are read once for the zeros and once for the rest."""
        started = time.perf_counter()
        for name in dict.fromkeys((*self.probes, *probes)):
            self.probes.setdefault(name, [None] * len(self.at)).append(probes.get(name))
        now = weights_now(model)
        self.places = now["places"]
        self.at.append(step)
        for reading, counts in now["zeros"].items():
            self.zeros.setdefault(reading, []).append(counts)
        self.norms.append(now["norms"])
        self.effective.append(now["effective"])
        self.loss.append(None if loss is None else round(loss, 5))
        self.held_out.append(round(held_out, 5))
        self.seconds += time.perf_counter() - started

    def plain(self) -> dict[str, Any]:
        """As JSON has it; ``Dynamics(**plain)`` reads it back."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}
