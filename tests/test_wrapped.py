"""A model's parameters have their plain names, whatever wraps the model, and a mask fits it wrapped and unwrapped."""

import copy
import sys
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import ADAPTERS, llama, train_adapter
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.utils import parametrizations, parametrize, prune
from torch.optim.swa_utils import AveragedModel

from essparse_lib.errors import InputError
from essparse_lib.pruning.absent import check_values, computed_weights
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.method import Pruned
from essparse_lib.pruning.wrapped import plain_modules, plain_name, plain_parameters, unwrapped


class Block(nn.Module):
    """A block whose parts are called as wrappers call what they wrap."""

    def __init__(self):
        super().__init__()
        self.module = nn.Linear(6, 6)
        self.base_model = nn.ModuleDict({"model": nn.Linear(6, 6)})

    def forward(self, x):
        return self.base_model["model"](self.module(x).tanh())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(6, 6)
        self.layers = nn.ModuleList(Block() for _ in range(2))
        self.head = nn.Linear(6, 6, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def inside(wrap):
    """Return a function that wraps a block of the model, and not the model."""

    def replaced(model):
        blocks = unwrapped(model).layers
        blocks[0] = wrap(blocks[0])
        return model

    return replaced


def compiled(module):
    done = isinstance(module, torch._dynamo.eval_frame.OptimizedModule)  # torch makes no module of one of those
    return module if done else torch.compile(module, backend="eager")


WRAPPERS = {
    "DataParallel": nn.DataParallel,
    "compile": compiled,
    "checkpoint": checkpoint_wrapper,
    "averaged": AveragedModel,
    "DataParallel inside": inside(nn.DataParallel),
    "compile inside": inside(compiled),
    "checkpoint inside": inside(checkpoint_wrapper),
}
NAMES = list(dict(Net().named_parameters(remove_duplicate=False)))


def wrapped_in(names, model):
    for name in names:
        model = WRAPPERS[name](model)
    return model


def random_mask(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Mask(
        {
            name: torch.rand(p.shape, generator=generator) > 0.5
            for name, p in plain_parameters(model).items()
            if p.ndim == 2 and name != "head.weight"  # the embedding's
        }
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(sorted(WRAPPERS)), max_size=4), st.integers(0, 5))
def test_a_mask_fits_the_model_in_any_wrappers_and_plain(names, seed):
    torch.manual_seed(seed)
    plain = Net()
    model = wrapped_in(names, copy.deepcopy(plain))
    assert list(plain_parameters(model)) == NAMES
    assert type(unwrapped(model)) is Net
    assert [name for name, _ in plain_modules(model)] == [name for name, _ in plain.named_modules()]

    taken_plain, taken_wrapped = random_mask(plain, seed), random_mask(model, seed)
    assert taken_plain.count(str) == taken_wrapped.count(str)
    assert taken_wrapped.drift(plain) == taken_plain.drift(model) == taken_plain.pruned
    taken_wrapped.apply(plain)
    assert taken_plain.drift(plain) == 0

    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    with taken_plain.held(model, optimizer):
        for _ in range(2):
            for parameter in model.parameters():
                parameter.grad = torch.randn(parameter.shape)
            optimizer.step()
    assert taken_plain.drift(model) == 0
    for name, parameter in plain_parameters(model).items():
        if name in taken_plain.keep:
            assert not parameter[~taken_plain.keep[name]].any()
            assert parameter[taken_plain.keep[name]].all()


def test_the_parameters_are_the_models_own():
    model = Net()
    parameters = plain_parameters(compiled(nn.DataParallel(model)))
    assert parameters["head.weight"] is parameters["embedding.weight"] is model.embedding.weight
    assert parameters["layers.1.base_model.model.weight"] is model.layers[1].base_model["model"].weight


def test_a_module_that_holds_itself_ends_the_walk():
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].parent = model
    assert "0.weight" in plain_parameters(model)


