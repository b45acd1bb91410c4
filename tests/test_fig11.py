"""Figure 11: curves of models that are asked questions and not trained, its order of runs, its cost, and its tables."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from simulated_evaluations import LEVELS, falls_from, records, sparsegpt, study

from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.essential import essential_sparsity
from essparse_lib.analysis.grouped import group_curves
from essparse_lib.analysis.mean_curve import mean_curve
from essparse_lib.analysis.resampling import resampled_examples
from essparse_lib.analysis.scoring import LOG_PROBABILITY
from essparse_lib.claims import c12_without_fine_tuning as c12
from essparse_lib.errors import InputError
from essparse_lib.figures import fig11, fig11_plots, fig11_tables, panels, points
from essparse_lib.figures.blocks import missing_blocks
from essparse_lib.records import cost, summary
from essparse_lib.runner import interactive
from essparse_lib.runner.verify import Repetition
from essparse_lib.specs.models import MODELS
from essparse_lib.specs.study import at_sparsities
from essparse_lib.specs.trial import Pruning


def by_method(magnitude=0.25, sparsegpt=0.45, slope=60.0):
    """A true drop by evaluation: each method has a knee of its own."""
    falls = {"magnitude": falls_from(magnitude, slope), "sparsegpt": falls_from(sparsegpt, slope)}
    return lambda evaluation: falls.get(evaluation.pruning.method, falls_from(0.0))(evaluation.pruning.sparsity)


# Curves


def test_a_curve_of_answers_is_drawn_from_evaluations():
    asked = study("arc-easy")
    (curve,) = curves(asked, records(asked, by_method()))
    assert (curve.metric, curve.majority, curve.examples, curve.seeds) == ("accuracy", 50.0, 1000, (0, 1, 2))
    assert curve.complete(asked) and curve.learned() and curve.sensitive()
    assert curve.drops()[0][4] == pytest.approx(60 * 0.15, abs=4)


def test_nothing_that_is_not_drawn_has_noise():
    asked = study("arc-easy")
    made = records(asked, by_method(), text_sd=2.0)
    (magnitude,), (read) = curves(asked, made), curves(asked, made, "SparseGPT")[0]
    assert not magnitude.drawn.any() and not magnitude.variances.any() and not magnitude.noise.any()
    assert read.drawn.tolist() == [False] + [True] * len(LEVELS)
    assert read.variances[0] == 0 and (read.variances[1:] > 0).all()
    assert magnitude.with_noise("the rule's").variances.tolist() == magnitude.variances.tolist()


def test_a_calibration_text_that_is_bad_at_every_level_counts_as_noise():
    """A seed's effect on all its levels is no pairing: the dense model, which they are held against, lacks it."""
    asked = study("arc-easy")
    made = records(asked, by_method(), text_sd=0.0)
    shifted = dict(zip((0, 1, 2), (-6.0, 0.0, 6.0), strict=True))
    moved = records(asked, lambda e: by_method()(e) + (shifted[e.seed] if e.pruning.calibration else 0), text_sd=0.0)
    (calm,), (rough,) = curves(asked, made, "SparseGPT"), curves(asked, moved, "SparseGPT")
    assert rough.variances[1:].mean() == pytest.approx(36, rel=0.5) and calm.variances[1:].mean() < 1


def test_a_text_that_moves_all_tasks_together_counts_whole_in_their_mean():
    """One calibration text prunes one model for all tasks: its effect does not average out over them."""
    asked = study("arc-easy", "piqa", "sciq", "copa")
    moves = {0: -6.0, 1: 0.0, 2: 6.0}
    made = records(asked, lambda e: by_method()(e) + (moves[e.seed] if e.pruning.calibration else 0), text_sd=0.0)
    read = curves(asked, made, "SparseGPT")
    assert mean_curve(read).variances[1:].mean() == pytest.approx(36, rel=0.3)
    assert mean_curve(read).drops()[0] == pytest.approx(np.mean([curve.drops()[0] for curve in read], 0), abs=1e-4)
    assert mean_curve(read[:1]) is read[0]


