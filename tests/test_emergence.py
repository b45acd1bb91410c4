"""What is said of C8 and C9 follows the records of watched pre-trainings, and changes with them."""

import dataclasses
import gc
import math

import numpy as np
import pytest
from helpers import AT, READINGS, WEIGHTS, checkpoints, everything, jumping, more_of, runs_of, tunings, watched
from helpers import PRETRAINING_STUDY as STUDY
from helpers import pretraining_study as study_of
from scipy.stats import linregress

from essparse_lib.analysis.change_point import find_change_point
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.effects import detectable_ratio, mean_difference, rank_correlation, slope
from essparse_lib.analysis.series import MIN_SNAPSHOTS, jumps, series
from essparse_lib.analysis.text_effects import score_effects, zero_effects
from essparse_lib.analysis.zero_shares import ABSOLUTE, RELATIVE
from essparse_lib.claims.c08_zeros_jump import judge as judge_c8
from essparse_lib.claims.c08_zeros_jump import order_of_rises, reading_outcomes
from essparse_lib.claims.c09_more_text import DENSE, PRUNED, ZEROS, Quantity, outcomes_of, overall
from essparse_lib.claims.c09_more_text import judge as judge_c9
from essparse_lib.claims.rules import above_zero
from essparse_lib.claims.verdict import Outcome
from essparse_lib.errors import InputError
from essparse_lib.records.store import Record
from essparse_lib.specs.study import Study
from essparse_lib.specs.trial import Pruning

NAMES = STUDY.models


# Series


def test_shares_and_norms_are_those_of_the_places():
    (run,) = series(STUDY, {(p := STUDY.pretrainings()[0]).id: watched(p, {RELATIVE: lambda step: 4_000 + step})})
    assert (run.name, run.fraction, run.seed, run.complete) == ("m-100-0", 1.0, 0, True)
    assert run.share(RELATIVE)[[0, -1]] == pytest.approx([0.1, 0.3], abs=1e-4)
    assert run.share(RELATIVE, component="query", block=1) == pytest.approx(run.share(RELATIVE), abs=1e-3)
    assert run.norm()[0] == pytest.approx(13)
    assert run.norm(component="query")[0] == pytest.approx(3)
    assert run.norm(block=0)[-1] == pytest.approx(5)
    assert np.isnan(run.loss[0]) and run.loss[1] == 5
    assert len(run.steps) == len(run.effective) == len(run.held_out) == len(AT)


def test_the_order_is_the_studys_whatever_the_records_order():
    found = runs_of()
    backwards = dict(reversed(found.items()))
    assert [run.name for run in series(STUDY, backwards)] == list(NAMES)
    assert judge_c8(STUDY, backwards) == judge_c8(STUDY, found)


def test_a_run_that_diverged_is_there_as_far_as_it_went():
    first, second = STUDY.pretrainings()[:2]
    found = {
        first.id: watched(first, status="diverged", snapshots=20),
        second.id: watched(second, status="diverged", snapshots=0),
    }
    (run,) = series(STUDY, found)
    assert not run.complete and len(run.steps) == 20
    assert jumps([run]) == {}


def test_checkpoints_make_a_series_in_the_order_of_their_steps():
    study, found = checkpoints(200, 0, 1000, 20)
    (run,) = series(study, found)
    assert run.name == "google/multiberts-seed_0" and run.complete
    assert run.steps.tolist() == [0, 20_000, 200_000, 1_000_000]
    assert run.zeros[RELATIVE].sum(1).tolist() == [0, 20, 200, 1000]
    assert np.isnan(run.held_out).all()
    del found[study.measurements()[0].id]
    (run,) = series(study, found)
    assert not run.complete and run.steps.tolist() == [0, 20_000, 1_000_000]


def test_checkpoints_of_two_seeds_are_judged_as_trainings_are():
    at = (*range(0, 200, 20), *range(200, 2001, 100))
    parts = [checkpoints(*at, seed=seed, count=lambda k: 2_000 + 3_000 * (k > 900)) for seed in (0, 1)]
    study = dataclasses.replace(parts[0][0], models=parts[0][0].models + parts[1][0].models)
    found = parts[0][1] | parts[1][1]
    result = judge_c8(study, found)
    assert result.outcome == "agrees" and RELATIVE in result.reason
    assert judge_c8(study, parts[0][1]).outcome == "not run yet"
    assert judge_c9(study, found).outcome == "cannot be tested here"


