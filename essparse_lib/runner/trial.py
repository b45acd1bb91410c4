"""One trial becomes one record: here, and nowhere else, do trials meet models."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..files import cache_folder
from ..records.store import Record, Status, Store
from ..specs.methods import METHODS, Extent
from ..specs.trial import Timing, Trial
from . import dense_weights, workbench
from .attempts import recorded, text_read
from .dense_weights import Course
from .fresh_models import fresh_model
from .workbench import Workbench

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import nn

    from ..pruning.masks import Mask
    from ..pruning.method import Pruned


@dataclass(frozen=True)
class _Tuned:
    """A model that was pruned and fine-tuned, in whichever order; its mask (None if it is dense); how that went."""

    model: nn.Module
    mask: Mask | None
    course: Course


def checks(trial: Trial) -> dict[Hashable, Callable[[], object]]:
    """Return what must be checked before a trial is run, by what the check depends on."""
    training, text = trial.training, text_read(trial.pruning)
    return {
        ("trial", trial.model, trial.task, training.max_length, training.held_out, text): partial(prepare, trial),
    }


def run(trial: Trial, store: Store, deadline: float | None) -> Record:
    """Run one trial as ``execute`` does; it uses neither the store nor the deadline."""
    return execute(trial)


def prepare(trial: Trial, bench: Workbench | None = None) -> None:
    """Fetch and check what a trial needs: its model, its task, the text that its method reads, and that they fit.

    Args:
        trial: the trial.
        bench: what is loaded already and where to keep what is loaded now; None for the process's own.

    Raises:
        InputError: something is unknown, cannot be had, or does not fit.
    """
    from .. import tasks
    from ..models import loading

    bench = bench or workbench.current()
    loading.check_fits(trial.model, tasks.get(trial.task).head, trial.training.max_length)
    bench.check(trial.task, trial.model, trial.training.max_length, trial.training.held_out)
    if METHODS[trial.pruning.method].calibrated:
        bench.windows(trial.pruning, trial.model, trial.seed)


def execute(trial: Trial, bench: Workbench | None = None) -> Record:
    """Run one trial: prune, fine-tune with the mask held, evaluate.

    Args:
        trial: the trial.
        bench: what is loaded already and where to keep what is loaded now; None for the process's own.

    Returns:
        Its record, also where training diverged or an error ended it.

    Raises:
        InputError: the model or the data cannot be had: nothing was tried.
    """
    from ..training import device

    bench = bench or workbench.current()
    prepare(trial, bench)
    devices = device.accelerator()
    data = bench.data(trial.task, trial.training.held_out)
    return recorded(
        trial, devices.device, data.fingerprint, data.splits.origin, lambda _: _outcome(trial, bench, devices)
    )


def trained(trial: Trial, bench: Workbench | None = None) -> nn.Module:
    """Return the model that a trial comes to, on the CPU: pruned, and fine-tuned with the mask held.

    Raises:
        InputError: the model or the data cannot be had, or the training diverges.
    """
    from ..training import device
    from ..training.loop import Diverged

    bench = bench or workbench.current()
    prepare(trial, bench)
    try:
        return _tuned(trial, bench, device.accelerator()).model.cpu()
    except Diverged as error:
        raise InputError(f"{trial} diverged ({error}): train at a lower rate") from error


def _tuned(trial: Trial, bench: Workbench, devices: Accelerator) -> _Tuned:
    """Return a trial's model, pruned and fine-tuned in its order; raise ``Diverged`` for a NaN loss or weight."""
    from ..pruning.extents import weights_of
    from ..training.loop import Diverged

    train = _pruned_after if trial.pruning.timing == Timing.AFTER else _pruned_before
    tuned = train(trial, bench, devices)
    if not all(weight.isfinite().all() for weight in weights_of(tuned.model, trial.pruning.extent).values()):
        raise Diverged("weights are NaN or infinite after the last step")
    return tuned


