"""Every notebook runs under papermill with each of its parameters, and names the point asked for."""

import json

import papermill
import pytest
from helpers import notebook_in_book, run_cells
from helpers import run_notebook as run
from transformers import AutoModel

from essparse_lib.errors import InputError

pytestmark = pytest.mark.notebook


def test_figure_2_is_drawn_from_committed_records(tmp_path, monkeypatch):
    text, images = run(tmp_path, monkeypatch, sparsity=0.4)
    assert "**At 40% sparsity**" in text and "minilm-l6" in text and "from records" in text
    assert "**C1: " in text and "Running" not in text and len(images) == 2


def test_figure_2_narrows_to_a_task_and_seeds(tmp_path, monkeypatch):
    text, _ = run(tmp_path, monkeypatch, sparsity=0.3, tasks="movie-reviews", seeds="0", model="minilm-l6")
    assert "movie-reviews (sentiment) | " in text and "bbc-news" not in text


def test_figure_2_trains_tiny_models_from_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    options = {"scale": "tiny", "sparsity": 0.45, "model": "tiny-bert,tiny-opt", "live_tasks": "all"}
    text, images = run(tmp_path, monkeypatch, **options)
    assert "tiny-bert | tiny-sentiment | " in text and " | 1 | run now" in text
    assert "tiny-bert | tiny-pairs | " in text and len(images) == 2
    again, _ = run(tmp_path, monkeypatch, **options)  # kept: nothing is run a second time
    assert "Running" not in again and "run now" in again


@pytest.mark.parametrize(
    ("notebook", "claim", "images"), [("fig1", "C2", 3), ("fig5", "C6", 3), ("fig9", "C10", 2), ("fig10", "C11", 3)]
)
def test_each_figure_is_drawn_from_committed_records(notebook, claim, images, built):
    text, drawn = notebook_in_book(built, notebook)
    assert f"**{claim}: " in text and "Running" not in text and len(drawn) == images


