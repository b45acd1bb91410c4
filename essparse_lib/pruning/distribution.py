"""How weights are distributed, layer by layer: as they are, and "normalized using sklearn" (paper, Figure 7).

The paper does not say with which of scikit-learn's scalers, nor over what. Both usual ones are read here, each fitted
to every layer by itself (all matrices of a block pooled) and to the whole model:

- ``StandardScaler``: (w − μ) / σ, with σ the standard deviation of all n weights, not n − 1.
- ``MinMaxScaler``: (w − min) / (max − min), which lies in [0, 1].

Both divide by 1 where all weights are alike, as scikit-learn does. Each takes the weights as one column of numbers.
(Given a matrix as it is, scikit-learn would scale every column by itself, and so every input of a layer.) As both maps
rise, the quantiles of what is normalised are the normalised quantiles: those of the raw weights tell all.

What is zero changes with them. ``StandardScaler`` moves the mean to 0, which in trained matrices lies near 0 already;
then ``|z|`` < τ is nearly ``|w|`` < τσ. ``MinMaxScaler`` moves the most negative weight to 0, and 0 to somewhere near
the middle: small values after it are the *largest* weights of one sign, and none of those that pruning would take.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError

#: Of which the quantiles are kept; the first and the last are the least and the largest weight.
PROBABILITIES = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)

#: The scalers, by the names that scikit-learn has for them.
SCALERS = ("StandardScaler", "MinMaxScaler")

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Of the weights of one or of several matrices, pooled.

    Attributes:
        weights: how many there are.
        mean: μ.
        deviation: σ, over all n.
        quantiles: at ``PROBABILITIES``, linear between the weights.
    """

    weights: int
    mean: float
    deviation: float
    quantiles: tuple[float, ...]

    def scaler(self, name: str) -> tuple[float, float]:
        """Shift a and scale b of a scaler in ``SCALERS``, fitted to these weights: it makes (w − a) / b of them.

        >>> distribution([torch.tensor([1.0, 2.0, 5.0])]).scaler("MinMaxScaler")
        (1.0, 4.0)
        """
        low, high = self.quantiles[0], self.quantiles[-1]
        shift, scale = (self.mean, self.deviation) if name == "StandardScaler" else (low, high - low)
        return shift, scale if high > low else 1.0


def distribution(weights: Iterable[torch.Tensor], name: str = "the model") -> Distribution:
    """The distribution of the weights of some matrices together.

    Args:
        weights: of any shapes and float dtypes; left alone. Sorted in fp32: twice 4 bytes a weight.
        name: of what they are, for the message of an error.

    Raises:
        InputError: there are none, or one is NaN or infinite.

    >>> import torch
    >>> found = distribution([torch.tensor([[0.0, 4.0]]), torch.tensor([2.0])])
    >>> found.weights, found.mean, found.quantiles[5]
    (3, 2.0, 2.0)
    """
    flat = pooled(weights)
    if not len(flat) or not np.isfinite(flat).all():
        raise InputError(
            f"{name} holds {'NaN or infinite' if len(flat) else 'no'} weights: nothing can be said of them"
        )
    total = math.fsum(float(chunk.sum(dtype=np.float64)) for chunk in _chunks(flat))
    mean = total / len(flat)
    squares = math.fsum(float(((chunk.astype(np.float64) - mean) ** 2).sum()) for chunk in _chunks(flat))
    flat.sort()
    places = np.array(PROBABILITIES) * (len(flat) - 1)
    low, share = np.floor(places).astype(np.int64), places % 1
    ends = [flat[np.minimum(low + step, len(flat) - 1)].astype(np.float64) for step in (0, 1)]
    quantiles = ends[0] + share * (ends[1] - ends[0])
    return Distribution(
        weights=len(flat), mean=mean, deviation=math.sqrt(squares / len(flat)), quantiles=tuple(quantiles.tolist())
    )


def pooled(weights: Iterable[torch.Tensor]) -> np.ndarray:
    """The weights of some matrices as one new array, in fp32."""
    parts = [weight.detach().flatten().cpu().float().numpy() for weight in weights]
    return np.concatenate([np.empty(0, np.float32), *parts])


def zeros_after(
    weights: Iterable[torch.Tensor], scaler: tuple[float, float], thresholds: Sequence[float]
) -> Mapping[float, int]:
    """How many weights are below τ in absolute value once they are normalised: ``|(w − a) / b|`` < τ, by τ.

    Args:
        weights: of any shapes; left alone.
        scaler: a and b, as from ``Distribution.scaler``.
        thresholds: τ.

    >>> import torch
    >>> zeros_after([torch.tensor([-1.0, 0.0, 0.02, 1.0])], (-1.0, 2.0), [0.1, 0.6])
    {0.1: 1, 0.6: 3}
    """
    shift, scale = scaler
    found = np.zeros(len(thresholds), np.int64)
    for weight in weights:
        for chunk in _chunks(pooled([weight])):
            distance = np.abs(chunk.astype(np.float64) - shift)
            found += [np.count_nonzero(distance < threshold * scale) for threshold in thresholds]
    return dict(zip(thresholds, found.tolist(), strict=True))


def _chunks(flat: np.ndarray) -> Iterable[np.ndarray]:
    return (flat[start : start + _CHUNK] for start in range(0, len(flat), _CHUNK))