def test_other_measurements_are_no_checkpoints():
    study = Study(
        figure="fig8",
        scale="lab",
        models=("minilm-l6",),
        tasks=(),
        training={},
        variants={"one-shot": ()},
        measured={"zeros": (0.0,), "pruned-share": (0.2,)},
    )
    assert series(study, {m.id: Record(spec=m, status="ok", values={"x": 1}) for m in study.measurements()}) == []


# C8


def test_snapshots_are_as_few_as_a_jump_can_be_told_in():
    find_change_point(range(MIN_SNAPSHOTS), range(MIN_SNAPSHOTS))
    with pytest.raises(InputError):
        find_change_point(range(MIN_SNAPSHOTS - 1), range(MIN_SNAPSHOTS - 1))


@pytest.mark.parametrize("reading", [ABSOLUTE, "fp16"])
def test_a_jump_in_one_reading_of_every_run_agrees_and_names_it(reading):
    found = runs_of(zeros={reading: jumping(3_900)})
    result = judge_c8(STUDY, found)
    assert result.outcome == "agrees"
    assert f"in all of the 5 pre-trainings by '{reading}'" in result.reason
    assert reading_outcomes(jumps(series(STUDY, found))) == {
        r: "agrees" if r == reading else "differs" for r in READINGS
    }


def test_no_jump_in_any_reading_differs():
    result = judge_c8(STUDY, runs_of())
    assert result.outcome == "differs" and "in none of the 5 pre-trainings by any of the 4 readings" in result.reason


def test_a_fall_is_no_rise():
    assert judge_c8(STUDY, runs_of(zeros={RELATIVE: jumping(3_900, -1_500)})).outcome == "differs"


def test_a_jump_in_some_runs_is_inconclusive_and_so_is_a_changed_record():
    found = runs_of(zeros={RELATIVE: jumping(3_900)})
    assert judge_c8(STUDY, found).outcome == "agrees"
    one = STUDY.pretrainings()[2]
    found[one.id] = watched(one)
    result = judge_c8(STUDY, found)
    assert result.outcome == "inconclusive" and f"in some of the 5 pre-trainings by '{RELATIVE}'" in result.reason


def test_a_weight_or_two_that_become_zero_are_no_jump():
    found = runs_of(zeros={"fp16": lambda step: 2 * (step > 3_900)})
    assert series(STUDY, found)[0].zeros["fp16"].sum(1)[[0, -1]].tolist() == [0, 2]
    assert judge_c8(STUDY, found).outcome == "differs"


def test_a_jump_can_be_seen_only_where_there_are_zeros_enough():
    spec = STUDY.pretrainings()[0]
    few, many = (lambda step: 2 * (step > 3_900)), jumping(3_900, 9_000)
    (run,) = series(STUDY, {spec.id: watched(spec, {"fp16": few, ABSOLUTE: many, RELATIVE: lambda _: 0})})
    assert run.jump(ABSOLUTE).abrupt and run.could_jump(ABSOLUTE)
    assert not run.could_jump("fp16") and not run.could_jump(RELATIVE)
    found = runs_of(zeros={"fp16": few, ABSOLUTE: many, RELATIVE: lambda _: 0})
    assert judge_c8(STUDY, found).numbers["series that could show a jump"].estimate.value == len(STUDY.pretrainings())


def test_c8_needs_every_run():
    found = runs_of()
    del found[STUDY.pretrainings()[1].id]
    result = judge_c8(STUDY, found)
    assert result.outcome == "not run yet" and "1 of 5 pre-trainings lack records" in result.reason
    assert judge_c8(STUDY, {}).outcome == "not run yet"
    assert judge_c8(dataclasses.replace(STUDY, scale="tiny"), runs_of()).outcome == "cannot be tested here"


def test_c8_takes_two_runs():
    one, two = study_of((1.0, 0)), study_of((1.0, 0), (1.0, 1))
    assert judge_c8(one, runs_of(one)).outcome == "cannot be tested here"
    assert judge_c8(two, runs_of(two)).outcome == "differs"
    found = runs_of(two)
    last = two.pretrainings()[1]
    found[last.id] = watched(last, status="diverged", snapshots=20)
    assert judge_c8(two, found).outcome == "cannot be tested here"


def test_runs_that_diverged_are_told_and_not_counted():
    found = runs_of(zeros={RELATIVE: jumping(3_900)})
    one = STUDY.pretrainings()[0]
    found[one.id] = watched(one, status="diverged", snapshots=20)
    result = judge_c8(STUDY, found)
    assert result.outcome == "agrees" and "in all of the 4" in result.reason and "1 that diverged" in result.reason


