"""Hold labelled images as one array of pixels; they are decoded once, and then read from the cache."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, one_line
from ..files import built, cache_folder


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images, all of one size.

    Attributes:
        pixels: pixels in 8 bits, shape (images, channels, height, width); 1 channel is grey, 3 are red, green, blue.
        labels: class number of each image, from 0; int64, shape (images,).

    Raises:
        ValueError: pixels or labels have another shape or dtype.
    """

    pixels: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4 or self.pixels.shape[1] not in (1, 3):
            raise ValueError(
                f"pixels of shape {self.pixels.shape}, {self.pixels.dtype}: "
                "they must be (images, 1 or 3, height, width), uint8"
            )
        if self.labels.shape != self.pixels.shape[:1] or self.labels.dtype != np.int64:
            raise ValueError(
                f"{len(self.pixels)} images but labels of shape {self.labels.shape}, {self.labels.dtype}: "
                "they must be one int64 an image"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of each image."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    def take(self, positions: Sequence[int] | np.ndarray) -> Images:
        """Return the images at some positions, in that order."""
        chosen = np.asarray(positions, dtype=np.int64)
        return Images(self.pixels[chosen], self.labels[chosen])

    def fingerprint(self) -> str:
        """Return the SHA-256 of the shape, all pixels and all labels, in order; its first 16 hexadecimal digits."""
        digest = hashlib.sha256(repr(self.pixels.shape).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        digest.update(self.labels.astype("<i8").data)  # the same on every machine
        return digest.hexdigest()[:16]

    def keys(self) -> list[bytes]:
        """Return the SHA-256 of each image's pixels."""
        return [hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in self.pixels]

    def fault(self, classes: int) -> str:
        """Return what makes the images unfit for so many classes, in words: none, or labels that are no class."""
        if not len(self):
            return "no images"
        out_of_range = [int(label) for label in np.unique(self.labels) if not 0 <= label < classes]
        return f"labels {out_of_range}; they must lie in 0 to {classes - 1}" if out_of_range else ""


def pillow() -> Any:
    """Return Pillow's module ``Image``, which decodes images.

    Raises:
        InputError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError("images are decoded by Pillow, which is missing: pip install 'essparse[images]'") from error
    return Image


def decode_images(
    files: Sequence[bytes | None], mode: str, name: Callable[[int], str], converted: str = ""
) -> np.ndarray:
    """Return the pixels of image files that are all of one size.

    Args:
        files: encoded images, such as PNG or JPEG; None for a missing file.
        mode: Pillow's mode of the images: ``L`` for grey, ``RGB``.
        name: a function that gives the name of the file at a position, for messages.
        converted: another mode that images may have; these are converted to ``mode``.

    Returns:
        Pixels in 8 bits, shape (images, channels, height, width).

    Raises:
        InputError: there are no files, one cannot be decoded, or has another size or mode.
    """
    image_module = pillow()
    if not files:
        raise InputError(f"no images where {name(0)} should be: the source is not the one that is named")
    pixels: np.ndarray | None = None
    for position, data in enumerate(files):
        try:
            with image_module.open(io.BytesIO(data or b"")) as image:
                image.load()
                decoded = image.convert(mode) if image.mode == converted else image
                values = np.asarray(decoded)
        except Exception as error:  # Pillow's own, its codecs' and the system's
            raise InputError(f"{name(position)} cannot be decoded: {one_line(error)}") from error
        if pixels is None:
            height, width = values.shape[:2]
            pixels = np.empty((len(files), len(decoded.getbands()), height, width), dtype=np.uint8)
        if decoded.mode != mode or values.shape[:2] != (height, width):
            raise InputError(
                f"{name(position)} is {decoded.mode} of {values.shape[1]} × {values.shape[0]} pixels; "
                f"it must be {mode} of {width} × {height}, as the others"
            )
        pixels[position] = values if values.ndim == 2 else values.transpose(2, 0, 1)
    assert pixels is not None
    return pixels


def cached_images(name: str, content: str, make: Callable[[], Images]) -> Images:
    """Return images from the cache, after making and saving them if they are not in it.

    Args:
        name: name of the images in the cache.
        content: hash of everything that they are made from; each hash has a place of its own.
        make: a function that makes the images.

    Raises:
        InputError: the cache cannot be written, or the saved file cannot be read. Errors of ``make`` pass through.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save_file

    def save(folder: Path) -> None:
        images = make()
        save_file({"pixels": images.pixels, "labels": images.labels}, folder / "images.safetensors")

    file = built(cache_folder() / "images" / f"{name}-{content[:16]}", save) / "images.safetensors"
    try:
        return Images(**load_file(file))
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({one_line(error)}): remove {file.parent} and run again") from error
