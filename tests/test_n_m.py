"""N:M: at most N of each M consecutive inputs stay, the largest; hand-worked, and by its own definition."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.errors import InputError
from essparse_lib.pruning import n_m as module
from essparse_lib.pruning.n_m import largest, n_m
from essparse_lib.pruning.prunable import prunable_weights, transposed_names


def test_two_of_four_by_hand():
    rows = torch.tensor([[1.0, -4.0, 2.0, -3.0, 0.0, 0.1, -0.2, 0.3], [5.0, 5.0, 5.0, 5.0, -1.0, 2.0, -3.0, 4.0]])
    kept = n_m({"w": rows}, "2:4").keep["w"].int().tolist()
    # of four equal ones the first two go
    assert kept == [[0, 1, 0, 1, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1]]


def test_the_last_shorter_group_keeps_its_n_largest():
    rows = torch.tensor([[9.0, 1.0, 2.0, 3.0, 3.0, 1.0, 2.0]])
    assert n_m({"w": rows}, "2:4").keep["w"].int().tolist() == [[1, 0, 0, 1, 1, 0, 1]]
    assert n_m({"w": rows[:, :6]}, (2, 4)).keep["w"].int().tolist() == [[1, 0, 0, 1, 1, 1]]  # two of two
    assert n_m({"w": rows[:, :3]}, (2, 4)).keep["w"].int().tolist() == [[1, 0, 1]]  # no whole group at all


def by_definition(scores, n, m):
    keep = torch.zeros_like(scores, dtype=torch.bool)
    for row, start in itertools.product(range(scores.shape[0]), range(0, scores.shape[1], m)):
        group = scores[row, start : start + m].tolist()
        best = sorted(range(len(group)), key=lambda i: (group[i], i))[-n:]
        keep[row, [start + i for i in best]] = True
    return keep


@given(st.integers(0, 5), st.integers(0, 30), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_against_the_definition(rows, columns, n, m, seed):
    n, m = sorted((n, m))
    scores = torch.randint(0, 6, (rows, columns), generator=torch.Generator().manual_seed(seed)).float()
    assert torch.equal(largest(scores, n, m), by_definition(scores, n, m))


def test_many_rows_in_several_goes(monkeypatch):
    scores = torch.rand(37, 50, generator=torch.Generator().manual_seed(0))
    whole = largest(scores, 2, 4)
    monkeypatch.setattr(module, "_ROWS_WEIGHTS", 300)
    assert torch.equal(largest(scores, 2, 4), whole)


def test_all_of_m_is_dense():
    assert n_m({"w": torch.randn(3, 8)}, "4:4").pruned == 0


def test_transposed_matrices_are_grouped_along_their_inputs():
    from transformers import GPT2Config, GPT2Model

    model = GPT2Model(GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=2, n_positions=8))
    names = transposed_names(model)
    assert names == set(prunable_weights(model))  # all of GPT-2's are
    mask = n_m(prunable_weights(model), "2:4", names)
    for name, kept in mask.keep.items():
        assert kept.shape == prunable_weights(model)[name].shape
        assert (kept.T.reshape(-1, 4).sum(1) == 2).all()


@pytest.mark.parametrize(
    "pattern", ["4:2", "0:4", "2", "2:4:8", "a:b", "-1:4", "2:0", (3, 2), "", 5, None, "²:4", (2.0, 4)]
)
def test_patterns_that_are_none_are_refused(pattern):
    with pytest.raises(InputError, match=r"is not allowed: give N:M with N from 1 to M, such as 2:4"):
        n_m({"w": torch.ones(2, 4)}, pattern)


def test_what_cannot_be_grouped_is_refused():
    with pytest.raises(InputError, match=r"odd has rows of 6 weights, which 4 does not divide"):
        n_m({"w": torch.ones(2, 8), "odd": torch.ones(2, 6)}, "2:4", strict=True)
    with pytest.raises(InputError, match=r"bias has shape \(6,\): N:M needs matrices"):
        n_m({"bias": torch.ones(6)}, "2:4")
    with pytest.raises(InputError, match="w holds NaN"):
        n_m({"w": torch.full((1, 4), float("nan"))}, "2:4")
