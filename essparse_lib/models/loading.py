"""Named models, and any other model of the hub or of a local folder, with the head that a task needs."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, one_line, unknown
from ..files import sha256
from ..records.pretrained import SCALES, folder_of
from ..sources.archives import extract
from ..sources.hub import Repository, model_folder
from .catalogue import MODELS, Model
from .quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from .preprocessing import Preprocessing

#: Architectures that number positions from 2, so that two of the embeddings in their configuration are never used.
_POSITIONS_FROM_2 = ("camembert", "mpnet", "roberta", "xlm-roberta")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model's files on this disk.

    Attributes:
        folder: what ``from_pretrained`` reads.
        origin: where they came from, in words.
        weights: SHA-256 over the weight files, the first 16 hexadecimal digits.
        gguf: name of the weight file if it is of that format, which ``from_pretrained`` must be told.
    """

    folder: Path
    origin: str
    weights: str
    gguf: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Arguments to ``from_pretrained``."""
        return {
            "pretrained_model_name_or_path": self.folder,
            "trust_remote_code": False,
            **({"gguf_file": self.gguf} if self.gguf else {}),
        }


@cache
def locate(name: str) -> Source:
    """Find (and fetch, where needed) a model by its name here, its id on the hub, or its local folder.

    Raises:
        InputError: the name is unknown, the model cannot be had, or its weights are not the named ones.
    """
    model = MODELS.get(name)
    if name in SCALES:
        folder, origin = _own(name)
    else:
        folder, origin = _unnamed(name) if model is None else _named(model)
    found = _weights_hash(folder)
    if model is not None and model.weights not in (None, found):
        file = folder / (model.gguf or "model.safetensors")
        raise InputError(f"{file} is not {name}'s: its sha256 must be {model.weights}; remove that folder")
    return Source(folder=folder, origin=origin, weights=found[:16], gguf=model.gguf if model else None)


def _named(model: Model) -> tuple[Path, str]:
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


def _own(name: str) -> tuple[Path, str]:
    folder = folder_of(name)
    if folder is None:
        raise InputError(
            f"model {name!r} is trained here, and its weights are not there yet: run `essparse pretrain {name}`"
        )
    return folder, "trained here"


def _unnamed(name: str) -> tuple[Path, str]:
    check_name(name)
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").exists():
            raise InputError(f"{path} holds no config.json: name a folder that save_pretrained wrote")
        return path, f"folder {path.name}"
    repository, _, revision = name.partition("@")
    return model_folder(Repository(repository, revision or "main"))


def check_name(name: str) -> None:
    """Check that a model can be meant by the name; whether it can be had is seen when it is located.

    Raises:
        InputError: it is no name known here, no id of the hub, and no folder.
    """
    on_hub = re.fullmatch(r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?", name)
    known = name in MODELS or name in SCALES
    if not known and not on_hub and not (name and Path(name).expanduser().is_dir()):
        raise unknown(
            "model", name, [*MODELS, *SCALES], ", an id on the hub (owner/name or owner/name@revision), or a folder"
        )


def _weights_hash(folder: Path) -> str:
    """SHA-256 of the weight file, or over those of several."""
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin"), *folder.glob("*.gguf")])
    if not files:
        raise InputError(f"{folder} holds no weights (*.safetensors)")
    if len(files) == 1:
        return sha256(files[0])
    return hashlib.sha256("".join(sha256(f) for f in files).encode()).hexdigest()


@cache
def tokenizer_of(name: str) -> PreTrainedTokenizerBase:
    """The model's own tokenizer."""
    from transformers import AutoTokenizer

    source = locate(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(**source.options)
    except (OSError, ValueError) as error:
        raise InputError(f"model {name!r} has no tokenizer that can be read in {source.folder}") from error
    if tokenizer.pad_token_id is None:  # as of GPT-2: what fills a batch up is masked, so any token serves
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def forget() -> None:
    """Forget where models were found and their tokenizers, so that both are looked for again."""
    locate.cache_clear()
    tokenizer_of.cache_clear()


def check_fits(name: str, head: str, max_length: int) -> None:
    """Check that a head of this kind can be put on the model, and that it takes inputs of this many tokens.

    Raises:
        InputError: it cannot, as for a vision model and a text task.
    """
    config = _config_of(name)
    if type(config) not in _loader(head)._model_mapping:
        raise InputError(
            f"model {name!r} ({config.model_type}) has no {head} head in transformers: "
            f"choose a model that has one, such as {', '.join(_examples(head))}"
        )
    check_length(name, "max_length", max_length)


def check_length(name: str, setting: str, tokens: int) -> None:
    """Check that a model takes texts of so many tokens; ``setting`` is what the error calls their number.

    Raises:
        InputError: it takes shorter ones only.
    """
    config = _config_of(name)
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and config.model_type in _POSITIONS_FROM_2:
        positions -= 2
    if positions is not None and tokens > positions:
        raise InputError(f"{setting} {tokens} is not allowed: model {name!r} takes at most {positions} tokens")


def _examples(head: str) -> list[str]:
    """Models that have such a head."""
    read = "images" if head == "image-classification" else "texts"
    return [model.name for model in MODELS.values() if model.reads == read][:2]


def _config_of(name: str) -> PreTrainedConfig:
    from transformers import AutoConfig

    source = locate(name)
    try:
        return AutoConfig.from_pretrained(**source.options)
    except (OSError, ValueError) as error:
        raise InputError(f"{source.folder}/config.json names no architecture that transformers knows") from error


def preprocessing_of(name: str) -> Preprocessing:
    """What the model wants of its pixels.

    Raises:
        InputError: the model does not say, or wants what is not done here.
    """
    from .preprocessing import wanted

    try:
        return wanted(_config_of(name), locate(name).folder / "preprocessor_config.json")
    except InputError as error:
        raise InputError(f"model {name!r}: {error}") from error


def with_head(name: str, head: str, classes: int, seed: int) -> PreTrainedModel:
    """The model with a fresh head, in fp32 on the CPU; the seed alone sets the head.

    Args:
        head: its kind, as transformers names it: ``sequence-classification``, ``question-answering``,
            ``image-classification``.
        classes: how many there are to tell apart; 0 for a head whose answers are no classes.
    """
    import torch

    options = {"num_labels": classes} if classes else {}
    torch.manual_seed(seed)
    with quiet():
        model, found = _loader(head).from_pretrained(
            **locate(name).options,
            **options,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    _renew_head(model, head, found, seed)
    if model.main_input_name == "input_ids":
        model.config.pad_token_id = tokenizer_of(name).pad_token_id  # decoders find the last token of a row by it
    return model


def _renew_head(model: PreTrainedModel, head: str, found: dict[str, Any], seed: int) -> None:
    """Draw the head anew where the checkpoint has one for as many classes: it is no part of what was pre-trained.

    Raises:
        InputError: other weights than the head's are not of the shape that the configuration gives them.
    """
    import torch

    if not hasattr(model, model.base_model_prefix):  # what is not the head cannot be told; few models are made so
        return
    body = f"{model.base_model_prefix}."
    strange = sorted(key for key, *_ in found["mismatched_keys"] if key.startswith(body))
    if strange:
        raise InputError(f"{model.name_or_path}: {strange[0]} is not of the shape that config.json says: fetch it anew")
    drawn = {*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])}
    if all(key in drawn or key.startswith(body) for key in model.state_dict()):
        return
    torch.manual_seed(seed)
    fresh = _loader(head).from_config(model.config, dtype=torch.float32)
    for name, part in fresh.named_children():
        if name != model.base_model_prefix:
            setattr(model, name, part)


