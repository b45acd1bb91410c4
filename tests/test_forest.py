"""Forest plots and noise floors: variances come apart as they were put together, and what is drawn is what counts."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import SETTINGS, digits

from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.differences import Components, Difference, pooled_components
from essparse_lib.analysis.noise import NoiseReading
from essparse_lib.analysis.noise_floor import MOST_SEEDS, core_hours, least_seeds, need, noise_floor
from essparse_lib.analysis.pooled import Range
from essparse_lib.claims import c01_essential_sparsity, c02_free_weights, c06_n_m_patterns, c10_tickets_like_one_shot
from essparse_lib.claims.pools import Pool, Reason, Uncounted, deciding
from essparse_lib.figures import forest_plots, noise_tables, within_panels
from essparse_lib.figures.fig5 import VARIANTS as PATTERNS
from essparse_lib.records.store import Record
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Pruning

#: Test examples of a made-up record, and the share that a dense model gets right.
EXAMPLES, RIGHT = 1000, 0.9
ALLOWED = Range(high=1.0)
DENSE, PRUNED = Pruning(), Pruning(sparsity=0.3)


def study_of(*tasks, models=("m",), seeds=(0, 1, 2), variants=None, figure="fig2"):
    options = {} if variants is None else {"variants": variants}
    return Study(figure=figure, scale="lab", models=models, tasks=tasks, training=SETTINGS, seeds=seeds, **options)


def flipped(study, *, training=0.0, flips=0.05, drop=lambda task, pruning: 60 * max(0, pruning.sparsity - 0.3)):
    """Return records, 90% right less ``drop(task, pruning)`` points, whose parts of variance are known.

    Each trial has a shift of standard deviation ``training`` points. In each a share ``flips`` of the answers is drawn
    anew; in the others the same examples are the first to go wrong.
    """
    records = {}
    for trial in study.trials():
        names = f"{trial.model} {trial.task}".encode()
        hardness = np.random.default_rng([1, *names]).permutation(EXAMPLES) / EXAMPLES
        generator = np.random.default_rng([2, trial.seed, *str(trial.pruning).encode(), *names])
        level = RIGHT - drop(trial.task, trial.pruning) / 100 + generator.normal(0, training) / 100
        drawn = generator.random(EXAMPLES) < flips
        right = np.where(drawn, generator.random(EXAMPLES) < level, hardness < level)
        labels = np.arange(EXAMPLES) % 2
        records[trial.id] = Record(
            spec=trial,
            status="ok",
            metrics={"accuracy": 100 * float(right.mean()), "steps": 100},
            predictions=digits(np.where(right, labels, 1 - labels)),
            labels=digits(labels),
            provenance={"seconds": 36.0, "threads": 2},
        )
    return records


def no_drop(task, pruning):
    return 0.0


def differences(study, records, pruning=PRUNED):
    return [Difference(curve=curve, pairs=((DENSE, pruning),)) for curve in curves(study, records)]


def c1_pools(study, records):
    return c01_essential_sparsity.pools(study, curves(study, records))


# Parts of variance


def test_training_and_flips_come_apart_as_they_were_put_together():
    study = study_of("a", "b", "c", seeds=range(10))
    flips, sd = 0.2, 1.5
    parts = [d.components for d in differences(study, flipped(study, training=sd, flips=flips, drop=no_drop))]
    means = [(1 - flips) * given + flips * RIGHT for given in (1, 0)]  # of an answer that is given as right, or wrong
    of_an_answer = sum(share * mean * (1 - mean) for share, mean in zip((RIGHT, 1 - RIGHT), means, strict=True))
    assert np.mean([part.training for part in parts]) == pytest.approx(2 * sd**2, rel=0.2)
    assert np.mean([part.interaction for part in parts]) == pytest.approx(2 * 100**2 * of_an_answer / EXAMPLES, rel=0.2)
    assert all(part.choice < 0.1 * part.interaction for part in parts)


def test_which_examples_are_lost_is_the_choice_of_examples():
    study = study_of("a", seeds=range(4))
    (difference,) = differences(study, flipped(study, flips=0.0, drop=lambda task, pruning: 20 * (pruning == PRUNED)))
    parts = difference.components
    assert parts.choice == pytest.approx(100**2 * 0.2 * 0.8 / EXAMPLES, rel=0.1)
    assert parts.interaction == pytest.approx(0, abs=0.01 * parts.choice)


@pytest.mark.parametrize("seeds", [2, 3, 8])
def test_the_parts_make_up_the_error_of_one_difference_and_of_a_mean(seeds):
    study = study_of("a", "b", models=("m", "n"), seeds=range(seeds))
    group = differences(study, flipped(study, training=0.5))
    for difference in group:
        assert difference.components.variance(seeds) == pytest.approx(difference.effect().error ** 2, rel=0.15)
    mean = Pool(of="at 30%", allowed=ALLOWED, counted=tuple(group)).mean
    error = (mean.high - mean.low) / 2 / 1.96
    assert pooled_components(group).variance(seeds) == pytest.approx(error**2, rel=0.15)


def test_a_mean_over_pairs_has_the_parts_of_what_it_is_the_mean_of():
    pairs = tuple((DENSE, Pruning(sparsity=sparsity)) for sparsity in (0.1, 0.2, 0.3))
    study = study_of("a", seeds=range(6))
    (curve,) = curves(study, flipped(study, training=1.0))
    mean = Difference(curve=curve, pairs=pairs)
    assert mean.components.variance(6) == pytest.approx(mean.effect().error ** 2, rel=0.15)
    one = Difference(curve=curve, pairs=pairs[:1])
    # the pruned scores, of which there are three, vary independently; the dense one is shared
    assert mean.components.training == pytest.approx(one.components.training * (1 + 1 / 3) / 2, rel=0.3)


# What can be told, and what would decide


def test_a_floor_follows_from_the_parts():
    study = study_of("a", seeds=range(5))
    (difference,) = differences(study, flipped(study, training=1.0))
    floor = noise_floor(difference)
    assert floor.both == pytest.approx(difference.effect().error, rel=0.1)
    assert floor.detectable == pytest.approx((1.95996 + 0.84162) * floor.both, rel=1e-4)
    assert floor.single == pytest.approx(1.95996 * math.sqrt(difference.components.variance(1)), rel=1e-4)


def test_a_drop_as_large_as_the_floor_is_found_in_four_of_five_studies():
    study = study_of(*(f"t{i}" for i in range(60)), variants={"one-shot": (PRUNED,)})

    def group(drop):
        return differences(study, flipped(study, flips=0.1, drop=lambda task, pruning: drop * (pruning == PRUNED)))

    floor = np.mean([noise_floor(difference).detectable for difference in group(1.0)])
    told = [difference.effect().estimate.low > 0 for difference in group(floor)]
    assert np.mean(told) == pytest.approx(0.8, abs=0.12)


def test_one_seed_has_no_floor_and_no_plan():
    study = study_of("a", seeds=(0,))
    records = flipped(study)
    (difference,) = differences(study, records)
    floor = noise_floor(difference)
    assert math.isnan(floor.training) and math.isnan(floor.detectable) and floor.examples > 0
    assert least_seeds(difference.components, error=1.0) is None
    assert noise_tables.floor_table([Pool(of="", allowed=ALLOWED, counted=(difference,))])["one run"][0] == "–"


@pytest.mark.parametrize("factor", [1, 4])
@pytest.mark.parametrize("error", [0.2, 0.3, 0.6])
def test_the_least_seeds_are_enough_and_one_fewer_is_not(error, factor):
    parts = Components(training=0.5, interaction=0.9, choice=0.01)
    seeds = least_seeds(parts, error, factor)
    assert parts.variance(seeds, factor) <= error**2
    assert seeds == 3 or parts.variance(seeds - 1, factor) > error**2


def test_no_number_of_seeds_helps_where_the_examples_are_too_few():
    parts = Components(training=0.5, interaction=0.9, choice=0.1)
    assert least_seeds(parts, error=0.3) is None
    assert least_seeds(parts, error=0.3, factor=4) is not None
    assert (
        least_seeds(Components(training=50.0, interaction=0.0, choice=0.0), error=math.sqrt(50 / MOST_SEEDS) * 0.99)
        is None
    )


def test_core_hours_are_those_of_the_missing_trials():
    study = study_of("a", "b")
    records = flipped(study)
    group = differences(study, records)
    trial_hours = 36 * 2 / 3600
    assert core_hours(group, 5, 1, study, records) == pytest.approx(2 * 2 * 2 * trial_hours)  # tasks, levels, seeds
    assert core_hours(group, 3, 1, study, records) == 0
    training = 3 * 100 * 8  # three passes of 100 steps of 8 examples
    growth = (training + 4 * EXAMPLES) / (training + EXAMPLES)
    assert core_hours(group, 5, 4, study, records) == pytest.approx(2 * 2 * 5 * trial_hours * growth)
    untimed = {name: Record(**{**vars(record), "provenance": {}}) for name, record in records.items()}
    assert core_hours(group, 5, 1, study, untimed) is None


@pytest.mark.parametrize(("drop", "plans"), [(0.95, False), (0.2, True), (2.5, True)])
def test_what_would_decide_is_asked_unless_the_mean_is_too_near(drop, plans):
    study = study_of("a", "b", "c")
    records = flipped(study, flips=0.0, drop=lambda task, pruning: drop * (pruning == PRUNED))
    needed = need(differences(study, records), ALLOWED, study, records)
    assert bool(needed.plans) == plans
    assert needed.distance == pytest.approx(abs(1 - drop), abs=0.06)


# What counts


def pattern_study():
    return study_of("a", "b", "c", variants=PATTERNS, figure="fig5")


def ticket_study():
    variants = {
        "lottery": at_sparsities((0.2, 0.4, 0.6), method="lottery"),
        "one-shot": at_sparsities((0.2, 0.4, 0.6, 0.9)),
    }
    return study_of("a", "b", "c", variants=variants, figure="fig9")


def falling(task, pruning):
    """A drop in points: more for patterns and tasks further on in the alphabet."""
    return 60 * max(0, pruning.sparsity - 0.3) + 0.3 * (ord(task[0]) - ord("a")) + bool(pruning.pattern)


def test_pools_are_what_the_verdicts_rest_on():
    study = study_of("a", "b", "c")
    records = flipped(study)
    (c1,) = deciding(c1_pools(study, records))
    assert c1.mean == c01_essential_sparsity.judge(study, curves(study, records)).numbers["mean loss"].estimate

    records = flipped(pattern_study(), drop=falling)
    verdict = c06_n_m_patterns.judge(pattern_study(), records)
    means = [pool.mean for pool in deciding(c06_n_m_patterns.pools(pattern_study(), records))]
    assert means == [number.estimate for number in verdict.numbers.values()] and len(means) == 2

    records = flipped(ticket_study(), drop=falling)
    (c10,) = deciding(c10_tickets_like_one_shot.pools(ticket_study(), records))
    assert c10.mean == c10_tickets_like_one_shot.judge(ticket_study(), records).numbers["mean difference"].estimate
    assert len(c10.counted[0].pairs) == 2  # below one half


def test_what_does_not_count_says_why():
    study = study_of("falls", "level", models=("m",))
    records = flipped(study, drop=lambda task, pruning: falling("a", pruning) * (task == "falls"))
    pools = c1_pools(study, records)
    assert all([d.curve.task for d in pool.counted] == ["falls"] for pool in pools)
    assert {(other.difference.curve.task, other.reason) for pool in pools for other in pool.others} == {
        ("level", "nothing to lose")
    }
    few = study.narrowed(None, None, [0, 1])
    assert {other.reason for pool in c1_pools(few, records) for other in pool.others} == {"too few seeds"}
    some = {name: record for name, record in records.items() if record.spec.task == "falls"}
    assert {other.reason for pool in c1_pools(study, some) for other in pool.others} == {"records missing"}


def test_the_drops_of_c2_are_pooled_though_no_share_is_measured():
    study = study_of("a", "b", variants={"one-shot": at_sparsities((0.215, 0.9))}, figure="fig1")
    (pool,) = c02_free_weights.pools(study, flipped(study))
    assert pool.of == "at 21.5%" and len(pool.counted) == 2


# Other readings


def test_readings_of_noise_change_the_interval_and_nothing_else():
    study = study_of("a", "b", "c", seeds=range(6))
    records = flipped(study, training=1.0, flips=0.1)
    (pool,) = deciding(c1_pools(study, records))
    means = {reading: pool.read(ALLOWED, reading=reading)[0] for reading in NoiseReading}
    assert means[NoiseReading.RULE] == pool.mean
    assert len({mean.value for mean in means.values()}) == 1
    widths = {reading: mean.high - mean.low for reading, mean in means.items()}
    assert widths[NoiseReading.EXAMPLES] < 0.9 * widths[NoiseReading.RULE] < 0.9 * widths[NoiseReading.UNCORRECTED]
    curve = pool.counted[0].curve
    assert np.array_equal(curve.with_noise(NoiseReading.RULE).noise, curve.noise)
    assert not curve.with_noise(NoiseReading.EXAMPLES).noise.any()


def test_a_relative_mean_is_in_percent_of_the_dense_score():
    study = study_of("a")
    (pool,) = deciding(c1_pools(study, flipped(study)))
    relative = pool.read(ALLOWED, relative=True)[0]
    assert relative.value == pytest.approx(100 * pool.mean.value / pool.counted[0].curve.dense().value)


def test_other_sparsities_are_read_where_there_are_records():
    study = study_of("a", "b")
    further = study_of("a", variants={"one-shot": (Pruning(sparsity=0.25),)})
    records = flipped(study)

    def texts(records):
        pools = c01_essential_sparsity.pools_near(study, records, curves(study, records))
        table = noise_tables.sensitivity_table(pools)
        return {
            row[noise_tables.POOLED]: (row["tasks"], row[noise_tables.READINGS[NoiseReading.RULE]])
            for row in table.to_dict("records")
        }

    without = texts(records)
    assert without["at 25%"] == (0, "not measured") and without["at 20%"][0] == without["at 30%"][0] == 2
    with_some = texts(records | flipped(further))
    assert with_some["at 25%"][0] == 1 and "[" in with_some["at 25%"][1]


# Shares within ε


def test_the_share_within_a_tolerance_rises_with_it():
    study = study_of("a", "b", "c")
    pools = c1_pools(study, flipped(study, training=0.5))
    panel = within_panels.of_pools(pools)
    assert panel.values["colour"] == [pool.of for pool in pools]
    assert panel.values["shape"] == ["on average", "a", "b", "c"] and panel.ticked["shape"] == ["on average"]
    for line in panel.lines:
        (estimates,) = line.readings.values()
        shares = [estimate.value for estimate in estimates]
        assert shares == sorted(shares) and shares[0] >= 0 and shares[-1] <= 100
    at_one = {row[noise_tables.POOLED]: row["ε = 1"] for row in noise_tables.within_table(pools).to_dict("records")}
    assert at_one["at 10%"] == "100%" and at_one["at 90%"] == "0%"


def test_a_range_with_two_ends_counts_both_sides():
    effects = np.array([-2.0, -0.5, 0.5, 2.0])
    assert Range(low=-1.0, high=1.0).at(0.5).share(effects) == 0.5
    assert Range(high=1.0).at(0.5).share(effects) == 0.75


# What is drawn


def words(figure):
    """Return all texts of a figure's axes."""
    figure.canvas.draw()
    texts = [text.get_text() for ax in figure.axes for text in (*ax.get_yticklabels(), *ax.texts)]
    texts += [ax.get_title("left") for ax in figure.axes]
    texts += [t.get_text() for ax in figure.axes for child in ax.child_axes for t in child.get_yticklabels()]
    plt.close(figure)
    return texts


