"""Write a model as it was read: its precision, shards, settings of generation, and no weight that its file lacked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import InputError, one_line
from .model_files import ModelFiles
from .quiet import quiet
from .reading import Loaded
from .weight_files import dtypes, restore_precision

#: What transformers raises where it cannot write a model, as its settings are of others.
_REFUSALS = (ValueError, TypeError, RuntimeError, LookupError, AttributeError)


def save_model(loaded: Loaded, source: ModelFiles, folder: Path) -> None:
    """Save a model's weights and configuration in a folder, with the precision and the size of shards of its source.

    The file ``generation_config.json`` is written as the source has it, even if transformers would refuse it. Weights
    that the source lacks, as a pooler's, are not written, since they are random.

    Args:
        loaded: the model; each weight gets the precision that it had in the file.
        source: the files it was read from.
        folder: the folder to write into.

    Raises:
        OSError: the folder cannot be written.
        InputError: transformers cannot write the model.
    """
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import GenerationConfig

    model = loaded.model
    options: dict[str, Any] = {}
    if loaded.gaps.optional:
        absent = set(loaded.gaps.optional)
        options["state_dict"] = {key: value for key, value in model.state_dict().items() if key not in absent}
    shards = [path.stat().st_size for path in source.folder.glob("model-*-of-*.safetensors")]
    if (source.folder / "model.safetensors.index.json").exists() and shards:
        options["max_shard_size"] = max(shards)
    attention, model.config._attn_implementation = model.config._attn_implementation, "eager"  # goes with any setting
    settings = getattr(model, "generation_config", None)
    if settings is not None:
        model.generation_config = GenerationConfig()  # what is not allowed is not checked, but written as it was
    try:
        with quiet():
            model.save_pretrained(folder, **options)
            if settings is not None and model.can_generate():
                settings.to_json_file(folder / "generation_config.json", use_diff=True)
        if len(dtypes(loaded.tensors.values())) > 1:
            restore_precision(folder, loaded.tensors)
            _restore_dtype(source.folder, folder)
    except SafetensorError as error:  # which is no OSError, also where the disk is full
        raise OSError(str(error)) from error
    except (*_REFUSALS, StrictDataclassError) as error:
        raise InputError(f"transformers cannot save this {type(model).__name__}: {one_line(error)}") from error
    finally:
        model.config._attn_implementation = attention
        if settings is not None:
            model.generation_config = settings


def _restore_dtype(source: Path, folder: Path) -> None:
    """Let the configuration of a saved model name the precision that its source's names, or none."""
    before, path = json.loads((source / "config.json").read_bytes()), folder / "config.json"
    config = {key: value for key, value in json.loads(path.read_bytes()).items() if key != "dtype"}
    named = before.get("dtype") or before.get("torch_dtype")
    path.write_text(json.dumps({**config, **({"dtype": named} if named else {})}, indent=2) + "\n")
