"""A training between two steps as one file, so that a killed one goes on as if nothing had happened."""

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
from .loop import State


def save_state(state: State, notes: dict[str, Any], path: Path) -> None:
    """Write a training's state: parameters and buffers, the optimizer's moments, losses (all looked at), notes as JSON.

    Chance is not in it: what is drawn in a step must depend on the number of the step alone.

    Raises:
        InputError: the disk is full, or the folder cannot be written.
    """
    tensors = {name: tensor.detach() for name, tensor in _kept(state.model).items()}
    for name, parameter in state.model.named_parameters():
        for moment, value in state.optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{moment}/{name}"] = value
    tensors["losses"] = torch.tensor(state.losses, dtype=torch.float32)
    data = save({name: t.cpu().contiguous() for name, t in tensors.items()}, {"notes": json.dumps(notes)})
    with writing(path) as file:
        file.write(data)


def read_notes(path: Path) -> dict[str, Any] | None:
    """The notes of a saved state; None if there is none.

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


def restore(state: State, path: Path) -> None:
    """Put a saved state in place of a training's own, before its first step.

    Raises:
        InputError: the file is damaged, or is that of a model of another shape; nothing has changed then.
    """
    try:
        with safe_open(path, "pt") as file:
            names = set(file.keys())
            own = _kept(state.model)
            shapes = {name: list(parameter.shape) for name, parameter in own.items()}
            kept = {n: file.get_slice(n).get_shape() for n in names if n.startswith("model/")}
            if kept != shapes:
                strange = sorted(n.removeprefix("model/") for n in {*kept, *own} if kept.get(n) != shapes.get(n))
                raise InputError(
                    f"{path} is a checkpoint of another configuration: {strange[0]} and {len(strange) - 1} more "
                    "differ; remove it to begin anew"
                )
            with torch.no_grad():
                for name, tensor in own.items():
                    tensor.copy_(file.get_tensor(name))
            for name, parameter in state.model.named_parameters():
                moments = {n.split("/")[1]: n for n in names if n.startswith("optimizer/") and n.endswith(f"/{name}")}
                if moments:  # what is not trained has none
                    state.optimizer.state[parameter] = {
                        moment: file.get_tensor(full).to(parameter.device) for moment, full in moments.items()
                    }
            state.losses[:] = file.get_tensor("losses").tolist()
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error


def _kept(model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters, each once however many names it has, and those buffers that a saved model has."""
    saved = model.state_dict().keys()
    return {
        f"model/{name}": tensor
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
        if isinstance(tensor, nn.Parameter) or name in saved
    }


def _damaged(path: Path, error: BaseException) -> InputError:
    return InputError(f"{path} is damaged ({one_line(error)}): move it away, and the training begins anew")
