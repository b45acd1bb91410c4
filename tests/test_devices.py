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
from essparse_lib.specs.override import AddedSeeds, Override
from essparse_lib.specs.trial import Pruning

ROOT = Path(__file__).parents[1]


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark():
    return loaded("devices")


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


def mixed(study, records, comparison=None):
    """The curves with seeds of several devices, and the curves and seeds with several themselves.

    Seeds of one device at two precisions may share a curve of the models and tasks that a comparison found alike.
    """
    alike = comparison or {"alike": False}
    uncounted = study.added_trials()
    if all(trial.id in records for trial in uncounted):
        uncounted = []
    by_curve, by_seed = defaultdict(set), defaultdict(set)
    for trial in {*study.trials()} - {*uncounted}:
        if record := records.get(trial.id):
            place = record.provenance["device"], record.provenance["precision"]
            by_curve[trial.model, trial.task].add(place)
            by_seed[trial.model, trial.task, trial.seed].add(place)
    wrong = [where for where, places in by_seed.items() if len(places) > 1]
    for (model, task), places in by_curve.items():
        excused = alike["alike"] and [model, task] in alike["curves"]
        if len({device for device, _ in places} if excused else places) > 1:
            wrong.append((model, task))
    return wrong


def test_no_curve_mixes_devices(monkeypatch):
    monkeypatch.chdir(ROOT)
    records = results("lab").records()
    for figure in figures.STUDIES:
        study = figures.study(figure, "lab")
        for part in (study, *study.controls):
            assert mixed(part, records, page.precision_comparison()) == [], figure


ADDED = AddedSeeds(seeds=(3, 4), tasks=("t",), sparsities=(0.1, 0.2))
WITH_ADDED = dataclasses.replace(CURVE_STUDY, overrides={"m": Override(added=ADDED)})


def made_at(trials, precision, device="CPU"):
    note = {"device": device, "precision": precision}
    return {trial.id: dataclasses.replace(answered(trial, 80), provenance=note) for trial in trials}


def test_seeds_of_another_precision_share_a_curve_only_if_the_trials_score_alike():
    added = WITH_ADDED.added_trials()
    usual = made_at(set(WITH_ADDED.trials()) - set(added), "bf16")
    alike = {"alike": True, "curves": [["m", "t"]]}
    both = usual | made_at(added, "fp32")
    assert mixed(WITH_ADDED, usual) == mixed(WITH_ADDED, usual | made_at(added[:-1], "fp32")) == []  # none counts
    assert mixed(WITH_ADDED, both) == mixed(WITH_ADDED, both, {**alike, "alike": False}) == [("m", "t")]
    assert mixed(WITH_ADDED, both, alike) == []
    assert mixed(WITH_ADDED, both, {**alike, "curves": [["m", "u"]]}) == [("m", "t")]
    assert mixed(WITH_ADDED, usual | made_at(added, "fp32", "GPU"), alike) == [("m", "t")]
    one_seed = both | made_at(added[:1], "bf16")
    assert mixed(WITH_ADDED, one_seed, alike) == [("m", "t", 3)]


def test_the_same_trials_at_two_precisions_are_alike_within_half_a_point(monkeypatch, tmp_path):
    benchmark = loaded("precision")
    trials = benchmark.trials()
    assert {t.pruning.sparsity for t in trials} == {0.0, 0.3} and {t.seed for t in trials} == {0, 1, 2}

    def scored(precision, percent):
        records = {}
        for number, trial in enumerate(trials):
            note = {"device": "CPU", "precision": precision}
            record = answered(trial, percent + 0.3 * (number % 4 < 2 and precision == "fp32"), examples=2000)
            records[trial.id] = dataclasses.replace(record, provenance=note)
        return records

    row = benchmark.differences(scored("bf16", 80), scored("fp32", 80))
    assert row["difference"] == pytest.approx(0.15, abs=0.01)
    assert row["alike"] and row["low"] < row["difference"] < row["high"] < 0.5
    assert row["observations"] == len(trials) / 2 and row["earlier"] == ["CPU, bf16"]
    assert not benchmark.differences(scored("bf16", 80), scored("fp32", 80.5))["alike"]
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path))
    assert "not been run both ways yet" in page.precision()
    (tmp_path / "precision.json").write_text(json.dumps(row))
    assert f"{len(trials)} trials" in page.precision() and "within 0.5 points" in page.precision()


def test_the_comparison_that_is_kept_is_on_the_page(monkeypatch):
    monkeypatch.chdir(ROOT)
    rows = json.loads((ROOT / "results/devices.json").read_text())
    assert rows and all(row["task"] in page.table() for row in rows)