def test_whether_it_comes_later_with_less_text():
    early, late = {RELATIVE: jumping(3_900)}, {RELATIVE: jumping(6_300)}
    found = runs_of(zeros=early, m_60_0=late, m_60_1=late)
    said = judge_c8(STUDY, found).reason
    assert (
        "comes later with less text" in said
        and "does not" not in said
        and "at 3,880 steps with 80–100% of it, at 6,280 with" in said
    )
    for some in ({}, {"m_60_1": late}, {"m_80_0": late, "m_60_0": late, "m_60_1": late}):
        assert "does not always come later" in judge_c8(STUDY, runs_of(zeros=early, **some)).reason
    runs = series(STUDY, runs_of())
    assert order_of_rises(runs, jumps(runs)[RELATIVE]) == ""


# C9


def test_more_of_all_three_agrees():
    result = judge_c9(STUDY, everything())
    assert result.outcome == "agrees"
    assert result.reason.startswith("on 100% of the text rather than 60%, by a line through all 5 pre-trainings, zeros")
    assert [clause.outcome for clause in result.clauses[:3]] == ["agrees"] * 3
    assert list(result.numbers) == [ZEROS, DENSE, PRUNED]
    assert result.numbers[DENSE].estimate.value == pytest.approx(5, abs=0.2)


@pytest.mark.parametrize(
    ("changed", "outcome", "quantity"),
    [
        (dict(zeros=-1_000), "differs", ZEROS),
        (dict(zeros=0), "differs", ZEROS),  # none at all: below 1% of them
        (dict(score=0.0, pruned=lambda _: 5.0), "differs", DENSE),
        (dict(score=0.5), "differs", DENSE),
        (dict(pruned=lambda _: -5.0), "differs", PRUNED),
    ],
)
def test_each_quantity_decides(changed, outcome, quantity):
    result = judge_c9(STUDY, everything(**changed))
    assert result.outcome == outcome
    assert next(clause for clause in result.clauses if clause.places == (quantity,)).outcome == outcome


def test_an_effect_that_is_there_and_too_small_has_its_own_words():
    text = judge_c9(STUDY, everything(score=0.5, pruned=lambda _: 5.0)).reason
    assert "of the right sign, far smaller than the 1 point that would matter" in text


def test_models_that_lose_nothing_do_not_test_the_pruned_score():
    """Curves that gain from pruning: whatever more text does to them, it says nothing of how well they prune."""
    result = judge_c9(STUDY, runs_of() | tunings(lambda model, s: 70 + 10 * s + 5 * more_of(STUDY, model)))
    assert PRUNED not in result.numbers
    assert Outcome.UNTESTABLE in [clause.outcome for clause in result.clauses]
    rising = judge_c9(STUDY, everything() | tunings(lambda model, s: 70 + 10 * s + 5 * more_of(STUDY, model)))
    assert (
        rising.needs and rising.outcome == "cannot be tested here"
    )  # the other two agree, and no more seeds would show the third
    one_gains = tunings(lambda model, s: 75 + (10 if model == "m-80-0" else -20) * s + 5 * more_of(STUDY, model))
    assert PRUNED not in judge_c9(STUDY, everything() | one_gains).numbers


def test_how_the_pre_trainings_ended_is_told():
    found, last = everything(), {"m-100-0": 3.1, "m-80-0": 3.1}
    for record in found.values():
        if "dynamics" in record.values:
            record.values["dynamics"]["held_out"] = [6.0] * (len(AT) - 1) + [last.get(record.spec.model, 2.8)]
    text = judge_c9(STUDY, found).reason
    assert "2.80 to 3.10 nats" in text and "two groups 0.30 apart" in text
    assert "two groups" not in judge_c9(STUDY, everything()).reason


def test_a_changed_record_changes_c9():
    found = everything()
    one = next(p for p in STUDY.pretrainings() if p.model == "m-100-1")
    found[one.id] = watched(one, {RELATIVE: lambda _: 3_000})
    assert judge_c9(STUDY, found).outcome == "inconclusive"


