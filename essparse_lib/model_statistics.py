"""Describe the weights of a model of one's own: what the command line shows of any model."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from .errors import printable
from .models import loading
from .sparsify import left_out_text

if TYPE_CHECKING:
    from rich.table import Table

    from .pruning.survey import PrunableMatrix


def print_statistics(name: str, exclude: tuple[str, ...] = ()) -> None:
    """Print a model's sparsity and mean magnitude, a row a block and a column a component.

    What its files hold and the model does not use is said, too, and what of the blocks is never pruned.

    Args:
        name: a model's name here, its id on the hub, or its local folder.
        exclude: patterns of the parameters that are not counted.

    Raises:
        InputError: the model cannot be had, has no transformer blocks, its files do not hold all its weights, or a
            weight of the blocks is NaN or infinite.
    """
    from rich.console import Console

    from .pruning.prunable import check_finite, prunable_matrices
    from .pruning.zeros import NOTHING, count_zeros_by_component

    loaded = loading.load_and_report(name)
    check_finite(loaded.model)
    matrices = prunable_matrices(loaded.model, exclude=exclude).values()
    by_place = count_zeros_by_component(matrices, thresholds=(), deviations=())
    total = sum(by_place.values(), NOTHING)
    console, title = Console(), printable(name)
    console.print(
        f"{title}: {total.weights:,} prunable weights, {total.exact:,} of them zero ({total.sparsity:.2%}), "
        f"mean |w| {total.mean:.3g}",
        highlight=False,
        markup=False,
    )
    for note in [*loaded.notes, left_out_text(loaded.model, exclude=exclude)]:
        if note:
            console.print(f"{title}: {printable(note, None)}", highlight=False, markup=False)
    blocks = _block_names(matrices)
    console.print(_table("zeros, %", blocks, {place: f"{100 * s.sparsity:.2f}" for place, s in by_place.items()}))
    console.print(_table("mean |w|", blocks, {place: f"{s.mean:.4f}" for place, s in by_place.items()}))


def _block_names(matrices: Collection[PrunableMatrix]) -> dict[int, str]:
    """Return the name of each block by its depth: its number, after the name of its stack if there are several."""
    stacks: dict[str, list[int]] = {}
    for matrix in matrices:
        depths = stacks.setdefault(matrix.stack, [])
        if matrix.depth not in depths:
            depths.append(matrix.depth)
    several = len(stacks) > 1
    return {
        depth: f"{stack} {number}" if several else str(number)
        for stack, depths in stacks.items()
        for number, depth in enumerate(sorted(depths))
    }


def _table(title: str, blocks: dict[int, str], cells: dict[tuple[int, str], str]) -> Table:
    """Return a table with a row for each block and a column for each component."""
    from rich.table import Table

    components = list(dict.fromkeys(component for _, component in cells))
    table = Table("block", *components, title=title, box=None, title_justify="left")
    for depth, block in blocks.items():
        table.add_row(block, *(cells.get((depth, component), "") for component in components))
    return table
