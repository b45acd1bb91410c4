"""Checkpoints: the state of a training between two steps as one file, from which a killed training resumes exactly."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from ..errors import InputError
from ..files import writing
from ..pruning.mask_io import weights_fingerprint
from ..sources.foreign import reading, regular_file
from .loop import TrainingState

_HINT = "it is damaged or of an earlier version, move it away, and the training begins anew"
#: What AdamW keeps for each parameter: the number of its steps, and two tensors like it.
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def save_state(state: TrainingState, notes: dict[str, Any], path: Path) -> None:
    """Write a training's state to a file.

    The file holds parameters and buffers, the optimizer's moments, the losses and the notes. It holds no state of a
    random generator: what is drawn in a step must depend on the number of the step alone.

    Args:
        state: the state to save; all its losses must be checked.
        notes: plain data that are saved as JSON.
        path: the file to write; an existing file is replaced atomically.

    Raises:
        InputError: the disk is full, or the folder cannot be written.
    """
    tensors = {name: tensor.detach() for name, tensor in _saved_tensors(state.model).items()}
    for name, parameter in state.model.named_parameters():
        for moment, value in state.optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{moment}/{name}"] = value
    tensors["losses"] = torch.tensor(state.losses, dtype=torch.float32)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    data = save(tensors, {"notes": json.dumps({"notes": notes, **_checksums(tensors, notes)})})
    with writing(path) as file:
        file.write(data)


def read_notes(path: Path) -> dict[str, Any] | None:
    """Return the notes of a checkpoint, or None if the file does not exist.

    Raises:
        InputError: the file is damaged.
    """
    if not os.path.lexists(path):  # what is no file, such as a link to itself, is refused
        return None
    with reading(path, _HINT), safe_open(regular_file(path), "pt") as file:
        return _checked_notes(file, path)["notes"]


def _checked_notes(file: Any, path: Path) -> dict[str, Any]:
    """Return what a checkpoint's metadata hold: the notes, their SHA-256 and that of the tensors."""
    content = json.loads((file.metadata() or {})["notes"])
    notes = content.get("notes") if isinstance(content, dict) else None
    if not isinstance(notes, dict) or content.get("notes_sha256") != _checksums({}, notes)["notes_sha256"]:
        raise InputError(f"{path} cannot be read (its notes are not those that were written): {_HINT}")
    return content


def restore_state(state: TrainingState, path: Path) -> None:
    """Replace a training's state by the one in a checkpoint, before the first step.

    Args:
        state: the state to overwrite.
        path: a file that ``save_state`` wrote.

    Raises:
        InputError: the file is damaged, or belongs to a model of another shape; the state is then unchanged.
    """
    with reading(path, _HINT), safe_open(regular_file(path), "pt") as file:
        content = _checked_notes(file, path)
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dictionary)
    expected = _expected_forms(state.model)
    names = {*stored, *expected} - {"losses"}
    differing = sorted(name for name in names if _form(stored.get(name)) not in expected.get(name, ()))
    if differing:
        name = differing[0].removeprefix("model/")[:200]
        raise InputError(
            f"{path} is a checkpoint of another configuration: {name} and {len(differing) - 1} more "
            "differ; remove it to begin anew"
        )
    losses = stored.pop("losses", torch.zeros(0, 0))
    if (
        _checksums({**stored, "losses": losses}, {})["tensors_sha256"] != content.get("tensors_sha256")
        or losses.dim() != 1
    ):
        raise InputError(f"{path} cannot be read (its tensors are not those that were written): {_HINT}")
    with torch.no_grad():
        for name, tensor in _saved_tensors(state.model).items():
            tensor.copy_(stored[name])
    for name, parameter in state.model.named_parameters():
        keys = {moment: f"optimizer/{moment}/{name}" for moment in _MOMENTS}
        moments = {moment: stored[key] for moment, key in keys.items() if key in stored}
        if moments:  # parameters that are not trained have no moments
            state.optimizer.state[parameter] = {key: value.to(parameter.device) for key, value in moments.items()}
    state.losses[:] = losses.tolist()


def _saved_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters, each once even if it has several names, and the buffers of the model's state dict."""
    saved_names = model.state_dict().keys()
    return {
        f"model/{name}": tensor
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
        if isinstance(tensor, nn.Parameter) or name in saved_names
    }


def _expected_forms(model: nn.Module) -> dict[str, list[Any]]:
    """Return, by the names that a file has for a model's tensors and AdamW's moments, the forms that these may have.

    Moments may be missing: those of parameters that are not trained are.
    """
    forms: dict[str, list[Any]] = {name: [_form(tensor)] for name, tensor in _saved_tensors(model).items()}
    for name, parameter in model.named_parameters():
        for moment in _MOMENTS:
            form = (torch.float32, torch.Size(())) if moment == "step" else _form(parameter)
            forms[f"optimizer/{moment}/{name}"] = [None, form]
    return forms


def _form(tensor: torch.Tensor | None) -> tuple[torch.dtype, torch.Size] | None:
    """Return a tensor's dtype and shape, None if there is no tensor."""
    return None if tensor is None else (tensor.dtype, tensor.shape)


def _checksums(tensors: dict[str, torch.Tensor], notes: dict[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of tensors and of notes."""
    written = hashlib.sha256(json.dumps(notes).encode()).hexdigest()
    return {"tensors_sha256": weights_fingerprint(tensors), "notes_sha256": written}
