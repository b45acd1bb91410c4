"""What a claim about tasks rests on: the differences that it averages, and those that do not count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..analysis.contrasts import Contrast
from ..analysis.curves import MIN_SEEDS, Curve
from ..analysis.differences import Difference
from ..analysis.estimate import UNKNOWN, Estimate
from ..analysis.noise import NoiseReading
from ..analysis.pooled import Effect, NewTask, Range, for_new_task, mean_effect, on_average
from .rules import within
from .verdict import Outcome


@dataclass(frozen=True, kw_only=True)
class Uncounted:
    """A difference that a claim does not count.

    Attributes:
        difference: the difference.
        reason: why it does not count, in a few words.
    """

    difference: Difference
    reason: str


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
        return self.read(self.allowed)[1] if self.counted else Outcome.NOT_TESTED

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


def reason(learned: bool, sensitive: bool, seeds: int) -> str:
    """Return in a few words why a curve or contrast does not count."""
    if seeds < MIN_SEEDS:
        return "too few seeds"
    if not learned:
        return "not learned"
    return "records missing" if sensitive else "nothing to lose"


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
    counts: Callable[[Contrast], bool],
    allowed: Range,
    *,
    drops: bool = True,
    decides: bool = True,
) -> Pool:
    """Return the differences of contrasts, each model's on each task averaged over its contrasts that count.

    Args:
        of: what they are differences of.
        contrasts: the contrasts.
        counts: returns whether the claim counts a contrast.
        allowed: the differences that the claim allows.
        drops: whether the baseline's score stands first, so that a loss is above 0.
        decides: whether the verdict rests on their mean.
    """
    differences, others = [], []
    for group in _by_place(contrasts).values():
        counted = [contrast for contrast in group if counts(contrast)]
        pairs = [(contrast.pruning, contrast.baseline) for contrast in counted or group]
        if drops:
            pairs = [(baseline, pruning) for pruning, baseline in pairs]
        difference = Difference(curve=group[0].curve, pairs=tuple(pairs))
        if counted:
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
