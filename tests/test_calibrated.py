"""Calibration windows, and the walk through a model's blocks: what it feeds them, what it leaves behind."""

import weakref

import pytest
import torch
import transformers
from torch import nn

from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning import calibrated
from essparse_lib.pruning.blocks import evaluating, restored, transformer_blocks
from essparse_lib.pruning.calibrated import amount, keep_within_rows
from essparse_lib.pruning.calibration import calibration_windows
from essparse_lib.pruning.masks import zeros_and_size
from essparse_lib.pruning.method import Pruned
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights, transposed_names
from essparse_lib.pruning.sparsegpt import sparsegpt
from essparse_lib.pruning.wanda import wanda

DEEP = {"num_hidden_layers": 3, "num_attention_heads": 2, "hidden_size": 16}
WIDE = {**DEEP, "vocab_size": 40, "pad_token_id": 0, "max_position_embeddings": 24}
TOKENS = torch.randint(3, 40, (5, 12), generator=torch.Generator().manual_seed(0))
PIXELS = {"pixel_values": torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))}


def bert():
    return transformers.BertForSequenceClassification(transformers.BertConfig(**WIDE, intermediate_size=40)), TOKENS


def mpnet():
    return transformers.MPNetForMaskedLM(transformers.MPNetConfig(**WIDE, intermediate_size=40)), TOKENS


def vit():
    config = transformers.ViTConfig(**DEEP, intermediate_size=40, image_size=8, patch_size=2)
    return transformers.ViTForImageClassification(config), PIXELS


def opt():
    config = transformers.OPTConfig(**WIDE, ffn_dim=40, word_embed_proj_dim=8)
    return transformers.OPTForCausalLM(config), TOKENS


def llama():
    ends = {"bos_token_id": 1, "eos_token_id": 2}
    config = transformers.LlamaConfig(**WIDE, **ends, intermediate_size=40, num_key_value_heads=1)
    return transformers.LlamaForCausalLM(config), TOKENS


def gpt2():
    ends = {"bos_token_id": 1, "eos_token_id": 2}
    config = transformers.GPT2Config(n_embd=16, n_layer=3, n_head=2, vocab_size=40, n_positions=24, n_inner=40, **ends)
    return transformers.GPT2LMHeadModel(config), TOKENS


def gemma():
    """Whose layers are called with attention masks of two kinds in turn."""
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    shape = {"intermediate_size": 40, "num_key_value_heads": 1, "head_dim": 8, "sliding_window": 4}
    config = transformers.Gemma2Config(**WIDE, **shape, layer_types=kinds, bos_token_id=1, eos_token_id=2)
    return transformers.Gemma2ForCausalLM(config), TOKENS


def t5():
    """Whose first layer computes the position bias of all."""
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 3, "num_heads": 2, "vocab_size": 40}
    return transformers.T5EncoderModel(transformers.T5Config(**shape)), TOKENS


ARCHITECTURES = [bert, mpnet, vit, opt, llama, gpt2]
METHODS = {
    "Wanda": lambda model, data, **wanted: wanda(model, data, batch_size=2, **wanted),
    "SparseGPT": lambda model, data, **wanted: sparsegpt(model, data, batch_size=2, block_size=8, **wanted).mask,
}


@pytest.fixture(params=ARCHITECTURES, ids=lambda make: make.__name__)
def case(request):
    torch.manual_seed(0)
    return request.param()


class Layer(nn.Module):
    def __init__(self, width=6, biased=False):
        super().__init__()
        self.fc1 = nn.Linear(width, width, bias=biased)

    def forward(self, x):
        return self.fc1(x)


class Net(nn.Module):
    """A chain of blocks over inputs that a test gives by name: ``{"x": (sequences, tokens, width)}``."""

    def __init__(self, *layers, between=None):
        super().__init__()
        self.layers = nn.ModuleList(layers or (Layer(), Layer()))
        self.between = between

    def forward(self, x):
        for layer in self.layers:
            x = layer(x) if self.between is None else self.between(layer(x))
        return x


def squares(x):
    return x.square().sum(0)


def half(weight, moments):
    """A method that needs no luck: the left half of every row stays."""
    keep = torch.zeros_like(weight, dtype=torch.bool)
    keep[:, : weight.shape[1] // 2] = True
    return keep, None


def layer_by_layer(*arguments, **options):
    """What a method makes of a whole model: the mask, and the values that it changed."""
    pruned = Pruned.collect(calibrated.layer_by_layer(*arguments, **options))
    return pruned.mask, pruned.values


def hooks_of(model):
    return [
        list(hooks.values())
        for module in model.modules()
        for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
    ]


def state(model):
    modes = [module.training for module in model.modules()]
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}, modes, hooks_of(model)


