"""One trial becomes one record: here, and nowhere else, do trials meet models."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, one_line
from ..files import cache_folder
from ..records.store import Record
from ..specs.trial import Pruning, Trial
from .provenance import finished, made_by

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from torch import nn

    from ..pruning.masks import Mask
    from ..tasks import Splits
    from ..training.batches import EncodedExamples


def execute(trial: Trial) -> Record:
    """Run one trial: prune, fine-tune with the mask held, evaluate.

    Returns:
        Its record, also where training diverged or an error ended it.

    Raises:
        InputError: the model or the data cannot be had: nothing was tried.
    """
    from ..training import device

    prepare(trial)
    devices = device.accelerator()
    started = time.perf_counter()
    device.reset_peak_memory(devices.device)
    common: dict[str, Any] = {
        **made_by(trial.model, devices.device),
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
        record = Record(spec=trial, status="failed", reason=f"{type(error).__name__}: {one_line(error, 450)} ({place})")
    memory = {"peak_memory_bytes": device.peak_memory(devices.device)}
    return replace(record, provenance={**common, **memory, **finished(started)})


def _outcome(trial: Trial, devices: Accelerator) -> Record:
    from .. import tasks
    from ..pruning.masks import zeros_and_size
    from ..pruning.prunable import prunable_weights
    from ..training.loop import Diverged
    from .task_heads import TASK_HEADS

    task = tasks.get(trial.task)
    try:
        model, mask, losses = _pruned_after(trial) if trial.pruning.timing == "after" else _pruned(trial, devices)
    except Diverged as error:
        return Record(spec=trial, status="diverged", reason=str(error))
    if not all(weight.isfinite().all() for weight in prunable_weights(model).values()):
        return Record(spec=trial, status="diverged", reason="weights are NaN or infinite after the last step")
    zeros, size = zeros_and_size(prunable_weights(model))
    if mask is not None and mask.drift(model):
        return Record(
            spec=trial, status="failed", reason=f"the mask drifted: {zeros} zeros after training, not {mask.pruned}"
        )
    scored = TASK_HEADS[task.head].score(model, task, _test(trial), devices)
    tail = losses[-max(1, len(losses) // 10) :]
    return Record(
        spec=trial,
        status="ok",
        metrics={
            **scored.metrics,
            "zeros": zeros,
            "prunable": size,
            "steps": len(losses),
            "final_loss": round(sum(tail) / len(tail), 5),
        },
        predictions=scored.predictions,
        labels=scored.labels,
    )


def _pruned(trial: Trial, devices: Accelerator) -> tuple[nn.Module, Mask | None, list[float]]:
    """The model pruned and then fine-tuned with the mask held; the mask; the losses."""
    from ..pruning.prunable import prunable_weights
    from ..training.lottery import keep_round

    model, how = _fresh(trial), trial.pruning
    if how.method != "lottery":
        mask = _mask(trial, model)
        return model, mask, _tune(trial, model, mask, devices)
    mask = _ticket(trial, model, devices)
    original = {name: weight.clone() for name, weight in prunable_weights(model).items()}
    losses = _tune(trial, model, mask, devices)
    further = round(how.sparsity + how.rate, 6)
    if further < 1 and devices.is_main_process:
        keep_round(model, original, further, _tickets(trial))  # this training was the next round's
    return model, mask, losses


def _tune(trial: Trial, model: nn.Module, mask: Mask | None, devices: Accelerator) -> list[float]:
    from ..training.fine_tune import fine_tune

    return fine_tune(model, _train(trial), trial.training, trial.seed, devices, mask)


def ticket(trial: Trial) -> Mask:
    """The mask of a lottery trial: from the cache, or found by training round after round.

    Raises:
        InputError: the model or the data cannot be had.
    """
    from ..training import device

    return _ticket(trial, _fresh(trial), device.accelerator())


def _ticket(trial: Trial, model: nn.Module, devices: Accelerator) -> Mask:
    from ..training.lottery import lottery

    how = trial.pruning

    def tune(model: nn.Module, mask: Mask | None) -> list[float]:
        return _tune(trial, model, mask, devices)

    return lottery(model, tune, how.sparsity, how.rate, _tickets(trial))


def _tickets(trial: Trial) -> Path:
    """Where the masks of a lottery's rounds are kept."""
    return cache_folder() / "lottery" / f"{trial.at(0.0).id}-{trial.pruning.rate:g}"


