"""Masks: applied, held through training, measured after it, refused on another model."""

import pytest
import torch
import transformers
from torch import nn

from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.masks import Count, Mask, zeros_and_size
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights

OPTIMIZERS = {
    "fused AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, fused=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, fused=False, foreach=False),
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.005, momentum=0.9, weight_decay=0.01),
    "Adafactor": lambda p: torch.optim.Adafactor(p, lr=0.02, weight_decay=0.01),
    "transformers' Adafactor": lambda p: transformers.Adafactor(p, lr=0.005, relative_step=False, weight_decay=0.01),
}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(12, 12), nn.Tanh()) for _ in range(2))
        self.head = nn.Linear(12, 1)

    def forward(self, x):
        for block in self.layers:
            x = block(x)
        return self.head(x)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


def steps(model, optimizer, count=50, accumulate=1, after=lambda: None):
    generator = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(count):
        for _ in range(accumulate):
            x = torch.randn(8, 12, generator=generator)
            loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        after()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_removed_weight_is_ever_other_than_zero(optimizer, accumulate, net):
    mask = global_magnitude(prunable_weights(net), 0.6)
    before = {name: weight.clone() for name, weight in prunable_weights(net).items()}
    optimizer = OPTIMIZERS[optimizer](net.parameters())
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 10, 250)
    drifts = []

    def after():
        schedule.step()
        drifts.append(mask.drift(net))
        if len(drifts) == 100:  # half way: saved and read back, the optimizer too
            net.load_state_dict({name: value.clone() for name, value in net.state_dict().items()})
            optimizer.load_state_dict(optimizer.state_dict())

    with mask.held(net, optimizer):
        assert zeros_and_size(prunable_weights(net)) == (mask.pruned, 288)  # before the first step
        losses = steps(net, optimizer, 200, accumulate, after)
    assert drifts == [0] * 200
    assert zeros_and_size(prunable_weights(net)) == (int(0.6 * 288), 288)
    assert losses[-1] < losses[0]
    moved = [(prunable_weights(net)[n] != before[n])[kept] for n, kept in mask.keep.items()]
    assert torch.cat(moved).float().mean() > 0.9  # the survivors learn


def test_survivors_move_as_if_the_removed_weights_did_not_exist(net):
    """Against the slow way: weights multiplied by the mask in the forward pass, by torch's own pruning."""
    from torch.nn.utils import prune

    mask = global_magnitude(prunable_weights(net), 0.5)
    other = Net()
    other.load_state_dict(net.state_dict())
    for number, block in enumerate(other.layers):
        prune.custom_from_mask(block[0], "weight", mask.keep[f"layers.{number}.0.weight"])
    ours, theirs = (torch.optim.Adam(m.parameters(), lr=0.01) for m in (net, other))
    with mask.held(net, ours):
        steps(net, ours)
    steps(other, theirs)
    for block, reference in zip(net.layers, other.layers, strict=True):
        torch.testing.assert_close(block[0].weight, reference[0].weight_orig * reference[0].weight_mask)


def test_after_the_block_the_mask_is_no_longer_held(net):
    mask = global_magnitude(prunable_weights(net), 0.5)
    optimizer = OPTIMIZERS["fused AdamW"](net.parameters())
    with mask.held(net, optimizer):
        steps(net, optimizer, 1)
    assert mask.drift(net) == 0
    steps(net, optimizer, 1)
    assert mask.drift(net) > 0


def test_an_error_within_the_block_lets_go_of_the_mask(net):
    mask = global_magnitude(prunable_weights(net), 0.5)
    optimizer = OPTIMIZERS["fused AdamW"](net.parameters())
    with pytest.raises(RuntimeError, match="stop"), mask.held(net, optimizer):
        raise RuntimeError("stop")
    steps(net, optimizer, 1)
    assert mask.drift(net) > 0


def test_drift_counts_removed_weights_that_are_not_zero(net):
    mask = global_magnitude(prunable_weights(net), 0.5)
    assert mask.drift(net) == mask.pruned == 144
    mask.apply(net)
    assert mask.drift(net) == 0
    name, kept = next(iter(mask.keep.items()))
    weight = prunable_weights(net)[name]
    first, second = (~kept).nonzero()[:2].tolist()
    weight[tuple(first)], weight[tuple(second)] = 1e-30, float("nan")
    weight[tuple(kept.nonzero()[0].tolist())] = 5  # a survivor may be anything
    assert mask.drift(net) == 2


def test_applying_touches_removed_weights_alone(net):
    before = {name: parameter.clone() for name, parameter in net.named_parameters()}
    mask = global_magnitude(prunable_weights(net), 0.3)
    mask.apply(net)
    mask.apply(net)  # twice is once
    for name, parameter in net.named_parameters():
        kept = mask.keep.get(name, torch.ones_like(parameter, dtype=torch.bool))
        assert torch.equal(parameter.detach(), before[name].masked_fill(~kept, 0))
        assert parameter.requires_grad


