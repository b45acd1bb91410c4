"""Compare a loaded model with its file: which weights the file did not give, and which of the file were not used."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..pruning.block_lists import block_prefixes
from .weight_files import StoredTensor, renaming_program, wrapping

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """The weights that a file did not give to a model, and those of the file that the model has no place for.

    All are names: those of the model in its order, the blocks first, and those of the file sorted. A weight of another
    shape than the model's is one that the file did not give. Positions, masks and the like are in none of the lists.

    Attributes:
        body: not given: weights of blocks, embeddings, norms, and whatever else is no head.
        head: not given: weights of the head.
        optional: not given: a pooler's weights, which many files lack and many models have no use for, and buffers.
        other_shapes: those of the above that the file has in another shape, with both shapes.
        unused_blocks: not used: weights that lie in blocks.
        unused_head: not used: weights of a head.
        unused_others: not used: poolers, and what transformers leaves out of models of this class by design.
    """

    body: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    other_shapes: Mapping[str, str] = field(default_factory=dict)
    unused_blocks: tuple[str, ...] = ()
    unused_head: tuple[str, ...] = ()
    unused_others: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the file gave all weights but optional ones, and no block and no head of it is lost."""
        return not (self.body or self.head or self.unused_blocks or self.unused_head)

    @property
    def count(self) -> int:
        """Number of weights that are not given or not used, optional and other ones left aside."""
        return sum(map(len, (self.body, self.head, self.unused_blocks, self.unused_head)))


def named(names: Collection[str], shapes: Mapping[str, str] | None = None) -> str:
    """Return how many weights there are, and the first few of their names.

    >>> named(["a", "b", "c", "d"])
    '4 weights (a, b, c, …)'
    """
    first = [f"{name} {shapes[name]}" if shapes and name in shapes else name for name in list(names)[:3]]
    rest = ", …" if len(names) > len(first) else ""
    return f"{len(names)} {'weight' if len(names) == 1 else 'weights'} ({', '.join(first)}{rest})"


@contextmanager
def recorded_keys() -> Iterator[dict[str, set[str]]]:
    """Record the keys that transformers finds missing or unexpected before it drops some from its report.

    A class may say of keys that they are to be ignored. Some of these are weights of blocks, such as the layer of
    DeepSeek-V3 that predicts further tokens. What is recorded is empty where transformers has no such step.
    """
    from transformers import PreTrainedModel

    recorded: dict[str, set[str]] = {}
    original = getattr(PreTrainedModel, "_adjust_missing_and_unexpected_keys", None)
    if original is None:
        yield recorded
        return

    def adjust(model: Any, info: Any, *arguments: Any, **options: Any) -> Any:
        recorded.update(missing=set(info.missing_keys), unexpected=set(info.unexpected_keys))
        recorded.update(conversion=set(getattr(info, "conversion_errors", ())))  # weights put together from several
        return original(model, info, *arguments, **options)

    PreTrainedModel._adjust_missing_and_unexpected_keys = adjust
    try:
        yield recorded
    finally:
        PreTrainedModel._adjust_missing_and_unexpected_keys = original


def find_gaps(
    model: PreTrainedModel,
    loading_info: Mapping[str, Any],
    recorded: Mapping[str, set[str]],
    tensors: Mapping[str, StoredTensor],
    new_head: bool = False,
) -> Gaps:
    """Return the gaps between a model and its file.

    Args:
        model: the model, as ``from_pretrained`` gave it.
        loading_info: what ``from_pretrained`` gave with it.
        recorded: what ``recorded_keys`` recorded meanwhile.
        tensors: the tensors of the file by name; empty where they are not known.
        new_head: whether the head is drawn anew, so that another head in the file is of no use.
    """
    base = model.base_model_prefix
    separate = bool(base) and hasattr(model, base)
    prefixes = block_prefixes(model)
    embeddings = {f"{name}." for name, module in model.named_modules() if type(module).__name__.endswith("Embedding")}
    buffers = dict(model.named_buffers())
    buffer_endings = {name.rpartition(".")[2] for name in buffers} - {"weight", "bias"}

    def bare(key: str) -> str:
        return key.removeprefix(f"{base}.") if base else key

    def in_block(key: str) -> bool:
        return any(re.match(rf"{re.escape(bare(prefix))}\d+\.", bare(key)) for prefix in prefixes)

    def in_body(key: str) -> bool:
        if separate:
            return key.startswith(f"{base}.")
        return not new_head or in_block(key) or key.startswith(tuple(embeddings))

    body_module = getattr(model, base) if separate else model
    children = {name for name, _ in body_module.named_children()}

    def is_weight(key: str) -> bool:
        stored = tensors.get(key) or tensors.get(bare(key)) or tensors.get(f"{base}.{key}")
        return (stored is None or stored.is_weight) and key.rpartition(".")[2] not in buffer_endings

    mismatched = {
        key: f"{tuple(stored)}, not {tuple(wanted)}" for key, stored, wanted in loading_info["mismatched_keys"]
    }
    reported = set(loading_info["missing_keys"])
    missing = {*reported, *mismatched, *filter(in_block, recorded.get("missing", ()))}
    order = {key: place for place, key in enumerate(model.state_dict())}
    body: list[str] = []
    head: list[str] = []
    optional: list[str] = []
    for key in sorted(missing, key=lambda key: (not in_block(key), order.get(key, len(order)))):
        if key in buffers:
            if key in reported and buffers[key].is_floating_point() and buffers[key].ndim:
                optional.append(key)
        elif is_pooler(key):
            optional.append(key)
        else:
            (body if in_body(key) else head).append(key)

    unused = set(loading_info["unexpected_keys"])
    by_design = recorded.get("unexpected", unused) - unused
    unused_blocks, unused_head, unused_others = [], [], sorted(filter(is_weight, by_design))
    for key in sorted(filter(is_weight, unused)):
        first, *rest = bare(key).split(".")
        if is_pooler(key):
            unused_others.append(key)
        elif in_block(key) or (first in children and any(part.isdecimal() for part in rest)):
            unused_blocks.append(key)
        elif first in children and separate:
            unused_others.append(key)
        else:
            unused_head.append(key)
    return Gaps(
        body=tuple(body),
        head=tuple(head),
        optional=tuple(optional),
        other_shapes=mismatched,
        unused_blocks=tuple(unused_blocks),
        unused_head=tuple(unused_head),
        unused_others=tuple(unused_others),
    )


