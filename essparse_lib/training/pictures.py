"""Images to be told apart, as normalised pixels and class numbers: in 8 bits until a batch needs them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..errors import InputError, one_line
from ..tasks import Images

#: Pillow's numbers of the resamplings that torch has as well, as preprocessor_config.json gives them.
_RESAMPLINGS = {2: "bilinear", 3: "bicubic"}


@dataclass(frozen=True)
class Preprocessing:
    """What a model wants of its pixels.

    Attributes:
        channels: 1 for grey, 3 for red, green and blue.
        size: height and width that it reads.
        patch: height and width of the patches that it cuts them into; of one pixel where it cuts none.
        mean: of each channel, in [0, 1]: what is taken off.
        std: of each channel: what is then divided by.
        resampling: how images of another size are made to fit: ``bilinear``, ``bicubic``.
    """

    channels: int
    size: tuple[int, int]
    patch: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resampling: str = "bilinear"


def wanted(config: Any, file: Path) -> Preprocessing:
    """What a model wants of its pixels, from its two files on the hub.

    Where it wants a larger image's middle, it gets the image whole at the size of that middle: small images have
    their object in all of them, and no border to spare.

    Args:
        config: its configuration.
        file: its ``preprocessor_config.json``; what that leaves out is as for a ViT.

    Raises:
        InputError: the file is missing or damaged, wants what is not done here, or does not go with the configuration.
    """
    try:
        preprocessor = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{file} is missing, which says what the model wants of its pixels") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {one_line(error)}") from error
    if not isinstance(preprocessor, dict):
        raise InputError(f"{file} cannot be read: it is no JSON object")
    given = file.name
    channels, takes = getattr(config, "num_channels", 3), getattr(config, "image_size", None)
    cropped = preprocessor.get("do_center_crop") and "crop_size" in preprocessor
    size = _pair(preprocessor["crop_size"] if cropped else preprocessor.get("size", takes))
    if size is None:
        raise InputError(f"{given} has size {preprocessor.get('size')!r}: give a number of pixels, or height and width")
    if takes is not None and size != _pair(takes):
        raise InputError(f"{given} makes images of {_times(size)}, but config.json takes {takes}: correct one of them")
    resampling = _RESAMPLINGS.get(preprocessor.get("resample", 2))
    if resampling is None:
        raise InputError(
            f"{given} has resample {preprocessor['resample']!r}: only 2 (bilinear) and 3 (bicubic) are done"
        )
    if not preprocessor.get("do_rescale", True) or abs(255 * preprocessor.get("rescale_factor", 1 / 255) - 1) > 1e-6:
        raise InputError(f"{given} wants pixels on another scale than 0 to 1, which is not done")
    normal = preprocessor.get("do_normalize", True)
    mean, std = (
        _channels(preprocessor.get(name, 0.5) if normal else neutral, channels, name)
        for name, neutral in (("image_mean", 0.0), ("image_std", 1.0))
    )
    return Preprocessing(channels, size, _pair(getattr(config, "patch_size", None)) or (1, 1), mean, std, resampling)


def _pair(size: Any) -> tuple[int, int] | None:
    """Height and width, in whichever way they are written; None where they are not."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge") or [size.get("height"), size.get("width")]
    height, width = size if isinstance(size, (list, tuple)) and len(size) == 2 else (size, size)
    return (height, width) if isinstance(height, int) and isinstance(width, int) and min(height, width) > 0 else None


def _channels(values: Any, channels: int, name: str) -> tuple[float, ...]:
    """One number a channel, from as many or from one for all."""
    found = tuple(map(float, values if isinstance(values, (list, tuple)) else [values]))
    found = found * channels if len(found) == 1 else found
    if len(found) != channels or (name == "image_std" and not min(found) > 0):
        raise InputError(
            f"preprocessor_config.json has {name} {values!r}: give {channels} numbers, of image_std above 0"
        )
    return found


def _times(size: Sequence[int]) -> str:
    return " × ".join(map(str, size))


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
            f"model {model!r} cuts images of {_times(wishes.size)} into patches of {_times(wishes.patch)}, which do "
            "not divide them: choose a model whose patches do"
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
