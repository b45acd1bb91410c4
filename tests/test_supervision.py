"""What is said of C7, and drawn in Figure 6, follows the records of models that were pre-trained in different ways."""

import dataclasses
import math

import matplotlib as mpl
import numpy as np
import pytest
from helpers import tunings
from matplotlib import pyplot
from matplotlib.colors import to_hex, to_rgb

from essparse_lib import figures
from essparse_lib.analysis.comparisons import Comparison, drop_effects, essential_effect, learned_tasks, mean_drop
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.effects import mean_difference
from essparse_lib.analysis.zero_shares import RELATIVE, excess, excess_over_pretrainings, zero_shares
from essparse_lib.claims import c07_self_supervision
from essparse_lib.claims.rules import against_smallest
from essparse_lib.figures import fig6, fig6_learned, fig6_tables, vision_settings
from essparse_lib.records.store import Record
from essparse_lib.specs.pretraining import ImagePretraining
from essparse_lib.specs.study import at_sparsities
from essparse_lib.specs.trial import Pruning, Training

mpl.use("agg")

WEIGHTS = 100_000
_BY = {"supervised": "supervised", "dino": "dino", "long": "supervised", "masked": "masked"}


def study_of(models=None, tasks=("a", "b"), **changes):
    lab = figures.study("fig6", "lab")
    models = lab.models if models is None else models
    pretrained = {
        model: ImagePretraining(
            model=model,
            objective=next(o for part, o in _BY.items() if part in model),
            layers=4,
            hidden=192,
            heads=3,
            task="cifar10",
            patch=4,
            batch_size=128,
            steps=9000 if "long" in model else 3000,
            learning_rate=1e-3,
            seed=int(model[-1]),
        )
        for model in models
    }
    return dataclasses.replace(
        lab,
        models=models,
        tasks=tasks,
        training={"*": Training(epochs=1, batch_size=8, learning_rate=1e-3)},
        variants={"one-shot": at_sparsities((0.2, 0.4, 0.6))},
        pretrained=pretrained,
        **changes,
    )


STUDY = study_of()
DINO, EQUAL_TIME, LENGTH, MASKED = fig6.comparisons(STUDY)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def turning(knees, learned=True):
    """By a part of the model's name, where its curve begins to fall; the second seed a hundredth later."""

    def accuracy(model, sparsity):
        knee = next(k for part, k in knees.items() if part in model) + 0.01 * int(model[-1])
        return 50.0 if not learned else 90 - 60 * max(0.0, sparsity - knee)

    return accuracy


