"""Which weights are prunable: the matrices of the blocks of any transformer, shared ones once, nothing else."""

import pytest
import torch
import transformers
from torch import nn
from torch.nn.utils import prune as torch_prune

from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning.components import component_of
from essparse_lib.pruning.prunable import left_out, prunable_matrices, prunable_weights

SIX = ["query", "key", "value", "attention output", "intermediate", "output"]
WIDE = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 20, "pad_token_id": 0}
FORWARD = {**WIDE, "intermediate_size": 40}


def bert():
    return transformers.BertForSequenceClassification(transformers.BertConfig(**FORWARD))


def mpnet():
    return transformers.MPNetForSequenceClassification(transformers.MPNetConfig(**FORWARD))


def opt():
    config = transformers.OPTConfig(**WIDE, ffn_dim=40, word_embed_proj_dim=8)  # as opt-350m: projected embeddings
    return transformers.OPTForSequenceClassification(config)


def vit():
    shape = {k: v for k, v in FORWARD.items() if k not in ("vocab_size", "pad_token_id")}
    return transformers.ViTForImageClassification(transformers.ViTConfig(**shape, image_size=8, patch_size=4))


def llama():
    config = transformers.LlamaConfig(**FORWARD, num_key_value_heads=1, bos_token_id=1, eos_token_id=2)
    return transformers.LlamaForSequenceClassification(config)


def gpt2():
    config = transformers.GPT2Config(n_embd=16, n_layer=3, n_head=2, vocab_size=20, bos_token_id=1, eos_token_id=2)
    return transformers.GPT2LMHeadModel(config)


def layer(shared=None):
    return nn.ModuleDict({"query": shared or nn.Linear(4, 4), "fc1": nn.Linear(4, 8), "norm": nn.LayerNorm(4)})


class Blocks(nn.Module):
    def __init__(self, *blocks):
        super().__init__()
        self.embedding = nn.Embedding(4, 4)
        self.layers = nn.ModuleList(blocks)
        self.head = nn.Linear(4, 2)


@pytest.mark.parametrize("make", [bert, mpnet, opt, vit])
def test_six_matrices_a_block_with_their_roles_and_depths(make):
    model = make()
    matrices = list(prunable_matrices(model).values())
    assert [entry.depth for entry in matrices] == [0] * 6 + [1] * 6 + [2] * 6
    for depth in range(3):
        block = {entry.component: tuple(entry.weight.shape) for entry in matrices if entry.depth == depth}
        assert block == {**dict.fromkeys(SIX[:4], (16, 16)), "intermediate": (40, 16), "output": (16, 40)}
    parameters = dict(model.named_parameters())
    assert all(entry.weight is parameters[entry.name] for entry in matrices)


def test_gpt2s_transposed_matrices_are_found():
    matrices = list(prunable_matrices(gpt2()).values())
    assert [entry.depth for entry in matrices] == [0] * 4 + [1] * 4 + [2] * 4
    block = {entry.component: tuple(entry.weight.shape) for entry in matrices[:4]}
    # query, key and value are one matrix there
    assert block == {
        "query, key, value": (16, 48),
        "attention output": (16, 16),
        "intermediate": (16, 64),
        "output": (64, 16),
    }


def test_llamas_gated_blocks_have_seven_matrices():
    matrices = list(prunable_matrices(llama()).values())
    roles = [entry.component for entry in matrices if entry.depth == 1]
    assert sorted(roles) == sorted([*SIX, "intermediate"])
    assert len(matrices) == 21


def test_no_embedding_norm_bias_pooler_or_head_is_found():
    for make in (bert, mpnet, opt, vit, gpt2, llama):
        matrices = prunable_matrices(make())
        assert all(entry.weight.ndim == 2 for entry in matrices.values())
        strange = ("embed", "pooler", "classifier", "score", "lm_head", "norm", "project_", "wte", "bias")
        assert not [name for name in matrices if any(part in name.lower() for part in strange)]


