"""Find a model's parameters by their plain names, whatever wraps the model: DDP, compile, FSDP, PEFT, torch's pruning.

Names come from a walk over the modules in which the types of wrappers are known, not from the text of the names: a
model may have a part of its own that is called ``module`` or ``base_model``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

#: Types that wrap one module, and the attribute with the wrapped one. None of the modules that define them is imported
#: here: a model can have a wrapper only if its module is loaded.
_WRAPPERS = {
    "torch.nn.parallel.DataParallel": "module",
    "torch.nn.parallel.DistributedDataParallel": "module",
    "torch.optim.swa_utils.AveragedModel": "module",
    "torch._dynamo.eval_frame.OptimizedModule": "_orig_mod",
    "torch.distributed.algorithms._checkpoint.checkpoint_wrapper.ActivationWrapper": "_checkpoint_wrapped_module",
    "torch.distributed.fsdp.FullyShardedDataParallel": "_fsdp_wrapped_module",
    "deepspeed.runtime.engine.DeepSpeedEngine": "module",
    "lightning.fabric.wrappers._FabricModule": "_forward_module",
    "peft.peft_model.PeftModel": "base_model",
    "peft.mixed_model.PeftMixedModel": "base_model",
    "peft.tuners.xlora.model.XLoraModel": "lora_model",
    "peft.tuners.tuners_utils.BaseTuner": "model",
    "peft.tuners.tuners_utils.BaseTunerLayer": "base_layer",
    "peft.tuners.adaption_prompt.model.AdaptionPromptModel": "model",
    "peft.tuners.adaption_prompt.layer._BaseAdaptedAttention": "model",
    "peft.utils.other.TrainableTokensWrapper": "token_adapter",
}


@dataclass(frozen=True)
class Holder:
    """A module that holds a parameter.

    Attributes:
        module: the module.
        attribute: the parameter's name in the module, such as ``weight``; ``weight_orig`` where torch has pruned it.
        plain: the attribute's name in the plain model, such as ``weight``.
    """

    module: nn.Module
    attribute: str
    plain: str

    @property
    def parameter(self) -> nn.Parameter | None:
        """The parameter that the module holds now; None if it holds none any more."""
        return self.module._parameters.get(self.attribute)

    @property
    def torch_mask(self) -> torch.Tensor | None:
        """The mask of ``torch.nn.utils.prune`` by which the parameter is multiplied; None if torch has not pruned."""
        return None if self.attribute == self.plain else self.module._buffers.get(f"{self.plain}_mask")


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the plain model inside of wrappers, in whatever order they are nested.

    Wrappers are DataParallel, DistributedDataParallel, FSDP, ``torch.compile``, activation checkpoints, averaged
    models, PEFT, DeepSpeed and Fabric. Adapters stay in the layers of PEFT's base model.

    Args:
        model: any PyTorch model; not changed.

    >>> plain = nn.Linear(2, 2)
    >>> unwrapped(nn.DataParallel(plain)) is plain
    True
    """
    *_, plain = unwrapping(model)
    return plain


def unwrapping(model: nn.Module) -> Iterator[nn.Module]:
    """Yield a model, then the model that it wraps, and so on; the plain model comes last.

    Args:
        model: any PyTorch model; not changed.

    >>> plain = nn.Linear(2, 2)
    >>> [type(each).__name__ for each in unwrapping(nn.DataParallel(plain))]
    ['DataParallel', 'Linear']
    """
    wrappers = _loaded_wrappers()
    inner: nn.Module | None = model
    while inner is not None:
        yield inner
        inner = _wrapped(inner, wrappers)


def plain_modules(model: nn.Module, copies: bool = False) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules of the plain model with their plain names, the model itself first with the name ''.

    Wrappers and adapters' own modules are left out. A module that several names lead to comes under each of them.

    Args:
        model: any PyTorch model, wrapped or not.
        copies: whether PEFT's further copies of a module (``modules_to_save``) come too, under the same name, after
            the one that is in use.

    >>> [name for name, _ in plain_modules(nn.DataParallel(nn.Sequential(nn.Tanh())))]
    ['', '0']
    """
    yield from _walk(model, "", copies, _loaded_wrappers(), ())


def plain_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return a model's parameters by their names in the plain model, a shared one under each of its names.

    A weight that ``torch.nn.utils.prune`` has pruned is ``weight``, not ``weight_orig``. Adapters' own factors are left
    out.

    Args:
        model: any PyTorch model, wrapped or not.

    >>> list(plain_parameters(nn.DataParallel(nn.Linear(2, 1))))
    ['weight', 'bias']
    """
    parameters = {}
    for name, places in holders(model).items():
        parameter = places[0].parameter
        if parameter is not None:
            parameters[name] = parameter
    return parameters


