"""One measurement becomes one record: what is looked up in weights and masks, with nothing trained for it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..models import loading
from ..records.store import Record, Status, Store
from ..specs.measurement import Measurement, MeasurementKind
from ..specs.trial import Trial
from . import prunability
from . import trial as trial_runner
from .fresh_models import fresh_model
from .provenance import finished, made_by

if TYPE_CHECKING:
    import torch

    from ..pruning.distribution import Distribution
    from ..pruning.masks import Mask

#: Cells along each side of a map; weights along each side of the part of a matrix that is kept one by one.
_CELLS, _CORNER = 32, 96


def checks(measurement: Measurement) -> dict[Hashable, Callable[[], object]]:
    """Return what must be checked before a measurement is made, by what the check depends on."""
    by_input: dict[Hashable, Callable[[], object]] = {
        ("model", measurement.model): partial(loading.check_name, measurement.model)
    }
    for trial in measurement.trials:
        by_input |= trial_runner.checks(trial)
    return by_input | prunability.checks(measurement)


def run(measurement: Measurement, store: Store, deadline: float | None) -> Record | None:
    """Make a measurement as ``measure`` does; it uses neither the store nor the deadline.

    Returns:
        Its record; None where it could only be made while the model was pre-trained, and was not.
    """
    return measure(measurement) if prunability.can_be_measured(measurement) else None


def measure(measurement: Measurement) -> Record:
    """Look up in a model's weights and masks what a measurement is of, and return its record.

    Masks of lottery tickets are taken from the cache, or found anew, which takes the training of all their rounds.

    Raises:
        InputError: the model or the data cannot be had.
    """
    from ..training import device

    started = time.perf_counter()
    provenance = made_by(measurement.model, device.accelerator().device)
    values = _MEASURES[measurement.kind](measurement)
    return Record(spec=measurement, status=Status.OK, values=values, provenance={**provenance, **finished(started)})


def _pruned_share(measurement: Measurement) -> dict[str, Any]:
    """Return, matrix by matrix, how many weights go, and maps of where."""
    from ..pruning.magnitude import global_magnitude
    from ..pruning.prunable import prunable_matrices, prunable_weights

    model = loading.load_model(measurement.model)
    mask = global_magnitude(prunable_weights(model), measurement.sparsity)
    counts = mask.count(str)
    return {
        "matrices": [
            {
                "name": name,
                "depth": matrix.depth,
                "component": matrix.component,
                "size": counts[name].size,
                "pruned": counts[name].pruned,
                "map": _map(matrix.layout.rows(mask.keep[name])),
            }
            for name, matrix in prunable_matrices(model).items()
        ]
    }


def _zeros(measurement: Measurement) -> dict[str, Any]:
    """Return of a model as it was saved what is looked at while one is trained."""
    from ..training.dynamics import weight_snapshot

    return weight_snapshot(loading.load_model(measurement.model))


def _distribution(measurement: Measurement) -> dict[str, Any]:
    """Return quantiles of every matrix, layer and of the model, and how many weights are small once normalised.

    A scaler is given by a and b: it makes (w − a) / b of a weight, and so of a quantile.
    """
    from ..pruning.distribution import PROBABILITIES, Scaler, count_zeros_after_scaling, weight_distribution
    from ..pruning.prunable import prunable_matrices
    from ..pruning.zeros import DEVIATIONS

    matrices = prunable_matrices(loading.load_model(measurement.model))
    layers: dict[int, list[torch.Tensor]] = {}
    for matrix in matrices.values():
        layers.setdefault(matrix.depth, []).append(matrix.weight)
    by_layer = {depth: weight_distribution(weights, f"block {depth + 1}") for depth, weights in layers.items()}
    whole = weight_distribution(matrix.weight for matrix in matrices.values())

    def zeros_with(scalers: dict[int, tuple[float, float]]) -> list[int]:
        """Return how many weights of all layers lie within each threshold, each layer normalised by its scaler."""
        totals = dict.fromkeys(DEVIATIONS, 0)
        for depth, weights in layers.items():
            for threshold, count in count_zeros_after_scaling(weights, scalers[depth], DEVIATIONS).items():
                totals[threshold] += count
        return list(totals.values())

    zeros = {}
    for scaler in Scaler:
        of_layers = {depth: distributed.scaler(scaler) for depth, distributed in by_layer.items()}
        of_model = dict.fromkeys(layers, whole.scaler(scaler))
        zeros[scaler.value] = {"layer": zeros_with(of_layers), "model": zeros_with(of_model)}
    rows = []
    for name, matrix in matrices.items():
        quantiles = _quantiles(weight_distribution([matrix.weight], name), digits=4)
        rows.append({"depth": matrix.depth, "component": matrix.component, **quantiles})
    return {
        "probabilities": list(PROBABILITIES),
        "matrices": rows,
        "layers": [{"depth": depth, **_with_scalers(distributed)} for depth, distributed in by_layer.items()],
        "model": _with_scalers(whole),
        "thresholds": list(DEVIATIONS),
        "zeros": zeros,
    }


def _quantiles(distributed: Distribution, digits: int = 6) -> dict[str, Any]:
    """Return a distribution's size and quantiles as plain data."""
    return {"size": distributed.weights, "quantiles": _rounded(distributed.quantiles, digits)}