def _outcome(trial: Trial, bench: Workbench, devices: Accelerator) -> Record:
    """Return a trial's record, without its provenance."""
    from .. import tasks
    from ..pruning.extents import removed_by_part, weights_of
    from ..pruning.masks import zeros_and_size
    from ..training.loop import Diverged
    from .task_heads import TASK_HEADS

    task = tasks.get(trial.task)
    try:
        tuned = _tuned(trial, bench, devices)
    except Diverged as error:
        return Record(spec=trial, status=Status.DIVERGED, reason=str(error))
    zeros, size = zeros_and_size(weights_of(tuned.model, trial.pruning.extent))
    if tuned.mask is not None and tuned.mask.drift(tuned.model):
        reason = f"the mask drifted: {zeros} zeros after training, not {tuned.mask.pruned}"
        return Record(spec=trial, status=Status.FAILED, reason=reason)
    scored = TASK_HEADS[task.head].score(tuned.model, task, bench.test_examples(trial), devices)
    epochs: dict[str, Any] = {}
    if TASK_HEADS[task.head].watch is not None:
        epochs = {"epochs": [*tuned.course.epochs, scored.metrics[task.metric]]}
    removed: dict[str, Any] = {}
    if tuned.mask is not None and trial.pruning.extent != Extent.BLOCKS:
        parts = removed_by_part(tuned.model, tuned.mask, trial.pruning.extent)
        removed = {"removed": {part: [count.pruned, count.size] for part, count in parts.items()}}
    losses = tuned.course.losses
    tail = losses[-max(1, len(losses) // 10) :]
    return Record(
        spec=trial,
        status=Status.OK,
        metrics={
            **scored.metrics,
            "zeros": zeros,
            "prunable": size,
            "steps": len(losses),
            "final_loss": round(sum(tail) / len(tail), 5),
        },
        predictions=scored.predictions,
        labels=scored.labels,
        values={**scored.values, **epochs, **removed},
    )


def _pruned_before(trial: Trial, bench: Workbench, devices: Accelerator) -> _Tuned:
    """Prune the model and then fine-tune it with the mask held."""
    if not trial.pruning.sparsity:
        return _dense(trial, bench, devices)
    model = fresh_model(trial)
    if METHODS[trial.pruning.method].trained:
        return _ticket_tuned(trial, model, bench, devices)
    mask = _remove(trial, model, bench, devices)
    return _Tuned(model, mask, _fine_tune(trial, model, mask, bench, devices))


def _ticket_tuned(trial: Trial, model: nn.Module, bench: Workbench, devices: Accelerator) -> _Tuned:
    """Find the lottery's mask, and fine-tune the model with it held; keep what this training gives the next round."""
    from ..pruning.prunable import prunable_weights
    from ..training.lottery import keep_round

    mask = _find_ticket(trial, model, bench, devices)
    original = {name: weight.clone() for name, weight in prunable_weights(model).items()}
    course = _fine_tune(trial, model, mask, bench, devices)
    following = round(trial.pruning.sparsity + trial.pruning.rate, 6)
    if following < 1 and devices.is_main_process:
        keep_round(model, original, following, _ticket_folder(trial))  # this training was the next round's
    return _Tuned(model, mask, course)


def _pruned_after(trial: Trial, bench: Workbench, devices: Accelerator) -> _Tuned:
    """Fine-tune the dense model and then prune it, with no training to follow."""
    dense = trial.at(0.0)

    def tune() -> dense_weights.Tuned:
        trained = _dense(dense, bench, devices)
        return _weights_of(trained.model, trained.course)

    tuned = bench.dense_model(dense, tune)
    model = fresh_model(trial)
    model.load_state_dict(tuned.state)
    return _Tuned(model, _remove(trial, model, bench, devices), tuned.course)


def _dense(trial: Trial, bench: Workbench, devices: Accelerator) -> _Tuned:
    """Fine-tune a dense trial's model, or give it the weights that the same training gave before."""
    model = fresh_model(trial)

    def tune() -> dense_weights.Tuned:
        return _weights_of(model, _fine_tune(trial, model, None, bench, devices))

    if bench.shares_trainings and dense_weights.are_exact(devices.device) and dense_weights.room():
        data = bench.data(trial.task, trial.training.held_out).fingerprint
        shared = dense_weights.shared(trial, data, devices.device, tune)
        model.load_state_dict(shared.state)
        return _Tuned(model, None, shared.course)
    return _Tuned(model, None, _fine_tune(trial, model, None, bench, devices))


def _weights_of(model: nn.Module, course: Course) -> dense_weights.Tuned:
    """Return a fine-tuned model's weights on the CPU, with how its training went."""
    return dense_weights.Tuned({name: tensor.cpu() for name, tensor in model.state_dict().items()}, course)


def _fine_tune(trial: Trial, model: nn.Module, mask: Mask | None, bench: Workbench, devices: Accelerator) -> Course:
    """Fine-tune a model in place as a trial says; return how it went."""
    from .. import tasks
    from ..training.fine_tune import EpochScores, fine_tune
    from .task_heads import TASK_HEADS

    train, watch = bench.train_examples(trial), TASK_HEADS[tasks.get(trial.task).head].watch
    if watch is None:
        return Course(fine_tune(model, train, trial.training, trial.seed, devices, mask), [])
    test = bench.test_examples(trial)
    observer = EpochScores(len(train), trial.training, lambda: watch(model, test, devices))
    losses = fine_tune(model, train, trial.training, trial.seed, devices, mask, observer)
    return Course(losses, observer.scores)


def _remove(trial: Trial, model: nn.Module, bench: Workbench, devices: Accelerator) -> Mask | None:
    """Prune a model in place by the trial's one-shot method, and return the mask; None for the dense model."""
    if not trial.pruning.sparsity:
        return None
    pruned = _choose(trial, model, bench, devices)
    pruned.apply(model)
    return pruned.mask


def _choose(trial: Trial, model: nn.Module, bench: Workbench, devices: Accelerator) -> Pruned:
    """Return what a trial's one-shot method removes from a model."""
    from ..pruning import registry
    from ..pruning.method import Request

    pruning, windows = trial.pruning, None
    if METHODS[pruning.method].calibrated:
        windows = bench.windows(pruning, trial.model, trial.seed)
        model.to(devices.device)  # whole texts go through it
    request = Request(
        sparsity=None if pruning.pattern else pruning.sparsity,
        pattern=pruning.pattern or None,
        scope=pruning.scope,
        seed=trial.seed,
        calibration=windows,
        extent=pruning.extent,
    )
    return registry.prune(model, pruning.method, request)


def ticket(trial: Trial, bench: Workbench | None = None) -> Mask:
    """Return the mask of a lottery trial: from the cache, or found by training round after round.

    Raises:
        InputError: the model or the data cannot be had.
    """
    from ..training import device

    return _find_ticket(trial, fresh_model(trial), bench or workbench.current(), device.accelerator())


def _find_ticket(trial: Trial, model: nn.Module, bench: Workbench, devices: Accelerator) -> Mask:
    """Return the mask of a lottery trial, found by training the model; the model is left as it was."""
    from ..training.lottery import lottery

    def train(model: nn.Module, mask: Mask | None) -> None:
        if mask is None:  # the first round's training is the dense model's
            model.load_state_dict(_dense(trial.at(0.0), bench, devices).model.state_dict())
        else:
            _fine_tune(trial, model, mask, bench, devices)

    return lottery(model, train, trial.pruning.sparsity, trial.pruning.rate, _ticket_folder(trial))


def _ticket_folder(trial: Trial) -> Path:
    """Return where the masks of a lottery's rounds are kept."""
    return cache_folder() / "lottery" / trial.lottery
