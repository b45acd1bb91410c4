"""Sparsities of single matrices, from a file: what each matrix gets, and which files are refused."""

import json
from fnmatch import fnmatchcase

import pytest
import torch

from essparse_lib import sparsify
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning import registry
from essparse_lib.pruning.method import Request
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.recipe import Recipe

SPARSITIES = {"*.0.*fc1*": 0.75, "*fc1*": 0.5, "*.k_proj.weight": 0.0, "*fc2*": "0.25"}
CALIBRATED = ("wanda", "sparsegpt")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the film has a good plot and its actors play a dull story " * 1000)
    return path


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sparsities.json"
    path.write_text(json.dumps(SPARSITIES))
    return path


@pytest.mark.parametrize("method", ["magnitude", "random", *CALIBRATED])
def test_each_matrix_loses_its_own_share_and_what_fits_no_pattern_stays_dense(method, file, text, tmp_path):
    calibrated = {"text": text, "windows": 8} if method in CALIBRATED else {}
    recipe = Recipe(sparsities=file, method=method, **calibrated)
    said = sparsify.save_pruned("tiny-opt", recipe, tmp_path / "out")
    dense = 0
    for name, weight in prunable_weights(loading.load_model(str(tmp_path / "out"))).items():
        wanted = next((float(share) for pattern, share in SPARSITIES.items() if fnmatchcase(name, pattern)), None)
        assert int((weight == 0).sum()) == int((wanted or 0) * weight.numel()), name
        dense += weight.numel() if wanted is None else 0
    assert f"{dense:,} in matrices that the patterns leave out" in said
    done = json.loads((tmp_path / "out/essparse.json").read_text())
    assert done["sparsities"] == {pattern: float(share) for pattern, share in SPARSITIES.items()}
    assert "0.75 of `*.0.*fc1*`" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize("method", ["magnitude", "random", *CALIBRATED])
def test_one_sparsity_for_each_matrix_is_that_sparsity_in_each(method):
    model = loading.load_model("tiny-opt")
    tokens = torch.randint(5, 40, (8, 16), generator=torch.Generator().manual_seed(0))
    options = {"calibration": tokens} if method in CALIBRATED else {"scope": "layer"}
    each = registry.prune(model, method, Request(sparsities={"*": 0.25}, **options))
    every = registry.prune(model, method, Request(sparsity=0.25, **options))
    assert all(torch.equal(kept, every.mask.keep[name]) for name, kept in each.mask.keep.items())
    assert all(torch.equal(values, every.values[name]) for name, values in each.values.items())


def test_excluded_matrices_stay_dense(tmp_path):
    recipe = Recipe(sparsities={"*fc1*": 0.5}, exclude=("*.0.*",))
    sparsify.save_pruned("tiny-opt", recipe, tmp_path / "out")
    weights = prunable_weights(loading.load_model(str(tmp_path / "out")))
    assert [name for name, weight in weights.items() if (weight == 0).any()] == ["decoder.layers.1.fc1.weight"]


@pytest.mark.parametrize(
    ("sparsities", "message"),
    [
        ({"*nowhere*": 0.5, "*": 0.2}, r"pattern '\*nowhere\*' fits no weight of the blocks"),
        ({"*": 0.2, "*fc1*": 0.5}, r"pattern '\*fc1\*' decides nothing: what it fits fits '\*' first"),
    ],
)
def test_a_pattern_that_decides_nothing_is_refused_and_nothing_written(sparsities, message, tmp_path):
    with pytest.raises(InputError, match=message):
        sparsify.save_pruned("tiny-opt", Recipe(sparsities=sparsities), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_pattern_for_what_is_excluded_is_refused(tmp_path):
    recipe = Recipe(sparsities={"*fc1*": 0.5, "*fc2*": 0.5}, exclude=("*fc1*",))
    with pytest.raises(InputError, match=r"pattern '\*fc1\*' of the sparsities fits no matrix that is pruned"):
        sparsify.save_pruned("tiny-opt", recipe, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "sparsities {} are not allowed"),
        ("[0.5]", "it holds no object"),
        ("{", "cannot be read"),
        ("", "cannot be read"),
        ('{"*": 1}', r"pattern '\*': sparsity 1 is not allowed"),
        ('{"*": -0.1}', "is not allowed: give a number from 0 to below 1"),
        ('{"*": NaN}', "is not allowed: give a number from 0 to below 1"),
        ('{"*": null}', "sparsity None is not allowed"),
        ('{"*": true}', "sparsity True is not allowed"),
        ('{"*": {"a": 1}}', "is not allowed"),
        ('{" ": 0.5}', "pattern ' ' is not allowed"),
        ('{"a": 0.5, "a": 0.4}', "'a' stands twice"),
        ("[" * 100_000, "cannot be read"),
        ("{" + ", ".join(f'"{i}": 0.5' for i in range(10_001)) + "}", "10,001 patterns"),
        ("{" + " " * 2**21 + "}", "larger than 1 MB"),
    ],
    ids=lambda text: text[:20],
)
def test_a_file_that_holds_no_sparsities_is_refused_in_a_line_that_names_it(content, message, tmp_path):
    path = tmp_path / "sparsities.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as refused:
        Recipe(sparsities=path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sparsity": 0.5}, "give either a sparsity"),
        ({"pattern": "2:4"}, "give either a sparsity"),
        ({"scope": "global"}, "scope 'global' does not go with sparsities of matrices"),
        ({"scope": "erk"}, "scope 'erk' does not go with sparsities of matrices"),
        ({"include": ("*fc1*",)}, "include does not go with sparsities of matrices"),
    ],
    ids=str,
)
def test_what_does_not_go_with_sparsities_of_matrices_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Recipe(sparsities={"*": 0.5}, **settings)
    with pytest.raises(InputError, match=message):
        registry.prune(
            torch.nn.Identity(), "magnitude", Request(sparsities={"*": 0.5}, **{"scope": "layer"} | settings)
        )


def test_a_method_that_cannot_is_refused(monkeypatch):
    from dataclasses import replace

    from essparse_lib.specs.methods import METHODS

    monkeypatch.setitem(METHODS, "random", replace(METHODS["random"], by_matrix=False))
    with pytest.raises(InputError, match="sparsities of matrices go with magnitude, wanda and sparsegpt, not with ran"):
        Recipe(sparsities={"*": 0.5}, method="random")
