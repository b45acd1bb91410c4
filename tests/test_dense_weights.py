"""One training of a dense model serves all trials that need it, and no record can be told from one made without."""

import os
import shutil
from dataclasses import replace

import pytest
import torch

from essparse_lib.errors import InputError
from essparse_lib.records.store import Store
from essparse_lib.runner import dense_weights, workbench
from essparse_lib.runner import trial as trial_runner
from essparse_lib.runner.scheduler import run
from essparse_lib.specs.trial import Pruning, Training, Trial
from essparse_lib.training import fine_tune as fine_tuning

QUICK = Training(epochs=1, batch_size=16, learning_rate=1e-2, max_length=32, max_train=64)
DENSE = Trial(model="tiny-bert", task="tiny-sentiment", seed=0, training=QUICK)
#: The three that need the dense model's training.
AFTER = (Pruning(sparsity=0.3, timing="after"), Pruning(sparsity=0.3, method="random", timing="after"))
TICKET = Pruning(sparsity=0.2, method="lottery")


@pytest.fixture
def trainings(empty_cache, monkeypatch):
    """The masks of all trainings that are done in this test; weights are shared."""
    monkeypatch.setenv("ESSPARSE_DENSE_GB", "1")
    masks, before = [], fine_tuning.fine_tune
    monkeypatch.setattr(fine_tuning, "fine_tune", lambda *given: masks.append(given[-1]) or before(*given))
    return masks


def study(model="tiny-bert", task="tiny-sentiment"):
    length = 0 if task == "tiny-shapes" else 32
    dense = replace(DENSE, model=model, task=task, training=replace(QUICK, max_length=length))
    return [dense, *(replace(dense, pruning=pruning) for pruning in (*AFTER, TICKET))]


def outcomes(store, trials):
    """Run trials as other processes would, one after another, and return what came of each."""
    for trial in trials:
        workbench.renew()
        assert run([trial], store) == []
    records = store.records()
    return [
        (record.status, record.metrics, record.predictions, record.labels)
        for record in (records[trial.id] for trial in trials)
    ]


@pytest.mark.parametrize(
    ("model", "task"),
    [("tiny-bert", "tiny-sentiment"), ("tiny-opt", "tiny-pairs"), ("tiny-mpnet", "tiny-questions"),
     ("tiny-vit", "tiny-shapes")],
)  # fmt: skip
def test_records_are_the_same_with_shared_weights_and_without(model, task, tmp_path, trainings, monkeypatch):
    trials = study(model, task)
    with_weights = outcomes(Store(tmp_path / "with"), trials)
    assert sum(mask is None for mask in trainings) == 1
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "another"))
    monkeypatch.setenv("ESSPARSE_DENSE_GB", "0")
    trainings.clear()
    assert outcomes(Store(tmp_path / "without"), trials) == with_weights
    assert sum(mask is None for mask in trainings) == len(trials)
    assert not (tmp_path / "another" / "dense").exists()
    assert all(status == "ok" for status, *_ in with_weights)


def test_the_order_does_not_matter(tmp_path, trainings, empty_cache):
    trials = study()
    forwards = outcomes(Store(tmp_path / "one"), trials)
    for name in ("dense", "lottery"):
        shutil.rmtree(empty_cache / name)
    assert outcomes(Store(tmp_path / "other"), trials[::-1]) == forwards[::-1]
    assert sum(mask is None for mask in trainings) == 2


@pytest.mark.parametrize("change", ["seed", "training", "threads", "code", "versions", "data", "precision"])
def test_another_training_is_not_taken_for_it(change, tmp_path, trainings, monkeypatch):
    outcomes(Store(tmp_path / "one"), [DENSE])
    other = DENSE
    if change == "seed":
        other = replace(DENSE, seed=1)
    elif change == "training":
        other = replace(DENSE, training=replace(QUICK, learning_rate=2e-2))
    elif change == "code":
        monkeypatch.setattr(dense_weights, "code_hash", lambda: "another")
    elif change == "data":
        data = workbench.Workbench.data
        monkeypatch.setattr(workbench.Workbench, "data", lambda *given: replace(data(*given), fingerprint="another"))
    else:
        made = dense_weights.made_by
        monkeypatch.setattr(dense_weights, "made_by", lambda *given: {**made(*given), change: "another"})
    outcomes(Store(tmp_path / "two"), [other])
    assert len(trainings) == 2


