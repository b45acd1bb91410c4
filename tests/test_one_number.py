"""What several figures show of one model on one task is one number with one interval."""

import pytest

from essparse_lib import figures
from essparse_lib.analysis.contrasts import contrasts
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.essential import essential_sparsity
from essparse_lib.specs.trial import Pruning, Trial

#: The figures of trials at lab scale.
NAMES = [name for name in figures.STUDIES if isinstance(next(iter(figures.study(name, "lab").trials()), None), Trial)]


def ends(estimate):
    return tuple(round(float(each), 9) for each in (estimate.value, estimate.low, estimate.high))


def quantities(name):
    """Yield what a figure's curves and contrasts say: what it is of, and the number with its interval."""
    study = figures.study(name, "lab")
    records = figures.records(study, *study.controls)
    for part in (study, *study.controls):
        for variant in part.variants:
            for curve in curves(part, records, variant):
                of = part.trial(curve.model, curve.task, Pruning(), 0)
                yield (of, "dense score"), ends(curve.dense())
                for pruning, drop in zip(curve.prunings[1:], curve.drop_estimates()[1:], strict=True):
                    yield (of, "drop", pruning), ends(drop)
                if len(curve.prunings) > 1 and all(
                    pruning == Pruning(sparsity=pruning.sparsity) for pruning in curve.prunings
                ):
                    yield (of, "essential sparsity"), ends(essential_sparsity(curve))
        pairs = [(pruning, Pruning()) for variant in part.variants.values() for pruning in variant]
        for contrast in contrasts(part, records, pairs):
            of = part.trial(contrast.model, contrast.task, Pruning(), 0)
            value, low, high = ends(contrast.difference)
            yield (of, "drop", contrast.pruning), (-value + 0.0, -high + 0.0, -low + 0.0)


@pytest.mark.slow
def test_figures_that_share_trials_show_the_same_numbers():
    values, places = {}, {}
    for name in NAMES:
        for of, number in quantities(name):
            values.setdefault(of, {}).setdefault(number, set()).add(name)
            places.setdefault(of, set()).add(name)
    assert sum(len(each) > 1 for each in places.values()) > 100  # else nothing is compared
    assert {str(of): numbers for of, numbers in values.items() if len(numbers) > 1} == {}