def test_wrappers_of_libraries_that_are_not_here(monkeypatch):
    class DeepSpeedEngine(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    engine = types.ModuleType("deepspeed.runtime.engine")
    engine.DeepSpeedEngine = DeepSpeedEngine
    model = DeepSpeedEngine(Net())
    assert next(iter(plain_parameters(model))).startswith("module.")  # not known: a part that is called so
    monkeypatch.setitem(sys.modules, "deepspeed.runtime.engine", engine)
    assert list(plain_parameters(model)) == NAMES


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("module._orig_mod.layers.0.fc.weight", "layers.0.fc.weight"),
        ("_orig_mod.module.layers.0.fc.weight", "layers.0.fc.weight"),
        ("layers.0._orig_mod.fc.weight", "layers.0.fc.weight"),
        ("layers.0._checkpoint_wrapped_module.fc.weight", "layers.0.fc.weight"),
        ("_fsdp_wrapped_module.layers.0._fsdp_wrapped_module.fc.weight", "layers.0.fc.weight"),
        ("base_model.model.layers.0.fc.base_layer.weight", "layers.0.fc.weight"),
        ("base_model.model.head.modules_to_save.default.weight", "head.weight"),
        ("base_model.model.head.original_module.weight", "head.weight"),
        ("layers.0.fc.weight_orig", "layers.0.fc.weight"),
        ("layers.0.module.weight", "layers.0.module.weight"),
        ("weight_orig", "weight"),
    ],
)
def test_the_plain_name_of_a_name_alone(name, plain):
    assert plain_name(name) == plain


# PEFT

#: peft reads an attribute that transformers no longer wants read.
old_names = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")


@pytest.mark.filterwarnings("ignore")  # each kind of adapter has its own
@pytest.mark.parametrize("kind", ADAPTERS)
def test_the_mask_of_the_base_model_holds_in_a_model_with_adapters_which_train(kind):
    peft = pytest.importorskip("peft")
    base = llama()
    names = list(dict(base.named_parameters(remove_duplicate=False)))
    mask = Mask(
        {name: torch.rand(p.shape) > 0.3 for name, p in base.named_parameters() if name.endswith("proj.weight")}
    )
    config, options = ADAPTERS[kind]
    model = peft.get_peft_model(base, getattr(peft, config)(**options))
    parameters = plain_parameters(model)
    assert sorted(parameters) == sorted(names)
    assert unwrapped(compiled(model)) is base

    before = {name: p.clone() for name, p in model.named_parameters() if p.requires_grad}
    train_adapter(model, mask)
    assert mask.drift(model) == 0
    for name, kept in mask.keep.items():
        assert not parameters[name][~kept].any()
        assert parameters[name][kept].all()
    adapters = [
        n for n, p in model.named_parameters() if p.requires_grad and not any(p is q for q in parameters.values())
    ]
    after = dict(model.named_parameters())
    if adapters:  # "modules_to_save" alone trains copies of the base's own
        assert any((after[name] != before[name]).any() for name in adapters)
    assert all(after[name].count_nonzero() > 0 for name in adapters if "lora_B" in name)


@old_names
def test_a_module_that_peft_trains_whole_is_masked_where_it_is_used_and_where_it_came_from():
    peft = pytest.importorskip("peft")
    base = llama()
    name = "model.layers.0.mlp.up_proj.weight"
    mask = Mask({name: torch.rand(64, 32) > 0.5})
    config = peft.LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=["up_proj"])
    model = peft.get_peft_model(base, config)
    wrapper = base.model.layers[0].mlp.up_proj
    trained, original = wrapper.modules_to_save["default"].weight, wrapper.original_module.weight
    assert plain_parameters(model)[name] is trained
    with model.disable_adapter():
        assert plain_parameters(model)[name] is original
    mask.apply(model)
    assert not trained[~mask.keep[name]].any()
    assert not original[~mask.keep[name]].any()


def test_adapters_in_transformers_own_way_leave_the_names_as_they_were():
    peft = pytest.importorskip("peft")
    base = llama()
    names = set(dict(base.named_parameters()))
    base.add_adapter(peft.LoraConfig(r=4, target_modules=["q_proj"]))
    assert set(plain_parameters(base)) == names
    assert any("lora_" in name for name, _ in base.named_parameters())


@old_names
def test_an_adapters_factor_is_masked_when_its_own_name_says_so():
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(llama(), peft.LoraConfig(r=4, target_modules=["q_proj"]))
    name = next(name for name, _ in model.named_parameters() if "lora_A" in name)
    mask = Mask({name: torch.zeros(4, 32, dtype=torch.bool)})
    mask.apply(model)
    assert not dict(model.named_parameters())[name].any()


# Weights that are computed, or not there


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize(
    "normalise",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        parametrizations.orthogonal,
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
    ],
)
def test_a_computed_weight_is_refused_with_what_makes_it_a_parameter(normalise):
    model = nn.Sequential(nn.Tanh(), normalise(nn.Linear(4, 4)))
    mask = Mask({"1.weight": torch.eye(4) > 0})
    remedy = computed_weights(nn.DataParallel(model))["1.weight"]
    with pytest.raises(InputError, match=r"^1\.weight is computed from other parameters.*remove") as error:
        mask.apply(nn.DataParallel(model))
    assert remedy in str(error.value)
    assert "\n" not in str(error.value)
    eval(remedy, {"torch": torch, "model": model})  # what the message says to do
    mask.apply(model)
    assert mask.drift(model) == 0
    assert not computed_weights(model)


