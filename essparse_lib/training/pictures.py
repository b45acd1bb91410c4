"""Images to be told apart, as normalised pixels and class numbers: in 8 bits until a batch needs them."""

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


def check(images: Images, wishes: Preprocessing, model: str) -> None:
    """Check that a model can read images, made to fit: grey ones may become coloured, but not the reverse.

    Raises:
        InputError: it reads another number of channels, or its patches do not divide the size that it reads.
    """
    channels = images.shape[0]
    if channels not in (1, wishes.channels):
        raise InputError(
            f"model {model!r} reads images of {wishes.channels} channel{'s' * (wishes.channels > 1)}, but the task's "
            f"have {channels}: choose a model that reads {channels}, or a task of grey images"
        )
    if any(size % patch for size, patch in zip(wishes.size, wishes.patch, strict=True)):
        raise InputError(
            f"model {model!r} cuts images of {times_text(wishes.size)} into patches of {times_text(wishes.patch)}, "
            "which do not divide them: choose a model whose patches do"
        )


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images as a model takes them; only the images of a batch are made to fit.

    Attributes:
        pixels: 8-bit values on the device, shape (images, channels, height, width).
        targets: what the model is to answer, by the name of its argument: per image a number.
        wishes: what the model wants.
    """

    pixels: torch.Tensor
    targets: Mapping[str, np.ndarray]
    wishes: Preprocessing

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def lengths(self) -> np.ndarray:
        """All alike, shape (images,): images need no grouping."""
        return np.ones(len(self), dtype=np.int64)

    def shown(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """The images at these positions, on the device; fp32, shape (n, channels, height, width) as the model reads."""
        chosen = self.pixels[torch.as_tensor(positions, device=self.pixels.device)]
        images = resized(chosen / 255, self.wishes.size, self.wishes.resampling)
        return {"pixel_values": normalised(images, self.wishes.mean, self.wishes.std)}

    def batch(self, positions: Sequence[int] | np.ndarray) -> dict[str, torch.Tensor]:
        """The same, and what the model is to answer, shape (n,)."""
        return {
            **self.shown(positions),
            **{name: torch.from_numpy(values[positions]) for name, values in self.targets.items()},
        }


def encode(images: Images, wishes: Preprocessing, device: torch.device) -> Pictures:
    """Put labelled images on the device, once; on the CPU without a copy."""
    return Pictures(torch.from_numpy(images.pixels).to(device), {"labels": images.labels}, wishes)


def resized(images: torch.Tensor, size: tuple[int, int], resampling: str) -> torch.Tensor:
    """Images of another size, with what aliases left out; the same tensor where they have it.

    Args:
        images: in [0, 1], floats, shape (n, channels, height, width); so is what is returned.
    """
    if tuple(images.shape[-2:]) == size:
        return images
    # bicubic overshoots at edges, which 8-bit images cut off
    return functional.interpolate(images, size, mode=resampling, antialias=True).clamp(0, 1)


def normalised(pixels: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Pixels less the mean, over the standard deviation, of each channel; grey ones are repeated for each.

    Args:
        pixels: in 8 bits, or floats in [0, 1]; shape (n, channels or 1, height, width).
        mean: of each channel, in [0, 1].
        std: of each channel, in [0, 1].

    Returns:
        floats, shape (n, channels, height, width).

    >>> normalised(torch.tensor([[[[0, 255]]]], dtype=torch.uint8), [0.5, 0.0], [0.5, 1.0]).tolist()
    [[[[-1.0, 1.0]], [[0.0, 1.0]]]]
    """
    shares = pixels if pixels.is_floating_point() else pixels / 255
    centre, spread = (torch.tensor(values, device=pixels.device)[:, None, None] for values in (mean, std))
    return (shares - centre) / spread
