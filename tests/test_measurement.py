"""Measurements: what is looked up in weights and masks, recorded as trials are."""

import base64

import pytest
import torch

from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning.compare import cosine
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights
from essparse_lib.records.store import Record, Store
from essparse_lib.runner.measurement import _one_shot, measure
from essparse_lib.runner.scheduler import run
from essparse_lib.runner.trial import ticket
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.trial import Pruning, Training, Trial

QUICK = Training(epochs=1, batch_size=16, learning_rate=1e-2, max_length=32, max_train=64)


def tickets(sparsity):
    tasks = ("tiny-sentiment", "tiny-pairs")
    return tuple(
        Trial(
            model="tiny-bert", task=task, seed=0, training=QUICK, pruning=Pruning(sparsity=sparsity, method="lottery")
        )
        for task in tasks
    )


@pytest.mark.parametrize("model", ["tiny-bert", "tiny-opt"])
def test_the_pruned_share_is_that_of_the_mask(model):
    values = measure(Measurement(kind="pruned-share", model=model, sparsity=0.215)).values
    mask = global_magnitude(prunable_weights(loading.load_model(model)), 0.215)
    assert {m["name"]: (m["pruned"], m["size"]) for m in values["matrices"]} == {
        name: (count.pruned, count.size) for name, count in mask.count(str).items()
    }
    assert sum(m["pruned"] for m in values["matrices"]) == int(0.215 * 16384)
    first = values["matrices"][0]
    # cells of a 32 × 32 matrix are single weights
    assert torch.equal(torch.tensor(first["map"]) == 0, mask.keep[first["name"]])


def test_similarities_are_those_of_the_masks(empty_cache):
    measurement = Measurement(kind="mask-similarity", model="tiny-bert", sparsity=0.2, trials=tickets(0.2))
    values = measure(measurement).values
    masks = [*(ticket(trial) for trial in measurement.trials), _one_shot(measurement.trials[0])]
    assert values["names"] == ["tiny-sentiment", "tiny-pairs", "one-shot"]
    for i, one in enumerate(masks):
        for j, other in enumerate(masks):
            assert values["cosine"][i][j] == pytest.approx(cosine(one, other).value, abs=1e-6)
    assert values["independent"]["cosine"] == pytest.approx(0.8, abs=1e-4)
    assert values["cosine"][0][0] == 1 > values["cosine"][0][1]


def test_a_ticket_that_is_kept_is_not_found_anew(empty_cache, monkeypatch):
    from essparse_lib.training import fine_tune

    (trial, _) = tickets(0.2)
    first = ticket(trial)
    monkeypatch.setattr(fine_tune, "fine_tune", lambda *_: pytest.fail("it was trained again"))
    again = ticket(trial)
    assert all(torch.equal(again.keep[name], kept) for name, kept in first.keep.items())


def test_measurements_run_beside_trials_and_once(tmp_path, empty_cache):
    store = Store(tmp_path / "results")
    specs = [*tickets(0.1), Measurement(kind="mask-similarity", model="tiny-bert", sparsity=0.1, trials=tickets(0.1))]
    specs.append(Measurement(kind="pruned-share", model="tiny-bert", sparsity=0.5))
    assert run(specs, store) == []
    records = store.records()
    assert all(isinstance(records[spec.id], Record) and records[spec.id].status == "ok" for spec in specs)
    assert {"weights", "code", "device"} <= records[specs[-1].id].provenance.keys()
    before = store.path(specs[-1]).read_bytes()
    assert run(specs, store) == [] and store.path(specs[-1]).read_bytes() == before


def test_a_measurement_of_an_unknown_model_is_refused_before_anything_is_written(tmp_path):
    store = Store(tmp_path / "results")
    known, unknown = (Measurement(kind="zeros", model=name, sparsity=0.0) for name in ("tiny-bert", "tiny-brt"))
    with pytest.raises(InputError, match="unknown model 'tiny-brt'.*did you mean 'tiny-bert'"):
        run([known, unknown], store)
    assert not store.folder.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pruned-shares", "tiny-bert", 0.5), "unknown measurement 'pruned-shares'.*did you mean 'pruned-share'"),
        (("pruned-share", "tiny-bert", 1.0), "sparsity 1.0 is not allowed"),
        (("mask-similarity", "tiny-bert", 0.2), "'mask-similarity' needs trials: name those whose masks"),
        (("mask-similarity", "tiny-opt", 0.2, tickets(0.2)), "must all be of tiny-opt at 0.2"),
        (("mask-similarity", "tiny-bert", 0.3, tickets(0.2)), "must all be of tiny-bert at 0.3"),
    ],
)
def test_measurements_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Measurement(**dict(zip(("kind", "model", "sparsity", "trials"), arguments, strict=False)))


@pytest.mark.parametrize("model", ["tiny-bert", "tiny-opt"])
@pytest.mark.parametrize("percent", [1, 30, 99])
def test_the_pruning_order_is_that_of_the_masks(model, percent):
    values = measure(Measurement(kind="pruning-order", model=model, sparsity=0.0)).values
    matrices = {
        m.component: (name, m) for name, m in prunable_matrices(loading.load_model(model)).items() if m.depth == 1
    }
    mask = global_magnitude(prunable_weights(loading.load_model(model)), percent / 100)
    assert [m["component"] for m in values["matrices"]] == list(matrices)
    for found in values["matrices"]:
        name, matrix = matrices[found["component"]]
        keep = mask.keep[name].T if matrix.transposed else mask.keep[name]
        levels = torch.frombuffer(bytearray(base64.b64decode(found["levels"])), dtype=torch.uint8)
        corner = levels.reshape(found["rows"], found["columns"])
        assert torch.equal(corner >= percent, keep[:96, :96]) and corner.shape == keep[:96, :96].shape
        assert found["gone"][percent] == pytest.approx(100 * (1 - keep.float().mean().item()), abs=1e-3)
        assert found["gone"][0] == 0 and len(found["gone"]) == 100
