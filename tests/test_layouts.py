"""How matrices lie in parameters: any shape is seen as rows of inputs and stored back; fused parts are told apart."""

import pytest
import torch
import transformers as T
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from essparse_lib.pruning.blocks import plain_products
from essparse_lib.pruning.layouts import PLAIN, TRANSPOSED, Layout, layout_of
from essparse_lib.pruning.prunable import prunable_matrices

SMALL = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4, "pad_token_id": 0}
WIDE = {**SMALL, "intermediate_size": 24}
ENDS = {"bos_token_id": 1, "eos_token_id": 2}
TOKENS = torch.arange(3, 21).view(2, 9)

LAYOUTS = {
    "linear": (PLAIN, (6, 4)),
    "turned": (TRANSPOSED, (6, 4)),
    "experts": (Layout(inputs=(2,), stacked=3), (3, 5, 4)),
    "experts, turned": (Layout(inputs=(1,), stacked=3), (3, 5, 4)),
    "experts below one another": (Layout(inputs=(1,), stacked=3, shape=(3, 5, 4)), (15, 4)),
    "XLNet's query": (Layout(inputs=(0,)), (5, 2, 3)),
    "XLNet's output": (Layout(inputs=(1, 2)), (5, 2, 3)),
    "groups of a convolution": (Layout(inputs=(2,), stacked=2, shape=(2, 3, 4)), (6, 4, 1)),
}


@pytest.mark.parametrize(("layout", "shape"), LAYOUTS.values(), ids=LAYOUTS)
def test_rows_are_stored_back_where_they_came_from(layout, shape):
    tensor = torch.arange(torch.Size(shape).numel()).view(shape)
    rows = layout.rows(tensor)
    assert rows.numel() == tensor.numel() and rows.dim() == 2
    stored = layout.stored(rows, tensor.shape)
    assert torch.equal(stored, tensor) and stored.is_contiguous()
    parts = layout.matrices(len(rows))
    assert len(parts) == layout.stacked
    assert torch.equal(torch.cat([rows[part.rows] for part in parts]), rows)


@pytest.mark.parametrize(("layout", "shape"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_row_is_known_by_the_place_of_its_first_weight(layout, shape):
    tensor = torch.arange(torch.Size(shape).numel()).view(shape)
    for number, row in enumerate(layout.rows(tensor)):
        assert layout.first_row(int(row[0]), tensor.shape) == number
        assert all(layout.first_row(int(place), tensor.shape) is None for place in row[1:])


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_steps_within_a_matrix_are_those_of_its_memory(stacked, outputs, inputs):
    tensor = torch.arange(stacked * outputs * inputs).view(stacked, outputs, inputs)
    for layout in (Layout(inputs=(2,), stacked=stacked), Layout(inputs=(1,), stacked=stacked)):
        rows = layout.rows(tensor)
        steps = layout.strides(tensor.shape)
        height = len(rows) // stacked
        matrix = rows[:height]
        if height > 1:
            assert int(matrix[1, 0] - matrix[0, 0]) == steps[0]
        if rows.shape[1] > 1:
            assert int(matrix[0, 1] - matrix[0, 0]) == steps[1]


def test_what_is_no_product_of_matrices_has_no_layout():
    for module in (nn.Embedding(4, 4), nn.Conv1d(4, 4, 3), nn.Conv2d(4, 4, 1, groups=4), nn.ConvTranspose1d(4, 4, 1)):
        assert layout_of(module, "weight", module.weight) is None
    assert layout_of(nn.Conv1d(4, 8, 1), "weight", torch.zeros(8, 4, 1)) is not None


# --- queries, keys and values in one projection ---


def falcon(**kind):
    config = T.FalconConfig(**SMALL, **ENDS, alibi=False, parallel_attn=True, **kind)
    return T.FalconModel(config)


FUSED = {
    "GPT-2": lambda: T.GPT2Model(T.GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=4, **ENDS)),
    "GPT-BigCode": lambda: T.GPTBigCodeModel(T.GPTBigCodeConfig(vocab_size=40, n_embd=16, n_layer=1, n_head=4, **ENDS)),
    "GPT-NeoX": lambda: T.GPTNeoXModel(T.GPTNeoXConfig(**WIDE, **ENDS)),
    "BLOOM": lambda: T.BloomModel(T.BloomConfig(vocab_size=40, hidden_size=16, n_layer=1, n_head=4, **ENDS)),
    "Falcon": lambda: falcon(multi_query=False, new_decoder_architecture=False),
    "Falcon, one key": lambda: falcon(multi_query=True, new_decoder_architecture=False),
    "Falcon, groups": lambda: falcon(num_kv_heads=2, new_decoder_architecture=True),
    "Phi-3": lambda: T.Phi3Model(T.Phi3Config(**WIDE, **ENDS, num_key_value_heads=2)),
    "ModernBERT": lambda: T.ModernBertModel(T.ModernBertConfig(**WIDE, **ENDS, cls_token_id=1, sep_token_id=2)),
    "MPT": lambda: T.MptModel(T.MptConfig(vocab_size=40, d_model=16, n_layers=1, n_heads=4)),
    "CodeGen": lambda: T.CodeGenModel(
        T.CodeGenConfig(vocab_size=40, n_embd=32, n_layer=1, n_head=4, rotary_dim=4, **ENDS)
    ),
    "DeBERTa": lambda: T.DebertaModel(T.DebertaConfig(**WIDE)),
    "nn.TransformerEncoder": lambda: Encoder(),
}


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(40, 16)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 24, batch_first=True), 1)

    def forward(self, input_ids):
        return self.encoder(self.embedding(input_ids))


