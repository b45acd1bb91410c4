"""Trials of two devices: they are compared pair by pair, and no curve of the book mixes them."""

import dataclasses
import importlib.util
import json
from collections import defaultdict
from pathlib import Path

import pytest
from helpers import CURVE_STUDY, answered

from essparse_lib import figures
from essparse_lib.book import devices as page
from essparse_lib.records.store import Store, results
from essparse_lib.specs.trial import Pruning

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("devices", ROOT / "benchmarks" / "devices.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def folder_of(path, device, percent):
    store = Store(path)
    for seed in (0, 1):
        for sparsity in (0.0, 0.5):
            record = answered(CURVE_STUDY.trial("m", "t", Pruning(sparsity=sparsity), seed), percent + seed, 1000)
            store.append(dataclasses.replace(record, provenance={"device": device, "precision": "bf16"}))
    return path


def test_the_same_trials_are_compared_seed_by_seed(benchmark, tmp_path):
    old, new = folder_of(tmp_path / "a", "CPU", 80), folder_of(tmp_path / "b", "GPU", 80.5)
    (row,) = benchmark.compare(old, new)
    assert (row["trials"], row["seeds"], row["difference"]) == (4, 2, pytest.approx(0.5, abs=0.001))
    assert row["low"] <= 0.5 <= row["high"] and row["devices"] == [["CPU, bf16", "GPU, bf16"]]
    assert benchmark.compare(old, folder_of(tmp_path / "c", "CPU", 82)) == []  # the same device


def test_no_curve_mixes_devices():
    records = results("lab").records()
    for figure in figures.STUDIES:
        study = figures.study(figure, "lab")
        places = defaultdict(set)
        for trial in study.trials():
            if record := records.get(trial.id):
                places[trial.model, trial.task].add((record.provenance["device"], record.provenance["precision"]))
        assert [curve for curve, devices in places.items() if len(devices) > 1] == [], figure


def test_the_comparison_that_is_kept_is_on_the_page(monkeypatch):
    monkeypatch.chdir(ROOT)
    rows = json.loads((ROOT / "results/devices.json").read_text())
    assert rows and all(row["task"] in page.table() for row in rows)