def test_berts_base_size_is_the_papers():
    with torch.device("meta"):
        matrices = prunable_matrices(transformers.BertModel(transformers.BertConfig()))
    assert sum(entry.weight.numel() for entry in matrices.values()) == 84_934_656


def test_a_model_of_the_hub_is_pruned_alike_with_and_without_its_head():
    from transformers import AutoModel

    with_head = prunable_matrices(loading.classifier("tiny-bert", 2, 0))
    without = prunable_matrices(AutoModel.from_pretrained(loading.locate("tiny-bert").folder))
    assert [name.removeprefix("bert.") for name in with_head] == list(without)


def test_a_matrix_shared_by_blocks_counts_once():
    shared = nn.Linear(4, 4)
    matrices = prunable_matrices(Blocks(layer(shared), layer(shared), layer()))
    assert list(matrices) == [
        "layers.0.query.weight",
        "layers.0.fc1.weight",
        "layers.1.fc1.weight",
        "layers.2.query.weight",
        "layers.2.fc1.weight",
    ]


def test_a_block_used_several_times_counts_once():
    block = layer()
    assert list(prunable_matrices(Blocks(block, block))) == ["layers.0.query.weight", "layers.0.fc1.weight"]


def test_tied_weights_of_different_modules_count_once():
    one, two = layer(), layer()
    two["query"].weight = one["query"].weight
    assert len(prunable_matrices(Blocks(one, two))) == 3


def test_lists_within_blocks_belong_to_their_block():
    experts = nn.ModuleDict({"fc1": nn.Linear(4, 8), "experts": nn.ModuleList([layer(), layer()])})
    matrices = prunable_matrices(Blocks(layer(), experts))
    assert [entry.depth for entry in matrices.values()] == [0, 0, 1, 1, 1, 1, 1]


def test_encoder_and_decoder_are_both_found():
    config = transformers.T5Config(
        d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, vocab_size=20, decoder_start_token_id=0
    )
    matrices = prunable_matrices(transformers.T5ForConditionalGeneration(config))
    assert len(matrices) == 2 * 6 + 2 * 10
    assert {"query", "key", "value", "attention output"} <= {entry.component for entry in matrices.values()}


@pytest.mark.parametrize(
    "model", [nn.Sequential(nn.Linear(4, 4), nn.ReLU()), Blocks(nn.Linear(4, 4)), Blocks(nn.LayerNorm(4)), Blocks()]
)
def test_a_model_without_blocks_is_refused(model):
    with pytest.raises(InputError, match=f"{type(model).__name__} has no transformer blocks"):
        prunable_matrices(model)


def test_weights_are_views_without_gradient():
    model = bert()
    views = prunable_weights(model)
    assert list(views) == list(prunable_matrices(model))
    assert not any(view.requires_grad for view in views.values())
    name = next(iter(views))
    views[name][0, 0] = 77
    assert dict(model.named_parameters())[name][0, 0] == 77


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("attention.output.dense", "attention output"),
        ("output.dense", "output"),
        ("attention.attn.o", "attention output"),
        ("self_attn.out_proj", "attention output"),
        ("mlp.c_proj", "output"),
        ("attn.c_proj", "attention output"),
        ("attention.self.query", "query"),
        ("no_query", "other"),
        ("projector", "other"),
    ],
)
def test_a_role_is_read_from_the_end_of_the_name(name, role):
    assert component_of(name) == role


# --- nothing is overlooked in silence ---


class VisionBlock(nn.Module):
    """A block as timm has it."""

    def __init__(self):
        super().__init__()
        self.attn = nn.ModuleDict({"qkv": nn.Linear(8, 24), "proj": nn.Linear(8, 8)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(8, 16), "fc2": nn.Linear(16, 8)})


