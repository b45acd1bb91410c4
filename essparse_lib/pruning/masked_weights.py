"""Keep the weights of a model under a mask at zero, whatever happens to the model between two looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import InputError, one_line, suggestion
from .absent import absence, check_values, computed_weights, misfit
from .wrapped import Holder, holders, is_a, plain_name

#: Integers as wide as floating-point numbers. Times a mask, their bits become 0 exactly, also those of NaN and −0.
_INTEGERS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
    torch.float8_e4m3fn: torch.int8,
    torch.float8_e5m2: torch.int8,
}


@dataclass(kw_only=True)
class _Entry:
    """A weight of the mask.

    Attributes:
        name: its name in the mask.
        holder: where it is in the model.
        kept: its whole mask.
        part: the mask's part for the values on this device; None until it is needed.
        sharding: how the weight was sharded when the part was cut; None if it was not.
    """

    name: str
    holder: Holder
    kept: torch.Tensor
    part: torch.Tensor | None = None
    sharding: object = None

    def local(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weight's values on this device and the mask's part for them.

        Raises:
            InputError: the weight has another shape than the mask by now, or no values here.
        """
        weight = self.holder.parameter
        if weight is None or weight.shape != self.kept.shape:
            if weight is not None:
                check_values(self.name, weight, self.holder.module)
            shape = "no such weight" if weight is None else f"shape {tuple(weight.shape)}"
            raise misfit(self.name, self.kept.shape, shape)
        values = local_values(weight)
        device = values.device
        if device.type == "meta":
            check_values(self.name, weight, self.holder.module)
        sharding = None if type(weight) is nn.Parameter else _sharding(weight)
        if self.part is None or self.part.device != device or self.sharding != sharding:
            self.part, self.sharding = local_part(self.name, self.kept, weight), sharding
        return values, self.part


class MaskedWeights:
    """The weights that a mask covers in a model.

    They are looked up again whenever the model's modules or parameters were replaced. So they are those that the model
    has now, on the device and in the precision that it has now.

    Args:
        model: the model, wrapped or not.
        keep: a boolean tensor per parameter, by plain name: True where the weight stays.

    Raises:
        InputError: the model lacks a parameter, has it in another shape, computes it or does not hold its values.
    """

    def __init__(self, model: nn.Module, keep: Mapping[str, torch.Tensor]) -> None:
        if not isinstance(model, nn.Module):
            raise InputError(f"a mask is applied to a PyTorch model, not to a {type(model).__name__}")
        self._model = model
        self._keep = keep
        self._sharded: list[Any] = []
        self._find()

    @torch.no_grad()
    def zero(self) -> None:
        """Set the removed weights to zero; NaN and infinite ones too.

        Raises:
            InputError: the model does not have the weights any more.
        """
        pairs = [entry.local() for entry in self._current()]  # all of them first: an error leaves the model alone
        for entry, (values, kept) in zip(self._entries, pairs, strict=True):
            set_to_zero(entry.name, values, kept)
        for entry in self._entries:
            renew_torch_pruned(entry.holder)

    @torch.no_grad()
    def nonzero(self) -> int:
        """Return how many removed weights are not zero (NaN is not), over all processes of a sharded model.

        Raises:
            InputError: the model does not have the weights any more.
        """
        pairs = [entry.local() for entry in self._current()]
        total = 0
        for entry, (values, kept) in zip(self._entries, pairs, strict=True):
            if entry.holder.torch_mask is not None:
                values = values * entry.holder.torch_mask  # what the model computes with
            if values.element_size() == 1 and values.is_floating_point():
                values = values.float()
            total += _over_processes(((values != 0) > kept).count_nonzero(), entry.holder.parameter)
        return total

    def _current(self) -> list[_Entry]:
        """Return the entries for the model as it is now."""
        for module in self._sharded:
            module.reshard()  # after an evaluation, whole copies may stand in for the shards
        replaced = any(tuple(module._modules.values()) != children for module, children in self._children)
        if replaced or any(entry.holder.parameter is None for entry in self._entries):
            self._find()
        return self._entries

    def _find(self) -> None:
        """Find the holders of the mask's weights, and remember the modules, so that a change is seen."""
        modules = list(self._model.modules())
        self._children = [(module, tuple(module._modules.values())) for module in modules if module._modules]
        self._sharded = [module for module in modules if is_a(module, "torch.distributed.fsdp.FSDPModule")]
        for module in self._sharded:
            module.reshard()
        places = holders(self._model)
        self._entries = [
            _Entry(name=name, holder=holder, kept=kept)
            for name, kept in self._keep.items()
            for holder in self._holders(name, places)
        ]
        for entry in self._entries:
            entry.local()

    def _holders(self, name: str, places: Mapping[str, list[Holder]]) -> list[Holder]:
        """Return the holders of a weight of the mask."""
        kept = self._keep[name]
        plain = name if name in places else plain_name(name)
        if plain not in places and (own := _by_own_name(self._model, name)) is not None:
            return [own]  # an adapter's factor, say: the plain model has none
        remedy = computed_weights(self._model).get(plain) if plain not in places else None
        if remedy:
            raise InputError(f"{name} is computed from other parameters, so no mask can hold it: call {remedy} first")
        parameter = places[plain][0].parameter if plain in places else None
        if parameter is not None and parameter.shape == kept.shape:
            return places[plain]
        if any(is_a(module, "torch.distributed.fsdp.FullyShardedDataParallel") for module in self._model.modules()):
            raise InputError(
                f"{name} is flattened by FullyShardedDataParallel (FSDP1): shard with "
                "torch.distributed.fsdp.fully_shard (FSDP2) instead, or mask the model within "
                "FullyShardedDataParallel.summon_full_params(model)"
            )
        if parameter is not None:
            check_values(name, parameter, places[plain][0].module)
        shape = absence(self._model, plain) if parameter is None else f"shape {tuple(parameter.shape)}"
        near = suggestion(name, places) if parameter is None else ""
        raise misfit(name, kept.shape, shape, near)