def test_curves_that_do_not_go_together_have_no_mean():
    asked = study("arc-easy", "piqa")
    first, second = curves(asked, records(asked, by_method(), questions=100))
    with pytest.raises(ValueError, match="have no mean"):
        mean_curve([first, dataclasses.replace(second, seeds=(0, 1))])


def test_the_answers_that_a_task_is_judged_by_are_its_rows():
    asked = study("piqa", "arc-easy")
    made = records(asked, by_method())
    assert [curve.metric for curve in curves(asked, made)] == ["accuracy_normalised", "accuracy"]
    piqa, arc = curves(asked, made)
    assert piqa.scores[0, 0] == pytest.approx(70, abs=5) and arc.scores[0, 0] == pytest.approx(70, abs=5)


def test_each_resample_has_as_many_questions_of_each_group_as_the_test_set():
    groups = "0" * 30 + "1" * 70
    weights = resampled_examples(groups)
    assert (weights[:, :30].sum(1) == 30).all() and (weights[:, 30:].sum(1) == 70).all()
    assert (resampled_examples("0" * 50) == resampled_examples(50)).all()


def test_groups_narrow_the_interval_where_their_scores_differ():
    asked = study("mmlu")
    made = records(asked, by_method())
    blended = {
        id_: dataclasses.replace(each, values={k: v for k, v in each.values.items() if k != "groups"})
        for id_, each in made.items()
    }
    (grouped,), (mixed,) = curves(asked, made), curves(asked, blended)
    widths = [curve.dense().high - curve.dense().low for curve in (grouped, mixed)]
    assert widths[0] < 0.97 * widths[1] and (grouped.scores == mixed.scores).all()


def test_a_texts_curve_is_in_nats_a_token_and_it_has_no_answers():
    asked = study("english-text")
    made = records(asked, by_method())
    assert curves(asked, made) == []
    (curve,) = curves(asked, made, metric=LOG_PROBABILITY)
    first = made[asked.trial("m", "english-text", Pruning(), 0).id]
    assert np.exp(-curve.dense().value) == pytest.approx(first.metrics["perplexity"], rel=1e-3)
    assert not curve.learned() and curve.drop_estimates()[-1].low > 0


def test_log_probabilities_fall_where_answers_have_hit_the_floor():
    asked = study("arc-easy")
    made = records(asked, by_method(slope=400.0))
    (answers,), (nats,) = curves(asked, made), curves(asked, made, metric=LOG_PROBABILITY)
    assert answers.scores[0, -2] == pytest.approx(answers.scores[0, -1], abs=3)
    assert nats.scores[0, -1] < nats.scores[0, -2] - 3


def test_trials_have_no_curve_of_log_probabilities():
    from helpers import CURVE_STUDY, curve_records, knee_at

    assert curves(CURVE_STUDY, curve_records(knee_at(0.4)), metric=LOG_PROBABILITY) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": {"log_probabilities": [-1.0]}, "predictions": ""}, "have other labels or examples"),
        ({"values": {}, "predictions": "", "labels": ""}, "has no predictions: set it aside"),
    ],
)
def test_records_that_do_not_go_together_are_named(change, message):
    asked = study("arc-easy")
    made = records(asked, by_method(), questions=50)
    last = asked.trial("m", "arc-easy", asked.variants["magnitude"][-1], 0)
    made[last.id] = dataclasses.replace(made[last.id], **change)
    with pytest.raises(InputError, match=f"the records? of {last}.*{message}"):
        curves(asked, made)


def test_a_model_whose_weights_diverged_guesses():
    asked = study("arc-easy")
    made = records(asked, by_method())
    last = asked.trial("m", "arc-easy", asked.variants["magnitude"][-1], 0)
    made[last.id] = dataclasses.replace(made[last.id], status="diverged", predictions="", labels="", values={})
    (curve,) = curves(asked, made)
    assert curve.scores[0, -1] == 50.0


