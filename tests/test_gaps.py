"""A model is that of its files, all of it, or it is refused: damaged, wrapped, foreign and mislabelled checkpoints."""

import json
import re
import shlex
import subprocess
import sys
import warnings

import pytest
import torch
import transformers
from safetensors.torch import save_file
from tiny_checkpoints import KINDS, block_weight, configure, rewrite, tensors, write

from essparse_lib.errors import InputError
from essparse_lib.models import loading, reading
from essparse_lib.models.model_files import ModelFiles
from essparse_lib.models.weight_files import wrapping

pytestmark = pytest.mark.usefixtures("fresh_models")

#: One of each way to keep weights: with a body, without, fused, transposed, experts apart in the file, two stacks.
DIVERSE = ("bert", "bert body", "gpt2", "llama", "mixtral", "t5", "vit")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


def load(folder):
    """Load anew, whatever was there under this name before; what is said is an error."""
    loading.forget()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return loading.load_model(str(folder))


def refused(folder):
    """Return the line with which a model is refused."""
    loading.forget()
    with pytest.raises(InputError) as caught:
        loading.load_model(str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused_with_head(folder, head="sequence-classification"):
    loading.forget()
    with pytest.raises(InputError) as caught:
        loading.load_with_head(str(folder), head, 2, seed=0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def notes(folder):
    loading.forget()
    return "; ".join(loading.load_and_report(str(folder)).notes)


def in_model(name):
    """Return what the name that a weight of a file has in the model begins with: in ViT that is another name."""
    return "vit.layers.1." if name.startswith("vit.") else name


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_model_is_its_file_and_nothing_is_said(kind, folder):
    stored = tensors(write(kind, folder))
    model = load(folder)
    ours = type(model).from_pretrained(folder).state_dict()
    assert all(torch.equal(weight, ours[name]) for name, weight in model.state_dict().items())
    same = [name for name in stored if name in model.state_dict()]
    assert all(torch.equal(stored[name], model.state_dict()[name]) for name in same)
    in_file, in_memory = (
        sum(float(w.detach().double().square().sum()) for w in ws) for ws in (stored.values(), model.parameters())
    )
    assert same and in_memory == pytest.approx(in_file, rel=1e-9)  # also under other names


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("kind", DIVERSE)
def test_a_block_weight_that_is_not_in_the_file_is_named(kind, dimensions, folder):
    name = block_weight(write(kind, folder), dimensions)
    rewrite(folder, {key: value for key, value in tensors(folder).items() if key != name})
    message = refused(folder)
    joined = "experts" in name  # the model has the experts in one parameter, so that the name is another
    assert "in the file" in message
    assert "experts" in message if joined else f"1 weight ({in_model(name)}" in message


@pytest.mark.parametrize("kind", DIVERSE)
def test_a_block_weight_of_another_shape_is_named_with_both(kind, folder):
    name = block_weight(write(kind, folder), 2)
    stored = tensors(folder)
    rewrite(folder, {**stored, name: stored[name][:-1]})
    message = refused(folder)
    joined = "experts" in name
    assert "shape" in message and ("experts" in message if joined else in_model(name) in message)


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize(("kind", "head"), [("bert", "sequence-classification"), ("vit", "image-classification")])
def test_a_new_head_does_not_hide_what_the_blocks_lack(kind, head, dimensions, folder):
    name = block_weight(write(kind, folder), dimensions)
    rewrite(folder, {key: value for key, value in tensors(folder).items() if key != name})
    assert f"not in the file, and so random: 1 weight ({in_model(name)}" in refused_with_head(folder, head)


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("kind", DIVERSE)
def test_a_file_with_one_tensor_or_none_is_refused(kind, left, folder):
    name = block_weight(write(kind, folder), 2)
    rewrite(folder, {name: tensors(folder)[name]} if left else {})
    assert "in the file" in refused(folder)


@pytest.mark.parametrize(("kind", "other"), [("bert", "llama"), ("llama", "gpt2"), ("t5", "bart"), ("vit", "bert")])
def test_weights_of_another_architecture_are_refused(kind, other, folder, tmp_path):
    rewrite(write(kind, folder), tensors(write(other, tmp_path / "other")))
    message = refused(folder)
    assert "not in the file, and so random" in message and "fetch both anew" in message
    if kind != "vit":
        assert "not in the file, and so random" in refused_with_head(folder)


@pytest.mark.parametrize(
    ("kind", "setting"), [("bert", "num_hidden_layers"), ("gpt2", "n_layer"), ("t5", "num_layers")]
)
def test_another_number_of_blocks_than_in_the_file_is_refused(kind, setting, folder):
    configure(write(kind, folder), **{setting: 1})
    assert "in the file's blocks, but with no place in the model" in refused(folder)
    configure(folder, **{setting: 3})
    assert "not in the file, and so random" in refused(folder)


@pytest.mark.parametrize(("kind", "name"), [("bert", "word_embeddings"), ("gpt2", "wpe"), ("llama", "embed_tokens")])
def test_embeddings_that_are_not_in_the_file_are_refused(kind, name, folder):
    stored = tensors(write(kind, folder))
    rewrite(folder, {key: value for key, value in stored.items() if name not in key})
    assert f"{name}.weight" in refused(folder)
    assert f"{name}.weight" in refused_with_head(folder)


# ── wrappers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

PREFIXES = ("module.", "_orig_mod.", "module._orig_mod.", "base_model.model.", "student.", "net.backbone.")


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [
        *(("llama", prefix) for prefix in PREFIXES),
        ("bert", "module."),
        ("gpt2", "net."),
        ("t5", "m."),
        ("vit", "module."),
    ],
)
def test_a_wrappers_prefix_is_named_and_the_program_takes_it_out(kind, prefix, folder):
    stored = tensors(write(kind, folder))
    rewrite(folder, {prefix + name: weight for name, weight in stored.items()})
    message = refused(folder)
    assert repr(prefix) in message
    if prefix == "module._orig_mod.":  # one run of a program takes seconds
        program = shlex.split(re.search(r"python -c \".*\"", message).group())
        subprocess.run([sys.executable, *program[1:]], cwd=folder, check=True, timeout=120)
        assert all(torch.equal(stored[name], weight) for name, weight in load(folder).state_dict().items())


@pytest.mark.parametrize("part", ["_orig_mod", "module", "base_layer", "_fsdp_wrapped_module"])
def test_what_a_wrapper_put_in_the_middle_of_names_is_named(part, folder):
    stored = tensors(write("bert", folder))
    rewrite(folder, {name.replace(".layer.", f".layer.{part}."): weight for name, weight in stored.items()})
    assert f"'.{part}'" in refused(folder)


def test_a_peft_model_with_its_adapter_is_to_be_merged(folder):
    stored = tensors(write("bert", folder))
    changed = {f"base_model.model.{name}": weight for name, weight in stored.items()}
    changed["base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.default.weight"] = torch.ones(2, 16)
    rewrite(folder, changed)
    assert "merge_and_unload()" in refused(folder)


def test_names_that_fit_are_not_taken_for_wrapped():
    names = ["bert.a.weight", "bert.b.weight"]
    assert wrapping(names, names, "bert") == ()
    assert wrapping(["x.y", "z"], names, "bert") == ()


def test_a_doubled_prefix_is_read_or_named(folder):
    for kind in ("llama", "bart"):  # transformers itself reads some
        stored = tensors(write(kind, folder))
        rewrite(folder, {f"model.{name}": weight for name, weight in stored.items()})
        loading.forget()
        try:
            read = loading.load_model(str(folder)).state_dict()
        except InputError as error:
            assert "'model.'" in str(error)
        else:
            assert all(torch.equal(stored[name], read[name]) for name in stored)


# ── heads ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        *((kind, None) for kind in KINDS),
        ("bert", ["NoSuchForRewardModel"]),
        ("llama", ["OPTForCausalLM"]),
        ("vit", ["os", "not a name"]),
    ],
)
def test_the_class_is_found_from_the_weights_where_none_is_named(kind, named, folder):
    stored = tensors(write(kind, folder))
    before = json.loads((folder / "config.json").read_text())["architectures"][0]
    configure(folder, architectures=named)
    assert f"read as {before} (config.json names" in notes(folder)
    loading.load_and_report(str(folder)).model.save_pretrained(folder / "again")
    again = tensors(folder / "again")
    assert again.keys() == stored.keys() and all(torch.equal(stored[name], again[name]) for name in stored)


