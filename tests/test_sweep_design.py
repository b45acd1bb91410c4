"""The design of a sweep: which levels and seeds come next, and what the answer is."""

import math

import numpy as np
import pytest
import sweep_coverage
from helpers import answered, curve_records, knee_at

from essparse_lib.analysis.estimate import Estimate
from essparse_lib.errors import InputError
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Training
from essparse_lib.sweeps.answer import UNMEASURED, Answer, Outcome, answer
from essparse_lib.sweeps.design import COARSE, FURTHER, Cells, Limits, first, following
from essparse_lib.sweeps.settings import SweepSettings
from essparse_lib.sweeps.study import SweepStudy
from essparse_lib.sweeps.tolerance import Tolerance
from essparse_lib.sweeps.words import reason, sentence

POINT = Tolerance(1.0)
LIMITS = Limits(seeds=3, most_seeds=6, precision=0.1)
STUDY = SweepStudy(
    model="m",
    task="t",
    training=Training(epochs=1, batch_size=8, learning_rate=1e-3, max_length=16),
    method="magnitude",
    scope="global",
    timing="before",
)


def ends(accuracy, noise=0.0, limits=LIMITS):
    """Run a design on made-up records; return its cells, its answer and its curve."""
    every = Cells().with_levels(0.0, *(round(0.01 * n, 2) for n in range(1, 96)), seeds=limits.most_seeds)
    records = curve_records(accuracy, range(limits.most_seeds), made_up(every), noise)
    cells = first(limits)
    while cells is not None:
        design = cells
        curve = STUDY.curve(records, design)
        found = answer(curve, POINT, limits.precision)
        cells = following(design, found, limits)
    return design, found, curve


def made_up(cells):
    """Return the study of some cells with the names that made-up records have."""
    return Study(
        figure="sweep",
        scale="lab",
        models=("m",),
        tasks=("t",),
        training={"*": STUDY.training},
        variants={"one-shot": at_sparsities(cells.levels)},
        seeds=tuple(sorted({seed for seed, _ in cells})),
    )


def wide(low, value, high, **options):
    return Answer(outcome=Outcome.WIDE, essential=Estimate(value, low, high), **options)


def test_coarse_levels_come_first_for_all_seeds():
    assert list(first(LIMITS)) == [(0, 0.0), (1, 0.0), (2, 0.0)]
    second = following(first(LIMITS), UNMEASURED, LIMITS)
    assert second.levels == [0.0, *COARSE]
    assert len(list(second)) == 15


def test_then_the_gaps_of_the_interval_are_halved_until_they_are_narrow():
    cells = Cells().with_levels(0.0, *COARSE, seeds=3)
    added = []
    for _ in range(7):
        further = following(cells, wide(0.4, 0.43, 0.8), LIMITS)
        added += sorted(set(further.levels) - set(cells.levels))
        cells = further
    assert added[:2] == [0.5, 0.45]  # where the number lies
    assert sorted(added) == [0.45, 0.5, 0.55, 0.65, 0.7, 0.75] or len(added) == 7
    assert np.diff(cells.levels)[2:].max() == pytest.approx(0.05)


def test_then_seeds_come_in_the_interval_and_of_the_dense_model():
    cells = Cells().with_levels(0.0, 0.2, 0.4, 0.45, 0.5, 0.6, 0.8, seeds=3)
    more = following(cells, wide(0.4, 0.43, 0.5, seeds=9), LIMITS)
    assert {level for level, seeds in more.seeds_of.items() if 3 in seeds} == {0.0, 0.4, 0.45, 0.5}
    assert [seed for seed, level in more if level == 0.8] == [0, 1, 2]


def test_where_no_level_surely_loses_too_much_higher_ones_come_first():
    cells = Cells().with_levels(0.0, *COARSE, seeds=3)
    assert following(cells, wide(0.2, 0.5, 1.0), LIMITS).levels[-1] == FURTHER[0]


def test_seeds_end_at_the_most_and_where_examples_are_too_few():
    six = Cells().with_levels(0.0, 0.4, 0.45, 0.5, seeds=6)
    assert following(six, wide(0.4, 0.43, 0.5, seeds=9), LIMITS) is None
    five = Cells().with_levels(0.0, 0.4, 0.45, 0.5, seeds=5)
    assert following(five, wide(0.4, 0.43, 0.5, examples=9000), LIMITS) is None
    assert following(five, wide(0.4, 0.43, 0.5, seeds=9), LIMITS) is not None


def test_few_seeds_are_not_believed_even_where_they_agree():
    three = Cells().with_levels(0.0, *COARSE, seeds=3)
    resolved = Answer(outcome=Outcome.RESOLVED, essential=Estimate(0.43, 0.41, 0.45))
    assert len({seed for seed, _ in following(three, resolved, LIMITS)}) == 4
    single = Limits(seeds=1, most_seeds=1, precision=0.1)  # where nothing is drawn
    assert following(Cells().with_levels(0.0, *COARSE, seeds=1), resolved, single) is None


def test_a_model_that_learned_nothing_is_not_pruned():
    cells, found, _ = ends(lambda sparsity: 50.0)
    assert (cells.levels, found.outcome) == ([0.0], Outcome.NOT_LEARNED)