def test_a_trial_that_is_run_to_see_whether_it_repeats_is_trained(tmp_path, trainings):
    outcomes(Store(tmp_path / "one"), [DENSE])
    trial_runner.execute(DENSE)
    assert len(trainings) == 2


def test_only_what_repeats_to_the_last_bit_is_shared(monkeypatch):
    assert dense_weights.are_exact(torch.device("cpu"))
    assert not dense_weights.are_exact(torch.device("cuda"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not dense_weights.are_exact(torch.device("cpu"))


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [flip, lambda path: path.write_bytes(b""), lambda path: os.truncate(path, 1000)])
def test_damaged_weights_are_trained_again(damage, tmp_path, trainings):
    first = outcomes(Store(tmp_path / "one"), [DENSE])
    (path,) = dense_weights.folder().glob("*.safetensors")
    whole = path.read_bytes()
    damage(path)
    assert outcomes(Store(tmp_path / "two"), [DENSE]) == first
    assert len(trainings) == 2 and path.read_bytes() == whole


def test_weights_take_no_more_room_than_allowed_and_the_oldest_go_first(tmp_path, trainings, monkeypatch):
    def kept():
        return {path.name.partition("-")[0] for path in dense_weights.folder().glob("*.safetensors")}

    seeds = [replace(DENSE, seed=seed) for seed in range(3)]
    outcomes(Store(tmp_path / "0"), seeds[:1])
    (path,) = dense_weights.folder().glob("*.safetensors")
    monkeypatch.setenv("ESSPARSE_DENSE_GB", str(2.5 * path.stat().st_size / 1e9))
    outcomes(Store(tmp_path / "1"), seeds[1:2])
    os.utime(path, (0, 0))
    outcomes(Store(tmp_path / "2"), seeds[:1])  # used now
    for other in dense_weights.folder().glob(f"{seeds[1].id}*.safetensors"):
        os.utime(other, (1, 1))
    outcomes(Store(tmp_path / "3"), seeds[2:])
    assert kept() == {seeds[0].id, seeds[2].id}
    monkeypatch.setenv("ESSPARSE_DENSE_GB", "1e-6")
    outcomes(Store(tmp_path / "4"), seeds[1:2])
    assert kept() == {seeds[0].id, seeds[2].id}  # too large to be kept: nothing goes for it


def test_a_disk_that_takes_no_weights_ends_no_trial(tmp_path, trainings, monkeypatch):
    def writing(path):
        raise InputError(f"cannot write {path}: no space left")

    monkeypatch.setattr(dense_weights, "writing", writing)
    ((status, *_),) = outcomes(Store(tmp_path / "one"), [DENSE])
    assert status == "ok"


@pytest.mark.parametrize("room", ["much", "-1", "nan", "inf"])
def test_a_room_that_is_no_number_is_one_clear_line(room, tmp_path, trainings, monkeypatch):
    monkeypatch.setenv("ESSPARSE_DENSE_GB", room)
    with pytest.raises(InputError, match=f"^ESSPARSE_DENSE_GB '{room}' is not allowed: give gigabytes"):
        run([DENSE], Store(tmp_path / "one"))
    assert not trainings


def test_weights_that_are_nan_at_the_end_are_a_divergence_for_records_and_for_saved_models(trainings, monkeypatch):
    fine_tune = fine_tuning.fine_tune

    def spoilt(model, *given):
        losses = fine_tune(model, *given)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(torch.nan)
        return losses

    monkeypatch.setattr(fine_tuning, "fine_tune", spoilt)
    pruned = replace(DENSE, pruning=Pruning(sparsity=0.3))
    assert trial_runner.execute(pruned).status == "diverged"
    with pytest.raises(InputError, match="diverged .*train at a lower rate"):
        trial_runner.trained(pruned)


def test_a_training_that_diverges_keeps_nothing(tmp_path, trainings):
    diverging = replace(DENSE, training=replace(QUICK, learning_rate=1e30))
    ((status, *_),) = outcomes(Store(tmp_path / "one"), [diverging])
    assert status == "diverged"
    assert not [*dense_weights.folder().glob("*.safetensors")]


def test_no_file_of_somebody_elses_makes_room(tmp_path):
    ours, others = f"{'0' * 16}-{'a' * 16}.safetensors", ["model.safetensors", f"x{'0' * 16}-{'a' * 16}.safetensors"]
    for name in (ours, *others):
        (tmp_path / name).write_bytes(b"x" * 100)
    dense_weights._make_room(tmp_path, 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
