"""From trials to records: repeatable, paired, exact, and honest about what went wrong."""

import platform
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import joblib
import pytest
import torch

from essparse_lib import tasks
from essparse_lib.errors import InputError
from essparse_lib.pruning.masks import Mask
from essparse_lib.records import metrics
from essparse_lib.records.store import Record, Store
from essparse_lib.runner import runners
from essparse_lib.runner import trial as trial_runner
from essparse_lib.runner.scheduler import missing, run
from essparse_lib.runner.trial import execute
from essparse_lib.runner.workbench import Workbench
from essparse_lib.specs.trial import Pruning, Training, Trial
from essparse_lib.training import device
from essparse_lib.training import fine_tune as fine_tuning

QUICK = Training(epochs=1, batch_size=16, learning_rate=1e-2, max_length=32, max_train=64)
LEARNING = Training(epochs=3, batch_size=16, learning_rate=1e-2, max_length=32, max_train=256)
DENSE = Trial(model="tiny-bert", task="tiny-sentiment", seed=0, training=QUICK)
CURVE = [DENSE.at(s) for s in (0.0, 0.3, 0.6, 0.9)]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def outcome(record: Record) -> tuple:
    return record.status, record.metrics, record.predictions, record.labels, record.reason


def test_same_trial_twice_is_identical():
    trial = replace(DENSE, training=LEARNING).at(0.5)
    first, second = execute(trial), execute(trial)
    assert first.status == "ok"
    assert len(set(first.predictions)) == 2  # it does tell the classes apart
    assert outcome(first) == outcome(second)


def test_another_seed_is_another_result():
    first, second = (execute(replace(DENSE, training=LEARNING, seed=seed)) for seed in (0, 1))
    assert first.labels == second.labels
    assert first.metrics["final_loss"] != second.metrics["final_loss"]


@pytest.mark.parametrize("task", ["tiny-sentiment", "tiny-pairs"])
@pytest.mark.parametrize("model", ["tiny-bert", "tiny-mpnet", "tiny-opt"])
def test_every_architecture_runs_with_exactly_the_wanted_zeros(model, task):
    record = execute(Trial(model=model, task=task, seed=0, training=QUICK, pruning=Pruning(sparsity=0.37)))
    assert (record.status, record.reason) == ("ok", "")
    assert record.metrics["prunable"] == 2 * (4 * 32 * 32 + 2 * 32 * 64)
    assert record.metrics["zeros"] == 6062  # ⌊0.37 · 16384⌋
    assert record.metrics["steps"] == 4
    assert len(record.predictions) == len(record.labels) == 128
    right = sum(p == y for p, y in zip(record.predictions, record.labels, strict=True))
    assert record.metrics["accuracy"] == round(100 * right / 128, 4)


@pytest.mark.parametrize("model", ["tiny-bert", "tiny-mpnet", "tiny-opt"])
def test_every_architecture_answers_questions_with_exactly_the_wanted_zeros(model):
    record = execute(Trial(model=model, task="tiny-questions", seed=0, training=QUICK, pruning=Pruning(sparsity=0.37)))
    assert (record.status, record.reason) == ("ok", "")
    assert record.metrics["prunable"] == 2 * (4 * 32 * 32 + 2 * 32 * 64)
    assert record.metrics["zeros"] == 6062
    assert record.metrics["steps"] > 4  # an epoch has more windows than questions
    assert (len(record.predictions), record.labels) == (2 * 128, "")
    found = metrics.shares(record.predictions)
    assert record.metrics["f1"] == pytest.approx(100 * found.mean(), abs=100 / 2590)
    assert round(100 * (found == 1).mean(), 4) >= record.metrics["exact_match"] >= 0
    assert Record.from_line(record.line()) == record


@pytest.mark.slow
def test_questions_are_learned_and_repeatable():
    trial = Trial(model="tiny-opt", task="tiny-questions", seed=0, training=replace(LEARNING, epochs=2))
    first, second, untaught = (
        execute(t) for t in (trial, trial, replace(trial, training=replace(LEARNING, epochs=2, learning_rate=1e-9)))
    )
    assert outcome(first) == outcome(second)
    assert first.metrics["f1"] > 70 > 40 > untaught.metrics["f1"]
    assert first.metrics["final_loss"] < 0.5 * untaught.metrics["final_loss"]
    other = execute(replace(trial, seed=1))
    assert other.metrics["final_loss"] != first.metrics["final_loss"]