def test_one_seed_that_fails_does_not_hide_that_the_others_learned():
    limits = Limits(seeds=2, most_seeds=10, precision=0.5)
    dense = first(limits)
    trials = {seed: STUDY.spec(0.0, seed) for seed in range(10)}
    scores = [90.0, 50.0, *[90.0] * 8]
    while dense.levels == [0.0]:
        records = {trials[seed].id: answered(trials[seed], scores[seed]) for seed, _ in dense}
        found = answer(STUDY.curve(records, dense), POINT, limits.precision)
        before, dense = dense, following(dense, found, limits)
    assert len(list(before)) < 10 and dense.levels == [0.0, *COARSE]
    few = Limits(seeds=2, most_seeds=2, precision=0.5)
    records = {trials[seed].id: answered(trials[seed], scores[seed]) for seed in range(2)}
    curve = STUDY.curve(records, first(few))
    found = answer(curve, POINT, few.precision)
    assert found.outcome is Outcome.NOT_LEARNED and following(first(few), found, few) is None
    assert "it is not sure that there is anything to lose" in sentence(
        "m", "d", found, SweepSettings().rule, POINT, curve
    )
    assert "seeds would show that it did" in reason(found, first(few), 0, SweepSettings(), True)


def test_a_model_that_loses_nothing_is_pruned_further_and_gets_a_lower_bound():
    cells, found, curve = ends(lambda sparsity: 90.0)
    assert (cells.levels[-1], found.outcome) == (FURTHER[-1], Outcome.NEVER)
    assert found.essential == Estimate(FURTHER[-1], FURTHER[-1], 1.0)
    assert sentence("m", "d", found, SweepSettings().rule, POINT, curve).startswith("At least 95%")


@pytest.mark.parametrize("knee", [0.1, 0.35, 0.62, 0.78])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_it_ends_at_the_place_where_the_loss_is_reached(knee, noise):
    _, found, _ = ends(knee_at(knee, slope=120.0), noise)
    assert found.outcome is Outcome.RESOLVED
    assert found.essential.low - 1e-9 <= knee + 1 / 120 <= found.essential.high + 1e-9
    assert found.width <= LIMITS.precision


def test_an_interval_lies_between_levels_that_surely_lose_less_and_more():
    cells = Cells().with_levels(0.0, 0.2, 0.6, seeds=3)
    records = curve_records(knee_at(0.2, slope=120.0), range(3), made_up(cells))
    essential = answer(STUDY.curve(records, cells), POINT, 0.1).essential
    assert (essential.low, essential.high) == (0.2, 0.6)
    assert essential.value == pytest.approx(0.2 + 0.4 / 48, abs=1e-4)


def test_one_seed_is_no_answer():
    cells = Cells().with_levels(0.0, 0.2, 0.6, seeds=1)
    records = curve_records(knee_at(0.2), range(1), made_up(cells))
    assert answer(STUDY.curve(records, cells), POINT, 0.1) == UNMEASURED


def test_what_it_takes_is_said_where_an_interval_stays_wide():
    cells, found, _ = ends(knee_at(0.4, slope=20.0), noise=2.0)
    assert found.outcome is Outcome.WIDE
    text = reason(found, cells, 0, SweepSettings(), last=True)
    assert "wider than the 20 asked for" in text
    assert ("seeds would do" in text) or ("test examples would do" in text)


def test_records_of_other_settings_do_not_count():
    cells = first(LIMITS)
    records = curve_records(knee_at(0.3), range(3), made_up(cells))
    other = SweepStudy(**{**vars(STUDY), "training": Training(epochs=2, batch_size=8, learning_rate=1e-3)})
    assert STUDY.curve(records, cells) is not None
    assert other.curve(records, cells) is None


@pytest.mark.parametrize(
    ("text", "value", "relative"), [("1", 1.0, False), ("1%", 1.0, True), (" 0.5 % ", 0.5, True), (2, 2.0, False)]
)
def test_a_tolerance_is_read(text, value, relative):
    assert Tolerance.read(text) == Tolerance(value, relative)


@pytest.mark.parametrize("text", ["", "%", "0", "-1", "101", "nan", "1 point", "1%%", None, True, [1], math.inf])
def test_a_tolerance_is_refused_in_one_line(text):
    with pytest.raises(InputError, match="epsilon .* is not allowed"):
        Tolerance.read(text)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "none"},
        {"scope": "layers"},
        {"method": "wanda", "scope": "layer"},
        {"timing": "during"},
        {"method": "lottery", "timing": "after"},
        {"precision": 0},
        {"precision": 51},
        {"precision": "20"},
        {"seeds": 1},
        {"seeds": 5, "most_seeds": 4},
        {"epochs": 0},
        {"batch_size": 1.5},
        {"learning_rate": 0},
        {"max_length": 0},
        {"max_train": -1},
    ],
)
def test_settings_are_checked_at_once(options):
    with pytest.raises(InputError):
        SweepSettings(**options)


@pytest.mark.parametrize(("examples", "epochs"), [(100, 10), (1500, 4), (3000, 3), (10**6, 3)])
def test_few_examples_are_seen_more_often(examples, epochs):
    training = SweepSettings().training(examples, usual_length=64)
    assert training.epochs == epochs
    assert training.max_train == (None if examples <= 20_000 else 20_000)


def test_a_perplexity_has_no_points():
    assert SweepSettings().tolerated(fine_tuned=False) == Tolerance(1.0, relative=True)
    assert SweepSettings(tolerance="2%").tolerated(fine_tuned=False).nats == pytest.approx(math.log(1.02))
    with pytest.raises(InputError, match="give percent, as 2%"):
        SweepSettings(tolerance=2).tolerated(fine_tuned=False)


@pytest.mark.slow
def test_intervals_of_sweeps_hold_the_truth():
    settings = SweepSettings()
    truth = sweep_coverage.true_value("agrees", settings)
    sweeps = [
        sweep_coverage.swept(np.random.default_rng([number, 1]), settings, 1000, "agrees", 1.0)[0]
        for number in range(30)
    ]
    held = sum(sweep_coverage.holds(each.essential, truth) for each in sweeps)
    assert held >= 25  # of 95%, fewer than 25 come once in some 5,000 times
