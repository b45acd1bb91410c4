"""How much scores vary from one training to the next, against formulas worked out by hand."""

import numpy as np
import pytest

from essparse_lib.analysis.estimate import RESAMPLES
from essparse_lib.analysis.noise import FLOOR_UP_TO, LEAST_SD, training_noise, training_variance
from essparse_lib.specs.study import TENTHS

FLOOR = LEAST_SD**2


def still(scores):
    """Return resamples that are all alike: the choice of examples explains nothing."""
    return np.repeat(scores[None], 2, axis=0)


def swinging(size):
    """Return scores of two seeds at several levels whose residuals are ``size`` at each level, in points."""
    size = np.array(size)
    return 80 + np.stack([size, -size])


def test_it_is_the_residual_variance_of_seeds_and_levels_less_what_examples_explain():
    # level means 81 and 73, effects of the seeds −2 and 2: the residuals are ±1, with one of four degrees of freedom
    scores = np.array([[80.0, 70.0], [82.0, 76.0]])
    assert training_variance(scores, still(scores), np.array([0.0, 0.5])) == pytest.approx([4, 4])
    # in each resample the residuals of what the examples change are ±0.5
    change = np.array([[0.5, -0.5], [-0.5, 0.5]])
    resampled = np.stack([scores + change, scores - change, scores + 3 + change])
    assert training_variance(scores, resampled, np.array([0.0, 0.5])) == pytest.approx([3, 3])


def test_it_is_half_the_variance_of_a_drop():
    generator = np.random.default_rng(0)
    scores = generator.normal(80, 3, size=(5, 2))
    drops = scores[:, 0] - scores[:, 1]
    expected = drops.var(ddof=1) / 2
    assert training_variance(scores, still(scores), np.array([0.0, 0.5])) == pytest.approx([expected] * 2)


def test_on_average_it_is_right():
    generator = np.random.default_rng(0)
    levels, means = np.linspace(0, 0.5, 6), []
    for _ in range(300):
        scores = 80 + generator.normal(0, 5, size=(3, 1)) + generator.normal(0, 2, size=(3, 6))
        means.append(training_variance(scores, still(scores), levels).mean())
    assert np.mean(means) == pytest.approx(4, rel=0.1)  # three standard errors


def test_what_a_seed_or_a_level_changes_everywhere_is_no_noise():
    scores = 80 + np.array([[-3.0], [0.0], [5.0]]) - np.array([0.0, 2.0, 9.0, 30.0])
    variances = training_variance(scores, still(scores), np.array([0, 0.2, 0.5, 0.9]))
    assert variances == pytest.approx([FLOOR] * 4)


def test_it_never_falls_with_sparsity_in_whatever_order_levels_come():
    generator = np.random.default_rng(1)
    levels = np.array([0.0, 0.7, 0.1, 0.3, 0.5])
    scores = 80 + generator.normal(size=(4, 5)) * np.array([1, 6, 3, 2, 1])
    variances = training_variance(scores, still(scores), levels)
    assert (np.diff(variances[np.argsort(levels)]) >= 0).all()
    back = training_variance(scores[:, ::-1], still(scores[:, ::-1]), levels[::-1])
    assert variances[::-1] == pytest.approx(back)


def test_prunings_of_one_sparsity_have_one_variance():
    generator = np.random.default_rng(2)
    levels = np.array([0.0, 0.3, 0.3, 0.6, 0.3])
    scores = 80 + generator.normal(size=(4, 5)) * np.array([1, 1, 4, 8, 2])
    variances = training_variance(scores, still(scores), levels)
    assert variances[1] == variances[2] == variances[4]


def test_the_least_is_a_fifth_of_a_point():
    scores = np.full((3, 4), 80.0)
    assert training_variance(scores, still(scores), np.array([0, 0.3, 0.6, 0.9])) == pytest.approx([FLOOR] * 4)


def test_no_level_has_less_than_half_the_mean_up_to_where_models_collapse():
    levels = np.array([0.0, 0.2, 0.4, FLOOR_UP_TO, 0.8])
    calm, rough = swinging([0, 0, 1, 4, 0]), swinging([0, 0, 1, 4, 300])
    raw = residual_variances(calm)
    variances = training_variance(calm, still(calm), levels)
    assert variances.min() == pytest.approx(max(raw[:4].mean() / 2, rising(raw)[0]))
    # what happens beyond reaches the levels below by the effect of the seed alone
    raw = residual_variances(rough)
    variances = training_variance(rough, still(rough), levels)
    assert variances.min() == pytest.approx(max(raw[:4].mean() / 2, rising(raw)[0]))
    assert variances[-1] == pytest.approx(raw[-1])


