"""Made-up evaluations: intervals hold the truth as often as they say, with groups of questions and several texts."""

import numpy as np
import pytest
from scipy.stats import binom
from simulated_evaluations import LEVELS, falls_from, records, study

from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.essential import crossing, pooled_essential_sparsity
from essparse_lib.claims import c12_without_fine_tuning as c12

KNEES = {"magnitude": 0.25, "sparsegpt": 0.42}
SLOPE = 60.0
TASKS = tuple(f"task-{number}" for number in range(6))
STUDIES = 60

#: The least coverage that is good enough; a count fails where a smaller one has a chance of 1 in 1,000.
COVERAGE, RISK = 0.92, 1e-3


def true_drop(method, sparsity):
    return falls_from(KNEES[method], SLOPE)(sparsity)


def true_essential(method):
    levels = np.array((0.0, *LEVELS))
    return 100 * float(crossing(levels, np.array([true_drop(method, level) for level in levels]), 1.0))


@pytest.mark.slow
@pytest.mark.parametrize(("text_sd", "text_shared"), [(0.0, 0.0), (0.8, 0.0), (2.0, 0.0), (0.8, 1.0)])
def test_intervals_hold_the_truth_as_often_as_they_say(text_sd, text_shared):
    asked = study(*TASKS)
    shift = true_essential("sparsegpt") - true_essential("magnitude")
    holds: dict[str, list[bool]] = {}

    def note(name, estimate, truth):
        holds.setdefault(name, []).append(estimate.low - 1e-3 <= truth <= estimate.high + 1e-3)

    for number in range(STUDIES):
        made = records(
            asked,
            lambda e: true_drop(e.pruning.method, e.pruning.sparsity),
            questions=500,
            text_sd=text_sd,
            text_shared=text_shared,
            seed=number,
        )
        by_magnitude, by_sparsegpt = curves(asked, made), curves(asked, made, "SparseGPT")
        for curve in by_magnitude:
            note("drop by magnitude", curve.drop_estimates()[3], true_drop("magnitude", 0.3))
        for curve in by_sparsegpt:
            note("drop by SparseGPT", curve.drop_estimates()[5], true_drop("sparsegpt", 0.5))
            note("essential sparsity", pooled_essential_sparsity([curve]).estimate, true_essential("sparsegpt"))
        pairs, _ = c12.pairs(asked, by_magnitude, by_sparsegpt)
        note("shift of a task", pairs[0].shift.estimate, shift)
        note("shift of the mean drop", c12.shift(pairs).estimate, shift)
    wrong = [
        f"{name}: {sum(each)} of {len(each)}"
        for name, each in holds.items()
        if sum(each) < binom.ppf(RISK, len(each), COVERAGE)
    ]
    assert not wrong