def test_groups_of_questions_have_curves_of_their_own():
    asked = study("blimp")
    made = records(asked, by_method(), questions=2000)
    first, second = group_curves(asked, made, "magnitude")
    assert (first.task, second.task) == ("blimp: morphology", "blimp: syntax")
    assert first.examples == second.examples == 1000
    assert (first.dense().value, second.dense().value) == pytest.approx((55, 85), abs=4)
    (whole,) = curves(asked, made)
    assert whole.scores[0, 0] == pytest.approx((first.scores[0, 0] + second.scores[0, 0]) / 2)


def test_a_point_says_how_many_texts_it_rests_on():
    asked = study("arc-easy")
    made = records(asked, by_method())
    (drawn,) = points.at_pruning(asked, made, sparsegpt()[2], live=(), variant="SparseGPT")
    (undrawn,) = points.at_sparsity(asked, made, 0.3, live=())
    assert points.sentence(drawn).endswith("(3 seeds, from records).")
    assert points.sentence(undrawn).endswith("on arc-easy (from records).")


def test_a_panel_names_seeds_where_something_is_drawn():
    asked = study("arc-easy")
    made = records(asked, by_method(), questions=100)
    panel = panels.of_study(asked, made)
    of_magnitude, of_sparsegpt = (line.seeds[panels.SCORE] for line in panel.lines)
    assert set(of_magnitude) == {""} and of_sparsegpt[0] == "" and "2: " in of_sparsegpt[1]


# Studies, their order and their cost


def test_the_lab_study_asks_what_it_says():
    lab = fig11.STUDIES["lab"]
    levels = {pruning.sparsity for pruning in lab.variants[fig11.MAGNITUDE]}
    assert levels == {pruning.sparsity for pruning in lab.variants[fig11.SPARSEGPT]} == set(LEVELS)
    asked = Counter(trial.task for trial in lab.trials() if trial.model == "smollm2-135m")
    assert asked["mmlu"] < asked["arc-easy"] == 1 + 7 + 2 + 2 + 3 * (7 + 2 + 2 + 2 + 2)
    assert {trial.task for trial in lab.trials() if trial.model == "opt-2x128"} == {"blimp"}
    (measured,) = lab.measurements()
    assert (measured.model, measured.step) == ("opt-2x128", None)
    (control,) = lab.controls
    assert {trial.prompting.prefix for trial in control.trials()} == {fig11.OTHER_PREFIX}
    assert {trial.seed for trial in lab.narrowed().controls[0].trials()} == {0}
    assert {trial.seed for trial in lab.narrowed(seeds=[1]).controls[0].trials() if trial.pruning.calibration} == {1}


def test_one_pruning_is_a_block_of_all_tasks_and_the_order_serves_the_claim():
    lab = fig11.STUDIES["lab"]
    blocks = [block for block in missing_blocks([lab], {}) if block.model == "smollm2-135m"]
    assert all(len({(spec.pruning, spec.seed) for spec in block.specs}) == 1 for block in blocks)
    names = [(block.what, block.seed) for block in blocks]
    assert names[:5] == [
        ("dense", None),
        ("30% pruned", None),
        ("50% pruned", None),
        ("30% pruned by sparsegpt", 0),
        ("50% pruned by sparsegpt", 0),
    ]
    assert names.index(("70% pruned by sparsegpt", 0)) < names.index(("30% pruned by sparsegpt", 1))
    assert names.index(("70% pruned by sparsegpt", 2)) < names.index(("30% pruned by wanda", 0))
    assert names.index(("50% pruned by wanda", 0)) < names.index(("30% pruned by wanda", 1))
    assert [spec.task for spec in blocks[0].specs].count("blimp") == 2  # with both tokens before
    assert blocks[0].claims == ("C12",)


