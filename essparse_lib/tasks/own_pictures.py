"""Decode images of any size and mode, and make them alike: one size, grey or red, green and blue."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, one_line
from .images import FORMATS, open_image, pillow
from .own_labels import Labels

#: Pixels along a side of an image that is prepared, at most; and the fewest that are worth training on.
MOST_SIDE, _LEAST_SIDE = 256, 32
#: The most pixels of an image that is decoded, and the most bytes of all that are prepared.
MOST_PIXELS, MOST_BYTES = 64 * 10**6, 1_000_000_000
#: Pillow's modes of grey images; all else becomes red, green and blue.
_GREY = ("1", "L", "I;16", "I;16B", "I;16L", "I")
#: The number of the orientation among a camera's notes (Exif), and its values where width and height are exchanged.
_ORIENTATION, _ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)
_SIXTEEN_BITS = 257  # 65,535 becomes 255


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Files of images that are read one at a time, as often as needed.

    Attributes:
        encoded: a function that yields each image's name and the bytes of its file.
        labels: the label of each image.
    """

    encoded: Callable[[], Iterator[tuple[str, bytes]]]
    labels: Labels


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What all images become.

    Attributes:
        mode: Pillow's mode: L for grey, RGB.
        width: pixels.
        height: pixels.
    """

    mode: str
    width: int
    height: int

    @property
    def channels(self) -> int:
        """Numbers of a pixel."""
        return 1 if self.mode == "L" else 3


def common_shape(parts: Sequence[Pictures], source: object) -> tuple[Shape, list[str]]:
    """Return what all images become, and what is to be told of it; only the heads of the files are read.

    Args:
        parts: the images.
        source: what they were read from, for messages.

    Raises:
        InputError: images cannot be read, or are so many that none of ``_LEAST_SIDE`` pixels a side would fit.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()
    faults: list[str] = []
    for name, data in (each for part in parts for each in part.encoded()):
        try:
            width, height, mode = _head(data, name)
        except InputError as error:
            faults.append(str(error))
        else:
            sizes[width, height] += 1
            modes[mode] += 1
    _refuse(faults, sum(len(part.labels.values) for part in parts), source)
    mode = "L" if all(each in _GREY for each in modes) else "RGB"
    notes = [f"The images are {'grey' if mode == 'L' else 'in colour'}."]
    if mode == "RGB" and (grey := sum(count for each, count in modes.items() if each in _GREY)):
        notes = [f"The images are in colour; {grey:,} grey ones become so."]
    count = sum(sizes.values())
    (width, height), _ = sizes.most_common(1)[0]
    fits = int((MOST_BYTES / (count * (1 if mode == "L" else 3))) ** 0.5)
    if fits < _LEAST_SIDE:
        raise InputError(f"{source} has {count:,} images, more than can be prepared: give fewer")
    if len(sizes) == 1 and max(width, height) <= min(MOST_SIDE, fits):
        return Shape(mode=mode, width=width, height=height), notes
    sides = sorted(min(size) for size, of_size in sizes.items() for _ in range(of_size))
    side = min(MOST_SIDE, fits, max(_LEAST_SIDE, sides[len(sides) // 2]))
    smallest, largest = min(sizes, key=_area), max(sizes, key=_area)
    notes.append(
        f"All images are cut to a square around their middle and resized (bicubic) to {side} × {side} pixels; they "
        f"have {smallest[0]} × {smallest[1]} to {largest[0]} × {largest[1]}."
    )
    return Shape(mode=mode, width=side, height=side), notes


def _area(size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    return size[0] * size[1], size


def decode(pictures: Pictures, shape: Shape, source: object) -> np.ndarray:
    """Return the pixels of images, all of one shape: uint8, (images, channels, height, width).

    Args:
        pictures: the images.
        shape: what they become.
        source: what they were read from, for messages.

    Raises:
        InputError: images are damaged.
    """
    pixels = np.empty((len(pictures.labels.values), shape.channels, shape.height, shape.width), dtype=np.uint8)
    faults: list[str] = []
    for place, (name, data) in enumerate(pictures.encoded()):
        try:
            with open_image(data, name, MOST_PIXELS) as image:
                values = np.asarray(_alike(image, shape, name))
            pixels[place] = values if values.ndim == 2 else values.transpose(2, 0, 1)
        except InputError as error:
            faults.append(str(error))
    _refuse(faults, len(pixels), source)
    return pixels


def _head(data: bytes, name: str) -> tuple[int, int, str]:
    """Return width, height and mode of an image, as its file says before it is decoded."""
    try:
        with warnings.catch_warnings(action="ignore"), pillow().open(io.BytesIO(data), formats=FORMATS) as image:
            width, height, mode = image.width, image.height, image.mode
            # a camera's note that the picture lies on its side; for it, Pillow decodes the whole of some other formats
            turned = image.format == "JPEG" and image.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE
    except Exception as error:  # Pillow's own, its codecs' and the system's
        unknown = type(error).__name__ == "UnidentifiedImageError"
        reason = f"it is none of {', '.join(FORMATS)}, or damaged" if unknown else one_line(error)
        raise InputError(f"{name} cannot be decoded: {reason}") from error
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{name} is of {width} × {height} pixels; {MOST_PIXELS:,} are the most that are decoded: shrink it"
        )
    return (height, width, mode) if turned else (width, height, mode)


def _alike(image: Any, shape: Shape, name: str) -> Any:
    """Return an image in the mode and of the size that all have, turned as its camera noted."""
    from PIL import ImageOps

    try:
        turned = _in_mode(ImageOps.exif_transpose(image), shape.mode)
        if turned.size == (shape.width, shape.height):
            return turned
        return ImageOps.fit(turned, (shape.width, shape.height), method=pillow().Resampling.BICUBIC)
    except InputError:
        raise
    except Exception as error:  # of a mode that Pillow does not convert
        raise InputError(f"{name} cannot be converted: {one_line(error)}") from error


def _in_mode(image: Any, mode: str) -> Any:
    """Return an image in a mode; what is transparent becomes white, and 16 bits become 8."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.max(initial=0) > 255:
            values = values // _SIXTEEN_BITS
        image = pillow().fromarray(values.clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = pillow().new("RGBA", image.size, "white")
        image = pillow().alpha_composite(white, image)
    if image.mode == "F":
        raise InputError("images of fractions are not supported: save them in 8 bits")
    return image.convert(mode)


def _refuse(faults: Sequence[str], count: int, source: object) -> None:
    """Raise one error for all images that cannot be used."""
    if faults:
        raise InputError(
            f"{len(faults):,} of {count:,} images of {source} cannot be used: mend or remove them ({faults[0]})"
        )
