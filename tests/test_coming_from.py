"""The page for people who come from other tools: our calls run, command lines parse, sentences are short."""

import re
import shlex

import pytest
import torch
import typer
from accelerate.state import AcceleratorState
from helpers import ROOT
from torch.nn.utils import prune
from torch.utils.data import DataLoader
from transformers import AutoTokenizer

from essparse_lib import cli
from essparse_lib.models import loading
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.masks import zeros_and_size
from essparse_lib.pruning.prunable import prunable_weights

PAGE = (ROOT / "book/coming-from.md").read_text(encoding="utf-8")
OURS = re.findall(r"^\*\*Ours\*\*\n\n```python\n(.*?)^```", PAGE, re.M | re.S)
BLOCKS = "".join(re.findall(r"^```bash\n(.*?)^```", PAGE, re.M | re.S)).splitlines()
#: Command lines in blocks, and those in tables that are given in full.
COMMANDS = BLOCKS + [line for line in re.findall(r"`(essparse \w+ [^`]+)`", PAGE) if "…" not in line]
#: Options in tables, such as ``--pattern 2:4``, all of them of ``prune``.
OPTIONS = re.findall(r"`(--[^`]+)`", PAGE)
APP = typer.main.get_command(cli.app)

#: transformers warns where there is no accelerator to pin memory for.
pytestmark = [pytest.mark.filterwarnings("ignore:.*pin_memory"), pytest.mark.usefixtures("fresh_models")]


@pytest.fixture(autouse=True)
def accelerate_anew():
    """Let each test choose its precision, which accelerate keeps for the whole of a process."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


# Calls


def dense(names):
    """Leave the model as it was loaded."""


def pruned_by_torch(names):
    """Prune half of the model's weights as its users do."""
    model = names["model"]
    pairs = [(model.get_submodule(name.removesuffix(".weight")), "weight") for name in prunable_weights(model)]
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.5)
    names["optimizer"] = torch.optim.AdamW(model.parameters(), lr=0.01)


def pruned_in_place(names):
    global_magnitude(prunable_weights(names["model"]), 0.5).apply(names["model"])


def with_a_text(names):
    names["tokenizer"] = AutoTokenizer.from_pretrained(loading.locate("tiny-bert").folder)
    names["text"] = "good bad film " * 5_000


#: What is made ready for a block, by the call that it shows.
BEFORE = {
    "mask_from_torch_pruning(": pruned_by_torch,
    "mask_from_zeros(": pruned_in_place,
    "wanda(": with_a_text,
    "apply_torch_pruning(": dense,
    "save_pruned(": dense,
}


def test_every_block_of_python_is_ours_and_known():
    assert PAGE.count("```python") == len(OURS) == 6
    for code in OURS:
        assert sum(call in code for call in BEFORE) == 1, code


@pytest.mark.parametrize("code", OURS, ids=range(len(OURS)))
def test_our_calls_run_and_half_of_the_weights_are_zero(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = loading.classifier("tiny-bert", 2, 0)
    examples = [{"input_ids": torch.arange(i, i + 8) % 15 + 5, "labels": i % 2} for i in range(16)]
    names = {
        "model": model,
        "name": "tiny-bert",
        "examples": examples,
        "batches": DataLoader(examples, batch_size=4),
        "optimizer": torch.optim.AdamW(model.parameters(), lr=0.01),
    }
    next(prepare for call, prepare in BEFORE.items() if call in code)(names)
    exec(code, names)
    if "save_pruned(" in code:
        saved = prunable_weights(loading.load_model(str(tmp_path / "pruned")))
        zeros, _ = zeros_and_size(saved)
        assert zeros == int(0.7 * sum(weight.numel() for name, weight in saved.items() if not_excluded(name)))
    elif "apply_torch_pruning(" not in code:
        assert names["mask"].sparsity == pytest.approx(0.5, abs=1e-3)
        assert names["mask"].drift(names["model"]) == 0


def not_excluded(name):
    return ".query." not in name and ".key." not in name


# Command lines


@pytest.mark.parametrize("line", COMMANDS)
def test_command_lines_parse(line):
    program, command, *arguments = shlex.split(line)
    assert program == "essparse"
    described = APP.commands[command]
    given, left, _ = described.make_parser(described.context_class(described)).parse_args(arguments)
    assert not left
    assert all(given.get(each.name) is not None for each in described.params if each.required)


def test_options_in_tables_are_those_of_prune():
    known = {option for each in APP.commands["prune"].params for option in each.opts}
    named = {option for text in OPTIONS for option in re.findall(r"--[\w-]+", text)}
    assert named and named <= known


PRUNING = [line for line in BLOCKS if line.startswith(("essparse prune", "essparse decompress"))]


def test_lines_that_prune_a_model_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "TEXT.txt").write_text("a good film, and a bad one. " * 2_000)
    (tmp_path / "SPARSITIES.json").write_text(re.search(r'`(\{"\*[^`]+\})`', PAGE)[1])
    for number, line in enumerate(PRUNING):
        own = {"MODEL": "tiny-llama", "DIR": f"pruned-{number}"}
        APP.main([own.get(word, word) for word in shlex.split(line)[1:]], standalone_mode=False)
        if "DIR" in line:
            zeros, size = zeros_and_size(prunable_weights(loading.load_model(str(tmp_path / own["DIR"]))))
            assert 0 < zeros < size, line


# Words


def test_sentences_have_at_most_forty_words():
    prose = re.sub(r"^```.*?^```|^\|.*?$|^\(.*\)=$", "\n\n", PAGE, flags=re.M | re.S)
    sentences = re.split(r"[.:;?]\s|\n\n", re.sub(r"\]\([^)]*\)", "]", prose))
    long = [sentence for sentence in sentences if len(sentence.split()) > 40]
    assert not long