def test_a_block_that_has_begun_is_gone_on_with():
    lab = dataclasses.replace(fig11.STUDIES["lab"], controls=())
    begun = lab.trial("smollm2-135m", "piqa", lab.variants[fig11.SPARSEGPT][-1], 2)
    made = records(lab.narrowed(["smollm2-135m"], ["piqa"]), by_method(), questions=9)
    first = next(block for block in missing_blocks([lab], {begun.id: made[begun.id]}) if block.claims)
    assert (first.what, first.seed, first.begun) == ("70% pruned by sparsegpt", 2, True)


def test_the_papers_study_is_one_model_on_one_gpu_and_its_hours_are_known():
    paper = fig11.STUDIES["paper"]
    shape = MODELS["vicuna-7b-v1.3"].shape
    assert shape.parameters == pytest.approx(6.48e9, rel=0.01)
    expected = cost.expected(paper)
    assert (expected.trainings, expected.evaluations) == (0, 1 + 7 + 3 * 7)
    asked = paper.trial("vicuna-7b-v1.3", "mmlu", Pruning(), 0)
    tokens = cost.answering_flops(asked, shape) / (2 * shape.parameters)
    assert 1e6 < tokens < 3e6  # with the five examples read once for each subject
    calibrations = 21 * 4 * shape.parameters * 128 * 2048
    assert expected.hours == pytest.approx((29 * cost.answering_flops(asked, shape) + calibrations) / cost.RATE / 3600)
    assert cost.sentence(paper).startswith("At paper scale: 29 evaluations, about 2.")


def test_what_has_no_record_is_told_with_its_variants():
    asked = study("arc-easy")
    made = records(asked, by_method(), questions=20)
    without = {id_: each for id_, each in made.items() if each.spec.pruning.method != "sparsegpt"}
    assert summary.missing(asked, without) == "SparseGPT incomplete: 21 of 29 evaluations missing."
    assert "29 of 29 evaluations" in summary.provenance(asked, made).value["records"]


def test_a_point_without_a_record_is_run_with_the_dense_model():
    asked = study("arc-easy", "sciq")
    pruning = fig11.pruning_at(asked, "SparseGPT", 0.45)
    specs = interactive.unrecorded(asked, {}, [pruning], ["sciq"])
    assert [(spec.task, spec.pruning, spec.seed) for spec in specs] == [("sciq", Pruning(), 0), ("sciq", pruning, 0)]
    with pytest.raises(InputError, match="unknown method 'sparsegp': choose from"):
        fig11.pruning_at(asked, "sparsegp", 0.45)


def test_a_study_of_likelihood_tasks_is_one_that_points_can_be_asked_of():
    lab = fig11.STUDIES["lab"]
    assert interactive.checked_study(lab) is lab


@pytest.mark.parametrize(("task", "score"), [("arc-easy", True), ("english-text", False)])
def test_an_evaluation_that_is_repeated_holds_if_answers_and_probabilities_are_alike(task, score):
    asked = study(task)
    recorded = next(iter(records(asked, by_method()).values()))
    again = Repetition(recorded=recorded, repeated=recorded, noise=None)
    assert again.holds and ("nothing is trained" in again.text) == score and "mean log-probability" in again.text
    shifted = recorded.metrics | {"log_probability": recorded.metrics["log_probability"] - 0.1}
    other = dataclasses.replace(recorded, metrics=shifted)
    assert not Repetition(recorded=recorded, repeated=other, noise=None).holds


# What is drawn


@pytest.fixture(scope="module")
def drawn():
    """A study with every way to prune, and its records."""
    asked = study(
        "blimp",
        "piqa",
        "english-text",
        variants={
            fig11.MAGNITUDE: at_sparsities(LEVELS),
            fig11.SPARSEGPT: sparsegpt(),
            fig11.EACH_MATRIX: at_sparsities((0.3, 0.5, 0.7), scope="layer"),
            "N:M by magnitude": (Pruning(pattern="2:4"), Pruning(pattern="4:8")),
        },
    )
    return asked, records(asked, by_method(), questions=300)


