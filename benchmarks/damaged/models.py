"""Folders of models that are damaged, hostile, or hold what is refused by name."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .attempt import Attempt, Work, command, written_once

_CALLS = {
    "essparse stats": ("stats", "./model"),
    "essparse prune": ("prune", "./model", "--sparsity", "0.5", "--out", "pruned"),
}
_DEEP = "[" * 10_000 + "]" * 10_000
_Header = dict[str, Any]


def write_bert(folder: Path) -> None:
    """Write a small BERT with its tokenizer into the folder ``model``."""
    import torch
    from transformers import BertConfig, BertModel

    from essparse_lib.sources.tiny_models import make_tokenizer

    torch.manual_seed(0)
    shape = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    model = folder / "model"
    BertModel(BertConfig(**shape, vocab_size=60, max_position_embeddings=32)).save_pretrained(model)
    make_tokenizer("<s> $A </s> $B:1 </s>:1").save_pretrained(model)


def write_vit(folder: Path) -> None:
    """Write a small vision transformer with its preprocessor into the folder ``model``."""
    from essparse_lib.sources import tiny_models

    tiny_models.write_vit(folder / "model")


def _configured(**changes: Any) -> Callable[[Path], object]:
    """Return a damage that gives entries of the configuration other values; ``...`` removes one."""

    def damage(model: Path) -> None:
        path = model / "config.json"
        config = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({name: value for name, value in config.items() if value is not ...}))

    return damage


def _file(name: str, content: bytes | str) -> Callable[[Path], object]:
    """Return a damage that replaces or adds a file."""
    data = content.encode() if isinstance(content, str) else content
    return lambda model: (model / name).write_bytes(data)


def _preprocessor(**settings: Any) -> Callable[[Path], object]:
    """Return a damage that replaces the image processor's configuration."""
    return _file("preprocessor_config.json", json.dumps({"image_processor_type": "ViTImageProcessor"} | settings))


