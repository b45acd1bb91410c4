"""Exact k-th magnitudes for many k at once: against a full sort in float64, whatever the numbers look like."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.errors import InputError
from essparse_lib.pruning import magnitude_bits
from essparse_lib.pruning.radix_select import magnitude_thresholds, removal_levels

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def normal(generator, shape):
    return torch.randn(shape, generator=generator)


def heavy(generator, shape):
    return torch.randn(shape, generator=generator) / torch.rand(shape, generator=generator).clamp(min=1e-4)


def denormal(generator, shape):
    """Whole multiples of the smallest fp32 number above 0, below the smallest normal one."""
    return torch.randint(-(2**22), 2**22, shape, generator=generator, dtype=torch.int32).double() * 2.0**-149


def few(generator, shape):
    return torch.randint(-3, 4, shape, generator=generator) / 2


def near(generator, shape):
    """One upper half of sixteen bits, many lower ones: all in one bucket."""
    return 1 + torch.rand(shape, generator=generator) * 2**-8


DRAWS = [normal, heavy, denormal, few, near]
shapes = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=3), min_size=1, max_size=4)


def drawn(draw, dtype, shapes, seed):
    generator = torch.Generator().manual_seed(seed)
    return {f"w{i}": draw(generator, shape).to(dtype) for i, shape in enumerate(shapes)}


def reference(weights, ranks):
    """Level by level from one stable sort in float64."""
    order = torch.cat([w.double().abs().flatten() for w in weights.values()]).sort(stable=True)
    level = torch.full((len(order.indices),), len(ranks))
    for number in reversed(range(len(ranks))):
        level[order.indices[: ranks[number]]] = number
    return order.values, level


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors.values()])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("draw", DRAWS)
@given(shapes, st.integers(0, 2**32 - 1), st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_thresholds_and_levels_are_those_of_a_full_sort(draw, dtype, shapes, seed, fractions):
    weights = drawn(draw, dtype, shapes, seed)
    size = len(flat(weights))
    ranks = sorted(round(f * size) for f in fractions)
    values, level = reference(weights, ranks)
    assert torch.equal(flat(removal_levels(weights, ranks)).long(), level)
    above = [k for k in ranks if k]
    assert magnitude_thresholds(weights, above) == [float(values[k - 1]) for k in above]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("draw", DRAWS)
def test_many_weights_in_many_chunks(draw, dtype, monkeypatch):
    monkeypatch.setattr(magnitude_bits, "_CHUNK", {"cpu": 1000})
    monkeypatch.setattr(magnitude_bits, "_FLUSH", 3000)
    weights = drawn(draw, dtype, [(100, 317), (1,), (0, 5), (64, 64), (7, 11, 13)], 0)
    size = len(flat(weights))
    ranks = [0, 0, 1, 2, 2, *(size * i // 100 for i in range(1, 100)), size - 1, size]
    values, level = reference(weights, ranks)
    assert torch.equal(flat(removal_levels(weights, ranks)).long(), level)
    assert magnitude_thresholds(weights, ranks[2:]) == [float(values[k - 1]) for k in ranks[2:]]


def test_equal_weights_part_by_position_across_tensors_and_levels():
    weights = {"a": torch.full((3,), -2.0), "b": torch.full((2, 2), 2.0)}
    levels = removal_levels(weights, [0, 2, 2, 4, 7])
    assert levels["a"].tolist() == [1, 1, 3]
    assert levels["b"].tolist() == [[3, 4], [4, 4]]


def test_zeros_of_both_signs_are_equal():
    assert removal_levels({"w": torch.tensor([0.0, 1.0, -0.0, 0.0])}, [1, 2, 3])["w"].tolist() == [0, 3, 1, 2]


def test_bf16_and_fp16_together_are_ranked_as_numbers():
    weights = {"a": torch.tensor([1.0, 3.0], dtype=torch.bfloat16), "b": torch.tensor([2.0, 0.5], dtype=torch.float16)}
    assert {n: level.tolist() for n, level in removal_levels(weights, [1, 2, 3]).items()} == {"a": [1, 3], "b": [2, 0]}
    assert magnitude_thresholds(weights, [1, 3]) == [0.5, 2.0]


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float64], ids=str)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_named(bad, dtype):
    weights = {"fine": torch.ones(3, dtype=dtype), "bad.weight": torch.tensor([1.0, bad], dtype=dtype)}
    with pytest.raises(InputError, match=r"^bad\.weight holds NaN or infinite"):
        removal_levels(weights, [1])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_largest_finite_number_is_no_infinity(dtype):
    most = torch.finfo(dtype).max
    assert magnitude_thresholds({"w": torch.tensor([most, -1.0], dtype=dtype)}, [1, 2]) == [1.0, most]


def test_other_types_are_refused():
    with pytest.raises(InputError, match=r"ints is torch\.int32: cast it to float32"):
        removal_levels({"w": torch.ones(2), "ints": torch.ones(2, dtype=torch.int32)}, [1])


@pytest.mark.parametrize("ranks", [[2, 1], [5], [-1], list(range(1)) * 128])
def test_impossible_ranks_are_refused(ranks):
    with pytest.raises(ValueError, match="must"):
        removal_levels({"w": torch.ones(4)}, ranks)


def test_the_weights_and_their_layout_are_left_alone():
    tensor = torch.randn(40, 30, generator=torch.Generator().manual_seed(0))
    before, turned = tensor.clone(), tensor.t().contiguous().t()
    one, two = removal_levels({"w": tensor}, [100, 600]), removal_levels({"w": turned}, [100, 600])
    assert torch.equal(one["w"], two["w"]) and torch.equal(tensor, before) and one["w"].shape == tensor.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("draw", DRAWS)
def test_a_gpu_finds_the_same(draw, dtype):
    weights = drawn(draw, dtype, [(300, 400), (50,)], 1)
    ranks = [0, 10, 10, 60_000, 120_050]
    on_gpu = removal_levels({name: w.cuda() for name, w in weights.items()}, ranks)
    assert torch.equal(flat(removal_levels(weights, ranks)), flat(on_gpu).cpu())