def classifier(name: str, classes: int, seed: int) -> PreTrainedModel:
    """The model ``with_head`` for telling texts of so many classes apart."""
    return with_head(name, "sequence-classification", classes, seed)


def _loader(head: str) -> Any:
    """What loads models with a head: ``AutoModelForQuestionAnswering`` for ``question-answering``."""
    import transformers

    return getattr(transformers, "AutoModelFor" + "".join(word.capitalize() for word in head.split("-")))


def complete(name: str) -> PreTrainedModel:
    """The model with the heads and the precision that it was saved with, on the CPU.

    Raises:
        InputError: the model cannot be had or read.
    """
    import torch
    import transformers

    source = locate(name)
    folder = source.folder
    try:
        config = transformers.AutoConfig.from_pretrained(**source.options)
        named = getattr(transformers, (config.architectures or [""])[0], None)
        known = isinstance(named, type) and issubclass(named, transformers.PreTrainedModel)
        # gguf files hold decoders that speak, and do not name their class
        other = transformers.AutoModelForCausalLM if source.gguf else transformers.AutoModel
        loader: Any = named if known else other
        with quiet():
            model = loader.from_pretrained(**source.options, dtype=torch.float32 if source.gguf else "auto")
        if source.gguf:  # dequantised, it is a model like any other, and may be cast and saved
            model.hf_quantizer.remove_quantization_config(model)
        return model
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise InputError(f"model {name!r} in {folder} cannot be read: {one_line(error)}") from error
