"""``essparse verify``: a record that is run again holds, one whose predictions were changed does not."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers import CURVE_STUDY, curve_records, digits, knee_at

from essparse_lib import cli, figures
from essparse_lib.analysis.curves import Curve
from essparse_lib.errors import InputError
from essparse_lib.records import pretrained
from essparse_lib.records.metrics import agreement
from essparse_lib.records.store import DamagedRecord, Record, Store
from essparse_lib.runner import measurement, sampling, verify
from essparse_lib.runner import trial as trial_runner
from essparse_lib.runner.scheduler import run
from essparse_lib.runner.verify import LEAST_NOISE, UNITS, Repetition, training_noise
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.study import at_sparsities
from essparse_lib.specs.trial import Pruning, Training

SCRATCH = "tiny-scratch-60-1"
STUDY = replace(
    figures.study("fig2", "tiny"),
    models=("tiny-bert",),
    tasks=("tiny-pairs",),
    training={"*": Training(epochs=1, batch_size=32, learning_rate=1e-3, max_length=32, max_train=64)},
    variants={"one-shot": at_sparsities((0.5,))},
    seeds=(0,),
    measured={"zeros": (0.0,)},
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The records of the study, made once."""
    store = Store(tmp_path_factory.mktemp("made") / "tiny")
    assert run(STUDY.specs(), store) == []
    return store.records()


@pytest.fixture
def store(tmp_path, monkeypatch, made):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path))
    monkeypatch.setitem(figures.STUDIES["fig2"], "tiny", STUDY)
    store = Store(tmp_path / "tiny")
    for record in made.values():
        store.append(record)
    return store


