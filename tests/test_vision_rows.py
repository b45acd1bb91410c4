"""The rows of Figures 9 and 10 for language and for vision: who is tried on what, and how each stands by itself."""

import dataclasses

import matplotlib as mpl
import pytest
from helpers import similar_masks as alike
from helpers import ticket_better_by
from helpers import variant_records as records
from matplotlib import pyplot

from essparse_lib import figures, tasks
from essparse_lib.analysis.contrasts import contrasts
from essparse_lib.claims.c10_tickets_like_one_shot import judge as judge_c10
from essparse_lib.claims.c11_similar_masks import judge as judge_c11
from essparse_lib.figures import contrast_plots, fig9, fig10, fig10_tables, language_settings, vision_settings
from essparse_lib.models import catalogue
from essparse_lib.records import summary
from essparse_lib.specs.models import MODELS
from essparse_lib.specs.study import TENTHS
from essparse_lib.specs.trial import Pruning, Training

mpl.use("agg")

LAB = figures.study("fig9", "lab")
TEXT, IMAGES = LAB.models
TITLE = vision_settings.model_title(IMAGES)
SMALL = dataclasses.replace(
    LAB,
    tasks=("t", "cifar10"),
    training={"*": Training(epochs=1, batch_size=8, learning_rate=1e-3)},
    variants=fig9.variants((0.3, 0.6)),
)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


@pytest.mark.parametrize("figure", ["fig9", "fig10"])
@pytest.mark.parametrize("scale", ["tiny", "lab", "paper"])
def test_each_model_is_tried_on_the_tasks_of_its_kind(figure, scale):
    study = figures.study(figure, scale)
    text, images = study.models
    seen = {"tiny": vision_settings.TINY_TASKS, "lab": vision_settings.LAB_FEW, "paper": vision_settings.PAPER_FEW}[
        scale
    ]
    read = {"tiny": language_settings.TINY_TASKS, "lab": language_settings.LAB_FEW, "paper": language_settings.GLUE}[
        scale
    ]
    assert (study.tasks_of(text), study.tasks_of(images)) == (read, seen)
    assert {m.model for m in study.measurements()} == ({text, images} if figure == "fig10" else set())
    for asked in study.measurements():
        assert {trial.task for trial in asked.trials} == set(study.tasks_of(asked.model))


def test_every_named_model_and_task_has_its_kind_here_too():
    study = dataclasses.replace(LAB, models=(*catalogue.MODELS,), tasks=(*tasks.TASKS,))
    for model in catalogue.MODELS:
        for task in study.tasks_of(model):
            assert tasks.get(task).head.reads is MODELS[model].reads


def test_each_task_is_trained_as_its_row_is():
    training = {task: LAB.trial(TEXT, task, Pruning(), 0).training for task in (*LAB.tasks, "cola")}
    assert (
        training["cifar10"] == vision_settings.LAB["cifar10"]
        and training["bbc-news"] == language_settings.LAB_SMALL_TEST["bbc-news"]
    )
    assert training["cola"] == language_settings.LAB_SMALL_TEST["*"]


def test_the_vision_row_of_figure_9_has_more_seeds_where_c10_averages():
    added, of_images = LAB.added_trials(), [t for t in LAB.trials() if t.model == IMAGES]
    assert {(t.model, t.pruning.sparsity) for t in added} == {(IMAGES, s) for s in (0, 0.1, 0.2, 0.3, 0.4)}
    assert {t.pruning.method for t in added if t.pruning.sparsity} == {"lottery", "magnitude"}
    assert {t.seed for t in of_images} == set(range(10)) and {t.seed for t in added} == set(range(3, 10))
    masks = figures.study("fig10", "lab")
    assert masks.added_trials() == [] and all(control.added_trials() == [] for control in masks.controls)


