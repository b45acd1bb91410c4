"""The registry of pruning methods: what goes with what, trials of the calibrated ones, and a method that is added."""

import sys
from dataclasses import replace
from importlib import import_module, reload
from types import ModuleType

import pytest
import torch

from essparse_lib import cli, model_commands, sparsify
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning import registry
from essparse_lib.pruning.levels import kept_in_turn
from essparse_lib.pruning.masks import zeros_and_size
from essparse_lib.pruning.method import PrunedMatrix, Request
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights
from essparse_lib.records.store import Record, Store
from essparse_lib.runner.scheduler import run
from essparse_lib.runner.trial import execute
from essparse_lib.runner.workbench import Workbench, drawn_documents
from essparse_lib.sparsify import Recipe
from essparse_lib.specs.methods import METHODS, Method, Scope, one_shot_methods
from essparse_lib.specs.trial import Pruning, Training, Trial
from essparse_lib.training import device

QUICK = Training(epochs=1, batch_size=16, learning_rate=1e-2, max_length=32, max_train=64)
DENSE = Trial(model="tiny-bert", task="tiny-sentiment", seed=0, training=QUICK)
CALIBRATED = [name for name, method in METHODS.items() if method.calibrated]
#: What a calibrated trial at tiny scale reads: the tiny models have 64 positions.
TEXT = {"calibration": "tiny-corpus", "windows": 16, "length": 32}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_every_method_has_its_function():
    for name in one_shot_methods():
        assert callable(import_module(f"essparse_lib.pruning.{name}").prune)


@pytest.mark.parametrize("name", one_shot_methods())
def test_every_method_removes_the_exact_share_and_leaves_the_model_alone(name):
    model = loading.classifier("tiny-opt", 2, seed=0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    calibration = torch.arange(160).view(5, 32) % 40 if METHODS[name].calibrated else None
    pruned = registry.prune(model, name, Request(sparsity=0.25, calibration=calibration))
    assert (pruned.mask.pruned, pruned.mask.size) == (4096, 16384)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    pruned.apply(model)
    assert zeros_and_size(prunable_weights(model))[0] >= 4096 and pruned.mask.drift(model) == 0


@pytest.mark.parametrize(
    ("name", "request_", "message"),
    [
        ("wandda", {"sparsity": 0.5}, "unknown method 'wandda'.*did you mean 'wanda'"),
        ("lottery", {"sparsity": 0.5}, "unknown method 'lottery': choose from magnitude, random, sparsegpt, wanda"),
        ("random", {"pattern": "2:4"}, "a pattern goes with magnitude, wanda and sparsegpt, not with random"),
        ("wanda", {"sparsity": 0.5}, "method 'wanda' needs calibration data"),
        ("magnitude", {"sparsity": 0.5, "calibration": torch.zeros(1, 1)}, "method 'magnitude' takes no calibration"),
        ("magnitude", {"sparsity": 0.5, "scope": "layr"}, "unknown scope 'layr'.*did you mean 'layer'"),
        ("wanda", {"sparsity": 0.5, "scope": "layer"}, "scope 'layer' goes with magnitude and random at a sparsity"),
        ("magnitude", {}, "give either a sparsity"),
        ("magnitude", {"pattern": ""}, "give either a sparsity"),
        ("magnitude", {"sparsity": 10**400}, "sparsity 1000.* is not allowed"),
        ("magnitude", {"sparsity": 0.5, "scope": None}, "unknown scope None"),
        ("magnitude", {"sparsity": 0.5, "scope": ["layer"]}, "unknown scope ..layer"),
        (None, {"sparsity": 0.5}, "unknown method None: choose from magnitude, random"),
        (3, {"sparsity": 0.5}, "unknown method 3: choose from magnitude, random"),
        ("magnitude", {"sparsity": 1.5}, "sparsity 1.5 is not allowed"),
    ],
)
def test_requests_that_make_no_sense_are_refused(name, request_, message):
    with pytest.raises(InputError, match=message):
        registry.prune(loading.load_model("tiny-bert"), name, Request(**request_))


# ── as plain data ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_calibrated_method_reads_counts_in_the_id_and_only_there():
    wanda = Pruning(sparsity=0.5, method="wanda", calibration="tiny-corpus")
    trial = replace(DENSE, pruning=wanda)
    assert trial.canonical()["pruning"] == {"sparsity": 0.5, "method": "wanda", "calibration": "tiny-corpus"}
    assert Trial.from_canonical(trial.canonical()) == trial
    changes = [{"windows": 64}, {"length": 64}, {"calibration": "wikipedia"}, {"method": "sparsegpt"}]
    ids = {replace(trial, pruning=replace(wanda, **change)).id for change in changes}
    assert len(ids | {trial.id}) == 5
    assert Pruning(sparsity=0.5, calibration="tiny-corpus", windows=3, length=3) == Pruning(sparsity=0.5)
    assert trial.at(0.0) == DENSE and trial.at(0.3).pruning.calibration == "tiny-corpus"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "wanda", "sparsity": 0.5}, "method 'wanda' needs a text: name a corpus as calibration"),
        ({"method": "wanda", "sparsity": 0.5, **TEXT, "windows": 0}, "windows 0 is not allowed: give a whole number"),
        ({"method": "wanda", "sparsity": 0.5, **TEXT, "length": 1.5}, "length 1.5 is not allowed: give a whole number"),
        ({"method": "lottery", "pattern": "2:4"}, "a pattern goes with magnitude, wanda and sparsegpt, not with lott"),
        ({"method": "lottery", "sparsity": 0.5, "scope": "layer"}, "scope 'layer' goes with magnitude and random at a"),
        ({"method": "lottery", "sparsity": 0.5, "timing": "after"}, "prunes before the fine-tuning, not after"),
        ({"method": "wandda", "sparsity": 0.5}, "unknown method 'wandda': choose from lottery, magnitude, random"),
        ({"method": None, "sparsity": 0.5}, "unknown method None: choose from lottery, magnitude, random"),
        ({"method": "wanda", "sparsity": 0.5, "calibration": 3}, "method 'wanda' needs a text: name a corpus"),
        ({"method": "lottery", "sparsity": 0.5, "rate": None}, "rate None is not allowed: give a fraction"),
        ({"method": "lottery", "sparsity": 0.5, "rate": "0.1"}, "rate '0.1' is not allowed: give a fraction"),
        ({"pattern": "2:4", "sparsity": "0.4"}, "pattern 2:4 is of sparsity 0.5, not 0.4"),
        ({"pattern": "2:4", "sparsity": None}, "sparsity None is not allowed"),
        ({"pattern": (4, 2)}, "pattern .4, 2. is not allowed: give N:M"),
        ({"sparsity": 10**400}, "sparsity 1000.* is not allowed"),
    ],
)
def test_prunings_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        Pruning(**fields)


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"sparsity": 0.5, "pattern": None}, {"sparsity": 0.5}),
        ({"sparsity": "0.5"}, {"sparsity": 0.5}),
        ({"pattern": (2, 4)}, {"pattern": "2:4"}),
        ({"pattern": "02:4", "sparsity": "0.5"}, {"pattern": "2:4"}),
    ],
)
def test_a_pruning_has_one_id_however_it_is_written(fields, same):
    assert replace(DENSE, pruning=Pruning(**fields)).id == replace(DENSE, pruning=Pruning(**same)).id


