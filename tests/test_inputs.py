"""What is multiplied by a model's matrices is seen wherever the product is made, after the pruned blocks before it."""

import pytest
import torch
import transformers as T
from torch import nn

from essparse_lib.errors import InputError
from essparse_lib.pruning.blocks import plain_products
from essparse_lib.pruning.calibrated import layer_by_layer
from essparse_lib.pruning.inputs import InputWatcher
from essparse_lib.pruning.method import Pruned
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights
from essparse_lib.pruning.sparsegpt import sparsegpt
from essparse_lib.pruning.wanda import wanda
from tests.test_layouts import ENDS, WIDE, Encoder

TWO = {**WIDE, "num_hidden_layers": 2}
TOKENS = torch.randint(3, 40, (3, 8), generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def swin():
    shape = {"embed_dim": 8, "depths": [2, 1], "num_heads": [1, 2], "window_size": 4}
    return T.SwinModel(T.SwinConfig(image_size=32, patch_size=4, **shape)), IMAGES


def mixtral():
    return T.MixtralModel(T.MixtralConfig(**TWO, **ENDS, num_key_value_heads=2, num_local_experts=3)), TOKENS


def llama4():
    shape = {**TWO, "num_key_value_heads": 2, "head_dim": 4, "num_local_experts": 2, "intermediate_size_mlp": 24}
    return T.Llama4ForCausalLM(T.Llama4TextConfig(**shape, **ENDS)), TOKENS


def xlnet():
    return T.XLNetModel(T.XLNetConfig(vocab_size=40, d_model=16, n_layer=2, n_head=4, d_inner=24)), TOKENS


def albert():
    return T.AlbertModel(T.AlbertConfig(**TWO, embedding_size=8)), TOKENS


def squeezebert():
    return T.SqueezeBertModel(T.SqueezeBertConfig(**TWO, embedding_size=16)), TOKENS


def mamba():
    return T.MambaModel(T.MambaConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, state_size=4)), TOKENS


def t5():
    shape = {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4}
    config = T.T5Config(vocab_size=40, **shape, decoder_start_token_id=0)
    return T.T5Model(config), {"input_ids": TOKENS, "decoder_input_ids": TOKENS.flip(1)}


def encoder():
    return Encoder(), TOKENS


MODELS = [encoder, xlnet, mixtral, llama4, albert, squeezebert, swin, mamba, t5]


def gram(x):
    return x.T @ x


@pytest.fixture(params=MODELS, ids=lambda make: make.__name__)
def case(request):
    torch.manual_seed(0)
    model, data = request.param()
    return model.eval(), data if isinstance(data, dict) else {model_input(model): data}


def model_input(model):
    return getattr(model, "main_input_name", "input_ids")


def run(model, inputs):
    with torch.no_grad(), plain_products(model):
        model(**inputs)


def reference_sums(model, inputs, entries):
    """Return, by weight, the sum of inputs of every call of ``linear`` and hook of a module that multiplies by it."""
    sums = {}
    by_id = {id(entry.weight): name for name, entry in entries.items()}
    original = nn.functional.linear

    def linear(x, weight, bias=None):
        base = weight if id(weight) in by_id else getattr(weight, "_base", None)
        if base is not None and id(base) in by_id:
            sums.setdefault((by_id[id(base)], weight.storage_offset()), []).append(x.reshape(-1, x.shape[-1]))
        return original(x, weight, bias)

    nn.functional.linear = linear
    try:
        run(model, inputs)
    finally:
        nn.functional.linear = original
    return {key: torch.cat(seen) for key, seen in sums.items()}


@pytest.mark.parametrize("make", [encoder, mixtral, albert, t5, swin], ids=lambda make: make.__name__)
def test_statistics_agree_with_a_recording_of_every_linear(make):
    torch.manual_seed(0)
    model, data = make()
    model.eval()
    inputs = data if isinstance(data, dict) else {model_input(model): data}
    entries = prunable_matrices(model)
    seen = reference_sums(model, inputs, entries)
    with InputWatcher(entries, gram) as watcher, torch.no_grad(), plain_products(model):
        model(**inputs)
    assert {name for name, _ in seen} == set(entries)
    for (name, offset), x in seen.items():
        entry = entries[name]
        row = entry.layout.first_row(offset, entry.weight.shape)
        rows = entry.layout.rows(entry.weight.detach())
        number = next(
            number for number, part in enumerate(entry.layout.matrices(len(rows))) if _starts_at(part.rows, row)
        )
        torch.testing.assert_close(watcher.statistics(name)[number], gram(x), rtol=1e-4, atol=1e-4)


def _starts_at(rows, row):
    return (rows.start if isinstance(rows, slice) else int(rows.min())) == row