def one_shot(trial: Trial) -> Mask:
    """The mask of one-shot magnitude pruning at a trial's sparsity, with the names of that trial's model."""
    mask = _mask(replace(trial, pruning=Pruning(sparsity=trial.pruning.sparsity)), _fresh(trial))
    assert mask is not None
    return mask


def _mask(trial: Trial, model: nn.Module) -> Mask | None:
    """What a trial removes by one look at the weights; None for the dense model."""
    from ..pruning.one_shot import one_look

    how = trial.pruning
    return one_look(model, how.sparsity, how.method, how.scope, how.pattern, trial.seed) if how.sparsity else None


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
    from ..training import device

    model, _, losses = _pruned(dense, device.accelerator())
    return {name: tensor.cpu() for name, tensor in model.state_dict().items()}, losses


def _fresh(trial: Trial) -> nn.Module:
    """The pre-trained model with a new head, still on the CPU."""
    from .. import tasks
    from ..models import loading
    from ..training import device

    task = tasks.get(trial.task)
    model = loading.with_head(trial.model, task.head, len(task.classes), trial.seed)
    device.suit_attention(model, device.accelerator().device)
    return model


def prepare(trial: Trial) -> None:
    """Fetch and check what a trial needs: its model, its task, and that they fit.

    Raises:
        InputError: something is unknown, cannot be had, or does not fit.
    """
    from .. import tasks
    from ..models import loading

    task = tasks.get(trial.task)
    loading.check_fits(trial.model, task.head, trial.training.max_length)
    _data(trial.task)
    _check_readable(trial.task, trial.model, trial.training.max_length)


@lru_cache(maxsize=64)
def _check_readable(task: str, model: str, max_length: int) -> None:
    from .. import tasks
    from .task_heads import TASK_HEADS

    splits = _data(task)[0]
    for part in (splits.train, splits.test):
        TASK_HEADS[tasks.get(task).head].check(part, model, max_length)


@lru_cache(maxsize=4)
def _data(task: str) -> tuple[Splits, str]:
    from .. import tasks

    splits = tasks.get(task).splits()
    return splits, f"{splits.train.fingerprint()}+{splits.test.fingerprint()}"


def _train(trial: Trial) -> EncodedExamples:
    limit = trial.training.max_train
    drawn = limit is not None and limit < len(_data(trial.task)[0].train)
    limit, seed = (limit, trial.seed) if drawn else (None, 0)  # all of them are the same for every seed
    return _encoded(trial.task, trial.model, trial.training.max_length, limit, seed)


def _test(trial: Trial) -> EncodedExamples:
    return _encoded(trial.task, trial.model, trial.training.max_length, trial.training.max_test)


@lru_cache(maxsize=8)
def _encoded(
    task: str, model: str, max_length: int, limit: int | None = None, seed: int | None = None
) -> EncodedExamples:
    """At most so many training examples (without a seed, test examples), encoded once for all that a worker runs."""
    from .. import tasks
    from ..training.fine_tune import subset
    from .task_heads import TASK_HEADS

    splits = _data(task)[0]
    if seed is None:
        examples = tasks.fixed_part(splits.test, limit)
    elif limit is None:
        examples = splits.train
    else:
        examples = splits.train.take(subset(len(splits.train), limit, seed).tolist())
    return TASK_HEADS[tasks.get(task).head].encode(examples, model, max_length)
