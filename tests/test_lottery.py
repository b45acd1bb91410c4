"""The lottery: rounds of training, pruning and rewinding, that go on where they were cut short."""

import numpy as np
import pytest
import torch
from torch import nn

from essparse_lib.errors import InputError
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.specs.trial import lottery_rounds
from essparse_lib.training.lottery import keep_round, lottery


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(10, 10)) for _ in range(2))
        self.head = nn.Linear(10, 1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


class Training:
    """Adds to each weight one number, the same in every round, where the mask lets it; remembers what it was given."""

    def __init__(self, fail_at=None):
        generator = torch.Generator().manual_seed(1)
        self.change = [torch.randn(10, 10, generator=generator) * 0.1 for _ in range(2)]
        self.began, self.masks, self.fail_at = [], [], fail_at

    @torch.no_grad()
    def __call__(self, model, mask):
        if len(self.masks) == self.fail_at:
            raise KeyboardInterrupt
        self.masks.append(mask)
        self.began.append({name: value.clone() for name, value in model.state_dict().items()})
        for block, change in zip(model.layers, self.change, strict=True):
            block[0].weight += change
        model.head.weight += 1
        if mask is not None:
            mask.apply(model)


def flat(mask):
    return torch.cat([kept.flatten() for kept in mask.keep.values()])


@pytest.mark.parametrize(
    ("sparsity", "rate", "levels"),
    [(0.3, 0.1, [0.1, 0.2, 0.3]), (0.25, 0.1, [0.1, 0.2, 0.25]), (0.05, 0.1, [0.05]), (0.0, 0.1, []),
     (0.7, 0.1, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]), (0.1 * 3, 0.1, [0.1, 0.2, 0.3]), (0.6, 0.1 * 3, [0.3, 0.6]),
     (2 / 3, 1 / 3, [0.333333333333, 0.666666666667]), (0.666667, 0.333333, [0.333333, 0.666667]),
     (0.5, 0.2, [0.2, 0.4, 0.5]), (0.5, 0.9, [0.5]), (np.float32(0.3), np.float32(0.1), [0.1, 0.2, 0.3])],
)  # fmt: skip
def test_each_round_removes_a_further_share_of_the_original_weights(sparsity, rate, levels):
    assert lottery_rounds(sparsity, rate) == levels


def test_every_round_begins_at_the_start_and_holds_the_mask_so_far(net):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    train = Training()
    mask = lottery(net, train, 0.3)
    assert [m and m.pruned for m in train.masks] == [None, 20, 40]
    for began in train.began:
        assert all(torch.equal(began[name], value) for name, value in before.items())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    for less, more in zip([m for m in train.masks if m], [*train.masks[2:], mask], strict=True):
        assert not (flat(more) & ~flat(less)).any()
    assert mask.pruned == 60


def test_the_mask_is_chosen_among_the_trained_weights(net):
    train = Training()
    mask = lottery(net, train, 0.1)
    trained = {name: w + change for (name, w), change in zip(prunable_weights(net).items(), train.change, strict=True)}
    assert torch.equal(flat(mask), flat(global_magnitude(trained, 0.1)))
    assert not torch.equal(flat(mask), flat(global_magnitude(prunable_weights(net), 0.1)))


def test_a_search_cut_short_goes_on_where_it_was(net, tmp_path):
    whole = lottery(net, Training(), 0.5)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(KeyboardInterrupt):
        lottery(net, Training(fail_at=3), 0.5, folder=tmp_path)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    train = Training()
    assert torch.equal(flat(lottery(net, train, 0.5, folder=tmp_path)), flat(whole))
    assert [m.pruned for m in train.masks] == [60, 80]
    deeper = Training()
    lottery(net, deeper, 0.6, folder=tmp_path)
    assert [m.pruned for m in deeper.masks] == [100]


def test_a_round_whose_training_was_done_elsewhere_is_kept(net, tmp_path):
    original = {name: w.clone() for name, w in prunable_weights(net).items()}
    whole = lottery(net, Training(), 0.2)
    lottery(net, Training(), 0.1, folder=tmp_path)
    trained = Net()
    trained.load_state_dict(net.state_dict())
    Training()(trained, lottery(net, Training(), 0.1, folder=tmp_path))
    keep_round(trained, original, 0.2, tmp_path)
    none = Training()
    assert torch.equal(flat(lottery(net, none, 0.2, folder=tmp_path)), flat(whole))
    assert not none.masks


