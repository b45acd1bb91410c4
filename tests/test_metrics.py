"""Scores against scikit-learn's, and where they degenerate."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, matthews_corrcoef

from essparse_lib.records.metrics import (
    MEANS,
    METRICS,
    accuracy,
    confusion_cells,
    from_digits,
    majority,
    matthews,
    score,
    shares,
    shares_to_digits,
    to_digits,
)


@st.composite
def classified(draw):
    classes = draw(st.integers(2, 6))
    pairs = st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1))
    labels, predictions = zip(*draw(st.lists(pairs, min_size=1, max_size=200)), strict=True)
    return np.array(labels), np.array(predictions), classes


@given(classified())
def test_accuracy_is_that_of_scikit_learn(case):
    labels, predictions, classes = case
    expected = 100 * accuracy_score(labels, predictions)
    assert score("accuracy", labels, predictions, classes) == pytest.approx(expected)


@given(classified())
def test_matthews_is_that_of_scikit_learn(case):
    labels, predictions, classes = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a single class
        expected = 100 * matthews_corrcoef(labels, predictions)
    assert score("matthews", labels, predictions, classes) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_resamples_are_scores_one_by_one(seed):
    rng = np.random.default_rng(seed)
    labels, predictions = rng.integers(0, 3, (2, 60))
    draws = rng.integers(0, 60, (7, 60))
    counts = np.stack([confusion_cells(labels[d], predictions[d], 3).sum(0).reshape(3, 3) for d in draws])
    for name, metric in METRICS.items():
        expected = [score(name, labels[d], predictions[d], 3) for d in draws]
        np.testing.assert_allclose(metric(counts), expected)


@pytest.mark.parametrize("guess", [0, 1])
def test_matthews_of_one_predicted_class_is_zero(guess):
    assert score("matthews", np.array([0, 1, 1, 0, 1]), np.full(5, guess), 2) == 0.0


def test_matthews_of_one_actual_class_is_zero():
    assert score("matthews", np.zeros(4, int), np.array([0, 1, 0, 1]), 2) == 0.0


def test_perfect_and_opposite_predictions_reach_the_ends():
    labels = np.array([0, 1, 1, 0, 1])
    assert score("matthews", labels, labels, 2) == pytest.approx(100)
    assert score("matthews", labels, 1 - labels, 2) == pytest.approx(-100)
    assert score("accuracy", labels, labels, 2) == 100
    assert score("accuracy", labels, 1 - labels, 2) == 0


def test_matthews_of_large_counts_does_not_overflow():
    counts = np.array([[9 * 10**8, 10**8], [10**8, 9 * 10**8]])
    assert matthews(counts) == pytest.approx(80)
    assert accuracy(counts) == pytest.approx(90)


def test_confusion_cells_put_labels_in_rows():
    cells = confusion_cells(np.array([0, 0, 1]), np.array([1, 1, 0]), 2)
    assert cells.shape == (3, 4)
    assert cells.sum(0).reshape(2, 2).tolist() == [[0, 2], [1, 0]]


def test_majority_is_the_share_of_the_most_frequent_class():
    labels = np.array([2, 2, 2, 0, 1])
    assert majority("accuracy", labels, 3) == pytest.approx(60)
    assert majority("matthews", labels, 3) == 0.0


@given(st.integers(1, 4).flatmap(lambda w: st.tuples(st.just(w), st.lists(st.integers(0, 36**w - 1)))))
def test_digits_are_read_back(case):
    width, numbers = case
    text = to_digits(numbers, width)
    assert len(text) == width * len(numbers)
    assert from_digits(text, width).tolist() == numbers
    assert [int(text[i : i + width], 36) for i in range(0, len(text), width)] == numbers


def test_digits_of_classes_are_those_of_earlier_records():
    assert to_digits(np.arange(36)) == "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("damaged", ["0", "00z", "0A", "0-", "\u0660\u0660"])
def test_damaged_shares_are_refused(damaged):
    with pytest.raises(ValueError, match="is no row of numbers of 2 digits"):
        shares(damaged)


@given(st.lists(st.floats(0, 1), max_size=200))
def test_shares_are_kept_to_the_nearest_step(values):
    text = shares_to_digits(np.array(values))
    assert len(text) == 2 * len(values)
    again = shares(text)
    assert again.shape == (len(values),)
    assert ((again >= 0) & (again <= 1)).all()
    np.testing.assert_allclose(again, values, atol=0.5 / 1295 + 1e-12)
    assert shares_to_digits(again) == text


def test_the_ends_and_simple_fractions_of_shares():
    assert shares_to_digits(np.array([0, 1, 0.5, 2 / 3])) == "00" + "zz" + "i0" + "nz"
    assert shares("00zzi0nz").tolist() == [0, 1, 648 / 1295, 863 / 1295]


def test_a_metric_is_one_of_classes_or_a_mean():
    assert set(MEANS).isdisjoint(METRICS)
    assert "f1" in MEANS
