"""Masks kept: on disk beside the weights they were made for, and in the formats that others use."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.utils import prune

from ..errors import InputError, one_line
from ..files import writing
from .masks import Mask
from .prunable import is_matrix

#: The one metadata entry of a mask's file (a single one, since safetensors writes several in no fixed order).
_ENTRY = "essparse_mask"


def save_mask(mask: Mask, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a mask to a safetensors file, whole or not at all: a bit a weight, 8 to the byte, first weight highest.

    The metadata holds names, shapes and two SHA-256: of the weights (``fingerprint``), by which ``load_mask`` knows
    other ones, and of the mask. The same mask and weights give the same bytes.

    Args:
        mask: what to write.
        weights: matrices by name that the mask was made for; those that it does not cover are ignored.
        path: the file; its folder is made, a file of that name replaced.

    Raises:
        InputError: the mask is not of these weights, or the file cannot be written.

    >>> import tempfile, torch
    >>> weights = {"w": torch.tensor([0.5, -2.0, 0.1])}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "mask.safetensors"
    ...     save_mask(Mask({"w": weights["w"].abs() > 0.3}), weights, file)
    ...     load_mask(file, weights).keep["w"].tolist()
    [True, True, False]
    """
    shapes, packed = [], {}
    for name, kept in mask.keep.items():
        _check(name, kept, weights.get(name), "the mask is not of these weights")
        shapes.append([name, list(kept.shape)])
        packed[name] = torch.from_numpy(np.packbits(kept.cpu().flatten().numpy()))
    covered = {name: weights[name] for name in packed}
    about = {"shapes": shapes, "weights_sha256": fingerprint(covered), "mask_sha256": _checksum(shapes, packed)}
    data = safetensors.torch.save(packed, {_ENTRY: json.dumps(about)})
    with writing(path) as file:
        file.write(data)


def load_mask(path: Path, weights: Mapping[str, torch.Tensor] | None = None) -> Mask:
    """Read a mask that ``save_mask`` wrote, its matrices in the same order.

    Args:
        path: the file.
        weights: what the mask is to be used on: refused unless these are, bit by bit, the weights that it was made
            for. Leave them out where they have been trained since.

    Raises:
        InputError: there is no such file, it is damaged or holds no mask, or it was made for other weights.

    >>> import tempfile, torch
    >>> weights = {"w": torch.tensor([0.5, -2.0])}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_mask(Mask({"w": weights["w"] < 0}), weights, Path(folder) / "mask")
    ...     trained_since = load_mask(Path(folder) / "mask")
    >>> trained_since.keep["w"].tolist()
    [False, True]
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[_ENTRY])
            packed = {name: file.get_tensor(name) for name, _ in about["shapes"]}
        if _checksum(about["shapes"], packed) != about["mask_sha256"]:
            raise ValueError("its bits are not those that were written")
        keep = {name: _unpacked(packed[name], shape) for name, shape in about["shapes"]}
        made_for = about["weights_sha256"]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or one_line(error)}") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is no mask's file, or a damaged one ({one_line(error)}); save the mask again"
        ) from error
    if weights is not None:
        other = f"the mask in {path} was made for other weights"
        for name, kept in keep.items():
            _check(name, kept, weights.get(name), other)
        if fingerprint({name: weights[name] for name in keep}) != made_for:
            raise InputError(
                f"{other}: names and shapes are the same, values differ (if they were trained since, load the mask "
                "without naming weights)"
            )
    return Mask(keep)


def fingerprint(weights: Mapping[str, torch.Tensor]) -> str:
    """Hexadecimal SHA-256 of weights: their names, dtypes, shapes and bytes, in the order of the names.

    Neither the mapping's order nor the layout in memory matters; every bit of a value does.

    Args:
        weights: tensors by name, any shapes and types.

    >>> import torch
    >>> fingerprint({"w": torch.zeros(2, 2)})[:8], fingerprint({"w": torch.zeros(4)})[:8]
    ('da53214a', '818f4508')
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode() + b"\n")
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def to_torch(mask: Mask, model: nn.Module) -> None:
    """Prune a model, in place, the way ``torch.nn.utils.prune`` does: ``weight_orig`` times ``weight_mask``.

    The removed weights keep their values in ``weight_orig``, so the pruning can be undone or changed; every forward
    pass multiplies anew. For training, ``Mask.held`` costs less. A weight that several modules share is pruned in each
    of them, and stays shared.

    Args:
        mask: its names are the model's.
        model: changed in place; ``prune.remove`` makes the zeros final.

    Raises:
        InputError: the mask is of another model, or the model is pruned by torch already; nothing is changed then.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.prune.custom_from_mask.html

    >>> import torch
    >>> from torch.nn.utils import prune
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1))
    >>> to_torch(Mask({"0.weight": torch.tensor([[True, False]])}), model)
    >>> prune.is_pruned(model), sorted(model.state_dict())
    (True, ['0.bias', '0.weight_mask', '0.weight_orig'])
    """
    pairs = [(owners(model, name, kept), kept) for name, kept in mask.keep.items()]
    for places, kept in pairs:
        for module, attribute in places:
            prune.custom_from_mask(module, attribute, kept.to(getattr(module, attribute).device))


