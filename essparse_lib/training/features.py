"""Features of a frozen vision model, and how well the classes of images follow from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ..pruning.blocks import evaluating

#: The settings of DINO's evaluation (Caron et al. 2021, arXiv 2104.14294, §3.2 and its code).
_NEIGHBOURS, _TEMPERATURE = 20, 0.07


@torch.no_grad()
def last_states(
    model: nn.Module, pixels: torch.Tensor, normalise: Callable[[torch.Tensor], torch.Tensor], batch_size: int = 250
) -> tuple[np.ndarray, np.ndarray]:
    """Return the last hidden states of images: that of the class token, and the mean over the patches, in fp32.

    Args:
        model: a ViT of transformers without a head, on any device.
        pixels: images, uint8, shape (images, channels, height, width).
        normalise: maps a batch of these to the model's input.
        batch_size: number of images read at once.

    Returns:
        Two arrays of shape (images, width).
    """
    device, tokens, patches = next(model.parameters()).device, [], []
    with evaluating(model):
        for part in pixels.split(batch_size):
            states = model(pixel_values=normalise(part.to(device))).last_hidden_state.float().cpu()
            tokens.append(states[:, 0])
            patches.append(states[:, 1:].mean(1))
    return torch.cat(tokens).numpy(), torch.cat(patches).numpy()


def neighbours_accuracy(
    train: np.ndarray, classes: np.ndarray, test: np.ndarray, test_classes: np.ndarray, neighbours: int = _NEIGHBOURS
) -> float:
    """Return the accuracy, in points, of k nearest neighbours; one at cosine c has weight exp(c / 0.07).

    Args:
        train: features of the training examples, shape (examples, width).
        classes: classes of the training examples, shape (examples,).
        test: features of the test examples, shape (tests, width).
        test_classes: classes of the test examples, shape (tests,).
        neighbours: k; at most the number of training examples.
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
    """Return the accuracy, in points, of a linear probe: logistic regression on standardised features.

    Args:
        train: features of the training examples, shape (examples, width).
        classes: classes of the training examples, shape (examples,).
        test: features of the test examples, shape (tests, width).
        test_classes: classes of the test examples, shape (tests,).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, tol=1e-3))
    return 100 * float(probe.fit(train, classes).score(test, test_classes))
