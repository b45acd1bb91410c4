"""Effects on several tasks together, against formulas worked out by hand, and the outcomes that follow."""

import math

import numpy as np
import pytest
from scipy.stats import norm, t

from essparse_lib.analysis.estimate import RESAMPLES, Estimate
from essparse_lib.analysis.pooled import Effect, Range, beyond, for_new_task, mean_effect, on_average
from essparse_lib.claims.rules import average_outcome, three_statements, within
from essparse_lib.claims.verdict import Outcome

AT_MOST_ONE = Range(high=1.0)
AGREES, DIFFERS, INCONCLUSIVE = Outcome.AGREES, Outcome.DIFFERS, Outcome.INCONCLUSIVE


def effect(value, error, task="t", model="m"):
    """Return an effect whose resamples are normal, with exactly this standard error, independent of other places'."""
    drawn = np.random.default_rng(list(f"{model} {task}".encode())).normal(size=RESAMPLES)
    drawn = (drawn - drawn.mean()) / drawn.std()
    return Effect(model=model, task=task, value=value, resampled=value + error * drawn)


def effects(values, error):
    """Return an effect on each of so many tasks, of one standard error."""
    return [effect(value, error, task=f"t{i}") for i, value in enumerate(values)]


def half_width(estimate):
    return (estimate.high - estimate.low) / 2


# On average over these tasks


def test_the_mean_of_independent_effects_has_the_error_of_their_sum():
    errors = [0.3, 0.5, 1.1, 0.2]
    several = [effect(value, error, f"t{i}") for i, (value, error) in enumerate(zip([1, 2, 0, 5], errors, strict=True))]
    mean = on_average(several)
    assert mean.value == pytest.approx(2)
    assert half_width(mean) == pytest.approx(1.96 * math.sqrt(sum(e**2 for e in errors)) / 4, rel=0.05)
    assert (mean.low + mean.high) / 2 == pytest.approx(2)


def test_effects_on_one_test_set_are_paired():
    one, other = effect(1.0, 0.5), -effect(1.0, 0.5)
    assert half_width(on_average([one, other])) == pytest.approx(0)
    assert half_width(on_average([one, one])) == pytest.approx(1.96 * 0.5, rel=1e-3)


def test_a_mean_is_an_effect_and_one_effect_is_its_own_mean():
    one = effect(1.5, 0.4)
    assert mean_effect([one]).value == 1.5 and mean_effect([one]).error == pytest.approx(0.4)
    assert on_average([-one]) == -on_average([one])


# For a new task


def test_the_prediction_for_a_new_task_is_that_worked_out_by_hand():
    # Of equal errors Paule and Mandel's variance is the sample variance less the errors' square, and Hartung and
    # Knapp's error of the mean that of a sample of values.
    values, error = [0.0, 1.0, 2.0, 5.0], 0.5
    sample_variance = 14 / 3
    new_task = for_new_task(effects(values, error))
    assert new_task.sources == 4
    assert new_task.spread == pytest.approx(math.sqrt(sample_variance - error**2), rel=1e-3)
    margin = t.ppf(0.975, 2) * math.sqrt(sample_variance - error**2 + sample_variance / 4)
    assert new_task.prediction.value == pytest.approx(2, abs=1e-3)
    assert half_width(new_task.prediction) == pytest.approx(margin, rel=1e-3)


def test_tasks_that_agree_better_than_by_chance_do_not_shrink_the_error_of_the_mean():
    new_task = for_new_task(effects([1.0] * 5, 0.6))
    assert new_task.spread == 0
    assert half_width(new_task.prediction) == pytest.approx(t.ppf(0.975, 3) * 0.6 / math.sqrt(5), rel=1e-3)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_tasks_say_nothing_of_a_new_one(count):
    new_task = for_new_task(effects([0.0] * count, 0.1))
    assert not new_task.prediction.has_interval and not new_task.prediction.known
    assert math.isnan(new_task.spread) and new_task.sources == count


def test_tasks_of_the_same_texts_count_as_one():
    movie, sst2 = effect(0.2, 0.4, "movie-reviews"), effect(1.0, 0.6, "sst2")
    others = effects([0.1, 2.0], 0.5)
    new_task = for_new_task([movie, sst2, *others])
    assert new_task.sources == 3
    assert new_task == for_new_task([mean_effect([movie, sst2]), *others])
    assert not for_new_task([movie, sst2, others[0]]).prediction.known


def test_models_on_one_task_are_averaged():
    several = [
        effect(value, 0.5, task, model) for value, task, model in [(0, "t0", "m"), (2, "t0", "n"), (3, "t1", "m")]
    ]
    third = effect(1.0, 0.5, "t2")
    assert for_new_task([*several, third]) == for_new_task([mean_effect(several[:2]), several[2], third])


# Which lie outside


def holm(p_values, level):
    """Return which hypotheses Holm (1979) rejects: step by step, from the least p-value, until one is kept."""
    order, rejected = np.argsort(p_values), [False] * len(p_values)
    for step, place in enumerate(order):
        if p_values[place] > level / (len(p_values) - step):
            break
        rejected[place] = True
    return rejected


