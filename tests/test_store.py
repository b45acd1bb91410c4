"""The store: nothing is lost, doubled or changed, whoever writes and whatever breaks."""

import errno
import json
import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.errors import InputError
from essparse_lib.records.store import Record, Status, Store, results_folder, slug
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.spec import digest
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Pruning, Training, Trial

TRAINING = Training(epochs=1, batch_size=8, learning_rate=1e-3, max_length=16)
SPAWN = multiprocessing.get_context("spawn")

plain_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
# Cs: also half surrogate pairs, as Python makes of file names that are no UTF-8
texts = st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from("\u2028\u2029\x85\r\n\x1c\0"))


def trial(number: int = 0, model: str = "tiny-bert", task: str = "tiny-pairs") -> Trial:
    return Trial(model=model, task=task, seed=number, training=TRAINING, pruning=Pruning(sparsity=0.5))


def ok(number: int = 0, **others) -> Record:
    return Record(
        spec=trial(number, **others),
        status="ok",
        metrics={"accuracy": 50.0 + number},
        predictions="0101",
        labels="0011",
        provenance={"code": "x"},
    )


def tree(folder: Path) -> dict[str, bytes]:
    """Every file but locks, by its path."""
    files = (p for p in folder.rglob("*") if p.is_file() and ".locks" not in p.parts)
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


@given(
    st.builds(
        Record,
        spec=st.builds(trial, st.integers(0, 9), texts, texts),
        status=st.sampled_from([*Status]),
        metrics=st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
        predictions=st.text("0123456789abcdefghijklmnopqrstuvwxyz"),
        labels=st.text("0123456789abcdefghijklmnopqrstuvwxyz"),
        reason=texts,
        provenance=st.dictionaries(st.text(), plain_values),
        values=st.dictionaries(st.text(), st.lists(plain_values)),
    )
)
def test_record_round_trips_through_its_line(record):
    line = record.line()
    assert "\n" not in line
    assert Record.from_line(line) == record


@pytest.mark.parametrize("trials", [(), (trial(1), trial(2, task="cola"))])
def test_measurements_are_kept_as_trials_are(store, trials):
    measurement = Measurement(
        kind="mask-similarity" if trials else "pruned-share", model="tiny-bert", sparsity=0.5, trials=trials
    )
    record = Record(spec=measurement, status="ok", values={"cosine": [[1.0, 0.5], [0.5, 1.0]]})
    store.append(record)
    store.append(ok())
    assert Store(store.folder).records() == {measurement.id: record, trial().id: ok()}
    assert store.path(measurement).name == f"{measurement.kind}.jsonl"


@given(texts)
def test_record_round_trips_through_the_file(reason):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        record = Record(spec=trial(1), status="failed", reason=reason)
        store.append(record)
        store.append(ok(2))
        assert store.records() == {record.spec.id: record, trial(2).id: ok(2)}
        assert store.mend() == []


def test_number_that_is_not_finite_is_not_written(store):
    store.append(ok())
    before = tree(store.folder)
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.append(replace(ok(1), metrics={"accuracy": float("nan")}))
    assert tree(store.folder) == before


def test_last_record_of_a_trial_counts(store):
    store.append(Record(spec=trial(), status="failed", reason="once"))
    store.append(ok())
    assert store.records() == store.records_of(trial()) == {trial().id: ok()}


def _study(**changed) -> Study:
    grid = dict(models=("tiny-bert",), tasks=("tiny-pairs",), seeds=(0,), training={"*": TRAINING})
    return Study(figure="fig0", scale="tiny", variants={"one-shot": at_sparsities((0.5,))}, **{**grid, **changed})


def test_records_of_studies_are_those_of_the_files_that_they_name(store):
    zeros = Measurement(kind="zeros", model="tiny-bert", sparsity=0.0)
    of_control = ok(0, model="tiny-opt")
    for record in (ok(0), ok(5), of_control, ok(0, task="other"), Record(spec=zeros, status="ok")):
        store.append(record)
    store.append(ok(0, model="other"))
    path = store.path(trial(0, model="other"))
    path.write_bytes(path.read_bytes() + b"damaged\n")
    one = _study(measured={"zeros": (0.0,)})
    assert set(store.records_of_studies(one)) == {ok(0).spec.id, ok(5).spec.id, zeros.id}
    both = store.records_of_studies(_study(control=_study(models=("tiny-opt",))))
    assert set(both) == {ok(0).spec.id, ok(5).spec.id, of_control.spec.id}
    assert set(store.records_of_studies(_study(), _study(tasks=("other",)))) == {
        trial(0).id,
        trial(5).id,
        trial(0, task="other").id,
    }
    assert store.records_of_studies() == store.records_of() == {}
    with pytest.raises(InputError, match="line 2: damaged record"):
        store.records_of_studies(_study(models=("other",)))