@pytest.mark.parametrize(
    ("notebook", "claim", "parameters"),
    [
        ("fig1", "C2", {"block": 2}),
        ("fig4", "C5", {"sparsity": 0.45}),
        ("fig5", "C6", {"pattern": "1:4"}),
        ("fig9", "C10", {"sparsity": 0.15}),
        ("fig10", "C11", {}),
        ("fig11", "C12", {"sparsity": 0.45, "method": "SparseGPT", "tasks": "tiny-blimp,tiny-text"}),
    ],
)
def test_each_figure_trains_tiny_models_from_nothing(notebook, claim, parameters, tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    text, drawn = run(tmp_path, monkeypatch, notebook, scale="tiny", seeds="0", **parameters)
    assert f"**{claim}: cannot be tested here.**" in text and "Running" in text and drawn


@pytest.mark.parametrize(("notebook", "claim"), [("fig4", "C5"), ("fig11", "C12")])
def test_a_figure_is_drawn_before_there_is_a_record_and_runs_nothing(notebook, claim, tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    text, drawn = run(tmp_path, monkeypatch, notebook, live_tasks="none")
    assert f"**{claim}: not run yet.** Records are missing." in text and "Running" not in text and drawn
    assert "Nothing has been run at a sparsity of 0.3" in text


def test_a_model_of_ones_own_is_judged_and_a_small_one_pruned_and_saved_with_nothing_to_fetch(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    text, drawn = run(tmp_path, monkeypatch, "use-your-own-model", live_tasks="none", out=str(tmp_path / "pruned"))
    assert "117,964 of 393,216 weights are zero; places where mask and file differ: 0" in text
    assert "117,964 weights were gone before; 0 have come back in the training, 0 in the saved file" in text
    assert "**minilm-l6 on movie-reviews: 30% can go.**" in text and "from records" in text
    assert "The weights of minilm-l6 are not on this machine" in text
    assert "Running" not in text and str(tmp_path) not in text and len(drawn) == 3
    assert AutoModel.from_pretrained(tmp_path / "pruned").config.hidden_size == 128


def test_data_of_ones_own_are_swept(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    rows = [f"{word} film {number},{label}" for word, label in (("good", "yes"), ("bad", "no")) for number in range(80)]
    (tmp_path / "own.csv").write_text("\n".join(["text,label", *rows]))
    options = dict(model="tiny-bert", task="tiny-sentiment", scale="tiny", data=str(tmp_path / "own.csv"))
    text, drawn = run(tmp_path, monkeypatch, "use-your-own-model", **options)
    assert "**Your data.**" in text and "own.csv" in text and "film reviews" not in text
    assert str(tmp_path / "sweep") not in text and len(drawn) == 3


def test_a_model_of_ones_own_is_trained_where_it_has_no_records(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    options = dict(model="essparse/tiny-opt", task="tiny-pairs", scale="tiny", method="random", sparsity=0.3)
    text, drawn = run(tmp_path, monkeypatch, "use-your-own-model", **options)
    assert "Running" in text and "essparse/tiny-opt" in text and "on tiny-pairs (one seed, run now)" in text
    assert "0 have come back" in text and len(drawn) == 3


def test_a_model_of_ones_own_is_pruned_by_a_method_that_reads_a_text(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text").write_text("the film has a good plot and its actors play a dull story " * 1000)
    options = dict(model="essparse/tiny-opt", task="tiny-pairs", scale="tiny", method="sparsegpt", sparsity=0.25)
    text, drawn = run(tmp_path, monkeypatch, "use-your-own-model", text=str(tmp_path / "text"), **options)
    assert "4,096 of 16,384 weights are zero; places where mask and file differ: 0" in text
    assert "4,096 weights were gone before; 0 have come back" in text
    assert "Running" in text and "essparse/tiny-opt" in text and "on tiny-pairs (one seed, run now)" in text
    assert len(drawn) == 3


def test_what_a_live_kernel_shows_is_there_at_once_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    text, drawn = run(tmp_path, monkeypatch, "explore")
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    shown = {}
    for cell in cells:
        for kind in {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}:
            shown.setdefault(kind, []).append(cell["metadata"]["tags"])
    widgets = [tags for kind, cells_of_kind in shown.items() if "widget-view" in kind for tags in cells_of_kind]
    panels = shown["application/vnd.essparse.panel+json"]
    assert widgets + panels == [["remove-output"]] * 3  # nothing of them in the built book
    assert len(panels) == 1 and not drawn and not text and not list((tmp_path / "cache").rglob("*.jsonl"))


def test_without_records_a_live_kernel_says_how_they_are_made(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    text, _ = run(tmp_path, monkeypatch, "explore")
    assert "run `essparse run fig2`" in text


def test_figure_8_pre_trains_prunes_and_fine_tunes_from_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    text, drawn = run(tmp_path, monkeypatch, "fig8", scale="tiny", seeds="0", sparsity=0.5)
    assert all(f"**{claim}: cannot be tested here.**" in text for claim in ("C8", "C9")) and len(drawn) == 7
    assert "At 50% sparsity the score changes by" in text or "There are no complete scores at 50% sparsity." in text


@pytest.mark.parametrize(
    ("notebook", "parameters", "message"),
    [
        ("fig1", {"block": 7}, "block 7 is not allowed: the model has blocks 1 to 6"),
        ("fig3", {"sparsity": "1"}, "sparsity '1' is not allowed"),
        ("fig5", {"pattern": "4:2"}, "pattern '4:2' is not allowed"),
        ("fig6", {"tasks": "cifar11"}, "unknown task 'cifar11'.*did you mean 'cifar10'"),
        ("fig7", {"models": "tiny-vit"}, "name two, the supervised one first"),
        ("fig8", {"checkpoints": "multibert"}, "unknown checkpoints 'multibert'.*did you mean 'multiberts'"),
        ("fig9", {"sparsity": "1"}, "sparsity '1' is not allowed"),
        ("fig11", {"method": "sparsegpt"}, "unknown method 'sparsegpt'.*did you mean 'SparseGPT'"),
        ("fig11", {"tasks": "blimb"}, "unknown.*task 'blimb'.*did you mean 'blimp'"),
        ("explore", {"figure": "fig12"}, "unknown figure 'fig12'"),
        ("use-your-own-model", {"method": "wandda"}, "unknown method 'wandda': choose from magnitude, random, spar"),
        ("use-your-own-model", {"method": "wanda"}, "method 'wanda' needs a text file"),
        ("use-your-own-model", {"model": "minilm"}, "unknown model 'minilm'.*did you mean 'minilm-l6'"),
    ],
)
def test_each_figure_refuses_wrong_parameters_in_a_line(notebook, parameters, message, monkeypatch):
    with pytest.raises(InputError, match=message) as error:
        run_cells(monkeypatch, notebook, **parameters)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sparsity": "abc"}, "sparsity 'abc' is not allowed"),
        ({"scale": "huge"}, "unknown scale 'huge'"),
        ({"tasks": "mnly", "sparsity": 0.4}, "unknown task"),
        ({"sparsty": 0.2}, "unknown parameter 'sparsty': choose from .*did you mean 'sparsity'"),
    ],
)
def test_a_wrong_parameter_is_one_clear_line(tmp_path, monkeypatch, parameters, message):
    with pytest.raises(papermill.PapermillExecutionError, match=message) as error:
        run(tmp_path, monkeypatch, **parameters)
    assert "Traceback" not in str(error.value)