def test_one_class_may_be_named_without_a_list(folder):
    configure(write("llama", folder), architectures="LlamaForCausalLM")
    assert type(load(folder)).__name__ == "LlamaForCausalLM" and not notes(folder)


def test_of_two_classes_that_use_all_the_second_is_not_looked_at(folder):
    configure(write("llama", folder), architectures=["LlamaForCausalLM", "LlamaForSequenceClassification"])
    assert type(load(folder)).__name__ == "LlamaForCausalLM"


def test_of_two_classes_the_one_that_uses_all_is_taken(folder):
    configure(write("bert pretraining", folder), architectures=["BertForMaskedLM", "BertForPreTraining"])
    assert notes(folder) == "read as BertForPreTraining (config.json names BertForMaskedLM and BertForPreTraining)"


def test_a_head_beside_that_of_the_named_class_is_kept_by_another_class(folder):  # as in bert-base-uncased
    configure(write("bert pretraining", folder), architectures=["BertForMaskedLM"])
    assert notes(folder) == "read as BertForPreTraining (config.json names BertForMaskedLM)"


@pytest.mark.parametrize("named", [None, ["BertForMaskedLM"], ["BertForRewardModel"]])
def test_a_head_that_no_class_has_is_refused(named, folder):
    stored = tensors(write("bert", folder))
    rewrite(folder, {**stored, "value_head.weight": torch.ones(1, 16)})
    configure(folder, architectures=named)
    message = refused(folder)
    assert "value_head.weight" in message and "with no place in a BertForMaskedLM" in message