def residual_variances(scores):
    """Return the residual variances of a whole table, level by level."""
    seeds, levels = scores.shape
    residuals = scores - scores.mean(0) - scores.mean(1)[:, None] + scores.mean()
    return (residuals**2).sum(0) * levels / ((seeds - 1) * (levels - 1))


def rising(values):
    """Return the nearest values that never fall, by the formula with minima and maxima (Barlow et al. 1972)."""
    spans = range(len(values))
    return [max(min(np.mean(values[a : b + 1]) for b in spans[i:]) for a in spans[: i + 1]) for i in spans]


def test_it_is_the_largest_of_its_three_parts():
    generator = np.random.default_rng(3)
    levels = np.arange(10) / 10
    for _ in range(20):
        scores = 80 + generator.normal(size=(3, 10)) * np.linspace(0.1, 3, 10)
        resampled = scores + generator.normal(0, 0.3, size=(40, 3, 10))
        explained = np.mean([residual_variances(each - scores) for each in resampled], axis=0)
        raw = residual_variances(scores) - explained
        expected = np.maximum(rising(raw), max(raw[:7].mean() / 2, FLOOR))
        assert training_variance(scores, resampled, levels) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(1, 4), (1, 1)])
def test_one_seed_tells_nothing(shape):
    scores = np.full(shape, 80.0)
    assert training_variance(scores, still(scores), np.linspace(0, 0.9, shape[1])).tolist() == [0.0] * shape[1]


@pytest.mark.parametrize("level", [0.0, 0.9])
def test_one_level_has_the_variance_of_its_scores(level):
    scores = np.array([[80.0], [82.0], [87.0]])
    variances = training_variance(scores, still(scores), np.array([level]))
    assert variances == pytest.approx([scores.var(ddof=1)])


def test_missing_trials_are_left_out():
    generator = np.random.default_rng(4)
    levels = np.arange(8) / 10
    means = []
    for _ in range(200):
        scores = 80 + generator.normal(0, 2, size=(4, 8))
        scores[generator.integers(4), 1 + generator.integers(7)] = np.nan
        variances = training_variance(scores, still(scores), levels)
        assert (variances >= FLOOR).all()
        means.append(variances.mean())
    assert np.mean(means) == pytest.approx(4, rel=0.1)


def test_where_trials_are_missing_so_that_no_freedom_is_left_nothing_is_told():
    scores = np.array([[80.0, 79.0], [82.0, np.nan]])
    assert training_variance(scores, still(scores), np.array([0, 0.5])).tolist() == [0.0, 0.0]


def test_draws_are_those_of_a_mean_over_the_seeds():
    drawn = training_noise(np.array([4.0, 9.0, 0.0]), np.array([4, 1, 3]), "m t one-shot")
    assert drawn.shape == (RESAMPLES, 3)
    assert drawn.std(0) == pytest.approx([1, 3, 0], rel=0.06)
    assert np.abs(drawn.mean(0)).max() < 0.25
    assert abs(np.corrcoef(drawn[:, :2].T)[0, 1]) < 0.08


def test_one_name_has_one_set_of_draws_and_other_names_others():
    arguments = np.ones(1), np.ones(1, dtype=int)
    names = ["m t one-shot", "m u one-shot", "n t one-shot", "m t lottery"]
    drawn = [training_noise(*arguments, name)[:, 0] for name in names]
    assert (training_noise(*arguments, names[0])[:, 0] == drawn[0]).all()
    others = np.corrcoef(drawn)[np.triu_indices(len(names), 1)]
    assert np.abs(others).max() < 0.08  # three and a half standard errors


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_seeds_that_differ_leave_the_variance_alone_where_trials_are_missing(missing):
    generator = np.random.default_rng(3)
    levels = np.array(TENTHS)
    variances = []
    for _ in range(200):
        scores = 80 + generator.normal(0, 5, (4, 1)) + generator.normal(0, 1, (4, len(levels)))
        scores.flat[generator.choice(scores.size, missing, replace=False)] = np.nan
        resampled = np.repeat(scores[None], 3, axis=0)  # the choice of examples explains nothing
        variances.append(training_variance(scores, resampled, levels).mean())
    assert np.mean(variances) == pytest.approx(1.0, abs=0.12)