def test_blocks_in_a_plain_sequential_are_found():
    model = nn.ModuleDict({"patch_embed": nn.Conv2d(3, 8, 4), "blocks": nn.Sequential(VisionBlock(), VisionBlock())})
    entries = prunable_matrices(model)
    assert [entry.depth for entry in entries.values()] == [0] * 4 + [1] * 4
    assert [entry.component for entry in entries.values()][:4] == [
        "query, key, value",
        "attention output",
        "intermediate",
        "output",
    ]
    assert sum(entry.weight.numel() for entry in entries.values()) == sum(
        p.numel() for p in model["blocks"].parameters() if p.dim() == 2
    )


def test_sequentials_that_are_no_list_of_blocks_are_looked_into():
    model = nn.Sequential(nn.Embedding(4, 4), Blocks(layer(), layer()), layer())
    assert {entry.stack for entry in prunable_matrices(model).values()} == {"1.layers"}


def test_stages_have_the_blocks_that_are_counted():
    shape = {"embed_dim": 8, "depths": [2, 3], "num_heads": [1, 2], "window_size": 2}
    config = transformers.SwinConfig(image_size=16, patch_size=4, **shape)
    entries = prunable_matrices(transformers.SwinModel(config))
    assert sorted({entry.depth for entry in entries.values()}) == [0, 1, 2, 3, 4]
    assert entries["encoder.layers.0.downsample.reduction.weight"].depth == 1  # the end of the first stage


def test_encoder_and_decoder_are_counted_on():
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 20}
    entries = prunable_matrices(transformers.T5Model(transformers.T5Config(**shape))).values()
    assert {(entry.stack, entry.depth) for entry in entries} == {
        ("encoder.block", 0),
        ("encoder.block", 1),
        ("decoder.block", 2),
        ("decoder.block", 3),
    }


def test_experts_are_found_and_routers_left_alone():
    shape = {**FORWARD, "num_key_value_heads": 1, "num_local_experts": 4, "bos_token_id": 1, "eos_token_id": 2}
    model = transformers.MixtralModel(transformers.MixtralConfig(**shape))
    experts = [entry for entry in prunable_matrices(model).values() if "experts" in entry.name]
    assert {tuple(entry.weight.shape) for entry in experts} == {(4, 80, 16), (4, 16, 40)}
    assert left_out(model) == {"routers": 3 * 4 * 16}


class Strange(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 4)
        self.kernel = nn.Parameter(torch.randn(2, 6, 4))


def test_matrices_that_are_not_known_are_an_error_that_names_them_in_numbers():
    model = Blocks(Strange(), Strange(), Strange())
    message = (
        r"75\.00% of the weights of Blocks's blocks are not seen: layers\.0\.kernel, layers\.1\.kernel and 1 more"
        r".*exclude=\['layers\.\*\.kernel'\]"
    )
    with pytest.raises(InputError, match=message):
        prunable_matrices(model)
    assert list(prunable_matrices(model, exclude=["layers.*.kernel"])) == [f"layers.{k}.fc1.weight" for k in range(3)]
    assert list(prunable_matrices(model, include=["*.fc1.weight"])) == [f"layers.{k}.fc1.weight" for k in range(3)]
    with pytest.raises(InputError, match=r"layers\.0\.kernel"):
        prunable_matrices(model, include=["layers.0.*"])
    unpruned = {"matrices that the patterns leave out": 3 * 48 + 16}
    assert left_out(model, include=["*.fc1.weight"], exclude=["layers.1.*"]) == unpruned