def test_a_weight_that_becomes_computed_while_a_mask_is_held_is_refused():
    model = nn.Sequential(nn.Linear(4, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with (
        pytest.raises(InputError, match="remove_parametrizations"),
        Mask({"0.weight": torch.eye(4) > 0}).held(model, optimizer),
    ):
        parametrizations.weight_norm(model[0])
        model(torch.ones(1, 4)).sum().backward()
        optimizer.step()
    assert parametrize.is_parametrized(model[0])


@pytest.mark.parametrize("act", [Mask.apply, Mask.drift])
def test_what_is_no_parameter_is_named(act):
    model = nn.Linear(2, 2)
    buffer = model.weight.detach()
    del model.weight
    model.register_buffer("weight", buffer)
    with pytest.raises(InputError, match="a buffer"):
        act(Mask({"weight": torch.eye(2) > 0}), model)
    del model.weight
    model.weight = buffer * 2
    with pytest.raises(InputError, match="a tensor that is no parameter"):
        act(Mask({"weight": torch.eye(2) > 0}), model)


def test_what_torch_has_pruned_is_masked_under_its_plain_name():
    model = nn.Sequential(nn.Linear(4, 4))
    mask = Mask({"0.weight": torch.eye(4) > 0})
    prune.custom_from_mask(model[0], "weight", torch.ones(4, 4).tril())
    assert list(plain_parameters(nn.DataParallel(model))) == ["0.bias", "0.weight"]
    assert mask.drift(model) == 6  # the upper half is zero in the model, not in weight_orig
    mask.apply(model)
    assert torch.equal(model[0].weight.detach() != 0, torch.eye(4) > 0)
    assert torch.equal(model[0].weight_orig.detach() != 0, torch.eye(4) > 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with mask.held(model, optimizer):
        for _ in range(3):
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()
            assert torch.equal(model[0].weight.detach(), (model[0].weight_orig * model[0].weight_mask).detach())
    prune.remove(model[0], "weight")
    assert torch.equal(model[0].weight.detach() != 0, torch.eye(4) > 0)
    assert mask.drift(model) == 0


@pytest.mark.parametrize("act", [Mask.apply, Mask.drift])
def test_weights_without_values_are_refused_with_what_to_do(act):
    accelerate = pytest.importorskip("accelerate")
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 4))
    mask = Mask({"0.weight": torch.eye(4) > 0})
    with pytest.raises(InputError, match="0.weight is on the device 'meta', which has no values: load"):
        act(mask, model)
    model = nn.Sequential(nn.Linear(4, 4))
    accelerate.cpu_offload(model, execution_device="cpu")
    with pytest.raises(InputError, match="0.weight is offloaded by accelerate.*remove_hook_from_submodules"):
        act(mask, model)
    accelerate.hooks.remove_hook_from_submodules(model)  # what the message says to do
    mask.apply(model)
    assert mask.drift(model) == 0


def test_weights_that_are_packed_or_cannot_be_written_are_refused_in_one_line():
    model, mask = nn.Linear(4, 4), Mask({"weight": torch.eye(4) > 0})
    model.weight = nn.Parameter(torch.ones(1, 4).expand(4, 4))
    with pytest.raises(InputError, match="^weight cannot be set to zero in place: .*single memory location"):
        mask.apply(model)
    model.weight = nn.Parameter(torch.zeros(8, 1, dtype=torch.uint8), requires_grad=False)
    model.weight.quant_state = object()  # as bitsandbytes has it
    with pytest.raises(InputError, match="^weight is quantised, several weights to a byte: prune the model first"):
        mask.apply(model)
    del model.weight
    model.register_buffer("qweight", torch.zeros(1, dtype=torch.int32))  # as GPTQ has it
    with pytest.raises(InputError, match="a quantised weight"):
        mask.apply(model)


def test_new_values_reach_the_weights_inside_of_wrappers():
    plain = nn.Sequential(nn.Linear(2, 1))
    kept, values = torch.tensor([[True, False]]), torch.tensor([[3.0, 0.0]])
    Pruned(Mask({"0.weight": kept}), {"0.weight": values}).apply(nn.DataParallel(compiled(plain)))
    assert torch.equal(plain[0].weight.detach(), values)


def test_partitioned_weights_are_refused():
    model = nn.Linear(4, 4)
    model.weight.data = torch.empty(0)
    model.weight.ds_id = 1
    with pytest.raises(InputError, match="partitioned by DeepSpeed ZeRO-3"):
        Mask({"weight": torch.eye(4) > 0}).apply(model)
    check_values("bias", model.bias)