def zeros_of(study, counts):
    """Measurements of how many weights are zero, by a part of the model's name; of the second seed a few more."""
    found = {}
    for asked in (measurement for measurement in study.measurements() if measurement.kind == "zeros"):
        count = next(c for part, c in counts.items() if part in asked.model) + 10 * int(asked.model[-1])
        values = {
            "places": [[0, "query", WEIGHTS // 4], [0, "output", 3 * WEIGHTS // 4]],
            "zeros": {"exact": [0, 0], RELATIVE: [count // 4, count - count // 4]},
        }
        found[asked.id] = Record(spec=asked, status="ok", values=values)
    return found


def everything(dino=0.4, supervised=0.3, more=1200, less=1000, study=STUDY, others=0.3):
    knees = {"dino": dino, "supervised": supervised, "long": others, "masked": others}
    counts = {"dino": more, "supervised": less, "long": 1000, "masked": 1000}
    return tunings(turning(knees), study) | zeros_of(study, counts)


def judged(found, study=STUDY, **options):
    first, *beside = fig6.comparisons(study)
    return c07_self_supervision.judge(study, found, curves(study, found), first, beside, **options)


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ({}, "agrees"),
        ({"dino": 0.2}, "differs"),  # more is lost, though more weights are zero
        ({"dino": 0.3}, "inconclusive"),  # just as much is lost, but two seeds lie too far apart to say so
        ({"more": 800}, "differs"),
        ({"more": 1000}, "differs"),
    ],
)
def test_both_the_mean_drop_and_the_zeros_must_be_better_by_what_matters(options, outcome):
    assert judged(everything(**options)).outcome == outcome


def test_an_effect_that_is_there_and_too_small_differs_in_its_own_words():
    verdict = judged(everything(more=1060))
    assert verdict.outcome == "differs" and verdict.numbers["more zeros"].estimate.low > 0
    assert "of the right sign, far smaller than the 14.37% that would matter" in verdict.reason


def test_the_mean_drop_is_that_of_10_to_60_percent():
    study = dataclasses.replace(STUDY, variants={"one-shot": at_sparsities((0.05, 0.2, 0.6, 0.8))})
    found = tunings(lambda model, s: 90 - {0.05: 40.0, 0.2: 1.0, 0.6: 5.0, 0.8: 40.0}.get(s, 0.0), study)
    assert {round(mean_drop(curve), 6) for curve in curves(study, found)} == {3.0}


def test_the_reason_tells_sizes_tasks_and_what_stands_beside():
    verdict = judged(everything())
    text = verdict.reason
    assert text.startswith("DINO − supervised, after equally many images: on average over sparsities of 10% to 60%")
    spared = verdict.numbers["points less lost"].estimate
    assert spared.value == pytest.approx(4, abs=0.1)  # 0, 0 and 12 points lost against 0, 6 and 18
    assert f"the first lose {spared.text()} points less, above 0" in text
    assert verdict.numbers["more zeros"].estimate.value == pytest.approx(19.9, abs=0.1)
    assert "(as the paper has it, by a reading that it does not state)" in text
    assert "is above 0 on a and b" in text
    assert f"after equal time: the first lose {spared.text()}" in text and "masked images − supervised" in text
    assert "4.3 times as large" in text


def test_the_pre_trained_model_is_the_unit():
    """Two pre-trainings that lie far apart decide nothing, however well each is known."""
    spread = {"dino-0": 0.5, "dino-1": 0.3, "supervised": 0.3, "long": 0.3, "masked": 0.3}
    found = tunings(turning(spread), STUDY) | zeros_of(STUDY, {"dino": 1200, "": 1000})
    assert judged(found).outcome == "inconclusive"


@pytest.mark.slow
@pytest.mark.parametrize("pretrainings", [2, 5])
def test_where_both_effects_are_of_interest_chance_seldom_makes_c7_differ(pretrainings):
    """Pre-trainings whose mean drops scatter by a point and their zeros by a twentieth, about the smallest effects."""
    rng, times, differs = np.random.default_rng(5), 4000, 0
    smallest = np.array([c07_self_supervision.SMALLEST_SPARED, c07_self_supervision.SMALLEST_EXCESS])
    names = [f"{side}{number}" for side in "ab" for number in range(pretrainings)]
    pair = Comparison("", tuple(names[:pretrainings]), tuple(names[pretrainings:]))
    for _ in range(times):
        drops = rng.normal(size=2 * pretrainings)
        drops[:pretrainings] += smallest[0]
        shares = np.exp(0.05 * rng.normal(size=2 * pretrainings))
        shares[:pretrainings] *= 1 + smallest[1] / 100
        spared = mean_difference(drops[:pretrainings].tolist(), drops[pretrainings:].tolist())
        zeros = excess_over_pretrainings(dict(zip(names, shares.tolist(), strict=True)), pair)
        estimates = zip((spared, zeros), smallest, strict=True)
        differs += "differs" in [against_smallest(estimate, delta) for estimate, delta in estimates]
    assert 0.03 < differs / times <= 0.055


def test_a_task_that_a_model_has_not_learned_is_not_counted():
    found = everything(dino=0.3)
    flat = tunings(turning({"": 0}, learned=False), STUDY)
    found |= {t.id: flat[t.id] for t in STUDY.trials() if t.task == "b" and t.model == "vit-4x192-dino-0"}
    seen = curves(STUDY, found)
    assert learned_tasks(STUDY, seen, DINO.models) == ["a"]
    effect = essential_effect(STUDY, seen, DINO)
    assert effect.values["vit-4x192-dino-0"] == pytest.approx(effect.values["vit-4x192-supervised-0"], abs=0.02)
    assert "not counted: b, which not every model learned" in judged(found).reason


def test_a_task_that_supervised_models_were_pre_trained_to_tell_is_told_and_not_counted():
    study = study_of(tasks=("cifar10", "b"))
    knees = {"dino": 0.3, "supervised": 0.3, "long": 0.3, "masked": 0.3}
    far = tunings(turning({**knees, "dino": 0.5}), study)
    found = tunings(turning(knees), study) | zeros_of(study, {"dino": 1200, "": 1000})
    found |= {t.id: far[t.id] for t in study.trials() if t.task == "cifar10"}
    first, *_ = fig6.comparisons(study)
    there = curves(study, found)
    assert learned_tasks(study, there, first.models) == ["b"]
    assert learned_tasks(study, there, first.more) == ["b", "cifar10"][::-1]  # of DINO alone it is as good as any
    verdict = judged(found, study)
    assert verdict.outcome == "inconclusive"
    assert "not counted: cifar10, whose classes the supervised models were pre-trained to tell" in verdict.reason
    assert "on b" in verdict.reason and "cifar10, which not every model learned" not in verdict.reason


def test_models_that_learned_nothing_tell_nothing():
    found = tunings(turning({"": 0}, learned=False), STUDY) | zeros_of(STUDY, {"dino": 1200, "": 1000})
    verdict = judged(found)
    assert verdict.outcome == "cannot be tested here" and "no task that all models learned" in verdict.reason


def test_records_that_are_missing_leave_the_verdict_open():
    found = everything()
    gone = STUDY.trial("vit-4x192-dino-1", "b", Pruning(sparsity=0.4), 2)
    verdict = judged({i: r for i, r in found.items() if i != gone.id})
    assert verdict.outcome == "not run yet" and "1 of the 4 models compared lack records" in verdict.reason
    without = {i: r for i, r in found.items() if i not in {m.id for m in STUDY.measurements()}}
    assert judged(without).outcome == judged({}).outcome == "not run yet"


def test_what_stands_beside_does_not_decide_and_is_missed():
    found = everything()
    found = {i: r for i, r in found.items() if "long" not in r.spec.model}
    verdict = judged(found)
    assert verdict.outcome == "agrees" and "after equal time: records are missing" in verdict.reason


def test_one_pre_training_each_decides_nothing():
    study = study_of(("vit-4x192-supervised-0", "vit-4x192-dino-0"))
    verdict = judged(everything(study=study), study)
    assert verdict.outcome == "inconclusive" and "one pre-training each shows no spread" in verdict.reason
    assert "nan" not in verdict.reason


def test_a_study_of_one_objective_compares_nothing():
    study = study_of(("vit-4x192-supervised-0", "vit-4x192-supervised-1"))
    assert judged(everything(study=study), study).outcome == "cannot be tested here"
    tiny = figures.study("fig6", "tiny")
    assert c07_self_supervision.judge(tiny, {}, [], fig6.comparisons(tiny)[0]).outcome == "cannot be tested here"


def test_drops_are_means_over_the_tasks_and_differences_over_the_models():
    seen = curves(STUDY, everything(dino=0.4, supervised=0.2))
    effects = drop_effects(STUDY, seen, DINO)
    assert list(effects) == [0.0, 0.2, 0.4, 0.6]
    at = effects[0.6]
    assert at.values["vit-4x192-dino-0"] == pytest.approx(12, abs=0.2)
    assert at.values["vit-4x192-supervised-1"] == pytest.approx(60 * 0.39, abs=0.2)
    assert at.difference.value == pytest.approx(-12, abs=0.2) and at.difference.high < 0
    assert math.isnan(at.trend)


def test_zeros_are_shares_of_all_prunable_weights():
    shares = zero_shares(STUDY, zeros_of(STUDY, {"dino": 1200, "": 1000}))
    assert shares[RELATIVE]["vit-4x192-dino-0"] == pytest.approx(1.2)
    assert shares[RELATIVE]["vit-4x192-long-1"] == pytest.approx(1.01)
    assert set(shares["exact"].values()) == {0.0}


def test_the_surplus_is_that_of_the_means_with_the_range_of_the_pairs():
    two = Comparison("", ("a", "b"), ("c", "d"))
    found = excess({"a": 3.0, "b": 5.0, "c": 2.0, "d": 4.0}, two)
    assert (found.value, found.low, found.high) == (pytest.approx(100 / 3), -25, 150)
    assert math.isnan(excess({"a": 3.0, "b": 5.0, "c": 0.0, "d": 4.0}, two).value)
    assert math.isnan(excess({"a": 3.0, "b": 5.0, "c": 2.0}, two).value)


# Figure 6


def test_every_scale_compares_dino_with_supervised():
    for scale, study in figures.STUDIES["fig6"].items():
        first = fig6.comparisons(study)[0]
        assert first.more and first.less and len(first.more) == len(first.less)
        assert [m.model for m in study.measurements() if m.kind == "zeros"] == list(study.models), scale
    assert figures.study("fig6", "paper").models == ("vit-base-patch16-224", "dino-vitb16")


def test_a_panel_for_each_task_a_colour_for_each_objective_and_a_line_for_each_seed():
    figure = fig6.draw(STUDY, curves(STUDY, everything()), marked=0.4)
    assert [ax.get_title() for ax in figure.axes] == ["mean of the learned tasks", "a", "b"]
    for ax in figure.axes:
        lines = [line for line in ax.get_lines() if len(line.get_xdata()) == 4]
        assert len(lines) == len(STUDY.models)
        assert len({to_rgb(line.get_color()) for line in lines}) == 4
        assert {line.get_linestyle() for line in lines} == {"-", "--"}
        assert any(list(line.get_xdata()) == [40, 40] for line in ax.get_lines())
    looks = fig6.line_styles(STUDY, STUDY.models)
    mean = figure.axes[0].get_lines()
    own = [line for line in mean if to_rgb(line.get_color()) == to_rgb(looks["vit-4x192-dino-0"]["color"])]
    assert own[0].get_ydata() == pytest.approx([0, 0, 0, -12], abs=0.2)


def test_the_legend_names_what_is_drawn_and_nothing_else():
    whole = curves(STUDY, everything())
    for models, named in (
        (STUDY.models, [*vision_settings.BY_OBJECTIVE["lab"], "pre-training 1", "pre-training 2"]),
        (
            [*DINO.models, EQUAL_TIME.less[1]],
            ["supervised", "DINO", "supervised for as long", "pre-training 1", "pre-training 2"],
        ),
        ([DINO.more[1]], ["DINO"]),
    ):
        (legend,) = fig6.draw(STUDY, [curve for curve in whole if curve.model in models]).legends
        assert [text.get_text() for text in legend.get_texts()] == named


def test_the_panel_has_the_colours_of_the_figure_and_begins_with_one_task():
    study = study_of(tasks=("cifar10", "a", "b"))  # the supervised models know the classes of the first
    seen = curves(study, tunings(turning({"": 0.4}), study))
    panel = fig6.panel(study, seen, "words", start=40.0)
    assert panel.ticked["shape"] == ["a"] and panel.ticked["dash"] == ["pre-training 1"] and len(panel.drawn) == 4
    assert panel.values["dash"] == ["pre-training 1", "pre-training 2"]
    assert panel.values["colour"] == list(vision_settings.BY_OBJECTIVE["lab"])
    looks = fig6.line_styles(study, study.models)
    drawn = {vision_settings.objective_of(study)[model]: to_hex(look["color"]) for model, look in looks.items()}
    assert panel.colours == drawn
    assert fig6.panel(study, [], "words", start=40.0) is None
    # neither follows from whose records are there, nor from what is learned by models that decide nothing
    turned = turning({"": 0.4})
    found = tunings(lambda model, s: 50.0 if "masked" in model else turned(model, s), study)
    late = [curve for curve in curves(study, found) if (curve.model, curve.task) != (study.models[0], "cifar10")]
    other = fig6.panel(study, late, "words", start=40.0)
    assert other.lines[0].colour != panel.lines[0].colour and other.colours == drawn
    assert other.ticked["shape"] == panel.ticked["shape"]


def test_the_tables_tell_each_model_and_each_comparison():
    found = everything()
    seen = curves(STUDY, found)
    essential, dense = fig6_tables.essential_table(STUDY, seen), fig6_tables.dense_table(STUDY, seen)
    titles = [vision_settings.model_title(model) for model in STUDY.models]
    assert essential["model"].tolist() == dense["model"].tolist() == titles
    assert titles[0] == "supervised ViT, pre-training 1" and list(essential) == list(dense) == ["model", "a", "b"]
    assert " [" in essential.loc[0, "a"] and " [" in dense.loc[0, "a"]
    effects = fig6_tables.effect_table(STUDY, seen).set_index("quantity")
    assert list(effects) == [DINO.name, EQUAL_TIME.name, LENGTH.name, MASKED.name]
    assert effects.loc["mean essential sparsities", DINO.name].startswith("DINO ")
    assert effects.loc["essential sparsity", DINO.name].startswith("18 [")
    assert effects.loc["drop at 60%", DINO.name].startswith("−6.0 [")


@pytest.mark.parametrize(
    ("dino", "said"), [(800, "have fewer zeros"), (1200, "have more zeros"), (1000, "more zeros is inconclusive")]
)
def test_zeros_after_equal_time_are_told_with_their_interval(dino, said):
    found = everything(more=dino)
    surplus = excess_over_pretrainings(zero_shares(STUDY, found)[RELATIVE], EQUAL_TIME)
    text = fig6_tables.equal_time(STUDY, found)
    assert said in text and f"DINO − supervised is {surplus.text()}%" in text
    assert fig6_tables.equal_time(STUDY, {}) == ""


def trained(asked, **metrics):
    probes = {"knn": [20.0, None, 60.0], "teacher_entropy": [6.0, 5.0, 5.5]}
    dynamics = {"at": [0, 1000, 3000], "held_out": [3.0, 2.0, 1.0], "probes": probes}
    known = {"knn": 60.0, "knn_pixels": 35.0, "knn_random": 30.0, "linear_probe": 65.4, "parameters": 1.8e6, **metrics}
    return Record(
        spec=asked,
        status="ok",
        metrics=known,
        values={"dynamics": dynamics},
        provenance={"seconds": 1800.0, "device": "cpu, 1 thread"},
    )


def test_the_table_of_quality_tells_what_each_has_learned_and_cost():
    first, _, third = STUDY.pretrainings()[:3]
    found = {first.id: trained(first, accuracy=70.0), third.id: trained(third)}
    table = fig6_learned.quality_table(STUDY, found)
    assert len(table) == 8 + 2
    row, cost = table.iloc[0], fig6_learned.cost_table(STUDY, found).iloc[0]
    assert (row["model"], row["k-NN"]) == ("supervised ViT, pre-training 1", "60.0")
    assert table.iloc[-1]["model"] == "no model: pixels" and table["k-NN"].tolist()[-2:] == ["30.0", "35.0"]
    assert (row["its own head"], row["linear probe, patches"]) == ("70.0", "—")
    assert (cost["images seen"], cost["minutes"], cost["parameters"]) == ("384,000", "30.0", "1.80 M")
    assert table.iloc[2]["its own head"] == "—" and "outcome" not in table
    assert fig6_learned.cost_table(STUDY, found)["outcome"].tolist()[:3] == ["ok", "no record", "ok"]
    assert "90.94% by ViT-Lite-6/4 (3.2 M parameters, 10 million images)" in fig6_learned.published()


def test_what_pre_training_adds_to_pixels_and_to_random_weights_is_told():
    first, _, third = STUDY.pretrainings()[:3]
    found = {p.id: trained(p, knn=60.0, knn_pixels=35.0, knn_random=knn) for p, knn in ((first, 20.0), (third, 61.5))}
    table = fig6_learned.gains_table(STUDY, found)
    assert table["objective"].tolist() == [vision_settings.SUPERVISED, vision_settings.DINO]
    assert table["k-NN − pixels"].tolist() == ["+25.0", "+25.0"]
    assert table["k-NN − random weights"].tolist() == ["+40.0", "−1.5"]
    patches = {first.id: trained(first, knn_patches=31.0), third.id: trained(third)}
    assert fig6_learned.gains_table(STUDY, patches)["k-NN, patches − pixels"].tolist() == ["−4.0", "—"]
    assert fig6_learned.gains_table(STUDY, {}).empty


def test_what_the_fine_tuning_makes_of_known_classes_is_told():
    study = study_of(tasks=("cifar10", "a"))
    first, second = study.pretrainings()[:2]
    heads = {p.id: trained(p, accuracy=accuracy) for p, accuracy in ((first, 92.0), (second, 97.0))}
    tuned = tunings(turning({"": 0.4}), study)
    told = fig6_learned.learned_again(study, heads, curves(study, tuned))
    assert (
        told.startswith("On cifar10, whose classes the supervised models saw")
        and "reach 90.2% once" in told
        and "94.5%" in told
    )
    assert not fig6_learned.learned_again(study, {}, curves(study, tuned))
    assert not fig6_learned.learned_again(study, heads, [])


def test_probes_and_losses_are_drawn_against_millions_of_images():
    one_each = {p.objective: p for p in STUDY.pretrainings() if "long" not in p.model}
    figure = fig6_learned.draw_learning(STUDY, {p.id: trained(p) for p in one_each.values()})
    by_title = {ax.get_title(): ax for ax in figure.axes if ax.get_visible()}
    assert list(by_title)[:2] == ["k-NN accuracy (%)", "entropy of the teacher's outputs"]
    lines = by_title["k-NN accuracy (%)"].get_lines()
    assert len(lines) == 3
    assert lines[0].get_xdata() == pytest.approx([0, 0.384]) and lines[0].get_ydata().tolist() == [20, 60]
    limit, *_ = by_title["entropy of the teacher's outputs"].get_lines()
    assert limit.get_ydata()[0] == pytest.approx(math.log(1024))
    losses = ["loss, supervised (nats)", "loss, DINO (nats)", "error, hidden pixels (sd)"]
    assert list(by_title)[2:] == losses
    looks = fig6.line_styles(STUDY, STUDY.models)
    for title, p in zip(losses, (one_each[o] for o in ("supervised", "dino", "masked")), strict=True):
        (line,) = by_title[title].get_lines()  # each in a unit of its own, so in a panel of its own
        assert to_rgb(line.get_color()) == to_rgb(looks[p.model]["color"])
        assert line.get_xdata() == pytest.approx([0, 0.128, 0.384]) and line.get_ydata().tolist() == [3.0, 2.0, 1.0]


def test_without_records_words_stand_in_the_figures_place():
    for figure in (fig6.draw(STUDY, []), fig6_learned.draw_learning(STUDY, {})):
        assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["no records yet"]
    assert len(fig6_learned.quality_table(STUDY, {})) == 10 and fig6_tables.effect_table(STUDY, []).empty
    assert fig6_tables.essential_table(STUDY, [])["a"].tolist() == ["—"] * 8


def test_models_of_no_objective_are_not_drawn():
    study = STUDY.narrowed(models=["someone/vit"])
    assert fig6.line_styles(study, study.models) == {} and vision_settings.objectives(study) == {}
    assert fig6.comparisons(study)[0].models == ()