# ── calibrated trials ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("timing", ["before", "after"])
@pytest.mark.parametrize(("method", "model"), [("wanda", "tiny-bert"), ("sparsegpt", "tiny-opt")])
def test_a_calibrated_trial_has_its_zeros_and_is_repeatable(method, model, timing, store):
    pruning = Pruning(sparsity=0.25, method=method, timing=timing, **TEXT)
    trial = replace(DENSE, model=model, pruning=pruning)
    assert run([trial], store) == []
    record = store.records()[trial.id]
    assert (record.status, record.reason) == ("ok", "")
    assert (record.metrics["zeros"], record.metrics["prunable"]) == (4096, 16384)
    assert Record.from_line(record.line()) == record
    again, other = execute(trial, Workbench()), execute(replace(trial, pruning=replace(pruning, windows=8)))
    assert (again.metrics, again.predictions) == (record.metrics, record.predictions)
    if timing == "before":  # what was removed is seen in the training
        assert other.metrics["final_loss"] != record.metrics["final_loss"]
    else:
        assert other.metrics["final_loss"] == record.metrics["final_loss"]


@pytest.mark.parametrize("method", CALIBRATED)
def test_a_pattern_and_questions_go_with_calibrated_methods(method):
    trial = replace(DENSE, task="tiny-questions", pruning=Pruning(pattern="2:4", method=method, **TEXT))
    record = execute(trial)
    assert (record.status, record.metrics["zeros"]) == ("ok", 8192)


def test_a_trial_begins_with_the_values_that_the_method_gives(monkeypatch):
    from essparse_lib.pruning.sparsegpt import sparsegpt
    from essparse_lib.training import fine_tune

    begun = []
    monkeypatch.setattr(fine_tune, "fine_tune", lambda model, *_: begun.append(prunable_weights(model)) or [0.0])
    trial = replace(DENSE, model="tiny-opt", pruning=Pruning(sparsity=0.25, method="sparsegpt", **TEXT))
    bench = Workbench()
    assert execute(trial, bench).status == "ok"
    model = loading.load_with_head("tiny-opt", "sequence-classification", 2, 0)
    device.suit_attention(model, device.accelerator().device)
    expected = sparsegpt(model, bench.windows(trial.pruning, "tiny-opt", 0), 0.25)
    assert begun[0].keys() == expected.values.keys()
    assert all(torch.equal(weight, expected.values[name]) for name, weight in begun[0].items())


