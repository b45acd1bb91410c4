"""What Figure 8 draws and says from records of watched pre-trainings, and from checkpoints in the hub's layout."""

import dataclasses

import matplotlib as mpl
import numpy as np
import pytest
import torch
from helpers import AT, checkpoints, everything, jumping, runs_of, tunings, watched
from helpers import PRETRAINING_STUDY as STUDY
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from transformers import BertConfig, BertForPreTraining

from essparse_lib import figures
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.series import jumps, series
from essparse_lib.analysis.text_effects import score_effects, zero_effects
from essparse_lib.analysis.zero_shares import RELATIVE
from essparse_lib.claims.c08_zeros_jump import judge as judge_c8
from essparse_lib.claims.c09_more_text import PRUNED
from essparse_lib.claims.c09_more_text import judge as judge_c9
from essparse_lib.figures import fig8, fig8_scores, fig8_tables, style
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.records import summary
from essparse_lib.records.store import Store
from essparse_lib.runner.measurement import measure
from essparse_lib.runner.scheduler import run
from essparse_lib.specs.measurement import Measurement
from essparse_lib.wording import signed

mpl.use("agg")

JUMPED = runs_of(zeros={RELATIVE: jumping(3_900)})


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def drawn(found, study=STUDY):
    runs = series(study, found)
    return fig8.draw_zeros(study, runs, jumps(runs))


def text_of(figure):
    figure.canvas.draw()
    return " ".join(text.get_text() for ax in figure.axes for text in ax.texts)


def test_every_scale_has_its_volumes_in_order():
    for study in figures.STUDIES["fig8"].values():
        assert study.pretrainings() and all(t.model in study.pretrained for t in study.trials())
    lab = figures.study("fig8", "lab")
    assert [p.fraction for p in lab.pretrainings() if p.seed == 0] == [1.0, 0.9, 0.8, 0.7, 0.6]


def test_a_panel_for_each_reading_that_has_zeros_and_words_for_the_others():
    figure = drawn(JUMPED)
    assert [ax.get_title() for ax in figure.axes] == ["below 0.001", RELATIVE]
    words = fig8_tables.nowhere(series(STUDY, JUMPED))
    assert words == "No weight is zero at any snapshot by these readings: exact, fp16."


def test_a_line_is_a_runs_share_of_zeros_in_percent():
    figure = drawn(runs_of(zeros={RELATIVE: lambda step: 4_000 + step}))
    line = figure.axes[1].get_lines()[0]
    assert line.get_xdata().tolist() == AT
    assert line.get_ydata()[[0, -1]] == pytest.approx([10, 30], abs=0.01)


def test_colours_tell_the_text_and_lines_the_seed():
    lines = drawn(runs_of()).axes[0].get_lines()
    look = dict(zip(STUDY.models, lines, strict=True))
    assert to_rgb(look["m-100-0"].get_color()) == to_rgb(look["m-100-1"].get_color())
    assert len({to_rgb(look[name].get_color()) for name in ("m-100-0", "m-80-0", "m-60-0")}) == 3
    assert look["m-100-0"].get_linestyle() == look["m-60-0"].get_linestyle() != look["m-60-1"].get_linestyle()
    light = [sum(to_rgb(look[name].get_color())) for name in ("m-100-0", "m-80-0", "m-60-0")]
    assert light == sorted(light)  # in grey, too


def test_abrupt_jumps_are_marked_where_they_are_and_nowhere_else():
    figure = drawn(JUMPED | {(p := STUDY.pretrainings()[0]).id: watched(p)})
    marks = [[line for line in ax.get_lines() if line.get_marker() == "^"] for ax in figure.axes]
    assert [len(each) for each in marks] == [0, 4]
    assert {line.get_xdata()[0] for line in marks[1]} == {3_880}
    fall = drawn(runs_of(zeros={RELATIVE: jumping(3_900, -1_500)}))
    assert sum(line.get_marker() == "v" for line in fall.axes[1].get_lines()) == 5


def test_early_steps_take_room():
    ax = drawn(JUMPED).axes[0]
    places = ax.transData.transform([(step, 1) for step in (0, 80, 8_000)])[:, 0]
    assert (places[1] - places[0]) / (places[2] - places[0]) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(("late", "scale"), [(20_000, "symlog"), (4_000, "linear")])
