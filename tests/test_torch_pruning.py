"""Masks in torch's own form: there and back, in every model, copied and pickled, made final."""

import copy
import io
import pickle

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import prune

from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning.compare import compare_by_matrix, cosine
from essparse_lib.pruning.magnitude import global_magnitude, magnitude_levels
from essparse_lib.pruning.mask_io import mask_from_zeros
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights
from essparse_lib.pruning.torch_pruning import apply_torch_pruning, mask_from_torch_pruning, modules_with


def same(one, other):
    return list(one.keep) == list(other.keep) and all(torch.equal(one.keep[n], other.keep[n]) for n in one.keep)


@pytest.fixture
def bert():
    return loading.classifier("tiny-bert", 2, 0)


def inputs():
    return {"input_ids": torch.arange(5, 13).view(2, 4), "attention_mask": torch.ones(2, 4, dtype=torch.long)}


@pytest.mark.parametrize("name", ["tiny-bert", "tiny-opt"])
def test_to_torch_and_back(name):
    model, plain = loading.classifier(name, 2, 0).eval(), loading.classifier(name, 2, 0).eval()
    before = {name: weight.clone() for name, weight in prunable_weights(plain).items()}
    mask = global_magnitude(prunable_weights(model), 0.6)
    apply_torch_pruning(mask, model)
    assert prune.is_pruned(model)
    assert same(mask_from_torch_pruning(model), mask)
    assert same(mask_from_torch_pruning(model.state_dict()), mask)
    state = model.state_dict()
    for parameter, kept in mask.keep.items():
        assert torch.equal(state[f"{parameter}_mask"].bool(), kept)
        assert torch.equal(state[f"{parameter}_orig"], before[parameter])
        assert parameter not in state
    mask.apply(plain)
    with torch.no_grad():
        assert torch.equal(model(**inputs()).logits, plain(**inputs()).logits)


def test_made_final_by_torch_it_is_the_mask_applied(bert):
    mask = global_magnitude(prunable_weights(bert), 0.3)
    apply_torch_pruning(mask, bert)
    for name in mask.keep:
        prune.remove(bert.get_submodule(name.rpartition(".")[0]), "weight")
    assert not prune.is_pruned(bert)
    assert mask.drift(bert) == 0
    assert same(mask_from_zeros(prunable_weights(bert)), mask)


def test_a_state_read_back_from_disk_has_its_mask(bert, tmp_path):
    mask = global_magnitude(prunable_weights(bert), 0.3)
    apply_torch_pruning(mask, bert)
    safetensors.torch.save_model(bert, str(tmp_path / "model"))
    assert mask_from_torch_pruning(safetensors.torch.load_file(tmp_path / "model")).pruned == mask.pruned


def test_what_torch_pruned_itself_is_read():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 10))
    prune.global_unstructured([(model[0], "weight"), (model[2], "weight")], prune.L1Unstructured, amount=0.4)
    prune.random_unstructured(model[2], "bias", amount=3)
    pruned = mask_from_torch_pruning(model)
    assert set(pruned.keep) == {"0.weight", "2.weight", "2.bias"}
    assert pruned.pruned == 360 + 3
    assert torch.equal(pruned.keep["2.weight"], model[2].weight_mask.bool())
    assert mask_from_torch_pruning(model[2]).keep.keys() == {"weight", "bias"}


