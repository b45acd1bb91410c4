"""SparseGPT against its own equations, solved the long way; and what it is for: smaller errors in a layer's outputs."""

import pytest
import torch
from tiny_models import Net
from torch import nn

from essparse_lib.errors import InputError
from essparse_lib.pruning.calibrated import keep_within_rows
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.method import Pruned
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.pruning.sparsegpt import reconstructed, sparsegpt
from essparse_lib.pruning.wanda import wanda

SEEDS = range(4)
NAME = "layers.0.fc1.weight"


def correlated(seed, rows=24, columns=32, tokens=400, dtype=torch.float64):
    """A matrix, and inputs (tokens, columns) of low rank and some noise, of unlike sizes: as in transformers."""
    generator = torch.Generator().manual_seed(seed)
    factors = torch.randn(tokens, 6, generator=generator, dtype=dtype)
    loadings = torch.randn(6, columns, generator=generator, dtype=dtype)
    noise = torch.randn(tokens, columns, generator=generator, dtype=dtype)
    sizes = torch.rand(columns, generator=generator, dtype=dtype).mul(3).exp()
    weight = torch.randn(rows, columns, generator=generator, dtype=dtype)
    return weight, (factors @ loadings + 0.3 * noise) * sizes


def half_of(weight, seed):
    return torch.rand(weight.shape, generator=torch.Generator().manual_seed(seed)) > 0.5


def given(keep):
    """A choice that is made already."""
    return lambda saliencies, first: keep[:, first : first + saliencies.shape[1]]


def long_way(weight, hessian, damping, choose):
    """Algorithm 1 without its shortcuts: the Hessian of the inputs from j on is inverted anew for every j.

    ``choose(j, saliency)`` says which weights of column j stay; ``saliency(k)`` is that of column k's weights as they
    are when column j is reached.
    """
    columns = weight.shape[1]
    hessian = hessian + torch.eye(columns, dtype=hessian.dtype) * damping * hessian.diagonal().mean()
    values, keep = weight.clone(), torch.ones_like(weight, dtype=torch.bool)
    inverse = [torch.linalg.inv(hessian[j:, j:]) for j in range(columns)]
    for j in range(columns):
        keep[:, j] = choose(j, lambda k: values[:, k].square() / inverse[k][0, 0])
        for row in range(len(weight)):
            if not keep[row, j]:
                values[row, j:] -= values[row, j] / inverse[j][0, 0] * inverse[j][0]
                values[row, j] = 0
    return keep, values


def solved(weight, hessian, choice, step, damping=0.01, block_size=128):
    return reconstructed(weight, hessian, choice, step, damping, block_size)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("damping", [0.01, 0.3])
def test_with_a_given_mask_it_solves_its_own_equations(seed, damping):
    weight, inputs = correlated(seed)
    hessian, keep = inputs.T @ inputs, half_of(weight, seed)
    found, values = solved(weight, hessian, given(keep), 32, damping)
    _, expected = long_way(weight, hessian, damping, lambda j, _: keep[:, j])
    assert torch.equal(found, keep)
    torch.testing.assert_close(values, expected, rtol=1e-8, atol=1e-10)
    assert not values[~keep].any()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("block_size", [1, 3, 8, 31, 1000])