def test_narrowing_keeps_models_to_their_kind():
    assert LAB.narrowed(models=[TEXT]).tasks_of(TEXT) == language_settings.LAB_FEW
    both = LAB.narrowed(tasks=["cola", "cifar10"])
    assert (both.tasks_of(TEXT), both.tasks_of(IMAGES)) == (("cola",), ("cifar10",))
    other = LAB.narrowed(models=["someone/model"])
    assert other.tasks_of("someone/model") == LAB.tasks  # nothing is known of it
    masks = figures.study("fig10", "lab").narrowed(tasks=["cifar10"])
    assert {m.model for m in masks.measurements()} == {IMAGES}


def test_the_rates_by_which_tickets_are_found_are_told():
    told = fig10_tables.rates(figures.study("fig10", "lab"))
    assert told == f"Learning rates of the fine-tuning: 0.0001 for {TEXT}, 0.0005 for {TITLE}."


def test_the_model_that_is_trained_here_is_trained_first():
    assert [p.model for p in LAB.pretrainings()] == [IMAGES]


def both(text, images, **options):
    found = records(ticket_better_by(text), dataclasses.replace(SMALL, models=(TEXT,)), **options)
    return found | records(ticket_better_by(images), dataclasses.replace(SMALL, models=(IMAGES,)))


@pytest.mark.parametrize(
    ("text", "images", "outcome"), [(0, 0, "agrees"), (0, 3, "differs"), (3, 0, "differs"), (0, 2, "inconclusive")]
)
def test_c10_takes_the_mean_of_both_rows_and_tells_each(text, images, outcome):
    verdict = judge_c10(SMALL, both(text, images))
    assert verdict.outcome == outcome
    for model, points in ((TEXT, text), (IMAGES, images)):
        assert f"on average for {model} alone: {points}." in verdict.reason.replace("−0.00", "0.00")
    if text or images:
        assert f"everywhere: differs ({TEXT if text else IMAGES} on " in verdict.reason


def test_c10_is_not_spoilt_by_a_row_that_lacks_records():
    found = both(0, 3)
    alone = dataclasses.replace(SMALL, models=(TEXT,))
    without = {i: r for i, r in found.items() if r.spec.model == TEXT}
    verdict, before = judge_c10(SMALL, without), judge_c10(alone, without)
    assert verdict.outcome == before.outcome == "agrees"
    assert verdict.reason == f"{before.reason}; not counted: {IMAGES}, whose records are missing"
    one_less = {i: r for i, r in found.items() if (r.spec.model, r.spec.pruning.sparsity) != (IMAGES, 0.3)}
    assert judge_c10(SMALL, one_less) == verdict
    other = {i: r for i, r in found.items() if r.spec.model == IMAGES}
    assert judge_c10(SMALL, other).outcome == "differs"
    assert judge_c10(SMALL, {}).outcome == "not run yet"


def test_c10_does_not_count_a_task_that_was_not_learned():
    found = both(0, 0)
    flat = records(lambda *_: 50.0, dataclasses.replace(SMALL, models=(IMAGES,)))
    verdict = judge_c10(SMALL, found | flat)
    assert verdict.outcome == "agrees"
    assert verdict.reason.endswith(f"{IMAGES} on cifar10, where the dense model does not beat the commonest class")


CONTROLLED = figures.study("fig10", "lab")
MASKS = dataclasses.replace(CONTROLLED, controls=())


def compared(text, images):
    found = alike(MASKS, text)
    other = alike(MASKS, images)
    return {m.id: (found if m.model == TEXT else other)[m.id] for m in MASKS.measurements()}


def falling(steepness):
    return lambda s: 0.999 - steepness * s


def test_c11_judges_each_model_by_itself():
    """The mean over both models would fall where neither's does, and the least would be one's alone."""
    assert judge_c11(MASKS, compared(falling(0.05), falling(0.06))).outcome == "agrees"
    assert judge_c11(MASKS, compared(falling(0.15), falling(0.15))).outcome == "differs"
    verdict = judge_c11(MASKS, compared(falling(0.05), falling(0.15)))
    assert verdict.outcome == "depends on the setting"
    text, images = verdict.clauses
    assert (text.outcome, images.outcome) == ("agrees", "differs")
    assert f"{TEXT} at a learning rate of 0.0001: the mean cosine is " in text.text and IMAGES in images.text


