"""Made-up studies whose truth is known, in which single examples flip from one trial to the next.

Each answer has a hidden ease, and is right where that lies below a threshold, which sets the score. Ease has three
parts: how easy the example is for every training, how easy it is for this seed, and chance of this trial alone. The
first two change slowly with sparsity, along each way to prune by itself, from the dense model on. Training adds noise
to the threshold. The parts are as MiniLM's answers to movie-reviews have them (tetrachoric correlations between its
trials), and the noise of training is what its records show beside the flips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from essparse_lib.analysis.contrasts import contrasts
from essparse_lib.analysis.curves import EPSILON, curves
from essparse_lib.analysis.essential import crossing, essential_sparsity
from essparse_lib.analysis.estimate import Estimate
from essparse_lib.records.store import Record
from essparse_lib.specs.study import TENTHS, Study, at_sparsities
from essparse_lib.specs.trial import Pruning, Training

#: Shares of the variance of ease: of the example, and of the example for one seed. The rest is the trial's own.
EXAMPLE, SEED = 0.79, 0.18

#: Correlation of each of the two parts with the dense model's, at every tenth of sparsity from 0.
EXAMPLE_KEPT = (1.0, 1.0, 0.99, 0.99, 0.99, 0.94, 0.88, 0.81, 0.75, 0.61)
SEED_KEPT = (1.0, 1.0, 0.98, 0.98, 0.77, 0.77, 0.65, 0.35, 0.22, 0.22)

#: Standard deviation of the score of one training on endless examples, in points, at every tenth of sparsity from 0.
TRAINING_SD = (0.25, 0.25, 0.25, 0.25, 0.35, 0.35, 0.4, 0.5, 0.7, 0.9)

#: Standard deviation of a seed's effect on all its scores, and the dense score on endless examples, in points.
SEED_SD, DENSE = 0.5, 83.0

#: True drops, in points, at every tenth of sparsity from 0. Essential sparsity is 44, 32, 16 and at least 90%.
TRUTHS: dict[str, tuple[float, ...]] = {
    "agrees": (0, 0, 0.1, 0.3, 0.6, 1.6, 4.0, 6.0, 8.0, 12.0),
    "border": (0, 0.1, 0.4, 0.85, 1.6, 2.6, 4.5, 6.5, 8.5, 12.0),
    "differs": (0, 0.4, 1.5, 2.8, 4.2, 5.5, 7.0, 8.5, 10.0, 13.0),
    "flat": (0,) * 10,
}


def made_up_study(seeds: int, task: str = "t", **variants: tuple[Pruning, ...]) -> Study:
    """Return a study of one model on one task, pruned at every tenth of sparsity and as the variants say.

    Args:
        seeds: the number of seeds.
        task: name of the task.
        variants: further ways to prune, by name.
    """
    training = {"*": Training(epochs=1, batch_size=8, learning_rate=1e-3, max_length=16)}
    return Study(
        figure="fig2",
        scale="lab",
        models=("m",),
        tasks=(task,),
        training=training,
        variants={"one-shot": at_sparsities(TENTHS), **variants},
        seeds=tuple(range(seeds)),
    )


def drop_by(truth: str) -> Callable[[Pruning], float]:
    """Return the true drop of a pruning in points, linear between tenths and the same for all ways to prune.

    Args:
        truth: a name in ``TRUTHS``.
    """
    return lambda pruning: float(np.interp(pruning.sparsity, TENTHS, TRUTHS[truth]))


def made_up_records(
    generator: np.random.Generator,
    study: Study,
    examples: int,
    drop: Callable[[Pruning], float],
    noise: float = 1.0,
) -> dict[str, Record]:
    """Return a record for each trial of a study of one model, by the id of its spec.

    Args:
        generator: source of random numbers.
        study: the study. Each of its tasks gets test examples of its own.
        examples: number of test examples of each task.
        drop: function that returns the true drop of a pruning, in points.
        noise: what the measured noise of training is multiplied by.
    """
    labels = np.arange(examples) % 2
    records = {}
    (model,) = study.models
    for task in study.tasks:
        dense = Pruning()
        start = generator.standard_normal((1 + len(study.seeds), examples), np.float32)
        ease = {dense: start}
        for prunings in study.variants.values():
            ease |= _along(generator, start, prunings)
        seed_effects = SEED_SD * generator.standard_normal(len(study.seeds))
        for pruning, parts in ease.items():
            training_sd = noise * np.interp(pruning.sparsity, TENTHS, TRAINING_SD)
            of_trial = generator.standard_normal((len(study.seeds), examples), np.float32)
            answers = np.sqrt(EXAMPLE) * parts[0] + np.sqrt(SEED) * parts[1:] + np.sqrt(1 - EXAMPLE - SEED) * of_trial
            shifts = seed_effects + training_sd * generator.standard_normal(len(study.seeds))
            for seed, row, shift in zip(study.seeds, answers, shifts, strict=True):
                score = np.clip(DENSE - drop(pruning) + shift, 1, 99)
                right = row < ndtri(score / 100)
                trial = study.trial(model, task, pruning, seed)
                records[trial.id] = Record(
                    spec=trial,
                    status="ok",
                    metrics={"accuracy": 100 * float(right.mean())},
                    predictions=digits(np.where(right, labels, 1 - labels)),
                    labels=digits(labels),
                )
    return records


def _along(
    generator: np.random.Generator, start: np.ndarray, prunings: tuple[Pruning, ...]
) -> dict[Pruning, np.ndarray]:
    """Return ease as it changes along one way to prune, by pruning.

    The first row is what all seeds share, the others are each seed's: shape (1 + seeds, examples).
    """
    result = {}
    parts, before = start, np.ones(2)
    for pruning in sorted(prunings, key=lambda each: each.sparsity):
        kept = np.array([np.interp(pruning.sparsity, TENTHS, table) for table in (EXAMPLE_KEPT, SEED_KEPT)])
        step = np.repeat(kept / before, (1, len(start) - 1))[:, None].astype(np.float32)
        parts = step * parts + np.sqrt(1 - step**2) * generator.standard_normal(start.shape, np.float32)
        result[pruning], before = parts, kept
    return result


def digits(values: np.ndarray) -> str:
    """Return the text of an array of classes below ten, as records keep answers and labels."""
    return (values + ord("0")).astype(np.uint8).tobytes().decode()


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The estimates of one quantity in many made-up studies.

    Attributes:
        truth: the true value.
        estimates: the estimate of each study.
    """

    truth: float
    estimates: list[Estimate] = field(default_factory=list)

    @property
    def holds(self) -> int:
        """The number of intervals that hold the truth, to a thousandth: an interval may be one point."""
        return sum(each.low - 1e-3 <= self.truth <= each.high + 1e-3 for each in self.estimates)

    @property
    def half_width(self) -> float:
        """The mean of half the width of the intervals."""
        return float(np.mean([each.high - each.low for each in self.estimates])) / 2

    @property
    def needed(self) -> float:
        """Half the width of a 95% interval that would have to be: 1.96 times the spread of the values themselves."""
        return float(-ndtri(0.025) * np.std([each.value for each in self.estimates], ddof=1))