def test_late_updates_are_exact(seed, block_size):
    weight, inputs = correlated(seed)
    hessian, keep = inputs.T @ inputs, half_of(weight, seed)
    _, whole = solved(weight, hessian, given(keep), 1)
    _, in_blocks = solved(weight, hessian, given(keep), 1, block_size=block_size)
    torch.testing.assert_close(in_blocks, whole, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("block_size", [5, 8, 32, 128])
def test_a_mask_is_chosen_block_by_block_from_what_is_left(seed, block_size):
    weight, inputs = correlated(seed)
    rows, columns = weight.shape
    chosen = {}

    def choose(j, saliency):
        if j % block_size == 0:  # all weights of the next columns compete; the smallest go, to the running total
            block = range(j, min(j + block_size, columns))
            saliencies = torch.stack([saliency(k) for k in block], dim=1)
            removed = 37 * rows * (block[-1] + 1) // 100 - 37 * rows * j // 100
            smallest = saliencies.flatten().topk(removed, largest=False).indices
            keep = torch.ones(saliencies.numel(), dtype=torch.bool).index_fill(0, smallest, False).view_as(saliencies)
            chosen.update(zip(block, keep.T, strict=True))
        return chosen[j]

    keep, values = long_way(weight, inputs.T @ inputs, 0.01, choose)
    found = sparsegpt(Net(weight), {"x": inputs[None]}, sparsity=0.37, block_size=block_size, dtype=torch.float64)
    assert torch.equal(found.mask.keep[NAME], keep)
    torch.testing.assert_close(found.values[NAME], values, rtol=1e-7, atol=1e-9)
    assert found.mask.pruned == int(0.37 * weight.numel())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("pattern", [(2, 4), (1, 3), (3, 5)])
@pytest.mark.parametrize("block_size", [2, 4, 128])
def test_a_pattern_is_chosen_group_by_group_whatever_the_blocks(seed, pattern, block_size):
    weight, inputs = correlated(seed)
    (n, m), columns = pattern, weight.shape[1]
    chosen = {}

    def choose(j, saliency):
        if j % m == 0:
            group = range(j, min(j + m, columns))
            saliencies = torch.stack([saliency(k) for k in group], dim=1)
            best = saliencies.topk(min(n, len(group)), dim=1).indices
            keep = torch.zeros_like(saliencies, dtype=torch.bool).scatter_(1, best, True)
            chosen.update(zip(group, keep.T, strict=True))
        return chosen[j]

    keep, values = long_way(weight, inputs.T @ inputs, 0.01, choose)
    found = sparsegpt(Net(weight), {"x": inputs[None]}, pattern=pattern, block_size=block_size, dtype=torch.float64)
    assert torch.equal(found.mask.keep[NAME], keep)
    torch.testing.assert_close(found.values[NAME], values, rtol=1e-7, atol=1e-9)


def test_a_case_worked_by_hand():
    # H = [[2, 1], [1, 1]], H⁻¹ = [[1, −1], [−1, 2]]. The saliency of w₀ = 3 is 3² / 1 = 9; that of w₁ = 2, once w₀ is
    # settled, 2² / 1 = 4 ([H₁₁]⁻¹ = 1). So w₁ goes, and nothing to its right makes up for it.
    hessian = torch.tensor([[2.0, 1.0], [1.0, 1.0]])
    one_goes = lambda saliencies, _: saliencies > saliencies.min()  # noqa: E731
    keep, values = solved(torch.tensor([[3.0, 2.0]]), hessian, one_goes, 2, damping=0.0)
    assert (keep.tolist(), values.tolist()) == ([[True, False]], [[3.0, 0.0]])
    # Of (1, 2) it is w₀ that goes: saliencies 1 and 4; w₁ becomes 2 − 1 / 1 · (−1) = 3.
    keep, values = solved(torch.tensor([[1.0, 2.0]]), hessian, one_goes, 2, damping=0.0)
    assert (keep.tolist(), values.tolist()) == ([[False, True]], [[0.0, pytest.approx(3.0)]])


def test_of_equal_inputs_one_takes_over_all_that_the_other_did():
    inputs = torch.randn(50, 1, generator=torch.Generator().manual_seed(0)).expand(50, 2)
    found = sparsegpt(Net(torch.tensor([[1.0, 5.0]])), {"x": inputs[None]}, sparsity=0.5, damping=1e-5)
    torch.testing.assert_close(found.values[NAME], torch.tensor([[0.0, 6.0]]), rtol=1e-3, atol=0)


def test_without_correlations_survivors_keep_their_values():
    weight = correlated(0)[0]
    inputs = torch.linalg.qr(correlated(1)[1]).Q  # orthogonal columns of one norm
    found = sparsegpt(Net(weight), {"x": inputs[None]}, sparsity=0.5, dtype=torch.float64)
    torch.testing.assert_close(found.values[NAME], weight * found.mask.keep[NAME])
    # One block of all columns: it is magnitude over the whole matrix.
    assert torch.equal(found.mask.keep[NAME], global_magnitude({NAME: weight.float()}, 0.5).keep[NAME])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("wanted", [{"sparsity": 0.5}, {"pattern": (2, 4)}])
def test_outputs_are_nearer_than_wandas_and_those_nearer_than_magnitudes(seed, wanted):
    weight, inputs = correlated(seed, rows=48, columns=64, tokens=1000, dtype=torch.float32)
    reference = inputs @ weight.T
    by_magnitude = Mask({NAME: keep_within_rows(weight.abs(), wanted.get("sparsity", wanted.get("pattern")))})
    errors = []
    for method in (sparsegpt, wanda, lambda *_, **__: by_magnitude):
        net = Net(weight)
        method(net, {"x": inputs[None]}, **wanted).apply(net)
        errors.append((net(inputs) - reference).square().sum().item())
    assert errors[0] < 0.5 * errors[1] and errors[1] < 0.5 * errors[2]


def test_fp32_is_near_float64():
    weight, inputs = correlated(0, rows=48, columns=256, tokens=300, dtype=torch.float32)
    keep = half_of(weight, 0)
    _, single = solved(weight, inputs.T @ inputs, given(keep), 128)
    _, double = solved(weight.double(), (inputs.T @ inputs).double(), given(keep), 128)
    assert (single - double).norm() / double.norm() < 1e-4


def test_inputs_that_are_always_zero_go_first_and_their_survivors_keep_their_values():
    weight, inputs = correlated(0)
    inputs[:, [3, 7, 9]] = 0
    for damping in (0.0, 0.01):
        found = sparsegpt(Net(weight), {"x": inputs[None]}, sparsity=0.05, damping=damping, dtype=torch.float64)
        gone = ~found.mask.keep[NAME]
        assert gone.sum() == int(0.05 * weight.numel()) == 38
        assert set(gone.nonzero()[:, 1].tolist()) == {3, 7, 9}  # 72 weights that cannot matter
        torch.testing.assert_close(found.values[NAME], weight * ~gone, rtol=0, atol=0)


def test_inputs_that_are_all_zero_are_pruned_to_the_count():
    weight = correlated(0, dtype=torch.float32)[0]
    found = sparsegpt(Net(weight), {"x": torch.zeros(1, 5, 32)}, sparsity=0.5)
    assert found.mask.pruned == weight.numel() // 2
    assert torch.equal(found.values[NAME], weight * found.mask.keep[NAME])


@pytest.mark.parametrize("sparsity", [0.1, 0.29, 0.5, 0.777, 0.99])
@pytest.mark.parametrize("block_size", [1, 7, 32])
def test_blocks_add_up_to_the_exact_count(sparsity, block_size):
    weight, inputs = correlated(0, rows=5)
    found = sparsegpt(Net(weight), {"x": inputs[None]}, sparsity=sparsity, block_size=block_size)
    assert found.mask.pruned == int(round(sparsity * 1000) * weight.numel() // 1000)
    assert (found.values[NAME] == 0).sum() == found.mask.pruned


def test_too_few_tokens_without_damping_are_refused_in_one_line():
    weight, inputs = correlated(0)
    with pytest.raises(InputError, match=r"Hessian of 32 inputs is not positive definite with damping 0\.0: raise the"):
        sparsegpt(Net(weight), {"x": inputs[None, :3]}, sparsity=0.5, damping=0.0)
    assert sparsegpt(Net(weight), {"x": inputs[None, :3]}, sparsity=0.5).mask.sparsity == 0.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"damping": -1.0}, r"damping -1\.0 is not allowed"),
        ({"damping": float("nan")}, "damping nan"),
        ({"damping": float("inf")}, "damping inf"),
        ({"block_size": 0}, "block_size 0 is not allowed"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        sparsegpt(Net(torch.ones(2, 2)), {"x": torch.ones(1, 2, 2)}, sparsity=0.5, **wrong)


def test_applying_sets_survivors_and_zeros_alone():
    weight, inputs = correlated(0, dtype=torch.float32)
    net = Net(weight)
    net.head = nn.Linear(24, 2)
    head = net.head.weight.detach().clone()
    found = sparsegpt(net, {"x": inputs[None]}, sparsity=0.5)
    assert torch.equal(prunable_weights(net)[NAME], weight)
    found.apply(net)
    assert torch.equal(prunable_weights(net)[NAME], found.values[NAME]) and torch.equal(net.head.weight, head)
    assert net.layers[0].fc1.weight.requires_grad


def test_a_reconstruction_of_another_model_is_refused_and_nothing_is_touched():
    net = Net(torch.ones(2, 3))
    other = Pruned(Mask({NAME: torch.zeros(3, 3, dtype=torch.bool)}), {NAME: torch.zeros(3, 3)})
    with pytest.raises(InputError, match="another model"):
        other.apply(net)
    assert torch.equal(prunable_weights(net)[NAME], torch.ones(2, 3))