def test_c11_is_judged_by_the_mean_and_tells_the_range():
    found = compared(falling(0.05), falling(0.05))
    for record in found.values():
        table = record.values["cosine"]
        table[1][0] = table[0][1] = 0.95 - 0.01 * record.spec.sparsity  # one pair of three
        table[2][0] = table[0][2] = 0.995 - 0.01 * record.spec.sparsity
        table[2][1] = table[1][2] = 0.995 - 0.01 * record.spec.sparsity
    verdict = judge_c11(MASKS, found)
    assert verdict.outcome == "agrees" and "and 97.6% at" in verdict.reason and "have 94.6 to " in verdict.reason


def test_c11_is_not_spoilt_by_a_row_that_lacks_records():
    found = compared(falling(0.05), falling(0.15))
    without = {i: r for i, r in found.items() if r.spec.model == TEXT}
    alone = dataclasses.replace(MASKS, models=(TEXT,))
    verdict, before = judge_c11(MASKS, without), judge_c11(alone, without)
    assert verdict.outcome == "agrees"
    assert verdict.reason == f"{before.reason}; not counted: {IMAGES} at 0.0005, whose records are missing"
    (first,) = (m for m in MASKS.measurements() if m.model == IMAGES and m.sparsity == 0.1 and m.trials[0].seed == 0)
    assert judge_c11(MASKS, {i: r for i, r in found.items() if i != first.id}).outcome == "agrees"


def test_the_control_of_figure_10_changes_the_rate_alone():
    (control,) = CONTROLLED.controls
    assert control.measurements() and {t.training.learning_rate for t in control.trials()} == {1e-4}
    for slower in control.trials():
        usual = CONTROLLED.trial(slower.model, slower.task, slower.pruning, slower.seed)
        faster = dataclasses.replace(slower.training, learning_rate=usual.training.learning_rate)
        assert usual != slower and usual == dataclasses.replace(slower, training=faster)
    assert {t.model for t in control.trials()} == {IMAGES} and max(control.sparsities) == 0.4


def test_a_control_is_asked_for_with_its_study_and_narrowed_with_it():
    whole, own = len(CONTROLLED.specs()), len(CONTROLLED.controls[0].specs())
    assert whole == len(MASKS.specs()) + own
    assert summary.missing(CONTROLLED, {}).split("of ")[2].startswith(f"{len(CONTROLLED.trials()) + 30} fine-tunings")
    one_seed = CONTROLLED.narrowed(seeds=[1])
    assert {t.seed for t in one_seed.controls[0].trials()} == {1} and len(one_seed.controls[0].specs()) == own / 3
    assert CONTROLLED.narrowed().controls == CONTROLLED.controls
    assert CONTROLLED.narrowed(models=[IMAGES]).controls == CONTROLLED.narrowed(tasks=["cifar10"]).controls == ()


def test_the_page_tells_what_the_control_changes_and_what_that_does_to_the_dense_models():
    found = records(lambda *_: 80.0, CONTROLLED) | records(lambda *_: 70.0, CONTROLLED.controls[0])
    told = fig10_tables.controlled(CONTROLLED, found)
    assert f"0.0005 for {TITLE}. In this control: 0.0001 for {TITLE}." in told
    assert "the model then scores 70.0 [" in told and "on CIFAR-10 (objects) (80.0 [" in told
    assert fig10_tables.controlled(CONTROLLED, {}).endswith(f"In this control: 0.0001 for {TITLE}.")
    said = fig10_tables.two_rates(CONTROLLED)
    assert said.startswith(f"The {TITLE}, is fine-tuned at a learning rate of 0.0005, 5 times the ")
    assert fig10_tables.two_rates(MASKS) == ""
    assert fig10_tables.controlled(MASKS, found) == "This study has no such run."


