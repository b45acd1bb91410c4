"""The panels for live notebooks, driven as a reader drives them: by their controls."""

import base64
import html
import re
import time
from dataclasses import replace

import ipywidgets
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from helpers import CURVE_STUDY as STUDY
from helpers import curve_records as records
from helpers import knee_at
from transformers import BertConfig, BertModel

from essparse_lib import figures, widgets
from essparse_lib.analysis.curves import curves
from essparse_lib.errors import InputError
from essparse_lib.figures import curve_plots, points
from essparse_lib.models import loading
from essparse_lib.pruning.magnitude import global_magnitude, magnitude_levels
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights
from essparse_lib.records.store import Record, Store, results
from essparse_lib.runner import interactive
from essparse_lib.runner import scheduler as runner
from essparse_lib.runner import trial as trial_runner
from essparse_lib.specs.trial import Pruning

mpl.use("agg")


def parts(panel):
    """The panel and all within."""
    return [panel, *(each for child in getattr(panel, "children", ()) for each in parts(child))]


class Reader:
    """Who sees a panel: moves its controls by what stands beside them, reads its words, looks at its picture."""

    def __init__(self, panel):
        self.panel = panel

    def control(self, name):
        (found,) = (each for each in parts(self.panel) if getattr(each, "description", None) == name)
        return found

    def set(self, **values):
        for name, value in values.items():
            self.control(name.replace("_", " ")).value = value
        return self

    def press(self, name="run"):
        self.control(name).click()
        return self

    @property
    def text(self):
        texts = [each.value for each in parts(self.panel) if isinstance(each, ipywidgets.HTML)]
        return html.unescape("\n".join(re.sub("<[^>]+>", "\n", text) for text in texts))

    @property
    def picture(self):
        (data,) = re.findall(r'<img [^>]*alt="[^"]+" src="data:image/png;base64,([^"]+)"', self._html())
        image = base64.b64decode(data)
        assert image.startswith(b"\x89PNG")
        return image

    def _html(self):
        return "".join(each.value for each in parts(self.panel) if isinstance(each, ipywidgets.HTML))


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    plt.close("all")  # those of other tests of this process
    yield
    assert plt.get_fignums() == []


@pytest.fixture
def quiet_home(tmp_path, empty_cache, monkeypatch):
    """Neither records nor cache, and no telling of anything outside of the panel."""
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))


@pytest.fixture
def ran(monkeypatch):
    """The trials that were really run, in their order."""
    trials = []
    before = trial_runner.execute
    monkeypatch.setattr(trial_runner, "execute", lambda trial: trials.append(trial) or before(trial))
    return trials


def test_a_way_that_is_missing_takes_no_other_ways_dashes():
    found = curves(STUDY, records(knee_at(0.5)))
    figure = curve_plots.draw(found, variants={"none of it": [], "the same": found})
    label = next(handle for handle in figure.legends[0].legend_handles if handle.get_label() == "the same")
    drawn = [line.get_linestyle() for line in figure.axes[0].get_lines() if line.get_linewidth() == 1]
    assert label.get_linestyle() in drawn and "none of it" not in str(figure.legends[0].get_texts())
    plt.close(figure)


@pytest.mark.usefixtures("quiet_home")
def test_a_live_run_trains_adds_its_point_and_is_kept(ran, capfd, monkeypatch):
    few = replace(figures.study("fig2", "tiny"), variants={"one-shot": (Pruning(sparsity=0.9),)})
    monkeypatch.setitem(figures.STUDIES["fig2"], "tiny", few)
    reader = Reader(widgets.prune_live("tiny"))
    assert "There are no records of it yet" in reader.text
    empty = reader.picture
    reader.set(model="tiny-opt", task="tiny-pairs", sparsity=0.45, seed=3).press()
    assert {(t.model, t.task, t.seed) for t in ran} == {("tiny-opt", "tiny-pairs", 3)}
    assert {t.pruning for t in ran} == {
        Pruning(),
        Pruning(sparsity=0.45),
        Pruning(sparsity=0.9),
    }  # the last for the curve
    kept = Store(next(interactive.cache_folder().glob("live/tiny/*"))).records()
    assert kept.keys() == {t.id for t in ran} and all(r.status == "ok" for r in kept.values())
    assert not results("tiny").records()  # committed records are not a reader's
    study = figures.study("fig2", "tiny").narrowed(["tiny-opt"], ["tiny-pairs"], [3])
    (point,) = points.at_pruning(study, kept, Pruning(sparsity=0.45), live=kept)
    told = f"tiny-opt on tiny-pairs, 45% pruned, seed 3. {points.sentence(point)}"
    assert told in reader.text and "(one seed, run now)" in told
    assert "Run in " in reader.text and reader.picture != empty
    assert reader.control("progress").value == 1 and not reader.control("run").disabled
    reader.press()  # known to the panel
    assert len(ran) == 3 and "(one seed, from records)" in reader.text
    later = Reader(widgets.prune_live("tiny")).set(model="tiny-opt", task="tiny-pairs", sparsity=0.45, seed=3).press()
    assert len(ran) == 3 and "Nothing had to be run" in later.text  # kept in the cache
    assert "(one seed, from records)" in later.text
    out, err = capfd.readouterr()
    assert "Running" not in out + err and "Traceback" not in err