class Net(nn.Module):
    """Blocks of which two share a matrix, and an embedding that shares another."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(6, 6)
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6)) for _ in range(3))
        self.layers[2][0].weight = self.layers[0][0].weight
        self.embedding.weight = self.layers[1][1].weight

    def forward(self, ids):
        x = self.embedding(ids)
        for block in self.layers:
            x = block(x)
        return x


def test_a_shared_weight_is_pruned_wherever_it_is_used_and_listed_once():
    torch.manual_seed(0)
    model, plain = Net(), Net()
    plain.load_state_dict(model.state_dict())
    mask = global_magnitude(prunable_weights(model), 0.5)
    assert len(mask.keep) == 5
    apply_torch_pruning(mask, model)
    mask.apply(plain)
    ids = torch.arange(6)
    assert torch.equal(model(ids), plain(ids))
    assert model.embedding.weight_orig is model.layers[1][1].weight_orig
    assert model.layers[2][0].weight_orig is model.layers[0][0].weight_orig
    assert same(mask_from_torch_pruning(model), mask)
    assert mask_from_torch_pruning(model.state_dict()).pruned == mask.pruned  # the embedding's name comes first there


def test_a_module_used_twice_is_pruned_once():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.Tanh(), shared)
    mask = Mask({"0.weight": torch.eye(4, dtype=torch.bool)})
    apply_torch_pruning(mask, model)
    assert isinstance(next(iter(shared._forward_pre_hooks.values())), prune.CustomFromMask)
    assert same(mask_from_torch_pruning(model), mask)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"9.weight": torch.ones(2, 2)},
            r"another model: 9\.weight has shape \(2, 2\) there, no such weight here; did you mean '2\.weight'",
        ),
        ({"2.weight": torch.ones(2, 2)}, r"another model: 2\.weight has shape \(2, 2\) there, shape \(3, 4\) here$"),
    ],
)
def test_a_mask_of_another_model_changes_nothing(wrong, message):
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3))
    mask = Mask({"0.weight": torch.eye(4).bool(), **{name: t.bool() for name, t in wrong.items()}})
    with pytest.raises(InputError, match=message):
        apply_torch_pruning(mask, model)
    assert not prune.is_pruned(model)
    assert isinstance(model[0].weight, nn.Parameter)


def test_a_model_that_torch_has_pruned_is_refused():
    model = nn.Sequential(nn.Linear(4, 4))
    mask = Mask({"0.weight": torch.eye(4).bool()})
    apply_torch_pruning(mask, model)
    with pytest.raises(InputError, match=r"^0\.weight is pruned by torch\.nn\.utils\.prune already"):
        apply_torch_pruning(mask, model)


def test_where_nothing_is_pruned_there_is_no_mask_to_read(bert):
    for source in (bert, bert.state_dict(), {}, {"attention_mask": torch.ones(3)}):
        with pytest.raises(InputError, match="^nothing is pruned there"):
            mask_from_torch_pruning(source)


def test_a_mask_of_fractions_is_refused():
    state = {"w_orig": torch.ones(2), "w_mask": torch.tensor([1.0, 0.5])}
    with pytest.raises(InputError, match="^w_mask is no mask: it holds other values than 0 and 1"):
        mask_from_torch_pruning(state)


def test_owners_are_all_modules_with_the_parameter():
    model = Net()
    kept = torch.ones(6, 6, dtype=torch.bool)
    assert modules_with(model, "layers.1.0.weight", kept) == [(model.layers[1][0], "weight")]
    assert modules_with(model, "layers.2.0.weight", kept) == [
        (model.layers[0][0], "weight"),
        (model.layers[2][0], "weight"),
    ]
    assert {type(m) for m, _ in modules_with(model, "layers.1.1.weight", kept)} == {nn.Embedding, nn.Linear}
    assert set(prunable_matrices(model)) == {
        f"layers.{b}.{i}.weight" for b, i in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 1))
    }


# Copies, and models of all kinds


class Experts(nn.Module):
    """Two experts in one parameter, and an attention that reads its output projection without calling it."""

    def __init__(self):
        super().__init__()
        self.up = nn.Parameter(torch.randn(2, 8, 8) / 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        x = torch.einsum("bti,eio->bto", x, self.up).tanh()
        return self.attention(x, x, x)[0]


def experts():
    torch.manual_seed(0)
    return Experts()


def half(model):
    """A mask that removes every second weight of all parameters that are matrices, or several in one."""
    keep = {}
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            keep[name] = (torch.arange(parameter.numel()) % 2 == 0).view(parameter.shape)
    return Mask(keep)


def trained(model, inputs, steps=2):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        outputs = model(inputs)
        loss = getattr(outputs, "logits", outputs).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


KINDS = {
    "experts": (experts, torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(1))),
    "bert": (lambda: loading.classifier("tiny-bert", 2, 0).eval(), torch.arange(5, 13).view(2, 4)),
    "opt": (lambda: loading.classifier("tiny-opt", 2, 0).eval(), torch.arange(5, 13).view(2, 4)),
}
COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "torch": lambda model: torch.load(_saved(model), weights_only=False),
}


def _saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", COPIES)
def test_a_pruned_model_can_be_copied_at_any_time(kind, way):
    make, inputs = KINDS[kind]
    model = make()
    mask = half(model)
    apply_torch_pruning(mask, model)
    stages = [lambda: None, lambda: model(inputs), lambda: trained(model, inputs), lambda: mask.apply(model)]
    for stage in stages:
        stage()
        other = COPIES[way](model)
        assert same(mask_from_torch_pruning(other), mask_from_torch_pruning(model))
        values = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        trained(other, inputs)
        assert all(torch.equal(tensor, values[name]) for name, tensor in model.state_dict().items())
        for name, weight in other.named_parameters():
            if name.endswith("_orig"):  # the copy has been trained
                assert not torch.equal(weight, values[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_as_a_model_whose_weights_are_held_at_zero(kind):
    make, inputs = KINDS[kind]
    model, plain = make(), make()
    mask = half(model)
    apply_torch_pruning(mask, model)
    trained(model, inputs)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    with mask.held(plain, optimizer):
        for _ in range(2):
            outputs = plain(inputs)
            optimizer.zero_grad()
            getattr(outputs, "logits", outputs).square().sum().backward()
            optimizer.step()
    for module in list(model.modules()):
        for name in [n.removesuffix("_orig") for n, _ in module.named_parameters(recurse=False) if n.endswith("_orig")]:
            prune.remove(module, name)
    for name, weight in plain.named_parameters():
        torch.testing.assert_close(model.get_parameter(name), weight)
    assert mask.drift(model) == 0
    left = [hook for module in model.modules() for hook in module._forward_hooks.values()]
    assert len(left) == sum(isinstance(module, nn.MultiheadAttention) for module in model.modules())
    copy.deepcopy(trained(model, inputs))


def test_masks_of_experts_go_through_all_that_takes_masks():
    model = experts()
    weights = {name: p.detach() for name, p in model.named_parameters() if p.dim() > 1}
    levels = magnitude_levels(weights, [0.2, 0.1 * 6])
    mask = levels.mask(0.6)
    assert mask.keep["up"].shape == (2, 8, 8) and mask.pruned == int(0.6 * (128 + 192 + 64))
    assert cosine(mask, mask).value == 1 and compare_by_matrix(cosine, mask, levels.mask(0.2)).keys() == weights.keys()
    apply_torch_pruning(mask, model)
    assert {n: k.tolist() for n, k in mask_from_torch_pruning(model).keep.items()} == {
        n: k.tolist() for n, k in mask.keep.items()
    }
    plain = experts()
    mask.apply(plain)
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(model(x), plain(x))


def test_a_state_goes_into_a_model_that_is_pruned_likewise(bert):
    other = loading.classifier("tiny-bert", 2, 1).eval()
    mask = half(bert)
    apply_torch_pruning(mask, bert.eval())
    apply_torch_pruning(Mask({name: torch.ones_like(kept) for name, kept in mask.keep.items()}), other)
    other.load_state_dict(bert.state_dict())
    with torch.no_grad():
        assert torch.equal(other(**inputs()).logits, bert(**inputs()).logits)
    assert same(mask_from_torch_pruning(other), mask_from_torch_pruning(bert))


def test_made_final_it_is_saved_as_any_model(bert, tmp_path):
    mask = half(bert)
    apply_torch_pruning(mask, bert)
    trained(bert, inputs()["input_ids"])
    for name in mask.keep:
        path, _, attribute = name.rpartition(".")
        prune.remove(bert.get_submodule(path), attribute)
    bert.save_pretrained(tmp_path)
    again = type(bert).from_pretrained(tmp_path)
    assert mask.drift(again) == 0
    assert all(torch.equal(weight, bert.get_parameter(name)) for name, weight in again.named_parameters())


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
def test_a_wrapped_model_is_pruned_by_its_plain_names(bert, wrap):
    mask = half(bert)
    wrapped = wrap(bert)
    apply_torch_pruning(mask, wrapped)
    assert set(mask_from_torch_pruning(wrapped).keep) == set(mask.keep) == set(mask_from_torch_pruning(bert).keep)
    state = mask_from_torch_pruning(wrapped.state_dict())
    assert set(state.keep) == set(mask.keep)
    with pytest.raises(InputError, match="is pruned by torch"):
        apply_torch_pruning(mask, wrapped)


def test_more_pruning_by_torch_itself_goes_on_top():
    model = nn.Sequential(nn.Linear(4, 4))
    apply_torch_pruning(Mask({"0.weight": torch.eye(4).bool()}), model)
    prune.l1_unstructured(model[0], "weight", amount=2)
    trained(model, torch.ones(1, 4), steps=1)
    assert mask_from_torch_pruning(copy.deepcopy(trained(model, torch.ones(1, 4), steps=1))).pruned == 14
    prune.remove(model[0], "weight")
    assert int((model[0].weight == 0).sum()) == 14 and isinstance(model[0].weight, nn.Parameter)


def test_weights_without_values_are_refused():
    model = nn.Sequential(nn.Linear(4, 4)).to("meta")
    with pytest.raises(InputError, match=r"^0\.weight is on the device 'meta'"):
        apply_torch_pruning(Mask({"0.weight": torch.eye(4).bool()}), model)


def test_masks_of_different_models_name_the_nearest_weights():
    one = Mask({"encoder.layer.0.weight": torch.eye(2).bool()})
    other = Mask({"bert.encoder.layer.0.weight": torch.eye(2).bool()})
    with pytest.raises(InputError, match=r"absent in the other; did you mean 'bert\.encoder\.layer\.0\.weight'\?$"):
        cosine(one, other)
    model = nn.Sequential(nn.Linear(2, 2))
    for use in (lambda mask: mask.apply(model), lambda mask: apply_torch_pruning(mask, model)):
        with pytest.raises(InputError, match=r"no such weight here; did you mean '0\.weight'\?$"):
            use(Mask({"1.weight": torch.eye(2).bool()}))
