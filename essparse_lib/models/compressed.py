"""Store sparse weights as a mask of bits and the weights that stay, and make the ordinary checkpoint of them again.

The tensors are laid out as ``sparse-bitmask`` of compressed-tensors: a matrix ``layer.weight`` becomes
``layer.compressed`` (its non-zero weights), ``layer.bitmask`` (a bit a weight, first weight lowest, each row in whole
bytes), ``layer.shape`` and ``layer.row_offsets`` (where each row's weights begin). Versions of compressed-tensors
before 0.15 read them; later ones, transformers and vLLM have dropped the layout. They would make up what they do not
find. So the files have names of their own, and a program that does not know them says that there are no weights.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ..errors import InputError, check_texts, shown
from ..files import built, cache_folder, check_new_folder, sha256, writing_folder
from ..paths import check_folder, check_path
from ..pruning.mask_io import weights_fingerprint
from ..sources.foreign import entry, reading, regular_file
from .companions import copy_companions
from .configuration import read_settings
from .weight_files import MANIFEST, check_header, is_compressed, weight_files

#: The version of the format, which the manifest states.
_VERSION = 1
#: What a file of compressed weights is called in place of ``model``.
_PREFIX = "compressed"
_ORDINARY_NAME = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
#: The parts of a compressed matrix, by the last part of their names.
_PARTS = ("compressed", "bitmask", "shape", "row_offsets")
#: Whole numbers as wide as weights: bits that are not all 0 are stored, so that −0 stays −0.
_INTEGERS = {8: torch.int64, 4: torch.int32, 2: torch.int16}
_WEIGHTS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
#: Files that an ordinary checkpoint has besides those that are copied with any model.
_SETTINGS = ("config.json", "model.safetensors.index.json", "essparse.json")
#: What a card says as long as the weights are compressed.
CARD = """
## Storage

The weights are stored as a mask of bits and those that are not zero (`sparse-bitmask`).
`essparse decompress FOLDER --out DIR` makes the ordinary checkpoint of them, which `from_pretrained` loads.
"""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a model's files of weights.

    Attributes:
        ordinary: bytes of the ordinary files.
        compressed: bytes of the compressed files.

    >>> Sizes(200, 113).text()
    'its files of weights have 113 bytes, 0.565 of 200'
    """

    ordinary: int
    compressed: int

    def text(self) -> str:
        """Return the sizes as a clause."""
        ratio = self.compressed / max(1, self.ordinary)
        return f"its files of weights have {self.compressed:,} bytes, {ratio:.3f} of {self.ordinary:,}"