@pytest.mark.parametrize(
    ("tasks", "models", "seeds"),
    [
        (["a"], ["m"], range(3)),
        (["a", "b"], ["m", "n"], range(4)),
        ([f"t{i}" for i in range(8)], ["m"], range(3)),
        (["a"], ["m"], [0]),
    ],
)
def test_a_forest_has_a_row_for_each_model_and_task(tasks, models, seeds):
    study = study_of(*tasks, models=tuple(models), seeds=tuple(seeds))
    records = flipped(study)
    pools = deciding(c1_pools(study, records))
    texts = words(forest_plots.draw(pools))
    several = len(models) > 1
    for task in tasks:
        for model in models:
            name = f"{task} · {model}" if several else task
            assert any(text == name or text.startswith(f"{name} (") for text in texts)
    assert ("on average over these tasks" in texts) == (len(seeds) > 2)
    noise_tables.floor_table(pools), noise_tables.sensitivity_table(pools), noise_tables.within_table(pools)
    assert noise_tables.needs_text(pools, study, records)


def test_a_forest_of_several_pools_names_each():
    records = flipped(pattern_study(), drop=falling)
    texts = words(forest_plots.draw(c06_n_m_patterns.pools(pattern_study(), records)))
    assert {"by 3:4", "by 6:8"} <= set(texts)