@pytest.mark.parametrize(
    "scores", [(2.3, 2.0), (2.1, 2.1), (3.0, 2.1, 1.0), (2.5, 2.3, 2.0), (5, -5, 0), (2.0,), (1.9,)]
)
def test_what_lies_outside_is_told_by_holms_correction(scores):
    several = effects([1 + 0.4 * score for score in scores], 0.4)
    assert beyond(several, AT_MOST_ONE) == holm(norm.sf(scores), 0.025)


def test_two_sides_of_a_range_are_alike():
    allowed = Range(low=-1, high=1)
    assert beyond(effects([3.0, -3.0, 0.0], 0.5), allowed) == [True, True, False]
    assert beyond([], allowed) == []


def test_an_effect_without_error_is_outside_as_soon_as_its_value_is():
    assert beyond(effects([1.01, 1.0], 0.0), AT_MOST_ONE) == [True, False]


# From effects to outcomes


@pytest.mark.parametrize(
    ("allowed", "low", "high", "outcome"),
    [
        (Range(high=1), -9, 1, AGREES),  # the ends belong to the range
        (Range(high=1), 0.5, 1.5, INCONCLUSIVE),
        (Range(high=1), 1, 2, INCONCLUSIVE),
        (Range(high=1), 1.1, 2, DIFFERS),
        (Range(low=-1, high=1), -1, 1, AGREES),
        (Range(low=-1, high=1), -2, 2, INCONCLUSIVE),
        (Range(low=-1, high=1), -2, -1.1, DIFFERS),
        (Range(low=2), 2, 50, AGREES),
        (Range(low=2), 1, 1.9, DIFFERS),
        (Range(), -50, 50, AGREES),
    ],
)
def test_an_interval_lies_in_a_range_or_outside_or_in_both(allowed, low, high, outcome):
    assert within(Estimate((low + high) / 2, low, high), allowed) == outcome


@pytest.mark.parametrize(
    ("means", "outcome"),
    [
        ([0.0], AGREES),
        ([1.0], INCONCLUSIVE),
        ([2.0], DIFFERS),
        ([0.0, 0.1], AGREES),
        ([0.0, 1.0], INCONCLUSIVE),
        ([0.0, 2.0], DIFFERS),
        # 2.1 standard errors above: enough for one mean, not for one of two
        ([1 + 2.1 * 0.2], DIFFERS),
        ([0.0, 1 + 2.1 * 0.2], INCONCLUSIVE),
    ],
)
def test_the_verdict_is_that_of_the_means(means, outcome):
    pools = [[effect(mean, 0.2, f"t{i}")] for i, mean in enumerate(means)]
    assert average_outcome(pools, AT_MOST_ONE) == outcome


def outcomes(values, error, **options):
    return tuple(statement.outcome for statement in three_statements(effects(values, error), AT_MOST_ONE, **options))


@pytest.mark.parametrize(
    ("values", "error", "expected"),
    [
        ([0.0, 0.1, 0.0, 0.1, 0.0], 0.1, (AGREES, AGREES, AGREES)),
        ([5.0, 5.1, 5.0, 5.1, 5.0], 0.1, (DIFFERS, DIFFERS, DIFFERS)),
        ([1.0] * 5, 0.5, (INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE)),
        # the mean is decided, where one task and a new one are not
        ([-1.0, 0.0, 0.0, 0.9], 0.2, (AGREES, INCONCLUSIVE, INCONCLUSIVE)),
        # one task of several is beyond, which the mean does not show
        ([-4.0, -4.0, -4.0, 3.0], 0.2, (AGREES, INCONCLUSIVE, DIFFERS)),
        # of two tasks nothing follows for a third
        ([0.0, 0.0], 0.1, (AGREES, INCONCLUSIVE, AGREES)),
    ],
)
def test_the_three_statements_have_outcomes_of_their_own(values, error, expected):
    assert outcomes(values, error) == expected


def places(values, error, **options):
    return three_statements(effects(values, error), AT_MOST_ONE, **options)[2].places


def test_the_last_statement_names_where_it_is_not_so():
    assert places([0.0, 0.0, 4.0], 0.2) == ("t2",)  # beyond
    assert places([0.0, 1.0, 0.0], 0.2) == ("t1",)  # open
    assert places([1.0, 1.0], 0.2) == ()  # all are open
    assert places([0.0, 0.0], 0.2) == ()  # it is so everywhere


def test_several_models_are_named_with_their_tasks():
    several = [effect(0.0, 0.1, "t", "m"), effect(4.0, 0.1, "t", "n")]
    assert three_statements(several, AT_MOST_ONE)[2].places == ("n on t",)


def test_everywhere_may_be_judged_by_other_effects_than_the_mean():
    single = [("t0 at 10%", effect(0.0, 0.1)), ("t0 at 40%", effect(4.0, 0.1))]
    statements = three_statements(effects([0.0, 0.0, 0.0], 0.1), AT_MOST_ONE, single=single)
    assert [each.outcome for each in statements] == [AGREES, AGREES, DIFFERS]
    assert statements[2].places == ("t0 at 40%",)
