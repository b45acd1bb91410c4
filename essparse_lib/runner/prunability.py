"""How far models can be pruned by what needs no fine-tuning: the loss of their own objective, and their features.

A language model that is trained here is saved with its head, so that its loss follows from its weights. The loss at
earlier steps, and that of vision models, whose heads are not saved, are measured while they are pre-trained and lie
beside the weights (``pretraining.PRUNED_LOSSES``). Weights that an earlier version made have no such file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..models import loading
from ..records.pretrained import PRETRAINED, SCALE_OF
from ..records.values import read_losses_beside
from ..specs.measurement import Measurement, MeasurementKind
from ..specs.pretraining import Pretraining, TextPretraining
from ..specs.tasks import Head
from . import pretraining, workbench

if TYPE_CHECKING:
    from ..training.pictures import EncodedImages

#: At most so many training and so many test images: as many as fine-tunings at lab scale have.
_IMAGES = 2000

#: The sparsities at which features are taken: every tenth.
_SPARSITIES = tuple(round(0.1 * level, 1) for level in range(10))


def checks(measurement: Measurement) -> dict[Hashable, Callable[[], object]]:
    """Return what must be checked before one of these measurements is made, by what the check depends on."""
    model, task = measurement.model, measurement.task
    if measurement.kind is MeasurementKind.HELD_OUT_LOSS:
        return {("pre-trained here", model): partial(_pretraining_of, model)}
    if measurement.kind is MeasurementKind.FEATURE_ACCURACY:
        return {("images", task, model): partial(_check_images, task, model)}
    return {}


def can_be_measured(measurement: Measurement) -> bool:
    """Return whether a measurement can be made now; not so if it had to be made while the model was pre-trained."""
    if measurement.kind is not MeasurementKind.HELD_OUT_LOSS or _is_in_the_weights(measurement):
        return True
    return _step_of(measurement) in _losses_beside(measurement.model).get("at", [])


def held_out_loss(measurement: Measurement) -> dict[str, Any]:
    """Return the losses of a pruned model on held-out examples, at each sparsity, with the step that they are of.

    Raises:
        InputError: the model is not trained here, or was trained without this measurement.
    """
    step = _step_of(measurement)
    if _is_in_the_weights(measurement):
        return {"step": step, **_losses_of_weights(measurement.model)}
    beside = _losses_beside(measurement.model)
    if step not in beside.get("at", []):
        raise InputError(
            f"{measurement} can only be measured while the model is pre-trained: remove the folder of its weights, "
            f"and run `essparse pretrain {measurement.model}`"
        )
    losses = beside["losses"][beside["at"].index(step)]
    return {"step": step, "sparsities": beside["sparsities"], "losses": losses}


def feature_accuracy(measurement: Measurement) -> dict[str, Any]:
    """Return the accuracies, in points, that the class token of a pruned vision model gives, at each sparsity.

    They are those of the 20 nearest neighbours and of a linear probe, on test images after training images. Nothing of
    the model is trained. The images are the same for all models and sparsities.

    Raises:
        InputError: the model or the data cannot be had, or the model does not read the task's images.
    """
    from ..pruning.magnitude import magnitude_levels
    from ..pruning.prunable import prunable_weights
    from ..training import device
    from ..training.features import last_states, linear_accuracy, neighbours_accuracy

    bench, task, name = workbench.current(), measurement.task, measurement.model
    train: EncodedImages = bench.encoded(task, name, 0, _IMAGES, seed=0)  # type: ignore[assignment]
    test: EncodedImages = bench.encoded(task, name, 0, _IMAGES)  # type: ignore[assignment]
    classes, test_classes = train.targets["labels"], test.targets["labels"]
    model = loading.load_model(name).base_model.float()
    levels = magnitude_levels(prunable_weights(model), _SPARSITIES)
    model.to(device.accelerator().device)
    accuracies: dict[str, list[float]] = {"knn": [], "linear_probe": []}
    for mask in levels.masks():
        mask.apply(model)  # what went at the sparsity before goes at this one, too
        features, test_features = (last_states(model, part.pixels, train.prepared)[0] for part in (train, test))
        for readout, accuracy in (("knn", neighbours_accuracy), ("linear_probe", linear_accuracy)):
            accuracies[readout].append(round(accuracy(features, classes, test_features, test_classes), 2))
    commonest = Counter(test_classes.tolist()).most_common(1)[0][1]
    return {
        "sparsities": list(_SPARSITIES),
        **accuracies,
        "images": [len(train), len(test)],
        "majority": round(100 * commonest / len(test), 2),
        "data": bench.data(task).fingerprint,
    }


def _pretraining_of(model: str) -> Pretraining:
    if model not in SCALE_OF:
        raise InputError(
            f"model {model!r} is not pre-trained here, so that its objective is not known: name one that is"
        )
    return PRETRAINED[SCALE_OF[model]][model]


def _check_images(task: str, model: str) -> None:
    from .. import tasks

    if tasks.get(task).head is not Head.IMAGE_CLASSIFICATION:
        raise InputError(f"task {task!r} has no images: name one that has, such as cifar10")
    workbench.current().check(task, model, 0)


def _step_of(measurement: Measurement) -> int:
    """Return the number of steps after which the model is measured."""
    return _pretraining_of(measurement.model).steps if measurement.step is None else measurement.step


def _is_in_the_weights(measurement: Measurement) -> bool:
    """Return whether the loss follows from the weights as they were saved, with the head."""
    return measurement.step is None and isinstance(_pretraining_of(measurement.model), TextPretraining)


def _losses_beside(model: str) -> dict[str, Any]:
    """Return the losses that lie beside a model's weights, as ``PrunedLosses``; empty if they were not measured.

    Raises:
        InputError: the model cannot be had, or the file is damaged or belongs to other weights.
    """
    source = loading.locate(model)
    path = source.folder / pretraining.PRUNED_LOSSES
    return read_losses_beside(path, source.weights) if path.exists() else {}


def _losses_of_weights(model: str) -> dict[str, Any]:
    """Return the losses of a language model as it was saved, in fp16, which are computed in fp32."""
    from ..training import device
    from ..training.held_out import SPARSITIES, pruned_losses
    from ..training.held_out import held_out_loss as loss_on_held_out

    spec, devices = _pretraining_of(model), device.accelerator()
    objective = pretraining.prepare(spec)
    module = objective.module()
    objective.model(module).load_state_dict(loading.load_model(model).state_dict())
    module.to(devices.device)
    device.suit_attention(module, devices.device)
    loss = partial(loss_on_held_out, module, objective.held_out, devices)
    losses = pruned_losses(objective.pruned_part(module), loss)
    return {"sparsities": list(SPARSITIES), "losses": losses, "data": objective.content}
