"""The noise floor of a sweep: how far chance moves a loss, in numbers and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ...analysis.curve import Curve
from ...analysis.estimate import Estimate
from ...analysis.noise import NoiseReading, least_sd
from ...analysis.noise_floor import POWER, errors_to_tell
from .places import percent_text, seeds_text
from .unit import LossUnit


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How far chance moves a loss at one level, in the unit of the losses; NaN where it is unknown.

    Attributes:
        sparsity: the level: the measured one that is nearest to the answer.
        training_sd: the standard deviation of one training.
        two_seeds: two trainings that differ in the seed alone lie less far apart in 95% of cases.
        examples_sd: the standard deviation of the mean loss that comes from the choice of test examples.
        detectable: the smallest loss that is told from none in 80% of cases.
        sentences: the same in words.
    """

    sparsity: float = math.nan
    training_sd: float = math.nan
    two_seeds: float = math.nan
    examples_sd: float = math.nan
    detectable: float = math.nan
    sentences: tuple[str, ...] = ()


def noise_of(curve: Curve | None, unit: LossUnit, essential: Estimate, trained: bool) -> Noise:
    """Return the noise floor at the measured level that is nearest to the essential sparsity.

    Args:
        curve: the scores, or None.
        unit: what losses are shown in.
        essential: the essential sparsity, from 0 to 1; where it is unknown, the highest level is taken.
        trained: whether anything is trained; else the seed draws masks or the text that a method reads.
    """
    if curve is None or len(curve.levels) < 2 or not unit.losses(curve)[1].known:
        return Noise(sentences=("Not enough is measured to say.",))
    place = essential.value if essential.known else math.inf
    column = 1 + int(np.argmin([abs(level - min(place, 1.0)) for level in curve.levels[1:]]))
    by_examples = curve.with_noise(NoiseReading.EXAMPLES).drops()[1][:, column]
    by_all = curve.drops()[1][:, column]
    sd = float(curve.training_sd[column]) or math.nan
    noise = Noise(
        sparsity=float(curve.levels[column]),
        training_sd=unit.spread(curve, sd),
        two_seeds=unit.spread(curve, errors_to_tell(power=0.5) * math.sqrt(2) * sd),
        examples_sd=unit.spread(curve, float(by_examples.std())),
        detectable=unit.spread(curve, errors_to_tell() * float(by_all.std())),
    )
    return replace(noise, sentences=tuple(_sentences(curve, column, unit, noise, trained)))


def _sentences(curve: Curve, column: int, unit: LossUnit, noise: Noise, trained: bool) -> list[str]:
    level = percent_text(noise.sparsity)
    run = "training" if trained else "run"
    sentences = [f"All of this is at {level}, the measured level nearest to the answer."]
    if not curve.drawn[column]:
        sentences.append("Nothing here is drawn by a seed: another run would give the same numbers.")
    elif math.isnan(noise.training_sd):
        sentences.append(
            f"There are too few seeds to tell how much one {run} differs from the next. The intervals hold the choice "
            "of test examples alone, and are too narrow."
        )
    else:
        sentences.append(
            f"Of two {run}s that differ in the seed alone, one scores higher by chance: by less than "
            f"{_amount(noise.two_seeds, unit)} in 95% of cases. The standard deviation of one {run} is "
            f"{_amount(noise.training_sd, unit)}; what a seed shifts at every level alike is not in it, since it does "
            "not change a loss."
        )
        if curve.training_sd[column] <= least_sd(curve.metric):
            sentences.append("So much is taken at least, as a few seeds can agree by chance.")
    sentences.append(
        f"The test set has {curve.examples:,} examples. Another choice of as many moves the loss by "
        f"{_amount(noise.examples_sd, unit)} (standard deviation)."
    )
    with_seeds = f"{seeds_text(curve, column)} and " if curve.drawn[column] else ""
    sentences.append(
        f"With {with_seeds}{curve.examples:,} test examples, a loss of {_amount(noise.detectable, unit)} "
        f"is told from none in {POWER:.0%} of cases. Smaller ones are often missed."
    )
    return sentences


def _amount(value: float, unit: LossUnit) -> str:
    words = "% of the perplexity" if unit.perplexity else unit.unit
    return f"{value:.2f}{'' if words.startswith('%') else ' '}{words}"
