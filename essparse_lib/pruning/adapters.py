"""Merge adapters of PEFT into a pruned model, and keep the model pruned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from ..errors import InputError, one_line
from .masked_weights import MaskedWeights
from .masks import Mask
from .wrapped import is_a, unwrapping

_PEFT_MODELS = ("peft.peft_model.PeftModel", "peft.mixed_model.PeftMixedModel")


@dataclass(frozen=True)
class Merged:
    """A pruned model with its adapters merged into it.

    Attributes:
        model: the plain model, with the mask applied.
        refilled: number of removed weights that the merge had filled; they are zero again.
        pruned: number of weights that the mask removes.
    """

    model: nn.Module
    refilled: int
    pruned: int


def merge_adapters(model: nn.Module, mask: Mask) -> Merged:
    """Merge the active adapters of PEFT into a pruned model, and set the removed weights to zero again.

    A merge adds the product of an adapter's factors (LoRA's B·A) to a matrix, and so fills most of its removed weights.
    As long as an adapter is not merged, the model computes with these, too: so score the merged model, not the one
    with the adapter. Where ``refilled`` is not 0, the two differ.

    Args:
        model: the model with adapters, plain or wrapped; it is used up, as by PEFT's ``merge_and_unload``.
        mask: the mask of the model without adapters.

    Returns:
        The merged model, which has all its zeros, and how many of them the merge had filled.

    Raises:
        InputError: the model has no adapters of PEFT, or such as cannot be merged, or the mask does not fit it.

    Source: https://huggingface.co/docs/peft/package_reference/lora#peft.LoraModel.merge_and_unload

    >>> merge_adapters(nn.Linear(2, 2), Mask({}))
    Traceback (most recent call last):
    essparse_lib.errors.InputError: a Linear has no adapters to merge: pass the model that peft.get_peft_model returned
    """
    adapted = _with_adapters(model)
    MaskedWeights(model, mask.keep)  # refuses a mask that does not fit before anything is merged
    kinds = " and ".join(sorted({config.peft_type.value for config in adapted.peft_config.values()}))
    if not is_a(adapted.base_model, "peft.tuners.tuners_utils.BaseTuner"):
        raise InputError(f"{kinds} cannot be merged: it changes no weights; mask the model without it, and keep both")
    try:
        merged = adapted.merge_and_unload()
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{kinds} cannot be merged into this model: {one_line(error)}") from error
    refilled = mask.drift(merged)
    mask.apply(merged)
    return Merged(model=merged, refilled=refilled, pruned=mask.pruned)


def _with_adapters(model: nn.Module) -> Any:
    """Return the model of PEFT inside of wrappers such as DDP.

    Raises:
        InputError: there is none.
    """
    for inner in unwrapping(model):
        if any(is_a(inner, path) for path in _PEFT_MODELS):
            return inner
    raise InputError(
        f"a {type(model).__name__} has no adapters to merge: pass the model that peft.get_peft_model returned"
    )