def set_to_zero(name: str, values: torch.Tensor, kept: torch.Tensor) -> None:
    """Set the removed weights of one matrix to zero in place, whatever they are: NaN, too.

    Args:
        name: the matrix's name.
        values: its values, detached.
        kept: which of them stay: boolean, of the same shape.

    Raises:
        InputError: the values cannot be written in place.

    >>> values = torch.tensor([float("nan"), -1.0])
    >>> set_to_zero("weight", values, torch.tensor([False, True]))
    >>> values
    tensor([ 0., -1.])
    """
    integers = _INTEGERS.get(values.dtype)
    try:
        if integers is None or type(values) is not torch.Tensor:
            values.masked_fill_(~kept, 0)
        else:
            values.view(integers).mul_(kept)  # as fast as values.mul_(kept), which leaves NaN and −0
    except (RuntimeError, TypeError) as error:  # an expanded weight, an inference tensor, a quantised one
        raise InputError(f"{name} cannot be set to zero in place: {one_line(error)}") from error


def renew_torch_pruned(holder: Holder) -> None:
    """Compute anew the weight that ``torch.nn.utils.prune`` keeps beside its parameter, as torch does at a forward.

    Args:
        holder: where a parameter is held; nothing is done if torch has not pruned it.
    """
    if holder.torch_mask is not None and holder.parameter is not None:
        product = holder.torch_mask.to(holder.parameter.dtype) * holder.parameter.detach()
        setattr(holder.module, holder.plain, product)  # without a history, with which it could not be copied


def local_values(weight: torch.Tensor) -> torch.Tensor:
    """Return a weight's values on this device, detached and in the same memory: its shard if it is sharded.

    Args:
        weight: a parameter of any shape; a DTensor if it is sharded.
    """
    values = weight.detach()
    if type(weight) is nn.Parameter or not is_a(values, "torch.distributed.tensor.DTensor"):
        return values
    return values.to_local()  # type: ignore[attr-defined]


def local_part(name: str, whole: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the part of a whole tensor that belongs to a weight's values on this device.

    Args:
        name: the weight's name.
        whole: a tensor of the weight's whole shape, the same in every process.
        weight: the weight; a DTensor if it is sharded.

    Raises:
        InputError: the weight is sharded in a way that is not supported.
    """
    values = local_values(weight)
    if not is_a(weight, "torch.distributed.tensor.DTensor"):
        return whole.to(values.device)
    from torch.distributed.tensor import distribute_tensor

    mesh, placements = weight.device_mesh, weight.placements  # type: ignore[attr-defined]
    try:
        # each process cuts its own part out of the whole, without a word to the others
        sharded = distribute_tensor(whole.to(mesh.device_type), mesh, placements, src_data_rank=None)
        part = sharded.to_local()
    except (NotImplementedError, RuntimeError, ValueError):
        part = None
    if part is None or part.shape != values.shape or any(placement.is_partial() for placement in placements):
        raise InputError(f"{name} is sharded as {placements}, which masks do not support: mask the model first")
    return part.to(values.device)


def _by_own_name(model: nn.Module, name: str) -> Holder | None:
    """Return the holder of a parameter by its name in the model as it is wrapped."""
    path, _, attribute = name.rpartition(".")
    module = dict(model.named_modules()).get(path)
    held = module is not None and module._parameters.get(attribute) is not None
    return Holder(module, attribute, attribute) if module is not None and held else None


def _sharding(weight: torch.Tensor) -> object:
    """Return what tells how a weight is sharded; None if it is not."""
    return getattr(weight, "device_mesh", None), getattr(weight, "placements", None)


def _over_processes(count: torch.Tensor, weight: torch.Tensor | None) -> int:
    """Return a count of a weight's values as the sum over the processes that share the weight."""
    if not is_a(weight, "torch.distributed.tensor.DTensor"):
        return int(count)
    from torch.distributed.tensor import DTensor, Partial, Replicate

    mesh, placements = weight.device_mesh, weight.placements  # type: ignore[union-attr]
    counted = [Partial() if placement.is_shard() else Replicate() for placement in placements]
    return int(DTensor.from_local(count.to(mesh.device_type), mesh, counted).full_tensor())
