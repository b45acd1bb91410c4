"""A spec as the simulation of a run sees it: its seconds, what it needs first, and what a worker keeps of it.

Seconds are those of the cost model (``records.cost``) on a worker of speed 1. A measurement itself takes none there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..errors import InputError
from ..records import cost
from ..specs.evaluation import Evaluation
from ..specs.measurement import Measurement
from ..specs.methods import METHODS
from ..specs.models import Shape
from ..specs.pretraining import Pretraining, TextPretraining
from ..specs.spec import Spec
from ..specs.trial import Timing, Trial, lottery_rounds


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What a worker must have before it can begin a spec, and makes if it has not.

    Attributes:
        key: names it; what several specs need of one key is shared.
        steps: seconds of each step, of which each needs the one before: the trainings of a lottery's rounds.
        on_disk: whether a worker keeps it for good; else it keeps that which it used last, in memory.
    """

    key: str
    steps: tuple[float, ...]
    on_disk: bool = False


@dataclass(frozen=True, kw_only=True)
class Work:
    """A spec as the simulation sees it.

    Attributes:
        name: the spec in words.
        seconds: of the spec itself, on a worker of speed 1.
        preparations: what a worker must have before.
        lottery: the name of the lottery that it is a round of; empty for others. Two rounds of one are never at work.
        steps_kept: of a lottery's round, how many steps of its preparation a worker has afterwards.
        file: the name of the file that its record belongs to.
        resumes: whether it goes on where it was when its worker died, as a pre-training does.
    """

    name: str
    seconds: float
    preparations: tuple[Preparation, ...] = ()
    lottery: str = ""
    steps_kept: int = 0
    file: str = ""
    resumes: bool = False

    @property
    def alone(self) -> float:
        """Seconds on a worker that has nothing yet."""
        return self.seconds + sum(sum(preparation.steps) for preparation in self.preparations)


def works(specs: Iterable[Spec], shapes: Mapping[str, Shape]) -> list[Work]:
    """Return specs as the simulation sees them.

    Args:
        specs: trials, evaluations, measurements and pre-trainings.
        shapes: by name, the shapes of the models.

    Raises:
        InputError: the cost model does not know how long one takes.
    """
    return [replace(_work(spec, shapes), file=f"{spec.model}/{spec.file}") for spec in specs]


def _work(spec: Spec, shapes: Mapping[str, Shape]) -> Work:
    if isinstance(spec, Trial):
        return _of_trial(spec, shapes)
    if isinstance(spec, Evaluation):
        return _of_evaluation(spec, shapes)
    if isinstance(spec, Measurement):
        tickets = tuple(_ticket(trial, shapes) for trial in spec.trials)
        return Work(name=str(spec), seconds=0.0, preparations=tickets)
    if isinstance(spec, TextPretraining):
        return Work(name=str(spec), seconds=cost.pretraining_seconds(spec), resumes=True)
    raise _not_known(spec)


def _of_trial(trial: Trial, shapes: Mapping[str, Shape]) -> Work:
    training, evaluation = _training(trial, shapes), cost.evaluation_flops(trial, shapes[trial.model]) / cost.RATE
    if trial.pruning.timing is Timing.AFTER:
        dense = Preparation(key=f"dense-{trial.at(0.0).id}", steps=(training,))
        return Work(name=str(trial), seconds=evaluation, preparations=(dense,))
    if not METHODS[trial.pruning.method].trained:
        return Work(name=str(trial), seconds=training + evaluation)
    ticket = _ticket(trial, shapes)
    return Work(
        name=str(trial),
        seconds=training + evaluation,
        preparations=(ticket,),
        lottery=trial.lottery,
        # its own training is the next round's if its sparsity is on the way of that one
        steps_kept=len(ticket.steps) + int(_is_on_the_way(trial)),
    )


def _ticket(trial: Trial, shapes: Mapping[str, Shape]) -> Preparation:
    """Return the trainings that find the mask of a lottery trial: those with the masks of all rounds before."""
    rounds = lottery_rounds(trial.pruning.sparsity, trial.pruning.rate)
    return Preparation(key=trial.lottery, steps=(_training(trial, shapes),) * len(rounds), on_disk=True)


def _is_on_the_way(trial: Trial) -> bool:
    """Return whether a deeper round of the same lottery needs the mask of this one."""
    following = round(trial.pruning.sparsity + trial.pruning.rate, 6)
    return following < 1 and trial.pruning.sparsity in [
        round(level, 6) for level in lottery_rounds(following, trial.pruning.rate)
    ]


def _training(trial: Trial, shapes: Mapping[str, Shape]) -> float:
    if trial.model not in shapes or not cost.is_counted(trial):
        raise _not_known(trial)
    return cost.training_seconds(trial, shapes[trial.model])


def _of_evaluation(evaluation: Evaluation, shapes: Mapping[str, Shape]) -> Work:
    shape = shapes.get(evaluation.model)
    flops = None if shape is None else cost.answering_flops(evaluation, shape)
    if shape is None or flops is None:
        raise _not_known(evaluation)
    calibration = cost.calibration_flops(evaluation.pruning, shape) / cost.RATE
    pruned = Preparation(key=f"{evaluation.model} {evaluation.pruning!r} {evaluation.seed}", steps=(calibration,))
    return Work(name=str(evaluation), seconds=flops / cost.RATE, preparations=(pruned,))


def _not_known(spec: Spec) -> InputError:
    what = "how it is trained" if isinstance(spec, Pretraining) else "its model or the size of its task"
    return InputError(f"no plan: how long {spec} takes is not known ({what} has no cost model): plan another figure")
