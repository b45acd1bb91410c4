"""Try on one architecture what the library does with a model, and check each result by code of its own."""

from __future__ import annotations

import copy
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from census import Defect, census, rows
from families.family import Family
from torch import nn

from essparse_lib.errors import InputError
from essparse_lib.pruning import mask_io, registry
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.method import Pruned, Request
from essparse_lib.pruning.prunable import prunable_weights

SPARSITY = 0.5
PATTERN = (2, 4)
_STEPS = 3


class State(StrEnum):
    """What came of an attempt."""

    YES = "yes"
    REFUSED = "refused"
    DEFECT = "defect"


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt, and why if it did not succeed."""

    state: State
    reason: str = ""


def attempts(family: Family, model: nn.Module) -> dict[str, Outcome]:
    """Return what comes of each attempt with a family, by the column of the table; its model is left alone."""
    return {column: attempt(column, family, copy.deepcopy(model)) for column in ATTEMPTS}


def attempt(column: str, family: Family, model: nn.Module) -> Outcome:
    """Return what comes of one attempt with a family; its model is changed."""
    before = {name: values.clone() for name, values in model.state_dict().items()}
    try:
        ATTEMPTS[column](family, model)
    except InputError as error:
        for name, values in model.state_dict().items():
            if not torch.equal(values, before[name]):
                return Outcome(State.DEFECT, f"refused, but {name} has changed")
        return Outcome(State.REFUSED, str(error))
    except Defect as defect:
        return Outcome(State.DEFECT, str(defect))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        message = " ".join(str(error).split())[:200]
        return Outcome(State.DEFECT, f"{type(error).__name__}: {message} ({Path(place.filename).name}:{place.lineno})")
    return Outcome(State.YES)


def _pruned(family: Family, model: nn.Module, method: str, **options: Any) -> tuple[Pruned, dict[str, nn.Parameter]]:
    """Return what a method removes from a model, and the parameters that it had to look at."""
    before = {name: values.clone() for name, values in model.state_dict().items()}
    request = Request(**options)
    pruned = registry.prune(model, method, request)
    for name, values in model.state_dict().items():
        if not torch.equal(values, before[name]):
            raise Defect(f"{method} changed {name} of the model that it was to leave alone")
    return pruned, _covered(family, model, pruned.mask)


def _covered(family: Family, model: nn.Module, mask: Mask) -> dict[str, nn.Parameter]:
    """Return the parameters that a mask is of, by the mask's names: all matrices of the blocks, each once.

    Raises:
        Defect: it leaves some out, or has others.
    """
    counted = census(family, model)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    unknown = sorted(set(mask.keep) - set(parameters))
    if unknown:
        raise Defect(f"the mask has {unknown[0]}, which is no parameter")
    covered = {name: parameters[name] for name in mask.keep}
    identities = {id(parameter) for parameter in covered.values()}
    if len(identities) < len(covered):
        raise Defect("the mask has a shared parameter twice")
    total = sum(parameter.numel() for parameter in counted.matrices.values())
    missing = {name: p.numel() for name, p in counted.matrices.items() if id(p) not in identities}
    if missing:
        share = sum(missing.values()) / total
        raise Defect(f"{share:.0%} of the weights of the blocks are left out in silence: {_kinds(missing)}")
    allowed = {id(parameter) for parameter in (*counted.matrices.values(), *counted.either.values())}
    more = [name for name, parameter in covered.items() if id(parameter) not in allowed]
    if more:
        raise Defect(f"pruned, though no matrices of the blocks: {_kinds(more)}")
    return covered


def _kinds(names: Any) -> str:
    """Return names of parameters as one text, the numbers in them left out."""
    return ", ".join(dict.fromkeys(re.sub(r"\.\d+(?=\.)", ".N", name) for name in names))


def _prune(family: Family, model: nn.Module) -> None:
    """Half of all weights of the blocks go, and these are the smallest."""
    pruned, covered = _pruned(family, model, "magnitude", sparsity=SPARSITY)
    keep = pruned.mask.keep
    size = sum(parameter.numel() for parameter in covered.values())
    removed = torch.cat([parameter[~keep[name]] for name, parameter in covered.items()]).abs()
    kept = torch.cat([parameter[keep[name]] for name, parameter in covered.items()]).abs()
    if len(removed) != int(SPARSITY * size):
        raise Defect(f"{len(removed):,} of {size:,} weights go, not {int(SPARSITY * size):,}")
    if removed.max() > kept.min():
        raise Defect("a weight goes that is larger than one that stays")
    pruned.apply(model)
    _check_zeros(covered, keep)


def _check_zeros(covered: Mapping[str, torch.Tensor], keep: Mapping[str, torch.Tensor]) -> None:
    for name, parameter in covered.items():
        if parameter[~keep[name]].any():
            raise Defect(f"weights of {name} that were removed are not zero")


def _n_m(family: Family, model: nn.Module) -> None:
    """Of four consecutive inputs of an output the two largest stay."""
    pruned, covered = _pruned(family, model, "magnitude", pattern="2:4")
    n, m = PATTERN
    for name, parameter in covered.items():
        scores, keep = (
            rows(family, model, name, tensor) for tensor in (parameter.detach().abs(), pruned.mask.keep[name])
        )
        whole = scores.shape[1] // m * m
        groups, kept = scores[:, :whole].unflatten(1, (-1, m)), keep[:, :whole].unflatten(1, (-1, m))
        if not (kept.sum(-1) == n).all():
            raise Defect(f"{name} keeps another number than {n} of {m} consecutive inputs")
        if (groups * kept).sum() < groups.topk(n, dim=-1).values.sum() * (1 - 1e-6):
            raise Defect(f"{name} does not keep the largest {n} of {m} consecutive inputs")


def _wanda(family: Family, model: nn.Module) -> None:
    """Half of the inputs of every output go."""
    pruned, covered = _pruned(family, model, "wanda", sparsity=SPARSITY, calibration=family.batch())
    for name in covered:
        kept = rows(family, model, name, pruned.mask.keep[name])
        if not ((~kept).sum(1) == int(SPARSITY * kept.shape[1])).all():
            raise Defect(f"{name} has outputs that lose another number of inputs than half")


def _sparsegpt(family: Family, model: nn.Module) -> None:
    """Half of the weights of every matrix go, and others make up for them."""
    dense = {name: parameter.detach().clone() for name, parameter in model.named_parameters(remove_duplicate=False)}
    pruned, covered = _pruned(family, model, "sparsegpt", sparsity=SPARSITY, calibration=family.batch())
    pruned.apply(model)
    keep = pruned.mask.keep
    _check_zeros(covered, keep)
    for name, parameter in covered.items():
        share = float((parameter == 0).sum()) / parameter.numel()
        if abs(share - SPARSITY) > 0.02:
            raise Defect(f"{name} has {share:.1%} zeros, not {SPARSITY:.0%}")
        if not torch.isfinite(parameter).all():
            raise Defect(f"{name} holds NaN or infinite weights")
    if all(torch.equal(covered[name][kept], dense[name][kept]) for name, kept in keep.items()):
        raise Defect("no weight that stays makes up for those that go")


def _hold(family: Family, model: nn.Module) -> None:
    """What was removed is zero after every step of AdamW, and what stays is trained."""
    pruned, covered = _pruned(family, model, "magnitude", sparsity=SPARSITY)
    mask, batch = pruned.mask, family.batch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    dense = {name: parameter.detach().clone() for name, parameter in covered.items()}
    model.train()
    with mask.held(model, optimizer):
        for _ in range(_STEPS):
            optimizer.zero_grad()
            trained = [values for values in _outputs(model, batch) if values.requires_grad]
            torch.stack([values.float().square().mean() for values in trained]).sum().backward()
            optimizer.step()
            _check_zeros(covered, mask.keep)
    if mask.drift(model):
        raise Defect(f"drift() counts {mask.drift(model)} weights, and there are none")
    if all(torch.equal(covered[name][kept], dense[name][kept]) for name, kept in mask.keep.items()):
        raise Defect("no weight that stays was trained")


def _outputs(model: nn.Module, batch: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """Return all tensors of real numbers that a model puts out, in order."""

    def tensors(output: Any) -> Iterator[torch.Tensor]:
        if isinstance(output, torch.Tensor):
            if output.is_floating_point():
                yield output
        elif isinstance(output, Mapping):
            for value in output.values():
                yield from tensors(value)
        elif isinstance(output, list | tuple):
            for value in output:
                yield from tensors(value)

    if isinstance(model, nn.Sequential):
        return list(tensors(model(*batch.values())))
    return list(tensors(model(**batch)))


def _save_and_load(family: Family, model: nn.Module) -> None:
    """The saved model is loaded again with the same zeros, and computes the same."""
    pruned, covered = _pruned(family, model, "magnitude", sparsity=SPARSITY)
    with tempfile.TemporaryDirectory() as folder:
        loaded = (_through_folder if family.library == "transformers" else _through_mask)(model, pruned, Path(folder))
    pruned.apply(model)
    others = dict(loaded.named_parameters(remove_duplicate=False))
    for name, parameter in covered.items():
        if not torch.equal(parameter, others[name]):
            raise Defect(f"{name} is another after loading")
    with torch.no_grad():
        outputs, again = (_outputs(each, family.batch()) for each in (model, loaded.eval()))
    if not all(torch.allclose(one, other, atol=1e-5) for one, other in zip(outputs, again, strict=True)):
        raise Defect("the loaded model computes something else")


def _through_folder(model: Any, pruned: Pruned, folder: Path) -> nn.Module:
    """Save a model, prune it by its folder's name as the command line does, and load what that has saved."""
    from essparse_lib.sparsify import Recipe, save_pruned

    model.save_pretrained(folder / "dense")
    save_pruned(str(folder / "dense"), Recipe(sparsity=SPARSITY), folder / "pruned")
    loaded: nn.Module = type(model).from_pretrained(folder / "pruned")
    return loaded


def _through_mask(model: nn.Module, pruned: Pruned, folder: Path) -> nn.Module:
    """Save the pruned weights and the mask, and load both into another model of the kind."""
    weights = prunable_weights(model)
    mask_io.save_mask(pruned.mask, weights, folder / "mask.safetensors")
    safetensors.torch.save_model(model, str(folder / "dense.safetensors"))
    loaded = copy.deepcopy(model)
    for parameter in loaded.parameters():
        nn.init.ones_(parameter)
    safetensors.torch.load_model(loaded, str(folder / "dense.safetensors"))
    mask_io.load_mask(folder / "mask.safetensors", prunable_weights(loaded)).apply(loaded)
    return loaded


#: What is tried with every family, by the column of the table.
ATTEMPTS: dict[str, Callable[[Family, nn.Module], None]] = {
    "prune": _prune,
    "N:M": _n_m,
    "Wanda": _wanda,
    "SparseGPT": _sparsegpt,
    "hold": _hold,
    "save": _save_and_load,
}