def test_what_a_package_brought_is_read_as_well(store, tmp_path):
    installed = Store(tmp_path / "installed")
    for record in (ok(0), ok(1), ok(2, task="other")):
        installed.append(record)
    again = replace(ok(1), metrics={"accuracy": 1.0})
    store.append(again)
    both = Store(store.folder, installed.folder)
    assert both.records_of(trial()) == {trial(0).id: ok(0), trial(1).id: again}
    assert both.records_of_studies(_study()) == both.records_of(trial())
    assert both.records() == {**both.records_of(trial()), trial(2, task="other").id: ok(2, task="other")}


def test_records_share_their_trainings_and_prunings():
    one, other = (Record.from_line(ok(number).line()).spec for number in (0, 1))
    assert one != other and one.training is other.training and one.pruning is other.pruning


def test_file_without_its_last_newline_is_appended_to(store):
    store.append(ok(0))
    path = store.path(trial())
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    store.append(ok(1))
    assert set(store.records()) == {trial(0).id, trial(1).id}


def test_store_without_a_folder_is_empty(store):
    assert store.records() == store.records_of(trial()) == {}
    assert store.mend() == []
    assert not store.folder.exists()


def _append_all(folder, numbers):
    for number in numbers:
        Store(folder).append(ok(number))


def test_appends_of_many_processes_lose_and_double_nothing(store):
    shares = [range(k, 100, 4) for k in range(4)]
    writers = [SPAWN.Process(target=_append_all, args=(store.folder, share)) for share in shares]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    seeds = [json.loads(line)["trial"]["seed"] for line in store.path(trial()).read_bytes().splitlines()]
    assert sorted(seeds) == list(range(100))


def _damaged() -> dict[str, bytes]:
    good = ok(7).line()
    plain = json.loads(good)
    no_seed = {k: v for k, v in plain["trial"].items() if k != "seed"}
    return {
        "cut": good[:-20].encode(),
        "garbage": b"\0\xff\xfe garbage",
        "not UTF-8": good.replace('"code": "x"', '"code": "é"').encode("latin-1"),
        "empty": b"",
        "no object": b"[1, 2]",
        "nested without end": b"[" * 200_000,
        "carriage return inside": good.replace(", ", ",\r", 1).encode() + b"\r}",
        "wrong id": json.dumps({**plain, "id": "0" * 16}).encode(),
        "trial changed": good.replace('"seed": 7', '"seed": 8').encode(),
        "number written otherwise": good.replace('"epochs": 1', '"epochs": 1.0').encode(),
        "truth for a number": good.replace('"epochs": 1', '"epochs": true').encode(),
        "unknown status": json.dumps({**plain, "status": "perhaps"}).encode(),
        "no status": json.dumps({k: v for k, v in plain.items() if k != "status"}).encode(),
        "no id": json.dumps({k: v for k, v in plain.items() if k != "id"}).encode(),
        "no seed": json.dumps({**plain, "trial": no_seed}).encode(),
        "strange field": json.dumps({**plain, "colour": "red"}).encode(),
        "impossible sparsity": good.replace('"sparsity": 0.5', '"sparsity": 1.5').encode(),
    }


@pytest.mark.parametrize("damage", _damaged())
def test_damaged_line_is_named_set_aside_and_the_others_kept(store, damage):
    bad = _damaged()[damage]
    store.append(ok(0))
    store.append(ok(1, task="other"))
    path = store.path(trial())
    kept = path.read_bytes()
    spaced = ok(2).line().replace(": ", " :  ").encode() + b"\n"  # valid, if not as we write it
    path.write_bytes(kept + bad + b"\n" + spaced)
    before = tree(store.folder)
    with pytest.raises(InputError, match="damaged record") as refusal:
        store.records()
    assert f"{path}, line 2: " in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert tree(store.folder) == before
    assert store.mend() == [path]
    assert path.read_bytes() == kept + spaced
    assert path.with_name(path.name + ".damaged").read_bytes() == bad + b"\n"
    assert set(store.records()) == {ok(0).spec.id, ok(1, task="other").spec.id, ok(2).spec.id}


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("melting", {"model": "m", "heat": 3}, "melting: 'melting'"),
        ("trial", {**ok(7).spec.canonical(), "weather": "fair"}, "unexpected keyword argument 'weather'"),
        ("measurement", {"kind": "taste", "model": "m", "sparsity": 0.0}, "taste"),
    ],
)
def test_a_later_versions_record_is_no_damaged_one(store, kind, settings, message):
    store.append(ok(0))
    path = store.path(trial())
    later = json.dumps({"id": digest(settings), kind: settings, "status": "ok", "metrics": {"new": 1.0}}).encode()
    path.write_bytes(path.read_bytes() + later + b"\n")
    with pytest.raises(InputError, match=r"line 2: a record that this version cannot read .+: a later one") as refusal:
        store.records()
    assert message in str(refusal.value)
    assert store.mend() == []


