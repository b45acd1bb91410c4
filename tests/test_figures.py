"""What the figures draw and say from records, and how a notebook's parameters are read."""

import dataclasses
import re
from pathlib import Path

import matplotlib as mpl
import pytest
from helpers import CURVE_STUDY as STUDY
from helpers import curve_records as records
from helpers import knee_at
from transformers import BertConfig, BertModel, OPTConfig, OPTModel

from essparse_lib import figures
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.estimate import Estimate
from essparse_lib.errors import InputError
from essparse_lib.figures import curve_plots, curve_tables, language_settings, parameters, points, style
from essparse_lib.models import catalogue, loading
from essparse_lib.records.store import Record, results
from essparse_lib.records.summary import fingerprint, provenance
from essparse_lib.runner import interactive
from essparse_lib.specs.study import Override, Study, at_sparsities
from essparse_lib.specs.tasks import Head
from essparse_lib.specs.trial import Pruning, Training

mpl.use("agg")

ROOT = Path(__file__).parents[1]


def test_every_study_of_every_figure_asks_for_something_and_for_nothing_twice():
    for by_scale in figures.STUDIES.values():
        for study in by_scale.values():
            trials = study.specs()
            assert len({t.id for t in trials}) == len(trials) > 0


def test_every_committed_record_is_still_one_that_a_lab_study_asks_for(monkeypatch):
    monkeypatch.chdir(ROOT)
    asked = {trial.id for by_scale in figures.STUDIES.values() for trial in by_scale["lab"].specs()}
    kept = results("lab").records()
    assert len(kept) > 400 and not kept.keys() - asked


def test_figure_2_has_the_papers_tasks_with_the_settings_of_table_1():
    study = figures.study("fig2", "paper")
    epochs = {"mnli": 3, "qnli": 4, "qqp": 3, "rte": 3, "sst2": 5, "squad-v1.1": 3}
    assert set(study.tasks) == set(epochs) and study.models[:2] == ("bert-base-uncased", "bert-large-uncased")
    for model in study.models:
        assert study.tasks_of(model) == study.tasks and study.seeds_of(model) == study.seeds
    for task, passes in epochs.items():
        questions = task == "squad-v1.1"
        assert study.trial(study.models[0], task, Pruning(), 0).training == (
            Training(epochs=passes, batch_size=16, learning_rate=3e-5, max_length=384)
            if questions
            else Training(epochs=passes, batch_size=32, learning_rate=2e-5, max_length=256)
        )


def test_every_language_model_of_the_paper_scale_is_named_and_pinned():
    for figure in ("fig1", "fig2", "fig5", "fig9", "fig10"):
        for model in figures.study(figure, "paper").models:
            repository = catalogue.MODELS[model].repository
            assert repository is not None and re.fullmatch("[0-9a-f]{40}", repository.revision), model


@pytest.mark.parametrize(
    "make",
    [
        lambda small: BertModel(
            BertConfig(**small, intermediate_size=16)
        ),  # 512 positions, as bert-base and bert-large
        lambda small: OPTModel(OPTConfig(**small, ffn_dim=16, word_embed_proj_dim=8)),  # 2,048, as every OPT
    ],
    ids=["bert", "opt"],
)
def test_the_papers_models_take_the_heads_and_lengths_of_its_tasks(make, tmp_path, fresh_models):
    make(dict(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)).save_pretrained(tmp_path)
    for task in language_settings.PAPER_TASKS:
        head = "question-answering" if task == "squad-v1.1" else "sequence-classification"
        loading.check_fits(str(tmp_path), head, language_settings.TABLE_1[task].max_length)