def test_the_seed_draws_the_windows_and_the_tokenizer_is_the_models():
    bench, pruning = Workbench(), Pruning(sparsity=0.5, method="wanda", **TEXT)
    one, two = (bench.windows(pruning, "tiny-bert", seed) for seed in (0, 1))
    assert one.shape == two.shape == (16, 32) and not torch.equal(one, two)
    assert torch.equal(Workbench().windows(pruning, "tiny-bert", 0), one)
    words = loading.tokenizer_of("tiny-bert").decode(one[0]).split()
    assert len(words) > 8 and "[UNK]" not in words[:3]


def test_documents_are_drawn_until_there_are_enough():
    documents = [f"document {number}" for number in range(100)]
    drawn = drawn_documents(documents, 100, seed=0)
    assert 100 <= sum(map(len, drawn)) < 111 and len(set(drawn)) == len(drawn)
    assert drawn != sorted(drawn) and drawn_documents(documents, 100, seed=1) != drawn
    assert sorted(drawn_documents(documents, 10**6, seed=0)) == sorted(documents)


@pytest.mark.parametrize(
    ("change", "pruning", "message"),
    [
        ({}, {"calibration": "tiny-corpse"}, "unknown corpus 'tiny-corpse'.*did you mean 'tiny-corpus'"),
        ({}, {"length": 65}, "length 65 is not allowed: model 'tiny-bert' takes at most 64 tokens"),
        ({"model": "tiny-mpnet"}, {"length": 63}, "length 63 is not allowed: model 'tiny-mpnet' takes at most 62"),
        ({}, {"windows": 10**5}, "corpus 'tiny-corpus', read by 'tiny-bert': the calibration text has .* tokens"),
        (
            {"model": "tiny-vit", "task": "tiny-shapes", "training": replace(QUICK, max_length=0)},
            {},
            "method 'wanda' reads a text, which model 'tiny-vit' cannot",
        ),
    ],
)
def test_texts_that_cannot_be_read_are_refused_before_the_first_trial(change, pruning, message, store):
    fields = {"sparsity": 0.5, "method": "wanda", **TEXT, **pruning}
    wrong = replace(DENSE, pruning=Pruning(**fields), **change)
    with pytest.raises(InputError, match=message):
        run([DENSE, wrong], store)
    assert not store.folder.exists()


# ── a method that is added ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def largest_goes(monkeypatch):
    """A method of one file and one row, as CONTRIBUTING has it: the largest weights go."""

    def prune(model, request):
        matrices = prunable_matrices(model)
        inverse = {name: 1 / matrix.values.abs().clamp(min=1e-6) for name, matrix in matrices.items()}
        for name, kept in kept_in_turn(inverse, request.sparsity, request.scope):
            yield PrunedMatrix(matrices[name], kept)

    module = ModuleType("essparse_lib.pruning.largest")
    module.prune = prune
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(
        METHODS, "largest", Method(name="largest", summary="the largest weights", scopes=(Scope.GLOBAL, Scope.LAYER))
    )
    yield
    monkeypatch.undo()
    reload(model_commands)
    reload(cli)


def test_a_new_method_is_a_trials_the_command_lines_and_its_helps(largest_goes, tmp_path, capsys, monkeypatch):
    record = execute(replace(DENSE, pruning=Pruning(sparsity=0.25, method="largest", scope="layer")))
    assert (record.status, record.metrics["zeros"]) == ("ok", 4096)
    monkeypatch.setattr(
        sys, "argv", f"essparse prune tiny-bert --sparsity .5 --method largest --out {tmp_path}/m".split()
    )
    reload(model_commands)
    with pytest.raises(SystemExit) as end:
        reload(cli).main()
    assert not end.value.code and "8,192 of 16,384 weights" in capsys.readouterr().out
    kept = prunable_weights(loading.load_model(str(tmp_path / "m")))
    dense = prunable_weights(loading.load_model("tiny-bert"))
    assert max(weight.abs().max() for weight in kept.values()) < min(
        weight[kept[name] == 0].abs().min() for name, weight in dense.items()
    )
    monkeypatch.setattr(sys, "argv", ["essparse", "prune", "--help"])
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        cli.main()
    assert "largest removes the largest weights" in capsys.readouterr().out
    with pytest.raises(InputError, match="a pattern goes with magnitude, wanda and sparsegpt, not with largest"):
        Recipe(pattern="2:4", method="largest")
    with pytest.raises(InputError, match="scope 'layer' goes with magnitude, random and largest at a sparsity"):
        sparsify.Recipe(sparsity=0.5, method="wanda", scope="layer")
