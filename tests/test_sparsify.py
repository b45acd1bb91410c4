"""Pruning a model for keeps, and describing one."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from transformers import (
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from essparse_lib import model_statistics, sparsify
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning.masks import zeros_and_size
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights
from essparse_lib.pruning.zeros import NOTHING, count_zeros_by_component
from essparse_lib.sparsify import Recipe


@pytest.mark.parametrize("name", ["tiny-bert", "tiny-mpnet", "tiny-opt"])
def test_a_pruned_model_loads_with_the_exact_share_of_zeros(name, tmp_path):
    said = sparsify.save_pruned(name, Recipe(sparsity=0.37), tmp_path / "out")
    zeros, size = zeros_and_size(prunable_weights(AutoModel.from_pretrained(tmp_path / "out")))
    assert zeros == int(0.37 * size) and f"{zeros:,} of {size:,}" in said
    assert json.loads((tmp_path / "out" / "essparse.json").read_text())["pruned"] == zeros
    assert loading.tokenizer_of(str(tmp_path / "out"))("good film")["input_ids"]
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "out").iterdir()} == {0o644}


def test_the_surviving_weights_and_the_head_are_kept(tmp_path):
    config = BertConfig(vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    before = BertForMaskedLM(config).to(torch.bfloat16)
    before.save_pretrained(tmp_path / "in")
    sparsify.save_pruned(str(tmp_path / "in"), Recipe(sparsity=0.5), tmp_path / "out")
    after = BertForMaskedLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert after.dtype == torch.bfloat16
    for name, weight in before.state_dict().items():
        kept = after.state_dict()[name]
        assert torch.equal(kept, weight) or name in prunable_matrices(before)
        assert torch.equal(kept[kept != 0], weight[kept != 0])


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the film has a good plot and its actors play a dull story " * 1000)
    return path


@pytest.mark.parametrize(
    "how",
    [
        {"sparsity": 0.37, "scope": "layer"},
        {"sparsity": 0.37, "method": "random", "scope": "erk"},
        {"pattern": "1:4"},
        {"sparsity": 0.25, "method": "wanda"},
        {"pattern": "2:4", "method": "wanda"},
        {"sparsity": 0.25, "method": "sparsegpt"},
    ],
    ids=str,
)
def test_every_way_to_prune_leaves_its_share_of_zeros(how, text, tmp_path):
    out = tmp_path / "out"
    calibrated = {"text": text} if how.get("method") in ("wanda", "sparsegpt") else {}
    sparsify.save_pruned("tiny-opt", Recipe(**how, **calibrated), out)
    zeros, size = zeros_and_size(prunable_weights(AutoModel.from_pretrained(out)))
    wanted = {"1:4": 0.75, "2:4": 0.5}.get(how.get("pattern"), how.get("sparsity"))
    assert zeros == int(wanted * size)
    done = json.loads((out / "essparse.json").read_text())
    assert done["pruned"] == zeros and done["method"] == how.get("method", "magnitude")


def test_what_is_written_says_which_part_was_pruned_and_how(text, tmp_path):
    recipe = Recipe(
        sparsity="0.25", method="wanda", text=text, windows=4, length=16, include=("*fc1*", "*fc2*"), exclude=("*.0.*",)
    )
    said = sparsify.save_pruned("tiny-opt", recipe, tmp_path / "out")
    assert "weights of the chosen matrices of tiny-opt are zero" in said
    written = (tmp_path / "out" / "essparse.json").read_text()
    done = json.loads(written)
    assert (done["windows"], done["length"], done["sparsity"], done["seed"]) == (4, 16, 0.25, 0)
    assert (done["include"], done["exclude"]) == (["*fc1*", "*fc2*"], ["*.0.*"]) and written.endswith("}\n")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "sparsity 0.25, only `*fc1*`, `*fc2*`, without `*.0.*`, calibrated on `text.txt`." in card
    assert "In the matrices of the transformer blocks that were chosen " in card


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({}, "give either a sparsity, such as 0.4, or a pattern, such as 2:4"),
        ({"sparsity": 0.5, "pattern": "2:4"}, "give either a sparsity"),
        ({"sparsity": 0.5, "method": "wandda"}, "unknown method 'wandda'.*did you mean 'wanda'"),
        ({"sparsity": 0.5, "scope": "row"}, "unknown scope 'row'"),
        ({"pattern": "4:2"}, "pattern '4:2' is not allowed"),
        ({"pattern": "2:4", "method": "random"}, "a pattern goes with magnitude, wanda and sparsegpt"),
        ({"pattern": "2:4", "scope": "layer"}, "scope 'layer' goes with"),
        ({"sparsity": 0.5, "method": "wanda"}, "method 'wanda' needs a text file"),
        ({"sparsity": 0.5, "text": "here"}, "method 'magnitude' takes no text file"),
        ({"sparsity": 0.5, "windows": 8}, "windows 8 goes with a text or images"),
        ({"sparsity": 0.5, "length": 8}, "length 8 goes with a text"),
        ({"sparsity": 0.5, "method": "wanda", "text": "absent.txt"}, "absent.txt is no file"),
    ],
)
def test_ways_that_make_no_sense_are_refused(how, message):
    with pytest.raises(InputError, match=message):
        Recipe(**{**how, **({"text": Path(how["text"])} if "text" in how else {})})


def test_a_part_of_a_model_is_pruned_and_the_rest_is_said(tmp_path):
    out = tmp_path / "out"
    said = sparsify.save_pruned("tiny-bert", Recipe(sparsity=0.5, include=("*.attention.*",), exclude=("*.0.*",)), out)
    weights = prunable_weights(AutoModel.from_pretrained(out))
    chosen = {name for name in weights if ".attention." in name and ".0." not in name}
    assert {name for name, weight in weights.items() if (weight == 0).any()} <= chosen
    rest = sum(weight.numel() for name, weight in weights.items() if name not in chosen)
    done = json.loads((out / "essparse.json").read_text())
    assert done["include"] == ["*.attention.*"] and done["exclude"] == ["*.0.*"]
    assert f"{rest:,} in matrices that the patterns leave out" in said and done["left_dense"] in said
    card = (out / "README.md").read_text()
    assert "only `*.attention.*`, without `*.0.*`. In the matrices of the transformer blocks that were" in card


def test_a_model_of_images_is_calibrated_on_a_folder_of_them(tmp_path, capfd):
    image = pytest.importorskip("PIL.Image")
    model, images, out = tmp_path / "model", tmp_path / "images", tmp_path / "out"
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    ViTForImageClassification(ViTConfig(image_size=16, patch_size=4, **shape)).save_pretrained(model)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(model)
    images.mkdir()
    for seed in range(4):
        pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        image.fromarray(pixels).save(images / f"{seed}.png")
    (images / "._0.png").write_bytes(b"\0\5\x16\7 what macOS notes of 0.png on disks of others")
    recipe = Recipe(sparsity=0.5, method="wanda", images=images, windows=4)
    sparsify.save_pruned(str(model), recipe, out)
    weights = prunable_weights(loading.load_model(str(out)))
    assert all(((weight == 0).sum(1) == weight.shape[1] // 2).all() for weight in weights.values())
    assert "calibrated on `images`" in (out / "README.md").read_text()
    assert "requires" not in capfd.readouterr().err  # of a faster image processor
    with pytest.raises(InputError, match="has 4 images, fewer than 5"):
        sparsify.save_pruned(str(model), replace(recipe, windows=5), tmp_path / "more")


def test_images_without_what_decodes_them_are_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match=r"Pillow, which is missing: pip install 'essparse\[images\]'"):
        sparsify.save_pruned("tiny-vit", Recipe(sparsity=0.5, method="wanda", images=tmp_path), tmp_path / "out")


def test_a_text_too_short_is_refused_and_nothing_written(tmp_path, text):
    text.write_text("too short")
    with pytest.raises(InputError, match="the calibration text has 2 tokens"):
        sparsify.save_pruned("tiny-opt", Recipe(sparsity=0.5, method="wanda", text=text), tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize("sparsity", ["1.0", "-0.1", "abc", "nan"])
def test_a_wrong_sparsity_writes_nothing(sparsity, tmp_path):
    with pytest.raises(InputError, match=f"'{sparsity}' is not allowed"):
        sparsify.save_pruned("tiny-bert", Recipe(sparsity=sparsity), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        sparsify.save_pruned("tiny-bert", Recipe(sparsity=0.5), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path, monkeypatch, error):
    def full(*_, **__):
        raise error

    loading.locate("tiny-bert")  # which is saved, too, when it is first asked for
    monkeypatch.setattr("transformers.BertModel.save_pretrained", full)
    with pytest.raises(InputError, match="No space left on device"):
        sparsify.save_pruned("tiny-bert", Recipe(sparsity=0.5), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_statistics_add_up():
    model = loading.load_model("tiny-bert")
    found = count_zeros_by_component(prunable_matrices(model).values())
    total = sum(found.values(), NOTHING)
    flat = torch.cat([w.flatten() for w in prunable_weights(model).values()])
    assert len(found) == 12 and total.weights == flat.numel() and total.exact == 0
    assert total.mean == pytest.approx(float(flat.abs().mean()), rel=1e-5)


def test_the_table_shows_blocks_and_components(capsys):
    model_statistics.print_statistics("tiny-opt")
    shown = capsys.readouterr().out
    assert "16,384 prunable weights, 0 of them zero" in shown
    assert all(word in shown for word in ("query", "intermediate", "zeros, %", "mean |w|"))
