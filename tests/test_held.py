"""A mask is held whatever happens to the model and the optimizer meanwhile, or an error says that it was not."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.utils.checkpoint import checkpoint

from essparse_lib.errors import InputError
from essparse_lib.pruning.masks import Mask

SIZE = 12


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(SIZE, SIZE), nn.Tanh()) for _ in range(2))
        self.head = nn.Linear(SIZE, 1)

    def forward(self, x):
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False)
        return self.head(x)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def mask(net):
    generator = torch.Generator().manual_seed(1)
    names = [f"layers.{i}.0.weight" for i in range(2)]
    return Mask({name: torch.rand(SIZE, SIZE, generator=generator) > 0.5 for name in names})


def loss_of(model):
    parameter = next(model.parameters())
    x = torch.randn(8, SIZE).to(parameter.device, parameter.dtype)
    return (model(x) - x.sum(1, keepdim=True)).square().mean()


def train(model, optimizer, steps=3):
    for _ in range(steps):
        loss_of(model).backward()
        optimizer.step()
        optimizer.zero_grad()


def nonzero_by_hand(model, mask):
    """Return how many removed weights are not +0, from the bits of the layers themselves."""
    total = 0
    for i in range(2):
        layer = next(part for part in model.layers[i].modules() if isinstance(part, nn.Linear))
        removed = layer.weight.detach()[~mask.keep[f"layers.{i}.0.weight"].to(model.head.weight.device)]
        total += int(((removed != 0) | removed.signbit()).sum())
    return total


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)


# What happens to the model


def to_dtype(model, optimizer):
    model.to(torch.float64)


def loaded_by_assignment(model, optimizer):
    model.load_state_dict(copy.deepcopy(model.state_dict()), assign=True)
    optimizer.param_groups[0]["params"][:] = list(model.parameters())


def replaced_parameter(model, optimizer):
    layer = model.layers[0][0]
    layer.weight = nn.Parameter(torch.randn(SIZE, SIZE))
    optimizer.add_param_group({"params": [layer.weight]})


def replaced_data(model, optimizer):
    model.layers[0][0].weight.data = torch.randn(SIZE, SIZE)


def replaced_module(model, optimizer):
    model.layers[0][0] = nn.Linear(SIZE, SIZE)
    optimizer.add_param_group({"params": list(model.layers[0][0].parameters())})


def replaced_block(model, optimizer):
    model.layers[1] = nn.Sequential(nn.Linear(SIZE, SIZE))
    optimizer.add_param_group({"params": list(model.layers[1].parameters())})


def tied(model, optimizer):
    model.layers[1][0].weight = model.layers[0][0].weight


def new_group(model, optimizer):
    layer = model.layers[1][0]
    optimizer.param_groups[0]["params"] = [p for p in model.parameters() if p is not layer.weight]
    optimizer.add_param_group({"params": [layer.weight], "lr": 0.1})


def compiled_in_part(model, optimizer):
    model.layers[0] = torch.compile(model.layers[0], backend="eager")


def pruned_by_torch(model, optimizer):
    prune.random_unstructured(model.layers[0][0], "weight", amount=0.1)


def loaded_values(model, optimizer):
    model.load_state_dict(Net().state_dict())


def swapped(model, optimizer):
    try:
        torch.__future__.set_swap_module_params_on_conversion(True)
        model.to(torch.float64)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


CHANGES = [
    to_dtype,
    loaded_by_assignment,
    replaced_parameter,
    replaced_data,
    replaced_module,
    replaced_block,
    tied,
    new_group,
    compiled_in_part,
    pruned_by_torch,
    loaded_values,
    swapped,
]


@pytest.mark.parametrize("steps_before", [0, 2])
@pytest.mark.parametrize("change", CHANGES)
def test_the_mask_is_held_when_the_model_changes(change, steps_before, net, mask):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    with mask.held(net, optimizer):
        train(net, optimizer, steps_before)
        change(net, optimizer)
        if change in (to_dtype, swapped):
            optimizer.state.clear()  # torch's momentum keeps the old precision
        for _ in range(3):
            train(net, optimizer, 1)
            assert nonzero_by_hand(net, mask) == 0
    assert nonzero_by_hand(net, mask) == mask.drift(net) == 0


def test_a_removed_module_is_an_error(net, mask):
    optimizer = adamw(net)
    with (
        pytest.raises(InputError, match=r"another model: layers\.1\.0\.weight .* no such weight"),
        mask.held(net, optimizer),
    ):
        del net.layers[1]
        train(net, optimizer)


def test_a_weight_of_another_shape_is_an_error(net, mask):
    optimizer = adamw(net)
    message = r"layers\.0\.0\.weight has shape \(12, 12\) there, shape \(12, 6\) here"
    with pytest.raises(InputError, match=message), mask.held(net, optimizer):
        net.layers[0][0].weight = nn.Parameter(torch.ones(SIZE, 6))
        optimizer.step()


def test_weights_that_lose_their_values_are_an_error(net, mask):
    optimizer = adamw(net)
    with pytest.raises(InputError, match="'meta', which has no values"), mask.held(net, optimizer):
        net.to("meta")


# Who trains it


def test_another_optimizer_is_an_error_with_numbers_and_the_weights_are_zero(net, mask):
    optimizer, other = adamw(net), adamw(net)
    message = rf"{mask.pruned} of its {mask.pruned} removed weights were not zero"
    with pytest.raises(InputError, match=message), mask.held(net, optimizer):
        train(net, other)
    assert nonzero_by_hand(net, mask) == 0


def test_several_optimizers_hold_the_mask_together(net, mask):
    matrices = [p for p in net.parameters() if p.ndim == 2]
    vectors = [p for p in net.parameters() if p.ndim < 2]
    first, second = torch.optim.SGD(vectors, lr=0.1), torch.optim.AdamW(matrices, lr=0.1)
    with mask.held(net, [first, second]):
        for _ in range(3):
            loss_of(net).backward()
            first.step()
            second.step()
            assert nonzero_by_hand(net, mask) == 0


def test_an_optimizer_of_another_model_is_an_error(net, mask):
    message = "none of the 6 parameters that the optimizer trains is the model's"
    with pytest.raises(InputError, match=message), mask.held(net, adamw(copy.deepcopy(net))):
        raise AssertionError("entered")


def test_a_head_elsewhere_may_be_trained_beside_a_frozen_model(net, mask):
    net.requires_grad_(False)
    head = nn.Linear(1, 1)
    optimizer = adamw(head)
    with mask.held(net, optimizer):
        head(net(torch.ones(1, SIZE))).sum().backward()
        optimizer.step()
    assert nonzero_by_hand(net, mask) == 0


def test_an_optimizer_that_lost_the_model_is_an_error(net, mask):
    optimizer = adamw(net)
    with pytest.raises(InputError, match="none of the 6 parameters"), mask.held(net, optimizer):
        net.load_state_dict(copy.deepcopy(net.state_dict()), assign=True)
        train(net, optimizer)


@pytest.mark.parametrize(
    "make", [lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda _: 1.0), lambda o: None, lambda o: []]
)
def test_what_is_no_optimizer_is_an_error(make, net, mask):
    message = "held through the steps of an optimizer, not of a (LambdaLR|NoneType|list)"
    with pytest.raises(InputError, match=message), mask.held(net, make(adamw(net))):
        raise AssertionError("entered")


def test_what_is_no_model_is_an_error(net, mask):
    with pytest.raises(InputError, match="applied to a PyTorch model, not to a AdamW"):
        mask.apply(adamw(net))


class MasterCopies:
    """An optimizer as of mixed precision: it trains copies and writes them into the model after each step."""

    def __init__(self, model):
        self.model = model
        self.copies = [p.detach().clone().double().requires_grad_() for p in model.parameters()]
        self.optimizer = torch.optim.AdamW(self.copies, lr=0.01)

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    def step(self):
        for copied, parameter in zip(self.copies, self.model.parameters(), strict=True):
            copied.grad = parameter.grad.double()
        self.optimizer.step()
        with torch.no_grad():
            for copied, parameter in zip(self.copies, self.model.parameters(), strict=True):
                parameter.copy_(copied)

    def zero_grad(self):
        self.model.zero_grad()


def test_an_optimizer_with_copies_of_the_weights_holds_the_mask(net, mask):
    optimizer = MasterCopies(net)
    with mask.held(net, optimizer):
        train(net, optimizer)
        assert nonzero_by_hand(net, mask) == 0
    assert "step" not in vars(optimizer)
    train(net, optimizer)
    assert nonzero_by_hand(net, mask) > 0


@pytest.mark.parametrize("accumulate", [1, 2])
def test_accelerates_prepared_model_and_optimizer_hold_the_mask(accumulate, net, mask):
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
    model, optimizer = accelerator.prepare(net, adamw(net))
    before = net.head.weight.detach().clone()
    with mask.held(model, optimizer):
        for _ in range(4):
            with accelerator.accumulate(model):
                accelerator.backward(loss_of(model))
                optimizer.step()
                optimizer.zero_grad()
            assert nonzero_by_hand(net, mask) == 0
    assert (net.head.weight != before).any()
    assert "step" not in vars(optimizer)


def test_a_gradient_scaler_holds_the_mask_and_skips_steps(net, mask):
    scaler, optimizer = torch.amp.GradScaler("cpu", init_scale=2.0), adamw(net)
    with mask.held(net, optimizer):
        for scale in (1.0, math.inf, 1.0):
            scaler.scale(loss_of(net) * scale).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            assert nonzero_by_hand(net, mask) == 0


OPTIMIZERS = {
    "LBFGS": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=4),
    "fused Adam": lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
    "foreach SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, foreach=True),
    "Adafactor": lambda p: torch.optim.Adafactor(p, lr=0.01),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "Rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_with_a_closure_ends_with_the_mask(optimizer, net, mask):
    optimizer = OPTIMIZERS[optimizer](list(net.parameters()))

    def closure():
        optimizer.zero_grad()
        loss = loss_of(net)
        loss.backward()
        return loss

    with mask.held(net, optimizer):
        for _ in range(3):
            optimizer.step(closure)
            assert nonzero_by_hand(net, mask) == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own, as it compiles
def test_a_compiled_model_and_a_compiled_step_hold_the_mask(net, mask):
    model, optimizer = torch.compile(net, backend="eager"), adamw(net)
    step = torch.compile(optimizer.step, backend="eager")
    with mask.held(model, optimizer):
        for _ in range(3):
            loss_of(model).backward()
            step()
            assert nonzero_by_hand(net, mask) == 0


def test_a_model_that_is_saved_and_read_trains_on_under_the_mask(net, mask, tmp_path):
    optimizer = adamw(net)
    with mask.held(net, optimizer):
        train(net, optimizer)
        torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "state")
    saved = torch.load(tmp_path / "state", weights_only=True)
    again = Net()
    again.load_state_dict(saved["model"])
    assert mask.drift(again) == 0
    optimizer = adamw(again)
    optimizer.load_state_dict(saved["optimizer"])
    with mask.held(again, optimizer):
        train(again, optimizer)
    assert nonzero_by_hand(again, mask) == 0


# What removed weights become


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.complex64]
)
def test_removed_weights_are_set_to_zero_whatever_they_were(dtype):
    values = torch.tensor([math.nan, math.nan, -1.0, 2.0, -0.0, 1e-3]).to(dtype)
    layer = nn.Linear(3, 2, bias=False)
    layer.weight = nn.Parameter(values.clone().view(2, 3).T.contiguous().T)  # not contiguous
    kept = torch.tensor([[False, True, False], [True, False, True]])
    mask = Mask({"weight": kept})
    assert mask.drift(layer) == 2  # the NaN and the −1; −0 is zero
    mask.apply(layer)
    after = layer.weight.detach().to(torch.complex128 if dtype.is_complex else torch.float64)
    assert mask.drift(layer) == 0
    assert (after[~kept] == 0).all()
    if not dtype.is_complex:
        assert not after[~kept].signbit().any()
    expected = values.view(2, 3).to(after.dtype)[kept]
    assert torch.equal(after[kept].nan_to_num(7), expected.nan_to_num(7))


def test_infinite_weights_become_zero_and_nan_that_stays_stays():
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.tensor([[math.inf, -math.inf], [math.nan, math.nan]])
    mask = Mask({"weight": torch.tensor([[False, False], [False, True]])})
    assert mask.drift(layer) == 3
    mask.apply(layer)
    assert layer.weight.tolist()[0] == [0.0, 0.0]
    assert layer.weight[1, 0] == 0
    assert layer.weight[1, 1].isnan()


def test_an_error_of_the_mask_leaves_every_weight_as_it_was(net, mask):
    before = {name: p.clone() for name, p in net.named_parameters()}
    net.head = nn.Linear(SIZE, 1, device="meta")
    wider = Mask({**mask.keep, "head.weight": torch.zeros(1, SIZE, dtype=torch.bool)})
    with pytest.raises(InputError, match="meta"):
        wider.apply(net)
    assert all(torch.equal(p, before[name]) for name, p in net.named_parameters() if "layers" in name)
