"""Ways to prune held against each other: paired differences, equivalence, and the verdicts that rest on them."""

import dataclasses

import numpy as np
import pytest
from helpers import TICKET_STUDY as STUDY
from helpers import answered, ticket_better_by
from helpers import similar_masks as alike
from helpers import variant_records as records

from essparse_lib import figures
from essparse_lib.analysis.contrasts import Contrast, contrasts
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.noise import NoiseReading
from essparse_lib.analysis.pooled import Effect
from essparse_lib.claims.c02_free_weights import judge as judge_c2
from essparse_lib.claims.c03_task_not_size import judge as judge_c3
from essparse_lib.claims.c06_n_m_patterns import judge as judge_c6
from essparse_lib.claims.c10_tickets_like_one_shot import judge as judge_c10
from essparse_lib.claims.c10_tickets_like_one_shot import pools as c10_pools
from essparse_lib.claims.c11_similar_masks import judge as judge_c11
from essparse_lib.figures import contrast_plots as drawing
from essparse_lib.figures import fig1, fig9, fig10, fig10_tables
from essparse_lib.records.store import Record
from essparse_lib.specs.study import Override, at_sparsities
from essparse_lib.specs.trial import Pruning

TICKET, SHOT = Pruning(sparsity=0.3, method="lottery"), Pruning(sparsity=0.3)


def test_a_ticket_whose_records_do_not_count_steps_has_no_cost_in_them():
    all_records = records(ticket_better_by(0.0))
    (found,) = contrasts(STUDY, all_records, [(TICKET, SHOT)])
    for record in all_records.values():
        record.metrics.pop("steps", None)
    assert fig9.steps(STUDY, all_records)(found) == "—"


@pytest.mark.parametrize("points", [-3.0, 0.0, 2.0])
def test_the_difference_is_that_of_the_records(points):
    (found,) = contrasts(STUDY, records(ticket_better_by(points)), [(TICKET, SHOT)])
    assert found.difference.value == pytest.approx(points, abs=0.03)
    assert found.difference.low <= points + 0.03 and points - 0.03 <= found.difference.high
    assert (found.seeds, found.learned) == (3, True)


def test_seeds_without_both_are_left_out_of_a_difference():
    accuracy = lambda task, pruning, seed: 80 + 5 * seed * (pruning.method == "lottery")  # noqa: E731
    (found,) = contrasts(STUDY, records(accuracy, missing=[(SHOT, 2)]), [(TICKET, SHOT)])
    assert found.seeds == 2
    assert found.difference.value == pytest.approx(2.5, abs=0.05)  # seeds 0 and 1


@pytest.mark.parametrize(
    ("low", "high", "standing"),
    [
        (-0.9, 0.9, "equivalent"),
        (0.1, 0.9, "equivalent"),
        (0.1, 1.2, "better"),
        (-3, -0.1, "worse"),
        (-1.1, 0.5, "undecided"),
    ],
)
def test_equivalence_needs_the_whole_interval_within_a_point(low, high, standing):
    (curve,) = curves(STUDY, records(ticket_better_by(0)))
    assert (
        Contrast(
            model="m",
            task="t",
            pruning=TICKET,
            baseline=SHOT,
            effect=Effect(model="m", task="t", value=(low + high) / 2, resampled=np.array([low, high])),
            seeds=3,
            learned=True,
            sensitive=True,
            curve=curve,
        ).standing
        == standing
    )


@pytest.mark.parametrize(
    ("points", "outcome"), [(0.0, "agrees"), (3.0, "differs"), (-3.0, "differs"), (1.0, "inconclusive")]
)
def test_c10_follows_the_differences_below_half(points, outcome):
    assert judge_c10(STUDY, records(ticket_better_by(points))).outcome == outcome


def test_c10_does_not_look_at_half_and_above():
    far = lambda task, pruning, seed: 80 - 30 * (pruning == Pruning(sparsity=0.6))  # noqa: E731
    assert judge_c10(STUDY, records(far)).outcome == "agrees"


