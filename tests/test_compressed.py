"""Sparse checkpoints stored as a mask of bits and values: smaller, read back bit for bit, refused where damaged."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import rewrite, tensors, write
from transformers import AutoModel

from essparse_lib import sparsify
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.models.compressed import CARD, compress, decompress
from essparse_lib.models.weight_files import MANIFEST
from essparse_lib.recipe import Recipe

pytestmark = pytest.mark.usefixtures("fresh_models")
HALF = Recipe(sparsity=0.5)


def files(folder):
    """Return the bytes of all files in a folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path):
    """A compressed checkpoint."""
    sparsify.save_pruned(str(write("llama", tmp_path / "model")), HALF, tmp_path / "out/x", compressed=True)
    return tmp_path / "out/x"


def change(folder, **parts):
    """Change tensors of a compressed checkpoint whose names end so: a function of the tensor, or None to leave out."""
    stored = load_file(folder / "compressed.safetensors")
    for end, function in parts.items():
        name = next(name for name in sorted(stored) if name.endswith(f"q_proj.{end}"))
        tensor = stored.pop(name)
        if function is not None:
            stored[name] = function(tensor).contiguous()
    save_file(stored, folder / "compressed.safetensors", {"format": "pt"})


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama tied", "mixtral", "t5", "vit"])
def test_the_ordinary_checkpoint_comes_back_byte_for_byte(kind, tmp_path):
    write(kind, tmp_path / "model")
    (tmp_path / "model/LICENSE").write_text("Do what you like.")
    sparsify.save_pruned(str(tmp_path / "model"), HALF, tmp_path / "ordinary/x")
    loading.forget()
    said = sparsify.save_pruned(str(tmp_path / "model"), HALF, tmp_path / "small/x", compressed=True)
    assert "its files of weights have" in said
    assert not (tmp_path / "small/x/model.safetensors").exists()
    assert (tmp_path / "small/x/README.md").read_text().endswith(CARD)
    decompress(tmp_path / "small/x", tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "ordinary/x")


@pytest.mark.parametrize(
    ("dtype", "sparsity", "ratio"),
    [
        (torch.float16, 0.5, 0.5625),
        (torch.bfloat16, 0.75, 0.3125),
        (torch.float32, 0.5, 0.53125),
        (torch.float64, 0.5, 0.515625),
    ],
    ids=str,
)
def test_a_matrix_takes_a_bit_a_weight_and_the_weights_that_stay(dtype, sparsity, ratio, tmp_path):
    torch.manual_seed(0)
    weight = torch.randn(512, 2048, dtype=torch.float64)
    weight[weight.abs() < weight.abs().flatten().kthvalue(int(sparsity * weight.numel())).values] = 0
    save_file({"a.weight": weight.to(dtype), "b": torch.ones(2)}, tmp_path / "model.safetensors", {"format": "pt"})
    sizes = compress(tmp_path)
    assert sizes.compressed / sizes.ordinary == pytest.approx(ratio, abs=0.004)


def test_what_is_not_sparse_or_no_matrix_is_stored_as_it_is(tmp_path):
    dense = {
        "dense.weight": torch.randn(8, 64),
        "bias": torch.zeros(64),
        "steps": torch.zeros(4, 4, dtype=torch.int64),
        "convolution.weight": torch.zeros(2, 2, 1, 1),
        "empty.weight": torch.zeros(0, 4),
        "taken.weight": torch.zeros(8, 64),
        "taken.shape": torch.zeros(2),
    }
    save_file(dense, tmp_path / "model.safetensors", {"format": "pt"})
    compress(tmp_path)
    stored = load_file(tmp_path / "compressed.safetensors")
    assert {name: tensor.shape for name, tensor in stored.items()} == {name: t.shape for name, t in dense.items()}


def test_negative_zeros_and_numbers_that_are_none_keep_their_bits(tmp_path):
    weight = torch.zeros(16, 67, dtype=torch.float16)
    weight[0, :4] = torch.tensor([-0.0, float("nan"), float("inf"), 6e-8])
    stacked = torch.zeros(3, 5, 70)
    stacked[1, 2, 69] = 1.0
    save_file({"a.weight": weight, "stacked": stacked}, tmp_path / "model.safetensors", {"format": "pt"})
    before = (tmp_path / "model.safetensors").read_bytes()
    compress(tmp_path)
    assert "a.weight" not in load_file(tmp_path / "compressed.safetensors")
    decompress(tmp_path, tmp_path / "again")
    assert (tmp_path / "again/model.safetensors").read_bytes() == before


def test_the_layout_is_sparse_bitmask(folder, tmp_path):
    stored = load_file(folder / "compressed.safetensors")
    sparsify.save_pruned(str(tmp_path / "model"), HALF, tmp_path / "ordinary")
    dense = tensors(tmp_path / "ordinary")["model.layers.0.self_attn.q_proj.weight"]
    prefix = "model.layers.0.self_attn.q_proj"
    bits = np.packbits((dense != 0).numpy(), axis=-1, bitorder="little")
    assert torch.equal(stored[f"{prefix}.compressed"], dense[dense != 0])
    assert (stored[f"{prefix}.bitmask"].numpy() == bits).all() and stored[f"{prefix}.shape"].tolist() == [16, 16]
    counts = (dense != 0).sum(-1)
    assert torch.equal(stored[f"{prefix}.row_offsets"], counts.cumsum(0) - counts)


