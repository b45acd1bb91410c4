"""A model that is pruned in place: the same to the bit as by mask and values, and nothing is held besides."""

import copy
import weakref

import pytest
import torch
from torch.nn.utils import prune as torch_prune

from essparse_lib.errors import InputError
from essparse_lib.pruning import calibrated, registry
from essparse_lib.pruning.masks import Count
from essparse_lib.pruning.method import Pruned, Request
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights
from essparse_lib.specs.methods import METHODS, Scope, one_shot_methods
from tests.test_calibrated import bert, gpt2, llama, vit
from tests.test_inputs import albert, mixtral, model_input, swin, t5, xlnet

#: Blocks that are called one by one, and others: an encoder with a decoder, stages, one block that is used again.
MODELS = [llama, gpt2, bert, vit, mixtral, xlnet, t5, swin, albert]
AMOUNTS = {
    "a sparsity": {"sparsity": 0.37},
    "a pattern": {"pattern": "2:4"},
    "by matrix": {"sparsity": 0.37, "scope": Scope.LAYER},
    "by density": {"sparsity": 0.37, "scope": Scope.ERK},
    "nothing": {"sparsity": 0.0},
}


def fitting(method, amount):
    """Whether an amount goes with a method."""
    row = METHODS[method]
    return (row.patterns or "pattern" not in amount) and row.takes(amount.get("scope", Scope.GLOBAL))


CASES = [(method, name) for method in one_shot_methods() for name, amount in AMOUNTS.items() if fitting(method, amount)]


def made(make):
    torch.manual_seed(0)
    model, data = make()
    return model, data if isinstance(data, dict) else {model_input(model): data}


def request(method, data, **amount):
    return Request(calibration=data if METHODS[method].calibrated else None, seed=3, **amount)


def bits(model):
    """All tensors of a model, as whole numbers: −0 is not 0, and NaN is itself."""
    integers = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.float16: torch.int16}
    return {name: tensor.view(integers.get(tensor.dtype, tensor.dtype)) for name, tensor in model.state_dict().items()}


def assert_same_bits(model, other):
    others = bits(other)
    assert [name for name, tensor in bits(model).items() if not torch.equal(tensor, others[name])] == []


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
@pytest.mark.parametrize(("method", "amount"), CASES, ids=" ".join)
def test_in_place_as_by_mask_and_values(make, method, amount):
    model, data = made(make)
    other = copy.deepcopy(model)
    wanted = request(method, data, **AMOUNTS[amount])
    pruned = registry.prune(other, method, wanted)
    assert_same_bits(model, other)
    pruned.apply(other)
    modes = [module.training for module in model.modules()]
    count = registry.prune_in_place(model, method, wanted)
    assert count == Count(pruned.mask.pruned, pruned.mask.size)
    assert_same_bits(model, other)
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("decimals", [1, 2])
def test_of_equal_magnitudes_the_same_go(dtype, decimals):
    model, _ = made(bert)
    for number, weight in enumerate(prunable_weights(model).values()):
        weight.mul_(4).copy_(weight.round(decimals=decimals) * (-1) ** number)  # many equals, 0 and −0 among them
    model = model.to(dtype)
    other = copy.deepcopy(model)
    for sparsity in (0.1, 0.5, 0.83):
        wanted = Request(sparsity=sparsity)
        pruned = registry.prune(other, "magnitude", wanted)
        pruned.apply(other)
        count = registry.prune_in_place(model, "magnitude", wanted)
        assert count.pruned == int(sparsity * count.size) == pruned.mask.pruned
        assert_same_bits(model, other)


def test_some_matrices_can_be_chosen():
    model, _ = made(bert)
    before = copy.deepcopy(model)
    count = registry.prune_in_place(model, "magnitude", Request(sparsity=0.5, include=("*.1.*",), exclude=("*key*",)))
    changed = {name for name, tensor in bits(model).items() if not torch.equal(tensor, bits(before)[name])}
    assert changed == {name for name in prunable_matrices(model) if ".1." in name and "key" not in name}
    assert count.size == sum(prunable_weights(model)[name].numel() for name in changed)


def test_a_model_that_torch_has_pruned_is_pruned_further():
    model, other = made(bert)[0], made(bert)[0]
    for one in (model, other):
        layer = one.bert.encoder.layer[0].output.dense
        torch_prune.l1_unstructured(layer, "weight", 0.5)
    registry.prune(other, "magnitude", Request(sparsity=0.4)).apply(other)
    registry.prune_in_place(model, "magnitude", Request(sparsity=0.4))
    assert_same_bits(model, other)
    assert torch.equal(layer.weight, model.bert.encoder.layer[0].output.dense.weight)


def shared_feed_forward():
    model, data = llama()
    model.model.layers[1].mlp = model.model.layers[0].mlp
    return model, data


def shared_weight():
    model, data = llama()
    model.model.layers[2].self_attn.q_proj.weight = model.model.layers[0].self_attn.q_proj.weight
    return model, data


