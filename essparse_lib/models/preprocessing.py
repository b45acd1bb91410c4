"""What a vision model wants of its pixels, from the two files that the hub has of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, one_line
from ..wording import times_text

#: Pillow's numbers of the resamplings that torch has as well, as preprocessor_config.json gives them.
_RESAMPLINGS = {2: "bilinear", 3: "bicubic"}


@dataclass(frozen=True, kw_only=True)
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
        raise InputError(
            f"{given} makes images of {times_text(size)}, but config.json takes {takes}: correct one of them"
        )
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
    return Preprocessing(
        channels=channels,
        size=size,
        patch=_pair(getattr(config, "patch_size", None)) or (1, 1),
        mean=mean,
        std=std,
        resampling=resampling,
    )


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
