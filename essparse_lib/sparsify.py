"""Any model pruned and saved, or described: what the command line does for people's own models."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, check_pattern, check_sparsity, unknown
from .files import share, writable, writing
from .models import loading
from .pruning.allocation import SCOPES

if TYPE_CHECKING:
    from rich.table import Table
    from transformers import PreTrainedModel

    from .pruning.masks import Mask

#: Of the text, as in Wanda's and SparseGPT's papers 128 pieces; shorter ones than theirs, so that a laptop can.
_SEQUENCES, _LENGTH = 128, 256


#: Ways to prune a model for keeps; the last two look at what a text makes of the activations.
METHODS = ("magnitude", "random", "wanda", "sparsegpt")
_CALIBRATED = METHODS[2:]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to prune a model of one's own.

    Attributes:
        sparsity: fraction of the block matrices' weights to remove, in [0, 1), or None with a pattern.
        method: one of ``METHODS``.
        scope: for magnitude and random: ``global``, ``layer`` or ``erk``.
        pattern: ``N:M`` in place of a sparsity, for all methods but random.
        text: a file of text like that which the model is for: ``wanda`` and ``sparsegpt`` need one.
        seed: of ``random``, and of which parts of the text are looked at.
    """

    sparsity: float | str | None = None
    method: str = "magnitude"
    scope: str = "global"
    pattern: str | None = None
    text: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown("method", self.method, METHODS)
        if self.scope not in SCOPES:
            raise unknown("scope", self.scope, SCOPES)
        if (self.sparsity is None) == (not self.pattern):
            raise InputError("give either a sparsity, such as 0.4, or a pattern, such as 2:4")
        if self.pattern:
            check_pattern(self.pattern)
        else:
            check_sparsity(self.sparsity)
        if self.pattern and self.method == "random":
            raise InputError("a pattern goes with magnitude, wanda and sparsegpt, not with random")
        if self.scope != "global" and (self.pattern or self.method in _CALIBRATED):
            raise InputError(
                f"scope {self.scope!r} goes with magnitude and random at a sparsity, and with nothing else"
            )
        if (self.text is None) == (self.method in _CALIBRATED):
            raise InputError(f"method {self.method!r} {'needs a' if self.text is None else 'takes no'} text file")
        if self.text is not None and not self.text.is_file():
            raise InputError(f"{self.text} is no file: give one of text")


def save_pruned(name: str, recipe: Recipe, out: Path) -> str:
    """Prune a model and save it, with its tokenizer, for ``from_pretrained``.

    The model keeps the heads and the precision it was saved with. ``essparse.json`` beside it says what was done.

    Args:
        name: a model's name here, its id on the hub, or its local folder.
        recipe: how.
        out: a folder that does not exist yet, or is empty.

    Returns:
        What was done, in a line.

    Raises:
        InputError: the folder is not empty, or the model cannot be had or pruned so; nothing has been written then.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already and not empty: name a new folder")
    from safetensors import SafetensorError

    source = loading.locate(name)
    model = loading.complete(name)
    mask = _prune(model, name, recipe)
    done = {
        "model": name,
        "weights_sha256": source.weights,
        **{key: str(value) for key, value in vars(recipe).items() if value is not None},
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
            share(made)
            if out.exists():
                out.rmdir()
            made.replace(out)  # the whole model or nothing
    return f"{out}: {mask.pruned:,} of {mask.size:,} weights of {name} are zero ({mask.sparsity:.4%})"


def _prune(model: PreTrainedModel, name: str, recipe: Recipe) -> Mask:
    """Prune the model in place; the mask."""
    from .pruning.calibrated import calibration_windows
    from .pruning.one_shot import one_look
    from .pruning.sparsegpt import sparsegpt
    from .pruning.wanda import wanda

    if recipe.method in _CALIBRATED:
        assert recipe.text is not None
        longest = getattr(model.config, "max_position_embeddings", None) or _LENGTH
        text = recipe.text.read_text(encoding="utf-8", errors="replace")
        tokens = calibration_windows(
            text, loading.tokenizer_of(name), _SEQUENCES, min(_LENGTH, longest - 2), recipe.seed
        )
        amount = None if recipe.sparsity is None else check_sparsity(recipe.sparsity)
        if recipe.method == "wanda":
            mask = wanda(model, tokens, amount, recipe.pattern)
        else:
            rebuilt = sparsegpt(model, tokens, amount, recipe.pattern)
            rebuilt.apply(model)
            return rebuilt.mask
    else:
        mask = one_look(model, recipe.sparsity, recipe.method, recipe.scope, recipe.pattern, recipe.seed)
    mask.apply(model)
    return mask


def _save_tokenizer(name: str, folder: Path) -> None:
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

    counts = count_zeros_by_component(prunable_matrices(loading.complete(name)).values(), thresholds=(), deviations=())
    total = sum(counts.values(), NOTHING)
    console = Console()
    console.print(
        f"{name}: {total.weights:,} prunable weights, {total.exact:,} of them zero ({total.sparsity:.2%}), "
        f"mean |w| {total.mean:.3g}",
        highlight=False,
    )
    console.print(_table("zeros, %", {place: f"{100 * s.sparsity:.2f}" for place, s in counts.items()}))
    console.print(_table("mean |w|", {place: f"{s.mean:.4f}" for place, s in counts.items()}))


def _table(title: str, cells: dict[tuple[int, str], str]) -> Table:
    from rich.table import Table

    components = list(dict.fromkeys(component for _, component in cells))
    table = Table("block", *components, title=title, box=None, title_justify="left")
    for depth in sorted({depth for depth, _ in cells}):
        table.add_row(str(depth), *(cells.get((depth, component), "") for component in components))
    return table
