"""Checkpoints: the state of a training between two steps as one file, from which a killed training resumes exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from ..errors import InputError, one_line
from ..files import writing
from .loop import TrainingState


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
    data = save({name: t.cpu().contiguous() for name, t in tensors.items()}, {"notes": json.dumps(notes)})
    with writing(path) as file:
        file.write(data)


def read_notes(path: Path) -> dict[str, Any] | None:
    """Return the notes of a checkpoint, or None if the file does not exist.

    Raises:
        InputError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["notes"])
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error


def restore_state(state: TrainingState, path: Path) -> None:
    """Replace a training's state by the one in a checkpoint, before the first step.

    Args:
        state: the state to overwrite.
        path: a file that ``save_state`` wrote.

    Raises:
        InputError: the file is damaged, or belongs to a model of another shape; the state is then unchanged.
    """
    try:
        with safe_open(path, "pt") as file:
            names = set(file.keys())
            tensors = _saved_tensors(state.model)
            shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
            saved_shapes = {name: file.get_slice(name).get_shape() for name in names if name.startswith("model/")}
            if saved_shapes != shapes:
                differing = sorted(
                    name.removeprefix("model/")
                    for name in {*saved_shapes, *shapes}
                    if saved_shapes.get(name) != shapes.get(name)
                )
                raise InputError(
                    f"{path} is a checkpoint of another configuration: {differing[0]} and {len(differing) - 1} more "
                    "differ; remove it to begin anew"
                )
            with torch.no_grad():
                for name, tensor in tensors.items():
                    tensor.copy_(file.get_tensor(name))
            for name, parameter in state.model.named_parameters():
                keys = [key for key in names if key.startswith("optimizer/") and key.endswith(f"/{name}")]
                if keys:  # parameters that are not trained have no moments
                    state.optimizer.state[parameter] = {
                        key.split("/")[1]: file.get_tensor(key).to(parameter.device) for key in keys
                    }
            state.losses[:] = file.get_tensor("losses").tolist()
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error


def _saved_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters, each once even if it has several names, and the buffers of the model's state dict."""
    saved_names = model.state_dict().keys()
    return {
        f"model/{name}": tensor
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
        if isinstance(tensor, nn.Parameter) or name in saved_names
    }


def _damaged(path: Path, error: BaseException) -> InputError:
    return InputError(f"{path} is damaged ({one_line(error)}): move it away, and the training begins anew")
