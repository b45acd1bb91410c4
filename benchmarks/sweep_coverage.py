"""How often the interval that a sweep ends with holds the true essential sparsity, on made-up models and data.

The trials are those of ``simulated_studies.py``: single examples flip from one trial to the next, as those of MiniLM on
movie-reviews do. A sweep chooses its levels and seeds by what it has seen, and ends when its interval is as narrow as
was asked, so its intervals could hold the truth too seldom; here is counted how often they do.

Each line gives the share of sweeps that ended so, what share of their intervals holds the truth, the same of all
sweeps (those that ended at the most seeds as well), the mean width of the intervals in percent of the weights, and the
mean number of trials.

    python benchmarks/sweep_coverage.py [--studies 200] [--precision 20]
"""

from __future__ import annotations

import argparse

import command
import numpy as np
from simulated_studies import TRUTHS, drop_by, made_up_records

from essparse_lib.analysis.essential import crossing
from essparse_lib.analysis.estimate import Estimate
from essparse_lib.specs.trial import Pruning
from essparse_lib.sweeps.answer import Answer, Outcome, answer
from essparse_lib.sweeps.design import FURTHER, Cells, first, following
from essparse_lib.sweeps.settings import SweepSettings
from essparse_lib.sweeps.study import SweepStudy

SETTINGS = (
    ("--studies", 200, "made-up sweeps of each size"),
    ("--precision", 20.0, "the widest interval that is asked for, in percent of the weights"),
    ("--epsilon", 1.0, "the tolerated loss in points"),
    ("--seeds", 3, "seeds of every level"),
    ("--most-seeds", 10, "seeds of the levels around the answer, at most"),
)
LEAST = {"studies": 2}
#: Test examples, and the noise of training in multiples of what was measured.
EXAMPLES, NOISES = (500, 2000), (1.0, 2.0)


def levels(precision: float) -> tuple[float, ...]:
    """Return all levels that a sweep may choose: halves of halves of the coarse ones, as far as it goes."""
    steps = 20 if precision >= 10 else 100
    return tuple(round(number / steps, 2) for number in range(1, steps) if number / steps <= FURTHER[-1])


def swept(
    generator: np.random.Generator, settings: SweepSettings, examples: int, truth: str, noise: float
) -> tuple[Answer, int]:
    """Return the answer of one made-up sweep, and its number of trials."""
    limits, tolerance = settings.limits(), settings.tolerated()
    study = SweepStudy(
        model="m",
        task="t",
        training=settings.training(examples=1000, usual_length=16),
        method=settings.method,
        scope=settings.scope,
        timing=settings.timing,
    )
    every = Cells().with_levels(0.0, *levels(settings.precision), seeds=limits.most_seeds)
    records = made_up_records(generator, study.whole(every), examples, drop_by(truth), noise)
    cells: Cells | None = first(limits)
    while cells is not None:
        design, found = cells, answer(study.curve(records, cells), tolerance, limits.precision)
        cells = following(design, found, limits)
    return found, len(study.specs(design))


def true_value(truth: str, settings: SweepSettings) -> float:
    """Return the essential sparsity of a made-up model, from 0 to 1; the largest level where it loses less."""
    places = np.array([0.0, *levels(settings.precision)])
    drops = np.array([drop_by(truth)(Pruning(sparsity=place)) for place in places])
    return float(crossing(places, np.maximum.accumulate(drops), settings.tolerated().value))


def holds(essential: Estimate, truth: float) -> bool:
    """Return whether an interval holds a value, to a thousandth."""
    return essential.low - 1e-3 <= truth <= essential.high + 1e-3


def main(options: argparse.Namespace) -> None:
    """Print how often intervals hold the truth for each truth, number of examples and noise."""
    command.check(options, LEAST)
    settings = SweepSettings(
        tolerance=options.epsilon, precision=options.precision, seeds=options.seeds, most_seeds=options.most_seeds
    )
    print("truth     examples noise  resolved  holds (resolved)  holds (all)  width  trials")
    for truth in TRUTHS:
        value = true_value(truth, settings)
        for examples in EXAMPLES:
            for noise in NOISES:
                ends = [
                    swept(np.random.default_rng([number, examples, int(10 * noise)]), settings, examples, truth, noise)
                    for number in range(options.studies)
                ]
                resolved = [each.outcome is Outcome.RESOLVED for each, _ in ends]
                held = [holds(each.essential, value) for each, _ in ends]
                among = [hold for hold, ended in zip(held, resolved, strict=True) if ended]
                print(
                    f"{truth:9} {examples:8d} {noise:5g}  {np.mean(resolved):8.2f}  "
                    f"{np.mean(among) if among else float('nan'):16.3f}  {np.mean(held):11.3f}  "
                    f"{100 * np.mean([each.width for each, _ in ends]):5.1f}  {np.mean([n for _, n in ends]):6.1f}",
                    flush=True,
                )
    print(f"Simulation error of a share of 95%: ±{1.96 * (0.95 * 0.05 / options.studies) ** 0.5:.3f}")


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, SETTINGS).parse_args())
