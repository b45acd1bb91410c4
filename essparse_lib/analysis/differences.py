"""What one pruning scores above another on one curve, and how much of its error comes from where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np

from ..specs.trial import Pruning
from .curves import Curve
from .noise import NoiseReading
from .pooled import Effect, mean_effect


@dataclass(frozen=True, kw_only=True)
class Components:
    """The parts of the variance of a mean over seeds, in squared points, for a test set of the present size.

    Attributes:
        training: from one training to the next; shrinks with more seeds. NaN if it is unknown, with one seed.
        interaction: from which examples flip in one training; shrinks with more seeds and with more examples.
        choice: from which examples are drawn, alike for all seeds; shrinks with more examples.
    """

    training: float
    interaction: float
    choice: float

    def variance(self, seeds: float, factor: float = 1.0) -> float:
        """Return the variance of the mean over so many seeds, with ``factor`` times as many examples as now."""
        return self.training / seeds + (self.interaction / seeds + self.choice) / factor


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The mean, over pairs of prunings, of what the first scores above the second, on one curve, the seeds paired.

    A drop has one pair: the dense model, and the pruned one.

    Attributes:
        curve: the curve that the prunings are levels of.
        pairs: pairs of prunings, at least one.
    """

    curve: Curve
    pairs: tuple[tuple[Pruning, Pruning], ...]

    @property
    def prunings(self) -> tuple[Pruning, ...]:
        """The prunings of all pairs, each once."""
        return tuple(dict.fromkeys(pruning for pair in self.pairs for pruning in pair))

    @property
    def seeds(self) -> int:
        """The number of seeds that have a result of all prunings."""
        return self.curve.seeds_of(*self.prunings)

    def effect(self, relative: bool = False, reading: NoiseReading = NoiseReading.RULE) -> Effect:
        """Return the mean difference and its resamples.

        Args:
            relative: in percent of the mean dense score, and not in points.
            reading: how the noise of training is read.
        """
        curve = self.curve if reading == NoiseReading.RULE else self.curve.with_noise(reading)
        scale = 100 / curve.dense().value if relative else 1.0
        effects = []
        for first, second in self.pairs:
            value, resampled = curve.difference(first, second)
            effect = Effect(model=curve.model, task=curve.task, value=scale * value, resampled=scale * resampled)
            effects.append(effect)
        return mean_effect(effects)

    def without_training(self) -> Effect:
        """Return the mean difference with resamples of the examples alone."""
        return self.effect(reading=NoiseReading.EXAMPLES)

    @cached_property
    def components(self) -> Components:
        """The parts of its variance, for one seed at the present number of examples.

        That of one seed's resamples has both parts that examples cause; that of the mean over the seeds has the
        interaction divided by the number of seeds. With one seed the two cannot be told apart: all is ``choice``.
        """
        columns = [self.curve.prunings.index(pruning) for pruning in self.prunings]
        weights = np.array([self._weight(pruning) for pruning in self.prunings])
        complete = ~np.isnan(self.curve.scores[:, columns]).any(1)
        resampled = self.curve.resampled[:, complete][:, :, columns] @ weights
        seeds = int(complete.sum())
        if not seeds:
            return Components(training=math.nan, interaction=math.nan, choice=math.nan)
        of_one, of_mean = float(resampled.var(0).mean()), float(resampled.mean(1).var())
        interaction = max(0.0, of_one - of_mean) * seeds / (seeds - 1) if seeds > 1 else 0.0
        interaction = min(interaction, seeds * of_mean)  # else less than nothing would be left for the choice
        training = float(self.curve.variances[columns] @ weights**2) if seeds > 1 else math.nan
        return Components(training=training, interaction=interaction, choice=of_mean - interaction / seeds)

    def _weight(self, pruning: Pruning) -> float:
        """Return how much the score of a pruning counts in the mean difference."""
        signs = [(pruning == first) - (pruning == second) for first, second in self.pairs]
        return sum(signs) / len(self.pairs)


def pooled_components(differences: Sequence[Difference]) -> Components:
    """Return the parts of the variance of the mean of differences that all have the same number of seeds.

    Trainings are independent. The choice of examples is not, where several models answer the same ones: its part is
    read off the resamples of the mean.

    Args:
        differences: at least one.
    """
    count = len(differences)
    parts = [(difference.components, difference.seeds) for difference in differences]
    of_mean = float(np.nanvar(mean_effect([difference.without_training() for difference in differences]).resampled))
    in_mean = sum(part.interaction / seeds for part, seeds in parts) / count**2
    share = min(1.0, of_mean / in_mean) if in_mean else 1.0  # of the interaction: it cannot be more than the whole
    return Components(
        training=fmean(part.training for part, _ in parts) / count,
        interaction=share * fmean(part.interaction for part, _ in parts) / count,
        choice=max(0.0, of_mean - in_mean),
    )