def is_pooler(key: str) -> bool:
    """Return whether a weight is a pooler's, from its name."""
    return any("pooler" in part for part in key.split("."))


def refusal(gaps: Gaps, model: PreTrainedModel, tensors: Collection[str], new_head: bool = False) -> str | None:
    """Return why a model with such gaps cannot be used, and what to do; None if it can be.

    Args:
        gaps: the model's gaps.
        model: the model.
        tensors: the names of the file's tensors; empty where they are not known.
        new_head: whether the head is drawn anew, so that only the rest of the model counts.
    """
    reasons = []
    if gaps.body:
        absent = [key for key in gaps.body if key not in gaps.other_shapes]
        shaped = [key for key in gaps.body if key in gaps.other_shapes]
        if absent:
            size = f"{len(list(model.named_parameters()))} that a {type(model).__name__} has"
            reasons.append(f"not in the file, and so random: {named(absent)} of the {size}")
        if shaped:
            reasons.append(f"not of the shape that config.json says: {named(shaped, gaps.other_shapes)}")
    if gaps.unused_blocks:
        reasons.append(f"in the file's blocks, but with no place in the model: {named(gaps.unused_blocks)}")
    if not new_head and gaps.head and not gaps.body:
        reasons.append(f"not in the file, and so random, in the head: {named(gaps.head, gaps.other_shapes)}")
    if not new_head and gaps.unused_head and not gaps.body:
        reasons.append(f"in the file, but with no place in a {type(model).__name__}: {named(gaps.unused_head)}")
    if not reasons and any(parameter.is_meta for parameter in model.parameters()):
        reasons.append(
            f"config.json describes far more than the file holds, such as {named(gaps.head or gaps.optional)}"
        )
    if not reasons:
        return None
    added = wrapping(tensors, _names_in_files(model), model.base_model_prefix) if gaps.body else ()
    return f"{'; '.join(reasons)}; {_advice(added, tensors, gaps)}"


def _names_in_files(model: PreTrainedModel) -> list[str]:
    """Return the names that a model's weights have in files, which are others than in the model for a few classes."""
    import torch

    state = {name: torch.empty_like(value, device="meta") for name, value in model.state_dict().items()}
    used = getattr(model, "_weight_conversions", None)
    try:
        from transformers.core_model_loading import revert_weight_conversion

        model._weight_conversions = None  # those that were used are few if the names are wrapped
        return list(revert_weight_conversion(model, state))
    except Exception:  # of transformers' inner workings, which are another in other versions: the advice is less then
        return list(state)
    finally:
        model._weight_conversions = used


def _advice(added: tuple[str, ...], tensors: Collection[str], gaps: Gaps) -> str:
    if any(".lora_" in name for name in tensors):
        return "the file holds a PEFT adapter: load it with peft, call merge_and_unload(), and save the model again"
    if added:
        parts = " and ".join(repr(part) for part in added)
        return (
            f"the names in the file have {parts} besides, which a wrapper left: save the model itself and not its "
            f"wrapper, or rename them in its folder: {renaming_program(added)}"
        )
    if gaps.body or gaps.unused_blocks:
        return "config.json and the weights are not of one model, or the file is not complete: fetch both anew"
    return "name the class that was saved in config.json, as architectures, or save the model again with that class"
