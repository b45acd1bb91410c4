"""Folders of models that are damaged or meant to harm: each is refused in one line, by file and cause."""

import json
import os
import resource
import struct
import time

import pytest
import torch
from safetensors.torch import save_file
from tiny_checkpoints import configure, rewrite, tensors, write
from transformers import CONFIG_MAPPING

from essparse_lib.errors import InputError
from essparse_lib.model_statistics import print_statistics
from essparse_lib.models import calibration_data, loading, weight_files
from essparse_lib.models.configuration import check_configuration, read_settings
from essparse_lib.sources.tiny_models import make_tokenizer
from essparse_lib.sparsify import Recipe, save_pruned

pytestmark = pytest.mark.usefixtures("fresh_models")

MIB = 2**20


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


def refused(folder):
    """Return the line with which a folder is refused, soon and without much memory."""
    loading.forget()
    memory, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(InputError) as caught:
        loading.load_model(str(folder))
    assert time.perf_counter() - started < 10
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024 < 500 * MIB
    assert "\n" not in str(caught.value)
    return str(caught.value)


COUNTS = {
    ("bert", "num_hidden_layers"): 10**6,
    ("bert", "num_labels"): 10**6,
    ("llama", "num_attention_heads"): 10**9,
    ("vit", "num_channels"): -(2**40),
    ("bert", "layer_norm_eps"): float("nan"),
    ("gpt2", "n_head"): -1,
    ("vit", "depths"): [60_000, 60_000],
    ("bert", "vocab_size"): 10**30,
}


@pytest.mark.parametrize(("place", "value"), COUNTS.items(), ids=lambda value: str(value)[:40])
def test_a_number_that_no_model_has_is_named_before_anything_is_built(place, value, folder):
    kind, key = place
    configure(write(kind, folder), **{key: value})
    assert f"config.json has {key} " in refused(folder)


@pytest.mark.slow
def test_the_settings_of_transformers_own_architectures_are_possible(tmp_path):
    refusals = {}
    for name, kind in CONFIG_MAPPING.items():
        try:
            settings = kind().to_json_string(use_diff=False)
        except Exception:  # some cannot be made without arguments, or without a library
            continue
        (tmp_path / "config.json").write_text(settings)
        try:
            check_configuration(tmp_path)
        except InputError as error:
            refusals[name] = str(error)
    assert not refusals


def test_a_window_may_have_no_end(tmp_path):
    (tmp_path / "config.json").write_text('{"attn_config": {"sliding_window_size": -1}}')
    assert check_configuration(tmp_path)


LARGE = {
    ("bert", "num_hidden_layers"): 60_000,
    ("bert", "vocab_size"): 10**12,
    ("vit", "image_size"): 10**9,
    ("llama", "hidden_size"): 10**8,
    ("gpt2", "n_positions"): 10**12,
    ("gpt2", "n_layer"): 60_000,
    ("mixtral", "num_local_experts"): 50_000,
}


@pytest.mark.parametrize(("place", "value"), LARGE.items(), ids=str)
def test_far_more_weights_or_layers_than_the_file_has_are_not_built(place, value, folder):
    kind, key = place
    configure(write(kind, folder), **{key: value})
    assert "config.json describes far more" in refused(folder)


def test_buffers_without_end_are_not_made(folder):
    write("bert", folder)
    shape = dict(n_embd=16, n_layer=1, n_head=2, rotary_dim=8, vocab_size=40, n_positions=10**8)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "gptj", "architectures": ["GPTJForCausalLM"], **shape})
    )
    assert "config.json describes inputs far longer than any model's" in refused(folder)


