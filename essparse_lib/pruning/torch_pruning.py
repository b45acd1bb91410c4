"""Convert masks to and from the form in which ``torch.nn.utils.prune`` keeps them: ``weight_orig``, ``weight_mask``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import nn
from torch.nn.utils import prune

from ..errors import InputError, suggestion
from .absent import absence, check_values, misfit
from .layouts import is_linear
from .masks import Mask
from .wrapped import Holder, holders, plain_modules, plain_name


def apply_torch_pruning(mask: Mask, model: nn.Module) -> None:
    """Prune a model the way ``torch.nn.utils.prune`` does: ``weight_orig`` times ``weight_mask``.

    The removed weights keep their values in ``weight_orig``, so the pruning can be undone or changed; every forward
    pass multiplies anew. For training, ``Mask.held`` costs less. A weight that several modules share is pruned in each
    of them, and stays shared.

    Between forward passes ``weight`` is the product without its history, so that the model can be copied and pickled at
    any time, which torch's own pruning does not allow. A penalty on the weights must therefore name ``weight_orig``.
    Before ``save_pretrained`` make the zeros final, with ``prune.remove``: no loader knows ``weight_orig``.

    Args:
        mask: a mask by the plain names of the model's parameters, of any shapes.
        model: the model, plain or wrapped; changed in place. ``prune.remove`` makes the zeros final.

    Raises:
        InputError: the mask is of another model, a weight's values are not in the model, or torch has pruned the model
            already. Then nothing is changed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.prune.custom_from_mask.html

    >>> import torch
    >>> from torch.nn.utils import prune
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1))
    >>> apply_torch_pruning(Mask({"0.weight": torch.tensor([[True, False]])}), model)
    >>> prune.is_pruned(model), sorted(model.state_dict())
    (True, ['0.bias', '0.weight_mask', '0.weight_orig'])
    """
    places = holders(model)
    pairs = [(_holders(model, places, name, kept), kept) for name, kept in mask.keep.items()]
    pruned = set()
    for of_weight, kept in pairs:
        for holder in of_weight:
            device = getattr(holder.module, holder.attribute).device
            CopyablePruning.apply(holder.module, holder.attribute, kept.to(device))
            pruned.add(id(holder.module))
    for _, module in plain_modules(model):
        if isinstance(module, nn.MultiheadAttention) and id(module.out_proj) in pruned:
            module.register_forward_pre_hook(_multiply_output)
            module.register_forward_hook(_detach_output)


class CopyablePruning(prune.CustomFromMask):
    """torch's pruning by a mask, which lets go of the product's history after each forward pass.

    A tensor with a history can be neither deep-copied nor sent to another process, and so could not the model.
    """

    @classmethod
    def apply(cls, module: nn.Module, name: str, mask: torch.Tensor) -> CopyablePruning:  # type: ignore[override]
        """Prune a module's parameter by a mask of its shape."""
        method: CopyablePruning = super().apply(module, name, mask)
        after = _Detach(name)
        after(module)
        module.register_forward_hook(after)
        return method

    def remove(self, module: nn.Module) -> None:
        """Make the zeros of a module's parameter final."""
        super().remove(module)
        for key, hook in list(module._forward_hooks.items()):
            if isinstance(hook, _Detach) and hook.name == self._tensor_name:
                del module._forward_hooks[key]


class _Detach:
    """Takes the history from a module's tensor, after the module's forward pass."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: nn.Module, *_: object) -> None:
        tensor = vars(module).get(self.name)  # a parameter is not among these
        if isinstance(tensor, torch.Tensor) and not tensor.is_leaf:
            setattr(module, self.name, tensor.detach())


def _multiply_output(module: nn.Module, inputs: object) -> None:
    """Multiply a multi-head attention's output projection, which it reads without calling the layer."""
    for hook in module.out_proj._forward_pre_hooks.values():  # type: ignore[union-attr]
        if isinstance(hook, prune.BasePruningMethod):
            hook(module.out_proj, inputs)


def _detach_output(module: nn.Module, *_: object) -> None:
    """Take the history from a multi-head attention's output projection."""
    for hook in module.out_proj._forward_hooks.values():  # type: ignore[union-attr]
        if isinstance(hook, _Detach):
            hook(module.out_proj)  # type: ignore[arg-type]


