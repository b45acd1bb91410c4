"""The checks that all of the package shares: names that are unknown, folders that are not there, numbers."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from essparse_lib import figures, tasks
from essparse_lib.errors import (
    InputError,
    as_number,
    check_number,
    check_seed,
    check_sparsity,
    check_whole,
    nearest,
    unknown,
)
from essparse_lib.models import loading
from essparse_lib.paths import missing_folder

MANY = [f"model-{letter * 3}" for letter in "abcdefghijklmnopqrst"]


def test_few_names_are_listed_and_many_are_not():
    few = str(unknown("method", "wandda", ["wanda", "random"]))
    assert few == "unknown method 'wandda': choose from random, wanda; did you mean 'wanda'?"
    many = str(unknown("model", "model-aab", MANY, ", or a folder", "essparse names"))
    assert many.startswith("unknown model 'model-aab': choose from the 20 names that essparse names prints, or ")
    assert "or a folder; did you mean 'model-aaa'" in many and many.count("model-") <= 7
    assert "did you mean" not in str(unknown("model", "zzzz", MANY))
    assert "\n" not in str(unknown("model", np.zeros((9, 9)), MANY))


@pytest.mark.parametrize(
    ("name", "names", "near"),
    [
        ("RTE", ["rte", "sst2"], "rte"),
        ("Bert-Base-Uncased", ["bert-base-uncased", "opt"], "bert-base-uncased"),
        ("opt", ["opt-125m-with-a-long-name", "bert"], "opt-125m-with-a-long-name"),
        ("minilm_l6", ["minilm-l6", "mpnet"], "minilm-l6"),
        (None, ["rte"], None),
        ("", ["rte"], None),
    ],
)
def test_the_nearest_names(name, names, near):
    assert (nearest(name, names) or [None])[0] == near
    assert len(nearest("model", MANY)) == 3


@pytest.mark.parametrize(
    ("get", "name", "near"),
    [
        (loading.check_name, "minilm-16", "minilm-l6"),
        (loading.check_name, "BERT-base-uncased", "bert-base-uncased"),
        (tasks.get, "movie_reviews", "movie-reviews"),
        (lambda name: figures.study(name, "lab"), "fig22", "fig2"),
        (lambda name: figures.study("fig2", name), "labb", "lab"),
    ],
)
def test_an_unknown_name_suggests_the_nearest_ones_and_no_long_list(get, name, near):
    with pytest.raises(InputError, match=f"unknown .*{name}.*did you mean '{near}'") as error:
        get(name)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("./my-modell", "my-model"),
        ("models/brt-base", "models/bert-base"),
        ("{here}/models/brt-base", "{here}/models/bert-base"),
        ("modles/a/b", "models"),
        ("../{folder}/my-modle", "my-model"),
        ("~/my-modle", "my-model"),
        ("models/zzzz", None),
    ],
)
def test_a_path_that_is_not_there_is_a_missing_folder(tmp_path, monkeypatch, name, near):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("my-model", "models/bert-base"):
        (tmp_path / folder).mkdir(parents=True)
    name = name.format(here=tmp_path, folder=tmp_path.name)
    with pytest.raises(InputError, match=f"^no such folder: '{name}'") as error:
        loading.check_name(name)
    assert ("did you mean" in str(error.value)) == bool(near)
    assert near is None or near.format(here=tmp_path) in str(error.value)


def test_what_can_be_on_the_hub_or_is_there_is_no_missing_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for name in ("google/vit-base", "google/vit@refs/pr/1", "mine", "./mine", str(tmp_path / "mine"), "minilm-l6"):
        loading.check_name(name)
    assert "did you mean" not in str(missing_folder("/nowhere/at/all"))


NUMBERS = [0.5, np.float64(0.5), np.float32(0.5), np.array(0.5), torch.tensor(0.5), Decimal("0.5"), Fraction(1, 2)]
NO_NUMBERS = [True, np.bool_(True), torch.tensor(True), None, "x", [0.5], np.array([0.5]), torch.tensor([0.5]), 1j,
              torch.empty((), device="meta"), {}, float("nan"), Decimal("NaN"), object]  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_numbers_of_any_type_are_read(number):
    assert as_number(number) == check_sparsity(number) == check_number("n", number, lambda n: True, "any") == 0.5
    assert type(check_sparsity(number)) is float


@pytest.mark.parametrize("value", NO_NUMBERS, ids=str)
def test_what_is_no_number_is_refused_in_a_line(value):
    assert np.isnan(as_number(value))
    checks = [check_sparsity, check_seed, lambda v: check_number("n", v, lambda n: True, "any"),
              lambda v: check_whole("n", v)]  # fmt: skip
    for check in checks:
        with pytest.raises(InputError, match="is not allowed: give ") as error:
            check(value)
        assert "\n" not in str(error.value)


def test_whole_numbers_of_any_type_are_read():
    for three in (3, np.int8(3), np.uint64(3), np.array(3), torch.tensor(3)):
        assert check_whole("n", three) == check_seed(three) == 3 and type(check_whole("n", three)) is int
    for refused in (3.0, np.float64(3), torch.tensor(3.0), "3", 0, -1, 6):
        with pytest.raises(InputError, match="^n .* is not allowed: give a whole number from 1 to 5$"):
            check_whole("n", refused, 1, 5)


def test_a_sparsity_near_one_or_zero():
    assert check_sparsity(0.3 - 0.1 * 3) == 0 and str(check_sparsity(-0.0)) == "0.0"
    for refused in (1 - 1e-16, 0.1 * 10, -1e-9, sum([0.1] * 10)):
        with pytest.raises(InputError, match="^sparsity .* is not allowed: give a number from 0 to below 1"):
            check_sparsity(refused)