@pytest.mark.parametrize(("task", "width"), [("tiny-sentiment", 1), ("tiny-questions", 2)])
def test_fewer_evaluation_examples_are_the_same_ones_for_every_seed(task, width):
    trial = Trial(model="tiny-bert", task=task, seed=0, training=QUICK)
    test = tasks.get(task).splits().test
    part = tasks.fixed_part(test, 40)
    order = test.keys()
    chosen = sorted(sorted(range(128), key=order.__getitem__)[:40])
    assert part.keys() == [order[i] for i in chosen]
    whole, few = execute(trial), execute(replace(trial, training=replace(QUICK, max_test=40)))
    assert few.metrics["final_loss"] == whole.metrics["final_loss"]
    cut = "".join(whole.predictions[width * i : width * (i + 1)] for i in chosen)
    assert sum(a == b for a, b in zip(few.predictions, cut, strict=True)) >= 0.95 * len(cut)  # a tie may be rounded
    if width == 1:
        assert few.labels == "".join(whole.labels[i] for i in chosen)
        assert execute(replace(few.spec, seed=1)).labels == few.labels
    assert len(few.predictions) == 40 * width


@pytest.mark.parametrize("seed", [0, 1])
def test_a_question_too_long_for_the_windows_is_refused_before_anything_is_written(store, seed):
    trial = Trial(model="tiny-bert", task="tiny-questions", seed=seed, training=replace(QUICK, max_length=8))
    with pytest.raises(InputError, match="^max_length 8 is not allowed: .* has 4 tokens .* give 11 or more$"):
        run([trial], store)
    assert not store.folder.exists()


def test_every_length_is_checked_before_the_first_trial(store):
    trial = Trial(model="tiny-bert", task="tiny-questions", seed=0, training=QUICK)
    for length in (8, 65):
        other = replace(trial, training=replace(QUICK, max_length=length))
        with pytest.raises(InputError, match=f"^max_length {length} is not allowed"):
            run([other, trial], store)
        with pytest.raises(InputError, match=f"^max_length {length} is not allowed"):
            run([trial, other], store)
    assert not store.folder.exists()


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "0", True, None])
def test_every_seed_is_checked_before_the_first_trial(store, seed):
    trial = Trial(model="tiny-bert", task="tiny-sentiment", seed=0, training=QUICK)
    with pytest.raises(InputError, match=f"^seed {seed!r} is not allowed: give a whole number from 0"):
        run([trial, replace(trial, seed=seed)], store)
    assert not store.folder.exists()


def test_each_input_is_checked_once(store, monkeypatch):
    checked = []
    monkeypatch.setattr(trial_runner, "prepare", lambda trial, *_: checked.append((trial.task, trial.model)))
    monkeypatch.setattr(trial_runner, "execute", lambda trial: Record(spec=trial, status="ok", metrics={"accuracy": 1}))
    run([*CURVE, replace(DENSE, seed=1), replace(DENSE, task="tiny-pairs"), replace(DENSE, model="tiny-opt")], store)
    assert checked == [("tiny-sentiment", "tiny-bert"), ("tiny-pairs", "tiny-bert"), ("tiny-sentiment", "tiny-opt")]


@pytest.mark.parametrize(
    ("pruning", "zeros"),
    [
        (Pruning(sparsity=0.37, scope="layer"), 6062),
        (Pruning(sparsity=0.37, method="random", scope="layer"), 6062),
        (Pruning(sparsity=0.37, method="random", scope="erk"), 6062),
        (Pruning(pattern="1:4"), 12288),
        (Pruning(sparsity=0.37, timing="after"), 6062),
        (Pruning(sparsity=0.15, method="lottery"), 2457),
    ],
    ids=str,
)
def test_every_method_runs_with_exactly_the_wanted_zeros(pruning, zeros, empty_cache):
    record = execute(replace(DENSE, pruning=pruning))
    assert (record.status, record.reason) == ("ok", "")
    assert record.metrics["zeros"] == zeros


def test_a_model_pruned_after_training_was_trained_as_the_dense_one():
    dense, after = execute(DENSE), execute(replace(DENSE, pruning=Pruning(sparsity=1e-6, timing="after")))
    assert after.metrics["zeros"] == 0  # ⌊0.016⌋: nothing goes
    assert (after.predictions, after.metrics) == (dense.predictions, dense.metrics)


@pytest.mark.slow
def test_a_lottery_is_the_same_in_one_go_and_round_by_round(empty_cache, monkeypatch):
    def at(sparsity):
        return replace(DENSE, training=LEARNING, pruning=Pruning(sparsity=sparsity, method="lottery"))

    trained = []
    before = fine_tuning.fine_tune
    monkeypatch.setattr(fine_tuning, "fine_tune", lambda *a: trained.append(a[-1]) or before(*a))
    rounds = [execute(at(s)) for s in (0.1, 0.2, 0.3)]
    # no mask, then a tenth, two tenths, three: each round's training is the trial's own and not done again
    assert [0 if mask is None else mask.pruned for mask in trained] == [0, 1638, 3276, 4915]
    for file in empty_cache.rglob("lottery/*/*.safetensors"):
        file.unlink()
    trained.clear()
    assert outcome(execute(at(0.3))) == outcome(rounds[-1])
    assert len(trained) == 4


