"""Figure 4: what its studies try, what is published beside it, and its tables and panels."""

import dataclasses
from collections import Counter

import pytest
from simulated_equations import falls_from, records, study, with_random_weights

from essparse_lib.analysis.advantages import without_pretraining
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.folds import data_set_curves
from essparse_lib.figures import fig4, fig4_plots, fig4_tables, points, smc_bench
from essparse_lib.figures.blocks import missing_blocks
from essparse_lib.records import cost, summary
from essparse_lib.specs.study import at_sparsities
from essparse_lib.specs.tasks import TASKS, Head
from essparse_lib.specs.trial import Decoder, Pruning

#: The data sets and the folds of MAWPS, as tables and panels name them.
TITLES = ["MAWPS (arithmetic)", "ASDiv-A (arithmetic)", "SVAMP (arithmetic)"]
FOLDS = ["MAWPS (arithmetic), fold 0", "MAWPS (arithmetic), fold 1"]

# Studies, their order and their cost


def test_the_lab_study_tries_what_it_says():
    lab = fig4.STUDIES["lab"]
    assert lab.tasks == ("mawps-0", "mawps-1", "asdiv-a-0", "asdiv-a-1", "svamp")
    assert lab.sparsities == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6) and lab.seeds == (0, 1, 2)
    assert {task: lab.training[task].epochs for task in lab.tasks} == dict(
        zip(lab.tasks, (6, 6, 10, 10, 3), strict=True)
    )
    assert {
        (t.learning_rate, t.head_rate, t.batch_size, t.max_length, t.decoder, t.beam) for t in lab.training.values()
    } == {(1e-4, 1e-3, 16, 96, Decoder.GRU, 1)}
    random, extents = lab.controls
    assert random == without_pretraining(dataclasses.replace(lab, controls=()))
    assert Counter(trial.pruning.extent for trial in extents.trials() if trial.pruning.sparsity) == dict.fromkeys(
        ("embeddings", "head", "all"), 3 * 3
    )
    assert {trial.pruning.sparsity for trial in extents.trials()} == {0.0, 0.49}
    assert set(extents.tasks) == {"mawps-0", "asdiv-a-0", "svamp"}
    assert len(lab.specs()) == len(set(lab.specs())) == 7 * 5 * 3 + 5 * 3 + 3 * 3 * 3


@pytest.mark.parametrize("scale", list(fig4.STUDIES))
def test_every_task_asks_for_an_equation_and_has_its_training(scale):
    of_scale = fig4.STUDIES[scale]
    assert {TASKS[task].head for task in of_scale.tasks} == {Head.EQUATION}
    assert all(spec.training.max_length for spec in of_scale.specs())
    assert fig4.extents_of(of_scale) in of_scale.controls


def test_a_run_begins_with_what_the_assay_needs():
    blocks = missing_blocks([fig4.STUDIES["lab"]], {})
    assert {block.claims for block in blocks} == {("C5",)} and len(blocks) == 5 * 3
    for block in blocks:
        pretrained, random = block.specs[:2]
        assert not pretrained.pruning.sparsity and not random.pruning.sparsity
        assert (pretrained.training.random_weights, random.training.random_weights) == (False, True)


def test_the_papers_study_has_all_folds_a_tree_decoder_and_a_known_cost():
    paper = fig4.STUDIES["paper"]
    assert paper.models == ("bert-base-uncased", "roberta-base") and len(paper.tasks) == 11
    assert {(t.epochs, t.decoder, t.beam) for t in paper.training.values()} == {(50, Decoder.TREE, 5)}
    assert {task: training.batch_size for task, training in paper.training.items() if task in ("mawps-4", "svamp")} == {
        "mawps-4": 4,
        "svamp": 8,
    }
    expected = cost.expected(paper)
    assert expected.trainings == 2 * 3 * (11 * 10 + 11 + 3 * 3) and 20 < expected.hours < 500


def test_tasks_can_be_narrowed_and_the_assay_stays():
    narrowed = fig4.STUDIES["lab"].narrowed(tasks=["svamp"])
    assert not narrowed.controls and len(without_pretraining(narrowed).trials()) == 3


# What is published


def test_what_is_published_falls_with_sparsity_to_a_collapse():
    assert {each.data_set for each in smc_bench.PUBLISHED} == {"mawps", "asdiv-a", "svamp"}
    for each in smc_bench.PUBLISHED:
        assert set(each.accuracies) <= set(smc_bench.STEPS)
        assert 0 <= each.accuracies[0.488] < each.accuracies[0.36] < each.accuracies[0.0] < 100
    assert [each.system for each in smc_bench.on("mawps")] == ["GTS", "Graph2Tree"]


def test_the_collapse_is_told_from_the_data():
    text = fig4_tables.collapse_sentence()
    assert (
        "Right answers of GTS: 2.1% on mawps, 0.8% on asdiv-a and 1.4% on svamp." in text
        and "48.8% of all weights" in text
    )
    assert "Right answers of Graph2Tree, embeddings not pruned: 33.3% on svamp." in text and "90%" in text


# What is drawn


@pytest.fixture(scope="module")
def drawn():
    """A study with its controls, and its records; a third of the problems of MAWPS leaked."""
    asked = study(variants={"one-shot": at_sparsities((0.2, 0.3, 0.5))})
    asked = fig4.with_controls(asked, ("mawps-0", "svamp"))
    return asked, records(asked, falls_from(0.25), dense=with_random_weights(40.0), problems=300, leaked=1 / 3)