def assert_untouched(model, before):
    tensors, *rest = before
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.state_dict().items())
    assert [[module.training for module in model.modules()], hooks_of(model)] == rest
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


# --- the walk ---


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sparsity", [0, 0.37, 0.5])
def test_counts_are_exact_and_the_model_is_left_alone(case, method, sparsity):
    model, data = case
    model.train()
    list(model.modules())[-1].eval()  # modules of either mode keep it
    before = state(model)
    mask = METHODS[method](model, data, sparsity=sparsity)
    assert_untouched(model, before)
    assert list(mask.keep) == list(prunable_matrices(model))
    for name, weight in prunable_weights(model).items():
        kept = mask.keep[name]
        assert kept.shape == weight.shape and kept.is_contiguous()
        rows = kept.T if name in transposed_names(model) else kept
        if method == "Wanda":
            assert (~rows).sum(1).tolist() == [int(sparsity * rows.shape[1])] * len(rows)
        else:
            assert int((~rows).sum()) == int(sparsity * rows.numel())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 3), (4, 4)])
def test_patterns_hold_along_the_inputs(case, method, n, m):
    model, data = case
    mask = METHODS[method](model, data, pattern=(n, m))
    for name, kept in mask.keep.items():
        rows = kept.T if name in transposed_names(model) else kept
        groups = [part.sum(1).unique().tolist() for part in rows.split(m, dim=1)]
        assert groups == [[min(n, part.shape[1])] for part in rows.split(m, dim=1)]


@pytest.mark.parametrize("make", [*ARCHITECTURES, gemma, t5])
def test_every_block_sees_what_the_pruned_blocks_before_it_put_out(make):
    """Against the slow way: the whole model is run, the blocks up to each one being pruned in it."""
    torch.manual_seed(0)
    model, data = make()
    seen = {}

    def method(weight, moments):
        seen[len(seen)] = moments.clone()
        return half(weight, moments)

    mask, changed = layer_by_layer(model, data, squares, method, batch_size=2)
    assert not changed
    model.eval()
    inputs = data if isinstance(data, dict) else {"input_ids": data}
    everything = zip(prunable_matrices(model).values(), seen.values(), strict=True)
    for entry, moments in everything:
        earlier = [e.name for e in prunable_matrices(model).values() if e.depth < entry.depth]
        caught = []
        hook = model.get_submodule(entry.name.removesuffix(".weight")).register_forward_pre_hook(
            lambda _, args: caught.append(args[0])  # noqa: B023
        )
        with restored(m for block in transformer_blocks(model) for m in block.matrices.values()), torch.no_grad():
            for name in earlier:
                prunable_weights(model)[name].mul_(mask.keep[name])
            model(**inputs)
        hook.remove()
        torch.testing.assert_close(moments, squares(caught[0].reshape(-1, caught[0].shape[-1])), rtol=1e-4, atol=1e-5)


def test_the_size_of_a_batch_does_not_matter(case):
    model, data = case
    one, other = (
        layer_by_layer(model, data, squares, lambda w, x: (keep_within_rows(w.abs() * x.sqrt(), 0.5), w * 2), size)[1]
        for size in (1, 5)
    )
    for name, values in one.items():
        torch.testing.assert_close(values, other[name])


def test_changed_values_come_back_as_the_model_stores_them(case):
    model, data = case
    model = model.to(torch.bfloat16)
    data = {name: x.bfloat16() for name, x in data.items()} if isinstance(data, dict) else data
    dtypes = set()

    def method(weight, moments):
        dtypes.update((weight.dtype, moments.dtype))
        return half(weight, moments)[0], weight * 3  # what is pruned, too: the walk sets it to zero

    mask, changed = layer_by_layer(model, data, squares, method, dtype=torch.float64)
    assert dtypes == {torch.float64}
    for name, weight in prunable_weights(model).items():
        assert torch.equal(changed[name], (weight.double() * 3).bfloat16() * mask.keep[name])
        assert changed[name].dtype == torch.bfloat16


def test_one_blocks_inputs_and_statistics_are_held_at_a_time():
    torch.manual_seed(0)
    model, alive = Net(*(Layer() for _ in range(6))), {"states": [], "statistics": []}
    most = dict.fromkeys(alive, 0)

    def note(kind, tensor):
        alive[kind].append(weakref.ref(tensor))
        most[kind] = max(most[kind], sum(ref() is not None for ref in alive[kind]))
        return tensor  # to a forward hook: the output itself

    for layer in model.layers:
        layer.register_forward_hook(lambda _, __, output: note("states", output))
    layer_by_layer(model, {"x": torch.randn(8, 3, 6)}, lambda x: note("statistics", squares(x)), half, batch_size=2)
    assert most["states"] <= 4 + 2  # four batches; one on its way in and one on its way out
    assert most["statistics"] <= 1 + 1  # a block of one matrix; a batch's, as it is added