def test_without_records_there_are_words_and_no_error():
    study = study_of("a", "b")
    for claim, arguments in ((c01_essential_sparsity, []), (c02_free_weights, {}), (c10_tickets_like_one_shot, {})):
        pools = claim.pools(study, arguments)
        assert "no records yet" in words(forest_plots.draw(deciding(pools)))
        assert within_panels.of_pools(pools) is None and noise_tables.within_table(pools).empty
        assert noise_tables.floor_table(pools).empty
        assert "No effect counts yet" in noise_tables.needs_text(deciding(pools), study, {})
    assert c01_essential_sparsity.pools_near(study, {}, [])


def test_a_pool_in_which_nothing_counts_is_drawn_hollow():
    study = study_of("a", "b")
    others = [Uncounted(difference=d, reason=Reason.NOTHING_TO_LOSE) for d in differences(study, flipped(study))]
    pool = Pool(of="at 30%", allowed=Range(low=-1.0, high=1.0), counted=(), others=tuple(others))
    texts = words(forest_plots.draw([pool]))
    assert {"a (nothing to lose)", "b (nothing to lose)"} <= set(texts) and "for a new task" not in texts


def test_the_words_follow_the_outcome():
    study = study_of("a", "b", "c")

    def text(drop):
        records = flipped(
            study, training=0.3, drop=lambda task, pruning: drop * (pruning == PRUNED) + 30 * (pruning.sparsity > 0.8)
        )
        return noise_tables.needs_text(deciding(c1_pools(study, records)), study, records)

    assert "nothing more is needed" in text(5.0)
    assert "core-hours" in text(0.7)
