"""Write masks to disk and read them back, and convert them to and from the formats that others use."""

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
from .layouts import is_linear
from .masks import Mask

#: The one metadata entry of a mask's file (a single one, since safetensors writes several in no fixed order).
_ENTRY = "essparse_mask"


def save_mask(mask: Mask, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a mask to a safetensors file, whole or not at all: a bit a weight, 8 to the byte, first weight highest.

    The metadata holds names, shapes and two SHA-256. That of the weights (``weights_fingerprint``) lets ``load_mask``
    refuse other weights, that of the mask lets it see damage. The same mask and weights give the same bytes.

    Args:
        mask: the mask to write.
        weights: the matrices by name that the mask was made for; those that it does not cover are ignored.
        path: the file; its folder is made, and a file of that name is replaced.

    Raises:
        InputError: the mask does not fit these weights, or the file cannot be written.

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
    metadata = {
        "shapes": shapes,
        "weights_sha256": weights_fingerprint(covered),
        "mask_sha256": _checksum(shapes, packed),
    }
    data = safetensors.torch.save(packed, {_ENTRY: json.dumps(metadata)})
    with writing(path) as file:
        file.write(data)


def load_mask(path: Path, weights: Mapping[str, torch.Tensor] | None = None) -> Mask:
    """Read a mask that ``save_mask`` wrote, its matrices in the same order.

    Args:
        path: the file.
        weights: the matrices by name that the mask is to be used on. The mask is refused unless these are, bit by
            bit, the weights that it was made for. Leave them out if they have been trained since.

    Raises:
        InputError: the file does not exist, is damaged, holds no mask, or holds one that was made for other weights.

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
            metadata = json.loads((file.metadata() or {})[_ENTRY])
            packed = {name: file.get_tensor(name) for name, _ in metadata["shapes"]}
        if _checksum(metadata["shapes"], packed) != metadata["mask_sha256"]:
            raise ValueError("its bits are not those that were written")
        keep = {name: _unpack(packed[name], shape) for name, shape in metadata["shapes"]}
        weights_sha256 = metadata["weights_sha256"]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or one_line(error)}") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is no mask's file, or a damaged one ({one_line(error)}); save the mask again"
        ) from error
    if weights is not None:
        complaint = f"the mask in {path} was made for other weights"
        for name, kept in keep.items():
            _check(name, kept, weights.get(name), complaint)
        if weights_fingerprint({name: weights[name] for name in keep}) != weights_sha256:
            raise InputError(
                f"{complaint}: names and shapes are the same, values differ (if they were trained since, load the mask "
                "without naming weights)"
            )
    return Mask(keep)


def weights_fingerprint(weights: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 (hexadecimal) of weights: of their names, dtypes, shapes and bytes, in the order of the names.

    Neither the mapping's order nor the layout in memory matters; every bit of a value does.

    Args:
        weights: tensors by name, any shapes and dtypes.

    >>> import torch
    >>> weights_fingerprint({"w": torch.zeros(2, 2)})[:8], weights_fingerprint({"w": torch.zeros(4)})[:8]
    ('da53214a', '818f4508')
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode() + b"\n")
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def apply_torch_pruning(mask: Mask, model: nn.Module) -> None:
    """Prune a model the way ``torch.nn.utils.prune`` does: ``weight_orig`` times ``weight_mask``.

    The removed weights keep their values in ``weight_orig``, so the pruning can be undone or changed; every forward
    pass multiplies anew. For training, ``Mask.held`` costs less. A weight that several modules share is pruned in each
    of them, and stays shared.

    Args:
        mask: a mask by the names of the model's parameters.
        model: the model; changed in place. ``prune.remove`` makes the zeros final.

    Raises:
        InputError: the mask is of another model, or torch has pruned the model already. Then nothing is changed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.prune.custom_from_mask.html

    >>> import torch
    >>> from torch.nn.utils import prune
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1))
    >>> apply_torch_pruning(Mask({"0.weight": torch.tensor([[True, False]])}), model)
    >>> prune.is_pruned(model), sorted(model.state_dict())
    (True, ['0.bias', '0.weight_mask', '0.weight_orig'])
    """
    pairs = [(modules_with(model, name, kept), kept) for name, kept in mask.keep.items()]
    for modules, kept in pairs:
        for module, attribute in modules:
            prune.custom_from_mask(module, attribute, kept.to(getattr(module, attribute).device))


def mask_from_torch_pruning(source: nn.Module | Mapping[str, torch.Tensor]) -> Mask:
    """Return the mask of a model that ``torch.nn.utils.prune`` has pruned, from its ``*_mask`` buffers.

    Args:
        source: the model, or its ``state_dict``.

    Returns:
        The mask under the names before pruning (``….weight_mask`` masks ``….weight``). A shared weight is listed
        once: of a model, under the name of the first linear layer that has it; of a ``state_dict``, under its first
        name.

    Raises:
        InputError: nothing is pruned, or a mask holds other values than 0 and 1.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.prune.custom_from_mask.html

    >>> import torch
    >>> from torch.nn.utils import prune
    >>> layer = prune.custom_from_mask(torch.nn.Linear(2, 1), "weight", torch.tensor([[1, 0]]))
    >>> mask_from_torch_pruning(layer).keep
    {'weight': tensor([[ True, False]])}
    """
    tensors = source.state_dict(keep_vars=True) if isinstance(source, nn.Module) else source
    stems = [name.removesuffix("_mask") for name in tensors if name.endswith("_mask")]
    pruned = [name for name in stems if f"{name}_orig" in tensors]  # others, such as attention masks, do not prune
    if not pruned:
        raise InputError(
            "nothing is pruned there: torch.nn.utils.prune leaves weight_orig and weight_mask, and here are none"
        )
    linear = _linear_weights(source) if isinstance(source, nn.Module) else set()
    linear_first = sorted(pruned, key=lambda name: name not in linear)  # stable: otherwise in the order of the model
    name_of: dict[object, str] = {}
    for name in linear_first:
        name_of.setdefault(_identity(tensors[f"{name}_orig"]), name)
    keep = {}
    for name in sorted(name_of.values(), key=pruned.index):
        values = tensors[f"{name}_mask"].detach()
        keep[name] = values != 0
        if not torch.equal(keep[name].to(values.dtype), values):
            raise InputError(f"{name}_mask is no mask: it holds other values than 0 and 1")
    return Mask(keep)


def mask_from_zeros(weights: Mapping[str, torch.Tensor]) -> Mask:
    """Return the mask of a pruned checkpoint: it removes the weights that are exactly 0 or −0.

    Args:
        weights: matrices by name, any shapes, as from ``prunable_weights``.

    >>> import torch
    >>> mask_from_zeros({"w": torch.tensor([0.0, 1e-30, -0.0])}).keep
    {'w': tensor([False,  True, False])}
    """
    return Mask({name: weight.detach() != 0 for name, weight in weights.items()})


def modules_with(model: nn.Module, name: str, kept: torch.Tensor) -> list[tuple[nn.Module, str]]:
    """Return the modules that hold a mask's parameter, each with the attribute's name; several if it is shared.

    Args:
        model: the model that has the parameter.
        name: name of the parameter in the model.
        kept: the mask of the parameter, which must have its shape.

    Raises:
        InputError: the model lacks the parameter, has it in another shape, or torch has pruned it already.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Embedding(3, 2), torch.nn.Linear(2, 3))
    >>> model[1].weight = model[0].weight
    >>> modules_with(model, "1.weight", torch.ones(3, 2))
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
    """Check that a weight exists and has the shape of its mask."""
    if weight is None or weight.shape != kept.shape:
        shape = "no such weight" if weight is None else f"shape {tuple(weight.shape)}"
        raise InputError(f"{complaint}: {name} has shape {tuple(kept.shape)} there, {shape} here")


def _checksum(shapes: list[list], packed: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of a packed mask with its names and shapes."""
    return hashlib.sha256(json.dumps([shapes, weights_fingerprint(packed)]).encode()).hexdigest()


def _unpack(packed: torch.Tensor, shape: list[int]) -> torch.Tensor:
    """Return a packed mask as a boolean tensor of a shape."""
    size = math.prod(shape)
    if packed.dtype != torch.uint8 or packed.numel() != -(-size // 8):
        raise ValueError(f"{packed.numel()} numbers of {packed.dtype} for {size} bits")
    bits = np.unpackbits(packed.numpy(), count=size)
    return torch.from_numpy(bits.view(np.bool_).reshape(shape))


def _linear_weights(model: nn.Module) -> set[str]:
    """Return the names of the weights of the model's linear layers."""
    return {f"{path}.weight".lstrip(".") for path, module in model.named_modules() if is_linear(module)}


def _identity(tensor: torch.Tensor) -> object:
    """Return what is the same for shared weights, also in a ``state_dict``, which detaches them one by one."""
    return (tensor.device, tensor.data_ptr()) if tensor.data_ptr() else id(tensor)
