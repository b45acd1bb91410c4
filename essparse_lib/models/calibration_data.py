"""Read what calibrated methods let flow through a model: windows of a text file, or a folder of images."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..errors import InputError, shown
from ..pruning.calibration import calibration_windows, check_longest, longest_input
from ..sources.foreign import read_bytes, read_text, reading
from ..tasks.images import open_image, pillow
from . import loading
from .quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Windows of a text, or images: 128, as in Wanda's and SparseGPT's papers.
COUNT = 128
#: Tokens in a window where nothing else is asked for: fewer than in the papers, so that a laptop can.
LENGTH = 256
#: The most bytes of a text, of an image's file, and the most pixels of an image that are read.
MOST_TEXT, MOST_FILE, MOST_PIXELS = 16 * 2**20, 64 * 2**20, 32 * 10**6
#: The most pixels that an image processor may make a side of an image.
_LARGEST_SIDE = 4096
_IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def text_windows(
    model: PreTrainedModel, name: str, file: Path, count: int = COUNT, length: int | None = None, seed: int = 0
) -> torch.Tensor:
    """Return windows of a text as token numbers of shape (count, length).

    Args:
        model: the model that is to read them.
        name: its name here, its id on the hub, or its local folder: it has the tokenizer.
        file: the text, in UTF-8, of at most ``MOST_TEXT`` bytes: it is read whole.
        count: number of windows.
        length: tokens in each; None for 256, or for as many as the model takes if these are fewer.
        seed: of which windows are drawn.

    Raises:
        InputError: the model has no tokenizer, takes fewer tokens than ``length``, or the file is no text, too long or
            too short.
    """
    longest = longest_input(model)
    if length is not None:
        check_longest("length", length, longest, f"model {name!r}")
    text = read_text(file, MOST_TEXT)
    tokens = min(LENGTH, longest or LENGTH) if length is None else length
    tokenizer = loading.tokenizer_of(name)

    def read(part: str, **options: Any) -> Any:
        with reading(f"the tokenizer of model {name!r}", f"it must be able to read {file}"):
            return tokenizer(part, **options)

    try:
        return calibration_windows(text, read, count, tokens, seed)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def images(name: str, folder: Path, count: int = COUNT, seed: int = 0) -> dict[str, torch.Tensor]:
    """Return images as a model's own image processor makes them, as inputs by name.

    Args:
        name: the model's name here, its id on the hub, or its local folder: it has the processor.
        folder: a folder with image files, also in folders inside it.
        count: number of images.
        seed: of which images are drawn.

    Raises:
        InputError: Pillow is not installed, the model has no image processor, the folder or one in it cannot be read,
            or it has too few images or one that cannot be read or has more than ``MOST_PIXELS``.
    """
    from transformers import AutoImageProcessor

    pillow()
    files = _image_files(Path(folder))
    if len(files) < count:
        raise InputError(f"{folder} has {len(files)} images, fewer than {count}: give more, or ask for fewer (windows)")
    source = loading.locate(name)
    with quiet(), reading(f"the image processor of model {name!r}", "name a model that has one"):
        processor = AutoImageProcessor.from_pretrained(source.folder, trust_remote_code=False)
    _check_sizes(processor, name)
    inputs: list[dict[str, torch.Tensor]] = []
    for path in random.Random(seed).sample(files, count):
        with open_image(read_bytes(path, MOST_FILE), str(path), MOST_PIXELS) as image:
            picture = image if image.mode == "RGB" else image.convert("RGB")
            with reading(path, f"the image processor of model {name!r} must be able to"):
                # one alone: photographs are large
                inputs.append(dict(processor(images=[picture], return_tensors="pt")))
        _check_alike(inputs[0], inputs[-1], path)
    return {key: torch.cat([each[key] for each in inputs]) for key in inputs[0]}


def _image_files(folder: Path) -> list[Path]:
    """Return the image files in a folder and the folders inside it, by their names' ends; hidden ones are none."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read ({error.strerror}): name another folder")

    paths = [Path(place) / name for place, _, names in os.walk(folder, onerror=refuse) for name in names]
    shown = (path for path in paths if not path.name.startswith("."))  # macOS puts ._photo.jpg beside photo.jpg
    return sorted(path for path in shown if path.suffix.lower() in _IMAGES and path.is_file())


def _check_sizes(processor: Any, name: str) -> None:
    """Check that an image processor makes no pictures that are too large for memory."""
    sizes = (getattr(processor, setting, None) for setting in ("size", "crop_size", "pad_size"))
    numbers = [number for size in sizes if size is not None for number in _numbers(size)]
    if any(not 0 < number <= _LARGEST_SIDE for number in numbers):
        raise InputError(
            f"the image processor of model {name!r} makes images of {shown(numbers)} pixels: "
            f"{_LARGEST_SIDE} are the most that are made"
        )


def _numbers(size: Any) -> list[float]:
    """Return the numbers in the size that an image processor names, by whatever keys."""
    if not isinstance(size, Mapping):
        size = vars(size) if hasattr(size, "__dict__") else {"size": size}
    return [value for value in size.values() if isinstance(value, (int, float))]


def _check_alike(first: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor], path: Path) -> None:
    """Check that what an image became has the shapes of what the first one did."""
    shapes, others = ({key: tuple(values.shape) for key, values in each.items()} for each in (first, other))
    if shapes != others:
        raise InputError(f"{path} becomes {shown(others)}, the first image {shown(shapes)}: give images of one size")