def compress(folder: Path) -> Sizes:
    """Compress the weights of an ordinary checkpoint in place, one file at a time.

    A tensor is compressed where that makes it smaller, and else stored as it is. All other files stay as they are, but
    for the card, to which a section is added.

    Args:
        folder: a folder with ``model.safetensors`` or with shards and their index.
    """
    files: dict[str, Any] = {}
    sizes = [0, 0]
    for path in weight_files(folder):
        dense = _read(path)
        stored: dict[str, torch.Tensor] = {}
        compressed = []
        for name, tensor in dense.items():
            parts = _compressed(tensor)
            names = _part_names(name)
            if parts is None or any(key in dense for key in names.values()):
                stored[name] = tensor
            else:
                stored |= {names[part]: values for part, values in parts.items()}
                compressed.append(name)
        target = path.with_name(_stored_name(path.name))
        save_file(stored, target, {"format": "pt"})
        files[path.name] = {"tensors_sha256": weights_fingerprint(dense), "compressed": sorted(compressed)}
        sizes[0] += path.stat().st_size
        sizes[1] += target.stat().st_size
        path.unlink()
    manifest = {"version": _VERSION, "layout": "sparse-bitmask", "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    with (folder / "README.md").open("ab") as card:
        card.write(CARD.encode())
    return Sizes(*sizes)


def decompress(folder: Path, out: Path) -> str:
    """Make the ordinary checkpoint of a compressed one: the one that was compressed, bit for bit.

    Args:
        folder: a folder that ``essparse prune --compressed`` wrote.
        out: a folder that does not exist yet, or is empty.

    Returns:
        A line that says what was written.

    Raises:
        InputError: the folder holds no compressed checkpoint, or a damaged one, or ``out`` cannot be written.
    """
    folder, out = check_folder("folder", folder, "a compressed model"), check_path("out", out)
    if not is_compressed(folder):
        raise InputError(f"{folder} holds no compressed model ({MANIFEST}): name one that prune --compressed wrote")
    check_new_folder(out)
    with writing_folder(out) as made:
        sizes = _decompress(folder, made)
    return f"{out}: the ordinary checkpoint of {folder}; before, {sizes.text()}"


def ordinary_folder(folder: Path) -> Path:
    """Return a folder of the cache with the ordinary checkpoint of a compressed one, which is made if needed.

    Args:
        folder: the compressed checkpoint.

    Raises:
        InputError: it is damaged, or the cache cannot be written.
    """

    def make(made: Path) -> None:
        _decompress(folder, made)

    with reading(folder, "name a folder that prune --compressed wrote"):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        contents = [[path.relative_to(folder).as_posix(), sha256(path)] for path in files]
    digest = hashlib.sha256(json.dumps(contents).encode()).hexdigest()
    return built(cache_folder() / "decompressed" / digest[:32], make)


def _decompress(folder: Path, made: Path) -> Sizes:
    """Write the ordinary checkpoint of a compressed one into an empty folder."""
    manifest = read_settings(folder / MANIFEST)
    if manifest.get("version") != _VERSION:
        raise InputError(
            f"{folder / MANIFEST} has version {shown(manifest.get('version'))}, and this program reads {_VERSION}: "
            "decompress it with a newer essparse"
        )
    sizes = [0, 0]
    for name, written in entry(manifest, "files", dict, folder / MANIFEST).items():
        if not _ORDINARY_NAME.fullmatch(name):
            raise InputError(f"{folder / MANIFEST} names {shown(name)} as a file of weights: fetch it anew")
        stored = folder / _stored_name(name)
        names = check_texts(f"{folder / MANIFEST}: names", entry(written, "compressed", list, MANIFEST), "['a.weight']")
        dense = _dense(_read(stored), names, stored)
        if weights_fingerprint(dense) != written.get("tensors_sha256"):
            raise InputError(f"{stored} is damaged (its weights are not those that were compressed): fetch it anew")
        save_file(dense, made / name, {"format": "pt"})
        sizes[0] += (made / name).stat().st_size
        sizes[1] += stored.stat().st_size
    for name in _SETTINGS:
        if (folder / name).exists():
            shutil.copyfile(regular_file(folder / name), made / name)
    if not weight_files(made):
        raise InputError(f"{folder / MANIFEST} names no file of weights: fetch it anew")
    copied = copy_companions(folder, made)
    if "README.md" in copied.files:
        card = (made / "README.md").read_bytes()
        (made / "README.md").write_bytes(card.removesuffix(CARD.encode()))
    return Sizes(*sizes)


def _stored_name(name: str) -> str:
    """Return what the compressed file of an ordinary one is called."""
    return _PREFIX + name.removeprefix("model")


def _read(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name."""
    with reading(path):
        check_header(path)
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)


def _part_names(name: str) -> dict[str, str]:
    """Return the names of the parts of a compressed matrix, by part."""
    return {part: f"{name.removesuffix('.weight')}.{part}" for part in _PARTS}


def _compressed(tensor: torch.Tensor) -> dict[str, torch.Tensor] | None:
    """Return the parts of a tensor, or None if they would be no smaller."""
    if tensor.dtype not in _WEIGHTS or tensor.dim() < 2 or not tensor.numel():
        return None
    kept = tensor.view(_INTEGERS[tensor.element_size()]) != 0
    counts = kept.sum(-1).flatten()
    parts = {
        "compressed": tensor[kept],
        "bitmask": torch.from_numpy(np.packbits(kept.numpy(), axis=-1, bitorder="little")),
        "shape": torch.tensor(tensor.shape),
        "row_offsets": counts.cumsum(0) - counts,
    }
    return parts if sum(map(_bytes, parts.values())) < _bytes(tensor) else None


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _dense(stored: dict[str, torch.Tensor], names: Sequence[str], path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of an ordinary file.

    Args:
        stored: the tensors of the compressed file, by name; taken out as they are read.
        names: names of the matrices that are compressed.
        path: the compressed file, for messages.

    Raises:
        InputError: the parts of a matrix are missing, or do not fit each other.
    """
    dense = {}
    for name in names:
        parts = {part: stored.pop(key, None) for part, key in _part_names(name).items()}
        matrix = _restored(parts)
        if matrix is None or name in dense:
            raise InputError(f"{path} is damaged (the parts of {shown(name)} are missing or do not fit): fetch it anew")
        dense[name] = matrix
    if double := dense.keys() & stored.keys():
        raise InputError(f"{path} is damaged (it holds {shown(min(double))} twice): fetch it anew")
    return {**dense, **stored}


def _restored(parts: Mapping[str, torch.Tensor | None]) -> torch.Tensor | None:
    """Return the matrix of its parts; None if they do not fit each other.

    The shape is held against the mask of bits before any memory is taken: a weight takes a bit of the file at least.
    """
    values, bits, shape, offsets = (parts[part] for part in _PARTS)
    if values is None or bits is None or shape is None or offsets is None:
        return None
    if (
        values.dtype not in _WEIGHTS
        or bits.dtype != torch.uint8
        or (shape.dtype, offsets.dtype) != (torch.int64, torch.int64)
    ):
        return None
    if values.dim() != 1 or shape.dim() != 1 or bits.dim() != len(shape) or bits.dim() < 2:
        return None
    sizes = shape.tolist()
    if any(size < 1 for size in sizes) or list(bits.shape) != [*sizes[:-1], -(-sizes[-1] // 8)]:
        return None
    kept = torch.from_numpy(np.unpackbits(bits.numpy(), axis=-1, count=sizes[-1], bitorder="little").view(np.bool_))
    counts = kept.sum(-1).flatten()
    if int(counts.sum()) != len(values) or not torch.equal(offsets, counts.cumsum(0) - counts):
        return None
    matrix = torch.zeros(sizes, dtype=values.dtype)
    matrix[kept] = values
    return matrix
