"""What the record of a trial keeps besides predictions: of written equations, and of weights beyond the blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from ..specs.methods import Extent
from ..specs.tasks import TASKS, Head
from ..specs.trial import Trial
from .metrics import agreement, shares
from .values import Count, check_lengths, converted

_Digits = Annotated[str, Meta(pattern=r"^[01]+\Z")]
_Symbols = Annotated[str, Meta(pattern=r"^[0-9a-z]+( [0-9a-z]+)*\Z")]

#: The parts of a model that weights are removed from.
_PARTS = ("blocks", "embeddings", "head")

#: How far a metric may lie from that of the digits: it is rounded to four decimals.
_ROUNDING = 1e-4


class Equations(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the record of a trial on word problems keeps of each: the equation, and digits, 1 for yes.

    Attributes:
        written: the equation that was written, a digit in base 36 for each of its symbols, its number in
            ``tasks.equations.SYMBOLS``; blanks stand between equations.
        exact: whether the equation that was written is the right one, symbol for symbol.
        leaked: whether the question stands word for word in the training set.
        commonest: whether the commonest equation of the training set has the right value.
    """

    written: _Symbols
    exact: _Digits
    leaked: _Digits
    commonest: _Digits


class Values(msgspec.Struct, kw_only=True):
    """What a trial's record may have as values.

    Attributes:
        equations: of the problems, where equations are written.
        epochs: the value accuracy after each epoch, where equations are written.
        removed: of the blocks, the embeddings and the head, the weights that were removed and all weights, where a
            pruning extends beyond the blocks.
    """

    equations: Equations | None = None
    epochs: list[float] = []
    removed: dict[str, tuple[Count, Count]] = {}


def check_written(trial: Trial, metrics: Mapping[str, float], predictions: str, values: Mapping[str, Any]) -> None:
    """Check what a trial's record keeps of equations and of parts of the model, and that its metrics follow from it.

    Args:
        trial: the trial.
        metrics: by name.
        predictions: as ``Record.predictions``.
        values: the record's values.

    Raises:
        ValueError: something is missing, of another length or type, or does not follow from the rest.
    """
    kept = converted(values, Values)
    row = TASKS.get(trial.task)
    if row is not None and (row.head is Head.EQUATION) != ("value_accuracy" in metrics):
        lacks = "no value_accuracy" if row.head is Head.EQUATION else "value_accuracy"
        raise ValueError(f"it has {lacks}, other than trials on {trial.task} have")
    if (kept.equations is None) != ("value_accuracy" not in metrics):
        raise ValueError("it has only one of value_accuracy and values of equations")
    if kept.equations is not None:
        _check_equations(kept.equations, metrics, predictions)
        _check_epochs(kept.epochs, trial.training.epochs, metrics["value_accuracy"])
    elif kept.epochs:
        raise ValueError("it has scores of epochs, which trials on such a task have not")
    extends = trial.pruning.extent != Extent.BLOCKS
    if extends != bool(kept.removed):
        raise ValueError(f"it {'does not say' if extends else 'says'} how many weights each part of the model lost")
    _check_parts(kept.removed)
    zeros, size = (sum(counts[place] for counts in kept.removed.values()) for place in (0, 1))
    if kept.removed and (size != metrics.get("prunable") or zeros > metrics.get("zeros", 0)):
        raise ValueError(f"{zeros:,} of {size:,} weights of its parts are removed, which its metrics do not say")


def _check_parts(removed: Mapping[str, tuple[int, int]]) -> None:
    if unknown := removed.keys() - _PARTS:
        raise ValueError(f"it has weights of {min(unknown)!r}, and a model has {', '.join(_PARTS)}")
    for part, (pruned, size) in removed.items():
        if pruned > size:
            raise ValueError(f"it says that {pruned:,} of the {size:,} weights of {part} are removed")


def _check_epochs(scores: Sequence[float], epochs: int, last: float) -> None:
    if len(scores) != epochs:
        raise ValueError(f"it has scores of {len(scores)} epochs, and its training {epochs}")
    if not all(0 <= score <= 100 for score in scores):
        raise ValueError("a score of an epoch is not within 0 and 100")
    if abs(scores[-1] - last) > _ROUNDING:
        raise ValueError(f"the score after its last epoch is {scores[-1]}, its value_accuracy {last}")


def _check_equations(equations: Equations, metrics: Mapping[str, float], predictions: str) -> None:
    problems = len(predictions) // 2  # two digits each
    for name in ("exact", "leaked", "commonest"):
        check_lengths(problems, **{name: getattr(equations, name)})
    check_lengths(problems, written=equations.written.split())
    of_each = shares(predictions)
    right = (of_each == 1).tolist()
    if not np.isin(of_each, (0, 1)).all():
        raise ValueError("it has a problem that is neither right nor wrong")
    if any(exact == "1" and not valued for exact, valued in zip(equations.exact, right, strict=True)):
        raise ValueError("it has an exact equation without the right value")
    computed = agreement("1" * problems, equations.exact)
    if abs(metrics.get("exact_equation", -1.0) - computed) > _ROUNDING:
        raise ValueError(f"its exact_equation is {metrics.get('exact_equation')}, that of its equations {computed:.4f}")
