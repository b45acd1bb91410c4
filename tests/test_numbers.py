"""Every number that a user gives to pruning and training is checked before work begins, by one clear line."""

import inspect
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator

import essparse_lib
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.specs.trial import Training

#: The public functions and classes that prune and train.
FACE = {
    name: getattr(essparse_lib, name)
    for name, home in essparse_lib._HOME.items()
    if home.split(".")[0] in ("pruning", "training", "sparsify", "recipe") or home == "specs.trial"
}
WEIGHTS = {"w": torch.arange(1.0, 13).view(3, 4)}
TOKENS = torch.arange(5, 21).view(2, 8)
TRAINING = dict(epochs=1, batch_size=2, learning_rate=0.1)

WHOLE = [0, -1, 2.0, 1.5, "2", True, None, float("nan"), [1], torch.tensor(1.0)]
FROM_0 = [value for value in WHOLE if value != 0 or value is True]
OR_NONE = [value for value in WHOLE if value is not None]
SEED = [*FROM_0, 2**64]
SPARSITY = [1, -0.1, 1.5, "x", True, None, float("nan"), float("inf"), [0.5], np.array([0.5]), 1j]
RATE = [0, -0.1, 1, 1.5, "0.1", True, None, float("nan"), float("inf"), [0.1]]
SHARE = [0, -0.1, 1.5, "0.9", True, None, float("nan"), [0.9]]
ABOVE_0 = [0, -0.1, "1", True, None, float("nan"), float("inf"), [1]]
FROM_0_ON = [-0.1, "1", True, None, float("nan"), float("inf"), [1]]


def each(values):
    """The values in lists, beside a list of none and what is no list."""
    return [*([value] for value in values), 0.5]


def no_training(*_):
    raise AssertionError("work began")


def model():
    made = loading.classifier("tiny-opt", 2, 0)
    made.forward = no_training
    return made


def tokenizer(*_, **__):
    raise AssertionError("work began")