@pytest.mark.slow
def test_the_lottery_is_not_one_shot_pruning(empty_cache):
    lottery, one_shot = (
        execute(replace(DENSE, training=LEARNING, pruning=Pruning(sparsity=0.3, method=m)))
        for m in ("lottery", "magnitude")
    )
    assert lottery.metrics["zeros"] == one_shot.metrics["zeros"]
    assert lottery.metrics["final_loss"] != one_shot.metrics["final_loss"]


def test_record_says_where_it_comes_from():
    provenance = execute(DENSE).provenance
    assert provenance["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert provenance["precision"] in ("fp32", "bf16")
    assert all(provenance[name] for name in ("code", "device", "threads", "weights", "data", "seconds", "finished"))
    assert provenance["processes"] == 1
    assert provenance["peak_memory_bytes"] > 10**7


def test_learning_happens():
    assert execute(replace(DENSE, training=LEARNING)).metrics["accuracy"] > 90


def test_seeds_pair_along_a_curve(monkeypatch):
    seen = []
    train = fine_tuning.train

    def spy(model, batches, *rest):
        kept = [dict(b) for b in batches]
        head = {n: p.detach().clone() for n, p in model.named_parameters() if n.startswith("classifier")}
        seen.append((kept, head, torch.get_rng_state()))
        return train(model, iter(kept), *rest)

    monkeypatch.setattr(fine_tuning, "train", spy)
    for trial in (CURVE[0], CURVE[2], replace(CURVE[2], seed=1)):
        assert execute(trial).status == "ok"
    dense, pruned, other = seen
    for step, same in zip(dense[0], pruned[0], strict=True):
        assert all(torch.equal(step[name], same[name]) for name in step)
    assert dense[1].keys() == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(dense[1][name], pruned[1][name]) for name in dense[1])
    assert torch.equal(dense[2], pruned[2])  # what dropout draws from
    assert not torch.equal(other[1]["classifier.weight"], dense[1]["classifier.weight"])
    assert not all(
        a["input_ids"].shape == b["input_ids"].shape and torch.equal(a["input_ids"], b["input_ids"])
        for a, b in zip(dense[0], other[0], strict=True)
    )


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_diverging_trial_is_recorded_as_diverged(store, sparsity):
    trial = replace(DENSE, training=replace(QUICK, learning_rate=1e30)).at(sparsity)
    assert run([trial], store) == []
    record = store.records()[trial.id]
    assert record.status == "diverged"
    assert "NaN or infinite" in record.reason
    assert (record.metrics, record.predictions) == ({}, "")
    assert missing([trial], store.records(), retry=True) == []  # it is a result


def test_error_in_training_is_recorded_and_run_again_on_request(store, monkeypatch):
    fine_tune = fine_tuning.fine_tune

    def failing(model, data, training, seed, devices, mask):
        if mask is not None and mask.sparsity > 0.5:
            raise RuntimeError("out of\nmemory")
        return fine_tune(model, data, training, seed, devices, mask)

    monkeypatch.setattr(fine_tuning, "fine_tune", failing)
    assert run(CURVE, store) == []
    assert [store.records()[t.id].status for t in CURVE] == ["ok", "ok", "failed", "failed"]
    reason = store.records()[CURVE[2].id].reason
    assert reason.startswith("RuntimeError: out of memory (test_scheduler.py:")
    monkeypatch.undo()
    progressed = []
    assert run(CURVE, store, progress=progressed.append) == []
    assert progressed == []
    assert run(CURVE, store, retry=True, progress=progressed.append) == []
    assert [(p.record.spec, p.record.status, p.left) for p in progressed] == [
        (CURVE[2], "ok", 1),
        (CURVE[3], "ok", 0),
    ]
    assert {r.status for r in store.records().values()} == {"ok"}


def test_drifted_mask_is_a_failure(monkeypatch):
    @contextmanager
    def let_go(mask, model, optimizer):
        mask.apply(model)
        yield

    monkeypatch.setattr(Mask, "held", let_go)
    record = execute(DENSE.at(0.5))
    assert record.status == "failed"
    assert "mask drifted" in record.reason
    assert "not 8192" in record.reason


@pytest.mark.slow
def test_several_jobs_give_the_records_of_one(tmp_path):
    one, several = Store(tmp_path / "one"), Store(tmp_path / "several")
    lefts = []
    assert run(CURVE, one) == []
    assert run(CURVE, several, workers=2, progress=lambda p: lefts.append(p.left)) == []
    assert lefts == [3, 2, 1, 0]
    expected, found = one.records(), several.records()
    assert found.keys() == expected.keys() == {t.id for t in CURVE}
    for name in expected:
        assert outcome(found[name]) == outcome(expected[name])