def attention_output(model, entry):
    """Return what goes into the projection after attention: the mixed values."""
    seen = []
    name = next(e.name for e in prunable_matrices(model).values() if e.component == "attention output")
    weight = model.get_parameter(name)
    original = torch.nn.functional.linear

    def linear(x, w, bias=None):
        if w is weight:
            seen.append(x.detach())
        return original(x, w, bias)

    hook = model.get_submodule(name.removesuffix(".weight")).register_forward_pre_hook(
        lambda _module, args: seen.append(args[0].detach())
    )
    torch.nn.functional.linear = linear
    try:
        with torch.no_grad(), plain_products(model):
            model(TOKENS)
    finally:
        torch.nn.functional.linear = original
        hook.remove()
    return seen[0].reshape(len(TOKENS) * TOKENS.shape[1], -1)


@pytest.mark.parametrize("make", FUSED.values(), ids=FUSED)
def test_parts_of_a_fused_projection_are_what_they_are_called(make):
    """Without values nothing is mixed; without queries, as without keys, all positions count alike."""
    torch.manual_seed(0)
    model = make().eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
    entry = next(e for e in prunable_matrices(model).values() if e.component == "query, key, value")
    nn.init.normal_(entry.weight, std=1.0)  # so that attention is not uniform from the start
    before = attention_output(model, entry)
    outputs = {}
    for part in entry.layout.parts:
        original = entry.weight.detach().clone()
        rows = entry.layout.rows(entry.weight.detach()).clone()
        rows[part.rows] = 0
        with torch.no_grad():
            entry.weight.copy_(entry.layout.stored(rows, entry.weight.shape))
        outputs[part.component] = attention_output(model, entry)
        with torch.no_grad():
            entry.weight.copy_(original)
    assert list(outputs) == ["query", "key", "value"]
    assert not outputs["value"].any() and before.any()
    torch.testing.assert_close(outputs["query"], outputs["key"])
    assert not torch.allclose(outputs["query"], before)
    sizes = [len(torch.arange(10_000)[part.rows]) for part in entry.layout.parts]
    assert sum(sizes) == len(entry.layout.rows(entry.weight)) and sizes[1] == sizes[2]


def test_components_of_a_fused_projection_count_apart():
    model = FUSED["GPT-NeoX"]()
    entry = next(e for e in prunable_matrices(model).values() if e.component == "query, key, value")
    parts = dict(entry.components())
    assert list(parts) == ["query", "key", "value"]
    heads = entry.weight.detach().view(4, 3, 4, 16)  # head by head: its queries, its keys, its values
    for number, name in enumerate(parts):
        assert torch.equal(parts[name], heads[:, number].reshape(16, 16))
