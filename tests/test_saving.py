"""What is saved with a pruned model: all files beside its weights, as they were, and what was done, in numbers."""

import json
import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny_checkpoints import block_weight, configure, rewrite, tensors, write
from transformers import AutoModel, GenerationConfig, GPT2LMHeadModel

from essparse_lib import model_statistics, sparsify
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.models.companions import copy_companions
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.sources import tiny
from essparse_lib.sparsify import Recipe

pytestmark = pytest.mark.usefixtures("fresh_models")

HALF = Recipe(sparsity=0.5)


def pruned(folder, recipe=HALF):
    """Prune a folder's model into the folder ``out`` next to it; return the folder and what was said."""
    loading.forget()
    out = folder.parent / "out"
    said = sparsify.save_pruned(str(folder), recipe, out)
    return out, said


def done(out):
    return json.loads((out / "essparse.json").read_text())


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


def fill(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


BESIDE = {
    "preprocessor_config.json": '{"image_mean": [0.5]}',
    "processor_config.json": "{}",
    "video_preprocessor_config.json": "{}",
    "tokenizer.json": '{"made": "by hand"}\r\n',
    "tokenizer_config.json": "{}",
    "spiece.model": b"\x00\x01\xff",
    "vocab.txt": "a\nb",
    "chat_template.jinja": "{{ messages }}",
    "LICENSE": "Do what you like.",
    "LICENSE.md": "Do what you like.",
    "NOTICE": "Made here.",
    "modules.json": json.dumps([{"path": ""}, {"path": "1_Pooling"}, {"path": "2_Dense"}, {"path": "3_Normalize"}]),
    "config_sentence_transformers.json": "{}",
    "1_Pooling/config.json": '{"pooling_mode_mean_tokens": true}',
    "2_Dense/config.json": "{}",
    "2_Dense/model.safetensors": b"the weights of a part",
    "additional_chat_templates/tool.jinja": "x",
}
NOT = {
    "pytorch_model.bin": b"pickle",
    "tf_model.h5": b"h5",
    "flax_model.msgpack": b"msgpack",
    "model.fp16.safetensors": b"",
    "optimizer.pt": b"pickle",
    "training_args.bin": b"pickle",
    "onnx/model.onnx": b"onnx",
    "onnx/config.json": "{}",
    "openvino/openvino_model.bin": b"x",
    "openvino/openvino_model.xml": "x",
    "checkpoint-10/model.safetensors": b"x",
    "checkpoint-10/config.json": "{}",
    "pytorch_model.bin.index.json": "{}",
    ".git/config": "x",
    ".gitattributes": "x",
    "__pycache__/a.pyc": b"x",
    "2_Dense/pytorch_model.bin": b"pickle",
}


def test_files_beside_the_weights_come_along_byte_for_byte_and_other_weights_stay(folder):
    write("bert", folder)
    fill(folder, BESIDE | NOT)
    out, _ = pruned(folder)
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {*BESIDE, "config.json", "model.safetensors", "essparse.json", "README.md"}
    assert all((out / name).read_bytes() == (folder / name).read_bytes() for name in BESIDE)
    assert set(done(out)["copied_files"]) == set(BESIDE)
    left_out = set(done(out)["left_out_files"])
    assert {
        "pytorch_model.bin",
        "onnx/",
        "openvino/",
        "checkpoint-10/",
    } <= left_out and "model.safetensors" not in left_out
    assert (out / "config.json").read_text() != (out / "1_Pooling/config.json").read_text()


def test_a_part_whose_only_weights_are_pickled_is_copied_unopened(folder):
    write("bert", folder)
    fill(folder, {"modules.json": '[{"path": "2_Dense"}]', "2_Dense/pytorch_model.bin": b"pickle"})
    out, _ = pruned(folder)
    assert (out / "2_Dense/pytorch_model.bin").read_bytes() == b"pickle"


def test_links_that_leave_the_folder_are_not_followed(folder, tmp_path):
    write("bert", folder)
    fill(tmp_path, {"secret.txt": "mine", "private/key.txt": "mine"})
    (folder / "notes.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "private").symlink_to(tmp_path / "private")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.txt").symlink_to(folder / "absent.txt")
    fill(folder, {"words.txt": "a"})
    (folder / "same.txt").symlink_to(folder / "words.txt")
    out, _ = pruned(folder)
    assert (out / "same.txt").read_text() == "a" and not (out / "same.txt").is_symlink()
    assert not {"notes.txt", "private", "loop", "gone.txt"} & {path.name for path in out.iterdir()}
    assert {"notes.txt", "private", "gone.txt", "loop/"} <= set(done(out)["left_out_files"])


def test_the_links_of_the_hubs_cache_are_files_like_others(tmp_path):
    blobs, snapshot = tmp_path / "models--a--b/blobs", tmp_path / "models--a--b/snapshots/0123"
    fill(blobs, {"abc": "the licence"})
    fill(tmp_path, {"other": "x"})
    snapshot.mkdir(parents=True)
    (snapshot / "LICENSE").symlink_to("../../blobs/abc")
    (snapshot / "leaves.txt").symlink_to(tmp_path / "other")
    copied = copy_companions(snapshot, tmp_path / "out")
    assert copied.files == ("LICENSE",) and (tmp_path / "out/LICENSE").read_text() == "the licence"
    assert copied.left_out == ("leaves.txt",)


def test_a_tokenizer_is_the_one_that_it_was(tmp_path):
    folder = shutil.copytree(tiny.folder("essparse/tiny-opt"), tmp_path / "model")
    out, _ = pruned(folder)
    same = [path.name for path in folder.iterdir() if "token" in path.name]
    assert same and all((out / name).read_bytes() == (folder / name).read_bytes() for name in same)


@pytest.mark.parametrize(
    "card", ["---\nlicense: mit\ntags:\n- a\n---\n# Model\n\nText", "# No header\r\n", "", "---\nnot: [closed\n", None]
)
def test_a_model_card_is_kept_and_says_what_was_done(card, folder):
    write("bert", folder)
    if card is not None:
        fill(folder, {"README.md": card})
    out, _ = pruned(folder)
    text = (out / "README.md").read_bytes().decode()
    assert text.startswith(card or ("---\nlibrary_name" if card is None else "## Pruning"))
    section = text.split("## Pruning")[1]
    assert "method magnitude, sparsity 0.5" in section and "50.0000%" in section
    if text.startswith("---") and card != "---\nnot: [closed\n":
        header = yaml.safe_load(text.split("---\n")[1])
        assert header["license" if card else "tags"] in ("mit", ["pruned"])


def test_a_model_pruned_again_says_what_is_zero_and_what_was_removed(folder):
    write("llama", folder)
    first, _ = pruned(folder, Recipe(sparsity=0.7))
    again = folder.parent / "again"
    said = sparsify.save_pruned(str(first), HALF, again)
    zeros = sum(int((w == 0).sum()) for w in prunable_weights(AutoModel.from_pretrained(again)).values())
    numbers = done(again)
    assert f"{zeros:,} of {numbers['weights']:,} weights" in said and "0 of them by this call" in said
    assert (numbers["zeros"], numbers["removed"], numbers["pruned"]) == (zeros, 0, numbers["weights"] // 2)
    assert zeros > 0.69 * numbers["weights"]
    assert (again / "README.md").read_text().count("## Pruning") == 2


def test_some_zeros_before_are_not_counted_as_removed(folder):
    write("bert", folder)
    model = loading.load_model(str(folder))
    global_magnitude(prunable_weights(model), 0.2).apply(model)
    model.save_pretrained(folder)
    before = int(0.2 * sum(w.numel() for w in prunable_weights(model).values()))
    out, said = pruned(folder)
    numbers = done(out)
    assert numbers["zeros"] == numbers["pruned"] and numbers["removed"] == numbers["zeros"] - before
    assert f"{numbers['removed']:,} of them by this call" in said


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("method", ["magnitude", "random"])
def test_a_weight_that_is_no_number_is_refused(method, dimensions, value, folder):
    name = block_weight(write("bert", folder), dimensions)
    stored = tensors(folder)
    stored[name].view(-1)[0] = value
    rewrite(folder, stored)
    with pytest.raises(InputError, match=f"{name} holds NaN or infinite weights"):
        pruned(folder, Recipe(sparsity=0.5, method=method))
    with pytest.raises(InputError, match=f"{name} holds NaN or infinite weights"):
        model_statistics.print_statistics(str(folder))
    assert not (folder.parent / "out").exists()


@pytest.mark.parametrize(
    "settings", [{"temperature": 0.3, "do_sample": False, "max_length": 7}, {"num_beams": 4, "made_up": 1}, {}]
)
def test_settings_of_generation_come_along_as_they_are(settings, folder):
    write("gpt2", folder)
    (folder / "generation_config.json").write_text(json.dumps(settings))
    out, _ = pruned(folder)
    assert (out / "generation_config.json").read_text() == json.dumps(settings)
    assert isinstance(GPT2LMHeadModel.from_pretrained(out).generation_config, GenerationConfig)


def test_settings_of_generation_in_an_old_configuration_come_along(folder):
    write("gpt2", folder)
    (folder / "generation_config.json").unlink()
    configure(folder, temperature=0.3, do_sample=False, max_length=7)
    out, _ = pruned(folder)
    before, after = (GPT2LMHeadModel.from_pretrained(path).generation_config for path in (folder, out))
    assert after.max_length == before.max_length and after.temperature == before.temperature


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama tied", "mixtral", "t5", "vit", "llama reward"])
def test_the_saved_file_has_the_names_and_the_class_of_its_source(kind, folder):
    stored = tensors(write(kind, folder))
    out, said = pruned(folder)
    saved = tensors(out)
    assert saved.keys() == stored.keys() and "zero (50.0000%)" in said
    assert all(torch.equal(saved[name][saved[name] != 0], stored[name][saved[name] != 0]) for name in stored)
    configs = [json.loads((path / "config.json").read_text()) for path in (folder, out)]
    assert configs[0]["architectures"] == configs[1]["architectures"] == [done(out)["architecture"]]


def test_what_the_source_lacks_is_not_made_up(folder):
    stored = tensors(write("bert body", folder))
    rewrite(folder, {name: weight for name, weight in stored.items() if "pooler" not in name})
    out, said = pruned(folder)
    assert "not in the file, and so not saved: 2 weights (pooler.dense.weight, pooler.dense.bias)" in said
    assert not any("pooler" in name for name in tensors(out))
    assert done(out)["weights_not_in_the_file"] == ["pooler.dense.weight", "pooler.dense.bias"]


def test_what_is_not_used_is_named(folder, capsys):
    stored = tensors(write("bert", folder))
    rewrite(folder, {**stored, "bert.pooler.dense.weight": torch.ones(16, 16)})
    out, said = pruned(folder)
    assert "not used: 1 weight (bert.pooler.dense.weight)" in said
    assert done(out)["unused_weights"] == ["bert.pooler.dense.weight"]
    model_statistics.print_statistics(str(folder))
    assert "not used: 1 weight" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("kind", ["llama", "vit"])
def test_each_weight_keeps_its_precision(kind, folder):
    stored = {name: weight.to(torch.bfloat16) for name, weight in tensors(write(kind, folder)).items()}
    mixed = {name: weight.float() / 3 if "norm" in name else weight for name, weight in stored.items()}
    configure(folder, dtype="bfloat16")
    for before in (stored, mixed):
        rewrite(folder, before)
        out, _ = pruned(folder)
        after = tensors(out)
        assert {name: weight.dtype for name, weight in after.items()} == {n: w.dtype for n, w in before.items()}
        assert all(torch.equal(after[name], weight) for name, weight in before.items() if "norm" in name)
        assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
        shutil.rmtree(out)


def test_shards_stay_shards(folder):
    stored = tensors(write("llama", folder))
    names = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(stored)}
    for file in set(names.values()):
        save_file({n: stored[n] for n in stored if names[n] == file}, folder / file, {"format": "pt"})
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    out, _ = pruned(folder)
    shards = sorted(out.glob("model-*.safetensors"))
    assert len(shards) >= 2 and not (out / "model.safetensors").exists()
    assert {name for shard in shards for name in load_file(shard)} == stored.keys()
    assert loading.load_model(str(out)).num_parameters() > 0


def test_an_output_folder_inside_the_models_is_not_copied_into_itself(folder):
    write("bert", folder)
    loading.forget()
    sparsify.save_pruned(str(folder), HALF, folder / "pruned")
    assert not (folder / "pruned/pruned").exists()
    loading.forget()
    sparsify.save_pruned(str(folder), HALF, folder / "again")
    assert {path.name for path in (folder / "again").iterdir() if path.is_dir()} == set()
