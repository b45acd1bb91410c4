"""How many weights can go before the weights' squared norm falls: a sparsity that needs no threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch

from ..errors import check_number, not_finite_error

_CHUNK = 1 << 16  # weights that are brought to fp64 at a time


def effective_sparsity(weights: Mapping[str, torch.Tensor], share: float = 0.99) -> float:
    """Return the largest fraction of weights, over all matrices together, that can go and leave ``share`` of Σw².

    It needs no threshold. Weights that are all alike give nearly 1 − ``share``; weights of which few are large give
    much more. The magnitudes are sorted in fp32 (or fp64): 4 (or 8) bytes a weight.

    Args:
        weights: matrices by name, any shapes; not changed.
        share: of the squared norm that must stay, above 0, at most 1.

    Raises:
        InputError: the share is out of range, or a weight is NaN or infinite (the message names the tensor).

    >>> import torch
    >>> effective_sparsity({"w": torch.tensor([3.0, 4.0, 0.0, 0.0])}, share=0.5)
    0.75
    """
    share = check_number("share", share, lambda s: 0 < s <= 1, "a number above 0 and at most 1, such as 0.99")
    magnitudes = _sorted_magnitudes(weights)
    if not len(magnitudes):
        return 0.0
    squares = [float(chunk @ chunk) for chunk in _in_doubles(magnitudes)]
    total = math.fsum(squares)
    spare, removed = total - share * total, 0
    for chunk, chunk_squares in zip(_in_doubles(magnitudes), squares, strict=True):
        if chunk_squares > spare:  # the last weight that can go lies in this chunk
            removed += int(np.searchsorted(np.cumsum(chunk * chunk), spare, side="right"))
            break
        spare -= chunk_squares
        removed += len(chunk)
    return removed / len(magnitudes)


def _sorted_magnitudes(weights: Mapping[str, torch.Tensor]) -> np.ndarray:
    """Return the magnitudes of all weights in ascending order, in fp32 (fp64 if a matrix is in fp64)."""
    parts = [np.empty(0, np.float32)]
    for name, weight in weights.items():
        wide = torch.promote_types(weight.dtype, torch.float32)
        part = weight.detach().flatten().cpu().to(wide).abs().numpy()
        if not np.isfinite(part.max(initial=0)):
            raise not_finite_error(name)
        parts.append(part)
    magnitudes = np.concatenate(parts)
    magnitudes.sort()
    return magnitudes


def _in_doubles(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the values chunk by chunk in fp64."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK].astype(np.float64)