@pytest.fixture
def essparse(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["essparse", "verify", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, printed.err

    return call


def tree(store):
    return {path: path.read_bytes() for path in sorted(store.folder.rglob("*")) if path.is_file()}


def changed(record, share):
    """Return the record with a share of its predictions changed, and its accuracy changed with them."""
    count = round(share * len(record.predictions))
    flipped = "".join("1" if digit == "0" else "0" for digit in record.predictions[:count])
    predictions = flipped + record.predictions[count:]
    accuracy = round(agreement(record.labels, predictions), 4)
    return replace(record, predictions=predictions, metrics={**record.metrics, "accuracy": accuracy})


def test_records_that_were_made_here_hold_and_nothing_is_written(store, essparse):
    before = tree(store)
    code, out, err = essparse("fig2", "--scale", "tiny", "--sample", "9", "--seed", "1")
    assert (code, err) == (0, "")
    first, *lines, last = out.splitlines()
    assert first == "3 of 3 records at tiny scale, drawn with seed 1"
    assert last == "3 of 3 records hold"
    assert {line.split(":")[0] for line in lines} == {str(spec) for spec in STUDY.specs()}
    trials = [line for line in lines if "accuracy" in line]
    assert all(
        "+0.00 points, no noise is known" in line and "; 0 of 128 predictions differ: holds" in line for line in trials
    )
    assert len(trials) == 2 and sum(" 0 of " in line and "values differ: holds" in line for line in lines) == 1
    assert tree(store) == before


def put_in_place(store, record):
    """Write a record in the place of that of its spec."""
    path = store.path(record.spec)
    lines = [line for line in path.read_text().splitlines() if f'"id": "{record.spec.id}"' not in line]
    path.write_text("".join(f"{line}\n" for line in (*lines, record.line())))


def test_a_record_whose_predictions_were_changed_with_all_that_follows_does_not_hold(store, essparse, made):
    trial = STUDY.trials()[1]
    false = next(
        f
        for f in (changed(made[trial.id], n / 128) for n in range(2, 128))
        if abs(f.metrics["accuracy"] - made[trial.id].metrics["accuracy"]) > 3
    )
    put_in_place(store, false)
    assert store.records()[trial.id] == false  # as far as the line itself tells, it holds
    before = tree(store)
    code, out, err = essparse("fig2", "--scale", "tiny", "--sample", "9")
    assert (code, err) == (1, "")
    (line,) = (line for line in out.splitlines() if line.endswith("does not hold"))
    count = sum(a != b for a, b in zip(false.predictions, made[trial.id].predictions, strict=True))
    assert line.startswith(f"{trial}: accuracy {false.metrics['accuracy']:.2f} recorded, ")
    assert f"; {count} of 128 predictions differ, though device, precision and packages are the same" in line
    assert out.splitlines()[-1] == "2 of 3 records hold"
    assert tree(store) == before


def test_a_measurement_that_was_changed_does_not_hold(store, made):
    (spec,) = STUDY.measurements()
    values = made[spec.id].values
    put_in_place(store, replace(made[spec.id], values={**values, "norms": [2 * norm for norm in values["norms"]]}))
    said = []
    repetitions = verify.verify("fig2", "tiny", 9, tell=said.append)
    assert {r.recorded.spec.id for r in repetitions if not r.holds} == {spec.id}
    assert f"{len(values['norms'])} of " in next(line for line in said if line.endswith("does not hold"))


def test_a_damaged_record_is_named_and_nothing_is_run(store, essparse, monkeypatch):
    path = store.path(STUDY.trials()[0])
    path.write_bytes(path.read_bytes().replace(b'"accuracy": ', b'"accuracy": 1', 1))
    before = tree(store)
    monkeypatch.setattr(trial_runner, "run", None)
    code, out, err = essparse("fig2", "--scale", "tiny")
    assert (code, out) == (1, "")
    assert err.startswith(f"essparse: {path}, line 1: damaged record (its checksum is ") and err.count("\n") == 1
    assert tree(store) == before
    with pytest.raises(DamagedRecord):
        verify.verify("fig2", "tiny", 1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["fig3x"], ["unknown figure 'fig3x'", "did you mean 'fig3'"]),
        (["fig2", "--scale", "laab"], ["unknown scale 'laab'", "did you mean 'lab'?"]),
        (["--scale", "laab"], ["unknown scale 'laab'"]),
        (["fig2", "--scale", "paper"], ["fig2 has no record at paper scale"]),
        (["--scale", "paper"], ["no figure has a record at paper scale"]),
    ],
)
def test_wrong_input_gets_one_line(tmp_path, monkeypatch, essparse, arguments, named):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path))
    code, out, err = essparse(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("essparse: ") and err.count("\n") == 1
    assert all(part in err for part in named)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("arguments", [["--sample", "0"], ["--sample", "x"], ["--seed=-1"], ["fig1", "fig2"]])
def test_wrong_usage_ends_in_2(essparse, arguments):
    code, out, err = essparse(*arguments)
    assert (code, out) == (2, "") and err.startswith("essparse: ") and err.count("\n") == 1


def test_the_draw_is_that_of_its_seed(store, monkeypatch, made):
    monkeypatch.setattr(trial_runner, "run", lambda spec, store, deadline: made[spec.id])
    monkeypatch.setattr(measurement, "run", lambda spec, store, deadline: made[spec.id])
    said = []

    def drawn(seed):
        said.clear()
        return [r.recorded.spec.id for r in verify.verify("fig2", "tiny", 2, seed, tell=said.append)]

    assert drawn(3) == drawn(3)
    assert len({tuple(drawn(seed)) for seed in range(20)}) > 2
    assert drawn(None) == drawn(int(said[0].rsplit(" ", 1)[1]))


def test_records_that_failed_or_need_other_trainings_are_not_drawn(store, made):
    pruned = STUDY.trials()[1]
    put_in_place(store, Record(spec=pruned, status="failed", reason="no memory"))
    assert len(verify.verify("fig2", "tiny", 9, tell=lambda _: None)) == 2
    similarity = Measurement(kind="mask-similarity", model="tiny-bert", sparsity=0.5, trials=(pruned,))
    assert sampling.drawable([STUDY], {similarity.id: Record(spec=similarity, status="ok", values={"a": 1})}) == []


def test_what_cannot_be_run_is_skipped_with_its_reason(store, monkeypatch, made):
    def run(spec, store, deadline):
        if spec.pruning.sparsity:
            raise InputError("the model cannot be fetched")
        return made[spec.id]

    monkeypatch.setattr(trial_runner, "run", run)
    said = []
    assert len(verify.verify("fig2", "tiny", 9, tell=said.append)) == 2
    assert f"{STUDY.trials()[1]}: skipped: the model cannot be fetched" in said
    assert said[-1] == "2 of 2 records hold; 1 skipped"

    def none(spec, store, deadline):
        raise InputError("no network")

    monkeypatch.setattr(trial_runner, "run", none)
    monkeypatch.setattr(measurement, "run", none)
    with pytest.raises(InputError, match="none of 3 records could be run again: no network"):
        verify.verify("fig2", "tiny", 9, tell=said.append)


def test_models_whose_weights_are_not_there_are_left_out_unless_they_are_to_be_trained(store, monkeypatch, made):
    study = replace(STUDY, models=("tiny-bert", SCRATCH), measured={})
    monkeypatch.setitem(figures.STUDIES["fig2"], "tiny", study)
    for trial in study.trials():
        if trial.model == SCRATCH:
            store.append(replace(made[replace(trial, model="tiny-bert").id], spec=trial))
    monkeypatch.setattr(trial_runner, "run", lambda spec, store, deadline: store.records()[spec.id])
    said, trained = [], []
    assert {r.recorded.spec.model for r in verify.verify("fig2", "tiny", 9, tell=said.append)} == {"tiny-bert"}
    assert said[0].startswith(f"2 records are left out, as these weights are not there: {SCRATCH} (--with-pretraining")
    monkeypatch.setattr(verify.pretraining, "pretrain", lambda spec, folder: trained.append((spec.model, folder)))
    assert len(verify.verify("fig2", "tiny", 9, with_pretraining=True, tell=said.append)) == 4
    assert set(trained) == {(SCRATCH, pretrained.store_of(SCRATCH).pretrained(SCRATCH))}
    monkeypatch.setitem(figures.STUDIES["fig2"], "tiny", replace(study, models=(SCRATCH,)))
    with pytest.raises(InputError, match="fig2 has no record at tiny scale that can be run again"):
        verify.verify("fig2", "tiny", 9, tell=said.append)


# The rule


def _answered(right, examples=1000, **changes):
    labels = np.arange(examples) % 2
    predictions = digits(np.where(np.arange(examples) < right, labels, 1 - labels))
    fields = {"status": "ok", "metrics": {"accuracy": 100 * right / examples}, "predictions": predictions}
    return Record(**{"spec": STUDY.trials()[0], **fields, "labels": digits(labels), **changes})


@pytest.mark.parametrize(
    ("noise", "points", "holds"),
    [(0.5, 1.5, True), (0.5, -1.5, True), (0.5, 1.6, False), (0.5, -1.6, False), (None, 0.6, True), (None, 0.7, False)],
)
def test_a_score_holds_within_three_units_of_training_noise(noise, points, holds):
    pair = Repetition(recorded=_answered(500), repeated=_answered(round(500 + 10 * points)), noise=noise)
    assert pair.holds == holds and (UNITS, LEAST_NOISE) == (3.0, 0.2)
    assert pair.difference == pytest.approx(points)
    assert pair.text.endswith(": holds" if holds else ": does not hold")
    assert f"{abs(round(10 * points))} of 1,000 predictions differ" in pair.text
    assert ("no noise is known" in pair.text) == (noise is None)
    if noise:
        assert f"{abs(points) / noise:.1f} units of training noise (0.50 points)" in pair.text


def test_another_status_or_other_labels_do_not_hold():
    good, other = _answered(500), _answered(500, labels="1" * 1000, metrics={})
    diverged = Record(spec=good.spec, status="diverged", reason="the loss is NaN")
    assert not Repetition(recorded=good, repeated=diverged, noise=9.0).holds
    told = replace(diverged, reason="out of memory")
    assert "ok recorded, diverged now (out of memory)" in Repetition(recorded=good, repeated=told, noise=9.0).text
    assert Repetition(recorded=diverged, repeated=diverged, noise=None).holds
    assert not Repetition(recorded=good, repeated=other, noise=9.0).holds


def test_training_noise_is_that_of_the_trials_level_and_has_a_floor(monkeypatch):
    monkeypatch.setattr(Curve, "training_sd", property(lambda curve: curve.levels * 2))
    records = curve_records(knee_at(0.4))

    def of(sparsity, known=records):
        return training_noise(CURVE_STUDY.trial("m", "t", Pruning(sparsity=sparsity), 0), [CURVE_STUDY], known)

    assert of(0.0) == LEAST_NOISE and of(0.1) == LEAST_NOISE
    assert of(0.3) == pytest.approx(0.6) and of(0.9) == pytest.approx(1.8)
    assert of(0.3, curve_records(knee_at(0.4), seeds=(0,))) is None
    assert of(0.35) is None