@pytest.mark.parametrize(("key", "value"), [("num_attention_heads", 0), ("hidden_size", 0), ("num_hidden_layers", 0)])
@pytest.mark.parametrize("kind", ["bert", "llama", "vit"])
def test_a_model_that_cannot_be_built_is_refused(kind, key, value, folder):
    configure(write(kind, folder), **{key: value})
    assert "cannot be read" in refused(folder)
    assert "cannot be read" in refused(folder)  # nothing of the first try stays behind


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("key", ["d_ff", "d_kv", "num_heads"])
def test_what_a_library_warns_of_is_not_said_beside_the_cause(key, folder):
    configure(write("t5", folder), **{key: 0})
    assert "cannot be read" in refused(folder)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"[]", "no object"),
        (b"\xef\xbb\xbf{}", "not in plain UTF-8"),
        ("{}".encode("utf-16"), "not in plain UTF-8"),
        (b'{"x": "\xe9"}', "cannot be read"),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "recursion"),
        (b'{"x": ' + b"[" * 60 + b"]" * 60 + b"}", "nested more than 50 deep"),
        (b'{"x": ' + b"9" * 10_000 + b"}", "digits"),
        (b'{"architectures": 40, "model_type": "bert"}', "has architectures 40"),
        (b'{"architectures": [{}], "model_type": "bert"}', r"has architectures [{}]"),
        (b'{"model_type": ["bert"]}', "cannot be read"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_configuration_is_refused(data, reason, folder):
    (write("bert", folder) / "config.json").write_bytes(data)
    message = refused(folder)
    assert reason in message and "config.json" in message


def test_a_huge_file_of_settings_is_not_read(folder):
    os.truncate(write("bert", folder) / "config.json", 2**30)
    assert "config.json is larger than 32 MB" in refused(folder)
    with pytest.raises(InputError, match="larger than 1 MB"):
        read_settings(folder / "config.json", MIB)


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "experts_implementation"])
def test_code_of_the_hub_is_refused_by_name(key, folder):
    configure(write("llama", folder), **{key: "someone/kernel"})
    assert f"config.json needs code ({key} 'someone/kernel')" in refused(folder)


def test_other_files_of_weights_are_refused_by_name(folder):
    configure(write("llama", folder), transformers_weights="other.safetensors")
    assert "transformers_weights" in refused(folder)


def test_a_configuration_asks_no_server(folder, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("a server was asked"))
    write("vit", folder)
    backbone = {"backbone": "someone/model", "use_timm_backbone": False, "use_pretrained_backbone": True}
    (folder / "config.json").write_text(json.dumps({"model_type": "detr", **backbone}))
    assert "config.json cannot be read" in refused(folder)
    assert constants.HF_HUB_OFFLINE is False


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "generation_config.json", "notes"])
def test_a_pipe_or_a_device_is_not_opened(name, folder):
    path = write("bert", folder) / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert f"{name} is a pipe, a socket or a device" in refused(folder)
    path.unlink()
    path.symlink_to("/dev/zero")
    assert f"{name} is a pipe, a socket or a device" in refused(folder)


@pytest.mark.parametrize(("name", "reason"), [("config.json", "no config.json"), ("model.safetensors", "no weights")])
def test_a_link_to_itself_is_absent(name, reason, folder):
    path = write("bert", folder) / name
    path.unlink()
    path.symlink_to(name)
    assert reason in refused(folder)


def header(document, data=b"", length=None):
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


ONE = '"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
HEADERS = {
    "empty": b"",
    "cut off": b"\x10\0\0",
    "length": header({}, length=2**62),
    "list": header(b"[]"),
    "no JSON": header(b"{{{"),
    "nested": header(b'{"a":' * 100_000),
    "type": header({"a": {"dtype": "X", "shape": [1], "data_offsets": [0, 4]}}, b"abcd"),
    "shape": header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"abcd"),
    "negative": header({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"abcd"),
    "overflow": header({"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 4]}}, b"abcd"),
    "beyond": header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"abcd"),
    "overlap": header({n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "ab"}, b"abcd"),
    "twice": header(f"{{{ONE}, {ONE}}}".encode(), b"abcd"),
}


@pytest.mark.parametrize("data", HEADERS.values(), ids=HEADERS)
def test_damaged_weights_are_named(data, folder):
    (write("bert", folder) / "model.safetensors").write_bytes(data)
    assert f"{folder}/model.safetensors " in refused(folder)


def test_names_without_end_are_not_read(folder, monkeypatch):
    path = write("bert", folder) / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**39))
    os.truncate(path, 2**40)  # takes no room on the disk
    assert "begins with 524,288 MB of names and shapes" in refused(folder)
    write("bert", folder)
    monkeypatch.setattr(weight_files, "_MOST_TENSORS", 10)
    assert "holds more than 10 tensors" in refused(folder)


INDICES = {
    "above": {"a": "../model.safetensors"},
    "absolute": {"a": "/model.safetensors"},
    "number": {"a": 3},
    "pickled": {"a": "pytorch_model.bin"},
    "list": ["a"],
    "itself": {"a": "model.safetensors.index.json"},
}