def test_squad_and_vitaminc_can_be_asked_for_at_lab_scale():
    study = parameters.narrowed(figures.study("fig2", "lab"), "all", "squad,vitaminc", "all")
    assert interactive.checked_study(study) is study
    trainings = {task: study.trial("minilm-l6", task, Pruning(), 0).training for task in study.tasks}
    assert trainings["squad"] == Training(
        epochs=3, batch_size=16, learning_rate=1e-4, max_length=256, max_train=1500, max_test=1500
    )
    assert trainings["vitaminc"] == Training(epochs=3, batch_size=16, learning_rate=1e-4, max_length=96, max_train=6000)
    assert study.tasks_of("mpnet-base") == ()  # by its part: it is tried on one task
    wanted = interactive.unrecorded(study, {}, [Pruning(sparsity=0.4)], parameters.live_tasks(study, "first"))
    assert [(t.model, t.task, t.pruning.sparsity) for t in wanted] == [
        ("minilm-l6", "squad", 0.0),
        ("minilm-l6", "squad", 0.4),
    ]
    asked = {
        name: {"squad", "vitaminc"} & {t.task for t in by_scale["lab"].trials()}
        for name, by_scale in figures.STUDIES.items()
    }
    assert {name: tasks for name, tasks in asked.items() if tasks} == {"fig2": {"squad"}}
    questions = [t for t in figures.study("fig2", "lab").trials() if t.task == "squad"]
    assert {t.model for t in questions} == {"minilm-l6"}
    assert {t.pruning.sparsity for t in questions} == {0, 0.2, 0.4, 0.6}
    text = " ".join((ROOT / "book/methods.md").read_text().split())
    assert "`squad` 1,500 questions, 256 tokens and 1,500 questions to evaluate on" in text
    assert "`vitaminc` 6,000 pairs and 96 tokens" in text


def test_the_figure_shows_every_level_the_asked_point_and_the_knee():
    asked_points = points.at_sparsity(STUDY, records(knee_at(0.5)), 0.7, live=())
    figure = curve_plots.draw(curves(STUDY, records(knee_at(0.5))), asked_points)
    lines = figure.axes[0].get_lines()
    mean = next(line for line in lines if line.get_marker() == "o")
    assert mean.get_ydata() == pytest.approx([0] * 6 + [-6, -12, -18, -24], abs=0.05)
    assert any(line.get_marker() == "D" and line.get_xdata()[0] == pytest.approx(70) for line in lines)
    knee = next(line for line in lines if line.get_marker() == "|")
    assert knee.get_xdata()[0] == pytest.approx(51.7, abs=1)


def test_the_look_is_seaborns():
    import seaborn

    look = seaborn.axes_style("ticks") | seaborn.plotting_context("notebook") | style._CHANGES
    with mpl.rc_context():
        mpl.rcdefaults()
        style.apply()
        drawn = {name: mpl.rcParams[name] for name in look if name != "image.cmap"}  # every map names its colours
    assert drawn == {name: value for name, value in look.items() if name != "image.cmap"}
    palette = seaborn.color_palette("colorblind", 10).as_hex()
    assert palette.pop(3) == style.MARKED and sorted(style._PALETTE) == sorted(palette)


def test_an_empty_figure_can_be_drawn():
    assert curve_plots.draw([]).axes


def test_a_point_is_told_with_its_drop_and_interval():
    point = points.Point(model="m", task="t", sparsity=0.4, drop=Estimate(1.25, -0.5, 3.0), seeds=3, live=False)
    assert points.sentence(point) == (
        "At 40% sparsity the score changes by −1.2 [−3.0, 0.5] points, which may be chance, for m on t "
        "(3 seeds, from records)."
    )
    gain = points.Point(model="m", task="t", sparsity=0.45, drop=Estimate(-1.0, -3.0, 0.5), seeds=1, live=True)
    assert points.sentence(gain).endswith(
        "by 1.0 [−0.5, 3.0] points, which may be chance, for m on t (one seed, run now)."
    )
    loss = points.Point(model="m", task="t", sparsity=0.45, drop=Estimate(1.0, 0.5, 3.0), seeds=0, live=False)
    assert ", a loss, for m on t (from records)." in points.sentence(loss)
    unlearned = dataclasses.replace(loss, learned=False)
    assert points.table([point, gain, loss, unlearned])["sign"].tolist() == ["?", "?", "−", "—"]
    assert "**−** below zero (1 of 3)" in points.heading([point, gain, loss, unlearned], 0.4)
    assert "`live_tasks`" in points.heading([], 0.4)


def test_a_live_point_is_paired_with_its_own_seed():
    found = records(knee_at(0.5), noise=3.0)
    trial = STUDY.trial("m", "t", Pruning(sparsity=0.75), 0)
    source = found[STUDY.trial("m", "t", Pruning(sparsity=0.7), 0).id]
    found[trial.id] = Record(
        spec=trial, status="ok", metrics=source.metrics, predictions=source.predictions, labels=source.labels
    )
    (point,) = points.at_sparsity(STUDY, found, 0.75, live={trial.id})
    alone = curves(STUDY, {i: r for i, r in found.items() if r.spec.seed == 0})[0]
    assert point.live and point.seeds == 1
    assert point.drop.value == pytest.approx(alone.drops()[0][7])