def test_a_weight_shared_with_a_module_outside_the_blocks_is_masked(net):
    model = nn.Module()
    model.embedding = nn.Embedding(12, 12)
    model.net = net
    model.embedding.weight = net.layers[1][0].weight
    mask = global_magnitude(prunable_weights(model), 0.5)
    mask.apply(model)
    assert mask.drift(model) == 0
    assert zeros_and_size(prunable_weights(model)) == (144, 288)


@pytest.mark.parametrize("act", [Mask.apply, Mask.drift])
def test_a_mask_of_another_model_is_refused_and_nothing_is_touched(act, net):
    mask = global_magnitude(prunable_weights(net), 0.5)
    fewer = Mask({**mask.keep, "layers.2.0.weight": torch.ones(12, 12, dtype=torch.bool)})
    wider = Mask({**mask.keep, "head.weight": torch.ones(2, 12, dtype=torch.bool)})
    with pytest.raises(InputError, match=r"another model: layers\.2\.0\.weight has shape \(12, 12\) there, no such"):
        act(fewer, net)
    with pytest.raises(InputError, match=r"head\.weight has shape \(2, 12\) there, shape \(1, 12\) here"):
        act(wider, net)
    assert zeros_and_size(prunable_weights(net)) == (0, 288)


def test_a_mask_that_is_not_boolean_is_refused():
    with pytest.raises(TypeError, match="mask of w has dtype"):
        Mask({"w": torch.ones(2, 2)})


def test_size_pruned_and_sparsity_of_a_mask():
    mask = Mask({"a": torch.tensor([[True, False], [False, True]]), "b": torch.zeros(4, dtype=torch.bool)})
    assert (mask.size, mask.pruned, mask.sparsity) == (8, 6, 0.75)
    assert Mask({}).sparsity == 0


def test_what_goes_is_counted_matrix_by_matrix_and_of_several_together():
    model = loading.classifier("tiny-bert", 2, 0)
    matrices = prunable_matrices(model)
    mask = global_magnitude(prunable_weights(model), 0.4)
    single = mask.count(str)
    assert list(single) == list(matrices)
    for name, count in single.items():
        assert count == Count(int((~mask.keep[name]).sum()), matrices[name].weight.numel())
    components = mask.count(lambda name: matrices[name].component)
    assert list(components) == ["query", "key", "value", "attention output", "intermediate", "output"]
    assert [count.size for count in components.values()] == [2048] * 4 + [4096] * 2
    depths = mask.count(lambda name: matrices[name].depth)
    assert [count.size for count in depths.values()] == [8192, 8192]
    for counts in (components, depths):
        assert sum(counts.values(), Count(0, 0)) == Count(mask.pruned, mask.size)


def test_masks_combine_by_what_both_and_what_either_keeps():
    one = Mask({"a": torch.tensor([True, True, False, False]), "b": torch.tensor([True])})
    other = Mask({"b": torch.tensor([False]), "a": torch.tensor([True, False, True, False])})
    assert (one & other).keep["a"].tolist() == [True, False, False, False] and not (one & other).keep["b"]
    assert (one | other).keep["a"].tolist() == [True, True, True, False] and (one | other).keep["b"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": torch.ones(3, dtype=torch.bool)}, r"of different models: a is \(2,\) in one and \(3,\) in the other"),
        ({}, r"a is \(2,\) in one and absent in the other"),
        (
            {"a": torch.ones(2, dtype=torch.bool), "b": torch.ones(1, dtype=torch.bool)},
            r"b is absent in one and \(1,\)",
        ),
    ],
)
def test_masks_of_different_models_do_not_combine(other, message):
    with pytest.raises(InputError, match=message):
        Mask({"a": torch.ones(2, dtype=torch.bool)}) | Mask(other)


def test_measured_sparsity_counts_exact_zeros():
    tensors = {"a": torch.tensor([[0.0, -0.0, 1e-38], [1.0, float("nan"), 0.0]]), "b": torch.zeros(2).half()}
    assert zeros_and_size(tensors) == (5, 8)
    assert zeros_and_size({}) == (0, 0)


@pytest.mark.parametrize("name", ["tiny-bert", "tiny-mpnet", "tiny-opt"])
def test_a_pruned_model_is_saved_and_read_with_its_zeros(name, tmp_path):
    from transformers import AutoModelForSequenceClassification

    model = loading.classifier(name, 2, 0)
    mask = global_magnitude(prunable_weights(model), 0.7)
    mask.apply(model)
    model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert mask.drift(again) == 0
    assert zeros_and_size(prunable_weights(again)) == (mask.pruned, mask.size)