def _weights(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """Return a damage to the bytes of the weights."""

    def damage(model: Path) -> None:
        path = model / "model.safetensors"
        path.write_bytes(change(path.read_bytes()))

    return damage


def _header(change: Callable[[_Header], object]) -> Callable[[Path], object]:
    """Return a damage to the header of the weights, whose length is put right."""

    def damaged(data: bytes) -> bytes:
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    return _weights(damaged)


def _first(header: _Header) -> _Header:
    """Return the entry of the first matrix of the blocks."""
    entry: _Header = header["encoder.layer.0.attention.self.query.weight"]
    return entry


def _renamed(header: _Header) -> None:
    for name in [name for name in header if "layer.1" in name]:
        header[name.replace("layer.1", "layer.7")] = header.pop(name)


def _sharded(index: Any) -> Callable[[Path], object]:
    """Return a damage that puts an index of shards in the place of the weights."""

    def damage(model: Path) -> None:
        (model / "model.safetensors").rename(model / "model-00001-of-00002.safetensors")
        (model / "model.safetensors.index.json").write_text(json.dumps(index))

    return damage


def _poisoned(value: float) -> Callable[[Path], object]:
    """Return a damage that makes one weight NaN or infinite."""

    def damage(model: Path) -> None:
        from safetensors.torch import load_file, save_file

        path = model / "model.safetensors"
        tensors = load_file(path)
        tensors["encoder.layer.1.output.dense.weight"][0, 0] = value
        save_file(tensors, path, {"format": "pt"})

    return damage


def _pickled(name: str) -> Callable[[Path], object]:
    """Return a damage that puts a pickle in the place of the weights."""

    def damage(model: Path) -> None:
        (model / "model.safetensors").unlink()
        (model / name).write_bytes(pickle.dumps({"x": 1}))

    return damage


def _instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return a damage that puts something else where the model's folder was."""

    def damage(model: Path) -> None:
        shutil.rmtree(model)
        make(model)

    return damage


def _instead_of(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return a damage that puts something else where a file of the model was."""

    def damage(model: Path) -> None:
        (model / name).unlink()
        make(model / name)

    return damage


def _quantised(method: str) -> Callable[[Path], object]:
    return _configured(quantization_config={"quant_method": method, "load_in_4bit": True, "bits": 4})


#: What refuses a model for all that is done with it.
_DAMAGES: dict[str, Callable[[Path], object]] = {
    # configuration
    "config: empty": _file("config.json", ""),
    "config: no JSON": _file("config.json", "{"),
    "config: a list": _file("config.json", "[]"),
    "config: null": _file("config.json", "null"),
    "config: a text": _file("config.json", '"bert"'),
    "config: 10,000 nested lists": _file("config.json", _DEEP),
    "config: UTF-16": _file("config.json", '{"model_type": "bert"}'.encode("utf-16")),
    "config: NUL bytes": _file("config.json", bytes(500)),
    "config: missing": lambda model: (model / "config.json").unlink(),
    "config: an empty object": _file("config.json", "{}"),
    "config: an unknown type": _configured(model_type="berd"),
    "config: a type that is a number": _configured(model_type=7),
    "config: a type that is a list": _configured(model_type=["bert"]),
    "config: no type": _configured(model_type=...),
    "config: architectures that are a number": _configured(architectures=5),
    "config: a million layers": _configured(num_hidden_layers=10**6),
    "config: 10^12 layers": _configured(num_hidden_layers=10**12),
    "config: −2 layers": _configured(num_hidden_layers=-2),
    "config: no layers": _configured(num_hidden_layers=0),
    "config: layers that are text": _configured(num_hidden_layers="two"),
    "config: 2.5 layers": _configured(num_hidden_layers=2.5),
    "config: layers that are none": _configured(num_hidden_layers=None),
    "config: one more layer": _configured(num_hidden_layers=3),
    "config: one layer fewer": _configured(num_hidden_layers=1),
    "config: a hidden size of 10^9": _configured(hidden_size=10**9),
    "config: a hidden size of 10^30": _configured(hidden_size=10**30),
    "config: a hidden size of 0": _configured(hidden_size=0),
    "config: a hidden size below 0": _configured(hidden_size=-16),
    "config: a hidden size that is a list": _configured(hidden_size=[16]),
    "config: another hidden size": _configured(hidden_size=32),
    "config: 0 heads": _configured(num_attention_heads=0),
    "config: 3 heads of 16": _configured(num_attention_heads=3),
    "config: heads that are text": _configured(num_attention_heads="2"),
    "config: a vocabulary of 10^12": _configured(vocab_size=10**12),
    "config: a vocabulary below 0": _configured(vocab_size=-1),
    "config: positions of 10^12": _configured(max_position_embeddings=10**12),
    "config: an intermediate size of NaN": _configured(intermediate_size=float("nan")),
    "config: an unknown activation": _configured(hidden_act="splendid"),
    "config: an activation that is a number": _configured(hidden_act=3),
    "config: a dtype that is unknown": _configured(dtype="float7"),
    "config: a dtype that is a list": _configured(dtype=[1]),
    "config: code of its own": _configured(auto_map={"AutoModel": "modeling.Evil"}, model_type="evil"),
    "config: another architecture's type": _configured(model_type="gpt2"),
    "config: quantised by bitsandbytes": _quantised("bitsandbytes"),
    "config: quantised by GPTQ": _quantised("gptq"),
    "config: quantised by AWQ": _quantised("awq"),
    "config: quantised to fp8": _quantised("fp8"),
    "config: quantised by an unknown method": _quantised("splendid"),
    "config: quantisation that is text": _configured(quantization_config="4 bits"),
    "config: a folder": _instead_of("config.json", lambda path: path.mkdir()),
    "config: a named pipe": _instead_of("config.json", os.mkfifo),
    "config: a link to itself": _instead_of("config.json", lambda path: path.symlink_to(path)),
    "config: /dev/zero": _instead_of("config.json", lambda path: path.symlink_to("/dev/zero")),
    "config: 300 MB": _file("config.json", b'{"x": "' + b"x" * 300_000_000 + b'"}'),
    # weights
    "weights: missing": lambda model: (model / "model.safetensors").unlink(),
    "weights: empty": _weights(lambda data: b""),
    "weights: 7 bytes": _weights(lambda data: data[:7]),
    "weights: cut off in the header": _weights(lambda data: data[:100]),
    "weights: cut off": _weights(lambda data: data[:-100]),
    "weights: longer": _weights(lambda data: data + bytes(100)),
    "weights: zeros": _weights(lambda data: bytes(5000)),
    "weights: a web page": _weights(lambda data: b"<!doctype html>" * 300),
    "weights: a pointer of LFS": _weights(lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
    "weights: a header of 2^63 bytes": _weights(lambda data: struct.pack("<Q", 2**63) + data[8:]),
    "weights: a header of 50 MB": _weights(lambda data: struct.pack("<Q", 50_000_000) + data[8:]),
    "weights: a header that is a list": _weights(lambda data: struct.pack("<Q", 2) + b"[]"),
    "weights: a header of 10,000 lists": _weights(lambda data: struct.pack("<Q", len(_DEEP)) + _DEEP.encode()),
    "weights: an unknown dtype": _header(lambda header: _first(header).update(dtype="F7")),
    "weights: another dtype": _header(lambda header: _first(header).update(dtype="F16")),
    "weights: a shape below 0": _header(lambda header: _first(header).update(shape=[-16, 16])),
    "weights: a shape of 2^40": _header(lambda header: _first(header).update(shape=[2**40, 2**40])),
    "weights: another shape": _header(lambda header: _first(header).update(shape=[8, 32])),
    "weights: a shape that is text": _header(lambda header: _first(header).update(shape="16x16")),
    "weights: bytes that overlap": _header(lambda header: _first(header).update(data_offsets=[0, 1024])),
    "weights: bytes beyond the end": _header(lambda header: _first(header).update(data_offsets=[10**12, 10**12 + 9])),
    "weights: bytes backwards": _header(lambda header: _first(header).update(data_offsets=[1024, 0])),
    "weights: an entry without its bytes": _header(lambda header: _first(header).pop("data_offsets")),
    "weights: a matrix missing": _header(lambda header: header.pop("encoder.layer.0.attention.self.query.weight")),
    "weights: a block under another number": _header(_renamed),
    "weights: no tensors": _weights(lambda data: struct.pack("<Q", 2) + b"{}"),
    "weights: NaN": _poisoned(float("nan")),
    "weights: infinite": _poisoned(float("inf")),
    "weights: a folder": _instead_of("model.safetensors", lambda path: path.mkdir()),
    "weights: a named pipe": _instead_of("model.safetensors", os.mkfifo),
    "weights: a link to itself": _instead_of("model.safetensors", lambda path: path.symlink_to(path)),
    "weights: a pickle": _pickled("pytorch_model.bin"),
    "weights: a checkpoint of PyTorch": _pickled("model.pt"),
    "weights: a gguf that is none": lambda model: (
        (model / "model.safetensors").unlink(), (model / "model.gguf").write_bytes(b"GGUF" + bytes(200))
    ),
    # shards
    "index: a list": _sharded([]),
    "index: empty": _sharded({}),
    "index: a map that is a list": _sharded({"weight_map": ["x"]}),
    "index: a map of numbers": _sharded({"weight_map": {"pooler.dense.weight": 5}}),
    "index: a shard that is missing": _sharded({"metadata": {}, "weight_map": {"x": "no.safetensors"}}),
    "index: a shard above the folder": _sharded({"metadata": {}, "weight_map": {"x": "../../x.safetensors"}}),
    "index: a shard by its full path": _sharded({"metadata": {}, "weight_map": {"x": "/etc/passwd"}}),
    # folders
    "folder: a file": _instead(lambda path: path.write_text("x")),
    "folder: a named pipe": _instead(os.mkfifo),
    "folder: a link to itself": _instead(lambda path: path.symlink_to(path)),
    "folder: empty": _instead(lambda path: path.mkdir()),
    "folder: gone": _instead(lambda path: None),
}  # fmt: skip

_WANDA = ("prune", "./model", "--method", "wanda", "--sparsity", "0.5", "--text", "text.txt", "--windows", "2",
          "--length", "16", "--out", "pruned")  # fmt: skip

#: What refuses a model whose tokenizer must be read.
_TOKENIZERS: dict[str, Callable[[Path], object]] = {
    "tokenizer: empty": _file("tokenizer.json", ""),
    "tokenizer: no JSON": _file("tokenizer.json", "{"),
    "tokenizer: JSON and nonsense": _file("tokenizer.json", '{"model": 5}'),
    "tokenizer: a list": _file("tokenizer.json", "[1]"),
    "tokenizer: 10,000 nested lists": _file("tokenizer.json", _DEEP),
    "tokenizer: an unknown model": _file("tokenizer.json", '{"version": "1.0", "model": {"type": "Splendid"}}'),
    "tokenizer: no UTF-8": _file("tokenizer.json", b"\xff\xfe" * 100),
    "tokenizer: missing": lambda model: [
        (model / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")
    ],
    "tokenizer: a configuration that is a list": _file("tokenizer_config.json", "[]"),
    "tokenizer: a configuration that is no JSON": _file("tokenizer_config.json", "{"),
    "tokenizer: a class of its own": _file(
        "tokenizer_config.json", '{"auto_map": {"AutoTokenizer": ["x.Evil", null]}, "tokenizer_class": "Evil"}'
    ),
}

_IMAGES = ("prune", "./model", "--method", "wanda", "--sparsity", "0.5", "--images", "images", "--windows", "2",
           "--out", "pruned")  # fmt: skip

#: What refuses a model whose image processor must be read.
_PREPROCESSORS: dict[str, Callable[[Path], object]] = {
    "preprocessor: empty": _file("preprocessor_config.json", ""),
    "preprocessor: a list": _file("preprocessor_config.json", "[]"),
    "preprocessor: missing": lambda model: (model / "preprocessor_config.json").unlink(),
    "preprocessor: a size of 10^9": _preprocessor(size=10**9),
    "preprocessor: a size below 0": _preprocessor(size=-5),
    "preprocessor: a mean of texts": _preprocessor(image_mean=["x"], size=16),
    "preprocessor: an unknown type": _preprocessor(image_processor_type="Splendid"),
    "preprocessor: 10,000 nested lists": _file("preprocessor_config.json", _DEEP),
}


def write_beside(folder: Path) -> None:
    """Write a text and images that whole models can calibrate on."""
    from PIL import Image

    (folder / "text.txt").write_text("a good film and a bad day " * 200)
    (folder / "images").mkdir()
    for number in range(4):
        Image.new("RGB", (16, 16), (number * 50, 100, 50)).save(folder / "images" / f"{number}.png")


def copied(*writes: Work) -> Work:
    """Return a preparation that copies what these functions write, which is written once."""

    def prepare(folder: Path) -> None:
        for write in writes:
            shutil.copytree(written_once(write), folder, dirs_exist_ok=True)

    for write in writes:
        written_once(write)  # here, so that all preparations share it
    return prepare


def _damaged(write: Work, damage: Callable[[Path], object]) -> Work:
    prepare = copied(write, write_beside)
    return lambda folder: (prepare(folder), damage(folder / "model"))


def attempts() -> Iterator[Attempt]:
    """Yield every damage to a model's folder, with what reads it."""
    for damage, make in _DAMAGES.items():
        for reader, arguments in _CALLS.items():
            yield _attempt(reader, damage, _damaged(write_bert, make), arguments)
    for damage, make in _TOKENIZERS.items():
        yield _attempt("essparse prune --text", damage, _damaged(write_bert, make), _WANDA)
    for damage, make in _PREPROCESSORS.items():
        yield _attempt("essparse prune --images", damage, _damaged(write_vit, make), _IMAGES)


def _attempt(reader: str, damage: str, prepare: Work, arguments: tuple[str, ...]) -> Attempt:
    return Attempt(kind="models", reader=reader, damage=damage, prepare=prepare, read=command(*arguments))
