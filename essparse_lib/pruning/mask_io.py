"""Write masks to disk and read them back, and read them from pruned checkpoints."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import safe_open

from ..errors import InputError, shown, suggestion
from ..files import writing
from ..sources.foreign import reading, regular_file
from .absent import misfit
from .masks import Mask

#: The one metadata entry of a mask's file (a single one, since safetensors writes several in no fixed order).
_ENTRY = "essparse_mask"
#: Dimensions that a weight may have, and letters of its name that messages show.
_MOST_DIMENSIONS, _LONGEST_NAME = 16, 200


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
        _check(name, kept.shape, weights, "the mask is not of these weights")
        shapes.append([name, list(kept.shape)])
        packed[name] = torch.from_numpy(np.packbits(kept.cpu().flatten().numpy()))
    covered = {name: weights[name] for name in packed}
    metadata = {
        "shapes": shapes,
        "weights_sha256": weights_fingerprint(covered),
        "mask_sha256": _checksum(shapes, packed),
    }
    data = safetensors.torch.save(packed, {_ENTRY: json.dumps(metadata)})
    with writing(Path(path)) as file:
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
    hint = "it is no mask's file, or a damaged one; save the mask again"
    with reading(path, hint), safe_open(regular_file(path), framework="pt") as file:
        metadata = json.loads((file.metadata() or {})[_ENTRY])
        packed = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dictionary)
    fault = _fault(metadata, packed)
    if fault:
        raise InputError(f"{path} cannot be read ({fault}): {hint}")
    shapes = {name: torch.Size(shape) for name, shape in metadata["shapes"]}
    if weights is not None:
        complaint = f"the mask in {path} was made for other weights"
        for name, shape in shapes.items():
            _check(name, shape, weights, complaint)
        if weights_fingerprint({name: weights[name] for name in shapes}) != metadata["weights_sha256"]:
            raise InputError(
                f"{complaint}: names and shapes are the same, values differ (if they were trained since, load the mask "
                "without naming weights)"
            )
    return Mask({name: _unpack(packed[name], shape) for name, shape in shapes.items()})


def _fault(metadata: Any, packed: Mapping[str, torch.Tensor]) -> str:
    """Return what is wrong in a mask's file, in words; nothing if its metadata and its bits are those of a mask."""
    shapes = metadata.get("shapes") if isinstance(metadata, dict) else None
    if not isinstance(shapes, list) or not all(map(_is_shape, shapes)):
        return "its metadata have no names and shapes"
    if sorted(name for name, _ in shapes) != sorted(packed):
        return "its metadata name other weights than it holds"
    for name, shape in shapes:
        size, bits = math.prod(shape), packed[name]
        if bits.dtype != torch.uint8 or bits.dim() != 1 or len(bits) != -(-size // 8):
            return f"{bits.numel()} numbers of {bits.dtype} for the {size} bits of {shown(name)}"
    if _checksum(shapes, packed) != metadata.get("mask_sha256"):
        return "its bits are not those that were written"
    return "" if isinstance(metadata.get("weights_sha256"), str) else "it does not say for which weights it was made"


def _is_shape(entry: Any) -> bool:
    """Return whether an entry of a file's metadata is a name with a shape of few dimensions and below 2⁴⁸ numbers."""
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], list)):
        return False
    _, shape = entry
    sizes_fit = len(shape) <= _MOST_DIMENSIONS and all(type(size) is int and 0 <= size < 2**48 for size in shape)
    return sizes_fit and math.prod(shape) < 2**48


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


def mask_from_zeros(weights: Mapping[str, torch.Tensor]) -> Mask:
    """Return the mask of a pruned checkpoint: it removes the weights that are exactly 0 or −0.

    Args:
        weights: matrices by name, any shapes, as from ``prunable_weights``.

    >>> import torch
    >>> mask_from_zeros({"w": torch.tensor([0.0, 1e-30, -0.0])}).keep
    {'w': tensor([False,  True, False])}
    """
    return Mask({name: weight.detach() != 0 for name, weight in weights.items()})


def _check(name: str, shape: torch.Size, weights: Mapping[str, torch.Tensor], complaint: str) -> None:
    """Check that a weight exists and has the shape of its mask."""
    weight, shown_name = weights.get(name), name[:_LONGEST_NAME]
    if weight is None:
        raise misfit(shown_name, shape, "no such weight", suggestion(name, weights), complaint)
    if weight.shape != shape:
        raise misfit(shown_name, shape, f"shape {tuple(weight.shape)}", complaint=complaint)


def _checksum(shapes: list[list], packed: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of a packed mask with its names and shapes."""
    return hashlib.sha256(json.dumps([shapes, weights_fingerprint(packed)]).encode()).hexdigest()


def _unpack(packed: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Return a packed mask as a boolean tensor of a shape."""
    bits = np.unpackbits(packed.numpy(), count=shape.numel())
    return torch.from_numpy(bits.view(np.bool_).reshape(shape))
