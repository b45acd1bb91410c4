"""One pre-training becomes one record, and a model that trials can name."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, unknown
from ..files import cache_folder, sha256, share, writable
from ..records.pretrained import PRETRAINED, SCALES, folder_of, store_of
from ..records.store import Record
from ..specs.pretraining import ImagePretraining, Pretraining, TextPretraining
from .provenance import finished, made_with

if TYPE_CHECKING:
    from torch import nn

    from ..training.pretrain import Objective


def pretrain(asked: Pretraining, folder: Path, deadline: float | None = None) -> Record | None:
    """Train a model from random weights, or go on where an earlier call was ended, and save it.

    Args:
        folder: where the trained model goes, as ``from_pretrained`` loads it, in fp16.
        deadline: by ``time.time()``; a training that is not done by then is kept in the cache.

    Returns:
        Its record, also where the loss became NaN; None if the deadline came first.

    Raises:
        InputError: the corpus cannot be had, or what the cache keeps of the training is another one's or damaged.
    """
    from ..training import device, pretrain

    started = time.perf_counter()
    devices = device.accelerator()
    objective = prepare(asked)
    device.reset_peak_memory(devices.device)
    trained = pretrain.pretrain(asked, objective, devices, checkpoint_of(asked), deadline)
    if not trained.diverged and len(trained.losses) < asked.steps:
        return None
    values = {"dynamics": trained.dynamics.plain(), **objective.described()}
    with devices.autocast():
        found = {} if trained.diverged else objective.metrics(trained)
    provenance = {
        **made_with(devices.device),
        "data": objective.content,
        "peak_memory_bytes": device.peak_memory(devices.device),
        **finished(started),
        "seconds": round(trained.seconds, 2),
    }
    if trained.diverged:
        return Record(spec=asked, status="diverged", values=values, reason=trained.diverged, provenance=provenance)
    tail = trained.losses[-max(1, len(trained.losses) // 100) :]
    metrics = {
        "held_out_loss": trained.dynamics.held_out[-1],
        "final_loss": round(sum(tail) / len(tail), 5),
        "steps": len(trained.losses),
        "parameters": sum(p.numel() for p in objective.model(trained.module).parameters()),
        **found,
    }
    if devices.is_main_process:
        _save(objective, trained.module, folder)
        provenance["weights"] = sha256(folder / "model.safetensors")[:16]
    return Record(spec=asked, status="ok", metrics=metrics, values=values, provenance=provenance)


def build(name: str, budget: float | None = None) -> str:
    """Train a model that is named in ``pretrained``, if its weights are not there, and say in a line what came of it.

    Where there is a record but no weights, as where they are too large to be kept with it, the record stays as it is.

    Args:
        budget: seconds of wall-clock time, after which the training is kept to be gone on with.

    Raises:
        InputError: no model of this name is trained here, or as ``pretrain``.
    """
    from ..training import device
    from ..training.checkpoints import read_notes

    if name not in SCALES:
        raise unknown("model to train", name, SCALES)
    asked, store = PRETRAINED[SCALES[name]][name], store_of(name)
    known = store.records_of(asked).get(asked.id)
    if known is None or (known.status == "ok" and folder_of(name) is None):
        store.check_writable()
        device.use_threads(os.cpu_count() or 1)
        device.keep_memory()
        with store.claimed(asked) as mine:
            if not mine:
                return f"{name}: another process is training it"
            made = pretrain(asked, store.pretrained(name), None if budget is None else time.time() + budget)
            if made is None:
                kept = read_notes(checkpoint_of(asked)) or {"steps": 0}
                return f"{name}: {kept['steps']} of {asked.steps} steps are done: run the same command to go on"
            if known is None:
                store.append(made)
                known = made
            elif made.status != "ok":
                raise InputError(f"{made.spec}: {made.status} this time ({made.reason}), unlike its record")
    if known.status != "ok":
        return f"{name}: {known.status}, {known.reason}"
    folder = folder_of(name)
    assert folder is not None
    same = sha256(folder / "model.safetensors").startswith(known.provenance["weights"])
    differs = "" if same else ", not bit for bit those of its record"
    return f"{name}: held-out loss {known.metrics['held_out_loss']:.4f} {asked.loss_unit}, weights in {folder}{differs}"


def checkpoint_of(asked: Pretraining) -> Path:
    """Where a training that is not done is kept."""
    return cache_folder() / "pretraining" / f"{asked.id}.safetensors"


def prepare(asked: Pretraining) -> Objective:
    """What a model is trained for, with the text or the images that it takes; made once and then read from the cache.

    Raises:
        InputError: the corpus or the task is unknown, cannot be had, or does not fit what is asked.
    """
    if isinstance(asked, ImagePretraining):
        from .. import tasks
        from ..training.image_objectives import ImageObjective

        return ImageObjective(asked, tasks.get(asked.task))
    assert isinstance(asked, TextPretraining)
    from transformers import AutoTokenizer

    from .. import corpora
    from ..corpora.packed import pack
    from ..training.text_objectives import TextObjective

    text = pack(corpora.get(asked.corpus), asked.vocabulary, asked.length)
    return TextObjective(asked, text, AutoTokenizer.from_pretrained(text.tokenizer_folder))


def _save(objective: Objective, module: nn.Module, folder: Path) -> None:
    """Save the model whole or not at all."""
    from ..models.loading import quiet

    with writable(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            made = Path(temporary) / "model"
            with quiet():
                objective.save(module, made)
            share(made)
            shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed before it wrote its record
            made.replace(folder)
