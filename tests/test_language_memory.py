"""The benchmark of memory measures work that is really done, each case in a process of its own."""

import importlib.util
import sys

import pytest
import torch

from essparse_lib.pruning.masks import zeros_and_size
from essparse_lib.pruning.prunable import prunable_weights
from tests.helpers import ROOT

TINY = ["--layers", "2", "--hidden", "32", "--intermediate", "48", "--heads", "4", "--vocabulary", "64"]


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    path = ROOT / "benchmarks/language_memory.py"
    spec = importlib.util.spec_from_file_location("language_memory", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "language_memory", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def options(benchmark, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["language_memory.py", *TINY, "--questions", "3", "--length", "16"])
    return benchmark.arguments()


def test_every_case_prunes_half_of_the_weights_either_way(benchmark, options):
    for case in benchmark._PRUNINGS:
        pruned = []
        for in_place in (False, True):
            model = benchmark.made_up_model(options)
            benchmark.work_of(case, in_place)(model, options)
            pruned.append(prunable_weights(model))
            zeros, size = zeros_and_size(pruned[-1])
            assert size // 2 <= zeros <= size // 2 + 20, case  # some drew a zero
        assert all(torch.equal(weight, pruned[1][name]) for name, weight in pruned[0].items()), case


def test_the_others_leave_the_model_alone(benchmark, options):
    model = benchmark.made_up_model(options)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for case in ("the model alone", "reading", "scoring"):
        benchmark.work_of(case, True)(model, options)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.slow
def test_a_table_is_printed(benchmark, options, capsys):
    options.only = "global, in place"
    benchmark.main(options)
    rows = [line for line in capsys.readouterr().out.splitlines() if "in place" in line]
    assert [row.split(",")[0] for row in rows] == ["magnitude", "random"]
