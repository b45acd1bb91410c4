"""Prune a model of one's own and save it, or describe its weights: what the command line does for any model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, check_sparsity
from .files import writing, writing_folder
from .models import loading
from .specs.methods import METHODS, Scope, check_method, one_shot_methods

if TYPE_CHECKING:
    import torch
    from rich.table import Table
    from transformers import PreTrainedModel

    from .pruning.method import Pruned

#: Windows of the text that calibrated methods read: 128, as in Wanda's and SparseGPT's papers; shorter ones than
#: theirs, so that a laptop can.
_WINDOWS, _LENGTH = 128, 256


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to prune a model of one's own.

    Attributes:
        sparsity: fraction of the block matrices' weights to remove, in [0, 1), or None with a pattern.
        method: a name in ``specs.methods.METHODS`` of a method that needs no training.
        scope: over what the method ranks the weights.
        pattern: ``N:M`` in place of a sparsity, for the methods that take one.
        text: a file of text like that which the model is for; calibrated methods need one.
        seed: of the methods that draw numbers, and of which parts of the text are read.
    """

    sparsity: float | str | None = None
    method: str = "magnitude"
    scope: str = Scope.GLOBAL
    pattern: str | None = None
    text: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        method = check_method(self.method, self.scope, self.pattern, one_shot_methods())
        if (self.sparsity is None) == (not self.pattern):
            raise InputError("give either a sparsity, such as 0.4, or a pattern, such as 2:4")
        if not self.pattern:
            check_sparsity(self.sparsity)
        if (self.text is None) == method.calibrated:
            raise InputError(f"method {self.method!r} {'needs a' if self.text is None else 'takes no'} text file")
        if self.text is not None and not Path(self.text).is_file():
            raise InputError(f"{self.text} is no file: give one of text")


def save_pruned(name: str, recipe: Recipe, out: Path) -> str:
    """Prune a model and save it, with its tokenizer, for ``from_pretrained``.

    The model keeps the heads and the precision that it was saved with. The file ``essparse.json`` says what was done.

    Args:
        name: a model's name here, its id on the hub, or its local folder.
        recipe: how to prune it.
        out: a folder that does not exist yet, or is empty.

    Returns:
        A line that says what was done.

    Raises:
        InputError: the folder is not empty, or the model cannot be had or pruned so; nothing has been written then.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already and not empty: name a new folder")
    from safetensors import SafetensorError

    source = loading.locate(name)
    model = loading.load_model(name)
    pruned = prune(model, name, recipe)
    pruned.apply(model)
    mask = pruned.mask
    done = {
        "model": name,
        "weights_sha256": source.weights,
        **{key: str(value) for key, value in vars(recipe).items() if value is not None},
        "pruned": mask.pruned,
        "prunable": mask.size,
    }
    with writing_folder(out) as made:  # the whole model or nothing
        try:
            model.save_pretrained(made)
        except SafetensorError as error:  # which is no OSError, also where the disk is full
            raise OSError(str(error)) from error
        _save_tokenizer(name, made)
        with writing(made / "essparse.json") as file:
            file.write(json.dumps(done, indent=1).encode())
        if out.exists():
            out.rmdir()
    return f"{out}: {mask.pruned:,} of {mask.size:,} weights of {name} are zero ({mask.sparsity:.4%})"


def prune(model: PreTrainedModel, name: str, recipe: Recipe) -> Pruned:
    """Return what a recipe removes from a model, which is left alone.

    Args:
        model: the loaded model.
        name: its name here, its id on the hub, or its local folder: calibrated methods read the text by its tokenizer.
        recipe: how to prune it.

    Raises:
        InputError: the model cannot be pruned so, or the text is too short.
    """
    from .pruning import registry
    from .pruning.method import Request

    request = Request(
        sparsity=None if recipe.sparsity is None else check_sparsity(recipe.sparsity),
        pattern=recipe.pattern or None,
        scope=recipe.scope,
        seed=recipe.seed,
        calibration=_windows(model, name, recipe) if METHODS[recipe.method].calibrated else None,
    )
    return registry.prune(model, recipe.method, request)


def _windows(model: PreTrainedModel, name: str, recipe: Recipe) -> torch.Tensor:
    """Return windows of a recipe's text as token numbers of shape (windows, tokens)."""
    from .pruning.calibration import calibration_windows

    assert recipe.text is not None
    text = Path(recipe.text).read_text(encoding="utf-8", errors="replace")
    most = getattr(model.config, "max_position_embeddings", None) or _LENGTH
    return calibration_windows(text, loading.tokenizer_of(name), _WINDOWS, min(_LENGTH, most - 2), recipe.seed)


def _save_tokenizer(name: str, folder: Path) -> None:
    """Save the model's tokenizer, if it has one."""
    try:
        loading.tokenizer_of(name).save_pretrained(folder)
    except InputError:
        pass  # a model without a tokenizer, such as one for images


def print_statistics(name: str) -> None:
    """Print a model's sparsity and mean magnitude, a row a block and a column a component.

    Raises:
        InputError: the model cannot be had, or has no transformer blocks.
    """
    from rich.console import Console

    from .pruning.prunable import prunable_matrices
    from .pruning.zeros import NOTHING, count_zeros_by_component

    by_place = count_zeros_by_component(
        prunable_matrices(loading.load_model(name)).values(), thresholds=(), deviations=()
    )
    total = sum(by_place.values(), NOTHING)
    console = Console()
    console.print(
        f"{name}: {total.weights:,} prunable weights, {total.exact:,} of them zero ({total.sparsity:.2%}), "
        f"mean |w| {total.mean:.3g}",
        highlight=False,
    )
    console.print(_table("zeros, %", {place: f"{100 * s.sparsity:.2f}" for place, s in by_place.items()}))
    console.print(_table("mean |w|", {place: f"{s.mean:.4f}" for place, s in by_place.items()}))


def _table(title: str, cells: dict[tuple[int, str], str]) -> Table:
    """Return a table with a row for each block and a column for each component."""
    from rich.table import Table

    components = list(dict.fromkeys(component for _, component in cells))
    table = Table("block", *components, title=title, box=None, title_justify="left")
    for depth in sorted({depth for depth, _ in cells}):
        table.add_row(str(depth), *(cells.get((depth, component), "") for component in components))
    return table
