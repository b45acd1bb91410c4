"""What pruning and fine-tuning take in memory and on disk is what tensors and files hold."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from essparse_lib import global_magnitude, save_mask
from essparse_lib.models.compressed import compress
from essparse_lib.plans import memory
from essparse_lib.plans.memory import BF16, FP32, Memory

SIDE = 512


def model(dtype=torch.float32):
    """Return a model of one matrix, all of whose weights can be pruned."""
    torch.manual_seed(0)
    return nn.Linear(SIDE, SIDE, bias=False).to(dtype)


def size(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_a_training_by_adamw_holds_what_is_stated():
    net = model()
    mask = global_magnitude({"weight": net.weight.detach()}, 0.5)
    optimizer = torch.optim.AdamW(net.parameters())
    with mask.held(net, optimizer):
        net(torch.ones(1, SIDE)).sum().backward()
        optimizer.step()
    moments = [v for state in optimizer.state.values() for v in state.values() if v.numel() > 1]
    held = size([net.weight, net.weight.grad, *moments, *mask.keep.values()])
    assert held == Memory(SIDE * SIDE).fine_tuning()


@pytest.mark.parametrize(("dtype", "number"), [(torch.float32, FP32), (torch.bfloat16, BF16)])
def test_weights_mask_and_files_are_as_large_as_stated(dtype, number, tmp_path):
    net, expected = model(dtype), Memory(SIDE * SIDE)
    weights = {"weight": net.weight.detach()}
    mask = global_magnitude(weights, 0.5)
    assert size([net.weight, *mask.keep.values()]) == expected.pruning(number)
    dense, pruned, bits = (tmp_path / name for name in ("dense.safetensors", "pruned.safetensors", "mask"))
    save_file(weights, dense)
    mask.apply(net)
    save_file(weights, pruned)
    save_mask(mask, weights, bits)
    assert dense.stat().st_size == pruned.stat().st_size == pytest.approx(expected.file(number), abs=1000)
    assert bits.stat().st_size == pytest.approx(expected.mask_file(), abs=1000)


def test_a_compressed_checkpoint_is_about_as_large_as_stated(tmp_path):
    net = model()
    weights = {"layer.weight": net.weight.detach()}
    global_magnitude({"weight": net.weight.detach()}, 0.5).apply(net)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text("{}")
    compress(tmp_path)
    stored = sum(file.stat().st_size for file in Path(tmp_path).glob("compressed*.safetensors"))
    rows = 8 * SIDE  # where the weights of each row begin
    assert stored == pytest.approx(Memory(SIDE * SIDE).compressed(0.5, FP32) + rows, abs=1000)


def test_the_table_has_a_row_for_each_size_and_six_columns():
    frame = memory.table([100_000_000, 7_000_000_000], 0.3)
    assert frame["weights"].tolist() == ["100M", "7B"] and len(frame.columns) == 6
    assert frame["fine-tune (fp32)"].tolist() == ["1.7 GB", "119.0 GB"]
