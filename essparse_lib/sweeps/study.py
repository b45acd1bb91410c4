"""The trials of a sweep and the curve that they make: one model, one task, one way to prune."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..analysis.curve import Curve
from ..analysis.curves import curves
from ..analysis.scoring import LOG_PROBABILITY
from ..records.record import Record
from ..specs.evaluation import Evaluation, Prompting
from ..specs.evaluation_study import EvaluationStudy
from ..specs.methods import METHODS
from ..specs.scale import Scale
from ..specs.study import Study
from ..specs.trial import Pruning, Training, Trial
from .design import Cells

#: What the study and its way to prune are called, which no record keeps.
_NAME = "sweep"


@dataclass(frozen=True, kw_only=True)
class SweepStudy:
    """What the trials of a sweep have in common.

    Attributes:
        model: the model's name, its id on the hub, or its local folder.
        task: the name of the prepared task.
        training: how models are fine-tuned; None where they are asked for the perplexity of a text, as they are.
        method: how the weights are chosen.
        scope: over what the method ranks them.
        timing: when the model is pruned.
        windows: pieces of the training texts that a calibrated method reads.
        length: tokens of each piece.
    """

    model: str
    task: str
    training: Training | None
    method: str
    scope: str
    timing: str
    windows: int = 128
    length: int = 128

    def spec(self, level: float, seed: int) -> Trial | Evaluation:
        """Return the trial of a seed at a sparsity, or the evaluation where nothing is trained."""
        if self.training is None:
            return Evaluation(model=self.model, task=self.task, pruning=self._pruning(level), seed=seed)
        return Trial(model=self.model, task=self.task, pruning=self._pruning(level), training=self.training, seed=seed)

    def specs(self, cells: Cells) -> list[Trial | Evaluation]:
        """Return the specs of a design, each once, in its order."""
        return list({spec.id: spec for seed, level in cells for spec in [self.spec(level, seed)]}.values())

    def curve(self, records: Mapping[str, Record], cells: Cells) -> Curve | None:
        """Return the curve of a design, as far as there are records; None where no dense model has one.

        Args:
            records: by the id of their spec. Those that are not of the design do not count.
            cells: the design.

        Raises:
            InputError: a record has no known metric or no predictions.
        """
        of_design = {spec.id: records[spec.id] for spec in self.specs(cells) if spec.id in records}
        metric = LOG_PROBABILITY if self.training is None else None
        return next(iter(curves(self.whole(cells), of_design, metric=metric)), None)

    def whole(self, cells: Cells) -> Study:
        """Return the study of all levels of a design and all its seeds, of which the design may have a part."""
        seeds = sorted({seed for seed, _ in cells})
        common: dict[str, Any] = {
            "figure": _NAME,
            "scale": Scale.LAB,
            "models": (self.model,),
            "tasks": (self.task,),
            "variants": {_NAME: tuple(self._pruning(level) for level in cells.levels if level)},
            "seeds": tuple(seeds),
        }
        if self.training is None:
            return EvaluationStudy(prompting={"*": Prompting()}, **common)
        return Study(training={"*": self.training}, **common)

    def _pruning(self, level: float) -> Pruning:
        calibrated = METHODS[self.method].calibrated
        return Pruning(
            sparsity=level,
            method=self.method,
            scope=self.scope,
            timing=self.timing,
            calibration=self.task if calibrated else "",
            windows=self.windows,
            length=self.length,
        )
