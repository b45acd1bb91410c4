"""Read a model from its files with the class that uses all of them, and say what the class left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError, one_line, shown
from ..sources.foreign import reading
from .gaps import Gaps, find_gaps, named, recorded_keys, refusal
from .limits import TooLargeError, TooMuchMissingError, limited_building
from .model_files import ModelFiles
from .quiet import quiet
from .weight_files import StoredTensor, check_not_quantised, stored_tensors, widest_dtype

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

#: The automatic classes of transformers that come first where several have all of a file's weights and no others.
_FIRST = ("MaskedLM", "CausalLM", "Seq2SeqLM", "PreTraining", "SequenceClassification", "TokenClassification")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model that was loaded, and how far its file and its class go together.

    Attributes:
        model: the model, on the CPU.
        gaps: weights that the file did not give and that were not used; none of a block and none of a head.
        tensors: the tensors of the file by name; empty for formats other than safetensors.
        notes: what a person must be told, each a clause: another class than config.json names, weights not used.
    """

    model: PreTrainedModel
    gaps: Gaps
    tensors: dict[str, StoredTensor]
    notes: tuple[str, ...] = ()


def read(source: ModelFiles) -> Loaded:
    """Return a model with the heads and in the precision that it was saved with, on the CPU.

    The class is the one that ``config.json`` names. Where transformers has no such class, or the class leaves a head
    out or lacks one, it is a class of the same type of model that uses all weights of the file, with none missing.

    Args:
        source: the model's files.

    Raises:
        InputError: the files cannot be read, a weight of a block, an embedding or a head is not in them or has another
            shape there, or weights of a block or a head would be lost.
    """
    import torch

    config = read_config(source)
    tensors = {} if source.gguf else stored_tensors(source.folder)
    dtype = torch.float32 if source.gguf else widest_dtype(tensors.values()) or "auto"
    named_classes = getattr(config, "architectures", None) or []
    names = named_classes if isinstance(named_classes, (list, tuple)) else [named_classes]
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"config.json has architectures {shown(named_classes)}: give the names of classes")
    names = list(names)
    listed = [architecture for name in names if (architecture := _class_named(name, config))]
    first: tuple[PreTrainedModel, Gaps] | None = None
    if listed or source.gguf:
        first = load(listed[0] if listed else _automatic("CausalLM"), source, tensors, dtype=dtype)
    if first is None or not (first[1].fits or first[1].body):  # another head does not mend what is not in the file
        others = [] if source.gguf else [*listed[1:], *_classes_of(config, besides=listed)]
        best = _best(others, source, tensors)
        if best is None and first is None:
            raise InputError(f"transformers has no class for a model of type {shown(config.model_type)}")
        if best is not None and (first is None or best[1].fits):
            first = load(best[0], source, tensors, dtype=dtype)
    assert first is not None
    model, gaps = first
    reason = refusal(gaps, model, tensors)
    if reason:
        raise InputError(reason if source.gguf else _with_class(reason, model, names))
    if source.gguf:  # after dequantisation the model may be cast and saved like any other
        model.hf_quantizer.remove_quantization_config(model)
    return Loaded(model=model, gaps=gaps, tensors=tensors, notes=tuple(_notes(model, gaps, names, source)))


def read_config(source: ModelFiles) -> PreTrainedConfig:
    """Return a model's configuration.

    Args:
        source: the model's files.

    Raises:
        InputError: transformers knows no such architecture, or it needs code of its own, which is never run.
    """
    from transformers import AutoConfig

    try:
        with quiet(), reading(f"{source.folder}/config.json"):
            return AutoConfig.from_pretrained(**source.options)
    except InputError as error:
        cause = error.__cause__ or error
        if "trust_remote_code" in str(cause):
            raise InputError(
                f"{source.folder}/config.json needs code that came with the model (auto_map), which is never run here: "
                "choose a model of an architecture that transformers has"
            ) from error
        if "ecognize" in str(cause):  # transformers' own "does not recognize" and "Unrecognized model"
            raise InputError(
                f"{source.folder}/config.json names no architecture that transformers knows "
                f"({one_line(cause, 120)}): choose another model, or a newer transformers"
            ) from error
        raise


def load(
    architecture: Any, source: ModelFiles, tensors: dict[str, StoredTensor], new_head: bool = False, **options: Any
) -> tuple[PreTrainedModel, Gaps]:
    """Load a model with a class and return it with its gaps, whatever they are.

    Args:
        architecture: the class, or an automatic one.
        source: the model's files.
        tensors: the tensors of the files, by name.
        new_head: whether the head is drawn anew, so that another head in the file is of no use.
        options: further arguments to ``from_pretrained``.

    Raises:
        InputError: the files cannot be read.
    """
    check_not_quantised(tensors)
    options |= {**source.options, **source.weight_options}
    try:
        model, loading_info, recorded = _built(architecture, tensors, options)
    except TooMuchMissingError:  # what is missing is told without making it
        model, loading_info, recorded = _built(architecture, tensors, {**options, "device_map": "meta"})
    return model, find_gaps(model, loading_info, recorded, tensors, new_head)


