"""Load named models, and any other model of the hub or of a local folder, with the head that a task needs."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, check_known, check_seed, check_whole
from ..paths import check_folder, is_folder
from ..records.pretrained import SCALE_OF
from ..sources.foreign import reading
from ..sources.hub import Repository, model_folder
from ..specs import models, tasks
from .catalogue import MODELS
from .gaps import Gaps, refusal
from .limits import limited_building
from .model_files import ModelFiles, check_files, from_catalogue, hash_weights, ordinary, trained_here
from .names import check_name as check_name
from .quiet import quiet
from .reading import Loaded, load, read, read_config
from .tokenizer_files import read_tokenizer
from .weight_files import stored_tensors, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from .preprocessing import Preprocessing

#: The most classes that a head is made for.
_MOST_CLASSES = 100_000


def locate(name: str) -> ModelFiles:
    """Return a model's files, which are fetched if needed.

    Args:
        name: name of the model, its id on the hub, or its local folder.

    Raises:
        InputError: the name is unknown, the model cannot be had, or its weights are not the named ones.
    """
    check_name(name)
    return _located(name)


@cache
def _located(name: str) -> ModelFiles:
    model = MODELS.get(name)
    if name in SCALE_OF:
        folder, origin = trained_here(name)
    else:
        folder, origin = _from_hub_or_folder(name) if model is None else from_catalogue(model)
    folder = ordinary(folder)
    gguf = model.gguf if model else None
    pickled = model is not None and origin.startswith("hub ")  # at a commit, which is a hash of all files
    check_files(folder, gguf, pickled)
    digest = hash_weights(folder)
    if model is not None and model.weights not in (None, digest):
        file = folder / (gguf or "model.safetensors")
        raise InputError(f"{file} is not {name}'s: its sha256 must be {model.weights}; remove that folder")
    pickled = pickled and not gguf and not weight_files(folder)
    return ModelFiles(folder=folder, origin=origin, weights=digest[:16], gguf=gguf, pickled=pickled)


def _from_hub_or_folder(name: str) -> tuple[Path, str]:
    """Return folder and origin of a model that is named by its local folder or by its id on the hub."""
    if is_folder(name):
        path = check_folder("model", name)
        return path, f"folder {path.name}"
    repository, _, revision = name.partition("@")
    folder, origin = model_folder(Repository(repository, revision or "main"))
    if origin.startswith("hub ") and not any(folder.glob("*.safetensors")):
        raise InputError(
            f"the hub has no safetensors of {name}, and pickled weights are not fetched, as a pickle can run code: "
            f"name a revision that has them, as {repository}@refs/pr/1 of many, or convert them to safetensors "
            "where you trust them and name the folder"
        )
    return folder, origin


@cache
def tokenizer_of(name: str) -> PreTrainedTokenizerBase:
    """Return a model's tokenizer.

    Args:
        name: name of the model, its id on the hub, or its local folder.

    Raises:
        InputError: the model cannot be had, or has no tokenizer that can be read.
    """
    source = locate(name)
    try:
        tokenizer = read_tokenizer(source)
    except InputError as error:
        raise InputError(f"model {name!r} has no tokenizer that can be read in {source.folder}: {error}") from error
    if tokenizer.pad_token_id is None:  # as in GPT-2; padding is masked, so any token serves
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def forget() -> None:
    """Forget where models were found and their tokenizers, so that both are looked for again."""
    for cached in (_located, _config_of, tokenizer_of, longest_input_of):
        cached.cache_clear()


def check_fits(name: str, head: str, max_length: int) -> None:
    """Check that a model can have a head of a kind, and takes inputs of so many tokens.

    Args:
        name: name of the model, its id on the hub, or its local folder.
        head: kind of the head, such as ``sequence-classification``.
        max_length: number of tokens of the longest input.

    Raises:
        InputError: the model cannot have the head, as a vision model for a text task, or takes fewer tokens.
    """
    config = _config_of(name)
    if type(config) not in _loader(head)._model_mapping:
        raise InputError(
            f"model {name!r} ({config.model_type}) has no {head} head in transformers: "
            f"choose a model that has one, such as {', '.join(_examples(head))}"
        )
    check_length(name, "max_length", max_length)


def check_writes(name: str) -> None:
    """Check that a model predicts the next token of a text, and was saved with the head that does so.

    Raises:
        InputError: the model cannot be had, or is of another kind, such as a model of images or BERT.
    """
    from transformers import AutoModelForCausalLM

    config = _config_of(name)
    writers = AutoModelForCausalLM._model_mapping
    saved = config.architectures or []
    known = type(config) in writers and (not saved or writers[type(config)].__name__ in saved)
    if not known:
        what = saved[0] if saved else config.model_type
        raise InputError(
            f"model {name!r} ({what}) does not predict the next token of a text: name one that does, saved with its "
            "head, such as smollm2-135m"
        )


def check_length(name: str, setting: str, tokens: int) -> None:
    """Check that a model takes texts of so many tokens; ``setting`` is what the error calls their number.

    Raises:
        InputError: it takes shorter ones only.
    """
    from ..pruning.calibration import check_longest

    check_longest(setting, tokens, longest_input_of(name), f"model {name!r}")


@cache
def longest_input_of(name: str) -> int | None:
    """Return how many tokens a model takes at most; None if there is no limit.

    Some architectures number positions from 2, which only the model tells, not its configuration.
    """
    import torch
    from transformers import AutoModel

    from ..pruning.calibration import longest_input

    source = locate(name)
    tensors = {} if source.gguf else stored_tensors(source.folder)
    config = read_config(source)
    with reading(f"{source.folder}/config.json"), limited_building(tensors), torch.device("meta"), quiet():
        model = AutoModel.from_config(config)
    return longest_input(model)


def _examples(head: str) -> list[str]:
    """Return the names of two models that have such a head."""
    return [model.name for model in models.MODELS.values() if model.reads is tasks.Head(head).reads][:2]


@cache  # of a gguf file it takes seconds
def _config_of(name: str) -> PreTrainedConfig:
    return read_config(locate(name))


def preprocessing_of(name: str) -> Preprocessing:
    """Return how a vision model expects its images.

    Args:
        name: name of the model, its id on the hub, or its local folder.

    Raises:
        InputError: the model does not say, or asks for a step that is not done here.
    """
    from .preprocessing import read_preprocessing

    try:
        return read_preprocessing(_config_of(name), locate(name).folder / "preprocessor_config.json")
    except InputError as error:
        raise InputError(f"model {name!r}: {error}") from error


def load_with_head(name: str, head: str, classes: int, seed: int) -> PreTrainedModel:
    """Return a model with a new head, in fp32 on the CPU; the head depends on the seed alone.

    The head, and a pooler that the files lack, are all that is new.

    Args:
        name: name of the model, its id on the hub, or its local folder.
        head: kind of the head: ``sequence-classification``, ``question-answering`` or ``image-classification``.
        classes: number of classes; 0 for a head whose answers are not classes.
        seed: seed of the head's weights.

    Raises:
        InputError: the model cannot be had, or a weight outside the head is not in its files or has another shape there
            than the configuration says, or the files have weights of blocks for which there is no place.
    """
    import torch

    check_known("head", head, tasks.TRANSFORMERS_HEADS)
    classes, seed = check_whole("classes", classes, 0, _MOST_CLASSES), check_seed(seed)
    source = locate(name)
    tensors = {} if source.gguf else stored_tensors(source.folder)
    torch.manual_seed(seed)
    options = {"num_labels": classes} if classes else {}
    try:
        model, gaps = load(_loader(head), source, tensors, new_head=True, **options, dtype=torch.float32)
        reason = refusal(gaps, model, tensors, new_head=True)
        if reason:
            raise InputError(reason)
    except InputError as error:
        raise InputError(f"model {name!r} in {source.folder}: {error}") from error
    _renew_head(model, head, gaps, seed)
    if model.main_input_name == "input_ids":
        model.config.pad_token_id = tokenizer_of(name).pad_token_id  # decoders find the last token of a row by it
    return model


def _renew_head(model: PreTrainedModel, head: str, gaps: Gaps, seed: int) -> None:
    """Draw the head anew if the checkpoint had one for as many classes, since the head is not pre-trained here."""
    import torch

    if not hasattr(model, model.base_model_prefix):  # a few models do not separate the head from the rest
        return
    body = f"{model.base_model_prefix}."
    drawn = {*gaps.head, *gaps.optional}
    if all(key in drawn or key.startswith(body) for key in model.state_dict()):
        return
    torch.manual_seed(seed)
    fresh = _loader(head).from_config(model.config, dtype=torch.float32)
    for name, part in fresh.named_children():
        if name != model.base_model_prefix:
            setattr(model, name, part)


def classifier(name: str, classes: int, seed: int) -> PreTrainedModel:
    """Return a model with a new head that classifies texts, as ``load_with_head`` makes it."""
    return load_with_head(name, tasks.Head.SEQUENCE_CLASSIFICATION, classes, seed)


def _loader(head: str) -> Any:
    """Return the class that loads models with a head: ``AutoModelForQuestionAnswering`` for ``question-answering``."""
    import transformers

    like = tasks.Head.SEQUENCE_CLASSIFICATION if head == tasks.Head.EQUATION else head  # a decoder reads what it reads
    return getattr(transformers, "AutoModelFor" + "".join(word.capitalize() for word in like.split("-")))


def load_model(name: str) -> PreTrainedModel:
    """Return a model with the heads and in the precision that it was saved with, on the CPU.

    Nothing is random: all weights of blocks, embeddings and heads are those of the files. Another class than
    ``config.json`` names, and weights of the files that are not used, are said in a warning.

    Args:
        name: name of the model, its id on the hub, or its local folder.

    Raises:
        InputError: the model cannot be had or read, a weight is not in its files or has another shape there than the
            configuration says, or weights of a block or a head would be lost.
    """
    loaded = load_and_report(name)
    if loaded.notes:
        warnings.warn(f"{name}: {'; '.join(loaded.notes)}", stacklevel=2)
    return loaded.model


def load_and_report(name: str) -> Loaded:
    """Return a model as ``load_model`` does, with what there is to say of its files in place of a warning.

    Arguments and errors as of ``load_model``.
    """
    source = locate(name)
    try:
        return read(source)
    except InputError as error:
        raise InputError(f"model {name!r} in {source.folder} cannot be read: {error}") from error
