"""Fine-tuned dense weights in the cache: one training serves all trials that need exactly it.

What is pruned after the training, the first round of a lottery and the dense model itself need the same training. It is
shared on a CPU alone, by one process a trial: there a training repeats to the last bit, so a record is the same
whether its weights were trained for it or read. On a GPU sums are taken in an order that varies.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import environment
from ..errors import InputError
from ..files import cache_folder, locked, writing
from ..sources.foreign import reading, regular_file
from ..specs.spec import digest
from ..specs.trial import Trial
from .provenance import code_hash, made_by

if TYPE_CHECKING:
    import torch

#: How many gigabytes of the cache the weights take at most, unless ``ESSPARSE_DENSE_GB`` says another number.
ROOM = 4.0
#: The names of the files: of a trial's identity and a hash of what else decides. No other file is removed.
_NAMES = f"{16 * '[0-9a-f]'}-{16 * '[0-9a-f]'}.safetensors"


@dataclass(frozen=True)
class Course:
    """How a training went.

    Attributes:
        losses: the loss of every step.
        epochs: the score after each epoch but the last, in points; empty where none is kept (``TaskHead.watch``).
    """

    losses: list[float]
    epochs: list[float]


@dataclass(frozen=True)
class Tuned:
    """What a training gives.

    Attributes:
        state: the model's state dict, on the CPU.
        course: how it went.
    """

    state: dict[str, torch.Tensor]
    course: Course


def folder() -> Path:
    """Return the folder of the weights, which may be removed at any time."""
    return cache_folder() / "dense"


def room() -> int:
    """Return how many bytes the weights may take; 0 says that none are kept.

    Raises:
        InputError: ``ESSPARSE_DENSE_GB`` is no number of 0 or more.
    """
    return int(1e9 * environment.gigabytes("ESSPARSE_DENSE_GB", ROOM))


def are_exact(device: torch.device) -> bool:
    """Return whether a training on this device, by this one process, repeats to the last bit."""
    return device.type == "cpu" and environment.processes() == 1


def shared(trial: Trial, data: str, device: torch.device, tune: Callable[[], Tuned]) -> Tuned:
    """Return what the training of a dense trial gives: from the cache, or by ``tune``, and then it is kept.

    Only a training with the same spec, weights, data, code, packages, device, precision and threads is the same one. If
    another process has begun it, this one waits for its end.

    Args:
        trial: the dense trial.
        data: the fingerprint of its task's data.
        device: what it is trained on.
        tune: trains it.
    """
    import torch

    made = made_by(trial.model, device) | {
        "code": code_hash(),
        "data": data,
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }
    made.pop("weights_from")
    path = folder() / f"{trial.id}-{digest(made)}.safetensors"
    with locked(path.with_suffix(".lock")):
        tuned = _read(path)
        if tuned is None:
            tuned = tune()
            _keep(tuned, path)
    return tuned


def _read(path: Path) -> Tuned | None:
    """Return the weights in a file; None if there is none, or a damaged one."""
    from safetensors import safe_open

    try:
        with reading(path), safe_open(regular_file(path), "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dictionary)
            notes = json.loads((file.metadata() or {})["notes"])
            course = Course(*([float(number) for number in notes[name]] for name in ("losses", "epochs")))
            written = notes["sha256"]
    except InputError:  # the training is done again
        return None
    if _checksum(state, course) != written:
        return None
    os.utime(path)  # those that were not used for longest go first
    return Tuned(state, course)


def _keep(tuned: Tuned, path: Path) -> None:
    """Write weights to a file, and remove those that were not used for longest until all fit into their room."""
    from safetensors.torch import save

    # copies, since names may share a tensor, which the file's format refuses
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tuned.state.items()}
    size, limit = sum(tensor.nbytes for tensor in state.values()), room()
    if size > limit:
        return
    notes = {**asdict(tuned.course), "sha256": _checksum(state, tuned.course)}
    try:
        _make_room(path.parent, limit - size)
        data = save(state, {"notes": json.dumps(notes)})
        with writing(path) as file:
            file.write(data)
    except InputError:  # the disk is full: the next one trains them again
        return


def _make_room(folder: Path, allowed: int) -> None:
    """Remove the weights that were not used for longest, until the others take no more than the bytes allowed."""
    kept = []
    for path in folder.glob(_NAMES):
        try:
            kept.append((path.stat().st_mtime, path.stat().st_size, path))
        except OSError:  # another process has removed it
            continue
    total = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if total <= allowed:
            return
        try:
            path.unlink(missing_ok=True)
        except OSError:  # another process is reading it, where a system does not allow both
            continue
        total -= size


def _checksum(state: dict[str, torch.Tensor], course: Course) -> str:
    from ..pruning.mask_io import weights_fingerprint

    return hashlib.sha256(f"{weights_fingerprint(state)} {json.dumps(asdict(course))}".encode()).hexdigest()
