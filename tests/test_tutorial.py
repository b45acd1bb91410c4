"""The tutorial: its script and its snippets run as they are printed, and its words and its code are short."""

import json
import re
import shlex

import pandas as pd
import pytest
import typer
from helpers import ROOT
from safetensors.torch import load_file

from essparse_lib import cli, load_model, mask_from_zeros, prunable_weights
from essparse_lib.analysis.choice import Place, place_of
from essparse_lib.plans import memory
from essparse_lib.runner import interactive
from essparse_lib.sweeps import kept

CELLS = json.loads((ROOT / "notebooks/use-your-own-model.ipynb").read_text(encoding="utf-8"))["cells"]
SOURCES = {kind: ["".join(c["source"]) for c in CELLS if c["cell_type"] == kind] for kind in ("markdown", "code")}
PROSE = "\n\n".join(SOURCES["markdown"])
PYTHON = re.findall(r"^```python\n(.*?)^```", PROSE, re.M | re.S)
SCRIPT, SWEEP, HELD = PYTHON
COMMANDS = "".join(re.findall(r"^```bash\n(.*?)^```", PROSE, re.M | re.S)).splitlines()
#: The model that the page names, which is fetched, and one that is made on the spot.
NAMED, TINY = '"minilm-l6"', '"tiny-bert"'
REVIEWS = pd.DataFrame(
    [
        {"text": f"{word} film {number}", "label": label}
        for label, words in {"positive": ("good", "warm"), "negative": ("bad", "dull")}.items()
        for word in words
        for number in range(60)
    ]
)

pytestmark = [pytest.mark.filterwarnings("ignore:.*pin_memory"), pytest.mark.usefixtures("fresh_models")]


def test_the_page_begins_with_a_script_of_a_dozen_lines():
    first = SOURCES["markdown"][0]
    assert SCRIPT in first and first.index("```python") < 400
    assert 8 <= len([line for line in SCRIPT.splitlines() if line.strip()]) <= 13


def test_the_script_runs_as_it_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert SCRIPT.count(NAMED) == 1
    names = {}
    exec(SCRIPT.replace(NAMED, TINY), names)
    mask, dense = names["mask"], load_model("tiny-bert")
    weights = load_file(tmp_path / "pruned/model.safetensors")
    saved = prunable_weights(load_model(str(tmp_path / "pruned")))
    assert mask.pruned == int(0.3 * sum(weight.numel() for weight in prunable_weights(dense).values()))
    assert sum(int((weight == 0).sum()) for weight in saved.values()) == mask.pruned and weights
    assert f"{mask.pruned:,} of {mask.size:,} weights go (30.0%)" in capsys.readouterr().out


@pytest.mark.slow
def test_the_sweep_runs_as_it_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    REVIEWS.to_csv("reviews.csv", index=False)
    exec(SWEEP.replace(NAMED, TINY), names := {})
    assert names["result"].sentence in capsys.readouterr().out
    again = kept.read_summary(tmp_path / "reviews-sweep/summary.json")
    assert again.sentence == names["result"].sentence


def test_command_lines_parse():
    described = typer.main.get_command(cli.app)
    inline = [line for line in re.findall(r"`(essparse \w+ [^`]+)`", PROSE) if "--help" not in line]
    assert COMMANDS
    for line in COMMANDS + inline:
        program, name, *arguments = shlex.split(line)
        command = described.commands[name]
        assert (
            program == "essparse" and not command.make_parser(command.context_class(command)).parse_args(arguments)[1]
        )


def test_options_of_a_sweep_are_those_of_the_command():
    table = re.findall(r"^\| (`--.*?) \|", PROSE, re.M)
    named = set(re.findall(r"--[\w-]+", " ".join(table)))
    command = typer.main.get_command(cli.app).commands["sweep"]
    assert named and named <= {option for each in command.params for option in each.opts}


def test_the_trainer_holds_the_mask_in_memory_and_in_the_saved_file(tmp_path):
    exec(SCRIPT.replace(NAMED, TINY).replace('"pruned"', repr(str(tmp_path / "pruned"))), {})
    (cell,) = [code for code in SOURCES["code"] if "Trainer(" in code]
    REVIEWS.to_csv(tmp_path / "sentences.csv", index=False)
    places = {"csv": "sentences.csv", "folder": "pruned", "checkpoints": "checkpoints", "trained": "trained"}
    names = {"pd": pd, "learning_rate": 1e-2, **{name: tmp_path / place for name, place in places.items()}}
    for module in ("MaskCallback", "load_with_head", "mask_from_zeros", "prunable_weights"):
        exec(f"from essparse_lib import {module}", names)
    before = load_file(tmp_path / "pruned/model.safetensors")
    exec(cell, names)  # one namespace, as in a notebook
    held, saved = names["held"], load_file(tmp_path / "trained/model.safetensors")
    pairs = [(old, new) for name, old in before.items() for full, new in saved.items() if full.endswith(name)]
    assert any(old.shape == new.shape and (old != new).any() for old, new in pairs), "nothing was trained"
    assert held.sparsity == pytest.approx(0.3, abs=1e-3)
    assert held.drift(names["classifier"]) == 0
    assert not sum(int((saved[name][~stays] != 0).sum()) for name, stays in held.keep.items())
    again = mask_from_zeros(prunable_weights(load_model(str(tmp_path / "trained"))))
    assert again.pruned == held.pruned


def test_what_is_shown_of_a_sweep_is_what_its_summary_says():
    swept = kept.example()
    within = [level for level, loss in swept.losses if place_of(loss, swept.tolerance) is Place.WITHIN]
    assert swept.model == "minilm-l6" and swept.command.startswith("essparse sweep minilm-l6 --data reviews.csv")
    assert swept.essential.low == max(within) and f"{swept.essential.value:.0%}" in swept.sentence
    assert (ROOT / "tests/data" / swept.data).is_file()


def test_the_default_model_is_not_fetched(empty_cache):
    assert interactive.model_at_hand("minilm-l6") == "bert-2x128-100-0"
    assert interactive.model_at_hand("bert-base-uncased") == "bert-base-uncased"
    archive = interactive.MODELS["minilm-l6"].archive[0]
    archive.path.parent.mkdir(parents=True)
    archive.path.touch()
    assert interactive.model_at_hand("minilm-l6") == "minilm-l6"


# Words and code


def test_sentences_and_captions_have_at_most_forty_words():
    blank = re.sub(r"^```.*?^```|^\|.*?$|^#.*$", "\n\n", PROSE, flags=re.M | re.S)
    captions = [c["metadata"]["mystnb"]["figure"]["caption"] for c in CELLS if "mystnb" in c["metadata"]]
    assert captions and all(len(caption.split()) <= 40 for caption in captions)
    sentences = re.split(r"[.:;?]\s|\n\n|\n- ", re.sub(r"\]\([^)]*\)", "]", blank))
    assert not [sentence for sentence in sentences if len(sentence.split()) > 40]


def test_code_that_is_shown_fits_into_the_page():
    code_cells = [c for c in CELLS if c["cell_type"] == "code"]
    shown = ["".join(c["source"]) for c in code_cells if "remove-input" not in c["metadata"].get("tags", [])]
    lines = [line for code in [*shown, *PYTHON, *COMMANDS] for line in code.splitlines()]
    assert not [line for line in lines if len(line) > 78]  # what the column of the page holds
    assert len(memory.table([10**8], 0.3).columns) <= 6
