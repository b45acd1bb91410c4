"""What a report states of each measured level, and of trials that diverged or failed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...analysis.estimate import UNKNOWN, Estimate
from ...records.record import Record
from ...records.schema import Status
from ...specs.evaluation import Evaluation
from ...specs.trial import Trial
from ...texts import printable
from ..result import SweepResult
from .places import LossVerdict, Shown, percent_text, verdict_on
from .unit import LossUnit


@dataclass(frozen=True, kw_only=True)
class Level:
    """What is known at one sparsity.

    Attributes:
        sparsity: from 0 to 1.
        name: the sparsity in percent.
        seeds: how many seeds have a result.
        drawn: whether anything depends on the seed here.
        score: the mean score over the seeds.
        scores: the score of each seed of the sweep; None where it has none.
        loss: the mean loss against the dense model, the seeds paired.
        losses: the loss of each seed of the sweep; None where it has none.
        training_sd: the standard deviation of one training, in the unit of the loss; its value is NaN where unknown.
        failures: how many trials diverged or failed.
        verdict: how the loss lies to the tolerance.
    """

    sparsity: float
    name: str
    seeds: int
    drawn: bool
    score: Shown
    scores: tuple[float | None, ...]
    loss: Shown
    losses: tuple[float | None, ...]
    training_sd: Shown
    failures: int
    verdict: LossVerdict


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A trial that came to no score.

    Attributes:
        sparsity: from 0 to 1.
        name: the sparsity in percent.
        seed: the trial's seed.
        status: ``diverged`` or ``failed``.
        reason: why.
    """

    sparsity: float
    name: str
    seed: int
    status: str
    reason: str


def levels_of(result: SweepResult, losses: Sequence[Estimate], unit: LossUnit) -> tuple[Level, ...]:
    """Return what is known at each sparsity, also at those where every trial failed, in rising order.

    Args:
        result: the sweep.
        losses: the loss at each level of its curve, in the curve's own unit.
        unit: what losses are shown in.
    """
    curve = result.curve
    failures = Counter(_place(record)[0] for record in result.records if record.status != Status.OK)
    levels = []
    if curve is not None:
        of_seeds = unit.losses_of_seeds(curve)
        for column, score in enumerate(curve.score_estimates()):
            loss = unit.shown_loss(losses[column])
            sd = unit.spread(curve, float(curve.training_sd[column]) or math.nan)
            score = unit.shown_score(score)
            sparsity = float(curve.levels[column])
            level = Level(
                sparsity=sparsity,
                name=percent_text(sparsity),
                seeds=curve.seeds_of(curve.prunings[column]),
                drawn=bool(curve.drawn[column]),
                score=Shown.of(score, unit.score_text(score)),
                scores=_known(unit.shown_score(Estimate(x, x, x)).value for x in curve.scores[:, column]),
                loss=Shown.of(loss, unit.loss_text(loss)),
                losses=_known(unit.shown(x) for x in of_seeds[:, column]),
                training_sd=_deviation(sd, bool(curve.drawn[column])),
                failures=failures.pop(sparsity, 0),
                verdict=verdict_on(loss, result.tolerance.value, sparsity, result.answer.outcome),
            )
            levels.append(level)
    seeds = () if curve is None else curve.seeds
    levels += [_empty_level(sparsity, count, seeds) for sparsity, count in failures.items()]
    return tuple(sorted(levels, key=lambda level: level.sparsity))


def _empty_level(sparsity: float, failures: int, seeds: tuple[int, ...]) -> Level:
    """Return a level at which every trial failed."""
    nothing = Shown.of(UNKNOWN, "unknown")
    return Level(
        sparsity=sparsity,
        name=percent_text(sparsity),
        seeds=0,
        drawn=True,
        score=nothing,
        scores=(None,) * len(seeds),
        loss=nothing,
        losses=(None,) * len(seeds),
        training_sd=nothing,
        failures=failures,
        verdict=LossVerdict.UNKNOWN,
    )


def _known(values: Iterable[float]) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(value) else float(value) for value in values)


def _deviation(sd: float, drawn: bool) -> Shown:
    """Return a standard deviation as it is shown."""
    if not drawn:
        return Shown.of(Estimate(0.0, math.nan, math.nan), "none")
    return Shown.of(Estimate(sd, math.nan, math.nan), "unknown" if math.isnan(sd) else f"{sd:.2f}")


def failures_of(records: Iterable[Record]) -> tuple[Failure, ...]:
    """Return the trials that diverged or failed, by sparsity and seed."""
    failures = []
    for record in records:
        if record.status != Status.OK:
            sparsity, seed = _place(record)
            failure = Failure(
                sparsity=sparsity,
                name=percent_text(sparsity),
                seed=seed,
                status=str(record.status),
                reason=printable(record.reason),
            )
            failures.append(failure)
    return tuple(sorted(failures, key=lambda failure: (failure.sparsity, failure.seed)))


def _place(record: Record) -> tuple[float, int]:
    """Return the sparsity and the seed of a trial or an evaluation."""
    assert isinstance(record.spec, (Trial, Evaluation))
    return float(record.spec.pruning.sparsity), record.spec.seed