@pytest.mark.parametrize(
    ("usual", "slower", "outcome"), [(0.05, 0.06, "agrees"), (0.15, 0.05, "depends on the setting")]
)
def test_c11_counts_the_control_as_another_learning_rate(usual, slower, outcome):
    found = compared(falling(0.05), falling(usual)) | alike(CONTROLLED.controls[0], falling(slower))
    verdict = judge_c11(CONTROLLED, found)
    slow = f"for {IMAGES} at a learning rate of 0.0001: the mean cosine is "
    assert verdict.outcome == outcome and slow in verdict.reason
    depends = f"it depends on the learning rate: with nothing else changed, {IMAGES} differs at 0.0005 and agrees at 0"
    assert (depends in verdict.reason) == (outcome == "depends on the setting")


def test_c11_names_a_control_that_lacks_records():
    verdict = judge_c11(CONTROLLED, compared(falling(0.05), falling(0.06)))
    assert verdict.outcome == "agrees"
    assert verdict.reason.endswith(f"not counted: {IMAGES} at 0.0001, whose records are missing")


def test_masks_of_two_models_are_never_averaged():
    found = compared(falling(0.05), falling(0.15))
    for model, steepness in ((TEXT, 0.05), (IMAGES, 0.15)):
        tables = fig10.tables(MASKS, found, model)
        assert list(tables) == list(fig9.SPARSITIES)
        assert tables[0.4][:, 0, 1] == pytest.approx([0.999 - steepness * 0.4] * 3)
    table = fig10_tables.table(MASKS, found)
    assert table["model"].tolist() == [TEXT] * 7 + [TITLE] * 7
    assert "model" not in fig10_tables.table(MASKS, {i: r for i, r in found.items() if r.spec.model == TEXT})


def test_figure_10_has_a_row_for_each_model():
    found = compared(falling(0.05), falling(0.15))
    maps = [ax.get_title() for ax in fig10.draw(MASKS, found, (0.1, 0.2, 0.3)).axes if ax.get_visible()]
    assert [title.split("\n")[0] for title in maps] == [TEXT] * 3 + [TITLE] * 3
    against = fig10.draw_against_null(MASKS, found).axes
    assert [ax.get_title().split(":")[0] for ax in against] == [TEXT, TEXT, TITLE, TITLE]
    only = {i: r for i, r in found.items() if r.spec.model == TEXT}
    assert next(ax.get_title() for ax in fig10.draw_against_null(MASKS, only).axes) == "cosine of what is kept"


def test_figure_10_without_records_says_so():
    for figure in (fig10.draw(MASKS, {}), fig10.draw_against_null(MASKS, {})):
        assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["no records yet"]
    assert fig10_tables.table(MASKS, {}).empty


def test_figure_9_tells_the_rows_apart_by_colour_panel_and_name():
    pairs = [(ticket, Pruning(sparsity=ticket.sparsity)) for ticket in SMALL.variants[fig9.LOTTERY]]
    everything = both(0, 2)
    found = contrasts(SMALL, everything, pairs)
    figure = contrast_plots.draw(found)
    assert [ax.get_title() for ax in figure.axes] == ["t", "CIFAR-10 (objects)"]
    drawn = [[c for c in ax.containers if len(c.lines[0].get_xdata())] for ax in figure.axes]
    assert [len(each) for each in drawn] == [1, 1]
    assert drawn[0][0].lines[0].get_color() != drawn[1][0].lines[0].get_color()
    assert figure.legends[0].get_texts()[0].get_text() == TEXT
    assert contrast_plots.table(found, {})["model"].tolist() == [TEXT] * 2 + [IMAGES] * 2
    one = [c for c in found if c.model == TEXT]
    assert "model" not in contrast_plots.table(one, {})


def test_the_lists_of_vision_are_in_step():
    for scale, ways in vision_settings.BY_OBJECTIVE.items():
        study = figures.study("fig6", scale)
        assert study.models == tuple(model for own in ways.values() for model in own)
        assert vision_settings.objectives(study) == ways
        trained = [
            model for model in study.models if model not in vision_settings.PAPER_MODELS and model != "dino-vitb16"
        ]
        assert [p.model for p in study.pretrainings()] == trained
    assert figures.study("fig3", "lab").sparsities == TENTHS
    assert {t.id for t in figures.study("fig3", "lab").trials()} <= {
        t.id for t in figures.study("fig6", "lab").trials()
    }