@pytest.mark.usefixtures("quiet_home")
@pytest.mark.parametrize(
    ("way", "pruning"),
    [
        ("random pruning", Pruning(sparsity=0.5, method="random", scope="layer")),
        ("no training after pruning", Pruning(sparsity=0.5, timing="after")),
        (widgets.N_M, Pruning(pattern="1:4")),
    ],
    ids=lambda value: str(value).replace(":", "-"),
)
def test_every_way_asks_for_its_own_trial(way, pruning, monkeypatch):
    asked = []
    monkeypatch.setattr(interactive, "run_with_progress", lambda todo, *_: (asked.extend(todo), ({}, set()))[1])
    reader = Reader(widgets.prune_live("tiny")).set(pruned=way, sparsity=0.5, pattern="1:4").press()
    study = figures.study("fig2", "tiny")
    trials = {study.trial("tiny-bert", "tiny-sentiment", how, 0).id for how in (Pruning(), pruning)}
    assert trials <= {t.id for t in asked}
    shown = {name: reader.control(name).layout.display != "none" for name in ("sparsity", "pattern")}
    assert shown == {"sparsity": way != widgets.N_M, "pattern": way == widgets.N_M}


def test_committed_records_are_not_run_again(monkeypatch):
    monkeypatch.setattr(runner, "run", lambda *_, **__: pytest.fail("it has records"))
    reader = Reader(widgets.prune_live()).set(sparsity=0.4, seed=0).press()
    assert "minilm-l6 on movie-reviews, 40% pruned, seed 0. At 40% sparsity" in reader.text
    assert "(one seed, from records)" in reader.text


@pytest.mark.usefixtures("quiet_home")
def test_the_bar_moves_and_the_button_is_off_while_it_runs(monkeypatch):
    monkeypatch.setattr(interactive, "_BEAT", 0.01)
    reader = Reader(widgets.prune_live("tiny"))
    seen = []

    def execute(trial):
        before, end = reader.control("progress").value, time.monotonic() + 30
        while reader.control("progress").value <= before or f"{len(seen)} of " not in reader.text:
            assert time.monotonic() < end, "the bar stands still"
            time.sleep(0.01)
        seen.append((reader.control("run").disabled, reader.control("progress").value, reader.text))
        return Record(spec=trial, status="ok", metrics={"accuracy": 50.0}, predictions="01", labels="00")

    monkeypatch.setattr(trial_runner, "execute", execute)
    reader.press()
    assert all(disabled for disabled, _, _ in seen)
    shares = [share for _, share, _ in seen]
    assert shares == sorted(shares) and shares[-1] < 1 and len(seen) > 2
    assert f"{len(seen) - 1} of {len(seen)} done in " in seen[-1][2]
    assert f"Running {len(seen)} trials that have no record" in seen[0][2]


@pytest.mark.usefixtures("quiet_home", "fresh_models")
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"or_another": "tiny-brt"}, "unknown model 'tiny-brt': choose from"),
        ({"or_another": "tiny-vit"}, "model 'tiny-vit' (vit) has no sequence-classification head"),
        ({"or_another": "someone/a-model"}, "someone/a-model"),
    ],
    ids=["unknown", "does not fit", "cannot be had"],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(values, said, capfd):
    reader = Reader(widgets.prune_live("tiny")).set(**values).press()
    assert sum(said in line for line in reader.text.splitlines()) == 1
    assert "Traceback" not in reader.text and not reader.control("run").disabled
    assert "Traceback" not in capfd.readouterr().err
    assert not list(interactive.cache_folder().glob("live/**/*.jsonl"))
    reader.set(or_another="")  # and it goes on
    assert "no records of it yet" in reader.text


