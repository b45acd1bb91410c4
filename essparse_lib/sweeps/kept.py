"""Read what a sweep said from the summary in its folder, to show it again without its records or its model."""

from __future__ import annotations

import math
import os
from pathlib import Path

import msgspec

from ..analysis.estimate import Estimate
from ..records.documents import read_document
from ..records.store import results_folder


class _Number(msgspec.Struct):
    """A number with its interval; None where it is not known."""

    value: float | None
    low: float | None
    high: float | None

    def estimate(self) -> Estimate:
        ends = (math.nan if end is None else end for end in (self.value, self.low, self.high))
        return Estimate(*ends)


class _Level(msgspec.Struct):
    """What the summary says at one sparsity."""

    sparsity: float
    loss: _Number


class KeptSweep(msgspec.Struct, kw_only=True):
    """What ``summary.json`` in the folder of a sweep says; what else it holds is left out.

    Attributes:
        model: the model.
        data: what the data are called.
        sentence: the answer in one sentence.
        reason: why the sweep ended, as a clause.
        command: the command that was run.
        tolerance: the tolerated loss, in the unit of the losses.
        essential: the essential sparsity, from 0 to 1; its lower end is the sparsity to prune to.
        levels: what is known at each sparsity, rising.
        records: the number of records.
        seconds: computing time, summed over the records.
        provenance: where the records come from, in words by name.
    """

    model: str
    data: str
    sentence: str
    reason: str
    command: str
    tolerance: float
    essential: _Number
    levels: list[_Level]
    records: int
    seconds: float
    provenance: dict[str, str]

    @property
    def losses(self) -> list[tuple[float, Estimate]]:
        """Each measured sparsity, from 0 to 1, with the loss there."""
        return [(level.sparsity, level.loss.estimate()) for level in self.levels]

    def command_lines(self, width: int = 72) -> str:
        """Return the command over several lines, each of about ``width`` characters at most, as a shell takes them."""
        options = self.command.replace(" --", "\n--").split("\n")
        lines = [options[0]]
        for option in options[1:]:
            if len(lines[-1]) + len(option) < width:
                lines[-1] += f" {option}"
            else:
                lines.append(f"  {option}")
        return " \\\n".join(lines)


def example() -> KeptSweep | None:
    """Return the sweep that is kept beside the records: ``minilm-l6`` on film reviews; None where none is kept.

    Raises:
        InputError: the file is damaged.
    """
    path = results_folder("lab").parent / "own-data.json"
    return read_summary(path) if os.path.lexists(path) else None


def read_summary(path: Path) -> KeptSweep:
    """Return what the summary of a sweep says.

    Args:
        path: a ``summary.json`` that ``essparse sweep`` wrote.

    Raises:
        InputError: the file cannot be read, or is no summary.
    """
    return read_document(path, KeptSweep, "run `essparse sweep` again to write it anew")