def test_xlnets_projections_are_seen_through_einsum():
    torch.manual_seed(0)
    model, data = xlnet()
    model.eval()
    entries = prunable_matrices(model)
    seen = {}
    original = torch.einsum

    def einsum(equation, *operands):
        for name, entry in entries.items():
            if len(operands) == 2 and operands[1] is entry.weight:
                x = operands[0]
                seen[name] = (
                    x.reshape(-1, 16) if equation.startswith("ibh") else x.reshape(-1, x.shape[-2] * x.shape[-1])
                )
        return original(equation, *operands)

    torch.einsum = einsum
    try:
        run(model, {"input_ids": data})
    finally:
        torch.einsum = original
    assert len(seen) == 2 * 5
    with InputWatcher(entries, gram) as watcher, torch.no_grad():
        model(input_ids=data)
    for name, x in seen.items():
        (total,) = watcher.statistics(name)
        torch.testing.assert_close(total, gram(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", [wanda, sparsegpt])
def test_any_model_is_calibrated_and_left_alone(case, method):
    model, inputs = case
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pruned = method(model, inputs, sparsity=0.5)
    mask = getattr(pruned, "mask", pruned)
    assert list(mask.keep) == list(prunable_matrices(model))
    assert 0.45 <= mask.sparsity <= 0.5
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    pruned.apply(model)
    assert mask.drift(model) == 0


@pytest.mark.parametrize("make", [t5, swin, albert, mamba], ids=lambda make: make.__name__)
def test_blocks_that_are_no_chain_see_the_pruned_blocks_before_them(make):
    """Against the slow way: the whole model is run with the blocks before each one pruned in it."""
    torch.manual_seed(0)
    model, data = make()
    model.eval()
    inputs = data if isinstance(data, dict) else {model_input(model): data}
    seen = []

    def method(weight, moments):
        seen.append(moments.clone())
        keep = torch.zeros_like(weight, dtype=torch.bool)
        keep[:, : weight.shape[1] // 2] = True
        return keep, None

    mask = Pruned.collect(layer_by_layer(model, inputs, gram, method, batch_size=2)).mask
    entries = prunable_matrices(model)
    for entry, moments in zip(entries.values(), seen, strict=True):
        saved = {name: weight.clone() for name, weight in prunable_weights(model).items()}
        for other in entries.values():
            if other.depth < entry.depth:
                other.weight.data.mul_(mask.keep[other.name])
        with InputWatcher({entry.name: entry}, gram) as watcher:
            run(model, inputs)
        for name, weight in prunable_weights(model).items():
            weight.copy_(saved[name])
        torch.testing.assert_close(watcher.statistics(entry.name)[0], moments, rtol=1e-3, atol=1e-4)


def test_an_expert_without_tokens_is_pruned_by_magnitude_and_told():
    torch.manual_seed(0)
    model, _ = mixtral()
    with pytest.warns(UserWarning, match=r"no calibration token was sent to \d+ of \d+ matrices, all of experts"):
        mask = wanda(model, TOKENS[:1, :1], sparsity=0.5)
    name, kept = next((n, k) for n, k in mask.keep.items() if "experts.gate_up_proj" in n)
    weights = prunable_weights(model)[name]
    by_magnitude = [
        torch.equal(kept[e], weights[e].abs() >= weights[e].abs().sort(-1).values[:, 8:9]) for e in range(3)
    ]
    assert any(by_magnitude)


def test_part_of_a_models_matrices_can_be_chosen():
    model, _ = t5()
    mask = wanda(model, TOKENS, sparsity=0.5, include=["decoder.*"], exclude=["*.EncDecAttention.*"])
    assert mask.keep and all(n.startswith("decoder.") and "EncDecAttention" not in n for n in mask.keep)
    with pytest.raises(InputError, match="pattern 'nonsense' fits no weight of the blocks"):
        wanda(model, TOKENS, sparsity=0.5, include=["nonsense"])


def test_inputs_that_a_model_cannot_read_are_told_in_a_line():
    model, _ = swin()
    with pytest.raises(InputError, match=r"^SwinModel cannot read the calibration \(pixel_values of shape"):
        wanda(model, torch.zeros(2, 3, 2), sparsity=0.5)
    roberta = T.RobertaModel(T.RobertaConfig(**TWO, max_position_embeddings=12))
    with pytest.raises(InputError, match="calibration length 12 is not allowed: the model takes at most 11 tokens"):
        wanda(roberta, torch.full((2, 12), 5), sparsity=0.5)


def test_the_inner_products_are_made_as_before_afterwards():
    model, data = mixtral()
    model.config._experts_implementation_internal = "grouped_mm"
    wanda(model, data, sparsity=0.5)
    assert model.config._experts_implementation_internal == "grouped_mm"
    assert torch.backends.mha.get_fastpath_enabled()
