"""How a model's weights change during pre-training: snapshots of zeros, norms, effective sparsity and losses."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from ..pruning.effective_sparsity import effective_sparsity
from ..pruning.prunable import prunable_matrices, prunable_weights
from ..pruning.zeros import count_zeros_by_component

#: Share of the squared norm of the weights that must remain when ``effective_sparsity`` removes weights.
NORM_SHARE = 0.99


def default_measured_steps(steps: int) -> list[int]:
    """Return after how many steps a snapshot is taken: at every hundredth of the steps, and early at 1, 2, 5, 10, …

    Args:
        steps: length of the pre-training.

    >>> default_measured_steps(1000)[:8]
    [0, 1, 2, 5, 10, 20, 30, 40]
    """
    early = [factor * 10**power for power in range(12) for factor in (1, 2, 5)]
    even = {round(steps * part / 100) for part in range(101)}
    first = min((step for step in even if step), default=steps)
    return sorted({*(step for step in early if step < first), *even})


def weight_snapshot(model: nn.Module) -> dict[str, Any]:
    """Return a snapshot of a model's prunable weights as plain data: what ``Dynamics`` keeps of the weights.

    Returns:
        ``places``, and ``zeros``, ``norms`` and ``effective`` of this one snapshot; see ``Dynamics``.
    """
    zeros_by_place = count_zeros_by_component(prunable_matrices(model).values())
    counts_by_reading: dict[str, list[int]] = {}
    for zeros in zeros_by_place.values():
        for reading, count in zeros.by_reading().items():
            counts_by_reading.setdefault(reading, []).append(count)
    return {
        "places": [[depth, component, zeros.weights] for (depth, component), zeros in zeros_by_place.items()],
        "zeros": counts_by_reading,
        "norms": [float(f"{zeros.norm:.5g}") for zeros in zeros_by_place.values()],
        "effective": round(effective_sparsity(prunable_weights(model), NORM_SHARE), 5),
    }


@dataclass(kw_only=True)
class Dynamics:
    """The snapshots of a pre-training, as plain data that a record keeps.

    A place is a component of a block, such as the query matrix of block 3. All lists but ``places`` have one entry a
    snapshot.

    Attributes:
        places: [block, component, number of weights] of each place; matrices of one component are added up.
        at: number of steps done.
        zeros: number of zeros at each place, by reading of zero (``Zeros.by_reading``).
        norms: Euclidean norm of the weights at each place.
        effective: largest share of weights that can be removed and leave ``NORM_SHARE`` of the squared norm.
        loss: mean loss of the steps since the last snapshot; None before the first step.
        held_out: loss on held-out examples, which are not trained on.
        probes: the objective's further measures, by name; None at a snapshot without this measure.
        seconds: time that all snapshots together took to read the weights.
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

    def add_snapshot(
        self, step: int, model: nn.Module, loss: float | None, held_out: float, probes: Mapping[str, float]
    ) -> None:
        """Add a snapshot of a model.

        Args:
            step: number of steps done.
            model: the model, whose prunable weights are read once for the zeros and once for the rest.
            loss: mean loss of the steps since the last snapshot; None before the first step.
            held_out: loss on held-out examples.
            probes: the objective's further measures, by name.
        """
        started = time.perf_counter()
        for name in dict.fromkeys((*self.probes, *probes)):
            self.probes.setdefault(name, [None] * len(self.at)).append(probes.get(name))
        snapshot = weight_snapshot(model)
        self.places = snapshot["places"]
        self.at.append(step)
        for reading, counts in snapshot["zeros"].items():
            self.zeros.setdefault(reading, []).append(counts)
        self.norms.append(snapshot["norms"])
        self.effective.append(snapshot["effective"])
        self.loss.append(None if loss is None else round(loss, 5))
        self.held_out.append(round(held_out, 5))
        self.seconds += time.perf_counter() - started

    def plain(self) -> dict[str, Any]:
        """Return the snapshots as JSON data; ``Dynamics(**plain)`` reads them back."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}