def test_every_panel_and_table_is_drawn(drawn):
    import matplotlib.pyplot as plt

    asked, made = drawn
    variants = {variant: curves(asked, made, variant) for variant in asked.variants}
    in_nats = fig11_tables.in_nats(asked, made)
    assert [ax.get_title() for ax in fig11_plots.draw(variants, model="m").axes[:2]] == [
        "blimp (language)",
        "piqa (common sense)",
    ]
    assert [ax.get_title() for ax in fig11_plots.draw(in_nats, model="m").axes[:3]][-1] == "english-text (text)"
    table = fig11_tables.essential_table(variants)
    assert list(table) == ["task", "dense score", "guessing", "magnitude (%)", "SparseGPT (%)"]
    assert table["task"][0] == "blimp (language)"
    further = fig11_tables.further_table(variants)
    assert list(further) == ["task", "magnitude by matrix (%)"]
    assert table["magnitude (%)"][0] == essential_sparsity(variants["magnitude"][0]).text(0, 100, last=0.7)
    patterns = fig11_tables.pattern_table(variants)
    assert {"no pattern", "2:4", "4:8"} < set(patterns)
    assert set(patterns["method"]) >= {"magnitude", "SparseGPT"}
    assert patterns["task"].is_monotonic_increasing and not patterns.duplicated(["task", "method"]).any()
    perplexities = fig11_tables.perplexity_table(in_nats)
    assert perplexities["sparsity"].tolist() == ["0%", *(f"{level:.0%}" for level in LEVELS)]
    assert list(perplexities)[:3] == ["sparsity", "magnitude", "SparseGPT"] and (perplexities == "—").any(axis=None)
    pairs, lacking = c12.pairs(asked, variants[fig11.MAGNITUDE], variants[fig11.SPARSEGPT])
    shifts = fig11_tables.shift_table(pairs)
    assert list(shifts["task"]) == ["blimp", "piqa", "mean drop of those that count"] and not lacking
    plt.close("all")


def test_without_records_everything_is_drawn_empty():
    lab = fig11.STUDIES["lab"]
    variants = {variant: curves(lab, {}, variant) for variant in lab.variants}
    assert fig11_plots.draw(variants, model="smollm2-135m").axes
    for table in (
        fig11_tables.essential_table(variants),
        fig11_tables.further_table(variants),
        fig11_tables.pattern_table(variants),
        fig11_tables.perplexity_table(variants),
        fig11_tables.shift_table([]),
        fig11_tables.prefix_table(lab, {}),
    ):
        assert table.empty
    assert fig11_tables.guessed(variants) == fig11_tables.held_out(lab, {}) == ""


def test_a_task_at_chance_is_told_with_its_interval():
    asked = study("mmlu", "arc-easy")
    made = records(asked, by_method(), dense=lambda task: 50.0 if task == "mmlu" else 70.0)
    text = fig11_tables.guessed({fig11.MAGNITUDE: curves(asked, made)})
    assert "mmlu (" in text and "guessing 50.0)" in text and "arc-easy" not in text


def test_contexts_that_were_cut_are_told_with_their_number():
    asked = study("arc-easy", "piqa")
    made = records(asked, by_method(), questions=100)
    assert fig11_tables.cut_contexts(asked, made) == fig11_tables.cut_contexts(asked, {}) == ""
    dense = asked.trial("m", "piqa", Pruning(), 0).id
    made[dense] = dataclasses.replace(made[dense], values={**made[dense].values, "cut": 7})
    assert "m on piqa (7 of 100 questions)" in fig11_tables.cut_contexts(asked, made)


def test_the_token_before_a_sentence_is_told_with_what_it_does():
    control = study("blimp", seeds=(0,), prompting={"*": fig11.Prompting(prefix="<|endoftext|>")})
    asked = study("blimp", "arc-easy", controls=(control,))
    made = records(asked, by_method(), questions=100) | records(control, by_method(), questions=100)
    table = fig11_tables.prefix_table(asked, made)
    assert list(table["token before"]) == ["the tokenizer's own"] * 2 + ["<|endoftext|>"] * 2
    assert list(table["method"]) == ["magnitude", "SparseGPT"] * 2