@pytest.mark.parametrize("listed", INDICES.values(), ids=INDICES)
def test_an_index_that_leads_elsewhere_is_refused(listed, folder):
    path = write("bert", folder) / "model.safetensors"
    path.rename(folder.parent / "model.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    assert "model.safetensors.index.json" in refused(folder)


def test_a_tensor_in_two_files_is_refused(folder):
    stored = tensors(write("bert", folder))
    (folder / "model.safetensors").unlink()
    for file in "ab":
        save_file(stored, folder / f"{file}.safetensors", {"format": "pt"})
    listed = dict(zip(stored, ["a.safetensors", "b.safetensors"] * len(stored), strict=False))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    assert "as another file does" in refused(folder)


@pytest.mark.parametrize("ending", ["qweight", "absmax", "weight_scale_inv", "weight_packed"])
def test_quantised_weights_are_known_by_their_names(ending, folder):
    stored = tensors(write("llama", folder))
    rewrite(folder, {**stored, f"model.layers.0.mlp.up_proj.{ending}": torch.ones(4, 4, dtype=torch.int32)})
    assert "the model is quantised" in refused(folder)


@pytest.mark.parametrize("name", ["quantize_config.json", "quant_config.json"])
def test_quantised_models_are_known_by_their_files(name, folder):
    (write("llama", folder) / name).write_text("{}")
    assert "holds a quantised model" in refused(folder)


def test_a_part_that_is_quantised_makes_the_model_so(folder):
    configure(write("llama", folder), text_config={"quantization_config": {"quant_method": "awq"}})
    assert "holds a quantised model (awq)" in refused(folder)


@pytest.mark.parametrize("name", ["weights.gguf", "tf_model.h5", "flax_model.msgpack", "weights.safetensors"])
def test_weights_of_other_formats_are_named(name, folder):
    (write("bert", folder) / "model.safetensors").rename(folder / name)
    assert f"holds weights of a format that is not read ({name}" in refused(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "vocab.json"])
@pytest.mark.parametrize("text", ["[]", "{", '{"x": ' * 10_000 + "1" + "}" * 10_000, '{"model": {"vocab": 3}}'])
def test_a_tokenizer_of_nonsense_is_refused(name, text, folder):
    (write("bert", folder) / name).write_text(text)
    with pytest.raises(InputError, match="has no tokenizer that can be read") as caught:
        loading.tokenizer_of(str(folder))
    assert "\n" not in str(caught.value)


def test_statistics_of_weights_that_are_no_numbers_are_refused(folder):
    rewrite(write("bert", folder), {name: weight * float("nan") for name, weight in tensors(folder).items()})
    with pytest.raises(InputError, match="holds NaN or infinite weights"):
        print_statistics(str(folder))


GROWING = {
    "forty that double": {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}] * 40,
        }
    },
    "a long one for each sign": {
        "normalizer": {"type": "Replace", "pattern": {"Regex": "."}, "content": "x" * 100_000}
    },
    "a long beginning": {"normalizer": {"type": "Prepend", "prepend": "x" * 10_000_000}},
    "the text 2,000 times": {
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 2000,
            "pair": [],
            "special_tokens": {},
        }
    },
}


def with_tokenizer(folder, **parts):
    make_tokenizer("<s> $A </s> $B:1 </s>:1").save_pretrained(write("bert", folder))
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))
    return str(folder)


@pytest.mark.parametrize("parts", GROWING.values(), ids=GROWING)
def test_a_tokenizer_that_makes_far_more_of_a_text_is_not_run(parts, folder):
    with pytest.raises(InputError, match=r"tokenizer.json makes much more of a text than it has"):
        loading.tokenizer_of(with_tokenizer(folder, **parts))


def test_a_tokenizer_that_replaces_signs_is_read(folder):
    normalizers = [{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}, {"type": "NFKC"}]
    parts = {"normalizer": {"type": "Sequence", "normalizers": normalizers * 5}}
    assert loading.tokenizer_of(with_tokenizer(folder, **parts))("a film")["input_ids"]


def test_a_tokenizer_whose_pattern_takes_for_ever_is_refused(folder, tmp_path):
    split = {"type": "Split", "pattern": {"Regex": r"(a|a|[a-z ]|[a-z  ])*\d"}, "behavior": "Isolated", "invert": False}
    name = with_tokenizer(folder, pre_tokenizer=split)
    (tmp_path / "text.txt").write_text("a good film and a bad day " * 200)
    model = loading.load_model(name)
    with pytest.raises(InputError, match=r"tokenizer of model .* cannot be read \(Onig: Regex search error"):
        calibration_data.text_windows(model, name, tmp_path / "text.txt", 2, 16)


def test_a_model_that_gives_out_its_attention_is_saved_so(folder, tmp_path):
    configure(write("bert", folder), output_attentions=True)
    save_pruned(str(folder), Recipe(sparsity=0.5), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["output_attentions"] is True
