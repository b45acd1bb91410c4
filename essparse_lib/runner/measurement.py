"""One measurement becomes one record: what is looked up in weights and masks, with nothing trained for it."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..models import loading
from ..records.store import Record
from ..specs.measurement import Measurement
from .provenance import finished, made_by

if TYPE_CHECKING:
    import torch

#: Cells along each side of a map; weights along each side of the part of a matrix that is kept one by one.
_CELLS, _CORNER = 32, 96


def measure(asked: Measurement) -> Record:
    """Carry out a measurement.

    Masks of lottery tickets are taken from the cache, or found anew, which takes the training of all their rounds.

    Raises:
        InputError: the model or the data cannot be had.
    """
    from ..training import device

    started = time.perf_counter()
    made = made_by(asked.model, device.accelerator().device)
    by_kind = {
        "pruned-share": _pruned_share,
        "mask-similarity": _mask_similarity,
        "zeros": _zeros,
        "distribution": _distribution,
        "pruning-order": _pruning_order,
    }
    values = by_kind[asked.kind](asked)
    return Record(spec=asked, status="ok", values=values, provenance={**made, **finished(started)})


def _pruned_share(asked: Measurement) -> dict[str, Any]:
    """Matrix by matrix how many weights go, and maps of where: percent of the weights in each cell, row by row."""
    from ..pruning.magnitude import global_magnitude
    from ..pruning.prunable import prunable_matrices, prunable_weights

    model = loading.complete(asked.model)
    mask = global_magnitude(prunable_weights(model), asked.sparsity)
    counts = mask.count(str)
    return {
        "matrices": [
            {
                "name": name,
                "depth": matrix.depth,
                "component": matrix.component,
                "size": counts[name].size,
                "pruned": counts[name].pruned,
                "map": _map(mask.keep[name].T if matrix.transposed else mask.keep[name]),
            }
            for name, matrix in prunable_matrices(model).items()
        ]
    }


def _zeros(asked: Measurement) -> dict[str, Any]:
    """Of a model as it was saved, what is looked at while one is trained."""
    from ..training.dynamics import weight_snapshot

    return weight_snapshot(loading.complete(asked.model))


def _distribution(asked: Measurement) -> dict[str, Any]:
    """Quantiles of every matrix, of every layer and of the model; and how many weights are small once normalised.

    A scaler is given by a and b: it makes (w − a) / b of a weight, and so of a quantile.
    """
    from ..pruning.distribution import (
        PROBABILITIES,
        Distribution,
        Scaler,
        count_zeros_after_scaling,
        weight_distribution,
    )
    from ..pruning.prunable import prunable_matrices
    from ..pruning.zeros import DEVIATIONS

    matrices = prunable_matrices(loading.complete(asked.model))
    layers: dict[int, list[torch.Tensor]] = {}
    for matrix in matrices.values():
        layers.setdefault(matrix.depth, []).append(matrix.weight)
    by_layer = {depth: weight_distribution(own, f"block {depth + 1}") for depth, own in layers.items()}
    whole = weight_distribution(matrix.weight for matrix in matrices.values())

    def plain(found: Distribution, digits: int = 6) -> dict[str, Any]:
        return {"size": found.weights, "quantiles": [_rounded(q, digits) for q in found.quantiles]}

    def fitted(found: Distribution) -> dict[str, Any]:
        return {**plain(found), "scalers": {name: [_rounded(x, 6) for x in found.scaler(name)] for name in Scaler}}

    def zeros(name: str, over: Mapping[int, Distribution]) -> list[int]:
        counts = [count_zeros_after_scaling(own, over[depth].scaler(name), DEVIATIONS) for depth, own in layers.items()]
        return [sum(each[threshold] for each in counts) for threshold in DEVIATIONS]

    return {
        "probabilities": list(PROBABILITIES),
        "matrices": [
            {"depth": m.depth, "component": m.component, **plain(weight_distribution([m.weight], name), 4)}
            for name, m in matrices.items()
        ],
        "layers": [{"depth": depth, **fitted(found)} for depth, found in by_layer.items()],
        "model": fitted(whole),
        "thresholds": list(DEVIATIONS),
        "zeros": {
            name: {"layer": zeros(name, by_layer), "model": zeros(name, dict.fromkeys(layers, whole))}
            for name in Scaler
        },
    }


def _pruning_order(asked: Measurement) -> dict[str, Any]:
    """Of the middle block, matrix by matrix: which weights of a corner go when, and how much of the whole matrix.

    A byte k says that its weight is among the smallest k + 1 percent of all that can be pruned; 99, that it is not
    among the smallest 99.
    """
    from ..pruning.magnitude import magnitude_levels
    from ..pruning.prunable import prunable_matrices, prunable_weights

    model = loading.complete(asked.model)
    matrices = prunable_matrices(model)
    sweep = magnitude_levels(prunable_weights(model), [round(k / 100, 2) for k in range(1, 100)])
    middle = len({m.depth for m in matrices.values()}) // 2
    found = []
    for name, matrix in matrices.items():
        if matrix.depth != middle:
            continue
        level = sweep.level[name].T if matrix.transposed else sweep.level[name]
        corner = level[:_CORNER, :_CORNER]
        gone = (level.flatten().bincount(minlength=100).cumsum(0) / level.numel()).tolist()
        found.append(
            {
                "component": matrix.component,
                "depth": middle,
                "rows": corner.shape[0],
                "columns": corner.shape[1],
                "levels": base64.b64encode(corner.contiguous().numpy().tobytes()).decode(),
                "gone": [0.0, *(_rounded(100 * share, 5) for share in gone[:99])],
            }
        )
    return {"matrices": found}


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _map(keep: torch.Tensor) -> list[list[int]]:
    import torch.nn.functional as F

    removed = 1 - keep.float()[None, None]
    rows, columns = (min(_CELLS, side) for side in keep.shape)
    return (100 * F.adaptive_avg_pool2d(removed, (rows, columns))[0, 0]).round().int().tolist()


def _mask_similarity(asked: Measurement) -> dict[str, Any]:
    """Of each ticket's mask with each other, and of each with the one-shot mask, which comes last."""
    from ..pruning.compare import cosine, jaccard_removed
    from .trial import one_shot, ticket

    masks = [*(ticket(trial) for trial in asked.trials), one_shot(asked.trials[0])]
    pairs = [[(one, other) for other in masks] for one in masks]
    by_measure = {
        measure.__name__: [[measure(*pair) for pair in row] for row in pairs] for measure in (cosine, jaccard_removed)
    }
    return {
        "names": [*(trial.task for trial in asked.trials), "one-shot"],
        **{name: [[round(s.value, 6) for s in row] for row in found] for name, found in by_measure.items()},
        "independent": {name: round(found[0][-1].independent, 6) for name, found in by_measure.items()},
    }