def test_shards_stay_shards_and_their_index_is_kept(tmp_path):
    folder = write("llama", tmp_path / "model")
    stored = tensors(folder)
    names = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(stored)}
    for file in set(names.values()):
        save_file({n: stored[n] for n in stored if names[n] == file}, folder / file, {"format": "pt"})
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    for place, compressed in (("ordinary/x", False), ("small/x", True)):
        loading.forget()
        sparsify.save_pruned(str(folder), HALF, tmp_path / place, compressed=compressed)
    assert len(list((tmp_path / "small/x").glob("compressed-*.safetensors"))) >= 2
    decompress(tmp_path / "small/x", tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "ordinary/x")


def test_a_compressed_model_is_loaded_pruned_again_and_known_by_its_ordinary_weights(folder, tmp_path):
    decompress(folder, tmp_path / "again")
    small, ordinary = loading.load_model(str(folder)), loading.load_model(str(tmp_path / "again"))
    assert all(torch.equal(small.state_dict()[name], weight) for name, weight in ordinary.state_dict().items())
    assert loading.locate(str(folder)).weights == loading.locate(str(tmp_path / "again")).weights
    sparsify.save_pruned(str(folder), Recipe(sparsity=0.7), tmp_path / "more")
    done = json.loads((tmp_path / "more/essparse.json").read_text())
    assert done["zeros"] == int(0.7 * done["weights"]) and MANIFEST not in files(tmp_path / "more")


def test_a_change_beside_the_weights_is_seen(folder):
    loading.load_model(str(folder))
    (folder / "LICENSE").write_text("Another one.")
    loading.forget()
    assert (loading.locate(str(folder)).folder / "LICENSE").read_text() == "Another one."


def test_a_program_that_does_not_know_the_format_finds_no_weights(folder):
    with pytest.raises(OSError, match="model.safetensors"):
        AutoModel.from_pretrained(folder)


def _flip(tensor):
    changed = tensor.clone()
    changed.view(-1)[0] ^= 1
    return changed


PARTS = {
    "a part is missing": {"bitmask": None},
    "a value too few": {"compressed": lambda t: t[1:]},
    "a value too many": {"compressed": lambda t: torch.cat([t, t[:1]])},
    "values of another kind": {"compressed": lambda t: t.int()},
    "a bit flipped": {"bitmask": _flip},
    "bits in a row": {"bitmask": lambda t: t.flatten()},
    "bits of another kind": {"bitmask": lambda t: t.int()},
    "a huge shape": {"shape": lambda t: t * 0 + 2**62},
    "a negative shape": {"shape": lambda t: -t},
    "a shape of zeros": {"shape": lambda t: t * 0},
    "another shape of as many": {"shape": lambda t: torch.tensor([8, 32])},
    "a shape of three": {"shape": lambda t: torch.tensor([16, 16, 1])},
    "no shape": {"shape": lambda t: t[:0]},
    "a shape that is no whole number": {"shape": lambda t: t.float()},
    "other offsets": {"row_offsets": lambda t: t + 1},
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
def test_parts_that_do_not_fit_are_refused_in_a_line_and_nothing_is_written(parts, folder, tmp_path):
    change(folder, **parts)
    with pytest.raises(InputError, match=r"compressed\.safetensors is damaged \(the parts of .*q_proj.weight"):
        decompress(folder, tmp_path / "again")
    with pytest.raises(InputError, match="is damaged"):
        loading.load_model(str(folder))
    assert not (tmp_path / "again").exists()


def test_weights_that_are_not_those_that_were_compressed_are_refused(folder, tmp_path):
    change(folder, compressed=lambda values: values * 2)
    with pytest.raises(InputError, match="its weights are not those that were compressed"):
        decompress(folder, tmp_path / "again")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda manifest: {**manifest, "version": 2}, "has version 2, and this program reads 1"),
        (lambda manifest: {"version": 1}, "'files'"),
        (lambda manifest: {**manifest, "files": {"../model.safetensors": {}}}, "as a file of weights"),
        (lambda manifest: {**manifest, "files": {"model.safetensors": 5}}, "'compressed'"),
        (lambda manifest: {**manifest, "files": {"model.safetensors": {"compressed": [[]]}}}, "are not allowed"),
        (lambda manifest: {**manifest, "files": {"model.safetensors": {"compressed": []}}}, "not those that were"),
        (lambda manifest: {**manifest, "files": {"model-1-of-2.safetensors": {"compressed": []}}}, "No such file"),
        (lambda manifest: {**manifest, "files": {}}, "names no file of weights"),
        (lambda manifest: [], "cannot be read"),
    ],
)
def test_a_damaged_manifest_is_refused(damage, message, folder, tmp_path):
    path = folder / MANIFEST
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=message):
        decompress(folder, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_file_cut_short_is_refused(folder, tmp_path):
    path = folder / "compressed.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="compressed.safetensors cannot be read"):
        decompress(folder, tmp_path / "again")


def test_a_folder_that_is_not_compressed_or_not_empty_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="holds no compressed model"):
        decompress(tmp_path / "model", tmp_path / "again")
    with pytest.raises(InputError, match="not empty"):
        decompress(folder, tmp_path / "model")
    with pytest.raises(InputError, match="is no folder"):
        decompress(tmp_path / "absent", tmp_path / "again")


def test_mixed_precisions_come_back(tmp_path):
    folder = write("llama", tmp_path / "model")
    stored = {name: weight if "norm" in name else weight.half() for name, weight in tensors(folder).items()}
    rewrite(folder, stored)
    sparsify.save_pruned(str(folder), HALF, tmp_path / "ordinary/x")
    loading.forget()
    sparsify.save_pruned(str(folder), HALF, tmp_path / "small/x", compressed=True)
    shutil.copytree(tmp_path / "small/x", tmp_path / "moved")
    decompress(tmp_path / "moved", tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "ordinary/x")