def _built(
    architecture: Any, tensors: dict[str, StoredTensor], options: dict[str, Any]
) -> tuple[PreTrainedModel, dict[str, Any], dict[str, set[str]]]:
    """Return a model as ``from_pretrained`` gives it, what it says of its keys, and what ``recorded_keys`` recorded."""
    hint = "config.json and the weights are damaged or not of one model: fetch both anew"
    with quiet(), recorded_keys() as recorded:
        try:
            with reading(f"{architecture.__name__}", hint), limited_building(tensors):
                model, loading_info = architecture.from_pretrained(
                    **options, ignore_mismatched_sizes=True, output_loading_info=True
                )
        except InputError as error:
            if broken := sorted(recorded.get("conversion", ())):
                reason = f"not all in the file, or of shapes that do not go together: the parts of {named(broken)}"
                raise InputError(reason) from error
            raise
    return model, loading_info, recorded


def _class_named(name: str, config: PreTrainedConfig) -> Any:
    """Return the class of a name if transformers has it and it is for such a configuration, else None."""
    import transformers

    architecture: Any = getattr(transformers, name, None) if name.isidentifier() else None
    if not (isinstance(architecture, type) and issubclass(architecture, transformers.PreTrainedModel)):
        return None
    wanted = getattr(architecture, "config_class", None)
    return architecture if wanted is not None and isinstance(config, wanted) else None


def _automatic(suffix: str) -> Any:
    import transformers

    return getattr(transformers, f"AutoModelFor{suffix}")


def _classes_of(config: PreTrainedConfig, besides: Iterable[Any]) -> Iterator[Any]:
    """Yield the classes that transformers has for a configuration, the likeliest first, the one without head last."""
    import transformers

    prefix = "AutoModelFor"
    suffixes = sorted(name.removeprefix(prefix) for name in dir(transformers) if name.startswith(prefix))
    order = ("CausalLM", *_FIRST) if getattr(config, "is_decoder", False) else _FIRST
    automatic = [*order, *(suffix for suffix in suffixes if suffix not in order)]
    seen = set(besides)
    for loader in [*map(_automatic, automatic), transformers.AutoModel]:
        classes = _mapped(loader, config)
        for architecture in classes if isinstance(classes, (tuple, list)) else [classes]:
            if architecture is not None and architecture not in seen:
                seen.add(architecture)
                yield architecture


def _mapped(loader: Any, config: PreTrainedConfig) -> Any:
    """Return the class or classes of an automatic class for a configuration, or None."""
    try:
        return loader._model_mapping[type(config)]
    except (KeyError, AttributeError, ImportError, RuntimeError):  # no such class, or one that cannot be imported here
        return None


def _best(classes: Iterable[Any], source: ModelFiles, tensors: dict[str, StoredTensor]) -> tuple[Any, Gaps] | None:
    """Return the class with the fewest gaps, none of them loaded, and its gaps; of equal ones the first.

    Of those without gaps the first is one whose names are those of the file, with the prefix of the body.
    """
    ranked = []
    for place, architecture in enumerate(classes):
        try:
            model, gaps = load(architecture, source, tensors, device_map="meta")  # no weight takes memory
        except TooLargeError:
            raise  # the other classes are as large
        except InputError:
            continue  # such as a class that needs a library which is not installed
        renamed = len(tensors.keys() - model.state_dict().keys())
        extra = len(gaps.optional) + len(gaps.unused_others)
        ranked.append(((gaps.count, extra, renamed, place), architecture, gaps))
    if not ranked:
        return None
    _, architecture, gaps = min(ranked, key=lambda entry: entry[0])
    return architecture, gaps


def _with_class(reason: str, model: PreTrainedModel, names: list[str]) -> str:
    if type(model).__name__ in names:
        return reason
    config_text = f"config.json names {', '.join(names)}" if names else "config.json names no class (architectures)"
    return f"{config_text}, and {type(model).__name__} is the nearest that transformers has: {reason}"


def _notes(model: PreTrainedModel, gaps: Gaps, names: list[str], source: ModelFiles) -> Iterator[str]:
    """Yield what a person must be told about a model that was loaded."""
    kind = type(model).__name__
    if names[:1] != [kind] and not source.gguf:
        config_text = f"config.json names {' and '.join(names)}" if names else "config.json names no class"
        yield f"read as {kind} ({config_text})"
    if source.pickled:
        yield "read from pickled files with weights_only=True, so that no code in them was run"
    if gaps.unused_others:
        yield f"not used: {named(gaps.unused_others)} of the file, which a {kind} has no place for"
    if gaps.optional:
        yield f"not in the file, and so not saved: {named(gaps.optional)}"
    if _has_two_of_one(model):
        yield "config.json says that the head is tied to the embeddings, but the file has another: both are kept"
    if getattr(model.config, "auto_map", None):
        yield f"code that came with the model (auto_map) was not run: read with transformers' own {kind}"


def _has_two_of_one(model: PreTrainedModel) -> bool:
    """Return whether a head has weights of its own where the configuration ties it to the embeddings."""
    if not getattr(model.config, "tie_word_embeddings", False):
        return False
    try:
        embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    except NotImplementedError:  # a model that has no embeddings of words
        return False
    weights = [getattr(module, "weight", None) for module in (embeddings, head)]
    return all(weight is not None for weight in weights) and weights[0] is not weights[1]