def test_c10_wants_three_seeds_of_both():
    verdict = judge_c10(STUDY, records(ticket_better_by(0), missing=[(SHOT, 1)]))
    assert verdict.outcome == "not run yet"


def study_of(figure, **changes):
    lab = figures.study(figure, "lab")
    return dataclasses.replace(lab, **{"models": ("m",), "tasks": ("t", "u"), "overrides": {}, **changes})


@pytest.mark.parametrize(("drop", "outcome"), [(0.0, "agrees"), (4.0, "differs"), (1.0, "inconclusive")])
def test_c6_is_about_the_lightest_patterns(drop, outcome):
    study = study_of("fig5")
    light = ("3:4", "6:8")
    accuracy = lambda task, p, seed: 80 - (drop if p.pattern in light else 25 * p.sparsity)  # noqa: E731
    assert judge_c6(study, records(accuracy, study)).outcome == outcome


def test_c6_names_the_model_where_there_are_several():
    one, other, both = (study_of("fig5", models=models, tasks=("t",)) for models in (("m",), ("n",), ("m", "n")))
    fallen = lambda p: 30 * (p.sparsity > 0.5)  # noqa: E731
    found = records(lambda task, p, seed: 80 - fallen(p), one)
    found |= records(lambda task, p, seed: 80 - fallen(p) - 4 * (p.pattern == "3:4"), other)
    verdict = judge_c6(both, found)
    assert verdict.outcome == "differs"
    assert "3:4, everywhere: differs (n on t)" in verdict.reason


def test_a_figure_of_several_models_has_a_colour_for_each():
    study = study_of("fig5", models=("m", "n"), tasks=("t",))
    pairs = [(Pruning(pattern=pattern), Pruning()) for pattern in ("3:4", "2:4")]
    found = contrasts(study, records(lambda *_: 80, study), pairs)
    figure = drawing.draw(found, lambda c: c.pruning.pattern)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["m, 3:4", "m, 2:4", "n, 3:4", "n, 2:4", "±1 point"]
    (ax,) = figure.axes
    assert len({container.lines[0].get_color() for container in ax.containers}) == 4


def shares(study, output):
    """A measurement in which so many of 100 weights of the feed-forward output go, and 10 of 100 of the query."""
    (asked,) = (m for m in study.measurements() if m.kind == "pruned-share")
    sizes = {"query": 10, "output": output}
    values = [{"name": c, "depth": 0, "component": c, "size": 100, "pruned": p, "map": [[p]]} for c, p in sizes.items()]
    return {asked.id: Record(spec=asked, status="ok", values={"matrices": values})}


@pytest.mark.parametrize(
    ("drop", "output", "outcome"), [(0, 30, "agrees"), (0, 5, "differs"), (4, 30, "differs"), (1, 30, "inconclusive")]
)
def test_c2_wants_no_drop_and_most_of_what_goes_in_the_feed_forward_layers(drop, output, outcome):
    study = study_of("fig1")
    # what the models lose at 90% is in the records of Figure 2
    curve = dataclasses.replace(study, variants={"one-shot": (*study.variants["one-shot"], Pruning(sparsity=0.9))})
    fallen = lambda p: 30 if p.sparsity > 0.5 else drop * (p.sparsity > 0)  # noqa: E731
    verdict = judge_c2(study, records(lambda t, p, s: 80 - fallen(p), curve) | shares(study, output))
    assert verdict.outcome == outcome
    if drop == 0:
        assert f"{output / (10 + output):.0%} lies in the feed-forward layers of m, which hold 50%" in verdict.reason


def test_a_measurement_that_failed_is_none():
    study = study_of("fig1")
    made = records(lambda t, p, s: 80, study)
    (name,) = shares(study, 30)
    (asked,) = (m for m in study.measurements() if m.id == name)
    failed = {name: Record(spec=asked, status="failed", reason="no memory")}
    assert judge_c2(study, made | failed) == judge_c2(study, made)
    assert judge_c2(study, made | failed).outcome == "not run yet"