def from_torch(source: nn.Module | Mapping[str, torch.Tensor]) -> Mask:
    """The mask of a model that ``torch.nn.utils.prune`` has pruned, from its ``*_mask`` buffers.

    Args:
        source: the model, or its ``state_dict``.

    Returns:
        The mask under the names before pruning (``….weight_mask`` masks ``….weight``). A shared weight is listed
        once: in a model, under its first linear layer's name; in a ``state_dict``, under its first.

    Raises:
        InputError: nothing there is pruned, or a mask holds anything but 0 and 1.

    Source: as ``to_torch``.

    >>> import torch
    >>> from torch.nn.utils import prune
    >>> layer = prune.custom_from_mask(torch.nn.Linear(2, 1), "weight", torch.tensor([[1, 0]]))
    >>> from_torch(layer).keep
    {'weight': tensor([[ True, False]])}
    """
    tensors = source.state_dict(keep_vars=True) if isinstance(source, nn.Module) else source
    stems = [name.removesuffix("_mask") for name in tensors if name.endswith("_mask")]
    found = [name for name in stems if f"{name}_orig" in tensors]  # other masks, as of attention, are no pruning
    if not found:
        raise InputError(
            "nothing is pruned there: torch.nn.utils.prune leaves weight_orig and weight_mask, and here are none"
        )
    linear = _linear(source) if isinstance(source, nn.Module) else set()
    listed: dict[object, str] = {}
    for name in sorted(found, key=lambda name: name not in linear):  # stable: of both kinds the first comes first
        listed.setdefault(_identity(tensors[f"{name}_orig"]), name)
    keep = {}
    for name in sorted(listed.values(), key=found.index):
        values = tensors[f"{name}_mask"].detach()
        keep[name] = values != 0
        if not torch.equal(keep[name].to(values.dtype), values):
            raise InputError(f"{name}_mask is no mask: it holds other values than 0 and 1")
    return Mask(keep)


def from_zeros(weights: Mapping[str, torch.Tensor]) -> Mask:
    """The mask of a pruned checkpoint: what is exactly zero (or −0) is removed.

    Args:
        weights: matrices by name, any shapes, as from ``prunable.prunable_weights``.

    >>> import torch
    >>> from_zeros({"w": torch.tensor([0.0, 1e-30, -0.0])}).keep
    {'w': tensor([False,  True, False])}
    """
    return Mask({name: weight.detach() != 0 for name, weight in weights.items()})


def owners(model: nn.Module, name: str, kept: torch.Tensor) -> list[tuple[nn.Module, str]]:
    """The modules that hold a mask's parameter, and as what: several, if it is shared.

    Args:
        model: in which to look.
        name: of the parameter.
        kept: the mask's tensor for it, which must have its shape.

    Raises:
        InputError: the model has no such parameter, or another shape.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Embedding(3, 2), torch.nn.Linear(2, 3))
    >>> model[1].weight = model[0].weight
    >>> owners(model, "1.weight", torch.ones(3, 2))
    [(Embedding(3, 2), 'weight'), (Linear(in_features=2, out_features=3, bias=True), 'weight')]
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    if f"{name}_orig" in parameters:
        raise InputError(f"{name} is pruned by torch.nn.utils.prune already: make that final with prune.remove first")
    _check(name, kept, parameters.get(name), "the mask is of another model")
    return [
        (module, attribute)
        for module in model.modules()
        for attribute, held in module.named_parameters(recurse=False, remove_duplicate=False)
        if held is parameters[name]
    ]


def _check(name: str, kept: torch.Tensor, weight: torch.Tensor | None, complaint: str) -> None:
    if weight is None or weight.shape != kept.shape:
        shape = "no such weight" if weight is None else f"shape {tuple(weight.shape)}"
        raise InputError(f"{complaint}: {name} has shape {tuple(kept.shape)} there, {shape} here")


def _checksum(shapes: list[list], packed: Mapping[str, torch.Tensor]) -> str:
    return hashlib.sha256(json.dumps([shapes, fingerprint(packed)]).encode()).hexdigest()


def _unpacked(packed: torch.Tensor, shape: list[int]) -> torch.Tensor:
    size = math.prod(shape)
    if packed.dtype != torch.uint8 or packed.numel() != -(-size // 8):
        raise ValueError(f"{packed.numel()} numbers of {packed.dtype} for {size} bits")
    bits = np.unpackbits(packed.numpy(), count=size)
    return torch.from_numpy(bits.view(np.bool_).reshape(shape))


def _linear(model: nn.Module) -> set[str]:
    return {f"{path}.weight".lstrip(".") for path, module in model.named_modules() if is_matrix(module)}


def _identity(tensor: torch.Tensor) -> object:
    """What shared weights have in common, also in a ``state_dict``, which detaches them one by one."""
    return (tensor.device, tensor.data_ptr()) if tensor.data_ptr() else id(tensor)
