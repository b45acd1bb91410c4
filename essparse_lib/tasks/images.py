"""Hold labelled images as one array of pixels; they are decoded once, and then read from the cache."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, one_line
from ..files import cache_folder
from ..sources.sealed import sealed
from .task import labels_fault

#: The formats of images that are read, by Pillow's names. Of its others, some start programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
#: The most pixels of an image of a task, whose largest ones here have 300 × 300.
_MOST_PIXELS = 2**20
#: The most bytes of all images of a split together; Tiny ImageNet's take 1.2 GB.
_MOST_BYTES = 1_500_000_000


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
        return labels_fault(np.unique(self.labels).tolist(), classes) if len(self) else "no images"


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


@contextmanager
def open_image(data: bytes, name: str, most: int) -> Iterator[Any]:
    """Open an image as Pillow has it, and decode it; of several pictures in a file, the first.

    Args:
        data: the bytes of its file, in one of ``FORMATS``.
        name: what it is, for messages.
        most: the most pixels that are decoded; the file says how many it has before that.

    Raises:
        InputError: it cannot be decoded, or has more pixels.
    """
    image_module = pillow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of oddities in its notes
        warnings.simplefilter("error", image_module.DecompressionBombWarning)
        try:
            image = image_module.open(io.BytesIO(data), formats=FORMATS)
            pixels = image.width * image.height
            if pixels <= most:
                image.load()
        except Exception as error:  # Pillow's own, its codecs' and the system's
            unknown = type(error).__name__ == "UnidentifiedImageError"  # whose text is an address in memory
            reason = f"it is none of {', '.join(FORMATS)}, or damaged" if unknown else one_line(error)
            raise InputError(f"{name} cannot be decoded: {reason}") from error
        if pixels > most:
            raise InputError(
                f"{name} is of {image.width} × {image.height} pixels; {most:,} are the most that are decoded: shrink it"
            )
        with image:
            yield image


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
    pillow()
    if not files:
        raise InputError(f"no images where {name(0)} should be: the source is not the one that is named")
    pixels: np.ndarray | None = None
    for position, data in enumerate(files):
        with open_image(data or b"", name(position), _MOST_PIXELS) as image:
            decoded = image.convert(mode) if image.mode == converted else image
            values = np.asarray(decoded)
            bands = len(decoded.getbands())
        if pixels is None:
            height, width = values.shape[:2]
            if len(files) * bands * height * width > _MOST_BYTES:
                raise InputError(
                    f"{name(position)} is of {width} × {height} pixels: as many as {len(files):,} of these take more "
                    f"than {_MOST_BYTES / 1e9:g} GB, the most that are read"
                )
            pixels = np.empty((len(files), bands, height, width), dtype=np.uint8)
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
        InputError: the cache cannot be written. Errors of ``make`` pass through.
    """
    from safetensors.numpy import load_file, save_file

    def save(folder: Path) -> None:
        images = make()
        save_file({"pixels": images.pixels, "labels": images.labels}, folder / "images.safetensors")

    folder = sealed(cache_folder() / "images" / f"{name}-{content[:16]}", save)
    return Images(**load_file(folder / "images.safetensors"))