def test_the_table_names_what_was_not_learned():
    found = curve_tables.table(curves(STUDY, records(lambda _: 50.0)))
    assert found["essential sparsity %"].tolist() == ["not learned"]
    found = curve_tables.table(curves(STUDY, records(lambda _: 90.0)))
    assert found["essential sparsity %"].tolist()[0].startswith("≥ 90")


def test_provenance_changes_with_a_record():
    found = records(knee_at(0.5))
    before = fingerprint(found.values())
    assert provenance(STUDY, found).loc["records", "value"] == "30 of 30 trials"
    del found[STUDY.trial("m", "t", Pruning(sparsity=0.5), 0).id]
    assert fingerprint(found.values()) != before
    assert provenance(STUDY, found).loc["records", "value"] == "29 of 30 trials"


def test_parameters_take_names_lists_and_numbers():
    study = figures.study("fig2", "lab")
    assert parameters.narrowed(study, "all", "all", "all") == study
    chosen = parameters.narrowed(study, "tiny-bert", "rte, sst2", 1)
    assert (chosen.models, chosen.tasks, chosen.seeds) == (("tiny-bert",), ("rte", "sst2"), (1,))
    assert parameters.narrowed(study, "all", ["cola"], "0,2").seeds == (0, 2)
    assert parameters.live_tasks(study, "first") == ["movie-reviews"]
    assert parameters.live_tasks(study, "none") == []
    assert parameters.live_tasks(figures.study("fig2", "paper"), "first") == []


def test_a_model_may_be_trained_otherwise_than_the_rest():
    usual, own = (
        Training(epochs=3, batch_size=16, learning_rate=1e-4, max_length=64),
        Training(epochs=3, batch_size=16, learning_rate=1e-3, max_length=64),
    )
    part = Override(tasks=("rte",), training={"*": own})
    study = Study(
        figure="fig2",
        scale="lab",
        models=("m", "n"),
        tasks=("rte", "cola"),
        training={"*": usual},
        overrides={"n": part},
    )
    assert {(t.model, t.training) for t in study.trials()} == {("m", usual), ("n", own)}
    assert {(t.task, t.training) for t in study.narrowed(models=["n"]).trials()} == {("rte", own)}
    named = study.narrowed(models=["n"], tasks=["rte", "cola"])  # both named: it is tried on these, trained as before
    assert {(t.task, t.training) for t in named.trials()} == {("rte", own), ("cola", own)}


def test_seeds_may_differ_by_task_and_sparsities_by_model_and_task():
    study = Study(
        figure="fig2",
        scale="lab",
        models=("m", "n"),
        tasks=("rte", "cola"),
        training={"*": Training(epochs=3, batch_size=16, learning_rate=1e-4, max_length=64)},
        variants={"one-shot": at_sparsities((0.2, 0.4, 0.6))},
        seeds=(0, 1),
        task_seeds={"cola": (0, 1, 2, 3)},
        task_sparsities={"rte": (0.2, 0.4)},
        overrides={"n": Override(seeds=(5,), sparsities=(0.4, 0.6))},
    )

    def places(study):
        return {(t.model, t.task, t.seed, t.pruning.sparsity) for t in study.trials()}

    expected = {("m", "rte", seed, s) for seed in (0, 1) for s in (0.0, 0.2, 0.4)}
    expected |= {("m", "cola", seed, s) for seed in range(4) for s in (0.0, 0.2, 0.4, 0.6)}
    expected |= {("n", "rte", 5, s) for s in (0.0, 0.4)} | {("n", "cola", 5, s) for s in (0.0, 0.4, 0.6)}
    assert places(study) == expected and study.all_seeds == (0, 1, 2, 3, 5)
    assert [study.seeds_of(model) for model in study.models] == [(0, 1), (5,)]  # those of every task
    assert [t.seed for t in study.trials()] == sorted(t.seed for t in study.trials())
    assert places(study.narrowed(seeds=[1])) == {place for place in expected if place[2] == 1}
    assert places(study.narrowed(models=["n"], seeds=[7])) == {
        ("n", task, 7, s) for task in study.tasks for s in (0.0, 0.4, 0.6) if (task, s) != ("rte", 0.6)
    }