def mask_from_torch_pruning(source: nn.Module | Mapping[str, torch.Tensor]) -> Mask:
    """Return the mask of a model that ``torch.nn.utils.prune`` has pruned, from its ``*_mask`` buffers.

    Args:
        source: the model, plain or wrapped, or its ``state_dict``.

    Returns:
        The mask under the plain names before pruning (``….weight_mask`` masks ``….weight``). A shared weight is listed
        once: of a model, under the name of the first linear layer that has it; of a ``state_dict``, under its first
        name.

    Raises:
        InputError: nothing is pruned, or a mask holds other values than 0 and 1.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.prune.custom_from_mask.html

    >>> import torch
    >>> from torch.nn.utils import prune
    >>> layer = prune.custom_from_mask(torch.nn.Linear(2, 1), "weight", torch.tensor([[1, 0]]))
    >>> mask_from_torch_pruning(layer).keep
    {'weight': tensor([[ True, False]])}
    """
    pruned = dict(_of_model(source) if isinstance(source, nn.Module) else _of_state(source))
    if not pruned:
        raise InputError(
            "nothing is pruned there: torch.nn.utils.prune leaves weight_orig and weight_mask, and here are none"
        )
    linear = _linear_weights(source) if isinstance(source, nn.Module) else set()
    linear_first = sorted(pruned, key=lambda name: name not in linear)  # stable: otherwise in the order of the model
    name_of: dict[object, str] = {}
    for name in linear_first:
        name_of.setdefault(_identity(pruned[name][0]), name)
    keep = {}
    for name in sorted(name_of.values(), key=list(pruned).index):
        values = pruned[name][1].detach()
        keep[name] = values != 0
        if not torch.equal(keep[name].to(values.dtype), values):
            raise InputError(f"{name}_mask is no mask: it holds other values than 0 and 1")
    return Mask(keep)


def modules_with(model: nn.Module, name: str, kept: torch.Tensor) -> list[tuple[nn.Module, str]]:
    """Return the modules that hold a mask's parameter, each with the attribute's name; several if it is shared.

    Args:
        model: the model that has the parameter, plain or wrapped.
        name: plain name of the parameter in the model.
        kept: the mask of the parameter, which must have its shape.

    Raises:
        InputError: the model lacks the parameter, has it in another shape or without its values, or torch has pruned it
            already.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Embedding(3, 2), torch.nn.Linear(2, 3))
    >>> model[1].weight = model[0].weight
    >>> modules_with(model, "1.weight", torch.ones(3, 2))
    [(Embedding(3, 2), 'weight'), (Linear(in_features=2, out_features=3, bias=True), 'weight')]
    """
    return [(holder.module, holder.attribute) for holder in _holders(model, holders(model), name, kept)]


def _holders(model: nn.Module, places: Mapping[str, list[Holder]], name: str, kept: torch.Tensor) -> list[Holder]:
    """Return the holders of a mask's parameter, each once, under whatever names."""
    of_name = places.get(name) or places.get(plain_name(name)) or []
    if any(holder.attribute != holder.plain for holder in of_name):
        raise InputError(f"{name} is pruned by torch.nn.utils.prune already: make that final with prune.remove first")
    weight = of_name[0].parameter if of_name else None
    if weight is None:
        raise misfit(name, kept.shape, absence(model, name), suggestion(name, places))
    check_values(name, weight, of_name[0].module)
    if weight.shape != kept.shape:
        raise misfit(name, kept.shape, f"shape {tuple(weight.shape)}")
    everywhere = [holder for each in places.values() for holder in each if holder.parameter is weight]
    return list({(id(holder.module), holder.attribute): holder for holder in [*everywhere, *of_name]}.values())


def _of_model(model: nn.Module) -> Iterator[tuple[str, tuple[torch.Tensor, torch.Tensor]]]:
    """Yield the pruned parameters of a model by plain name, each with its mask."""
    for name, places in holders(model).items():
        if places[0].torch_mask is not None and places[0].parameter is not None:
            yield name, (places[0].parameter, places[0].torch_mask)


def _of_state(state: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, tuple[torch.Tensor, torch.Tensor]]]:
    """Yield the pruned parameters of a ``state_dict`` by plain name, each with its mask."""
    for name, values in state.items():
        stem = name.removesuffix("_mask")
        if stem != name and f"{stem}_orig" in state:  # others, such as attention masks, do not prune
            yield plain_name(stem), (state[f"{stem}_orig"], values)


def _linear_weights(model: nn.Module) -> set[str]:
    """Return the plain names of the weights of the model's linear layers."""
    return {f"{path}.weight".lstrip(".") for path, module in plain_modules(model) if is_linear(module)}


def _identity(tensor: torch.Tensor) -> object:
    """Return what is the same for shared weights, also in a ``state_dict``, which detaches them one by one."""
    return (tensor.device, tensor.data_ptr()) if tensor.data_ptr() else id(tensor)
