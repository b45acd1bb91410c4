"""One measurement becomes one record: what is looked up in weights and masks, with nothing trained for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from . import models
from .provenance import finished, made_by
from .study.measurement import Measurement
from .study.store import Record

if TYPE_CHECKING:
    import torch

#: Cells along each side of a map.
_CELLS = 32


def measure(asked: Measurement) -> Record:
    """Carry out a measurement.

    Masks of lottery tickets are taken from the cache, or found anew, which takes the training of all their rounds.

    Raises:
        InputError: the model or the data cannot be had.
    """
    from .training import device

    started = time.perf_counter()
    made = made_by(asked.model, device.accelerator().device)
    by_kind = {"pruned-share": _pruned_share, "mask-similarity": _mask_similarity, "zeros": _zeros}
    values = by_kind[asked.kind](asked)
    return Record(asked, "ok", values=values, provenance={**made, **finished(started)})


def _pruned_share(asked: Measurement) -> dict[str, Any]:
    """Matrix by matrix how many weights go, and maps of where: percent of the weights in each cell, row by row."""
    from .pruning.magnitude import global_magnitude
    from .pruning.prunable import prunable, weights

    model = models.complete(asked.model)
    mask = global_magnitude(weights(model), asked.sparsity)
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
            for name, matrix in prunable(model).items()
        ]
    }


def _zeros(asked: Measurement) -> dict[str, Any]:
    """Of a model as it was saved, what is looked at while one is trained."""
    from .training.dynamics import weights_now

    return weights_now(models.complete(asked.model))


def _map(keep: torch.Tensor) -> list[list[int]]:
    import torch.nn.functional as F

    removed = 1 - keep.float()[None, None]
    rows, columns = (min(_CELLS, side) for side in keep.shape)
    return (100 * F.adaptive_avg_pool2d(removed, (rows, columns))[0, 0]).round().int().tolist()


def _mask_similarity(asked: Measurement) -> dict[str, Any]:
    """Of each ticket's mask with each other, and of each with the one-shot mask, which comes last."""
    from .experiment import one_shot, ticket
    from .pruning.compare import cosine, jaccard_removed

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
