"""Read how a vision model expects its pixels, from the two files that the hub has for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from ..sources.foreign import parse_json, read_bytes
from ..wording import times_text

#: Resamplings that torch has, by Pillow's numbers for them, which preprocessor_config.json uses.
_RESAMPLINGS = {2: "bilinear", 3: "bicubic"}
#: The most pixels of a side of an image, the largest number for a channel, and the most bytes of the file.
_LARGEST_SIDE, _LARGEST_MEAN, _MOST = 4096, 1e6, 2**20


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a vision model expects its images.

    Attributes:
        channels: number of channels: 1 for grey, 3 for red, green and blue.
        size: height and width of the images, in pixels.
        patch: height and width of the patches that the model cuts images into, in pixels; (1, 1) if it cuts none.
        mean: mean of each channel, which is subtracted from pixels in [0, 1].
        std: standard deviation of each channel, by which the difference is divided.
        resampling: how images of another size are resized: ``bilinear`` or ``bicubic``.
    """

    channels: int
    size: tuple[int, int]
    patch: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resampling: str = "bilinear"


def read_preprocessing(config: Any, file: Path) -> Preprocessing:
    """Return how a vision model expects its images, from its two files on the hub.

    A model that would be given the centre of a larger image is given the whole image at the size of that centre: in
    small images the object fills the frame, and there is no border to cut.

    Args:
        config: the model's configuration.
        file: path of the model's ``preprocessor_config.json``; settings that it lacks are those of a ViT.

    Raises:
        InputError: the file is missing or damaged, asks for a step that is not done here, or does not fit the
            configuration.
    """
    if not file.exists():
        raise InputError(f"{file} is missing, which says what the model wants of its pixels")
    preprocessor = parse_json(read_bytes(file, _MOST), file, dict)
    channels, image_size = getattr(config, "num_channels", 3), getattr(config, "image_size", None)
    if channels not in (1, 3):
        raise InputError(f"config.json has num_channels {shown(channels)}: only 1 and 3 are done")
    cropped = preprocessor.get("do_center_crop") and "crop_size" in preprocessor
    size = _pair(preprocessor["crop_size"] if cropped else preprocessor.get("size", image_size))
    if size is None:
        raise InputError(
            f"{file.name} has size {shown(preprocessor.get('size'))}: give a number of pixels, or height and width, of "
            f"at most {_LARGEST_SIDE}"
        )
    if image_size is not None and size != _pair(image_size):
        raise InputError(
            f"{file.name} makes images of {times_text(size)}, but config.json takes {shown(image_size)}: "
            "correct one of them"
        )
    resample = preprocessor.get("resample", 2)
    if not _is_number(resample) or resample not in _RESAMPLINGS:
        raise InputError(f"{file.name} has resample {shown(resample)}: only 2 (bilinear) and 3 (bicubic) are done")
    factor = preprocessor.get("rescale_factor", 1 / 255)
    if not (preprocessor.get("do_rescale", True) and _is_number(factor) and abs(255 * factor - 1) <= 1e-6):
        raise InputError(f"{file.name} wants pixels on another scale than 0 to 1, which is not done")
    normalizes = preprocessor.get("do_normalize", True)
    mean = _per_channel(preprocessor.get("image_mean", 0.5) if normalizes else 0.0, channels, "image_mean")
    std = _per_channel(preprocessor.get("image_std", 0.5) if normalizes else 1.0, channels, "image_std")
    return Preprocessing(
        channels=channels,
        size=size,
        patch=_pair(getattr(config, "patch_size", None)) or (1, 1),
        mean=mean,
        std=std,
        resampling=_RESAMPLINGS[int(resample)],
    )


def _pair(size: Any) -> tuple[int, int] | None:
    """Return height and width, in whichever of the hub's ways they are written; None if in none of them."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge") or [size.get("height"), size.get("width")]
    height, width = size if isinstance(size, (list, tuple)) and len(size) == 2 else (size, size)
    if not (type(height) is int and type(width) is int):
        return None
    return (height, width) if min(height, width) > 0 and max(height, width) <= _LARGEST_SIDE else None


def _is_number(value: Any) -> bool:
    """Return whether a value of JSON is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf


def _per_channel(values: Any, channels: int, name: str) -> tuple[float, ...]:
    """Return one number a channel, from as many or from one for all."""
    listed = list(values) if isinstance(values, (list, tuple)) else [values]
    if len(listed) == 1:
        listed *= channels
    numbers = [float(value) if _is_number(value) and abs(value) < _LARGEST_MEAN else math.nan for value in listed]
    usable = [number > 0 if name == "image_std" else not math.isnan(number) for number in numbers]
    if len(numbers) != channels or not all(usable):
        raise InputError(
            f"preprocessor_config.json has {name} {shown(values)}: give {channels} numbers, of image_std above 0"
        )
    return tuple(numbers)
