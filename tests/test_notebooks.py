"""Every notebook runs under papermill with each of its parameters, and names the point asked for."""

import json
from pathlib import Path

import papermill
import pytest

ROOT = Path(__file__).parents[1]


def run(tmp_path, monkeypatch, **parameters):
    monkeypatch.chdir(ROOT)
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(ROOT / "notebooks/fig2.ipynb", out, parameters, progress_bar=False)
    cells = json.loads(out.read_text())["cells"]
    outputs = [o for cell in cells for o in cell.get("outputs", [])]
    text = "".join("".join(o.get("text", o.get("data", {}).get("text/markdown", []))) for o in outputs)
    images = [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    return text, images


def test_figure_2_is_drawn_from_committed_records(tmp_path, monkeypatch):
    text, images = run(tmp_path, monkeypatch, sparsity=0.4)
    assert "With 0.4 of its prunable weights gone, minilm-l6" in text and "from records" in text
    assert "**C1: " in text and "Running" not in text and len(images) == 1


def test_figure_2_narrows_to_a_task_and_seeds(tmp_path, monkeypatch):
    text, _ = run(tmp_path, monkeypatch, sparsity=0.3, tasks="movie-reviews", seeds="0", model="minilm-l6")
    assert "on movie-reviews (one seed, from records)" in text and "bbc-news" not in text


def test_figure_2_trains_tiny_models_from_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    options = {"scale": "tiny", "sparsity": 0.45, "model": "tiny-bert,tiny-opt", "live_tasks": "all"}
    text, images = run(tmp_path, monkeypatch, **options)
    assert "tiny-bert" in text and "on tiny-sentiment (one seed, run now)" in text
    assert "on tiny-pairs (one seed, run now)" in text and len(images) == 1
    again, _ = run(tmp_path, monkeypatch, **options)  # kept: nothing is run a second time
    assert "Running" not in again and "run now" in again


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sparsity": "abc"}, "sparsity 'abc' is not allowed"),
        ({"scale": "huge"}, "unknown scale 'huge'"),
        ({"tasks": "mnly", "sparsity": 0.4}, "unknown task"),
    ],
)
def test_a_wrong_parameter_is_one_clear_line(tmp_path, monkeypatch, parameters, message):
    with pytest.raises(papermill.PapermillExecutionError, match=message) as error:
        run(tmp_path, monkeypatch, **parameters)
    assert "Traceback" not in str(error.value)
