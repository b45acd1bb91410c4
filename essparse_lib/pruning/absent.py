"""Refuse weights that cannot be masked because they are not in the model: computed, offloaded, on ``meta``, sharded."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..errors import InputError
from .wrapped import is_a, plain_modules

#: Hooks by which torch's old normalisations compute a weight.
_COMPUTING_HOOKS = {
    "torch.nn.utils.weight_norm.WeightNorm": "torch.nn.utils.remove_weight_norm",
    "torch.nn.utils.spectral_norm.SpectralNorm": "torch.nn.utils.remove_spectral_norm",
}


def computed_weights(model: nn.Module) -> dict[str, str]:
    """Return the weights that a model computes from other parameters, such as by weight or spectral normalisation.

    Args:
        model: any PyTorch model, wrapped or not.

    Returns:
        What makes each of them a parameter again, as code, by the weight's plain name.

    >>> computed_weights(nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))))
    {'0.weight': "torch.nn.utils.parametrize.remove_parametrizations(model.get_submodule('0'), 'weight')"}
    """
    remedies = {}
    for path, module in plain_modules(model):
        prefix = f"{path}." if path else ""
        place = f"model.get_submodule({path!r})" if path else "model"
        if parametrize.is_parametrized(module):
            for attribute in module.parametrizations:  # type: ignore[union-attr]
                remedies[prefix + attribute] = (
                    f"torch.nn.utils.parametrize.remove_parametrizations({place}, {attribute!r})"
                )
        for hook in module._forward_pre_hooks.values():
            for kind, remove in _COMPUTING_HOOKS.items():
                if is_a(hook, kind):
                    attribute = vars(hook)["name"]
                    remedies[prefix + attribute] = f"{remove}({place}, {attribute!r})"
    return remedies


def check_values(name: str, weight: torch.Tensor, module: nn.Module | None = None) -> None:
    """Check that the values of a weight are in the model.

    Args:
        name: the weight's name.
        weight: the weight.
        module: the module that holds it, for a message that says where the values are.

    Raises:
        InputError: the weight has no values here: it is on the device ``meta``, offloaded by accelerate, packed by a
            quantisation, or partitioned by DeepSpeed.
    """
    if hasattr(weight, "ds_id") and not weight.numel():
        raise InputError(
            f"{name} is partitioned by DeepSpeed ZeRO-3: gather it with deepspeed.zero.GatheredParameters(..., "
            "modifier_rank=0), or mask the model before deepspeed.initialize"
        )
    if getattr(weight, "quant_state", None) is not None:
        raise InputError(f"{name} is quantised, several weights to a byte: prune the model first, and quantise it then")
    if not weight.is_meta:
        return
    if getattr(module, "_hf_hook", None) is not None:
        raise InputError(
            f"{name} is offloaded by accelerate, so its values are not in the model: call "
            "accelerate.hooks.remove_hook_from_submodules(model), or load the model without offloading"
        )
    raise InputError(
        f"{name} is on the device 'meta', which has no values: load the model's weights first (from_pretrained without "
        "device_map='meta', or model.to_empty and load_state_dict)"
    )


def check_complete(name: str, weight: torch.Tensor, module: nn.Module | None = None) -> None:
    """Check that all values of a weight are here, so that a mask can be chosen by them.

    Args:
        name: the weight's name.
        weight: the weight.
        module: the module that holds it, for a message that says where the values are.

    Raises:
        InputError: as ``check_values``; or the weight is sharded, so that this process has a part of it alone.
    """
    check_values(name, weight, module)
    if is_a(weight, "torch.distributed.tensor.DTensor"):
        raise InputError(
            f"{name} is sharded over processes (FSDP2 or tensor parallelism): choose the mask before the model is "
            "sharded; Mask.apply and Mask.held then work on the shards"
        )


def misfit(name: str, shape: torch.Size, here: str, hint: str = "", complaint: str = "") -> InputError:
    """Return the error for a mask that does not fit a model or its weights.

    Args:
        name: the parameter's name.
        shape: its shape in the mask.
        here: in a few words, what there is in place of it.
        hint: what ends the line, such as the nearest names.
        complaint: what the line begins with; by default, that the mask is of another model.

    >>> str(misfit("w", torch.Size([2]), "shape (3,)"))
    'the mask is of another model: w has shape (2,) there, shape (3,) here'
    """
    begins = complaint or "the mask is of another model"
    return InputError(f"{begins}: {name} has shape {tuple(shape)} there, {here} here{hint}")


def absence(model: nn.Module, name: str) -> str:
    """Return, in a few words, what a model has in place of a parameter that it lacks.

    Args:
        model: the model.
        name: the plain name that is no parameter's.
    """
    path, _, attribute = name.rpartition(".")
    module = next((module for place, module in plain_modules(model) if place == path), None)
    if module is not None and isinstance(vars(module).get(attribute), torch.Tensor):
        return "a tensor that is no parameter"
    if module is not None and attribute in module._buffers:
        return "a buffer, which is not trained,"
    if module is not None and any(key in module._buffers for key in ("qweight", "weight_packed")):
        return "a quantised weight (prune the model first, and quantise it then)"
    return "no such weight"
