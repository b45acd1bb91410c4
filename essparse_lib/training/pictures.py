"""Labelled images in the form that a model takes; pixels stay in 8 bits until a batch needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch.nn import functional

from ..errors import InputError
from ..models.preprocessing import Preprocessing
from ..tasks import Images
from ..wording import times_text
from .batches import with_targets


def check(images: Images, preprocessing: Preprocessing, model: str) -> None:
    """Check that a model can read images. Grey images fit every model, colour images only models for colours.

    Args:
        images: the images, of any size.
        preprocessing: the model's preprocessing.
        model: the model's name, for the message.

    Raises:
        InputError: the model reads another number of channels, or its patches do not divide the size that it reads.
    """
    channels = images.shape[0]
    if channels not in (1, preprocessing.channels):
        raise InputError(
            f"model {model!r} reads images of {preprocessing.channels} channel{'s' * (preprocessing.channels > 1)}, "
            f"but the task's have {channels}: choose a model that reads {channels}, or a task of grey images"
        )
    if any(size % patch for size, patch in zip(preprocessing.size, preprocessing.patch, strict=True)):
        raise InputError(
            f"model {model!r} cuts images of {times_text(preprocessing.size)} into patches of "
            f"{times_text(preprocessing.patch)}, which do not divide them: choose a model whose patches do"
        )


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """Labelled images for a model; they are resized and normalised batch by batch.

    Attributes:
        pixels: 8-bit values on the device, shape (images, channels, height, width).
        targets: the numbers to predict, one an image, by the name of the model's argument.
        preprocessing: the model's preprocessing.
    """

    pixels: torch.Tensor
    targets: Mapping[str, np.ndarray]
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Ones, shape (images,): all images have the same length, so that they are not grouped."""
        return np.ones(len(self), dtype=np.int64)

    def input_batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """Return the images at these positions on the device, resized and normalised, in fp32.

        Returns:
            ``pixel_values`` of shape (positions, channels, height, width).
        """
        return {"pixel_values": self.prepared(self.pixels[torch.as_tensor(positions, device=self.pixels.device)])}

    def prepared(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return images of any number, uint8, resized and normalised as the model expects them, in fp32."""
        images = resized(pixels / 255, self.preprocessing.size, self.preprocessing.resampling)
        return normalised(images, self.preprocessing.mean, self.preprocessing.std)

    def batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """Return the input batch and the targets, shape (positions,)."""
        return with_targets(self, positions)


def encode(images: Images, preprocessing: Preprocessing, device: torch.device) -> EncodedImages:
    """Return labelled images on a device; on the CPU they share the memory of the given ones."""
    return EncodedImages(torch.from_numpy(images.pixels).to(device), {"labels": images.labels}, preprocessing)


def resized(images: torch.Tensor, size: tuple[int, int], resampling: str) -> torch.Tensor:
    """Return images resized with anti-aliasing; the same tensor if they have this size already.

    Args:
        images: floats in [0, 1], shape (images, channels, height, width).
        size: height and width of the result.
        resampling: ``bilinear`` or ``bicubic``.

    Returns:
        Floats in [0, 1], shape (images, channels, height, width), of the size that is given.
    """
    if tuple(images.shape[-2:]) == size:
        return images
    # bicubic interpolation overshoots at edges; in 8 bits these values would be clipped, too
    return functional.interpolate(images, size, mode=resampling, antialias=True).clamp(0, 1)


def normalised(pixels: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Return images standardised by channel: pixels minus the mean, divided by the standard deviation.

    Args:
        pixels: 8-bit values, or floats in [0, 1], shape (images, channels, height, width). Images of one channel are
            repeated for each channel.
        mean: mean of each channel, in [0, 1].
        std: standard deviation of each channel, in [0, 1].

    Returns:
        Floats, shape (images, channels, height, width).

    >>> normalised(torch.tensor([[[[0, 255]]]], dtype=torch.uint8), [0.5, 0.0], [0.5, 1.0]).tolist()
    [[[[-1.0, 1.0]], [[0.0, 1.0]]]]
    """
    shares = pixels if pixels.is_floating_point() else pixels / 255
    centre, spread = (torch.tensor(values, device=pixels.device)[:, None, None] for values in (mean, std))
    return (shares - centre) / spread
