"""What a vision model makes of images without further training, and how much of their classes that tells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ..pruning.blocks import evaluating

#: As DINO is evaluated (Caron et al. 2021, arXiv 2104.14294, §3.2 and its code).
_NEIGHBOURS, _TEMPERATURE = 20, 0.07


@torch.no_grad()
def last_states(
    model: nn.Module, pixels: torch.Tensor, prepared: Callable[[torch.Tensor], torch.Tensor], batch_size: int = 250
) -> tuple[np.ndarray, np.ndarray]:
    """The last hidden state of the class token, and the mean of those of the patches, in fp32.

    Args:
        model: a ViT of transformers without a head, on any device.
        pixels: of images, uint8, shape (images, channels, height, width).
        prepared: what the model takes of a batch of these.

    Returns:
        both of shape (images, width).
    """
    device, tokens, patches = next(model.parameters()).device, [], []
    with evaluating(model):
        for part in pixels.split(batch_size):
            states = model(pixel_values=prepared(part.to(device))).last_hidden_state.float().cpu()
            tokens.append(states[:, 0])
            patches.append(states[:, 1:].mean(1))
    return torch.cat(tokens).numpy(), torch.cat(patches).numpy()


def neighbours_accuracy(
    train: np.ndarray, classes: np.ndarray, test: np.ndarray, test_classes: np.ndarray, neighbours: int = _NEIGHBOURS
) -> float:
    """Accuracy, in points, of k nearest neighbours by cosine; a neighbour at cosine c counts exp(c / 0.07).

    Args:
        train: features, shape (examples, width); ``classes`` are theirs.
        test: shape (tests, width); likewise.
        neighbours: k; fewer where there are fewer examples.
    """
    from sklearn.neighbors import KNeighborsClassifier

    voter = KNeighborsClassifier(
        min(neighbours, len(train)),
        metric="cosine",
        algorithm="brute",
        weights=lambda distances: np.exp(-distances / _TEMPERATURE),
    )
    return 100 * float(voter.fit(train, classes).score(test, test_classes))


def linear_accuracy(train: np.ndarray, classes: np.ndarray, test: np.ndarray, test_classes: np.ndarray) -> float:
    """Accuracy, in points, of a linear probe: logistic regression on standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, tol=1e-3))
    return 100 * float(probe.fit(train, classes).score(test, test_classes))
