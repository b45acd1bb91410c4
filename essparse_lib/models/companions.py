"""Copy what lies beside a model's weights: tokenizer, processors, settings, licence and model card, as they are."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .weight_files import MANIFEST

#: Endings of files of weights, in whatever format, and of what training leaves.
_WEIGHTS = frozenset(
    ".safetensors .bin .pt .pth .ckpt .h5 .hdf5 .msgpack .onnx .onnx_data .gguf .ggml .tflite .pb .ot .pkl .pickle "
    ".mlmodel .mlpackage .npz .npy .distcp .nemo .engine .llamafile .pte .zip .tar .gz .arrow .parquet".split()
)
#: What ``save_pretrained`` or this package writes anew.
_WRITTEN = frozenset({"config.json", "essparse.json", MANIFEST})
_OWN_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?")
#: Larger files are no settings: the largest tokenizers take 40 MB.
_LARGEST = 100_000_000


@dataclass(frozen=True)
class Copied:
    """What was copied from a model's folder and what was left, as paths relative to it.

    Attributes:
        files: the files that were copied.
        left_out: the files and folders that were not: other weights, links that leave the folder, what is huge.
    """

    files: tuple[str, ...]
    left_out: tuple[str, ...]


def copy_companions(source: Path, target: Path) -> Copied:
    """Copy all files of a model's folder that are no weights of it, byte for byte.

    Folders come along unless they hold weights, and so are another format of the model or a snapshot of its training.
    Those that ``modules.json`` of sentence-transformers names are parts of the model and come whole. Hidden files,
    caches, links to places outside the folder and files above 100 MB stay.

    Args:
        source: folder of the model; one of the hub's cache links to the files themselves.
        target: folder to copy into.
    """
    parts = _modules(source)
    files: list[str] = []
    left_out: list[str] = []
    for path in sorted(_candidates(source, source, parts, left_out)):
        relative = path.relative_to(source).as_posix()
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / relative)
        files.append(relative)
    return Copied(tuple(files), tuple(sorted(left_out)))


def _candidates(folder: Path, source: Path, parts: set[str], left_out: list[str]) -> Iterator[Path]:
    """Yield the files of a folder and of those in it that are to be copied, and note those that are not."""
    for path in sorted(folder.iterdir()):
        relative = path.relative_to(source).as_posix()
        part = any(relative == name or relative.startswith(f"{name}/") for name in parts)
        if path.name.startswith(".") or path.name in ("__pycache__", "__init__.py"):
            continue
        if not _stays_inside(path, source):
            left_out.append(relative)
        elif path.is_dir():
            if path.is_symlink() or not (part or _without_weights(path)):
                left_out.append(f"{relative}/")
            else:
                yield from _candidates(path, source, parts, left_out)
        elif relative not in _WRITTEN and not _OWN_WEIGHTS.fullmatch(relative):
            weights = path.suffix.lower() in _WEIGHTS or path.name.endswith(".index.json")
            unneeded = weights and not (part and _best_format(path))
            if unneeded or not path.is_file() or (not part and path.stat().st_size > _LARGEST):
                left_out.append(relative)
            else:
                yield path


def _best_format(path: Path) -> bool:
    """Return whether a file of weights is safetensors, or a pickled one where there is no such file beside it."""
    return path.suffix == ".safetensors" or (path.suffix == ".bin" and not any(path.parent.glob("*.safetensors")))


def _without_weights(folder: Path) -> bool:
    """Return whether no file in a folder, however deep, is one of weights."""
    return not any(path.suffix.lower() in _WEIGHTS for path in folder.rglob("*"))


def _stays_inside(path: Path, source: Path) -> bool:
    """Return whether a path is in a folder with its links resolved; the hub's cache keeps files beside the folder."""
    if not path.is_symlink():
        return True
    cache = source.parent.parent if source.parent.name == "snapshots" else source
    return any(path.resolve().is_relative_to(place.resolve()) for place in (source, cache))


def _modules(source: Path) -> set[str]:
    """Return the folders that sentence-transformers' ``modules.json`` names as parts of the model."""
    try:
        modules = json.loads((source / "modules.json").read_bytes())
        return {str(module["path"]).strip("/") for module in modules if module.get("path")}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return set()  # most models have none
