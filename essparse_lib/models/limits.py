"""Stop a library that builds far more of a model than the files hold, before it takes memory or time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from .weight_files import StoredTensor

#: A model may have so many times as many weights as its files: some of them are tied to others, or of a new head.
_TIMES, _MORE_WEIGHTS = 4, 2**22
#: A model may have so many modules for each tensor of its files, and so many more: most have one or two.
_MODULES, _MORE_MODULES = 10, 1_000
#: The most bytes of weights and buffers that are made without being in the files: a head, a pooler, positions.
_MORE_BYTES = 2**28


class TooLargeError(InputError):
    """An error about a configuration of far more weights or layers than the files hold."""


class TooMuchMissingError(InputError):
    """An error about a model of which so much is not in the files that it is not to be made up in memory."""


@contextmanager
def limited_building(tensors: Mapping[str, StoredTensor]) -> Iterator[None]:
    """Within this context, stop the building of a model once it has far more weights or modules than its files.

    transformers builds a model on the meta device, where weights take no memory, and then makes those that the files
    lack; both are watched, in this thread alone.

    Args:
        tensors: the tensors of the files by name; without any, nothing is limited.

    Raises:
        TooLargeError: the model has far more weights or modules than the files.
        TooMuchMissingError: far more must be made up than a head or a pooler.
    """
    if not tensors:
        yield
        return
    from torch.nn.modules import module as hooks

    thread = threading.get_ident()
    stored = sum(prod(tensor.shape) for tensor in tensors.values())
    left = {
        "weights": _TIMES * stored + _MORE_WEIGHTS,
        "layers and other modules": _MODULES * len(tensors) + _MORE_MODULES,
    }
    seen: dict[int, Any] = {}  # tied weights are registered several times

    def count(kind: str, number: int) -> None:
        left[kind] -= number
        if left[kind] < 0:
            raise TooLargeError(
                f"config.json describes far more {kind} than the files, which hold {stored:,} weights in "
                f"{len(tensors):,} tensors: the two are not of one model; fetch both anew"
            )

    def count_weight(_module: Any, _name: str, weight: Any) -> None:
        if threading.get_ident() == thread and weight is not None and id(weight) not in seen:
            seen[id(weight)] = weight
            count("weights", weight.numel())

    def count_module(_module: Any, _name: str, part: Any) -> None:
        if threading.get_ident() == thread and part is not None:
            count("layers and other modules", 1)

    with ExitStack() as stack:
        for handle in (
            hooks.register_module_parameter_registration_hook(count_weight),
            hooks.register_module_module_registration_hook(count_module),
        ):
            stack.callback(handle.remove)
        stack.enter_context(_limited_filling())
        yield


@contextmanager
def _limited_filling() -> Iterator[None]:
    """Stop transformers where it is about to take memory for more missing weights and buffers than are allowed."""
    from transformers import PreTrainedModel

    step = "_move_missing_keys_from_meta_to_device"
    original = getattr(PreTrainedModel, step, None)  # not in every version
    if original is None:
        yield
        return

    def checked(model: Any, missing_keys: Any, device_map: Any, *arguments: Any, **options: Any) -> Any:
        if device_map is None:  # else the model stays on the meta device
            tied = getattr(model, "all_tied_weights_keys", {})
            state = model.state_dict()
            if _bytes(buffer for buffer in model.buffers() if buffer.is_meta) > _MORE_BYTES:
                raise TooLargeError("config.json describes inputs far longer than any model's: fetch it anew")
            if _bytes(state[key] for key in missing_keys if key in state and key not in tied) > _MORE_BYTES:
                raise TooMuchMissingError("config.json describes far more than the files hold: fetch both anew")
        return original(model, missing_keys, device_map, *arguments, **options)

    setattr(PreTrainedModel, step, checked)
    try:
        yield
    finally:
        setattr(PreTrainedModel, step, original)


def _bytes(tensors: Iterable[Any]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
