"""Global magnitude: exact counts, nested masks, ties by position, and torch's own pruning as a check."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from essparse_lib.errors import InputError
from essparse_lib.pruning.allocation import pruned_count
from essparse_lib.pruning.magnitude import global_magnitude

shapes = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=3), min_size=1, max_size=4)
sparsities = st.integers(0, 999_999).map(lambda millionths: millionths / 1_000_000)
seeds = st.integers(0, 2**32 - 1)


def drawn(shapes, seed, levels=None):
    """Random matrices; with ``levels`` of few magnitudes and so with many ties."""
    generator = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(shape, generator=generator) for shape in shapes]
    if levels is not None:
        tensors = [(t * levels).round() / levels for t in tensors]
    return {f"w{number}": tensor for number, tensor in enumerate(tensors)}


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors.values()])


@pytest.mark.parametrize(
    ("sparsity", "size", "count"),
    [(0.29, 100, 29), (0.57, 100, 57), (0.1, 10, 1), (0.7, 10, 7), (0.999999, 10, 9), (0.5, 7, 3), (0.3, 0, 0),
     (0, 5, 0), (1e-6, 10**6, 1), (1e-7, 10**7, 1), (0.9, 84_934_656, 76_441_190), ("0.29", 100, 29),
     (1e-6, 15_624_984_376, 15_624), (1 / 3, 3 * 10**9, 10**9), (2 / 3, 3 * 10**9, 2 * 10**9)],
)  # fmt: skip
def test_the_count_reads_the_decimal_number_that_was_written(sparsity, size, count):
    assert pruned_count(sparsity, size) == count


@given(st.integers(0, 999_999), st.integers(0, 10**12))
def test_the_count_is_the_floor_of_the_exact_product(millionths, size):
    assert pruned_count(millionths / 1_000_000, size) == Fraction(millionths, 1_000_000) * size // 1


@given(shapes, sparsities, seeds, st.sampled_from([None, 1, 3]))
def test_exactly_the_floor_goes(shapes, sparsity, seed, levels):
    weights = drawn(shapes, seed, levels)
    mask = global_magnitude(weights, sparsity)
    assert mask.pruned == pruned_count(sparsity, mask.size)
    assert {name: kept.shape for name, kept in mask.keep.items()} == {name: w.shape for name, w in weights.items()}


@given(shapes, sparsities, sparsities, seeds, st.sampled_from([None, 1, 3]))
def test_masks_nest(shapes, one, two, seed, levels):
    weights = drawn(shapes, seed, levels)
    less, more = (flat(global_magnitude(weights, s).keep) for s in sorted((one, two)))
    assert not (more & ~less).any()


@given(shapes, sparsities, seeds, st.sampled_from([None, 1, 3]))
def test_nothing_kept_is_smaller_than_anything_removed(shapes, sparsity, seed, levels):
    weights = drawn(shapes, seed, levels)
    kept, magnitudes = flat(global_magnitude(weights, sparsity).keep), flat(weights).abs()
    assert kept.all() or magnitudes[~kept].max() <= magnitudes[kept].min()


@given(shapes, sparsities, seeds)
def test_ties_go_in_the_order_of_position(shapes, sparsity, seed):
    weights = drawn(shapes, seed, levels=2)
    magnitudes = flat(weights).abs()
    order = torch.sort(magnitudes, stable=True).indices
    expected = torch.ones(len(magnitudes), dtype=torch.bool)
    expected[order[: pruned_count(sparsity, len(magnitudes))]] = False
    assert torch.equal(flat(global_magnitude(weights, sparsity).keep), expected)


def test_of_equal_weights_the_first_go():
    weights = {"a": torch.full((2, 3), -0.5), "b": torch.full((4,), 0.5)}
    mask = global_magnitude(weights, 0.7)
    assert mask.keep["a"].tolist() == [[False] * 3, [False] * 3]
    assert mask.keep["b"].tolist() == [False, True, True, True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("sparsity", [0.1, 0.37, 0.95])
def test_counts_are_exact_in_every_precision(dtype, sparsity):
    weights = {"a": torch.randn(100, 30, generator=torch.Generator().manual_seed(0)).to(dtype)}
    assert global_magnitude(weights, sparsity).pruned == round(sparsity * 3000)


@pytest.mark.parametrize("sparsity", [0.1, 0.25, 0.5, 0.9])
def test_without_ties_the_masks_are_those_of_torchs_pruning(sparsity):
    torch.manual_seed(0)
    linears = [nn.Linear(20, 30), nn.Linear(30, 10), nn.Linear(10, 10)]
    weights = {str(i): linear.weight for i, linear in enumerate(linears)}
    assert len(flat(weights).abs().unique()) == 1000  # no ties
    mask = global_magnitude(weights, sparsity)
    prune.global_unstructured(
        [(linear, "weight") for linear in linears], pruning_method=prune.L1Unstructured, amount=sparsity
    )
    for number, linear in enumerate(linears):
        assert torch.equal(mask.keep[str(number)], linear.weight_mask.bool())


def test_the_weights_are_left_alone():
    weights = {"a": nn.Parameter(torch.randn(5, 5))}
    before = weights["a"].detach().clone()
    mask = global_magnitude(weights, 0.5)
    assert torch.equal(weights["a"], before)
    assert not mask.keep["a"].requires_grad


def test_the_layout_in_memory_does_not_matter():
    tensor = torch.randn(6, 8, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    turned = tensor.t().contiguous().t()  # the same values, column by column in memory
    one, two = global_magnitude({"a": tensor}, 0.5), global_magnitude({"a": turned}, 0.5)
    assert torch.equal(one.keep["a"], two.keep["a"])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("sparsity", [0, 0.5])
def test_weights_that_are_not_finite_are_refused_by_name(bad, sparsity):
    weights = {"fine": torch.ones(2, 2), "block.3.bad": torch.tensor([[1.0, bad]])}
    with pytest.raises(InputError, match=r"^block\.3\.bad holds NaN or infinite"):
        global_magnitude(weights, sparsity)


@pytest.mark.parametrize("sparsity", [1.0, 1, -0.1, "abc", float("nan"), float("inf"), None, "", [0.1]])
def test_a_sparsity_outside_its_range_is_refused(sparsity):
    with pytest.raises(InputError) as caught:
        global_magnitude({"a": torch.ones(2, 2)}, sparsity)
    assert str(caught.value) == f"sparsity {sparsity!r} is not allowed: give a number from 0 to below 1, such as 0.4"


def test_at_sparsity_zero_all_stay():
    assert global_magnitude({"a": torch.zeros(3, 3)}, 0).keep["a"].all()
