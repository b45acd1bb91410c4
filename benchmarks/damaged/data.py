"""Texts, images, tables, masks and checkpoints that are damaged or something else than their name says."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from .attempt import Attempt, Work, command
from .models import copied, write_bert, write_vit

_Make = Callable[[Path], object]
_GOOD_TEXT = "a good film and a bad day " * 200


def _write(content: bytes) -> _Make:
    return lambda path: path.write_bytes(content)


#: What is no file of the kind that is asked for, whatever the kind.
_NO_FILES: dict[str, _Make] = {
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a named pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path),
    "/dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "empty": _write(b""),
}

# --- text that calibrates ------------------------------------------------------------------------------------------

_TEXTS: dict[str, _Make] = _NO_FILES | {
    "random bytes": _write(bytes(range(256)) * 100),
    "NUL bytes": _write(bytes(50_000)),
    "UTF-16": _write(_GOOD_TEXT.encode("utf-16")),
    "Latin-1": _write(("é" + _GOOD_TEXT).encode("latin-1")),
    "a picture": lambda path: path.write_bytes(_png(16, 16)),
    "parquet": lambda path: path.write_bytes(_table({"text": ["x"] * 50})),
    "too short": _write(b"a good film"),
    "spaces": _write(b" " * 50_000),
}

_TEXT = ("prune", "./model", "--method", "wanda", "--sparsity", "0.5", "--text", "file.txt", "--windows", "2",
         "--length", "16", "--out", "pruned")  # fmt: skip

# --- images that calibrate -----------------------------------------------------------------------------------------


def _png(width: int, height: int, data: bytes | None = None) -> bytes:
    """Return a grey PNG that says to be of this size, with these compressed pixels; None for right ones."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    if data is None:
        data = zlib.compress((b"\0" + bytes(width)) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _frames(count: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    frames = [Image.new("L", (8, 8), number % 256) for number in range(count)]
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    return file.getvalue()


_PICTURES: dict[str, _Make] = {
    name: make for name, make in _NO_FILES.items() if name not in ("missing", "a folder")
} | {
    "no picture": _write(b"hello"),
    "cut off": lambda path: path.write_bytes(_png(16, 16)[:45]),
    "damaged pixels": lambda path: path.write_bytes(_png(16, 16, b"x" * 40)),
    "1.8 GB of pixels in 2 MB": lambda path: path.write_bytes(_png(42_000, 42_000)),
    "a size of 2^31": lambda path: path.write_bytes(_png(2**31 - 1, 2**31 - 1, b"")),
    "a size of 0": lambda path: path.write_bytes(_png(0, 0, zlib.compress(b""))),
    "a pickle": _write(b"\x80\x04K\x01."),
}

_FOLDERS: dict[str, _Make] = {
    "missing": lambda path: None,
    "a file": _write(b"x"),
    "empty": lambda path: path.mkdir(),
    "a named pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path),
    "other files alone": lambda path: (path.mkdir(), (path / "a.txt").write_text("x")),
}

_IMAGES = ("prune", "./model", "--method", "wanda", "--sparsity", "0.5", "--images", "images", "--windows", "2",
           "--out", "pruned")  # fmt: skip

# --- tables of tasks -----------------------------------------------------------------------------------------------


def _table(columns: dict[str, list[Any]], types: dict[str, Any] | None = None) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    file = io.BytesIO()
    arrays = {name: pa.array(values, (types or {}).get(name)) for name, values in columns.items()}
    parquet.write_table(pa.table(arrays), file)
    return file.getvalue()


_SENTENCES = ["a good film", "a bad film"] * 20
_LABELS = [0, 1] * 20


def _columns(**changes: Any) -> _Make:
    """Return a maker of a table of SST-2 with other columns; ``...`` removes one."""
    columns = {"sentence": _SENTENCES, "label": _LABELS, "idx": list(range(40))} | changes
    return lambda path: path.write_bytes(_table({name: v for name, v in columns.items() if v is not ...}))


_TABLES: dict[str, _Make] = {name: make for name, make in _NO_FILES.items() if name != "missing"} | {
    "a web page": _write(b"<!doctype html>" * 50),
    "cut off": lambda path: path.write_bytes(_table({"sentence": _SENTENCES, "label": _LABELS})[:-50]),
    "damaged inside": lambda path: path.write_bytes(
        (lambda data: data[:20] + b"\xff" * 60 + data[80:])(_table({"sentence": _SENTENCES, "label": _LABELS}))
    ),
    "a pointer of LFS": _write(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
    "no labels": _columns(label=...),
    "no sentences": _columns(sentence=...),
    "labels that are null": _columns(label=[None] * 40),
    "one label that is null": _columns(label=[None, *_LABELS[1:]]),
    "labels that are lists": _columns(label=[[0], [1]] * 20),
    "labels that are texts": _columns(label=["good", "bad"] * 20),
    "labels that are digits in texts": _columns(label=["0", "1"] * 20),
    "labels that are halves": _columns(label=[0.5, 1.5] * 20),
    "labels that are NaN": _columns(label=[float("nan"), 1.0] * 20),
    "labels beyond the classes": _columns(label=[0, 7] * 20),
    "labels below 0": _columns(label=[-1, 1] * 20),
    "sentences that are null": _columns(sentence=[None] * 40),
    "one sentence that is null": _columns(sentence=[None, *_SENTENCES[1:]]),
    "sentences that are numbers": _columns(sentence=list(range(40))),
    "sentences that are lists": _columns(sentence=[["a"], ["b"]] * 20),
    "sentences that are bytes": _columns(sentence=[b"\xff\xfe"] * 40),
    "no rows": _columns(sentence=[], label=[], idx=[]),
}


def _task(folder: Path) -> None:
    """Load the task from a mirror that has the damaged table."""
    from essparse_lib import tasks

    with mock.patch.dict(os.environ, {"ESSPARSE_MIRROR": str(folder / "mirror")}):
        tasks.get("sst2").splits()


# --- masks ---------------------------------------------------------------------------------------------------------


def _mask(path: Path) -> bytes:
    """Write a whole mask and return its bytes."""
    import torch

    from essparse_lib.pruning.mask_io import save_mask
    from essparse_lib.pruning.masks import Mask

    weights = {"a.weight": torch.arange(64.0).reshape(8, 8), "b.weight": torch.arange(9.0).reshape(3, 3)}
    save_mask(Mask({name: weight > 3 for name, weight in weights.items()}), weights, path)
    return path.read_bytes()


def _mask_changed(change: Callable[[bytes], bytes]) -> _Make:
    return lambda path: path.write_bytes(change(_mask(path)))


def _mask_described(change: Callable[[dict[str, Any]], object]) -> _Make:
    """Return a maker of a mask whose description, which is JSON within its header, is changed."""

    def changed(data: bytes) -> bytes:
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        description = json.loads(header["__metadata__"]["essparse_mask"])
        header["__metadata__"]["essparse_mask"] = json.dumps(change(description) or description)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    return _mask_changed(changed)


_MASKS: dict[str, _Make] = _NO_FILES | {
    "no mask": _write(b"hello" * 100),
    "cut off": _mask_changed(lambda data: data[:-3]),
    "longer": _mask_changed(lambda data: data + b"x"),
    "a bit flipped": _mask_changed(lambda data: data[:-1] + bytes([data[-1] ^ 0x80])),
    "no description": lambda path: (_mask(path), _weights_alone(path)),
    "a description that is a list": _mask_described(lambda plain: [1, 2]),
    "a description that is a number": _mask_described(lambda plain: 5),
    "shapes that are text": _mask_described(lambda plain: plain.update(shapes="8x8")),
    "shapes that are numbers": _mask_described(lambda plain: plain.update(shapes=[1, 2])),
    "a shape below 0": _mask_described(lambda plain: plain.update(shapes=[["a.weight", [-8, -8]]])),
    "a shape of 10^12": _mask_described(lambda plain: plain.update(shapes=[["a.weight", [10**6, 10**6]]])),
    "a shape of halves": _mask_described(lambda plain: plain.update(shapes=[["a.weight", [6.4, 10]]])),
    "a matrix twice": _mask_described(lambda plain: plain.update(shapes=plain["shapes"] * 2)),
    "a matrix that is missing": _mask_described(lambda plain: plain.update(shapes=[["c.weight", [8, 8]]])),
    "hashes that are numbers": _mask_described(lambda plain: plain.update(mask_sha256=1, weights_sha256=2)),
    "10,000 nested lists": _mask_described(lambda plain: plain.update(shapes="deep")),
}


def _weights_alone(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"a.weight": torch.zeros(8, dtype=torch.uint8)}, path)


def _load_mask(folder: Path) -> None:
    from essparse_lib.pruning.mask_io import load_mask

    load_mask(folder / "file")


# --- checkpoints ---------------------------------------------------------------------------------------------------

_CHECKPOINTS: dict[str, _Make] = {name: make for name, make in _NO_FILES.items() if name != "missing"} | {
    "no checkpoint": _write(b"hello" * 100),
    "no notes": lambda path: _weights_alone(path),
    "a pickle": _write(b"\x80\x04K\x01."),
    "a header of 2^63 bytes": _write(struct.pack("<Q", 2**63) + b"{}"),
}


def _read_notes(folder: Path) -> None:
    from essparse_lib.training.checkpoints import read_notes

    read_notes(folder / "file")


# -------------------------------------------------------------------------------------------------------------------


def _with_model(write: Work, place: str, make: _Make) -> Work:
    model = copied(write)

    def prepare(folder: Path) -> None:
        model(folder)
        (folder / place).parent.mkdir(exist_ok=True)
        make(folder / place)

    return prepare


def _two_images(make: _Make) -> Work:
    """Return a preparation of a model with two images, of which one is damaged."""
    write = _with_model(write_vit, "images/0.png", make)
    return lambda folder: (write(folder), (folder / "images" / "1.png").write_bytes(_png(16, 16)))


def _mirrored(make: _Make) -> Work:
    def prepare(folder: Path) -> None:
        tables = folder / "mirror" / "nyu-mll" / "glue" / "sst2"
        tables.mkdir(parents=True)
        make(tables / "train-00000-of-00001.parquet")
        _columns()(tables / "validation-00000-of-00001.parquet")

    return prepare


def attempts() -> Iterator[Attempt]:
    """Yield every damage to texts, images, tables, masks and checkpoints."""
    prepared: list[tuple[str, dict[str, _Make], Callable[[_Make], Work], Work]] = [
        ("essparse prune --text", _TEXTS, lambda make: _with_model(write_bert, "file.txt", make), command(*_TEXT)),
        ("essparse prune --images, a file", _PICTURES, _two_images, command(*_IMAGES)),
        ("essparse prune --images", _FOLDERS, lambda make: _with_model(write_vit, "images", make), command(*_IMAGES)),
        ("a task's table", _TABLES, _mirrored, _task),
        ("load_mask", _MASKS, lambda make: lambda folder: make(folder / "file"), _load_mask),
        ("a training's checkpoint", _CHECKPOINTS, lambda make: lambda folder: make(folder / "file"), _read_notes),
    ]
    for reader, damages, preparation, read in prepared:
        for damage, make in damages.items():
            yield Attempt(kind="data", reader=reader, damage=damage, prepare=preparation(make), read=read)