def holders(model: nn.Module) -> dict[str, list[Holder]]:
    """Return where a model's parameters are, by their names in the plain model.

    Args:
        model: any PyTorch model, wrapped or not.

    Returns:
        The holders of each name, the one in use first, then PEFT's further copies of the same module.

    >>> holders(nn.Linear(2, 1))["weight"]
    [Holder(module=Linear(in_features=2, out_features=1, bias=True), attribute='weight', plain='weight')]
    """
    places: dict[str, list[Holder]] = {}
    for path, module in plain_modules(model, copies=True):
        for attribute, parameter in module._parameters.items():
            if parameter is None:
                continue
            holder = holder_of(module, attribute)
            places.setdefault(f"{path}.{holder.plain}" if path else holder.plain, []).append(holder)
    return places


def holder_of(module: nn.Module, attribute: str) -> Holder:
    """Return a module as the holder of its own parameter, with the parameter's plain name.

    Args:
        module: the module, not wrapped.
        attribute: the parameter's name in it, such as ``weight``; ``weight_orig`` where torch has pruned it.

    >>> holder_of(nn.Linear(2, 1), "bias").plain
    'bias'
    """
    stem = attribute.removesuffix("_orig")
    return Holder(module, attribute, stem if f"{stem}_mask" in module._buffers else attribute)


def is_a(thing: object, path: str) -> bool:
    """Return whether something is of a type, given by its dotted path, whose module may not be loaded."""
    kind = _type(path)
    return kind is not None and isinstance(thing, kind)


def plain_name(name: str) -> str:
    """Return a parameter's name in the plain model, as far as the wrapped name alone tells it.

    With the model at hand use ``plain_parameters``: it knows whether ``module`` is a wrapper or a part of the model.

    Args:
        name: a parameter's name, such as a ``state_dict`` has it.

    >>> plain_name("module._orig_mod.base_model.model.layers.0.q_proj.base_layer.weight")
    'layers.0.q_proj.weight'
    >>> plain_name("classifier.modules_to_save.default.weight_orig")
    'classifier.weight'
    """
    name = re.sub(r"(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)", "", name).lstrip(".")
    while name.startswith(("module.", "base_model.model.")):
        name = name.removeprefix("module.").removeprefix("base_model.model.")
    name = re.sub(r"\.(base_layer|original_module|token_adapter|modules_to_save\.[^.]+)(?=\.)", "", name)
    return re.sub(r"(^|\.)weight_orig$", r"\1weight", name)


def _walk(
    module: nn.Module, name: str, copies: bool, wrappers: list[tuple[type, str]], above: tuple[int, ...]
) -> Iterator[tuple[str, nn.Module]]:
    """Yield a module's plain modules in the order of ``named_modules``."""
    if id(module) in above:  # a module that holds itself
        return
    above = (*above, id(module))
    inner = _wrapped(module, wrappers)
    if inner is not None:
        yield from _walk(inner, name, copies, wrappers, above)
        return
    saved = _saved_copies(module)
    if saved:
        for copy in saved if copies else saved[:1]:
            yield from _walk(copy, name, copies, wrappers, above)
        return
    yield name, module
    for key, child in module._modules.items():
        if child is not None:
            yield from _walk(child, f"{name}.{key}" if name else key, copies, wrappers, above)


def _wrapped(module: nn.Module, wrappers: list[tuple[type, str]]) -> nn.Module | None:
    """Return the module that a wrapper wraps; None of what is no wrapper."""
    for wrapper, attribute in wrappers:
        if isinstance(module, wrapper):
            inner = module._modules.get(attribute, vars(module).get(attribute))
            if isinstance(inner, nn.Module):
                return inner
    return None


def _saved_copies(module: nn.Module) -> list[nn.Module]:
    """Return the copies of a module that PEFT trains whole, and the original, the one in use first; [] of others."""
    if not is_a(module, "peft.utils.other.ModulesToSaveWrapper"):
        return []
    original, trained = module._modules["original_module"], module._modules["modules_to_save"]
    active = [] if module.disable_adapters else [key for key in module.active_adapters if key in trained]  # type: ignore[operator,union-attr]
    others = [key for key in trained if key not in active[:1]]  # type: ignore[union-attr]
    copies = [*(trained[key] for key in active[:1]), original, *(trained[key] for key in others)]  # type: ignore[index]
    return [copy for copy in copies if copy is not None]


def _loaded_wrappers() -> list[tuple[type, str]]:
    """Return the wrappers whose modules are loaded, each with the attribute that holds the wrapped module."""
    types = ((_type(path), attribute) for path, attribute in _WRAPPERS.items())
    return [(wrapper, attribute) for wrapper, attribute in types if wrapper is not None]


def _type(path: str) -> type | None:
    """Return a type by its dotted path if the module that defines it is loaded."""
    module_name, _, type_name = path.rpartition(".")
    kind = getattr(sys.modules.get(module_name), type_name, None)
    return kind if isinstance(kind, type) else None
