"""Wanda's scores: worked out by hand, and where they must agree with magnitude."""

import pytest
import torch
from tiny_models import Net

from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.pruning.wanda import wanda

WEIGHT = torch.tensor([[4.0, 1.0, -2.0, 1.0], [1.0, -3.0, 0.5, 0.5]])
# Two sequences of two tokens; the columns' norms are √(1²) = 1, √(2²) = 2, √(1² + 2² + 2²) = 3 and √(3² + 4²) = 5.
INPUTS = torch.tensor([[[1.0, 0.0, 1.0, 0.0], [0.0, 2.0, 2.0, 3.0]], [[0.0, 0.0, -2.0, 0.0], [0.0, 0.0, 0.0, -4.0]]])
NAME = "layers.0.fc1.weight"


def kept(weight=WEIGHT, inputs=INPUTS, **wanted):
    return wanda(Net(weight), {"x": inputs}, batch_size=1, **wanted).keep[NAME].int().tolist()


def test_a_case_worked_by_hand():
    # |W|·norms: [4, 2, 6, 5] and [1, 6, 1.5, 2.5].
    assert kept(sparsity=0.25) == [[1, 0, 1, 1], [0, 1, 1, 1]]
    assert kept(sparsity=0.5) == [[0, 0, 1, 1], [0, 1, 0, 1]]
    assert kept(sparsity=0.75) == [[0, 0, 1, 0], [0, 1, 0, 0]]
    # Magnitude would keep 4 in the first row, and of the second 1 and −3.


def test_a_pattern_worked_by_hand():
    assert kept(pattern=(1, 2)) == [[1, 0, 1, 0], [0, 1, 0, 1]]
    assert kept(pattern=(2, 4)) == [[0, 0, 1, 1], [0, 1, 0, 1]]
    assert kept(pattern="3:4") == [[1, 0, 1, 1], [0, 1, 1, 1]]
    # Groups of three, and the fourth input by itself: it keeps its one.
    assert kept(pattern=(1, 3)) == [[0, 0, 1, 1], [0, 1, 0, 1]]


def test_a_row_loses_the_count_that_is_rounded_down():
    assert kept(sparsity=0.74) == kept(sparsity=0.5)
    assert kept(sparsity=0.24) == kept(sparsity=0) == [[1] * 4] * 2


def test_equal_scores_go_by_position():
    assert kept(torch.ones(1, 4), torch.ones(1, 2, 4), sparsity=0.5) == [[0, 0, 1, 1]]


def test_inputs_that_are_always_zero_go_first():
    inputs = INPUTS.clone()
    inputs[..., 2] = 0
    assert kept(inputs=inputs, sparsity=0.25) == [[1, 1, 0, 1], [1, 1, 0, 1]]


def test_the_second_block_is_scored_by_what_the_pruned_first_puts_out():
    first = torch.tensor([[1.0, 0.0], [9.0, 10.0]])
    second = torch.tensor([[10.0, 1.0]])
    x = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    # The first block loses 0 and 9. It then puts out (1, 0) and (0, 10): norms 1 and 10, the second's scores 10 and 10.
    # Dense, the norms were 1 and √181, and the scores 10 and 13.5.
    assert wanda(Net(first, second), {"x": x}, sparsity=0.5).keep["layers.1.fc1.weight"].tolist() == [[False, True]]
    second[0, 0] = 11
    assert wanda(Net(first, second), {"x": x}, sparsity=0.5).keep["layers.1.fc1.weight"].tolist() == [[True, False]]


@pytest.mark.parametrize("seed", range(3))
def test_where_all_inputs_are_of_one_norm_it_is_magnitude_by_row(seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(7, 12, generator=generator)
    inputs = torch.randint(0, 2, (4, 5, 12), generator=generator) * 2.0 - 1  # ±1: every norm is √20
    net = Net(weight)
    found = wanda(net, {"x": inputs}, sparsity=0.5).keep[NAME]
    median = prunable_weights(net)[NAME].abs().median(1, keepdim=True).values  # of twelve, the sixth
    assert torch.equal(found, weight.abs() > median)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_scale_of_the_inputs_does_not_matter(scale):
    assert kept(inputs=INPUTS * scale, sparsity=0.5) == kept(sparsity=0.5)


def test_a_higher_precision_decides_what_fp32_cannot():
    # The squares of 1 are lost beside those of 2**13 in fp32: norms that differ, but not there.
    inputs = torch.tensor([[[8192.0, 8192.0], [0.0, 1.0]]])
    weight = torch.ones(1, 2)
    assert kept(weight, inputs.flip(-1), sparsity=0.5) == [[0, 1]]  # a tie, it seems: the first goes
    assert kept(weight, inputs.flip(-1), sparsity=0.5, dtype=torch.float64) == [[1, 0]]
