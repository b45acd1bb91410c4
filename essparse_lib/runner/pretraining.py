"""One pre-training becomes one record, and a model that trials can name."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, check_known
from ..files import cache_folder, check_new_folder, sha256, writing, writing_folder
from ..records.pretrained import PRETRAINED, SCALE_OF, folder_of, store_of
from ..records.store import Record, Status, Store
from ..specs.pretraining import ImagePretraining, Pretraining, TextPretraining
from ..specs.spec import Spec
from .provenance import finished, made_with

if TYPE_CHECKING:
    from ..training.pretrain import Objective, TrainingResult

#: The file, beside the weights, of what was measured of the pruned model while it was pre-trained.
PRUNED_LOSSES = "pruned-losses.json"


def checks(spec: Pretraining) -> dict[Hashable, Callable[[], object]]:
    """Return what must be checked before a pre-training is run, by what the check depends on."""
    return {("pre-training", spec.id): partial(prepare, spec)}


def run(spec: Pretraining, store: Store, deadline: float | None) -> Record | None:
    """Run one pre-training as ``pretrain`` does, and save the model next to its records.

    Args:
        spec: the pre-training.
        store: where its record goes; a model that figures name has its weights at its own scale.
        deadline: by ``time.time()``.
    """
    home = store_of(spec.model) if spec.model in SCALE_OF else store
    return pretrain(spec, home.pretrained(spec.model), deadline)


def pretrain(spec: Pretraining, folder: Path, deadline: float | None = None) -> Record | None:
    """Train a model from random weights, or go on where an earlier call was ended, and save it.

    Args:
        spec: the pre-training.
        folder: where the trained model goes, as ``from_pretrained`` loads it, in fp16.
        deadline: by ``time.time()``; a training that is not done by then is kept in the cache.

    Returns:
        Its record, also where the loss became NaN; None if the deadline came first.

    Raises:
        InputError: the corpus cannot be had, what the cache keeps of the training is damaged or of another one, or the
            folder holds what no earlier call made.
    """
    from ..training import device, pretrain

    check_new_folder(folder, replaces=True)  # there is one where a run was killed before it wrote its record
    started = time.perf_counter()
    devices = device.accelerator()
    objective = prepare(spec)
    device.reset_peak_memory(devices.device)
    trained = pretrain.pretrain(spec, objective, devices, checkpoint_of(spec), deadline)
    if not trained.diverged and len(trained.losses) < spec.steps:
        return None
    values = {"dynamics": trained.dynamics.plain(), **objective.described()}
    with devices.autocast():
        further = {} if trained.diverged else objective.metrics(trained)
    provenance = {
        **made_with(devices.device),
        "data": objective.content,
        "peak_memory_bytes": device.peak_memory(devices.device),
        **finished(started),
        "seconds": round(trained.seconds, 2),
    }
    if trained.diverged:
        return Record(spec=spec, status=Status.DIVERGED, values=values, reason=trained.diverged, provenance=provenance)
    tail = trained.losses[-max(1, len(trained.losses) // 100) :]
    final = {"final_loss": round(sum(tail) / len(tail), 5)} if tail else {}  # of no step there is no loss
    metrics = {
        "held_out_loss": trained.dynamics.held_out[-1],
        **final,
        "steps": len(trained.losses),
        "parameters": sum(p.numel() for p in objective.model(trained.module).parameters()),
        **further,
    }
    if devices.is_main_process:
        _save(objective, trained, folder)
        provenance["weights"] = sha256(folder / "model.safetensors")[:16]
    return Record(spec=spec, status=Status.OK, metrics=metrics, values=values, provenance=provenance)


def build(name: str, budget: float | None = None) -> str:
    """Train a model that figures name, if its weights are missing, and return a line that says what came of it.

    Where there is a record but no weights, as where they are too large to be kept with it, the record stays as it is.

    Args:
        name: the model's, in ``records.pretrained.SCALE_OF``.
        budget: seconds of wall-clock time, after which the training is kept to be gone on with.

    Raises:
        InputError: no model of this name is trained here, or as ``pretrain``.
    """
    from ..training import device
    from ..training.checkpoints import read_notes

    check_known("model to train", name, SCALE_OF)
    spec, store = PRETRAINED[SCALE_OF[name]][name], store_of(name)
    record = store.records_of(spec).get(spec.id)
    forget_ended([spec], store)
    if record is None or (record.status == Status.OK and folder_of(name) is None):
        store.check_writable()
        device.use_threads(os.cpu_count() or 1)
        device.keep_memory()
        with store.claimed(spec) as mine:
            if not mine:
                return f"{name}: another process is training it"
            new = pretrain(spec, store.pretrained(name), None if budget is None else time.time() + budget)
            if new is None:
                notes = read_notes(checkpoint_of(spec)) or {"steps": 0}
                return f"{name}: {notes['steps']} of {spec.steps} steps are done: run the same command to go on"
            if record is None:
                store.append(new)
                record = new
            elif new.status != Status.OK:
                raise InputError(f"{new.spec}: {new.status} this time ({new.reason}), unlike its record")
            forget(spec)
    if record.status != Status.OK:
        return f"{name}: {record.status}, {record.reason}"
    folder = folder_of(name)
    assert folder is not None
    same = sha256(folder / "model.safetensors").startswith(record.provenance["weights"])
    differs = "" if same else ", not bit for bit those of its record"
    loss = f"{record.metrics['held_out_loss']:.4f} {spec.loss_unit}"
    return f"{name}: held-out loss {loss}, weights in {folder}{differs}"


def checkpoint_of(spec: Pretraining) -> Path:
    """Return where a pre-training that is not done is kept."""
    return cache_folder() / "pretraining" / f"{spec.id}.safetensors"


def forget(spec: Pretraining) -> None:
    """Remove the checkpoint of a pre-training that has ended, once its record and its model are kept."""
    checkpoint_of(spec).unlink(missing_ok=True)


def forget_ended(specs: Iterable[Spec], store: Store) -> None:
    """Remove the checkpoints that pre-trainings left which were killed after their record was written.

    Args:
        specs: the specs, of which some may be pre-trainings.
        store: where their records are.
    """
    for spec in specs:
        if isinstance(spec, Pretraining) and checkpoint_of(spec).exists():
            record = store.records_of(spec).get(spec.id)
            home = store_of(spec.model) if spec.model in SCALE_OF else store
            ok = record is not None and record.status == Status.OK
            end = home.pretrained(spec.model) / "model.safetensors" if ok else store.path(spec)
            # A later checkpoint is one of a training of this spec that has begun since, for other records.
            if record is not None and end.exists() and end.stat().st_mtime >= checkpoint_of(spec).stat().st_mtime:
                forget(spec)


def prepare(spec: Pretraining) -> Objective:
    """Return what a model is trained for, with its text or images, which are made once and then read from the cache.

    Raises:
        InputError: the corpus or the task is unknown, cannot be had, or does not fit the spec.
    """
    return _OBJECTIVES[type(spec)](spec)


def _text_objective(spec: TextPretraining) -> Objective:
    from transformers import AutoTokenizer

    from .. import corpora
    from ..corpora.packed import pack
    from ..training.text_objectives import TextObjective

    blocks = pack(corpora.get(spec.corpus), spec.vocabulary, spec.length)
    return TextObjective(spec, blocks, AutoTokenizer.from_pretrained(blocks.tokenizer_folder))


def _image_objective(spec: ImagePretraining) -> Objective:
    from .. import tasks
    from ..training.image_objectives import ImageObjective

    return ImageObjective(spec, tasks.get(spec.task))


#: What makes the objective, by the kind of pre-training.
_OBJECTIVES: dict[type[Pretraining], Callable[[Any], Objective]] = {
    TextPretraining: _text_objective,
    ImagePretraining: _image_objective,
}


def _save(objective: Objective, trained: TrainingResult, folder: Path) -> None:
    """Save the model and, beside it, its losses after pruning, whole or not at all."""
    from ..models.quiet import quiet

    with writing_folder(folder, replaces=True) as made:
        with quiet():
            objective.save(trained.module, made)
        weights = sha256(made / "model.safetensors")[:16]
        with writing(made / PRUNED_LOSSES) as file:
            file.write(json.dumps({"weights": weights, **trained.pruned.plain()}).encode())
