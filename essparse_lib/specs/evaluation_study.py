"""An EvaluationStudy: the grid of a figure whose models are asked questions and not trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import unknown
from .evaluation import Evaluation, Prompting
from .measurement import Measurement, MeasurementKind
from .study import Study
from .trial import Pruning, Training


@dataclass(frozen=True, kw_only=True)
class EvaluationStudy(Study):
    """Models × tasks × variants × seeds, as a ``Study`` has them, of evaluations in place of trials.

    A variant that draws nothing, such as magnitude pruning, has the same evaluation for every seed, and so one record.

    Attributes:
        prompting: by task, how its questions are put; the key ``*`` serves every task that is not named.
        training: empty, as nothing is trained.
        seeds: of the random masks, and of the texts that calibrated methods read.
    """

    prompting: Mapping[str, Prompting]
    training: Mapping[str, Training] = field(default_factory=dict)

    def trial(self, model: str, task: str, pruning: Pruning, seed: int) -> Evaluation:  # type: ignore[override]
        """Return an evaluation with the study's prompting; it need not be in the grid.

        Raises:
            InputError: the study does not say how to put this task's questions.
        """
        prompting = self.prompting.get(task, self.prompting.get("*"))
        if prompting is None:
            raise unknown(f"task at {self.scale} scale", task, self.prompting)
        return Evaluation(model=model, task=task, pruning=pruning, prompting=prompting, seed=seed)

    def _measurements_of(self, model: str, kind: MeasurementKind, sparsity: float) -> list[Measurement]:
        """Return the measurements of a model, but for those on the way of its pre-training, which no page shows."""
        return [each for each in super()._measurements_of(model, kind, sparsity) if each.step is None]