def test_counts_over_powers_of_ten_are_drawn_so(late, scale):
    assert (
        drawn(runs_of(zeros={RELATIVE: lambda step: 40 * 100 if step < 50 else late})).axes[1].get_yscale() == "linear"
    )
    assert drawn(runs_of(zeros={RELATIVE: lambda step: 40 if step < 50 else late})).axes[1].get_yscale() == scale
    found = drawn(runs_of(zeros={RELATIVE: lambda step: 0 if step < 50 else late}))
    assert found.axes[1].get_yscale() == "linear"


def test_what_the_text_does_to_the_loss_is_told_beside_what_a_seed_does():
    found, last = runs_of(), {"m-100-0": 3.0, "m-100-1": 3.4, "m-60-0": 2.8, "m-60-1": 2.9}
    for record in found.values():
        record.values["dynamics"]["held_out"] = [6.0] * (len(AT) - 1) + [last.get(record.spec.model, 5.0)]
    told = fig8_tables.learned(STUDY, series(STUDY, found))
    assert "changes by 0.35 [" in told and "end up to 0.40 nats apart" in told
    assert told.startswith("The run (80%, seed 0) ends at 5.0 nats, the others at 2.8, 2.9, 3.0 and 3.4.")
    one = {STUDY.pretrainings()[0].id: found[STUDY.pretrainings()[0].id]}
    assert fig8_tables.learned(STUDY, series(STUDY, one)).startswith("It takes two")


@pytest.mark.parametrize(("gained", "unharmed"), [(20, True), (-0.5, True), (-30, False)])
def test_where_pruning_costs_nothing_the_page_says_so(gained, unharmed):
    found = runs_of() | tunings(lambda model, sparsity: 70 + gained * sparsity)
    told = fig8_tables.cost_of_pruning(score_effects(STUDY, curves(STUDY, found)))
    change = signed(0.6 * gained)
    assert told.startswith(f"Without 60% of the weights, scores change by {change} to")
    assert ("cannot show which" in told) == unharmed
    assert (PRUNED in judge_c9(STUDY, found).numbers) != unharmed


def test_without_records_every_section_says_so():
    study, runs = STUDY, series(STUDY, {})
    for figure in (
        fig8.draw_zeros(study, runs, jumps(runs)),
        fig8.draw_losses(study, runs, {}),
        fig8.draw_weights(runs),
        fig8_scores.draw_scores(study, [], 0.4),
        fig8_scores.draw_dense(study, []),
    ):
        assert text_of(figure) == "no records yet"
    none = {reading: (lambda _: 0) for reading in ("below 0.001", RELATIVE)}
    assert text_of(drawn(runs_of(zeros=none))) == "no weight is zero by these readings"
    assert fig8_tables.nowhere([]) == "There is nothing to count yet."
    assert summary.missing(study, {}) == "Incomplete: 5 of 5 pre-trainings and 45 of 45 fine-tunings missing."
    assert fig8_tables.jump_table(runs, {}).empty and len(fig8_tables.run_table(study, {})) == 5
    assert fig8_tables.effect_table(study, {}, "zero if", 3).empty
    assert summary.provenance(study, {}).loc["records", "value"].startswith("0 of 50")


def test_what_is_missing_is_counted():
    found = everything()
    assert summary.missing(STUDY, found) == ""
    del found[STUDY.pretrainings()[1].id], found[STUDY.trials()[0].id]
    assert summary.missing(STUDY, found) == "Incomplete: 1 of 5 pre-trainings and 1 of 45 fine-tunings missing."


def test_of_several_ways_to_prune_those_that_lack_records_are_named():
    study = figures.study("fig2", "tiny")
    found = {trial.id: None for trial in study.trials() if trial.pruning.method != "random"}
    lacking, of = sum(t.pruning.method == "random" for t in study.trials()), len(study.trials())
    assert summary.missing(study, found) == f"Random pruning incomplete: {lacking} of {of} fine-tunings missing."


def test_losses_stand_beside_the_entropy_of_single_tokens():
    found = runs_of()
    figure = fig8.draw_losses(STUDY, series(STUDY, found), found)
    held_out, training = (ax.get_lines() for ax in figure.axes)
    assert held_out[0].get_ydata()[0] == 6 and np.isnan(training[0].get_ydata()[0]) and training[0].get_ydata()[1] == 5
    assert [line.get_ydata()[0] for line in held_out if line.get_color() == style.GUIDE] == [6.5]


