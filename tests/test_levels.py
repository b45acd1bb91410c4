"""Sweeps of nested masks, over all matrices or each by itself, by magnitude or at random."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from essparse_lib.errors import InputError
from essparse_lib.pruning.allocation import apportion, pruned_count, removed_per_layer
from essparse_lib.pruning.levels import Levels, rank_levels
from essparse_lib.pruning.magnitude import global_magnitude, layer_magnitude, magnitude_levels
from essparse_lib.pruning.random import random_levels, random_mask
from essparse_lib.specs.methods import Scope

shapes = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=2), min_size=1, max_size=5)
sweeps = st.lists(st.integers(0, 999_999).map(lambda m: m / 1_000_000), min_size=1, max_size=6, unique=True).map(sorted)
seeds = st.integers(0, 2**32 - 1)


def drawn(shapes, seed):
    generator = torch.Generator().manual_seed(seed)
    return {f"w{i}": torch.randn(shape, generator=generator) for i, shape in enumerate(shapes)}


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors.values()])


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("method", ["magnitude", "random"])
@given(shapes, sweeps, seeds)
def test_a_sweep_is_exact_and_nested(method, scope, shapes, sparsities, seed):
    weights = drawn(shapes, seed)
    sweep = (
        magnitude_levels(weights, sparsities, scope)
        if method == "magnitude"
        else random_levels(weights, sparsities, seed, scope)
    )
    before = torch.ones(len(flat(weights)), dtype=torch.bool)
    for sparsity in sparsities:
        mask = sweep.mask(sparsity)
        keep = flat(mask.keep)
        assert mask.pruned == pruned_count(sparsity, len(keep)) == int((~keep).sum())
        assert not (keep & ~before).any()
        before = keep


@given(shapes, sweeps, seeds)
def test_a_sweep_holds_the_masks_that_single_calls_give(shapes, sparsities, seed):
    weights = drawn(shapes, seed)
    for scope, single in (("global", global_magnitude), ("layer", layer_magnitude)):
        sweep = magnitude_levels(weights, sparsities, scope)
        for sparsity in sparsities:
            assert torch.equal(flat(sweep.mask(sparsity).keep), flat(single(weights, sparsity).keep))


@given(shapes, sweeps, seeds, st.randoms())
def test_the_order_of_the_layers_changes_nothing(shapes, sparsities, seed, random):
    weights = drawn(shapes, seed)
    names = list(weights)
    random.shuffle(names)
    other = {name: weights[name] for name in names}
    for make in (magnitude_levels, lambda w, s: random_levels(w, s, seed, "global")):
        one, two = make(weights, sparsities), make(other, sparsities)
        assert all(torch.equal(one.level[name], two.level[name]) for name in names)


@given(shapes, seeds, st.integers(0, 99))
def test_each_layer_alone_loses_its_share_by_magnitude(shapes, seed, percent):
    weights = drawn(shapes, seed)
    mask = layer_magnitude(weights, percent / 100)
    for name, count in mask.count(str).items():
        assert abs(count.pruned - percent / 100 * count.size) < 2  # the total's own rounding may add to a layer's
        kept, magnitudes = mask.keep[name], weights[name].abs()
        assert kept.all() or not kept.any() or magnitudes[~kept].max() <= magnitudes[kept].min()


@pytest.mark.parametrize("amount", [0.1, 0.25, 0.5, 0.9])
def test_per_layer_masks_are_those_of_torchs_l1_unstructured(amount):
    torch.manual_seed(0)
    linears = {str(i): nn.Linear(20, 10 * i) for i in (1, 2, 3)}
    mask = layer_magnitude({name: linear.weight for name, linear in linears.items()}, amount)
    for name, linear in linears.items():
        prune.l1_unstructured(linear, "weight", amount=amount)
        assert torch.equal(mask.keep[name], linear.weight_mask.bool())


def test_random_masks_depend_on_seed_name_and_shape_alone():
    a, b = torch.zeros(50, 40), torch.randn(30, 20)
    one = random_mask({"a": a, "b": b}, 0.5, seed=3)
    assert torch.equal(one.keep["a"], random_mask({"a": torch.randn(50, 40)}, 0.5, seed=3).keep["a"])
    assert not torch.equal(one.keep["a"], random_mask({"a": a}, 0.5, seed=4).keep["a"])
    assert not torch.equal(one.keep["a"], random_mask({"c": a}, 0.5, seed=3).keep["c"])


def test_random_masks_are_uniform():
    rows = random_mask({"w": torch.zeros(200, 500)}, 0.3, seed=0).keep["w"].float()
    assert abs(rows[:, :250].mean() - 0.7) < 0.01  # standard error 0.002
    assert abs((rows[0::2] * rows[1::2]).mean() - 0.49) < 0.012


def test_erdos_renyi_densities_by_hand():
    # sums of dimensions 20 and 110, sizes 100 and 1000: of 200 kept, 200·20/130 = 30.8 and 169.2 stay
    weights = {"square": torch.zeros(10, 10), "long": torch.zeros(10, 100)}
    counts = random_mask(weights, 900 / 1100, seed=0, scope="erk").count(str)
    assert [count.size - count.pruned for count in counts.values()] == [31, 169]


def test_a_layer_whose_share_exceeds_its_size_stays_dense():
    removed = removed_per_layer({"small": (4, 4), "large": (100, 100)}, 6000, "erk")
    assert removed == {"small": 0, "large": 6000}


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 50)), min_size=1, max_size=8),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_shares_are_whole_exact_capped_and_never_fall(entries, one, two):
    shares, most = zip(*entries, strict=True)
    room = sum(cap for share, cap in entries if share)
    less, more = (apportion(int(f * room), shares, most) for f in sorted((one, two)))
    for result, total in ((less, int(min(one, two) * room)), (more, int(max(one, two) * room))):
        assert sum(result) == total
        assert all(0 <= got <= cap and (share or not got) for got, (share, cap) in zip(result, entries, strict=True))
    assert all(a <= b for a, b in zip(less, more, strict=True))


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=200), st.integers(0, 99))
def test_shares_are_in_proportion(sizes, percent):
    total = sum(sizes) * percent // 100
    for share, size in zip(apportion(total, sizes, sizes), sizes, strict=True):
        assert math.isclose(share, size * percent / 100, abs_tol=len(sizes))


def test_more_than_there_is_cannot_be_shared_out():
    with pytest.raises(ValueError, match="6 cannot be shared out: at most 5"):
        apportion(6, [1, 1, 0], [3, 2, 9])


def test_masks_of_a_sweep_are_views():
    sweep = magnitude_levels({"w": torch.arange(10.0)}, [0.2, 0.5])
    mask = sweep.mask(0.5)
    assert sweep.level["w"].dtype == torch.uint8 and len(mask.keep) == 1 and mask.keep["w"].sum() == 5
    sweep.level["w"].fill_(0)  # what the view reads
    assert not mask.keep["w"].any()


@pytest.mark.parametrize(
    ("sparsities", "scope", "message"),
    [
        ([0.5, 0.2], "global", r"sparsities \[0.5, 0.2\] are not allowed: they must ascend"),
        ([0.2, 0.2], "global", "they must ascend"),
        ([0.2, 1.0], "global", "sparsity 1.0 is not allowed"),
        ([0.2], "layr", "unknown scope 'layr': choose from erk, global, layer; did you mean 'layer'"),
    ],
)
def test_sweeps_that_make_no_sense_are_refused(sparsities, scope, message):
    with pytest.raises(InputError, match=message):
        rank_levels({"w": torch.ones(5)}, sparsities, scope)


def test_a_sparsity_outside_the_sweep_is_refused():
    with pytest.raises(InputError, match="sparsity 0.3 is not in this sweep: choose from 0.2, 0.5"):
        magnitude_levels({"w": torch.ones(5)}, [0.2, 0.5]).mask(0.3)


SWEEPS = {
    "linspace": np.linspace(0, 0.9, 10),
    "arange": np.arange(0, 0.9, 0.1),
    "single": np.linspace(0, 0.9, 10, dtype=np.float32),
    "torch": torch.linspace(0, 0.9, 10),
    "sums": [0.1 * k for k in range(9)],
    "differences": sorted(1 - 0.1 * k for k in range(1, 11)),
    "decimals": [Decimal(k) / 10 for k in range(9)],
    "fractions": [Fraction(k, 10) for k in range(9)],
    "texts": [f"0.{k}" for k in range(9)],
}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_of_computed_sparsities_is_that_of_the_written_ones(sweep):
    weights = drawn([[10, 3, 3], [13]], 0)  # 103 weights, and a parameter that holds several matrices
    levels = magnitude_levels(weights, SWEEPS[sweep])
    for k in range(1, 9):
        for wanted in (k / 10, 0.1 * k, str(k / 10), np.float32(k / 10), torch.tensor(k / 10), Fraction(k, 10)):
            mask = levels.mask(wanted)
            assert mask.pruned == 103 * k // 10
            assert torch.equal(flat(mask.keep), flat(global_magnitude(weights, k / 10).keep))
    with pytest.raises(InputError, match="not in this sweep"):
        levels.mask(0.31)


def test_k_of_n_weights_are_k():
    wrong = [(k, n) for n in range(1, 200) for k in range(n) if pruned_count(k / n, n) != k]
    assert not wrong
    assert pruned_count(0.299, 10) == 2 and pruned_count(0.2999999999, 10**9) == 299999999


def test_levels_made_by_hand_match_up_to_rounding():
    levels = Levels((0.1 * 3, np.float64(0.5)), {"w": torch.tensor([0, 2, 1, 2], dtype=torch.uint8)})
    assert levels.sparsities == (0.3, 0.5) and levels.mask(0.3).pruned == 1


def test_of_a_long_sweep_the_nearest_are_named():
    levels = magnitude_levels({"w": torch.ones(5)}, np.arange(1, 100) / 100)
    with pytest.raises(InputError, match=r"choose from 0\.46, 0\.47, .* 0\.54, 0\.55, the nearest of 99$"):
        levels.mask(0.505)


@pytest.mark.parametrize("sparsities", [0.5, "0.5", None, np.float64(0.5), torch.tensor(0.5), np.ones((2, 2)) / 2])
def test_what_is_no_list_of_sparsities_is_refused(sparsities):
    with pytest.raises(InputError, match=r"^sparsities .* are not allowed: give a list"):
        magnitude_levels({"w": torch.ones(5)}, sparsities)
