"""Every number, name and path that a function of the package's face takes is taken rightly or refused in one line.

Models, weights, masks and curves are objects that a program makes: what is none raises Python's own errors.
"""

import inspect
import math
import re
from functools import cache

import pytest
from fuzzing import ODD_VALUES, fuzzed, read_or_refused
from hypothesis import given
from hypothesis import strategies as st

import essparse_lib
from essparse_lib.errors import InputError

FUZZ = fuzzed()
VALUES = (
    st.sampled_from(ODD_VALUES)
    | st.text(max_size=20)
    | st.integers()
    | st.floats()
    | st.lists(st.integers(), max_size=3)
)

#: Parameters that are objects of a program.
OBJECTS = {"weights", "model", "mask", "one", "other", "measure", "curve", "study", "records", "data", "training",
           "devices", "train", "tokenizer", "calibration", "matrices", "source", "recipe", "pruning", "trial", "spec",
           "start", "dtype", "keep", "network", "module", "provenance", "predictions", "labels", "overrides",
           "variants", "measured", "pretrained", "controls", "task_seeds", "task_sparsities", "strict", "relative",
           "prompting", "tell", "figure", "task"}  # fmt: skip
#: Parameters that may be any text, or any that names nothing.
TEXTS = {"text", "folder", "out", "name", "prefix", "data", "test", "text2", "image", "label"}
#: What is in the package's face and is no function or class to be called with plain values, with the reason.
NOT_CALLED = {
    "METHODS", "TENTHS", "TASK_HEADS",  # tables
    "InputError",  # an error
    "Mask", "Levels", "Estimate", "Curve", "Verdict", "Record",  # results, made by the package
    "compare_by_matrix", "cosine", "jaccard", "jaccard_removed", "weights_fingerprint", "mask_from_zeros",
    "apply_torch_pruning", "mask_from_torch_pruning", "to_semi_structured", "transposed_names", "curves",
    "turning_point", "execute", "accelerator", "essential_sparsity", "Choice", "choose_sparsity", "fine_tune",
    "MaskCallback",
    "merge_adapters",  # take objects alone, or almost
    "sweep", "SweepResult",  # hours of work, of which the settings and the data are tried alone
    "perplexity", "Store", "load_mask", "save_mask", "prune",  # files of a program; a recipe is tried alone
}  # fmt: skip


@cache
def _network():
    from essparse_lib.models import loading

    return loading.load_model("tiny-bert")


@cache
def _weights():
    import torch

    generator = torch.Generator().manual_seed(0)
    return {"w": torch.randn(8, 16, generator=generator), "v": torch.randn(4, 8, generator=generator)}


def _tokens():
    import torch

    return torch.zeros(2, 8, dtype=torch.int64)


def _tokenizer(text, **_):
    return {"input_ids": list(range(len(text)))}