@pytest.mark.parametrize("normalise", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_computed_weights_are_named_with_what_to_do(normalise):
    block = layer()
    normalise(block["fc1"])
    with pytest.raises(InputError, match=r"layers\.0\.fc1\.weight.*remove_parametrizations"):
        prunable_matrices(Blocks(block))


def test_quantised_weights_are_not_overlooked():
    block = layer()
    block["fc1"] = nn.Module()
    block["fc1"].register_buffer("qweight", torch.zeros(4, 4, dtype=torch.int32))
    with pytest.raises(InputError, match=r"fc1\.qweight.*before it is quantised"):
        prunable_matrices(Blocks(block))


def test_a_convolution_of_one_position_is_a_matrix_in_a_transformer_alone():
    block = nn.ModuleDict({"query": nn.Conv1d(4, 4, 1, groups=2), "conv": nn.Conv1d(4, 4, 3)})
    model = Blocks(block)
    assert list(prunable_matrices(model)) == ["layers.0.query.weight"]
    assert left_out(model) == {"convolutions": 48}
    with pytest.raises(InputError, match="no transformer blocks"):
        prunable_matrices(Blocks(nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3))))


def test_a_model_on_meta_can_be_counted_and_its_values_are_refused():
    with torch.device("meta"):
        model = bert()
    assert sum(entry.weight.numel() for entry in prunable_matrices(model).values()) > 0
    with pytest.raises(InputError, match="meta"):
        prunable_weights(model)


def test_wrapped_models_have_the_names_of_the_plain_one():
    model = bert()
    assert list(prunable_matrices(nn.DataParallel(model))) == list(prunable_matrices(model))


def test_weights_that_torch_has_pruned_are_found_as_the_model_uses_them():
    model = bert()
    name = next(iter(prunable_matrices(model)))
    module = model.get_submodule(name.removesuffix(".weight"))
    torch_prune.l1_unstructured(module, "weight", 0.5)
    assert next(iter(prunable_matrices(model))) == name
    assert torch.equal(prunable_weights(model)[name], module.weight_orig * module.weight_mask)


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.fc1, self.fc2 = nn.Linear(4, 4), nn.Linear(4, 8), nn.Linear(8, 4)


class AttendsToo(Attends):
    pass


class SendsToExperts(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj = nn.Linear(4, 4)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 4)) for _ in range(2))


@pytest.mark.parametrize(
    "parts",
    [
        {"first": Attends(), "rest": nn.ModuleList([Attends(), Attends()])},
        {"rest": nn.ModuleList([Attends()]), "last": AttendsToo()},
        {"encoder": nn.ModuleList([Attends()]), "decoder": nn.ModuleDict({"a": Attends(), "b": Attends()})},
        {"encoder": nn.ModuleList([Attends()]), "decoder": nn.Sequential(Attends(), AttendsToo())},
        {"blocks": nn.ModuleDict({"a": SendsToExperts(), "b": SendsToExperts()})},
        {"all": nn.ModuleDict({"embedding": nn.Embedding(4, 4), "h": nn.ModuleList([Attends(), Attends()])})},
    ],
    ids=["one before the list", "one after it", "dictionary", "classes of one kind", "experts", "named parts"],
)
def test_blocks_outside_of_a_list_are_found_in_the_models_order(parts):
    model = nn.Module()
    for name, part in parts.items():
        model.add_module(name, part)
    entries = prunable_matrices(model)
    wanted = [name for name, weight in model.named_parameters() if weight.dim() > 1 and "embedding" not in name]
    assert sorted(entries) == sorted(wanted)
    blocks = {name.rpartition(".q_proj")[0]: entry.depth for name, entry in entries.items() if "q_proj" in name}
    in_order = [name for name, module in model.named_modules() if name in blocks]
    assert [blocks[name] for name in in_order] == list(range(len(blocks)))
    assert {entry.stack for name, entry in entries.items() if ".h." in name} <= {"all.h"}


def test_experts_of_blocks_that_are_in_no_list_are_no_blocks():
    model = nn.Module()
    model.one, model.two = SendsToExperts(), SendsToExperts()
    with pytest.raises(InputError, match="no transformer blocks"):
        prunable_matrices(model)


@pytest.mark.parametrize("model", ["bert-base", None, {}])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(InputError, match="load_model"):
        prunable_matrices(model)