def test_models_in_between_count_and_other_readings_do_not():
    found = everything()
    middle = next(p for p in STUDY.pretrainings() if p.fraction == 0.8)
    found[middle.id] = watched(middle, {RELATIVE: lambda _: 39_000})
    assert judge_c9(STUDY, found).outcome == "inconclusive"  # the line no longer fits
    found = everything()
    fall = {p: {ABSOLUTE: lambda _, p=p: 9_000 * (1 - p.fraction)} for p in STUDY.pretrainings()}
    rise = {p: {RELATIVE: lambda _, p=p: 3_000 + 500 * p.fraction + p.seed} for p in STUDY.pretrainings()}
    assert judge_c9(STUDY, found | {p.id: watched(p, fall[p] | rise[p]) for p in fall}).outcome == "agrees"


def test_what_is_missing_leaves_c9_open():
    assert judge_c9(STUDY, {}).outcome == "not run yet"
    assert judge_c9(STUDY, runs_of()).outcome == "not run yet"
    assert judge_c9(dataclasses.replace(STUDY, scale="tiny"), everything()).outcome == "cannot be tested here"
    found = everything()
    del found[STUDY.trial("m-60-1", "t", Pruning(sparsity=0.3), 2).id]
    result = judge_c9(STUDY, found)
    assert result.outcome == "not run yet" and "1 of the 5 models compared lack records" in result.reason
    found = everything()
    one = STUDY.pretrainings()[-1]
    found[one.id] = watched(one, status="diverged", snapshots=20)
    assert judge_c9(STUDY, found).outcome == "not run yet"


def test_three_pre_trainings_or_one_amount_of_text_say_nothing():
    study = study_of((1.0, 0), (1.0, 1), (0.6, 0))
    few = judge_c9(study, everything(study=study))
    assert few.outcome == "cannot be tested here" and "4 pre-trainings or more" in few.needs
    alone = study_of((1.0, 0), (1.0, 1), (1.0, 2), (1.0, 3))
    assert judge_c9(alone, everything(study=alone)).outcome == "cannot be tested here"
    single = study_of((1.0, 0), (0.9, 0), (0.8, 0), (0.7, 0), (0.6, 0))  # as the paper has them
    assert judge_c9(single, everything(study=single)).outcome == "agrees"


def test_a_task_that_no_dense_model_learned_is_not_counted():
    found = runs_of() | tunings(lambda *_: 50.0)
    result = judge_c9(STUDY, found)
    assert result.outcome == "cannot be tested here" and "no dense model learned" in result.reason
    assert score_effects(STUDY, curves(STUDY, found)) == {}


def test_effects_are_means_over_models_in_percent_and_points():
    found = everything(zeros=1_000, score=5.0)
    zeros = zero_effects(STUDY, series(STUDY, found))[RELATIVE]
    assert zeros.values["m-100-0"] == pytest.approx(100 * 4_000 / WEIGHTS, abs=0.01)
    assert zeros.difference.value == pytest.approx(100 * 1_000 / WEIGHTS, abs=0.01)
    assert zeros.trend == pytest.approx(rank_correlation([(1, 4), (0.8, 3), (0.6, 1), (1, 5), (0.6, 2)]))
    dense = score_effects(STUDY, curves(STUDY, found))[0.0]
    assert dense.difference.value == pytest.approx(5, abs=0.1)
    assert dense.values["m-60-0"] == pytest.approx(75.2, abs=0.1)


def test_two_pre_trainings_have_no_line():
    study = study_of((1.0, 0), (0.6, 0))
    effect = zero_effects(study, series(study, everything(study=study)))[RELATIVE]
    assert len(effect.values) == 2 and not effect.difference.known


# Statistics of small samples


def test_the_ratio_that_shows_is_that_of_the_tables_of_t():
    for (more, less), quantile in {(2, 1): 12.7062, (2, 2): 4.3027, (3, 2): 3.1824, (61, 61): 1.9799}.items():
        assert detectable_ratio(more, less) == pytest.approx(quantile * math.sqrt(1 / more + 1 / less), abs=6e-5)


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (3, 3)])
def test_intervals_of_small_samples_hold_the_truth_as_often_as_they_say(sizes):
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(4_000):
        found = mean_difference(*(rng.normal(1 - i, 2, size).tolist() for i, size in enumerate(sizes)))
        held += found.low <= 1 <= found.high
    assert held / 4_000 == pytest.approx(0.95, abs=0.01)


#: The parts of the text of Figure 8's pre-trainings, two seeds at both ends.
FRACTIONS = (1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.6)