def shared_by_unlike_layers():
    model, data = shared_weight()
    model.model.layers[1].mlp.gate_proj.weight = model.model.layers[0].mlp.up_proj.weight
    return model, data


@pytest.mark.parametrize(
    "make", [shared_feed_forward, shared_weight, shared_by_unlike_layers], ids=lambda make: make.__name__
)
@pytest.mark.parametrize(
    ("method", "amount"), [case for case in CASES if case[0] in ("magnitude", "random")], ids=" ".join
)
def test_weights_that_blocks_share_are_pruned_alike(make, method, amount):
    test_in_place_as_by_mask_and_values(make, method, amount)


# --- what is held ---


@pytest.mark.parametrize("make", [llama, t5], ids=lambda make: make.__name__)
@pytest.mark.parametrize(("method", "amount"), CASES, ids=" ".join)
def test_no_mask_and_no_value_outlives_its_matrix(make, method, amount):
    model, data = made(make)
    tensors = []
    for matrix in registry.pruned_matrices(model, method, request(method, data, **AMOUNTS[amount])):
        matrix.apply()
        tensors += [weakref.ref(tensor) for tensor in (matrix.kept, matrix.values) if tensor is not None]
        # this matrix's, and the one's before it as long as its name is taken
        assert sum(tensor() is not None for tensor in tensors) <= 4
    assert len(tensors) >= len(prunable_matrices(model))


@pytest.mark.parametrize("make", [llama, t5], ids=lambda make: make.__name__)
@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
def test_of_what_is_applied_no_earlier_values_are_kept(make, method, monkeypatch):
    model, data = made(make)
    copied = []
    monkeypatch.setattr(calibrated, "restored", lambda entries: copied.append(entries))
    registry.prune_in_place(model, method, request(method, data, sparsity=0.5))
    assert not copied


# --- what goes wrong ---


@pytest.mark.parametrize(("method", "amount"), CASES, ids=" ".join)
def test_a_weight_that_is_no_number_is_refused_before_anything_changes(method, amount):
    model, data = made(llama)
    list(prunable_weights(model).values())[-1][0, 0] = float("nan")
    before = copy.deepcopy(model)
    with pytest.raises(InputError, match=r"layers\.2\.mlp\.down_proj\.weight holds NaN or infinite weights"):
        registry.prune_in_place(model, method, request(method, data, **AMOUNTS[amount]))
    assert_same_bits(model, before)


@pytest.mark.parametrize(("method", "amount"), CASES, ids=" ".join)
def test_weights_of_eight_bits_are_refused_before_anything_changes(method, amount):
    model, data = made(llama)
    layer = model.model.layers[2].mlp.down_proj
    layer.weight = torch.nn.Parameter(layer.weight.data.to(torch.float8_e4m3fn), requires_grad=False)
    before = {name: weight.clone() for name, weight in prunable_weights(model).items() if weight.element_size() > 1}
    with pytest.raises(InputError, match=r"layers\.2\.mlp\.down_proj\.weight is torch\.float8_e4m3fn: cast it to"):
        registry.prune_in_place(model, method, request(method, data, **AMOUNTS[amount]))
    assert all(torch.equal(prunable_weights(model)[name], weight) for name, weight in before.items())


@pytest.mark.parametrize("make", [llama, t5], ids=lambda make: make.__name__)
def test_an_error_leaves_the_model_pruned_up_to_it(make):
    model, data = made(make)
    model.train()
    before, calls = copy.deepcopy(model), []

    def method(weight, _statistic):
        calls.append(weight)
        if len(calls) == 10:
            raise RuntimeError("stop")
        return torch.zeros_like(weight, dtype=torch.bool), None

    with pytest.raises(RuntimeError, match="stop"):
        for matrix in calibrated.layer_by_layer(model, data, lambda x: x.square().sum(0), method):
            matrix.apply()
    for number, (name, weight) in enumerate(prunable_weights(model).items()):
        assert torch.equal(weight, torch.zeros_like(weight) if number < 9 else prunable_weights(before)[name])
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("make", [llama, t5], ids=lambda make: make.__name__)
def test_what_is_not_applied_gets_its_values_back_whenever_the_reader_stops(make):
    model, data = made(make)
    before = copy.deepcopy(model)
    matrices = registry.pruned_matrices(model, "sparsegpt", request("sparsegpt", data, sparsity=0.5))
    first = next(matrices)
    first.apply()
    for _ in range(10):
        next(matrices)
    matrices.close()
    changed = {name for name, tensor in bits(model).items() if not torch.equal(tensor, bits(before)[name])}
    assert changed == {first.entry.name}


def test_an_exception_while_all_is_collected_ends_the_method_at_once():
    ended = []

    def matrices():
        try:
            yield None
        finally:
            ended.append(True)

    with pytest.raises(AttributeError) as error:
        Pruned.collect(matrices())
    assert ended and error.traceback  # which keeps the generator, so that it does not end by itself