@pytest.mark.usefixtures("quiet_home", "fresh_models")
def test_without_model_and_network_the_line_says_what_to_do():
    reader = Reader(widgets.prune_live("tiny")).set(or_another="someone/a-model").press()
    assert re.search("someone/a-model.*(offline|network|HF_HUB_OFFLINE|ESSPARSE_MIRROR)", reader.text)


@pytest.mark.usefixtures("quiet_home")
def test_a_run_that_diverged_is_told_and_has_no_point(monkeypatch):
    def execute(trial):
        return Record(
            spec=trial,
            status="diverged" if trial.pruning.sparsity else "ok",
            metrics={"accuracy": 50.0},
            predictions="01",
            labels="00",
            reason="too fast",
        )

    monkeypatch.setattr(trial_runner, "execute", execute)
    reader = Reader(widgets.prune_live("tiny")).press()
    assert "40% pruned, seed 0: diverged, too fast" in reader.text and "With 0.4" not in reader.text


@pytest.mark.usefixtures("quiet_home")
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), RuntimeError("the disk is on fire")], ids=lambda e: type(e).__name__
)
def test_a_stop_or_a_fault_gives_the_button_back(error, monkeypatch, caplog):
    def fail(*_):
        raise error

    monkeypatch.setattr(interactive, "run_with_progress", fail)
    reader = Reader(widgets.prune_live("tiny")).press()
    stopped = isinstance(error, KeyboardInterrupt)
    assert ("Stopped." if stopped else "RuntimeError: the disk is on fire") in reader.text
    assert ("the disk is on fire" in caplog.text) != stopped  # where it happened is for whoever reads the log
    assert not reader.control("run").disabled


def test_an_unknown_scale_is_refused():
    with pytest.raises(InputError, match="unknown scale 'huge'"):
        widgets.prune_live("huge")


@pytest.fixture
def bert():
    torch.manual_seed(0)
    config = BertConfig(vocab_size=8, hidden_size=80, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96)
    return BertModel(config)


@pytest.mark.parametrize("percent", [0, 35, 99])
def test_a_blocks_shares_are_those_of_one_threshold_for_all(bert, percent):
    with torch.no_grad():
        bert.encoder.layer[1].output.dense.weight.mul_(0.5)  # so that it loses more than its share
    reader = Reader(widgets.block(bert, 2))
    reader.set(matrix="encoder.layer.1.output.dense.weight").set(**{"removed, %": percent})
    found = global_magnitude(prunable_weights(bert), percent / 100).count(str)
    gone = found["encoder.layer.1.output.dense.weight"].sparsity
    assert f"{gone:.1%} of this matrix goes where {percent}% of all blocks' weights do" in reader.text
    query = found["encoder.layer.1.attention.self.query.weight"].sparsity
    assert f"{gone:.1%}" in reader.text.split("removed")[-1] and f"{query:.1%}" in reader.text.split("removed")[-1]
    assert reader.picture


def test_the_blank_cells_are_the_weights_that_go(bert):
    name = "encoder.layer.0.intermediate.dense.weight"
    levels = magnitude_levels(prunable_weights(bert), [0.0, 0.5])
    figure = widgets._draw_kept(prunable_matrices(bert)[name], levels, 50)
    shown = figure.axes[0].get_images()[0].get_array()
    plt.close(figure)
    keep = global_magnitude(prunable_weights(bert), 0.5).keep[name][:64, :64].numpy()
    assert shown.shape == (64, 64) and (~np.isnan(np.ma.filled(shown, np.nan)) == keep).all() and not keep.all()


def test_a_named_model_is_loaded_at_the_press_of_a_button(monkeypatch):
    loaded = []
    before = loading.load_model
    monkeypatch.setattr(loading, "load_model", lambda name: loaded.append(name) or before(name))
    reader = Reader(widgets.block("tiny-opt", 1))
    assert not loaded
    reader.press("load tiny-opt")
    assert loaded == ["tiny-opt"] and "of this matrix goes where 40%" in reader.text


@pytest.mark.usefixtures("fresh_models")
@pytest.mark.parametrize(
    ("name", "block", "said"),
    [
        ("tiny-brt", 1, "unknown model 'tiny-brt'"),
        ("tiny-bert", 3, "block 3 is not allowed: the model has blocks 1 to 2"),
    ],
)
def test_a_model_or_block_that_is_not_there_is_one_line(name, block, said):
    reader = Reader(widgets.block(name, block)).press(f"load {name}")
    assert said in reader.text and not reader.control(f"load {name}").disabled


def test_a_loaded_model_without_such_a_block_is_refused(bert):
    with pytest.raises(InputError, match="block 7 is not allowed"):
        widgets.block(bert, 7)
