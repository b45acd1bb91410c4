"""The verdict on C1 follows the records, and changes with them."""

import dataclasses

import pytest
from helpers import CURVE_STUDY as STUDY
from helpers import curve_records as records
from helpers import knee_at

from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.estimate import Estimate
from essparse_lib.claims.verdicts import against, c1
from essparse_lib.specs.trial import Pruning


def verdict(found, study=STUDY):
    return c1(study, curves(study, found))


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(0.3, 0.5, "agrees"), (0.1, 0.29, "differs"), (0.2, 0.4, "inconclusive")]
)
def test_an_interval_must_lie_on_one_side(low, high, outcome):
    assert against(Estimate((low + high) / 2, low, high), 0.3) == outcome


def test_a_late_knee_agrees_and_an_early_one_differs():
    assert verdict(records(knee_at(0.6))).outcome == "agrees"
    assert verdict(records(knee_at(0.05))).outcome == "differs"


def test_taking_a_record_away_changes_the_verdict():
    found = records(knee_at(0.6))
    for seed in STUDY.seeds:
        del found[STUDY.trial("m", "t", Pruning(sparsity=0.5), seed).id]
    assert verdict(found).outcome == "not tested at this scale"


def test_one_missing_seed_is_enough_to_decide_nothing():
    found = records(knee_at(0.6))
    del found[STUDY.trial("m", "t", Pruning(sparsity=0.5), 1).id]
    assert verdict(found).outcome == "not tested at this scale"


def test_a_changed_record_changes_the_verdict():
    found = records(knee_at(0.6))
    spoilt = records(lambda s: 90.0 if s < 0.15 else 60.0)
    for seed in STUDY.seeds:
        trial = STUDY.trial("m", "t", Pruning(sparsity=0.2), seed)
        found[trial.id] = spoilt[trial.id]
    assert verdict(found).outcome == "differs"


def test_two_seeds_decide_nothing():
    study = dataclasses.replace(STUDY, seeds=(0, 1))
    assert verdict(records(knee_at(0.6), seeds=(0, 1), study=study), study).outcome == "not tested at this scale"


def test_a_task_that_was_not_learned_is_not_counted():
    result = verdict(records(lambda _: 50.0))
    assert result.outcome == "inconclusive" and "no dense model learned" in result.reason


def test_tiny_models_test_nothing():
    assert verdict({}, dataclasses.replace(STUDY, scale="tiny")).outcome == "not tested at this scale"
