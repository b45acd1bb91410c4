"""Essential sparsity, turning point and curves on records whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers import CURVE_STUDY as STUDY
from helpers import EXAMPLES, curve, knee_at
from helpers import curve_records as records
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.essential import crossing, essential_sparsity, monotone
from essparse_lib.analysis.scoring import scoring
from essparse_lib.analysis.turning_point import turning_point
from essparse_lib.errors import InputError
from essparse_lib.records.metrics import shares_to_digits
from essparse_lib.records.store import Record
from essparse_lib.specs.study import TENTHS
from essparse_lib.specs.trial import Pruning


def test_scores_and_drops_are_those_of_the_records():
    found = curve(knee_at(0.5))
    assert found.scores[0, 0] == pytest.approx(90)
    assert found.drops()[0] == pytest.approx([0] * 6 + [6, 12, 18, 24], abs=0.05)
    assert found.drops(relative=True)[0][-1] == pytest.approx(100 * 24 / 90, abs=0.1)


@pytest.mark.parametrize("knee", [0.2, 0.45, 0.7])
def test_the_turning_point_is_the_knee(knee):
    found = turning_point(curve(knee_at(knee)))
    assert found.value == pytest.approx(knee, abs=0.02)
    assert found.low <= knee + 0.02 and found.high >= knee - 0.02


@pytest.mark.parametrize("knee", [0.2, 0.45, 0.7])
@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
def test_essential_sparsity_is_where_the_drop_passes_epsilon(knee, epsilon):
    truth = knee + epsilon / 60
    assert essential_sparsity(curve(knee_at(knee)), epsilon).value == pytest.approx(truth, abs=0.1)  # a grid step


def test_a_relative_tolerance_is_a_share_of_the_dense_score():
    found = curve(knee_at(0.4, top=60.0, slope=10.0))
    assert essential_sparsity(found, 1.0, relative=True).value < essential_sparsity(found, 1.0).value


def test_a_curve_that_never_falls_ends_at_the_last_level():
    assert essential_sparsity(curve(lambda _: 90.0)).value == 0.9


def test_no_bend_means_no_turning_point():
    assert math.isnan(turning_point(curve(lambda s: 90 - 30 * s + 20 * max(0, s - 0.4))).value)


def test_the_floor_after_the_fall_does_not_move_the_turning_point():
    found = turning_point(curve(lambda s: max(50.0, 90 - 200 * max(0, s - 0.5))))
    assert found.value == pytest.approx(0.5, abs=0.03)


def test_the_interval_covers_the_seeds_as_well_as_the_examples():
    calm, rough = curve(knee_at(0.5)), curve(knee_at(0.5), noise=2.0)
    width = [e.high - e.low for e in (calm.drop_estimates()[-1], rough.drop_estimates()[-1])]
    assert width[1] > 1.5 * width[0]


def test_estimates_are_the_same_twice():
    assert essential_sparsity(curve(knee_at(0.5))) == essential_sparsity(curve(knee_at(0.5)))


@given(st.lists(st.floats(-5, 50), min_size=9, max_size=9), st.floats(0.1, 5))
def test_crossing_agrees_with_a_walk_along_the_curve(drops, epsilon):
    levels, curve_drops = np.array(TENTHS), np.array([0.0, *drops])
    fine = np.linspace(0, 0.9, 9001)
    beyond = np.flatnonzero(np.interp(fine, levels, curve_drops) > epsilon)
    expected = fine[beyond[0]] if len(beyond) else 0.9
    assert float(crossing(levels, curve_drops, epsilon)) == pytest.approx(expected, abs=2e-4)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12))
def test_monotone_is_isotonic_regression(drops):
    from sklearn.isotonic import IsotonicRegression

    expected = IsotonicRegression().fit_transform(range(len(drops)), drops)
    assert monotone(np.array(drops)) == pytest.approx(expected, abs=1e-9)
    assert monotone(np.array([drops, drops]))[1] == pytest.approx(expected, abs=1e-9)


def test_a_dip_that_recovers_is_no_end():
    found = curve(lambda s: 88.5 if s == 0.2 else knee_at(0.5)(s))
    assert essential_sparsity(found).value == pytest.approx(0.5 + 1 / 60, abs=0.05)


def test_missing_and_failed_trials_leave_gaps_and_are_named():
    found = records(knee_at(0.5))
    gone = STUDY.trial("m", "t", Pruning(sparsity=0.3), 1)
    lost = STUDY.trial("m", "t", Pruning(sparsity=0.6), 2)
    del found[gone.id]
    found[lost.id] = Record(spec=lost, status="failed", reason="out of memory")
    result = curves(STUDY, found)[0]
    assert np.isnan(result.scores[1, 3]) and np.isnan(result.scores[2, 6])
    assert result.failures == ((2, 0.6),)
    assert essential_sparsity(result).value == pytest.approx(0.5 + 1 / 60, abs=0.03)


def test_a_diverged_trial_counts_as_knowing_nothing():
    found = records(knee_at(0.5))
    lost = STUDY.trial("m", "t", Pruning(sparsity=0.3), 2)
    found[lost.id] = Record(spec=lost, status="diverged", reason="NaN")
    result = curves(STUDY, found)[0]
    assert result.scores[2, 3] == pytest.approx(50) and result.failures == ((2, 0.3),)
    assert essential_sparsity(result).value < 0.35


@pytest.mark.parametrize("name", ["weights", "data"])
def test_records_of_other_weights_or_data_are_not_mixed(name):
    found = records(knee_at(0.5))
    odd = STUDY.trial("m", "t", Pruning(sparsity=0.3), 2).id
    found[odd] = replace(found[odd], provenance={name: "another"})
    with pytest.raises(InputError, match=f"made with other {name}"):
        curves(STUDY, found)


def test_records_of_other_data_are_refused_with_where_both_came_from():
    hub = {"data": "one", "data_from": "the hub"}
    found = {i: replace(record, provenance=hub) for i, record in records(knee_at(0.5)).items()}
    odd = STUDY.trial("m", "t", Pruning(sparsity=0.3), 2).id
    found[odd] = replace(found[odd], provenance={"data": "another", "data_from": "a mirror"})
    with pytest.raises(InputError, match=r"made with other data \(a mirror against the hub\)$"):
        curves(STUDY, found)


@pytest.mark.parametrize("sparsity", [0.0, 0.3])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"predictions": ""}, r"seed 2 has no predictions: set it aside$"),
        ({"predictions": "01"}, r"have other labels or examples$"),
        ({"labels": "1" * EXAMPLES}, r"have other labels or examples$"),
    ],
)
def test_records_of_one_curve_answer_the_same_examples(sparsity, changed, message):
    found = records(knee_at(0.5))
    odd = STUDY.trial("m", "t", Pruning(sparsity=sparsity), 2).id
    found[odd] = replace(found[odd], **changed)
    with pytest.raises(InputError, match=message):
        curves(STUDY, found)


def test_a_score_of_nothing_has_no_relative_drop():
    learned = records(knee_at(0.5)).items()
    nothing = shares_to_digits(np.zeros(EXAMPLES))
    flat = {i: replace(r, metrics={"f1": 0.0}, predictions=nothing, labels="") for i, r in learned}
    assert math.isnan(essential_sparsity(curves(STUDY, flat)[0], relative=True).value)


def test_a_seed_without_its_dense_trial_is_left_out():
    found = records(knee_at(0.5))
    del found[STUDY.trial("m", "t", Pruning(sparsity=0.0), 1).id]
    assert curves(STUDY, found)[0].seeds == (0, 2)


def test_no_records_no_curve():
    assert curves(STUDY, {}) == []


def test_a_model_that_says_one_class_has_learned_nothing():
    assert not curve(lambda _: 50.0).learned()
    assert curve(lambda _: 60.0).learned()


def test_epsilon_must_be_above_zero():
    with pytest.raises(InputError, match="epsilon 0"):
        essential_sparsity(curve(knee_at(0.5)), 0)


@pytest.mark.parametrize("metrics", [{"matthews": 80.0}, {"accuracy": 90.0, "matthews": 80.0}])
def test_a_record_that_keeps_classes_is_judged_by_accuracy(metrics):
    found = {i: replace(r, metrics=metrics) for i, r in records(knee_at(0.5)).items()}
    result = curves(STUDY, found)[0]
    assert (result.metric, result.majority) == ("accuracy", 50)
    assert result.scores[0, 0] == pytest.approx(90, abs=0.5)


def test_matthews_correlation_can_be_had_of_any_record_that_keeps_classes():
    found = [record for record in records(knee_at(0.5)).values() if record.spec.pruning.sparsity == 0]
    scorer = scoring("matthews", found)
    values = scorer.of(np.ones((1, scorer.examples), dtype=np.float32))[0]
    assert scorer.floor == 0 and values == pytest.approx([80] * len(found), abs=0.5)  # 2p − 1 with balanced classes


def test_scores_that_each_example_has_are_averaged():
    """F1 of answers, kept in two digits an example."""
    found = {}
    for seed in STUDY.seeds:
        for level in (0.0, 0.5):
            values = np.random.default_rng(seed).uniform(size=500) * (1 - level)
            trial = STUDY.trial("m", "t", Pruning(sparsity=level), seed)
            found[trial.id] = Record(
                spec=trial,
                status="ok",
                metrics={"f1": 100 * values.mean()},
                predictions=shares_to_digits(values),
                labels="",
            )
    (diverged,) = (STUDY.trial("m", "t", Pruning(sparsity=0.7), 0),)
    found[diverged.id] = Record(spec=diverged, status="diverged", reason="NaN")
    (curve,) = curves(STUDY, found)
    assert (curve.metric, curve.majority, curve.learned()) == ("f1", 0.0, True)
    assert curve.scores[:, 0] == pytest.approx(
        [found[STUDY.trial("m", "t", Pruning(), s).id].metrics["f1"] for s in STUDY.seeds], abs=0.05
    )
    assert curve.drops()[0][1] == pytest.approx(25, abs=1.5)
    assert curve.scores[0, 2] == 0 and np.isnan(curve.scores[1:, 2]).all()
    drop = curve.drop_estimates()[1]
    assert drop.low < drop.value < drop.high < drop.low + 5


def test_a_curve_is_complete_with_the_seeds_of_its_task_and_the_levels_of_its_model():
    wanted = replace(STUDY, task_seeds={"t": (0, 1)}, task_sparsities={"t": (0.1, 0.5)})
    found = curves(wanted, records(knee_at(0.5), seeds=(0, 1)))[0]
    assert found.complete(wanted) and found.levels.tolist() == [0, 0.1, 0.5] and found.seeds == (0, 1)
    assert not curves(wanted, records(knee_at(0.5), seeds=(0,)))[0].complete(wanted)
    assert not found.complete(replace(STUDY, seeds=(0, 1)))
