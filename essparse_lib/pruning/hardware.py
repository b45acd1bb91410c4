"""Compress 2:4 masks for GPUs whose tensor cores skip the zeros: 9/16 of the memory, and up to twice the speed.

In a 2:4 matrix, every 4 consecutive inputs of a row keep at most 2 weights. torch stores the kept half, with 2 bits a
weight that say where it was. This is for inference alone. The gain depends on the sizes
(``benchmarks/semi_structured.py``): a small product waits for its launch, and may well be slower than the dense one.
"""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torch.nn import functional

from ..errors import InputError, one_line
from .masks import Mask
from .torch_pruning import modules_with

Compressed = torch.sparse.SparseSemiStructuredTensor

#: The libraries that torch can call to multiply such matrices, the better one first. CUTLASS serves compute
#: capability 8.x alone.
_LIBRARIES: tuple[type[Compressed], ...] = (
    torch.sparse.SparseSemiStructuredTensorCUSPARSELT,
    torch.sparse.SparseSemiStructuredTensorCUTLASS,
)
#: The least compute capability with 2:4 tensor cores.
_OLDEST = (8, 0)


def to_semi_structured(model: nn.Module, mask: Mask) -> None:
    """Remove the weights of a 2:4 mask and compress the others, so that the GPU multiplies half as much.

    Each weight becomes a parameter without gradient that only ``nn.Linear`` can use. It can be neither trained nor
    saved: prune, train and save first. Outputs agree with those of the pruned model up to rounding.

    Args:
        model: a model on a GPU, in fp16 or bf16; changed in place.
        mask: a 2:4 mask, as from ``n_m(weights, "2:4")``; layers that it does not cover stay as they are.

    Raises:
        InputError: the device cannot multiply such matrices (``library``); or a matrix of the mask is not in the
            model, is used by anything but ``nn.Linear`` (GPT-2's Conv1D stores it transposed), is not 2:4, has another
            precision, or a size that the library refuses. Then nothing is changed.

    Source: Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021, arXiv 2104.08378.

    >>> import torch
    >>> layer = torch.nn.Linear(64, 32)
    >>> mask = Mask({"weight": torch.tensor([True, False, False, True]).tile(32, 16)})
    >>> if torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0):
    ...     to_semi_structured(layer.half().cuda(), mask)
    >>> is_two_of_four(mask.keep["weight"])
    True
    """
    layers_by_name = {name: _layers(model, name, kept) for name, kept in mask.keep.items()}
    libraries: dict[tuple[torch.device, torch.dtype], type[Compressed]] = {}
    compressed = []
    for name, layers in layers_by_name.items():
        weight = layers[0].weight.detach()
        place = (weight.device, weight.dtype)
        if place not in libraries:
            libraries[place] = library(*place)
        _check_matrix(name, layers, libraries[place])
        pruned = weight.masked_fill(~mask.keep[name].to(weight.device), 0).contiguous()
        compressed.append((layers, _compress(libraries[place], pruned)))
    for layers, matrix in compressed:
        shared = nn.Parameter(matrix, requires_grad=False)
        for layer in layers:
            layer.weight = shared


def library(device: torch.device, dtype: torch.dtype) -> type[Compressed]:
    """Return torch's tensor class that multiplies 2:4 matrices on a device: by cuSPARSELt if it can, else by CUTLASS.

    Neither library says beforehand which GPUs its installed version serves, so a small product is tried.

    Args:
        device: the device of the model's weights.
        dtype: precision of weights and inputs.

    Raises:
        InputError: the device is no GPU, or one without 2:4 tensor cores, or neither library is installed for it; or
            the precision is neither fp16 nor bf16.

    >>> import torch
    >>> from essparse_lib.errors import InputError
    >>> try:
    ...     library(torch.device("cpu"), torch.float16)
    ... except InputError as error:
    ...     print(str(error)[:40])
    2:4 products need a GPU of compute capab
    """
    needed = "2:4 products need a GPU of compute capability 8.0 or newer (A100, RTX 30 series)"
    if not torch.cuda.is_available():
        raise InputError(f"{needed}, and torch finds no GPU here")
    if device.type != "cuda":
        raise InputError(f"{needed}, and the model is on the {device.type}: move it there first, with model.cuda()")
    # AMD numbers its devices otherwise: there only the product below can tell
    if torch.version.hip is None and torch.cuda.get_device_capability(device) < _OLDEST:
        major, minor = torch.cuda.get_device_capability(device)
        raise InputError(f"{needed}, and {torch.cuda.get_device_name(device)} has {major}.{minor}")
    if dtype not in (torch.float16, torch.bfloat16):
        raise InputError(f"2:4 products are in float16 or bfloat16, and the model is in {dtype}: try model.half()")
    reasons = []
    for kind in _LIBRARIES:
        reason = _fails(kind, device, dtype)
        if reason is None:
            return kind
        reasons.append(f"{kind.BACKEND}: {reason}")
    raise InputError(f"torch {torch.__version__} cannot multiply 2:4 matrices on this GPU ({'; '.join(reasons)})")


