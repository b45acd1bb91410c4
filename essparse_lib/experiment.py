"""One trial becomes one record: here, and nowhere else, do trials meet models."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError, one_line
from .files import cache_folder
from .provenance import code_revision, versions
from .study.store import Record
from .study.trial import Trial

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from torch import nn

    from .pruning.masks import Mask
    from .tasks import Splits
    from .training.batches import Encoded


def execute(trial: Trial) -> Record:
    """Run one trial: prune, fine-tune with the mask held, evaluate.

    Returns:
        Its record, also where training diverged or an error ended it.

    Raises:
        InputError: the model or the data cannot be had: nothing was tried.
    """
    from . import models
    from .training import device

    prepare(trial)
    devices = device.accelerator()
    started = time.perf_counter()
    device.reset_peak_memory(devices.device)
    common: dict[str, Any] = {
        "code": code_revision(),
        "versions": versions(),
        **device.description(devices.device),
        "weights": models.locate(trial.model).weights,
        "weights_from": models.locate(trial.model).origin,
        "data": _data(trial.task)[1],
        "data_from": _data(trial.task)[0].origin,
    }
    try:
        record = _outcome(trial, devices)
    except InputError:
        raise
    except Exception as error:  # a failure is a result: recorded with its reason, and the study goes on
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        record = Record(trial, "failed", reason=f"{type(error).__name__}: {one_line(error, 450)} ({place})")
    common["seconds"] = round(time.perf_counter() - started, 2)
    common["peak_memory_bytes"] = device.peak_memory(devices.device)
    common["finished"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return replace(record, provenance=common)


def _outcome(trial: Trial, devices: Accelerator) -> Record:
    from . import tasks
    from .pruning.masks import measured_sparsity
    from .pruning.prunable import weights
    from .study import metrics
    from .training.evaluate import classify
    from .training.loop import Diverged

    task = tasks.get(trial.task)
    try:
        model, mask, losses = _pruned_after(trial) if trial.pruning.timing == "after" else _pruned(trial, devices)
    except Diverged as error:
        return Record(trial, "diverged", reason=str(error))
    if not all(weight.isfinite().all() for weight in weights(model).values()):
        return Record(trial, "diverged", reason="weights are NaN or infinite after the last step")
    zeros, size = measured_sparsity(weights(model))
    if mask is not None and mask.drift(model):
        return Record(trial, "failed", reason=f"the mask drifted: {zeros} zeros after training, not {mask.pruned}")
    test = _test(trial)
    predictions = classify(model, test, devices)
    tail = losses[-max(1, len(losses) // 10) :]
    return Record(
        trial,
        "ok",
        {
            task.metric: round(metrics.score(task.metric, test.labels, predictions, len(task.classes)), 4),
            "zeros": zeros,
            "prunable": size,
            "steps": len(losses),
            "final_loss": round(sum(tail) / len(tail), 5),
        },
        _digits(predictions),
        _digits(test.labels),
    )


def _pruned(trial: Trial, devices: Accelerator) -> tuple[nn.Module, Mask | None, list[float]]:
    """The model pruned and then fine-tuned with the mask held; the mask; the losses."""
    from .pruning.prunable import weights
    from .training.fine_tune import fine_tune
    from .training.lottery import keep_round, lottery

    train, how = _train(trial), trial.pruning
    model = _fresh(trial)
    if how.method != "lottery":
        mask = _mask(trial, model)
        return model, mask, fine_tune(model, train, trial.training, trial.seed, devices, mask)

    def tune(model: nn.Module, mask: Mask | None) -> list[float]:
        return fine_tune(model, train, trial.training, trial.seed, devices, mask)

    folder = cache_folder() / "lottery" / f"{trial.at(0.0).id}-{how.rate:g}"
    mask = lottery(model, tune, how.sparsity, how.rate, folder)
    original = {name: weight.clone() for name, weight in weights(model).items()}
    losses = tune(model, mask)
    further = round(how.sparsity + how.rate, 6)
    if further < 1 and devices.is_main_process:
        keep_round(model, original, further, folder)  # this training was the next round's
    return model, mask, losses


def _mask(trial: Trial, model: nn.Module) -> Mask | None:
    """What a trial removes by one look at the weights; None for the dense model."""
    from .pruning.levels import ranked
    from .pruning.n_m import n_m
    from .pruning.prunable import transposed, weights
    from .pruning.random import random_mask

    how = trial.pruning
    if not how.sparsity:
        return None
    if how.pattern:
        return n_m(weights(model), how.pattern, transposed(model))
    if how.method == "random":
        return random_mask(weights(model), how.sparsity, trial.seed, how.scope)
    return next(ranked(weights(model), [how.sparsity], how.scope).masks())


def _pruned_after(trial: Trial) -> tuple[nn.Module, Mask | None, list[float]]:
    """The model fine-tuned and then pruned, with no training to follow; the mask; the losses."""
    state, losses = _tuned(trial.at(0.0))
    model = _fresh(trial)
    model.load_state_dict(state)
    mask = _mask(trial, model)
    if mask is not None:
        mask.apply(model)
    return model, mask, losses


@lru_cache(maxsize=1)
def _tuned(dense: Trial) -> tuple[dict[str, torch.Tensor], list[float]]:
    """The fine-tuned dense model, once for all sparsities at which it is pruned afterwards."""
    from .training import device

    model, _, losses = _pruned(dense, device.accelerator())
    return {name: tensor.cpu() for name, tensor in model.state_dict().items()}, losses


def _fresh(trial: Trial) -> nn.Module:
    """The pre-trained model with a new head."""
    from . import models, tasks

    return models.classifier(trial.model, len(tasks.get(trial.task).classes), trial.seed)


def prepare(trial: Trial) -> None:
    """Fetch and check what a trial needs: its model, its task, and that they fit.

    Raises:
        InputError: something is unknown, cannot be had, or does not fit.
    """
    from . import models, tasks

    task = tasks.get(trial.task)
    models.check_fits(trial.model, task.head, trial.training.max_length)
    _data(trial.task)


@lru_cache(maxsize=4)
def _data(task: str) -> tuple[Splits, str]:
    from . import tasks

    splits = tasks.get(task).splits()
    return splits, f"{splits.train.fingerprint()}+{splits.test.fingerprint()}"


def _train(trial: Trial) -> Encoded:
    return _encoded(trial.task, trial.model, trial.training.max_length, trial.training.max_train, trial.seed)


def _test(trial: Trial) -> Encoded:
    return _encoded(trial.task, trial.model, trial.training.max_length)


@lru_cache(maxsize=8)
def _encoded(task: str, model: str, max_length: int, max_train: int | None = None, seed: int | None = None) -> Encoded:
    """The training examples (without a seed, the test examples), tokenised once for all that a worker runs."""
    from . import models
    from .training.batches import Encoded
    from .training.fine_tune import subset

    splits = _data(task)[0]
    examples = splits.test
    if seed is not None:
        examples = splits.train.take(subset(len(splits.train), max_train, seed).tolist())
    return Encoded(examples, models.tokenizer_of(model), max_length)


def _digits(classes: Iterable[int]) -> str:
    return "".join("0123456789abcdefghijklmnopqrstuvwxyz"[c] for c in classes)