def test_norms_are_told_against_their_first():
    figure = fig8.draw_weights(series(STUDY, runs_of()))
    assert figure.axes[0].get_lines()[0].get_ydata()[[0, -1]] == pytest.approx([10, 20])
    by_component = {line.get_label(): line.get_ydata() for line in figure.axes[1].get_lines()}
    assert set(by_component) == {"query", "output"} and by_component["query"] == pytest.approx(1)


def test_a_diverged_run_is_drawn_as_far_as_it_went():
    one = STUDY.pretrainings()[0]
    found = runs_of() | {one.id: watched(one, status="diverged", snapshots=20)}
    assert len(drawn(found).axes[0].get_lines()[0].get_xdata()) == 20
    assert len(fig8.draw_weights(series(STUDY, found)).axes[0].get_lines()[0].get_xdata()) == 20
    assert fig8_tables.run_table(STUDY, found)["outcome"].tolist() == ["diverged", *["ok"] * 4]
    runs = series(STUDY, found)
    assert set(fig8_tables.jump_table(runs, jumps(runs))["abrupt jumps"]) == {"0 of 4"}


def test_scores_are_means_over_the_fine_tunings():
    found = curves(STUDY, everything(score=5.0))
    figure = fig8_scores.draw_scores(STUDY, found, 0.3)
    assert [ax.get_title() for ax in figure.axes] == ["mean of the learned tasks", "t"]
    for ax in figure.axes:
        lines = [line for line in ax.get_lines() if len(line.get_xdata()) == 3]
        assert lines[0].get_xdata() == pytest.approx([0, 30, 60])
        assert lines[0].get_ydata() == pytest.approx([80.2, 74.2, 68.2], abs=0.1)
        assert any(list(line.get_xdata()) == [30, 30] for line in ax.get_lines())
    unlearned = curves(STUDY, runs_of() | tunings(lambda *_: 50.0))
    assert [ax.get_title() for ax in fig8_scores.draw_scores(STUDY, unlearned, 0.3).axes] == ["t"]


def test_scores_with_a_missing_seed_are_drawn_and_not_counted():
    found = everything()
    del found[next(t.id for t in STUDY.trials() if t.model == "m-100-0" and t.pruning.sparsity == 0.6)]
    figure = fig8_scores.draw_scores(STUDY, curves(STUDY, found), 0.3)
    assert [sum(len(line.get_xdata()) == 3 for line in ax.get_lines()) for ax in figure.axes] == [4, 5]


def test_dense_scores_stand_over_their_part_of_the_text_with_intervals():
    figure = fig8_scores.draw_dense(STUDY, curves(STUDY, everything(score=5.0)))
    (ax,) = figure.axes
    points = [(*c.lines[0].get_xdata(), *c.lines[0].get_ydata()) for c in ax.containers]
    assert [x for x, _ in points] == [100, 80, 60, 100, 60]
    seen = [c.lines[0].get_transform().transform(c.lines[0].get_xydata())[0, 0] for c in ax.containers]
    assert seen[3] > seen[0] and seen[4] > seen[2]  # seeds stand side by side
    assert points[0][1] == pytest.approx(80.2, abs=0.1)
    for container, (_, value) in zip(ax.containers, points, strict=True):
        low, high = (bar.get_ydata()[0] for bar in container.lines[1])
        assert low < value < high


def test_the_table_of_jumps_tells_each_run():
    found = runs_of(zeros={RELATIVE: jumping(3_900), "fp16": lambda _: 7})
    runs = series(STUDY, found)
    table = fig8_tables.jump_table(runs, jumps(runs)).set_index("zero if")
    enough, abrupt, places, outcome = table.loc[RELATIVE]
    assert (enough, abrupt, outcome) == ("5 of 5", "5 of 5", "agrees")
    assert places.startswith("↑ 3,840–3,920 (100%, seed 0), ") and places.count("↑") == 5
    for reading in ("exact", "fp16"):  # no zeros, and always as many
        assert table.loc[reading].tolist() == ["0 of 5", "0 of 5", "—", "differs"]


def test_counts_that_fall_smoothly_are_told():
    runs = series(STUDY, runs_of(zeros={"below 0.001": lambda step: 9_000 - step}))
    assert fig8_tables.seen(runs, jumps(runs)) == (
        "No jump is seen: the counts below 0.001 fall smoothly in all 5 pre-trainings."
    )
    runs = series(STUDY, runs_of(zeros={"below 0.001": jumping(3_900, -1_500)}))
    assert fig8_tables.seen(runs, jumps(runs)) == "The counts below 0.001 fall in 5 of 5 series, 0 times smoothly."
    assert fig8_tables.seen([], {}) == ""


