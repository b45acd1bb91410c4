"""Any model pruned and saved, or described: what the command line does for people's own models."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import models
from .errors import InputError, check_sparsity
from .files import writable, writing

if TYPE_CHECKING:
    from rich.table import Table


def save_pruned(name: str, sparsity: float | str, out: Path) -> str:
    """Prune a model by global one-shot magnitude and save it, with its tokenizer, for ``from_pretrained``.

    The model keeps the heads and the precision it was saved with. ``essparse.json`` beside it says what was done.

    Returns:
        What was done, in a line.

    Raises:
        InputError: the sparsity is out of range, the folder is not empty, or the model cannot be had or pruned;
            nothing has been written then.
    """
    fraction = check_sparsity(sparsity)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already and not empty: name a new folder")
    from safetensors import SafetensorError

    from .pruning.magnitude import global_magnitude
    from .pruning.prunable import weights

    source = models.locate(name)
    model = models.complete(name)
    mask = global_magnitude(weights(model), fraction)
    mask.apply(model)
    done = {
        "model": name,
        "weights_sha256": source.weights,
        "method": "global one-shot magnitude",
        "sparsity": fraction,
        "pruned": mask.pruned,
        "prunable": mask.size,
    }
    with writable(out):
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}.") as temporary:
            made = Path(temporary) / "model"
            try:
                model.save_pretrained(made)
            except SafetensorError as error:  # which is no OSError, also where the disk is full
                raise OSError(str(error)) from error
            _save_tokenizer(name, made)
            with writing(made / "essparse.json") as file:
                file.write(json.dumps(done, indent=1).encode())
            if out.exists():
                out.rmdir()
            made.replace(out)  # the whole model or nothing
    return f"{out}: {mask.pruned:,} of {mask.size:,} weights of {name} are zero ({mask.sparsity:.4%})"


def _save_tokenizer(name: str, folder: Path) -> None:
    try:
        models.tokenizer_of(name).save_pretrained(folder)
    except InputError:
        pass  # a model without a tokenizer, such as one for images


def print_statistics(name: str) -> None:
    """Print a model's sparsity and mean magnitude, a row a block and a column a component.

    Raises:
        InputError: the model cannot be had, or has no transformer blocks.
    """
    from rich.console import Console

    from .pruning.prunable import prunable
    from .pruning.statistics import NOTHING, statistics

    found = statistics(prunable(models.complete(name)).values())
    total = sum(found.values(), NOTHING)
    console = Console()
    console.print(
        f"{name}: {total.weights:,} prunable weights, {total.zeros:,} of them zero ({total.sparsity:.2%}), "
        f"mean |w| {total.mean:.3g}",
        highlight=False,
    )
    console.print(_table("zeros, %", {place: f"{100 * s.sparsity:.2f}" for place, s in found.items()}))
    console.print(_table("mean |w|", {place: f"{s.mean:.4f}" for place, s in found.items()}))


def _table(title: str, cells: dict[tuple[int, str], str]) -> Table:
    from rich.table import Table

    components = list(dict.fromkeys(component for _, component in cells))
    table = Table("block", *components, title=title, box=None, title_justify="left")
    for depth in sorted({depth for depth, _ in cells}):
        table.add_row(str(depth), *(cells.get((depth, component), "") for component in components))
    return table
