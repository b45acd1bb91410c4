"""C5 follows the records of made-up trials on word problems: the assay first, then the drop over data sets."""

import dataclasses
import json

import numpy as np
import pytest
from simulated_equations import TASKS, falls_from, record, records, study, with_random_weights

from essparse_lib.analysis.advantages import RANDOM_WEIGHTS, advantages, random_curves, without_pretraining
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.folds import data_set_curves, fold_noise
from essparse_lib.analysis.pooled import on_average
from essparse_lib.claims import c05_arithmetic_reasoning as c05
from essparse_lib.claims.pools import drops_of_curves
from essparse_lib.figures import verdicts

DATA_SETS = ["mawps", "asdiv-a", "svamp"]


def controlled(*tasks, **options):
    """A study whose control is the same models with random weights."""
    asked = study(*tasks, **options)
    return dataclasses.replace(asked, controls=(without_pretraining(asked),))


def judged(drop, random=30.0, asked=None, **options):
    asked = controlled() if asked is None else asked
    options = {"dense": with_random_weights(random), **options}
    return c05.judge(asked, records(asked, drop, **options))


@pytest.mark.parametrize(
    ("knee", "outcome"),
    [(0.4, "agrees"), (0.1, "differs"), (0.275, "inconclusive")],
)
def test_where_pre_training_is_used_the_mean_drop_over_data_sets_decides(knee, outcome):
    result = judged(falls_from(knee), problems=4000, training_sd=0.2)
    assert result.outcome == outcome and result.statements[0].outcome == outcome
    assert len(result.statements) == 3


@pytest.mark.parametrize("knee", [0.4, 0.1])
def test_where_pre_training_is_not_used_nothing_is_tested_whatever_the_curves_are(knee):
    result = judged(falls_from(knee), random=70.0)
    assert result.outcome == "cannot be tested here" and not result.numbers
    assert "do not beat random ones by the whole interval" in result.reason


def test_a_data_set_that_fails_the_assay_does_not_count_and_is_named():
    def dense(trial):
        return 70.0 if trial.task == "svamp" or not trial.training.random_weights else 40.0

    asked = controlled()
    made = records(asked, falls_from(0.4), dense=dense)
    result = c05.judge(asked, made)
    assert "not counted on svamp, where pre-trained weights do not beat random ones" in result.reason
    (pool,) = c05.pools(asked, made)
    assert [difference.curve.task for difference in pool.counted] == ["mawps", "asdiv-a"]
    assert [str(other.reason) for other in pool.others] == ["no better than random weights"]


def test_what_is_not_learned_or_has_nothing_to_lose_does_not_count():
    assert "commonest equation" in judged(falls_from(0.4), random=5.0, dense=with_random_weights(5.0, 9.0)).reason
    result = judged(falls_from(0.9))
    assert result.outcome == "cannot be tested here" and "nothing to lose" in result.reason


def test_the_numbers_are_data_and_words_follow_from_them():
    result = judged(falls_from(0.4), problems=4000, leaked=0.3)
    plain = json.loads(json.dumps(result.plain(), allow_nan=False))
    assert list(plain["numbers"]) == ["mean loss", "least advantage", "mean loss without leaked problems"]
    # of the leaked problems of MAWPS all are right on both sides
    assert result.numbers["least advantage"].of == "mawps"
    assert plain["numbers"]["least advantage"]["value"] == pytest.approx(0.7 * 40, abs=3)
    told = result.measured
    assert told.index(result.numbers["mean loss"].text) < told.index(result.numbers["least advantage"].text)
    assert "without the problems that stand in the training set" in result.reason and "(not judged)" in result.reason
    unleaked = judged(falls_from(0.4), problems=4000)
    assert "mean loss without leaked problems" not in unleaked.numbers


def test_leaked_problems_hide_a_part_of_the_drop():
    numbers = judged(falls_from(0.1), problems=4000, leaked=0.5).numbers
    whole, rest = (numbers[f"mean loss{rest}"].estimate.value for rest in ("", " without leaked problems"))
    assert whole + 1 < rest


def test_folds_are_one_data_set():
    asked = controlled()
    made = records(asked, falls_from(0.4), dense=with_random_weights(30.0))
    (pool,) = c05.pools(asked, made)
    assert [difference.curve.task for difference in pool.counted] == DATA_SETS
    assert pool.new_task.sources == 3
    folds = {curve.task: curve for curve in curves(asked, made)}
    mawps = pool.counted[0].curve
    assert mawps.scores == pytest.approx((folds["mawps-0"].scores + folds["mawps-1"].scores) / 2, abs=1e-4)
    assert mawps.examples == 2000 and mawps.complete(asked)


def test_folds_that_differ_widen_the_interval_of_their_mean():
    asked = controlled()

    def unlike(trial):
        return falls_from(0.4 if trial.task.endswith("1") else 0.1)(trial)

    alike, apart = (data_set_curves(curves(asked, records(asked, drop)))[0] for drop in (falls_from(0.25), unlike))
    widths = [curve.drop_estimates()[2].high - curve.drop_estimates()[2].low for curve in (alike, apart)]
    assert widths[1] > 2 * widths[0]
    assert apart.drops()[0][2] == pytest.approx(60 * 0.2 / 2, abs=2)