def test_a_head_that_is_not_in_the_file_is_not_made_up(folder):
    stored = tensors(write("bert", folder))
    rewrite(folder, {name: weight for name, weight in stored.items() if name.startswith("bert.")})
    assert "read as BertModel (config.json names BertForMaskedLM)" in notes(folder)
    rewrite(folder, {name: weight for name, weight in stored.items() if "transform.dense.weight" not in name})
    assert "cls.predictions.transform.dense.weight" in refused(folder)


def test_a_tied_head_need_not_be_in_the_file_and_another_is_kept(folder):
    stored = tensors(write("llama tied", folder))
    assert "lm_head.weight" not in stored
    model = load(folder)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    rewrite(folder, {**stored, "lm_head.weight": 2 * stored["model.embed_tokens.weight"]})
    assert "the head is tied to the embeddings, but the file has another: both are kept" in notes(folder)
    both = loading.load_and_report(str(folder)).model
    assert torch.equal(both.lm_head.weight, 2 * both.model.embed_tokens.weight)


def test_a_pooler_is_said_whether_it_is_lacking_or_left_over(folder):
    stored = tensors(write("bert body", folder))
    rewrite(folder, {name: weight for name, weight in stored.items() if "pooler" not in name})
    assert notes(folder) == "not in the file, and so not saved: 2 weights (pooler.dense.weight, pooler.dense.bias)"
    stored = tensors(write("bert", folder))
    rewrite(folder, {**stored, "bert.pooler.dense.weight": torch.ones(16, 16)})
    with pytest.warns(UserWarning, match=r"not used: 1 weight \(bert\.pooler\.dense\.weight\)"):
        loading.forget()
        loading.load_model(str(folder))


def test_what_is_no_weight_is_passed_over(folder):
    extra = {"bert.embeddings.position_ids": torch.arange(8)[None], "bert.encoder.layer.0.step": torch.tensor(3)}
    rewrite(write("bert", folder), {**tensors(folder), **extra})
    assert notes(folder) == ""
    write("gpt2", folder)
    masks = {f"transformer.h.{i}.attn.bias": torch.ones(1, 1, 8, 8).tril() for i in range(2)}
    rewrite(folder, {**tensors(folder), **masks, "transformer.h.0.attn.masked_bias": torch.tensor(-1e4)})
    assert notes(folder) == ""