def is_two_of_four(kept: torch.Tensor) -> bool:
    """Return whether at most 2 of each 4 consecutive weights of a row stay.

    Args:
        kept: boolean, shape (outputs, inputs). If 4 does not divide the number of inputs, the answer is no.

    >>> import torch
    >>> is_two_of_four(torch.tensor([[True, True, False, False, False, False, False, True]]))
    True
    >>> is_two_of_four(torch.tensor([[False, False, True, True, True, False, False, False]]))
    True
    >>> is_two_of_four(torch.tensor([[False, True, True, True]]))
    False
    """
    if kept.dim() != 2 or kept.shape[1] % 4:
        return False
    return bool((kept.reshape(-1, 4).sum(-1) <= 2).all())


def _layers(model: nn.Module, name: str, kept: torch.Tensor) -> list[nn.Linear]:
    """Return the linear layers that hold a matrix, after the checks that need no GPU."""
    layers = []
    for module, _ in modules_with(model, name, kept):
        if not isinstance(module, nn.Linear):
            why = (
                "which stores it transposed" if type(module).__name__ == "Conv1D" else "which cannot read 2:4 matrices"
            )
            raise InputError(f"{name} belongs to a {type(module).__name__}, {why}: only nn.Linear can be converted")
        layers.append(module)
    if isinstance(layers[0].weight, Compressed):
        raise InputError(f"{name} is compressed already: convert a model once")
    if not is_two_of_four(kept):
        raise InputError(f"the mask of {name} is not 2:4 (at most 2 of each 4 consecutive inputs of a row): use n_m")
    return layers


def _check_matrix(name: str, layers: list[nn.Linear], kind: type[Compressed]) -> None:
    weight = layers[0].weight
    rows, columns, *_ = kind._DTYPE_SHAPE_CONSTRAINTS[weight.dtype]
    if not weight.numel() or weight.shape[0] % rows or weight.shape[1] % columns:
        raise InputError(
            f"{name} has shape {tuple(weight.shape)}: {kind.BACKEND} takes multiples of {rows} outputs and "
            f"{columns} inputs in {weight.dtype}; leave it out of the mask"
        )
    for layer in layers:
        if layer.bias is not None and layer.bias.dtype != weight.dtype:
            raise InputError(f"{name} is {weight.dtype} and its bias {layer.bias.dtype}: they must be alike")


def _compress(kind: type[Compressed], pruned: torch.Tensor) -> Compressed:
    with warnings.catch_warnings():  # torch says once that these tensors are a prototype
        warnings.filterwarnings("ignore", "The PyTorch API of SparseSemiStructuredTensor")
        return kind.from_dense(pruned)


def _fails(kind: type[Compressed], device: torch.device, dtype: torch.dtype) -> str | None:
    """Return why a library cannot multiply on a device, or None if it can."""
    inputs = torch.arange(128, device=device)
    outputs = inputs[:, None]
    pattern = ((outputs * 3 + inputs) % 13 * ((outputs + inputs) % 4 < 2)).to(dtype)  # no two rows alike nearby
    one = torch.eye(128, device=device, dtype=dtype)
    try:
        with torch.no_grad():
            product = functional.linear(one, _compress(kind, pattern))
    except RuntimeError as error:
        return one_line(error)
    return None if torch.equal(product, pattern.T) else "it multiplies wrongly"