def test_mend_keeps_what_earlier_mends_set_aside(store):
    store.append(ok())
    path = store.path(trial())
    kept = path.read_bytes()
    for damage in (b"first", b"second \xff", b"third"):
        path.write_bytes(path.read_bytes() + damage + b"\n")
        assert store.mend() == [path]
    assert path.with_name(path.name + ".damaged").read_bytes() == b"first\nsecond \xff\nthird\n"
    assert path.read_bytes() == kept
    assert store.mend() == []


def _no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _at_most(size):
    """Writes past this size of a file fail, as they do on a disk that fills up midway."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("moment", ["at sync", "midway"])
@pytest.mark.parametrize("work", ["append", "mend", "check"])
def test_full_disk_leaves_everything_as_it_was(store, monkeypatch, moment, work):
    store.append(ok())
    path = store.path(trial())
    path.write_bytes(path.read_bytes() + b"damaged\n" * 20)
    before = tree(store.folder)
    calls = {"append": lambda: store.append(ok(1)), "mend": store.mend, "check": store.check_writable}
    if moment == "at sync":
        monkeypatch.setattr(os, "fsync", _no_space)
    limit = {"append": path.stat().st_size + 9, "mend": 9, "check": 0}[work]
    reason = r"cannot write \S+: (No space left on device|File too large); free some space or choose another folder"
    with _at_most(limit) if moment == "midway" else nullcontext(), pytest.raises(InputError, match=reason):
        calls[work]()
    monkeypatch.undo()
    assert tree(store.folder) == before
    assert not list(store.folder.rglob("*.tmp"))


@pytest.fixture
def as_nobody():
    """A folder of ours, and the rights of a user that may not write everywhere."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = os.geteuid() == 0
    yield folder, (lambda: os.seteuid(65534)) if root else (lambda: None)
    if root:
        os.seteuid(0)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


def test_read_only_folder_is_named_and_can_be_read(as_nobody):
    folder, drop_rights = as_nobody
    store = Store(folder)
    store.append(ok())
    for path in (folder, *folder.iterdir()):
        path.chmod(0o555)
    before = tree(folder)
    drop_rights()
    for work in (lambda: store.append(ok(1)), lambda: store.append(ok(1, model="new")), store.check_writable):
        with pytest.raises(InputError, match="cannot write .*: Permission denied"):
            work()
    assert store.records() == {trial().id: ok()}
    assert tree(folder) == before


def _hold(folder, number, connection):
    with Store(folder).claimed(trial(number)) as mine:
        connection.send(mine)
        connection.recv()


def test_claims_exclude_each_other_and_end_with_their_holder(store):
    ours, theirs = SPAWN.Pipe()
    holder = SPAWN.Process(target=_hold, args=(store.folder, 0, theirs))
    holder.start()
    assert ours.poll(60)
    assert ours.recv() is True
    with store.claimed(trial(0)) as mine, store.claimed(trial(1)) as other:
        assert (mine, other) == (False, True)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(60)
    for _ in range(2):
        with store.claimed(trial(0)) as mine:
            assert mine


def test_merge_adds_unknown_trials_only(store):
    store.append(ok(0))
    rival = replace(ok(0), metrics={"accuracy": 99.0})
    assert store.merge([rival, ok(1), replace(ok(1), status="failed"), ok(2)]) == 2
    assert store.records() == {r.spec.id: r for r in (ok(0), ok(1), ok(2))}
    assert store.merge(store.records().values()) == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("minilm-l6", "minilm-l6"),
        ("facebook/opt-1.3b", "facebook--opt-1.3b"),
        ("../../etc/passwd", "etc--passwd"),
        ("..", "_"),
        ("~/my model", "my-model"),
        ("a:b*c\n", "a-b-c"),
    ],
)
def test_slug_is_a_harmless_file_name(name, expected):
    assert slug(name) == expected


def test_results_folder_is_the_one_asked_for_or_for_tiny_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path))
    assert results_folder("tiny") == tmp_path / "tiny"
    monkeypatch.delenv("ESSPARSE_RESULTS")
    assert results_folder("tiny") == tmp_path / "cache" / "results" / "tiny"


def test_results_folder_is_that_of_the_checkout_around(monkeypatch, tmp_path):
    monkeypatch.delenv("ESSPARSE_RESULTS", raising=False)
    for name in ("results", "essparse_lib", "notebooks/deep"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "deep")
    assert results_folder("lab") == tmp_path / "results" / "lab"
