"""The notebooks on vision run from records, from nothing, and without either."""

import pytest
from helpers import notebook_in_book
from helpers import run_notebook as run

pytestmark = pytest.mark.notebook


@pytest.mark.parametrize(("notebook", "claim", "images"), [("fig3", "C4", 2), ("fig6", "C7", 4), ("fig7", None, 1)])
def test_each_is_drawn_from_committed_records(notebook, claim, images, built):
    text, drawn = notebook_in_book(built, notebook)
    assert "Running" not in text and len(drawn) == images
    assert claim is None or f"**{claim}: " in text


@pytest.mark.parametrize("notebook", ["fig3", "fig6", "fig7"])
def test_without_a_record_each_says_so(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    text, drawn = run(tmp_path, monkeypatch, notebook)
    assert drawn and "Running" not in text
    claim = {"fig3": "**C4: cannot be tested here.**", "fig6": "**C7: not run yet.**"}
    assert claim.get(notebook, "There are no zeros to compare yet.") in text


@pytest.mark.parametrize(
    ("notebook", "parameters", "said"),
    [
        ("fig3", {"model": "tiny-vit", "sparsity": 0.5}, "tiny-vit"),
        ("fig6", {"sparsity": 0.5}, "**C7: "),
        ("fig7", {}, "depends on what counts as zero"),
    ],
)
def test_each_is_made_from_nothing_at_tiny_scale(notebook, parameters, said, tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    options = {} if notebook == "fig7" else {"seeds": "0"}
    text, drawn = run(tmp_path, monkeypatch, notebook, scale="tiny", **options, **parameters)
    assert "Running" in text and said in text and drawn


def test_any_two_models_can_be_looked_at(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    text, drawn = run(tmp_path, monkeypatch, "fig7", models="tiny-vit,tiny-bert")
    assert "Running 2 trials that have no record" in text and "depends on what counts as zero" in text and drawn