def turning_at(knees):
    return lambda task, p, seed, model: 90 - 60 * max(0.0, p.sparsity - knees[model, task])


@pytest.mark.parametrize(
    ("knees", "outcome"),
    [
        ({("m", "t"): 0.2, ("m", "u"): 0.6, ("n", "t"): 0.2, ("n", "u"): 0.6}, "agrees"),
        ({("m", "t"): 0.2, ("m", "u"): 0.2, ("n", "t"): 0.6, ("n", "u"): 0.6}, "differs"),
        # where a curve never falls, where it turns is not known
        ({("m", "t"): 0.2, ("m", "u"): 0.2, ("n", "t"): 1.0, ("n", "u"): 1.0}, "cannot be tested here"),
    ],
)
def test_c3_compares_tasks_with_models(knees, outcome):
    study = dataclasses.replace(study_of("fig2"), models=("m", "n"))
    found = {}
    for model in study.models:
        part = dataclasses.replace(study, models=(model,))
        found |= records(lambda task, p, seed, model=model: turning_at(knees)(task, p, seed, model), part)
    assert judge_c3(study, curves(study, found)).outcome == outcome
    for part, why in (
        (Override(tasks=("t",)), "cannot be tested here"),  # the models share one task
        (Override(seeds=(0,)), "not run yet"),  # more seeds of the second model could decide
    ):
        one = dataclasses.replace(study, overrides={"n": part})
        asked = {trial.id: found[trial.id] for trial in one.trials()}
        assert judge_c3(one, curves(one, asked)).outcome == why


def test_c3_tells_curves_that_learned_nothing_from_records_that_are_missing():
    study = dataclasses.replace(study_of("fig2"), models=("m", "n"))
    found = records(lambda *_: 50.0, study)
    assert judge_c3(study, curves(study, found)).outcome == "cannot be tested here"
    gone = next(trial for trial in study.trials() if trial.model == "n" and trial.pruning.sparsity)
    rest = {name: record for name, record in found.items() if name != gone.id}
    assert judge_c3(study, curves(study, rest)).outcome == judge_c3(study, []).outcome == "not run yet"


@pytest.mark.parametrize(
    ("cosine", "outcome", "said"),
    [
        (lambda s: 0.999 - 0.05 * s, "agrees", "and 97.9% at"),
        (lambda s: 0.999 - 0.15 * s, "differs", "and 93.9% at"),
        (lambda s: 0.97, "differs", "does not fall"),
    ],
)
def test_c11_says_where_the_cosine_holds_and_whether_it_falls(cosine, outcome, said):
    study = study_of("fig10")
    verdict = judge_c11(study, alike(study, cosine))
    assert verdict.outcome == outcome and said in verdict.reason


def test_records_that_are_missing_leave_a_verdict_open():
    study = study_of("fig10")
    found = alike(study, lambda s: 0.99)
    del found[study.measurements()[0].id]
    assert judge_c11(study, found).outcome == "not run yet"
    assert judge_c11(study, {}).outcome == judge_c2(study_of("fig1"), {}).outcome == "not run yet"


def test_differences_are_drawn_and_listed():
    found = contrasts(
        STUDY, records(ticket_better_by(2)), [(t, Pruning(sparsity=t.sparsity)) for t in STUDY.variants["lottery"]]
    )
    (ax,) = drawing.draw(found, marked=0.3).axes
    heights = ax.containers[0].lines[0].get_ydata()
    assert list(heights) == pytest.approx([2, 2], abs=0.05)
    listed = drawing.table(found, {"steps": fig9.steps(STUDY, records(ticket_better_by(2)))})
    assert list(listed["steps"]) == ["300", "600"] and list(listed["sparsity"]) == ["30%", "60%"]
    assert drawing.tally(found) == "Signs, by the whole 95% interval: **+** above zero (2 of 2)."
    assert list(drawing.table([], {"steps": str}).columns) == [
        "task",
        "sparsity",
        "steps",
        "difference",
        "sign",
        "seeds",
    ]