def test_it_rewinds_to_another_checkpoint(net):
    start = {name: value * 2 for name, value in net.state_dict().items()}
    before = {name: value.clone() for name, value in net.state_dict().items()}
    train = Training()
    lottery(net, train, 0.2, start=start)
    assert all(torch.equal(began[name], value) for began in train.began for name, value in start.items())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_masks_of_another_model_are_not_gone_on_from(net, tmp_path):
    lottery(net, Training(), 0.2, folder=tmp_path)
    with torch.no_grad():
        net.layers[0][0].weight[0, 0] += 1
    with pytest.raises(InputError, match="was made for other weights"):
        lottery(net, Training(), 0.3, folder=tmp_path)


def test_nothing_to_remove_needs_no_training(net):
    train = Training()
    mask = lottery(net, train, 0.0)
    assert isinstance(mask, Mask) and mask.pruned == 0 and not train.masks


BAD_RATES = [0, 0.0, -0.1, 1, 1.5, float("nan"), float("inf"), True, None, "0.1", 1e-9, [0.1], np.array([0.1, 0.2])]


@pytest.mark.parametrize("rate", BAD_RATES, ids=repr)
def test_a_rate_that_never_arrives_is_refused_before_any_training(net, tmp_path, rate):
    train = Training()
    with pytest.raises(InputError, match=r"^rate .* is not allowed: give a fraction from 0\.001 to below 1") as error:
        lottery(net, train, 0.5, rate=rate, folder=tmp_path / "masks")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="^rate "):
        lottery_rounds(0.5, rate)
    assert not train.masks and not list(tmp_path.iterdir())


@pytest.mark.parametrize("sparsity", [-0.1, 1, "x", None, True, float("nan")])
def test_a_sparsity_out_of_range_is_refused_before_any_training(net, tmp_path, sparsity):
    train = Training()
    with pytest.raises(InputError, match=r"^sparsity .* is not allowed"):
        lottery(net, train, sparsity, folder=tmp_path / "masks")
    assert not train.masks and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("sparsity", "rate"), [(0.5, 0.15), (2 / 3, 1 / 3), (0.1 * 3, 0.1), (0.995, 0.5), (0.5, 0.5)])
def test_the_sparsity_is_reached_exactly(net, sparsity, rate):
    train = Training()
    assert lottery(net, train, sparsity, rate).pruned == int(sparsity * 200 + 1e-9)
    assert len(train.masks) == len(lottery_rounds(sparsity, rate))


def test_masks_of_another_rate_are_not_gone_on_from(net, tmp_path):
    lottery(net, Training(), 0.2, folder=tmp_path)
    lottery(net, Training(), 0.3, rate=np.float64(0.1), folder=str(tmp_path))
    train = Training()
    with pytest.raises(InputError, match=r"holds the masks of a search of rate 0\.1, not 0\.2: name another folder$"):
        lottery(net, train, 0.3, rate=0.2, folder=tmp_path)
    assert not train.masks


def test_sparsities_that_are_nearly_alike_keep_masks_of_their_own(net, tmp_path):
    lottery(net, Training(), 0.1049996, rate=0.9, folder=tmp_path)
    assert lottery(net, Training(), 0.1050004, rate=0.9, folder=tmp_path).pruned == 21


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"layers.0.0.wieght": torch.ones(10, 10)}, r"layers\.0\.0\.wieght; did you mean 'layers\.0\.0\.weight'"),
        ({"head.weight": torch.ones(2, 10)}, r"head\.weight has shape \(2, 10\) there, \(1, 10\) here"),
    ],
)
def test_a_start_of_another_model_is_refused_in_one_line(net, start, message):
    train = Training()
    with pytest.raises(InputError, match=f"^the start is of another model.*{message}") as error:
        lottery(net, train, 0.2, start=start)
    assert not train.masks and "\n" not in str(error.value)