#: The quantities whose coverage is looked at.
QUANTITIES = ("drop at 30%", "drop at 60%", "essential sparsity", "contrast at 30%")


def coverages(
    seeds: int, examples: int, noise: float, studies: int, drop: Callable[[Pruning], float]
) -> dict[str, Coverage]:
    """Return the coverage of each of ``QUANTITIES`` over many made-up studies.

    The contrast is that of two ways to prune which cost the same, beside ten levels of one of them.

    Args:
        seeds: the number of seeds.
        examples: the number of test examples.
        noise: what the measured noise of training is multiplied by.
        studies: the number of studies.
        drop: function that returns the true drop of a pruning, in points.
    """
    ticket, shot = Pruning(sparsity=0.3, method="lottery"), Pruning(sparsity=0.3)
    study = made_up_study(seeds, lottery=(ticket,))
    drops = np.array([drop(Pruning(sparsity=level)) for level in TENTHS])
    essential = float(crossing(np.array(TENTHS), np.maximum.accumulate(drops), EPSILON))
    truths = (drops[3], drops[6], essential, 0.0)
    result = {name: Coverage(truth=float(truth)) for name, truth in zip(QUANTITIES, truths, strict=True)}
    for number in range(studies):
        records = made_up_records(np.random.default_rng([number, seeds, examples]), study, examples, drop, noise)
        (curve,) = curves(study, records)
        (contrast,) = contrasts(study, records, [(ticket, shot)])
        at_level = curve.drop_estimates()
        estimates = (at_level[3], at_level[6], essential_sparsity(curve), contrast.difference)
        for name, estimate in zip(QUANTITIES, estimates, strict=True):
            result[name].estimates.append(estimate)
    return result
