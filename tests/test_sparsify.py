"""Pruning a model for keeps, and describing one."""

import json

import pytest
import torch
from safetensors import SafetensorError
from transformers import AutoModel, BertConfig, BertForMaskedLM

from essparse_lib import models, sparsify
from essparse_lib.errors import InputError
from essparse_lib.pruning.masks import measured_sparsity
from essparse_lib.pruning.prunable import prunable, weights
from essparse_lib.pruning.statistics import NOTHING, statistics


@pytest.mark.parametrize("name", ["tiny-bert", "tiny-mpnet", "tiny-opt"])
def test_a_pruned_model_loads_with_the_exact_share_of_zeros(name, tmp_path):
    said = sparsify.save_pruned(name, 0.37, tmp_path / "out")
    zeros, size = measured_sparsity(weights(AutoModel.from_pretrained(tmp_path / "out")))
    assert zeros == int(0.37 * size) and f"{zeros:,} of {size:,}" in said
    assert json.loads((tmp_path / "out" / "essparse.json").read_text())["pruned"] == zeros
    assert models.tokenizer_of(str(tmp_path / "out"))("good film")["input_ids"]


def test_the_surviving_weights_and_the_head_are_kept(tmp_path):
    config = BertConfig(vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    before = BertForMaskedLM(config).to(torch.bfloat16)
    before.save_pretrained(tmp_path / "in")
    sparsify.save_pruned(str(tmp_path / "in"), 0.5, tmp_path / "out")
    after = BertForMaskedLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert after.dtype == torch.bfloat16
    for name, weight in before.state_dict().items():
        kept = after.state_dict()[name]
        assert torch.equal(kept, weight) or name in prunable(before)
        assert torch.equal(kept[kept != 0], weight[kept != 0])


@pytest.mark.parametrize("sparsity", ["1.0", "-0.1", "abc", "nan"])
def test_a_wrong_sparsity_writes_nothing(sparsity, tmp_path):
    with pytest.raises(InputError, match=f"'{sparsity}' is not allowed"):
        sparsify.save_pruned("tiny-bert", sparsity, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        sparsify.save_pruned("tiny-bert", 0.5, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path, monkeypatch, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr("transformers.BertModel.save_pretrained", full)
    with pytest.raises(InputError, match="No space left on device"):
        sparsify.save_pruned("tiny-bert", 0.5, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_statistics_add_up():
    model = models.complete("tiny-bert")
    found = statistics(prunable(model).values())
    total = sum(found.values(), NOTHING)
    flat = torch.cat([w.flatten() for w in weights(model).values()])
    assert len(found) == 12 and total.weights == flat.numel() and total.zeros == 0
    assert total.mean == pytest.approx(float(flat.abs().mean()), rel=1e-5)


def test_the_table_shows_blocks_and_components(capsys):
    sparsify.print_statistics("tiny-opt")
    shown = capsys.readouterr().out
    assert "16,384 prunable weights, 0 of them zero" in shown
    assert all(word in shown for word in ("query", "intermediate", "zeros, %", "mean |w|"))