def test_a_block_that_transformers_leaves_out_by_design_is_said(folder):
    shape = dict(vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    config = transformers.DeepseekV3Config(
        **shape, moe_intermediate_size=8, n_routed_experts=4, n_group=1, topk_group=1, num_experts_per_tok=2,
        first_k_dense_replace=1, q_lora_rank=8, kv_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=8,
    )  # fmt: skip
    transformers.DeepseekV3ForCausalLM(config).save_pretrained(folder)
    rewrite(folder, {**tensors(folder), "model.layers.61.eh_proj.weight": torch.ones(16, 32)})
    assert "not used: 1 weight (model.layers.61.eh_proj.weight)" in notes(folder)


# ── other folders ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_adapter_is_refused_with_or_without_a_model_beside_it(folder):
    (write("bert", folder) / "adapter_config.json").write_text("{}")
    assert "PEFT adapter (adapter_config.json)" in refused(folder)
    (folder / "config.json").unlink()
    assert "merge_and_unload()" in refused(folder)


@pytest.mark.parametrize("lacking", [None, "blk.1.ffn_up.weight", "token_embd.weight"])
def test_a_gguf_file_is_compared_with_its_model_too(lacking, folder):
    gguf = pytest.importorskip("gguf")
    shape = dict(vocab_size=40, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    parts = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    parts |= {f"self_attn.{part}_proj": f"attn_{part.replace('o', 'output')}" for part in "qkvo"}
    parts |= {f"mlp.{part}_proj": f"ffn_{part}" for part in ("gate", "up", "down")}
    names |= {f"model.layers.{i}.{ours}": f"blk.{i}.{theirs}" for i in range(2) for ours, theirs in parts.items()}
    folder.mkdir()
    writer = gguf.GGUFWriter(folder / "weights.gguf", "llama")
    sizes = {
        "block_count": 2,
        "context_length": 64,
        "embedding_length": 64,
        "feed_forward_length": 64,
        "vocab_size": 40,
    }
    heads = {"head_count": 2, "head_count_kv": 2, "layer_norm_rms_eps": 1e-6}
    for setting, value in {**sizes, **heads}.items():
        getattr(writer, f"add_{setting}")(value)
    for ours, theirs in names.items():
        if f"{theirs}.weight" != lacking:
            writer.add_tensor(f"{theirs}.weight", model.get_parameter(f"{ours}.weight").detach().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    files = ModelFiles(folder=folder, origin="", weights="", gguf="weights.gguf")
    if lacking is None:
        read = reading.read(files)
        assert torch.equal(read.model.lm_head.weight, model.lm_head.weight) and not read.notes
    else:
        ours = next(name for name, theirs in names.items() if f"{theirs}.weight" == lacking)
        with pytest.raises(InputError, match=f"not in the file, and so random: 1 weight .{ours}.weight"):
            reading.read(files)


PICKLED = ("pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "model.pt", "consolidated.00.pth", "last.ckpt")


@pytest.mark.parametrize("name", PICKLED)
def test_pickled_weights_are_refused_by_name_with_a_command_that_converts_them(name, folder, monkeypatch):
    stored = tensors(write("bert", folder))
    (folder / "model.safetensors").unlink()
    torch.save(stored, folder / name)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a pickled file was opened"))
    message = refused(folder)
    assert f"holds pickled weights ({name}), which are not opened, as a pickle can run code" in message
    assert "t.BertForMaskedLM.from_pretrained('model').save_pretrained('converted')" in message
    assert "pickled weights" in refused_with_head(folder)


def test_the_command_that_converts_pickled_weights_works(folder):
    stored = tensors(write("bert", folder))
    (folder / "model.safetensors").unlink()
    torch.save(stored, folder / "pytorch_model.bin")
    command = shlex.split(refused(folder).rpartition(", python -c")[2])
    subprocess.run([sys.executable, "-c", *command], cwd=folder.parent, check=True, capture_output=True, timeout=120)
    converted = load(folder.parent / "converted").state_dict()
    assert all(torch.equal(converted[name], weight) for name, weight in stored.items())


def test_a_model_whose_only_pickled_file_is_of_its_training_holds_no_weights(folder):
    write("bert", folder)
    (folder / "model.safetensors").rename(folder / "training_args.bin")
    assert "holds no weights (model.safetensors)" in refused(folder)


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "awq", "fp8", "compressed-tensors", None])
def test_a_quantised_model_is_refused(method, folder):
    configure(write("llama", folder), quantization_config={"quant_method": method, "bits": 4})
    assert "holds a quantised model" in refused(folder)
    assert "holds a quantised model" in refused_with_head(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_quantised_weights_that_the_configuration_does_not_mention_are_refused(dtype, folder):
    name = block_weight(write("llama", folder), 2)
    stored = tensors(folder)
    rewrite(folder, {**stored, name: (4 * stored[name]).to(dtype)})
    assert f"{name} is stored as" in refused(folder)


def test_code_that_came_with_a_model_is_not_run(folder):
    code = {"AutoConfig": "code.MyConfig", "AutoModel": "code.MyModel"}
    (write("llama", folder) / "code.py").write_text("raise SystemExit('was run')")
    configure(folder, auto_map=code)
    assert "auto_map) was not run: read with transformers' own LlamaForCausalLM" in notes(folder)
    configure(folder, model_type="my_model")
    assert "needs code that came with the model (auto_map), which is never run here" in refused(folder)


def test_parts_of_a_distributed_checkpoint_are_refused(folder):
    (write("llama", folder) / ".metadata").write_bytes(b"\x80\x02pickle")
    assert "save_pretrained()" in refused(folder)


def sharded(folder, kind="llama"):
    """Write a checkpoint in two files and return the path of its index."""
    stored = tensors(write(kind, folder))
    names = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(stored)}
    for file in set(names.values()):
        save_file({n: stored[n] for n in stored if names[n] == file}, folder / file, {"format": "pt"})
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": names}))
    return index


def test_a_shard_that_is_gone_is_named_and_one_that_the_index_forgets_is_missed(folder):
    index = sharded(folder)
    load(folder)
    whole = json.loads(index.read_text())
    first = {name: file for name, file in whole["weight_map"].items() if "00001" in file}
    index.write_text(json.dumps({**whole, "weight_map": first}))
    assert "not in the file, and so random" in refused(folder)
    index.write_text(json.dumps(whole))
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "lacks model-00002-of-00002.safetensors" in refused(folder)
    assert "lacks model-00002-of-00002.safetensors" in refused_with_head(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"weight_map": []}', '{"weight_map": {}}'])
def test_an_index_that_is_none_is_refused(text, folder):
    sharded(folder).write_text(text)
    assert "model.safetensors.index.json" in refused(folder)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"x" * 100, lambda data: b""])
def test_a_damaged_file_is_refused(damage, folder):
    path = write("bert", folder) / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    assert "model.safetensors cannot be read" in refused(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model_type": "bert", "hidden_size": "many"}', "{}"])
def test_a_damaged_configuration_is_refused(text, folder):
    (write("bert", folder) / "config.json").write_text(text)
    assert "config.json" in refused(folder)


@pytest.mark.parametrize("said", [None, "float16", "float32"])
def test_weights_are_read_in_the_precision_of_the_file_whatever_the_configuration_says(said, folder):
    write("llama", folder)
    stored = {name: weight.to(torch.bfloat16) for name, weight in tensors(folder).items()}
    rewrite(folder, stored)
    configure(folder, dtype=said)
    assert {weight.dtype for weight in load(folder).parameters()} == {torch.bfloat16}
    norms = {name: weight.float() / 3 for name, weight in stored.items() if "norm" in name}
    rewrite(folder, {**stored, **norms})
    model = load(folder)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert all(torch.equal(weight, model.state_dict()[name]) for name, weight in norms.items())
