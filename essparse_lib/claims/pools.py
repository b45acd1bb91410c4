"""What a claim about tasks rests on: the differences that it averages, and those that do not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from ..analysis.contrasts import Contrast
from ..analysis.curves import MIN_SEEDS, Curve
from ..analysis.differences import Difference
from ..analysis.estimate import UNKNOWN, Estimate
from ..analysis.noise import NoiseReading
from ..analysis.pooled import Effect, NewTask, Range, for_new_task, mean_effect, on_average
from ..specs.study import Study
from .rules import complete_models, within
from .verdict import Outcome


class Reason(StrEnum):
    """Why a curve or contrast does not count."""

    FEW_SEEDS = "too few seeds"
    NOT_LEARNED = "not learned"
    NOTHING_TO_LOSE = "nothing to lose"
    NO_ADVANTAGE = "no better than random weights"
    RECORDS_MISSING = "records missing"


@dataclass(frozen=True, kw_only=True)
class Uncounted:
    """A difference that a claim does not count.

    Attributes:
        difference: the difference.
        reason: why it does not count.
    """

    difference: Difference
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Differences on several models and tasks, whose mean a claim judges.

    Attributes:
        of: what they are differences of, such as ``at 30%``.
        allowed: the range of differences that the claim allows.
        counted: the differences that count; there may be none.
        others: those that do not.
        decides: whether the verdict rests on their mean; else it is stated beside it.
    """

    of: str
    allowed: Range
    counted: tuple[Difference, ...]
    others: tuple[Uncounted, ...] = ()
    decides: bool = True

    @cached_property
    def effects(self) -> list[Effect]:
        """The effects that count."""
        return [difference.effect() for difference in self.counted]

    @cached_property
    def mean(self) -> Estimate:
        """The mean effect on average over these tasks; unknown where none counts."""
        return on_average(self.effects) if self.counted else UNKNOWN

    @cached_property
    def new_task(self) -> NewTask:
        """What the effects say of a new task."""
        return for_new_task(self.effects)

    @property
    def outcome(self) -> Outcome:
        """How the mean stands to the claim."""
        return self.read(self.allowed)[1] if self.counted else Outcome.UNTESTABLE

    def read(
        self, allowed: Range, relative: bool = False, reading: NoiseReading = NoiseReading.RULE
    ) -> tuple[Estimate, Outcome]:
        """Return the mean effect by another reading, and how it stands to a range; at least one effect must count.

        Args:
            allowed: the range that is allowed, in the unit of the mean.
            relative: whether the mean is in percent of the dense score.
            reading: how the noise of training is read.
        """
        mean = on_average([difference.effect(relative, reading) for difference in self.counted])
        return mean, within(mean, allowed)

    def share_within(self, epsilon: float) -> float:
        """Return the share of resamples whose mean effect lies in the allowed range with its ends at ``epsilon``."""
        return self.allowed.at(epsilon).share(mean_effect(self.effects).resampled)


def deciding(pools: Sequence[Pool]) -> list[Pool]:
    """Return the pools on which a verdict rests."""
    return [pool for pool in pools if pool.decides]


def reason(learned: bool, sensitive: bool, seeds: int) -> Reason:
    """Return why a curve or contrast does not count; if nothing is wrong with it, its model lacks other records.

    Args:
        learned: whether the dense model has learned the task.
        sensitive: whether the model has something to lose on the task.
        seeds: the number of seeds.
    """
    if seeds < MIN_SEEDS:
        return Reason.FEW_SEEDS
    if not learned:
        return Reason.NOT_LEARNED
    return Reason.RECORDS_MISSING if sensitive else Reason.NOTHING_TO_LOSE


@dataclass(frozen=True, kw_only=True)
class Eligibility:
    """The contrasts of a claim, by whether they count.

    Attributes:
        counted: those that count.
        others: those of models with all records that do not count.
        lacking: the models that lack records.
    """

    counted: list[Contrast]
    others: list[Contrast]
    lacking: list[str]


def eligibility(study: Study, contrasts: Sequence[Contrast], pairs: int) -> Eligibility:
    """Return which contrasts of a study count. A model counts only if it has all of its contrasts.

    Args:
        study: the study of the contrasts.
        contrasts: the contrasts that there are.
        pairs: how many contrasts the claim compares on each task.
    """

    def complete(model: str) -> bool:
        enough = [each for each in contrasts if each.model == model and each.seeds >= MIN_SEEDS]
        return len(enough) == pairs * len(study.tasks_of(model))

    models, lacking = complete_models(study, complete)
    of_models = [contrast for contrast in contrasts if contrast.model in models]
    return Eligibility(
        counted=[contrast for contrast in of_models if contrast.counts],
        others=[contrast for contrast in of_models if not contrast.counts],
        lacking=lacking,
    )


def drops_of_curves(
    curves: Sequence[Curve], counted: Sequence[Curve], sparsity: float, allowed: Range, decides: bool
) -> Pool:
    """Return the drops of curves at a sparsity; curves that were not measured there are left out.

    Args:
        curves: the curves, the dense model first in each.
        counted: those of them that count.
        sparsity: fraction of the prunable weights that is gone.
        allowed: the drops that the claim allows.
        decides: whether the verdict rests on their mean.
    """
    differences, others = [], []
    for curve in curves:
        if sparsity not in curve.levels:
            continue
        pruning = curve.prunings[list(curve.levels).index(sparsity)]
        difference = Difference(curve=curve, pairs=((curve.prunings[0], pruning),))
        if any(curve is each for each in counted):
            differences.append(difference)
        else:
            why = reason(curve.learned(), curve.sensitive(), len(curve.seeds))
            others.append(Uncounted(difference=difference, reason=why))
    of = f"at {100 * sparsity:.4g}%"
    return Pool(of=of, allowed=allowed, counted=tuple(differences), others=tuple(others), decides=decides)


def of_contrasts(
    of: str,
    contrasts: Sequence[Contrast],
    counted: Sequence[Contrast],
    allowed: Range,
    *,
    drops: bool = True,
    decides: bool = True,
) -> Pool:
    """Return the differences of contrasts, each model's on each task averaged over its contrasts that count.

    Args:
        of: what they are differences of.
        contrasts: the contrasts.
        counted: those of all the claim's contrasts that count.
        allowed: the differences that the claim allows.
        drops: whether the baseline's score stands first, so that a loss is above 0.
        decides: whether the verdict rests on their mean.
    """
    differences, others = [], []
    for group in _by_place(contrasts).values():
        counted_here = [contrast for contrast in group if any(contrast is each for each in counted)]
        pairs = [(contrast.pruning, contrast.baseline) for contrast in counted_here or group]
        if drops:
            pairs = [(baseline, pruning) for pruning, baseline in pairs]
        difference = Difference(curve=group[0].curve, pairs=tuple(pairs))
        if counted_here:
            differences.append(difference)
        else:
            why = reason(group[0].learned, group[0].sensitive, min(contrast.seeds for contrast in group))
            others.append(Uncounted(difference=difference, reason=why))
    return Pool(of=of, allowed=allowed, counted=tuple(differences), others=tuple(others), decides=decides)


def _by_place(contrasts: Sequence[Contrast]) -> Mapping[tuple[str, str], list[Contrast]]:
    groups: dict[tuple[str, str], list[Contrast]] = {}
    for contrast in contrasts:
        groups.setdefault((contrast.model, contrast.task), []).append(contrast)
    return groups