def c9_of(values, smallest=1.0):
    """The outcome of C9 of three quantities, each with a value for every pre-training."""
    return overall(outcomes_of(quantities_of(values, smallest)))


def quantities_of(values, smallest=1.0):
    return {
        name: Quantity(line=slope(list(zip(FRACTIONS, row, strict=True))), smallest=smallest, unit="points")
        for name, row in zip((ZEROS, DENSE, PRUNED), values, strict=True)
    }


@pytest.fixture
def quick_collections():
    """Keep multipletests, which collects garbage at every call, from going through all that is imported."""
    gc.freeze()
    yield
    gc.unfreeze()


def chance_outcomes(effect, shared, spread=1.0, bimodal=False, times=600):
    """How often each outcome comes of pre-trainings whose values rise by ``effect`` and scatter by ``spread``.

    Scores have a share of chance in common. Some pre-trainings may end in a group of their own, as two of seven did.
    """
    rng, line = np.random.default_rng(3), (np.array(FRACTIONS) - 0.6) / 0.4
    counts = dict.fromkeys(Outcome, 0)
    for _ in range(times):
        common, own = rng.normal(size=7), rng.normal(size=(3, 7))
        own[1:] = math.sqrt(shared) * common + math.sqrt(1 - shared) * own[1:]
        values = effect * line + spread * own + (4 * spread * (rng.random(7) < 2 / 7) if bimodal else 0)
        counts[c9_of(values.tolist())] += 1
    return {outcome: count / times for outcome, count in counts.items()}


@pytest.mark.slow
@pytest.mark.usefixtures("quick_collections")
@pytest.mark.parametrize("bimodal", [False, True])
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_where_the_text_has_the_smallest_effect_chance_seldom_makes_c9_differ(shared, bimodal):
    rates = chance_outcomes(effect=1.0, shared=shared, bimodal=bimodal)
    assert rates[Outcome.DIFFERS] <= 0.05


@pytest.mark.slow
@pytest.mark.usefixtures("quick_collections")
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_where_the_text_does_nothing_c9_seldom_agrees_and_differs_once_runs_scatter_little(shared):
    assert chance_outcomes(effect=0.0, shared=shared)[Outcome.AGREES] <= 0.025
    few = chance_outcomes(effect=0.0, shared=shared, spread=0.2, times=200)
    assert few[Outcome.DIFFERS] > 0.8 and few[Outcome.AGREES] <= 0.025
    assert chance_outcomes(effect=4.0, shared=shared, spread=0.5, times=200)[Outcome.AGREES] > 0.9


def test_holms_adjustment_asks_more_of_three_tests_than_of_one():
    row = [0.0, 0.9, 0.2, -0.4, 0.5, -0.3, 0.6]
    quantity = quantities_of([row] * 3, smallest=1.5)[DENSE]
    p = quantity.line.p_at_least(1.5)
    assert 0.025 / 3 < p < 0.025
    assert outcomes_of({DENSE: quantity})[DENSE] == Outcome.DIFFERS
    all_alike = outcomes_of(quantities_of([row] * 3, smallest=1.5))
    assert set(all_alike.values()) == {Outcome.INCONCLUSIVE}


def test_the_p_value_is_that_of_a_t_test_of_the_slope():
    values = [3.0, 2.0, 2.5, 1.0, 1.5, 0.5, 0.0]
    line = slope(list(zip(FRACTIONS, values, strict=True)))
    reference = linregress(FRACTIONS, values)
    assert line.change.value == pytest.approx(0.4 * reference.slope)
    assert 2 * (1 - line.p_at_least(0.0)) == pytest.approx(reference.pvalue)
    assert line.p_at_least(line.change.high) == pytest.approx(0.025)
    flat = slope([(0.6, 1.0), (0.8, 1.0), (1.0, 1.0)])
    assert (flat.p_at_least(1.0), flat.p_at_least(-1.0)) == (0.0, 1.0)


def test_rank_correlation_is_that_of_the_ranks():
    assert rank_correlation([(1, 1), (2, 10), (3, 100)]) == pytest.approx(1)
    assert rank_correlation([(1, 1), (1, 2), (2, 0), (2, -1)]) == pytest.approx(-2 / math.sqrt(5))
    assert math.isnan(rank_correlation([(1, 1), (1, 2)]))
    assert math.isnan(rank_correlation([]))


def test_an_interval_that_touches_zero_is_not_above_it():
    assert above_zero(mean_difference([1.0, 1.0], [1.0, 1.0])) == "inconclusive"