def test_the_table_of_runs_tells_what_they_read_and_cost():
    found = runs_of()
    del found[STUDY.pretrainings()[1].id]
    row, missing = (fig8_tables.run_table(STUDY, found).iloc[i] for i in (2, 1))
    assert row.tolist() == ["60%, seed 0", "1.0 M", "1.7", "6.000", "10.0", "ok"]
    assert missing.tolist() == ["80%, seed 0", "1.0 M", "—", "—", "—", "no record"]


def test_the_table_of_effects_tells_means_difference_and_trend():
    found = everything(zeros=1_000)
    table = fig8_tables.effect_table(STUDY, zero_effects(STUDY, series(STUDY, found)), "zero if", 2).set_index(
        "zero if"
    )
    assert list(table) == ["100% of the text", "60% of the text", "difference", "trend"]
    row = table.loc[RELATIVE]
    assert row["100% of the text"] == "10.06" and row["difference"].startswith("2.50 [") and row["trend"] == "0.95"
    assert table.loc["exact"].tolist() == ["0.00", "0.00", "0.00 [0.00, 0.00]", "—"]
    scores = fig8_tables.effect_table(STUDY, score_effects(STUDY, curves(STUDY, found)), "sparsity", 1)
    assert scores["sparsity"].tolist() == ["0%", "30%", "60%"]


# MultiBERTs


def test_the_multiberts_are_named_as_on_the_hub():
    names = fig8.MULTIBERTS.models
    assert len(names) == 2 * 29 == len(fig8.MULTIBERTS.measurements())
    assert names[:2] == ("google/multiberts-seed_0-step_0k", "google/multiberts-seed_0-step_20k")
    assert names[-1] == "google/multiberts-seed_1-step_2000k"
    assert summary.missing(fig8.MULTIBERTS, {}) == "Incomplete: 58 of 58 measurements missing."


def saved(folder, seed):
    """A small BERT with both heads of its pre-training, as the MultiBERTs lie on the hub."""
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    model = BertForPreTraining(config)
    with torch.no_grad():
        for matrix in prunable_weights(model).values():
            matrix[: seed + 1, :4] = 0
    model.save_pretrained(folder)
    return model


def test_checkpoints_in_the_hubs_layout_are_measured_and_drawn(tmp_path, monkeypatch, fresh_models):
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path))
    names = [f"google/multiberts-seed_0-step_{at}k" for at in (0, 20, 40)]
    models = [saved(tmp_path / name, at) for at, name in enumerate(names)]
    study = dataclasses.replace(fig8.MULTIBERTS, models=tuple(names))
    records = {asked.id: measure(asked) for asked in study.measurements()}
    assert study.measurements()[0] == Measurement(kind="zeros", model=names[0], sparsity=0.0)
    (found,) = series(study, records)
    assert found.complete and found.steps.tolist() == [0, 20_000, 40_000]
    assert found.zeros["exact"].sum(1).tolist() == [12 * 4, 12 * 8, 12 * 12]
    first = [float(matrix.norm()) for matrix in prunable_weights(models[0]).values()]
    assert found.norms[0] == pytest.approx(first, rel=1e-4)
    figure = fig8.draw_zeros(study, [found], {})
    assert figure.axes[0].get_title() == "exact"
    assert figure.axes[0].get_lines()[0].get_ydata() == pytest.approx(100 * found.share("exact"))
    assert not figure.axes[0].patches  # where the paper saw it: of a run of another length
    assert fig8.draw_weights([found]).axes
    assert text_of(fig8.draw_losses(study, [found], records)) == "no records yet"
    assert judge_c8(study, records).outcome == "not run yet"  # three snapshots are too few
    store = Store(tmp_path / "results")
    assert run(study.measurements(), store) == []
    kept = store.records()
    assert all(kept[i].values == r.values and kept[i].provenance["weights"] for i, r in records.items())


def test_the_steps_of_checkpoints_are_told_in_millions():
    study, found = checkpoints(0, 20, 200, 1000, 2000)
    figure = fig8.draw_zeros(study, series(study, found), {})
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["20k", "200k", "800k", "2M"]
