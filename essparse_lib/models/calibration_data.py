"""Read what calibrated methods let flow through a model: windows of a text file, or a folder of images."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, one_line
from ..pruning.calibration import calibration_windows, check_longest, longest_input
from ..tasks.images import pillow
from . import loading

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

#: Windows of a text, or images: 128, as in Wanda's and SparseGPT's papers.
COUNT = 128
#: Tokens in a window where nothing else is asked for: fewer than in the papers, so that a laptop can.
LENGTH = 256
_IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def text_windows(
    model: PreTrainedModel, name: str, file: Path, count: int = COUNT, length: int | None = None, seed: int = 0
) -> torch.Tensor:
    """Return windows of a text as token numbers of shape (count, length).

    Args:
        model: the model that is to read them.
        name: its name here, its id on the hub, or its local folder: it has the tokenizer.
        file: the text, in UTF-8.
        count: number of windows.
        length: tokens in each; None for 256, or for as many as the model takes if these are fewer.
        seed: of which windows are drawn.

    Raises:
        InputError: the model has no tokenizer, takes fewer tokens than ``length``, or the text is too short.
    """
    longest = longest_input(model)
    if length is not None:
        check_longest("length", length, longest, f"model {name!r}")
    text = Path(file).read_text(encoding="utf-8", errors="replace")
    tokens = min(LENGTH, longest or LENGTH) if length is None else length
    return calibration_windows(text, loading.tokenizer_of(name), count, tokens, seed)


def images(name: str, folder: Path, count: int = COUNT, seed: int = 0) -> dict[str, torch.Tensor]:
    """Return images as a model's own image processor makes them, as inputs by name.

    Args:
        name: the model's name here, its id on the hub, or its local folder: it has the processor.
        folder: a folder with image files, also in folders inside it.
        count: number of images.
        seed: of which images are drawn.

    Raises:
        InputError: Pillow is not installed, the model has no image processor, or the folder has too few images or one
            that cannot be read.
    """
    from transformers import AutoImageProcessor

    image_module = pillow()
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _IMAGES and path.is_file())
    if len(files) < count:
        raise InputError(f"{folder} has {len(files)} images, fewer than {count}: give more, or ask for fewer (windows)")
    source = loading.locate(name)
    try:
        processor = AutoImageProcessor.from_pretrained(source.folder, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"model {name!r} has no image processor that can be read: {one_line(error)}") from error
    pictures = []
    for path in random.Random(seed).sample(files, count):
        try:
            with image_module.open(path) as image:
                pictures.append(image.convert("RGB"))
        except Exception as error:  # Pillow's own, its codecs' and the system's
            raise InputError(f"{path} cannot be read as an image: {one_line(error)}") from error
    return dict(processor(images=pictures, return_tensors="pt"))