def _with_scalers(distributed: Distribution) -> dict[str, Any]:
    """Return a distribution's size, quantiles and scalers as plain data."""
    from ..pruning.distribution import Scaler

    scalers = {scaler.value: _rounded(distributed.scaler(scaler), digits=6) for scaler in Scaler}
    return {**_quantiles(distributed), "scalers": scalers}


def _pruning_order(measurement: Measurement) -> dict[str, Any]:
    """Return, for each matrix of the middle block, at which percentage each weight of a corner goes.

    Also how much of the whole matrix is gone at each percentage.

    A byte k says that its weight is among the smallest k + 1 percent of all that can be pruned; 99, that it is not
    among the smallest 99.
    """
    from ..pruning.magnitude import magnitude_levels
    from ..pruning.prunable import prunable_matrices, prunable_weights

    model = loading.load_model(measurement.model)
    matrices = prunable_matrices(model)
    sweep = magnitude_levels(prunable_weights(model), [round(k / 100, 2) for k in range(1, 100)])
    middle = len({m.depth for m in matrices.values()}) // 2
    rows = []
    for name, matrix in matrices.items():
        if matrix.depth != middle:
            continue
        level = matrix.layout.rows(sweep.level[name])
        corner = level[:_CORNER, :_CORNER]
        gone = (level.flatten().bincount(minlength=100).cumsum(0) / level.numel()).tolist()
        rows.append(
            {
                "component": matrix.component,
                "depth": middle,
                "rows": corner.shape[0],
                "columns": corner.shape[1],
                "levels": base64.b64encode(corner.contiguous().numpy().tobytes()).decode(),
                "gone": [0.0, *_rounded((100 * share for share in gone[:99]), digits=5)],
            }
        )
    return {"matrices": rows}


def _rounded(values: Iterable[float], digits: int) -> list[float]:
    """Return numbers cut to so many significant digits."""
    return [float(f"{value:.{digits}g}") for value in values]


def _map(keep: torch.Tensor) -> list[list[int]]:
    """Return the percentage of the weights that go, in each cell of a matrix, row by row."""
    import torch.nn.functional as F

    removed = 1 - keep.float()[None, None]
    rows, columns = (min(_CELLS, side) for side in keep.shape)
    return (100 * F.adaptive_avg_pool2d(removed, (rows, columns))[0, 0]).round().int().tolist()


def _mask_similarity(measurement: Measurement) -> dict[str, Any]:
    """Compare each ticket's mask with each other, and each with the one-shot mask, which comes last."""
    from ..pruning.compare import cosine, jaccard_removed

    masks = [trial_runner.ticket(trial) for trial in measurement.trials]
    masks.append(_one_shot(measurement.trials[0]))
    values: dict[str, Any] = {"names": [*(trial.task for trial in measurement.trials), "one-shot"]}
    independent = {}
    for compare in (cosine, jaccard_removed):
        table = [[compare(mask, other) for other in masks] for mask in masks]
        values[compare.__name__] = [[round(similarity.value, 6) for similarity in row] for row in table]
        independent[compare.__name__] = round(table[0][-1].independent, 6)
    return {**values, "independent": independent}


#: What is looked up, by the kind of measurement.
_MEASURES: dict[MeasurementKind, Callable[[Measurement], dict[str, Any]]] = {
    MeasurementKind.PRUNED_SHARE: _pruned_share,
    MeasurementKind.MASK_SIMILARITY: _mask_similarity,
    MeasurementKind.ZEROS: _zeros,
    MeasurementKind.DISTRIBUTION: _distribution,
    MeasurementKind.PRUNING_ORDER: _pruning_order,
    MeasurementKind.HELD_OUT_LOSS: prunability.held_out_loss,
    MeasurementKind.FEATURE_ACCURACY: prunability.feature_accuracy,
}


def _one_shot(trial: Trial) -> Mask:
    """Return the mask of one-shot magnitude pruning at a trial's sparsity, with the names of that trial's model."""
    from ..pruning.magnitude import global_magnitude
    from ..pruning.prunable import prunable_weights

    return global_magnitude(prunable_weights(fresh_model(trial)), trial.pruning.sparsity)