def test_folds_that_differ_widen_the_interval_of_the_dense_score_too():
    asked = controlled()

    def unlike(trial):
        return 80.0 if trial.task.endswith("1") else 60.0

    scores = [data_set_curves(curves(asked, records(asked, falls_from(0.4), dense=dense)))[0] for dense in (70, unlike)]
    alike, apart = (curve.dense() for curve in scores)
    assert apart.high - apart.low > 4 * (alike.high - alike.low)
    folds = curves(asked, records(asked, falls_from(0.4), dense=unlike))
    of_advantage = advantages(folds, folds)["m", "mawps"].pretrained.estimate
    assert of_advantage.high - of_advantage.low == pytest.approx(apart.high - apart.low, rel=0.2)


def test_the_noise_of_folds_is_what_they_differ_by_beyond_what_is_known():
    values = np.array([[0.0, 4.0], [0.0, 0.0]])
    still = np.repeat(values[:, None], 5, axis=1)
    noise = fold_noise(values, still, "x")
    assert not noise[:, 0].any() and noise[:, 1].std() == pytest.approx(np.sqrt(8 / 2), rel=0.1)
    shaken = values[:, None] + np.array([-4.0, 4.0])[:, None]
    assert not fold_noise(values, shaken, "x").any()
    assert not fold_noise(values[:1], still[:1], "x").any()


@pytest.mark.slow
@pytest.mark.parametrize(("fold_sd", "least"), [(0.0, 0.9), (1.0, 0.85), (2.0, 0.8)])
def test_intervals_of_the_mean_over_data_sets_hold_the_truth(fold_sd, least):
    """With two folds there is one degree of freedom for what they differ by: the intervals are somewhat narrow then."""
    asked = study()
    held = []
    for seed in range(80):
        made = records(asked, falls_from(0.2, 10.0), problems=400, training_sd=0.8, fold_sd=fold_sd, seed=seed)
        group = data_set_curves(curves(asked, made))
        mean = on_average(drops_of_curves(group, group, c05.LOWEST, c05.ALLOWED, decides=True).effects)
        held.append(mean.low <= 1.0 <= mean.high)
    assert least <= np.mean(held)


def test_random_weights_are_the_same_trials_but_for_the_weights():
    asked = controlled(task_sparsities={"svamp": (0.3,)})
    twin = without_pretraining(asked)
    assert list(twin.variants) == [RANDOM_WEIGHTS] and not twin.controls
    assert {trial.training.random_weights for trial in twin.trials()} == {True}
    dense = {trial for trial in asked.trials() if not trial.pruning.sparsity}
    plain = [
        dataclasses.replace(t, training=dataclasses.replace(t.training, random_weights=False)) for t in twin.trials()
    ]
    assert set(plain) == dense and len(plain) == len(TASKS) * 3


def test_an_advantage_is_paired_by_problem_and_has_the_noise_of_both_trainings():
    asked = controlled()
    made = records(asked, falls_from(0.4), dense=with_random_weights(60.0), training_sd=0.5)
    given = advantages(curves(asked, made), random_curves(asked, made))
    assert [data_set for _, data_set in given] == DATA_SETS
    svamp = given["m", "svamp"]
    assert svamp.clear and svamp.effect.estimate.value == pytest.approx(10, abs=2)
    assert svamp.effect.value == pytest.approx(svamp.pretrained.value - svamp.random.value)
    assert 0.3 < svamp.effect.error < svamp.pretrained.error + svamp.random.error


def test_a_model_that_lacks_a_record_on_either_side_does_not_count():
    asked = controlled(models=("m", "n"))
    made = records(asked, falls_from(0.4), dense=with_random_weights(30.0))
    random = asked.controls[0].trial("n", "mawps-1", asked.trials()[0].pruning, 2)
    del made[random.id]
    result = c05.judge(asked, made)
    assert "not counted: n, whose records are missing" in result.reason and result.outcome == "agrees"
    alone = controlled()
    pretrained = {id_: each for id_, each in made.items() if not each.spec.training.random_weights}
    assert c05.judge(alone, pretrained).reason == "records are missing"


def test_two_seeds_and_no_records_test_nothing():
    assert judged(falls_from(0.4), asked=controlled(seeds=(0, 1))).outcome == "not run yet"
    assert c05.judge(controlled(), {}).outcome == "not run yet"
    assert judged(falls_from(0.4), asked=controlled(scale="tiny")).outcome == "cannot be tested here"


def test_the_verdict_is_judged_from_the_study_of_figure_4(monkeypatch):
    from essparse_lib import figures

    asked = controlled()
    monkeypatch.setitem(figures.STUDIES["fig4"], "lab", asked)
    made = records(asked, falls_from(0.4), dense=with_random_weights(30.0), problems=200)
    assert verdicts.verdict("C5", "lab", made) == c05.judge(asked, made)


def test_the_problems_of_each_fold_are_drawn_by_themselves():
    """Folds may list their problems by kind, so that the same places hold the same kind in all."""
    asked = study("mawps-0", "mawps-1")
    right = np.arange(400) < 200
    made = {trial.id: record(trial, right, np.zeros(400, dtype=bool)) for trial in asked.trials()}
    first, second = (curve.resampled[:, 0, 0] for curve in curves(asked, made))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