def test_records_outlive_the_run_that_made_them(store):
    run(CURVE[:2], store)
    lines = store.path(DENSE).read_bytes()
    assert run(CURVE, store) == []
    assert store.path(DENSE).read_bytes().startswith(lines)
    assert len(store.path(DENSE).read_bytes().splitlines()) == 4


@pytest.mark.parametrize(("jobs", "threads"), [(1, 6), (2, 3), (4, 1)])
def test_jobs_share_the_cores(store, monkeypatch, jobs, threads):
    used = []
    monkeypatch.setattr(runners, "_cores", lambda: 6)
    monkeypatch.setattr(joblib, "Parallel", lambda **options: lambda calls: (f(*a) for f, a, _ in calls))
    monkeypatch.setattr(device, "use_threads", used.append)
    monkeypatch.setattr(trial_runner, "execute", _slowly)
    run(CURVE, store, workers=jobs)
    assert used == [threads] * 4


def _slowly(trial):
    time.sleep(0.2)
    return Record(spec=trial, status="ok", metrics={"accuracy": 50.0})


def test_budget_is_kept_and_a_second_run_finishes(store, monkeypatch):
    monkeypatch.setattr(trial_runner, "execute", _slowly)
    trials = [replace(DENSE, seed=seed) for seed in range(12)]
    trial_runner.prepare(DENSE)
    left = run(trials, store, budget=0.9)
    assert 12 - 4 <= len(left) < 12
    done = store.records()
    assert {t.id for t in left} == {t.id for t in trials} - done.keys()
    assert run(trials, store) == []
    assert len(store.path(DENSE).read_bytes().splitlines()) == len(store.records()) == 12


def test_spent_budget_begins_nothing(store):
    assert run(CURVE, store, budget=1e-9) == CURVE
    assert store.records() == {}


def test_trial_that_another_run_holds_is_left_to_it(store):
    reports = []
    with store.claimed(CURVE[1]):
        assert run(CURVE[:3], store, progress=reports.append) == [CURVE[1]]
    assert [p.record and p.record.spec for p in reports] == [CURVE[0], None, CURVE[2]]
    assert run(CURVE[:3], store) == []


def test_trial_named_twice_runs_once(store):
    assert run([DENSE, DENSE, CURVE[1], DENSE], store) == []
    assert len(store.path(DENSE).read_bytes().splitlines()) == 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model": "tiny-brt"}, "unknown model 'tiny-brt': choose from .*did you mean 'tiny-bert'"),
        ({"task": "tiny-sentimant"}, "unknown task 'tiny-sentimant': choose from .*did you mean 'tiny-sentiment'"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_written(store, change, named):
    with pytest.raises(InputError, match=named):
        run([DENSE, replace(DENSE, **change)], store)
    assert not store.folder.exists()


def test_model_and_task_that_cannot_be_had_are_no_failed_trials(store, monkeypatch):
    bench = Workbench()

    def data(task, held_out=None):
        raise InputError("no network")

    monkeypatch.setattr(bench, "data", data)
    with pytest.raises(InputError, match="no network"):
        execute(DENSE, bench)


def test_disk_that_cannot_be_written_is_said_before_the_first_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_runner, "execute", lambda trial: pytest.fail("a trial was begun"))
    (tmp_path / "results").write_text("a file, not a folder")
    with pytest.raises(InputError, match=f"cannot write {tmp_path}"):
        run(CURVE, Store(tmp_path / "results"))


def test_finished_study_needs_no_right_to_write(store, monkeypatch):
    run(CURVE, store)
    monkeypatch.setattr(Store, "check_writable", lambda self: pytest.fail("nothing is to be written"))
    assert run(CURVE, store) == []


def test_several_jobs_under_accelerate_launch_are_refused(store, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="2 jobs are not allowed under accelerate launch"):
        run(CURVE, store, workers=2)
    assert not store.folder.exists()


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has its own way with memory")
@pytest.mark.parametrize(("kept", "fewest", "most"), [(True, 0, 1000), (False, 15_000, 10**9)])
def test_memory_is_kept_between_steps(kept, fewest, most):
    script = f"""
import resource, statistics, torch
from essparse_lib.training import device
device.keep_memory({kept})
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
taken = []
for _ in range(30):  # at first a small block may take a place in a large one that is free, so that another is needed
    before = faults()
    torch.ones(2**24)  # 64 MiB, 16,384 pages
    taken.append(faults() - before)
print(statistics.median_low(taken))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert fewest <= int(said.stdout) <= most
