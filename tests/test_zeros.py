"""What counts as zero: at every boundary by hand, and against numpy's own comparisons and casts."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning.effective_sparsity import effective_sparsity
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights
from essparse_lib.pruning.survey import PrunableMatrix
from essparse_lib.pruning.zeros import NOTHING, THRESHOLDS, Zeros, count_zeros, count_zeros_by_component

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def of(values, dtype=torch.float32, **options):
    return count_zeros({"w": torch.tensor(values, dtype=dtype)}, **options)["w"]


def after(value, dtype=torch.float32):
    """The next larger number."""
    tensor = torch.tensor(value, dtype=dtype)
    return float(torch.nextafter(tensor, torch.tensor(math.inf, dtype=dtype)))


def test_exact_zeros_have_either_sign():
    zeros = of([0.0, -0.0, 1e-45, -1e-45, 1.0])
    assert (zeros.weights, zeros.exact, zeros.sparsity) == (5, 2, 0.4)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("value", "fp16", "bf16"),
    [
        (2.0**-24, 0, 0),  # the smallest number of fp16
        (after(2.0**-25), 0, 0),  # nearer to it than to zero
        (2.0**-25, 1, 0),  # half way: to even, which is zero
        (1e-38, 1, 0),  # the bottom of fp32's normal numbers, and of bf16's
        (2.0**-133, 1, 0),  # the smallest number of bf16
        (after(2.0**-134), 1, 0),
        (2.0**-134, 1, 1),
        (1e-45, 1, 1),  # the smallest of fp32
        (65504.0, 0, 0),  # the largest of fp16
        (1e30, 0, 0),  # infinite after a cast to fp16, and no zero
    ],
)
def test_the_boundaries_of_the_casts(sign, value, fp16, bf16):
    zeros = of([sign * value])
    assert (zeros.exact, zeros.fp16, zeros.bf16) == (0, fp16, bf16)
    tensor = torch.tensor([value])
    assert int((tensor.half() == 0).sum()) == fp16
    assert int((tensor.bfloat16() == 0).sum()) == bf16


def test_a_threshold_is_strict_and_in_the_weights_precision():
    for tau in THRESHOLDS:
        threshold = float(np.float32(tau))
        zeros = of([threshold, -threshold, float(np.nextafter(np.float32(tau), np.float32(0)))], thresholds=[tau])
        assert zeros.below == {tau: 1}
    assert of([0.01], torch.float16, thresholds=[0.01]).below == {0.01: 0}  # both are 0.0100021 there
    assert of([0.01], torch.bfloat16, thresholds=[0.01]).below == {0.01: 0}
    assert of([float(np.float32(0.01))], torch.float64, thresholds=[0.01]).below == {0.01: 1}  # 0.00999999978


def test_exact_zeros_are_below_a_threshold_too_small_for_the_precision():
    zeros = of([0.0, 2.0**-24, 1.0], torch.float16)  # 1e-8 is zero in fp16
    assert zeros.below[1e-8] == 1
    assert zeros.below[1e-7] == 2
    assert of([1.0, 70000.0], thresholds=[65504.0]).below == {65504.0: 1}
    assert of([1.0, 60000.0], torch.float16, thresholds=[1e6]).below == {1e6: 2}  # infinite there


def test_the_deviation_is_the_matrixs_own():
    # mean 0, σ = 2: 0.2 σ is 0.4
    values = [2.0, -2.0, 2.0, -2.0, 0.0, 0.3, -0.3, 0.0, 2.0, -2.0, math.sqrt(8 - 0.18), -math.sqrt(8 - 0.18)]
    values = torch.tensor([*values, 2.0, -2.0])
    sigma = float(np.std(values.double().numpy()))
    zeros = count_zeros({"w": values}, deviations=[0.29 / sigma, 0.31 / sigma])["w"]
    assert list(zeros.below_deviations.values()) == [2, 4]
    both = count_zeros({"w": values, "ten times": 10 * values}, deviations=[0.01, 0.2, 2])
    assert both["w"].below_deviations == both["ten times"].below_deviations
    shifted = of([1.0, 3.0], deviations=[0.5, 1, 2, 4])  # about the mean, 2: σ = 1
    assert shifted.below_deviations == {0.5: 0, 1: 0, 2: 1, 4: 2}


def test_where_all_weights_are_equal_only_exact_zeros_are_below_the_deviation():
    assert set(of([0.0, 0.0, 0.0]).below_deviations.values()) == {3}
    assert set(of([0.5, 0.5, 0.5]).below_deviations.values()) == {0}


def test_sums_and_norms():
    zeros = of([3.0, -4.0, 0.0])
    assert (zeros.absolute, zeros.squares, zeros.norm, zeros.mean) == (7, 25, 5, pytest.approx(7 / 3))
    large = of([1e30, -1e30])
    assert (large.absolute, large.squares) == (pytest.approx(2e30), pytest.approx(2e60))  # no overflow in between


bits32 = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(-1, 1, width=32),
    st.sampled_from([0.0, -0.0, 2.0**-24, 2.0**-25, -(2.0**-25), 2.0**-133, 2.0**-134, *map(np.float32, THRESHOLDS)]),
)


def bf16_zero(w):
    """Whether a cast to bf16 makes a number zero: rounding away the lower half of its bits, ties to even."""
    bits = w.view(np.uint32) & 0x7FFFFFFF
    return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 == 0


@given(st.lists(bits32, max_size=40), st.lists(st.floats(1e-45, 1e3), max_size=3, unique=True))
def test_against_numpy(values, taus):
    w = np.array(values, np.float32)
    zeros = count_zeros({"w": torch.from_numpy(w)}, thresholds=taus)["w"]
    magnitudes = np.abs(w)
    with np.errstate(over="ignore"):
        halves = w.astype(np.float16)
    assert zeros.weights == len(w)
    assert zeros.exact == np.sum(w == 0)
    assert zeros.fp16 == np.sum(halves == 0)
    assert zeros.bf16 == np.sum(bf16_zero(w))
    assert zeros.below == {tau: np.sum(magnitudes < max(np.float32(tau), np.float32(1e-45))) for tau in taus}
    assert zeros.absolute == pytest.approx(np.sum(magnitudes.astype(np.float64)))
    assert zeros.squares == pytest.approx(np.sum(w.astype(np.float64) ** 2))


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40))
def test_deviations_against_numpy(values):
    w = np.array(values, np.float32)
    magnitudes, sigma = np.abs(w), np.std(w.astype(np.float64))
    for tau, count in count_zeros({"w": torch.from_numpy(w)})["w"].below_deviations.items():
        slack = 1e-6 * tau * sigma + 1e-9  # σ is rounded otherwise there
        assert np.sum(magnitudes < tau * sigma - slack) <= count <= np.sum(magnitudes < tau * sigma + slack)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_precision_counts_as_torch_compares_and_casts(dtype):
    generator = torch.Generator().manual_seed(0)
    exponents = torch.rand(200_003, generator=generator, dtype=torch.float64) * 60 - 50  # more than one chunk
    w = (exponents.exp2() * torch.randn(200_003, generator=generator).sign()).to(dtype)
    zeros = count_zeros({"w": w})["w"]
    assert zeros.exact == int((w == 0).sum())
    assert zeros.fp16 == int((w.to(torch.float16) == 0).sum())
    assert zeros.bf16 == int((w.to(torch.bfloat16) == 0).sum())
    smallest = torch.tensor(after(0.0, dtype), dtype=dtype)
    for tau, count in zeros.below.items():
        assert count == int((w.abs() < torch.tensor(tau, dtype=dtype).maximum(smallest)).sum())
    assert zeros.squares == pytest.approx(float(w.double().square().sum()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_readings_are_in_order(dtype):
    w = torch.randn(1000, generator=torch.Generator().manual_seed(1)).mul(1e-4).to(dtype)
    w[::7] = 0
    zeros = count_zeros({"w": w})["w"]
    assert 0 < zeros.exact <= zeros.bf16
    assert zeros.exact <= zeros.fp16
    below = list(zeros.below.values())
    assert below == sorted(below)
    assert zeros.exact <= below[0]
    assert below[-1] == 1000


def test_the_layout_in_memory_and_gradients_do_not_matter():
    w = torch.randn(30, 20, generator=torch.Generator().manual_seed(0)).relu()
    turned = w.T.contiguous().T
    assert not turned.is_contiguous()
    assert count_zeros({"w": turned}) == count_zeros({"w": torch.nn.Parameter(w)})
    assert count_zeros({"w": w})["w"].exact == int((w == 0).sum())


def test_shapes_without_weights_and_without_dimensions():
    assert count_zeros({}) == {}
    empty = count_zeros({"w": torch.zeros(0, 5)})["w"]
    assert (empty.weights, empty.sparsity, empty.mean, empty.norm) == (0, 0, 0, 0)
    assert set(empty.below.values()) == {0}
    assert count_zeros({"w": torch.tensor(0.0)})["w"].exact == 1


def test_counts_add_up():
    a, b = torch.tensor([0.0, 1e-6, 0.5]), torch.tensor([0.0, 0.0, 1e-9, 2.0])
    counts = count_zeros({"a": a, "b": b})
    together = count_zeros({"ab": torch.cat([a, b])})["ab"]
    total = sum(counts.values(), NOTHING)
    for part in ("weights", "exact", "fp16", "bf16", "below"):
        assert getattr(total, part) == getattr(together, part)
    assert (total.absolute, total.squares) == (pytest.approx(together.absolute), pytest.approx(together.squares))
    assert counts["a"] + NOTHING == NOTHING + counts["a"] == counts["a"]
    with pytest.raises(ValueError, match="do not add up"):
        of([1.0], thresholds=[1e-3]) + of([1.0], thresholds=[1e-4])


def test_by_component_each_matrix_is_counted_in_its_place():
    model = loading.classifier("tiny-bert", 2, 0)
    for weight in prunable_weights(model).values():
        weight[weight.abs() < 0.01] = 0
    matrices = prunable_matrices(model).values()
    counts = count_zeros_by_component(matrices)
    assert list(counts) == [(matrix.depth, matrix.component) for matrix in matrices]
    for matrix in matrices:
        zeros = counts[matrix.depth, matrix.component]
        magnitudes = matrix.weight.detach().abs()
        assert (zeros.weights, zeros.exact) == (magnitudes.numel(), int((magnitudes == 0).sum()))
        assert zeros.sparsity == zeros.exact / zeros.weights
        assert zeros.absolute == pytest.approx(float(magnitudes.double().sum()))
        assert zeros.mean == pytest.approx(float(magnitudes.double().mean()))
    assert sum(counts.values(), NOTHING).exact == sum(zeros.exact for zeros in counts.values()) > 0


def test_without_thresholds_exact_zeros_are_counted_the_same():
    matrices = prunable_matrices(loading.classifier("tiny-bert", 2, 0)).values()
    with_all, bare = count_zeros_by_component(matrices), count_zeros_by_component(matrices, (), ())
    assert [(z.exact, z.absolute) for z in with_all.values()] == [(z.exact, z.absolute) for z in bare.values()]
    assert all(not zeros.below and not zeros.below_deviations for zeros in bare.values())


def test_matrices_of_one_place_are_counted_together():
    gate, up = (torch.nn.Parameter(torch.tensor([value, 0.0])) for value in (0.0, 1.0))
    counts = count_zeros_by_component(
        [
            PrunableMatrix(name="g", weight=gate, depth=0, component="intermediate"),
            PrunableMatrix(name="u", weight=up, depth=0, component="intermediate"),
        ]
    )
    assert (counts[0, "intermediate"].weights, counts[0, "intermediate"].exact) == (4, 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_refused_by_name(bad, dtype):
    weights = {"fine": torch.ones(2, dtype=dtype), "block.3.bad": torch.tensor([[0.0, bad]], dtype=dtype)}
    for count in (count_zeros, effective_sparsity):
        with pytest.raises(InputError, match=r"^block\.3\.bad holds NaN or infinite weights"):
            count(weights)


def test_other_types_are_refused_by_name():
    with pytest.raises(InputError, match=r"^w is torch\.int64: zeros are counted in fp16"):
        count_zeros({"w": torch.ones(2, dtype=torch.int64)})


@pytest.mark.parametrize("bad", [0, -1e-3, math.nan, math.inf])
@pytest.mark.parametrize("which", ["thresholds", "deviations"])
def test_thresholds_that_mean_nothing_are_refused(which, bad):
    with pytest.raises(InputError, match=f"^threshold {bad!r} is not allowed"):
        of([1.0], **{which: [bad]})


def test_effective_sparsity_by_hand():
    w = {"a": torch.tensor([[1.0, -1.0], [1.0, 1.0]]), "b": torch.tensor([4.0, 0.0, 0.0, 0.0])}  # Σw² = 20
    assert effective_sparsity(w, share=1) == 3 / 8
    assert effective_sparsity(w, share=0.95) == 4 / 8  # one of the ones may go
    assert effective_sparsity(w, share=0.9) == 5 / 8
    assert effective_sparsity(w, share=0.8) == 7 / 8
    assert effective_sparsity({"w": torch.ones(1000)}) == pytest.approx(0.01)
    assert effective_sparsity({"w": torch.zeros(5)}) == 1
    assert effective_sparsity({}) == effective_sparsity({"w": torch.zeros(0)}) == 0


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30), st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_effective_sparsity_leaves_the_share_and_no_weight_more(values, share):
    sparsity = effective_sparsity({"w": torch.tensor(values, dtype=torch.float32)}, share)
    squares = sorted((v * v for v in values), reverse=True)
    kept = len(values) - round(sparsity * len(values))
    assert sum(squares[:kept]) >= share * sum(squares)
    assert not kept or sum(squares[: kept - 1]) < share * sum(squares)


@pytest.mark.parametrize("dtype", DTYPES)
def test_effective_sparsity_of_many_weights(dtype):
    w = torch.randn(150_000, generator=torch.Generator().manual_seed(0)).to(dtype)
    cumulative = w.double().square().sort().values.cumsum(0)
    expected = float((cumulative <= 0.01 * cumulative[-1]).double().mean())
    assert effective_sparsity({"a": w[:70_000], "b": w[70_000:]}) == pytest.approx(expected, abs=2e-5)
    assert expected == pytest.approx(0.265, abs=0.01)  # of a normal distribution


@pytest.mark.parametrize("share", [0, -1, 1.01, math.nan])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(InputError, match=f"^share {share!r} is not allowed"):
        effective_sparsity({"w": torch.ones(2)}, share)


def test_the_weights_are_left_alone():
    w = torch.randn(50, generator=torch.Generator().manual_seed(0))
    before = w.clone()
    count_zeros({"w": w})
    effective_sparsity({"w": w})
    assert torch.equal(w, before)


def test_results_are_plain_numbers():
    zeros = of([0.0, 1.0])
    assert isinstance(zeros, Zeros)
    plain = [zeros.weights, zeros.exact, zeros.fp16, zeros.bf16, *zeros.below.values()]
    assert {type(number) for number in plain} == {int}
    assert {type(zeros.absolute), type(zeros.squares)} == {float}