#: A valid call of each function: its arguments.
CALLS = {
    "check_sparsity": lambda: {"sparsity": 0.4},
    "load_model": lambda: {"name": "tiny-bert"},
    "load_with_head": lambda: {"name": "tiny-bert", "head": "sequence-classification", "classes": 2, "seed": 0},
    "save_pruned": lambda: {"name": "nothing", "recipe": essparse_lib.Recipe(sparsity=0.5), "out": "out"},
    "Recipe": lambda: {"sparsity": 0.4, "method": "magnitude", "scope": "global", "pattern": None, "text": None,
                       "images": None, "windows": None, "length": None, "include": (), "exclude": (), "seed": 0},
    "Recovery": lambda: {"text": __file__, "steps": 1, "learning_rate": 1e-4, "seed": 0},
    "decompress": lambda: {"folder": "nothing", "out": "out"},
    "magnitude_levels": lambda: {"weights": _weights(), "sparsities": [0.1, 0.5], "scope": "global"},
    "global_magnitude": lambda: {"weights": _weights(), "sparsity": 0.5},
    "layer_magnitude": lambda: {"weights": _weights(), "sparsity": 0.5},
    "random_levels": lambda: {"weights": _weights(), "sparsities": [0.1, 0.5], "seed": 0, "scope": "layer"},
    "random_mask": lambda: {"weights": _weights(), "sparsity": 0.5, "seed": 0, "scope": "layer"},
    "n_m": lambda: {"weights": _weights(), "pattern": "2:4"},
    "calibration_windows": lambda: {"text": "a" * 100, "tokenizer": _tokenizer, "sequences": 2, "length": 8, "seed": 0},
    "wanda": lambda: {"model": _network(), "calibration": _tokens(), "sparsity": 0.5, "pattern": None, "batch_size": 2,
                      "include": (), "exclude": ()},
    "sparsegpt": lambda: {"model": _network(), "calibration": _tokens(), "sparsity": 0.5, "pattern": None,
                          "damping": 0.01, "block_size": 128, "batch_size": 2, "include": (), "exclude": ()},
    "lottery": lambda: {"model": _network(), "train": lambda *_: None, "sparsity": 0.2, "rate": 0.1, "folder": None},
    "count_zeros": lambda: {"weights": _weights(), "thresholds": (0.1,), "deviations": (0.1,)},
    "count_zeros_by_component": lambda: {"matrices": [], "thresholds": (0.1,), "deviations": (0.1,)},
    "effective_sparsity": lambda: {"weights": _weights(), "share": 0.9},
    "prunable_matrices": lambda: {"model": _network(), "include": (), "exclude": ()},
    "prunable_weights": lambda: {"model": _network(), "include": (), "exclude": ()},
    "magnitude_thresholds": lambda: {"weights": _weights(), "ranks": [1, 5]},
    "Trial": lambda: {"model": "tiny-bert", "task": "rte", "seed": 0, "training": None},
    "Training": lambda: {"epochs": 1, "batch_size": 1, "learning_rate": 0.1, "max_length": 8, "max_train": 8,
                         "warmup": 0.0, "weight_decay": 0.0, "max_test": 8, "held_out": 8, "head_rate": None,
                         "random_weights": False, "decoder": "gru", "beam": 1},
    "Pruning": lambda: {"sparsity": 0.5, "method": "lottery", "scope": "global", "pattern": "", "timing": "before",
                        "rate": 0.1, "calibration": "", "windows": 1, "length": 1, "extent": "blocks"},
    "Study": lambda: {"figure": "fig2", "scale": "tiny", "models": ("tiny-bert",), "tasks": ("rte",), "training": {}},
    "Evaluation": lambda: {"model": "tiny-llama", "task": "tiny-copa", "seed": 0},
    "Prompting": lambda: {"questions": 8, "shots": 0, "prefix": ""},
    "EvaluationStudy": lambda: {"figure": "fig11", "scale": "tiny", "models": ("tiny-llama",), "tasks": ("tiny-copa",),
                                "prompting": {}},
    "evaluate": lambda: {"model": "tiny-llama", "tasks": ("tiny-copa",), "against": None, "questions": 2, "shots": 0,
                         "prefix": ""},
    "OwnData": lambda: {"data": "reviews.csv", "test": None, "text": None, "text2": None, "image": None, "label": None},
    "SweepSettings": dict,
    "Tolerance": lambda: {"value": 1.0, "relative": False},
    "at_sparsities": lambda: {"sparsities": [0.1], "method": "magnitude", "scope": "global", "timing": "before"},
    "results": lambda: {"scale": "tiny"},
    "verdict": lambda: {"claim": "C1", "scale": "tiny", "records": {}},
}  # fmt: skip
PLAIN = [
    (name, argument)
    for name in CALLS
    for argument in inspect.signature(getattr(essparse_lib, name)).parameters
    if argument not in OBJECTS
]


@pytest.fixture(scope="module")
def loaded():
    """The libraries below are loaded before a call is timed."""
    essparse_lib.load_with_head(**CALLS["load_with_head"]())


@pytest.fixture
def in_a_folder(loaded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _is_rightly_taken(name, argument, value):
    default = inspect.signature(getattr(essparse_lib, name)).parameters[argument].default
    if value is None or value == "":
        return value == default or default is None or (name, argument) == ("Pruning", "pattern")
    if isinstance(value, bool):
        return isinstance(default, bool)
    if isinstance(value, (int, float)):
        return math.isfinite(value)
    if isinstance(value, str):
        return argument in TEXTS or re.fullmatch("[-+]?[0-9]*[.]?[0-9]*([eE][-+]?[0-9]+)?", value)
    return isinstance(value, (list, dict))  # each of which is refused where a number is expected


def _try(name, argument, value):
    call = {**CALLS[name](), argument: value}
    if not isinstance(read_or_refused(lambda: getattr(essparse_lib, name)(**call)), InputError):
        assert _is_rightly_taken(name, argument, value), f"{name} takes {argument}={value!r}"


def test_every_name_of_the_face_is_tried_or_said_to_take_no_plain_values():
    assert set(CALLS) | NOT_CALLED == set(essparse_lib.__all__)
    assert not set(CALLS) & NOT_CALLED


@pytest.mark.parametrize("name", CALLS)
def test_an_odd_value_is_taken_rightly_or_refused(in_a_folder, name):
    for argument in (argument for of, argument in PLAIN if of == name):
        for value in (*ODD_VALUES, b"x", object(), "1_0", "\u0661", 10**5000):
            _try(name, argument, value)


@pytest.mark.slow
@FUZZ
@given(parameter=st.sampled_from(PLAIN), value=VALUES)
def test_any_value(in_a_folder, parameter, value):
    _try(*parameter, value)