@pytest.mark.parametrize("where", ["statistic", "method", "block"])
def test_an_exception_leaves_the_model_as_it_was(where):
    model, calls = bert()[0], []

    def fail_at(place, count):
        if place == where:
            calls.append(1)
            if len(calls) == count:
                raise RuntimeError("stop")

    def method(weight, moments):
        fail_at("method", 9)  # in the second block, some of whose matrices are pruned by then
        return half(weight, moments)

    def moments(x):
        fail_at("statistic", 9)
        return squares(x)

    model.bert.encoder.layer[1].register_forward_hook(lambda *_: fail_at("block", 9))  # its pruned run
    before = state(model)
    with pytest.raises(RuntimeError, match="stop"):
        layer_by_layer(model, TOKENS, moments, method, batch_size=1)
    assert_untouched(model, before)


def test_no_gradient_is_recorded(case):
    model, data = case

    def method(weight, moments):
        assert not (weight.requires_grad or moments.requires_grad or torch.is_grad_enabled())
        return half(weight, moments)

    layer_by_layer(model, data, squares, method)
    assert torch.is_grad_enabled()


def test_pruned_for_half_its_weights_a_model_has_as_many_zeros(case):
    model, data = case
    found = sparsegpt(model, data, sparsity=0.5)
    found.apply(model)
    assert found.mask.drift(model) == 0
    assert zeros_and_size(prunable_weights(model)) == (found.mask.pruned, found.mask.size)


def test_a_head_is_not_run():
    model = llama()[0]
    model.lm_head.forward = None  # running it would be an error
    assert wanda(model, TOKENS, sparsity=0.5).sparsity == 0.5


def test_blocks_that_are_called_by_name_alone_are_run_so_too():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(Layer() for _ in range(2))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x=x)
            return x

    torch.manual_seed(0)
    assert wanda(Named(), {"x": torch.randn(2, 3, 6)}, sparsity=0.5).sparsity == 0.5


def test_a_matrix_that_blocks_share_is_calibrated_once():
    first, second = Layer(), Layer()
    second.fc1.weight = first.fc1.weight
    mask = wanda(Net(first, second, Layer()), {"x": torch.randn(2, 3, 6)}, sparsity=0.5)
    assert list(mask.keep) == ["layers.0.fc1.weight", "layers.2.fc1.weight"]


def test_eval_mode_is_left_as_it_was_entered():
    net = Net()
    net.layers[1].eval()
    with evaluating(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == [
        True,
        True,
        True,
        True,
        False,
        False,
    ]  # a layer and its matrix


# --- what is refused ---


@pytest.mark.parametrize("method", [wanda, sparsegpt])
@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "neither given: give either a sparsity"),
        ({"sparsity": 0.5, "pattern": (2, 4)}, r"sparsity 0\.5 and pattern \(2, 4\) given: give either"),
        ({"sparsity": 1.0}, r"sparsity 1\.0 is not allowed"),
        ({"sparsity": -0.1}, "not allowed"),
        ({"sparsity": "abc"}, "not allowed"),
        ({"pattern": (4, 2)}, r"pattern \(4, 2\) is not allowed"),
        ({"pattern": (0, 4)}, "not allowed"),
        ({"pattern": (2, 4, 8)}, "not allowed"),
        ({"pattern": (2.0, 4)}, "not allowed"),
        ({"pattern": "4:2"}, "'4:2' is not allowed"),
        ({"sparsity": 0.5, "batch_size": 0}, "batch_size 0 is not allowed"),
    ],
)
def test_wrong_parameters_are_refused_before_the_model_is_run(method, wanted, message):
    model = Net()
    model.forward = None  # running it would be another error
    with pytest.raises(InputError, match=message) as caught:
        method(model, {"x": torch.randn(2, 3, 6)}, **wanted)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.randn(2, 3), r"calibration of shape \(2, 3\) and torch\.float32 is not allowed: give token numbers"),
        (torch.zeros(3, dtype=torch.int64), "give token numbers of shape"),
        (torch.zeros(0, 3, dtype=torch.int64), "give token numbers of shape"),
        (torch.zeros(3, 0, dtype=torch.int64), "give token numbers of shape"),
        ({"input_ids": TOKENS, "attention_mask": torch.ones(4, 12)}, "must hold one number of sequences"),
        ({"input_ids": TOKENS, "attention_mask": torch.tensor([[1] * 11 + [0]] * 5)}, "is padded"),
        ({}, "must hold one number of sequences, at least one"),
        ({"pixel_values": torch.zeros(0, 3, 8, 8)}, "must hold one number of sequences, at least one"),
        (TOKENS + 30, r"calibration tokens 3\d to 6\d are not allowed: the model's vocabulary is 0 to 39"),
        (TOKENS - 9, r"calibration tokens -\d to \d+ are not allowed"),
        (TOKENS.repeat(1, 3), "calibration length 36 is not allowed: the model takes at most 24 tokens"),
    ],
)
def test_wrong_calibrations_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        wanda(bert()[0], data, sparsity=0.5)