def test_figure_9_tells_where_masks_are_alike_and_where_tickets_win():
    tickets = STUDY.variants["lottery"]
    pairs = [(ticket, Pruning(sparsity=ticket.sparsity)) for ticket in tickets]
    for points, same, won, lost in ((2, False, "1", "none"), (0, True, "none", "none"), (-2, False, "none", "1")):
        found = records(ticket_better_by(points))
        differences = contrasts(STUDY, found, pairs)
        said = fig9.seen(c10_pools(STUDY, found), differences)
        assert ("lies within 1 point of zero" in said) == same
        assert f"score higher at every sparsity on {won} of 1 tasks" in said
        assert f"score lower at every sparsity on {lost} of 1 tasks" in said
        assert fig9.narrow(differences).startswith(f"Below 50%, {'1' if same else 'none'} of 1 intervals is narrow")
    assert fig9.seen(c10_pools(STUDY, {}), []) == fig9.narrow([]) == ""


def test_figure_10_shows_every_seed_beside_chance():
    study = study_of("fig10")
    found = alike(study, lambda s: 1 - s / 10)
    left, _ = fig10.draw_against_null(study, found).axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        "ticket and one-shot", "tickets of two tasks", "unrelated masks",
    ]  # fmt: skip
    lowest = fig10_tables.table(study, found)["lowest pair (%)"].astype(float)
    assert (lowest > 96).tolist() == [True] * 3 + [False] * 4
    assert len(fig10.draw(study, found).axes) == 4


def test_figure_1_draws_a_block_and_shares():
    matrices = next(iter(shares(study_of("fig1"), 30).values())).values["matrices"]
    titles = [ax.get_title() for ax in fig1.draw(matrices, 0).axes]
    assert titles[:2] == ["query: 10.0%", "output: 30.0%"]
    assert list(fig1.table(matrices)["share of removed weights"]) == ["25.0%", "75.0%"]
    lines = fig1.draw_shares(matrices).axes[0].get_lines()
    assert [line.get_ydata()[0] for line in lines] == [10, 30, 20]


def test_the_noise_of_a_difference_is_that_of_the_seeds_that_both_prunings_have():
    """Trainings of one pruning alone make its own mean surer, and not a difference that they are no part of."""
    study = dataclasses.replace(study_of("fig9"), models=("m",), tasks=("t",), seeds=tuple(range(12)))
    ticket, one_shot = (study.variants[name][2] for name in study.variants)
    found = {}
    for trial in study.trials():
        if trial.pruning.method != "lottery" or trial.seed < 3:
            found |= {trial.id: answered(trial, 80.0 + 3 * np.sin(7 * trial.seed + 31 * trial.pruning.sparsity))}
    (curve,) = curves(study, found, prunings=(one_shot, ticket))
    assert curve.seeds_of(one_shot) == 12 and curve.seeds_of(one_shot, ticket) == 3
    apart = curve.with_noise(NoiseReading.EXAMPLES).difference(ticket, one_shot)[1]
    training = curve.difference(ticket, one_shot)[1] - apart
    expected = np.sqrt(curve.variances[[1, 2]].sum() / 3)
    assert training.std() == pytest.approx(expected, rel=0.1)


def test_what_is_pruned_after_its_training_does_not_say_whether_there_is_something_to_lose():
    variants = {"before": at_sparsities([0.1, 0.3]), "after": at_sparsities([0.5], timing="after")}
    study = dataclasses.replace(
        study_of("fig2"), models=("m",), tasks=("t",), overrides={}, task_seeds={}, variants=variants
    )
    found = {t.id: answered(t, 50.0 if t.pruning.timing == "after" else 80.0) for t in study.trials()}
    (contrast,) = contrasts(study, found, [(Pruning(sparsity=0.3), Pruning())])
    assert not contrast.sensitive