def numbers():
    """The number's function and name, what is not allowed, and how the function is called with it."""
    face = SimpleNamespace(**FACE)
    sweeps = (face.magnitude_levels, lambda w, s: face.random_levels(w, s, 0))
    yield from [
        ("magnitude_levels", "sparsities", each(SPARSITY), lambda v: sweeps[0](WEIGHTS, v)),
        ("random_levels", "sparsities", each(SPARSITY), lambda v: sweeps[1](WEIGHTS, v)),
        ("random_levels", "seed", SEED, lambda v: face.random_levels(WEIGHTS, [0.5], v)),
        ("random_mask", "sparsity", SPARSITY, lambda v: face.random_mask(WEIGHTS, v, 0)),
        ("random_mask", "seed", SEED, lambda v: face.random_mask(WEIGHTS, 0.5, v)),
        ("global_magnitude", "sparsity", SPARSITY, lambda v: face.global_magnitude(WEIGHTS, v)),
        ("layer_magnitude", "sparsity", SPARSITY, lambda v: face.layer_magnitude(WEIGHTS, v)),
        ("Levels", "sparsities", each(SPARSITY), lambda v: face.Levels(v, {})),
        ("n_m", "pattern", ["4:2", "2", 2, (2,), (2.0, 4), (True, 4), (0, 4), "0:4", "-1:4", None],
         lambda v: face.n_m(WEIGHTS, v)),
        ("magnitude_thresholds", "ranks", [[0], [13], [2, 1], [1.0], [True], ["1"], [None]],
         lambda v: face.magnitude_thresholds(WEIGHTS, v)),
        ("effective_sparsity", "share", SHARE, lambda v: face.effective_sparsity(WEIGHTS, v)),
        ("count_zeros", "thresholds", each(ABOVE_0), lambda v: face.count_zeros(WEIGHTS, v)),
        ("count_zeros", "deviations", each(ABOVE_0), lambda v: face.count_zeros(WEIGHTS, deviations=v)),
        ("count_zeros_by_component", "thresholds", each(ABOVE_0), lambda v: face.count_zeros_by_component([], v)),
        ("count_zeros_by_component", "deviations", each(ABOVE_0),
         lambda v: face.count_zeros_by_component([], deviations=v)),
        ("lottery", "sparsity", SPARSITY, lambda v: face.lottery(model(), no_training, v)),
        ("lottery", "rate", RATE, lambda v: face.lottery(model(), no_training, 0.5, rate=v)),
        ("perplexity", "batch_size", WHOLE, lambda v: face.perplexity(model(), TOKENS, v)),
        ("fine_tune", "seed", SEED,
         lambda v: face.fine_tune(model(), [], Training(**TRAINING), v, Accelerator(cpu=True), None)),
        *(("Training", name, WHOLE, lambda v, name=name: face.Training(**{**TRAINING, name: v}))
          for name in ("epochs", "batch_size")),
        *(("Training", name, OR_NONE, lambda v, name=name: face.Training(**{**TRAINING, name: v}))
          for name in ("max_train", "max_test", "held_out")),
        ("Training", "max_length", FROM_0, lambda v: face.Training(**TRAINING, max_length=v)),
        ("Training", "learning_rate", ABOVE_0, lambda v: face.Training(**{**TRAINING, "learning_rate": v})),
        ("Training", "head_rate", [value for value in ABOVE_0 if value is not None],
         lambda v: face.Training(**TRAINING, head_rate=v)),
        ("Training", "beam", WHOLE, lambda v: face.Training(**TRAINING, beam=v)),
        ("Recovery", "steps", WHOLE, lambda v: face.Recovery(text=__file__, steps=v)),
        ("Recovery", "learning_rate", [value for value in [*ABOVE_0, 1.1] if value != "1"],  # a text, as options are
         lambda v: face.Recovery(text=__file__, learning_rate=v)),
        ("Recovery", "seed", SEED, lambda v: face.Recovery(text=__file__, seed=v)),
        ("Training", "warmup", [*FROM_0_ON, 1.1], lambda v: face.Training(**TRAINING, warmup=v)),
        ("Training", "weight_decay", FROM_0_ON, lambda v: face.Training(**TRAINING, weight_decay=v)),
        ("Trial", "seed", SEED,
         lambda v: face.Trial(model="m", task="t", seed=v, training=Training(**TRAINING))),
        ("Pruning", "sparsity", SPARSITY, lambda v: face.Pruning(sparsity=v)),
        ("Pruning", "rate", RATE, lambda v: face.Pruning(sparsity=0.5, method="lottery", rate=v)),
        *(("Pruning", name, WHOLE,
           lambda v, name=name: face.Pruning(sparsity=0.5, method="wanda", calibration="wikipedia", **{name: v}))
          for name in ("windows", "length")),
        *(("calibration_windows", name, WHOLE,
           lambda v, name=name: face.calibration_windows("a", tokenizer, **{name: v}))
          for name in ("sequences", "length")),
        ("calibration_windows", "seed", SEED, lambda v: face.calibration_windows("a", tokenizer, seed=v)),
        *((name, "sparsity", [value for value in SPARSITY if value is not None],
           lambda v, name=name: FACE[name](model(), TOKENS, sparsity=v)) for name in ("wanda", "sparsegpt")),
        *((name, "batch_size", WHOLE, lambda v, name=name: FACE[name](model(), TOKENS, 0.5, batch_size=v))
          for name in ("wanda", "sparsegpt")),
        ("sparsegpt", "damping", FROM_0_ON, lambda v: face.sparsegpt(model(), TOKENS, 0.5, damping=v)),
        ("sparsegpt", "block_size", WHOLE, lambda v: face.sparsegpt(model(), TOKENS, 0.5, block_size=v)),
        ("Recipe", "sparsity", [value for value in SPARSITY if value is not None], lambda v: face.Recipe(sparsity=v)),
        *(("Recipe", name, [value for value in WHOLE if value is not None],
           lambda v, name=name: face.Recipe(sparsity=0.5, method="wanda", text=__file__, **{name: v}))
          for name in ("windows", "length")),
    ]  # fmt: skip


NUMBERS = {(function, name): (bad, call) for function, name, bad, call in numbers()}
#: Numbers that are checked where they are used, and why not in the table.
ELSEWHERE = {("Recipe", "seed"), ("Recipe", "sparsities"), ("wanda", "pattern"), ("sparsegpt", "pattern")}


def test_every_number_of_the_public_face_is_in_the_table():
    missing = []
    for name, thing in FACE.items():
        for parameter in inspect.signature(thing).parameters.values():
            number = re.search(r"\b(int|float)\b", str(parameter.annotation))
            if number and (name, parameter.name) not in NUMBERS.keys() | ELSEWHERE:
                missing.append((name, parameter.name))
    assert not missing


@pytest.mark.parametrize(("function", "name"), NUMBERS, ids="-".join)
def test_a_number_that_is_not_allowed_is_one_line_before_any_work(function, name):
    bad, call = NUMBERS[function, name]
    wrong = []
    for value in bad:
        try:
            call(value)
            wrong.append(f"{function}({name}={value!r}) is taken")
        except InputError as error:
            if "\n" in str(error) or len(str(error)) > 300:
                wrong.append(f"{function}({name}={value!r}): {error}")
        except Exception as error:
            wrong.append(f"{function}({name}={value!r}) raises {type(error).__name__}: {error}")
    assert not wrong