@pytest.mark.parametrize("method", [wanda, sparsegpt])
def test_a_model_without_blocks_is_refused(method):
    with pytest.raises(InputError, match="Sequential has no transformer blocks"):
        method(nn.Sequential(nn.Linear(4, 4)), TOKENS, sparsity=0.5)


def test_an_encoder_and_a_decoder_are_both_calibrated_on_the_same_tokens():
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 40}
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**shape, decoder_start_token_id=0))
    before = state(model)
    mask = wanda(model, TOKENS, sparsity=0.5)
    assert_untouched(model, before)
    assert list(mask.keep) == list(prunable_matrices(model)) and mask.sparsity == 0.5


def test_a_matrix_that_no_inputs_reach_is_named():
    class Idle(Layer):
        def forward(self, x):
            return x

    with pytest.raises(InputError, match=r"no inputs reached layers\.1\.fc1\.weight"):
        wanda(Net(Layer(), Idle()), {"x": torch.randn(2, 3, 6)}, sparsity=0.5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_named(bad):
    inputs = torch.randn(2, 3, 6)
    inputs[1, 1, 1] = bad
    with pytest.raises(InputError, match=r"^inputs of layers\.0\.fc1\.weight are NaN or infinite"):
        wanda(Net(), {"x": inputs}, sparsity=0.5)
    model = Net()
    prunable_weights(model)["layers.1.fc1.weight"][0, 0] = bad
    with pytest.raises(InputError, match=r"^layers\.1\.fc1\.weight holds NaN or infinite weights"):
        wanda(model, {"x": torch.randn(2, 3, 6)}, sparsity=0.5)


# --- calibration windows ---


def letters(text, **options):
    assert options["add_special_tokens"] is False
    return {"input_ids": [ord(letter) for letter in text]}


def test_windows_are_parts_of_the_text_and_none_overlap():
    text = "".join(map(chr, range(103)))  # 25 windows of 4, and 3 tokens more
    drawn = calibration_windows(text, letters, sequences=20, length=4)
    assert drawn.shape == (20, 4) and drawn.dtype == torch.int64
    assert (drawn.diff(dim=1) == 1).all()
    assert len(set(drawn.flatten().tolist())) == 80


def test_the_seed_alone_draws_the_windows():
    text = "".join(map(chr, range(400)))
    one, again, other = (calibration_windows(text, letters, 10, 4, seed) for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_a_models_own_tokenizer_adds_no_special_tokens():
    tokenizer = loading.tokenizer_of("tiny-opt")
    drawn = calibration_windows("the film has a plot " * 100, tokenizer, sequences=10, length=20)
    assert not set(drawn.flatten().tolist()) & set(tokenizer.all_special_ids)


def test_a_text_that_is_too_short_is_refused_in_numbers():
    with pytest.raises(InputError) as caught:
        calibration_windows("a" * 2047, letters, sequences=16, length=128)
    assert str(caught.value) == (
        "the calibration text has 2,047 tokens, but 16 sequences of 128 need 2,048: give a longer text, "
        "or ask for fewer or shorter sequences (windows, length)"
    )
    assert calibration_windows("a" * 2048, letters, sequences=16, length=128).shape == (16, 128)


@pytest.mark.parametrize("wrong", [{"sequences": 0}, {"length": 0}, {"length": 1.5}])
def test_numbers_of_windows_must_be_whole_and_positive(wrong):
    with pytest.raises(InputError, match="give a whole number from 1"):
        calibration_windows("a" * 100, letters, **wrong)


# --- shared parts ---


def test_amount_is_what_is_given():
    assert amount(0.25, None) == 0.25
    assert amount(None, "2:4") == amount(None, (2, 4)) == (2, 4)


def test_a_short_last_group_keeps_as_many_as_a_whole_one():
    scores = torch.tensor([[4.0, 3.0, 2.0, 1.0, 5.0, 6.0, 7.0], [1.0, 2.0, 3.0, 4.0, 9.0, 8.0, 7.0]])
    assert keep_within_rows(scores, (2, 4)).int().tolist() == [[1, 1, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, 1, 0]]
    assert keep_within_rows(scores[:, :5], (2, 4)).int().tolist() == [[1, 1, 0, 0, 1], [0, 0, 1, 1, 1]]


def test_of_equal_scores_the_first_go():
    assert keep_within_rows(torch.ones(1, 5), 0.4).int().tolist() == [[0, 0, 1, 1, 1]]
    assert keep_within_rows(torch.ones(1, 5), (1, 4)).int().tolist() == [[0, 0, 0, 1, 1]]