def test_unknown_tasks_and_models_are_refused_wherever_they_stand():
    study = figures.study("fig2", "lab")
    assert interactive.checked_study(study) is study
    for narrow in ({"tasks": ["rte", "mnly"]}, {"models": ["minilm-l6", "minilm-l7"]}):
        with pytest.raises(InputError, match="unknown"):
            interactive.checked_study(study.narrowed(**narrow))


def test_tasks_of_another_kind_than_a_figure_shows_are_refused():
    study = figures.study("fig4", "tiny")
    assert interactive.checked_study(study, Head.EQUATION) is study
    for task in ("tiny-sentiment", "tiny-questions", "rte"):
        with pytest.raises(InputError, match=f"task '{task}' is of another kind than fig4 shows: choose from mawps-0"):
            interactive.checked_study(study.narrowed(tasks=["tiny-arithmetic", task]), Head.EQUATION)


def test_the_range_counts_complete_curves_and_says_where_it_is_a_bound():
    found = records(lambda _: 90.0)
    assert curve_plots.range_text(STUDY, curves(STUDY, found)) == "at least 90%"
    del found[STUDY.trial("m", "t", Pruning(sparsity=0.5), 1).id]
    assert curve_plots.range_text(STUDY, curves(STUDY, found)) == "not known yet"


def test_curves_that_never_fall_are_named():
    found = records(lambda _: 90.0)
    assert curve_plots.unfalling(STUDY, curves(STUDY, found)).startswith(
        "The loss stays within ε with up to 90% of the weights gone for m on t."
    )
    assert curve_plots.unfalling(STUDY, curves(STUDY, records(knee_at(0.5)))) == ""
    del found[STUDY.trial("m", "t", Pruning(sparsity=0.5), 1).id]
    assert curve_plots.unfalling(STUDY, curves(STUDY, found)) == ""


@pytest.mark.parametrize(("tasks", "seeds"), [("", "all"), ("all", "x"), ("all", "-1"), ("all", 1.5)])
def test_wrong_parameters_are_refused(tasks, seeds):
    with pytest.raises(InputError):
        parameters.narrowed(figures.study("fig2", "lab"), "all", tasks, seeds)


def test_a_live_task_must_be_one_of_the_figure():
    with pytest.raises(InputError, match="unknown live task 'mnli'"):
        parameters.live_tasks(figures.study("fig2", "lab"), "mnli")


def test_only_what_has_no_record_is_run_live():
    found = records(knee_at(0.5))
    assert interactive.unrecorded(STUDY, found, [Pruning(sparsity=0.5)], ["t"]) == []
    trials = interactive.unrecorded(STUDY, found, [Pruning(sparsity=0.45)], ["t"])
    assert [trial.pruning.sparsity for trial in trials] == [0.45]
    assert [t.pruning.sparsity for t in interactive.unrecorded(STUDY, {}, [Pruning(sparsity=0.45)], ["t"])] == [
        0.0,
        0.45,
    ]
    assert interactive.unrecorded(STUDY, {}, [Pruning(sparsity=0.45)], []) == []


def test_a_model_without_the_seeds_that_are_asked_for_is_not_run_live():
    study = parameters.narrowed(figures.study("fig2", "lab"), "all", "all", "7")
    assert study.seeds_of("mpnet-base", study.tasks[0]) == ()
    trials = interactive.unrecorded(study, {}, [Pruning(sparsity=0.4)], study.tasks)
    assert {(trial.model, trial.seed) for trial in trials} == {("minilm-l6", 7)}


def test_at_tiny_scale_everything_missing_is_run_live():
    study = figures.study("fig2", "tiny")
    assert len(interactive.unrecorded(study, {}, [Pruning(sparsity=0.5)], [study.tasks[0]])) == len(study.trials())


def test_a_point_has_the_interval_that_its_curve_has():
    found = records(lambda s: 90.0 - 10 * s, seeds=(0, 1, 2))
    (curve,) = curves(STUDY, found)
    for level, drop in zip(curve.levels[1:], curve.drop_estimates()[1:], strict=True):
        (point,) = points.at_sparsity(STUDY, found, float(level), live=())
        assert point.drop == drop and point.seeds == 3


@pytest.mark.parametrize("figure", [name for name in figures.STUDIES if figures.study(name, "lab").tasks])
def test_a_model_that_is_named_is_tried_as_it_is_in_the_study(figure):
    study = figures.study(figure, "lab")
    for model in study.models:
        own = [trial for trial in study.trials() if trial.model == model]
        assert study.narrowed(models=[model]).trials() == own
