"""Describe how weights are distributed, layer by layer: raw, and "normalized using sklearn" (paper, Figure 7).

The paper does not say which of scikit-learn's scalers it used, nor on what it was fitted. So both usual ones are used,
each fitted to every layer by itself (all matrices of a block pooled) and to the whole model:

- ``StandardScaler``: (w − μ) / σ, with σ the standard deviation of all n weights, not n − 1.
- ``MinMaxScaler``: (w − min) / (max − min), which lies in [0, 1].

Both divide by 1 where all weights are alike, as scikit-learn does. Each takes the weights as one column of numbers.
(Given a matrix as it is, scikit-learn would scale every column by itself, and so every input of a layer.) Both maps are
increasing, so the quantiles of the normalised weights are the normalised quantiles of the raw weights.

Scaling changes which weights are near zero. ``StandardScaler`` moves the mean to 0; in trained matrices it lies near 0
already, and ``|z|`` < τ is nearly ``|w|`` < τσ. ``MinMaxScaler`` moves the most negative weight to 0, and 0 to near the
middle. Small values after it are the *largest* weights of one sign: none that magnitude pruning would take.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch

from ..errors import InputError

#: The probabilities whose quantiles are kept. The first and the last give the least and the largest weight.
PROBABILITIES = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)

#: Weights that are brought to fp64 at a time.
_CHUNK = 1 << 20


class Scaler(StrEnum):
    """A scaler of scikit-learn, by its name there."""

    STANDARD = "StandardScaler"
    MIN_MAX = "MinMaxScaler"


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """The distribution of the weights of one matrix, or of several together.

    Attributes:
        weights: number of weights.
        mean: mean of the weights, μ.
        deviation: standard deviation of the weights, σ: that of all n of them, not n − 1.
        quantiles: quantiles of the weights at ``PROBABILITIES``, interpolated linearly between neighbours.
    """

    weights: int
    mean: float
    deviation: float
    quantiles: tuple[float, ...]

    def scaler(self, name: Scaler | str) -> tuple[float, float]:
        """Return shift a and scale b of a scaler that is fitted to these weights: it turns w into (w − a) / b.

        >>> weight_distribution([torch.tensor([1.0, 2.0, 5.0])]).scaler("MinMaxScaler")
        (1.0, 4.0)
        """
        low, high = self.quantiles[0], self.quantiles[-1]
        if Scaler(name) is Scaler.STANDARD:
            shift, scale = self.mean, self.deviation
        else:
            shift, scale = low, high - low
        return shift, scale if high > low else 1.0


def weight_distribution(weights: Iterable[torch.Tensor], name: str = "the model") -> Distribution:
    """Return the distribution of the weights of some matrices together.

    Args:
        weights: matrices of any shapes and float dtypes; not changed. They are sorted in fp32, which takes 8 bytes a
            weight.
        name: what an error's message calls these matrices.

    Raises:
        InputError: there are no weights, or one is NaN or infinite.

    >>> import torch
    >>> three = weight_distribution([torch.tensor([[0.0, 4.0]]), torch.tensor([2.0])])
    >>> three.weights, three.mean, three.quantiles[5]
    (3, 2.0, 2.0)
    """
    flat = _pool(weights)
    if not len(flat) or not np.isfinite(flat).all():
        raise InputError(
            f"{name} holds {'NaN or infinite' if len(flat) else 'no'} weights: nothing can be said of them"
        )
    mean = math.fsum(float(chunk.sum(dtype=np.float64)) for chunk in _chunks(flat)) / len(flat)
    squares = math.fsum(float(((chunk.astype(np.float64) - mean) ** 2).sum()) for chunk in _chunks(flat))
    deviation = math.sqrt(squares / len(flat))
    flat.sort()
    return Distribution(weights=len(flat), mean=mean, deviation=deviation, quantiles=_quantiles(flat))


def _quantiles(ascending: np.ndarray) -> tuple[float, ...]:
    """Return the quantiles of sorted weights at ``PROBABILITIES``."""
    last = len(ascending) - 1
    positions = np.array(PROBABILITIES) * last
    below, share = np.floor(positions).astype(np.int64), positions % 1
    lower = ascending[below].astype(np.float64)
    upper = ascending[np.minimum(below + 1, last)].astype(np.float64)
    return tuple((lower + share * (upper - lower)).tolist())


def _pool(weights: Iterable[torch.Tensor]) -> np.ndarray:
    """Return the weights of some matrices as one new array, in fp32."""
    parts = [weight.detach().flatten().cpu().float().numpy() for weight in weights]
    return np.concatenate([np.empty(0, np.float32), *parts])


def count_zeros_after_scaling(
    weights: Iterable[torch.Tensor], scaler: tuple[float, float], thresholds: Sequence[float]
) -> Mapping[float, int]:
    """Count the weights that are near zero after scaling, ``|(w − a) / b|`` < τ, by τ.

    Args:
        weights: matrices of any shapes; not changed.
        scaler: shift a and scale b, as from ``Distribution.scaler``.
        thresholds: the τ, without unit.

    >>> import torch
    >>> count_zeros_after_scaling([torch.tensor([-1.0, 0.0, 0.02, 1.0])], (-1.0, 2.0), [0.1, 0.6])
    {0.1: 1, 0.6: 3}
    """
    shift, scale = scaler
    counts = np.zeros(len(thresholds), np.int64)
    for weight in weights:
        for chunk in _chunks(_pool([weight])):
            distance = np.abs(chunk.astype(np.float64) - shift)
            counts += [np.count_nonzero(distance < threshold * scale) for threshold in thresholds]
    return dict(zip(thresholds, counts.tolist(), strict=True))


def _chunks(flat: np.ndarray) -> Iterable[np.ndarray]:
    return (flat[start : start + _CHUNK] for start in range(0, len(flat), _CHUNK))