def test_dense_scores_stand_beside_random_weights_and_the_published_ones(drawn):
    table = fig4_tables.dense_table(*drawn)
    assert list(table["data set"]) == TITLES
    asked, made = drawn
    whole = data_set_curves(curves(asked, made))
    assert list(table["pre-trained"]) == [curve.dense().text() for curve in whole]
    assert list(table["commonest equation"]) == ["10.0"] * 3
    assert all("[" in text for column in ("random weights", "difference") for text in table[column])


def test_published_rows_stand_below_ours_on_each_data_set(drawn):
    table = fig4_tables.published_table(data_set_curves(curves(*drawn)))
    assert list(table)[2:] == ["no pruning", "20% gone", "36% gone (here 40%)", "48.8% gone (here 50%)"]
    assert [system.endswith("(published)") for system in table["system"]] == [False, True, True] * 2 + [
        False,
        True,
        True,
    ]
    assert table["48.8% gone (here 50%)"].tolist()[1] == "2.1" and table["36% gone (here 40%)"].tolist()[0] == "—"
    assert "[" in table["48.8% gone (here 50%)"].tolist()[0] and len(table.columns) == 6


def test_what_else_is_pruned_is_told_with_the_share_of_each_part(drawn):
    table = fig4_tables.extent_table(*drawn)
    assert list(table["task"]) == [FOLDS[0]] * 4 + [TITLES[2]] * 4
    assert list(table["pruned"])[:4] == [
        "blocks, 50%",
        "blocks and embeddings, 49%",
        "blocks and decoder, 49%",
        "blocks, embeddings and decoder, 49%",
    ]
    assert table["gone"][0] == "50% of blocks" and "30% of blocks" in table["gone"][1]
    assert "90% of decoder" in table["gone"][1]


def test_tasks_with_leaked_problems_are_told_both_ways(drawn):
    table = fig4_tables.leak_table(*drawn)
    assert list(table["task"]) == FOLDS and set(table["leaked"]) == {"33%"}
    whole, rest = (float(table[f"dense, {which}"][0].split()[0]) for which in ("all", "not leaked"))
    assert rest + 5 < whole


def test_the_best_epoch_stands_beside_the_last(drawn):
    study, records = drawn
    better = {
        name: dataclasses.replace(record, values={**record.values, "epochs": [90.0, *record.values["epochs"][1:]]})
        if record.spec.pruning.sparsity == 0.3
        else record
        for name, record in records.items()
    }
    table = fig4_tables.epoch_table(study, better)
    assert list(dict.fromkeys(table["data set"])) == TITLES
    highest = max(pruning.sparsity for pruning in study.variants[study.main])
    for _, rows in table.groupby("data set"):
        last, best = (dict(zip(rows["number"], rows[f"{which} epoch"], strict=True)) for which in ("last", "best"))
        assert last["dense score"] == best["dense score"]
        drop = float(best["drop at 30%"].replace("−", "-"))
        assert drop == pytest.approx(float(best["dense score"]) - 90, abs=0.11)
        assert best[f"drop at {highest:.0%}"] == last[f"drop at {highest:.0%}"]
    assert fig4_tables.epoch_table(study, {}).empty


def test_panels_are_data_sets_and_a_fold_is_marked_in_its_own(drawn):
    import matplotlib.pyplot as plt

    asked, made = drawn
    whole = data_set_curves(curves(asked, made))
    asked_points = points.at_pruning(asked, made, Pruning(sparsity=0.3), live=())
    assert len(asked_points) == 5
    figure = fig4_plots.draw(whole, asked_points)
    assert [ax.get_title() for ax in figure.axes] == TITLES
    axes = fig4_plots.draw_difficulty(whole).axes
    assert [ax.get_title() for ax in axes] == [
        "published 20%, here 20%",
        "published 36%, here 40%",
        "published 48.8%, here 50%",
    ]
    gts = next(line for line in axes[2].lines if line.get_linestyle() == ":")
    assert gts.get_xdata()[0] == pytest.approx(100 - 88.49) and gts.get_ydata()[0] == pytest.approx(88.49 - 2.1)
    assert [len(ax.containers) for ax in axes] == [3, 0, 3]
    plt.close("all")


def test_without_records_everything_is_drawn_empty():
    import matplotlib.pyplot as plt

    lab = fig4.STUDIES["lab"]
    tables = (fig4_tables.dense_table(lab, {}), fig4_tables.extent_table(lab, {}), fig4_tables.leak_table(lab, {}))
    assert all(table.empty for table in tables)
    assert len(fig4_tables.published_table([])) == len(smc_bench.PUBLISHED)
    assert fig4_plots.draw([]).axes and fig4_plots.draw_difficulty([]).axes
    assert summary.missing(lab, {}) == "Incomplete: 147 of 147 fine-tunings missing."
    plt.close("all")


def test_a_fold_alone_is_drawn_before_the_others_are_there(drawn):
    asked, made = drawn
    first = {id_: each for id_, each in made.items() if each.spec.task == "mawps-0" and each.spec.seed == 0}
    (curve,) = data_set_curves(curves(asked, first))
    assert (curve.task, curve.seeds) == ("mawps", (0,))
    assert list(fig4_tables.dense_table(asked, first)["data set"]) == TITLES[:1]
