"""The store: nothing is lost, doubled or changed, whoever writes and whatever breaks."""

import errno
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import ROOT
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.errors import InputError
from essparse_lib.records.integrity import checksum, signed_line
from essparse_lib.records.store import DamagedRecord, Record, Status, Store, results_folder, slug
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.spec import digest
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Pruning, Training, Trial

TRAINING = Training(epochs=1, batch_size=8, learning_rate=1e-3, max_length=16)
SPAWN = multiprocessing.get_context("spawn")

plain_values = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
texts = st.text(st.characters() | st.sampled_from("\u2028\u2029\x85\r\n\x1c\0"))
names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40).map(lambda text: f"m{text}")


def trial(number: int = 0, model: str = "tiny-bert", task: str = "tiny-pairs") -> Trial:
    return Trial(model=model, task=task, seed=number, training=TRAINING, pruning=Pruning(sparsity=0.5))


def ok(number: int = 0, **others) -> Record:
    return Record(
        spec=trial(number, **others),
        status="ok",
        metrics={"accuracy": 50.0, "final_loss": 0.5 + number},
        predictions="0101",
        labels="0011",
        provenance={"code": "x"},
    )


def measured_values(measurement: Measurement) -> dict:
    """What a measurement could have given."""
    if measurement.kind == "mask-similarity":
        masks = len(measurement.trials) + 1
        table = [[1.0 if i == j else 0.5 for j in range(masks)] for i in range(masks)]
        independent = {"cosine": 0.5, "jaccard_removed": 1 / 3}
        names = [f"mask {number}" for number in range(masks)]
        return {"names": names, "cosine": table, "jaccard_removed": table, "independent": independent}
    if measurement.kind == "zeros":
        return {"places": [[0, "query", 4]], "zeros": {"exact": [1]}, "norms": [1.0], "effective": 0.2}
    matrix = {"name": "q", "depth": 0, "component": "query", "size": 4, "pruned": 2, "map": [[50]]}
    return {"matrices": [matrix]}


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
        spec=st.builds(trial, st.integers(0, 9), names, names),
        status=st.sampled_from([Status.DIVERGED, Status.FAILED]),
        # no names of metrics that follow from the predictions
        metrics=st.dictionaries(
            st.text().map(lambda name: f"loss {name}"), st.floats(allow_nan=False, allow_infinity=False)
        ),
        predictions=st.text("0123456789abcdefghijklmnopqrstuvwxyz"),
        reason=texts,
        provenance=st.dictionaries(st.text().map(lambda name: f"note {name}"), plain_values),
        values=st.dictionaries(st.text(), st.lists(plain_values)),
    ),
    st.booleans(),
)
def test_record_round_trips_through_its_line(record, with_labels):
    record = replace(record, labels=record.predictions[::-1] if with_labels else "")
    line = record.line()
    assert "\n" not in line
    assert Record.from_line(line) == record


@pytest.mark.parametrize("trials", [(), (trial(1), trial(2, task="cola"))])
def test_measurements_are_kept_as_trials_are(store, trials):
    measurement = Measurement(
        kind="mask-similarity" if trials else "pruned-share", model="tiny-bert", sparsity=0.5, trials=trials
    )
    record = Record(spec=measurement, status="ok", values=measured_values(measurement))
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


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"metrics": {"accuracy": float("nan")}}, "its accuracy is nan, no finite number"),
        ({"metrics": {"final_loss": float("inf")}}, "its final_loss is inf, no finite number"),
        ({"values": {"zeros": float("nan")}}, "not JSON compliant"),
        ({"metrics": {"accuracy": 99.9}}, r"its accuracy is 99\.9, that of its predictions 50\.0000"),
        ({"metrics": {"matthews": 1.0}}, r"its matthews is 1\.0, that of its predictions 0\.0000"),
        ({"metrics": {"f1": 50.0}, "predictions": "zz00zz", "labels": ""}, "that of its predictions 66.6667"),
        ({"predictions": "010"}, "3 predictions but 4 labels"),
    ],
)
def test_record_that_could_not_be_read_is_not_written(store, changed, message):
    store.append(ok())
    before = tree(store.folder)
    with pytest.raises(ValueError, match=message):
        store.append(replace(ok(1), **changed))
    assert tree(store.folder) == before


@pytest.mark.parametrize(
    "kept",
    [
        {"metrics": {"accuracy": 50.00005}},
        {"metrics": {"matthews": 0.0}},
        {"metrics": {"f1": 66.63}, "predictions": "zz00zz", "labels": ""},  # shares are kept in 1,295 steps
        {"metrics": {"accuracy": 50.0, "exact_match": 33.3}},  # of a metric that the predictions do not decide
        {"metrics": {"accuracy": 12.5}, "predictions": "", "labels": ""},
    ],
)
def test_metrics_may_differ_by_rounding_and_where_no_predictions_decide(store, kept):
    store.append(replace(ok(), **kept))
    assert store.records() == {ok().spec.id: replace(ok(), **kept)}


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
    for record in (
        ok(0),
        ok(5),
        of_control,
        ok(0, task="other"),
        Record(spec=zeros, status="ok", values=measured_values(zeros)),
    ):
        store.append(record)
    store.append(ok(0, model="other"))
    path = store.path(trial(0, model="other"))
    path.write_bytes(path.read_bytes() + b"damaged\n")
    one = _study(measured={"zeros": (0.0,)})
    assert set(store.records_of_studies(one)) == {ok(0).spec.id, ok(5).spec.id, zeros.id}
    both = store.records_of_studies(_study(controls=(_study(models=("tiny-opt",)),)))
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
    again = replace(ok(1), metrics={"accuracy": 50.0})
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
    del plain["checksum"]
    no_seed = {k: v for k, v in plain["trial"].items() if k != "seed"}

    def signed(**changed) -> bytes:
        """The line with some fields changed and the right checksum; None takes a field away."""
        return signed_line({k: v for k, v in {**plain, **changed}.items() if v is not None})

    def trained(**changed) -> bytes:
        return signed(trial={**plain["trial"], "training": {**plain["trial"]["training"], **changed}})

    def of(**changed) -> bytes:
        """The line of another trial, with the id that it would have."""
        other = {**plain["trial"], **changed}
        return signed(trial=other, id=digest(other))

    unscored = {"predictions": None, "labels": None}
    deep = json.dumps(plain)[:-1] + ', "values": {"x": ' + "[" * 10_000 + "]" * 10_000 + "}}"
    return {
        "list nested 10,000 deep": _resigned(deep),
        "list nested 900 deep": _resigned(deep.replace("[" * 9_100, "").replace("]" * 9_100, "")),
        "too long": _resigned(json.dumps({**plain, "reason": "x" * 2**24})),
        "half a surrogate pair": _resigned(good.replace('"code": "x"', '"code": "\\ud800"')),
        "model that is a number": of(model=3),
        "model that is a path of dots": of(model="../.."),
        "model in two lines": of(model="a\nb"),
        "task that is null": of(task=None),
        "seed below 0": of(seed=-1),
        "seed that is a text": of(seed="8"),
        "training that is a list": of(training=[1]),
        "pruning with a list for a number": of(pruning={"sparsity": [0.5]}),
        "accuracy of 250": signed(metrics={"accuracy": 250.0}, **unscored),
        "accuracy below 0": signed(metrics={"accuracy": -1.0}, **unscored),
        "accuracy that is true": signed(metrics={"accuracy": True}, **unscored),
        "steps that are no whole number": signed(metrics={"accuracy": 50.0, "steps": 1.5}),
        "more zeros than weights": signed(metrics={"accuracy": 50.0, "zeros": 3, "prunable": 2}),
        "no score": signed(metrics={"steps": 1}, **unscored),
        "labels without predictions": signed(metrics={"accuracy": 50.0}, predictions=None),
        "provenance with seconds that are a text": signed(provenance={"seconds": "1"}),
        "provenance with seconds below 0": signed(provenance={"seconds": -1}),
        "provenance with endless seconds": signed(provenance={"seconds": 1e300}),
        "provenance with a list of versions": signed(provenance={"versions": ["2"]}),
        "provenance with a device that is a number": signed(provenance={"device": 3}),
        "provenance with no time": signed(provenance={"finished": "yesterday"}),
        "provenance with half a thread": signed(provenance={"threads": 0.5}),
        "field twice, signed": _resigned(good.replace('"status"', '"status": "failed", "status"')),
        "field twice and spaces, signed": _resigned(good.replace('"status"', '"status" : "failed", "status"')),
        "metric twice, signed": _resigned(good.replace('"metrics": {', '"metrics": {"accuracy": 99.9, ')),
        "of another model": ok(7, model="tiny-opt").line().encode(),
        "of another task": ok(7, task="cola").line().encode(),
        "another record of a trial": signed(
            id=ok(0).spec.id, trial=ok(0).spec.canonical(), metrics={"accuracy": 75.0}, predictions="0111"
        ),
        "cut": good[:-20].encode(),
        "garbage": b"\0\xff\xfe garbage",
        "not UTF-8": good.replace('"code": "x"', '"code": "é"').encode("latin-1"),
        "empty": b"",
        "no object": b"[1, 2]",
        "nested without end": b"[" * 200_000,
        "carriage return inside": good.replace(", ", ",\r", 1).encode() + b"\r}",
        "no checksum": json.dumps(plain).encode(),
        "wrong checksum": json.dumps({**plain, "checksum": "0" * 16}).encode(),
        "checksum that is no text": json.dumps({**plain, "checksum": 7}).encode(),
        "checksum of another record": json.dumps({**plain, "checksum": json.loads(ok(8).line())["checksum"]}).encode(),
        "wrong id": signed(id="0" * 16),
        "trial changed": signed(trial={**plain["trial"], "seed": 8}),
        "number written otherwise": trained(epochs=1.0),
        "truth for a number": trained(epochs=True),
        "unknown status": signed(status="perhaps"),
        "no status": signed(status=None),
        "no id": signed(id=None),
        "no seed": signed(trial=no_seed),
        "strange field": signed(colour="red"),
        "impossible sparsity": signed(trial={**plain["trial"], "pruning": {"sparsity": 1.5}}),
        "accuracy that does not follow": signed(metrics={"accuracy": 99.9}),
        "mean that does not follow": signed(metrics={"f1": 40.0}, predictions="zz00", labels=None),
        "metric that is no number": signed(metrics={"accuracy": "50"}),
        "metrics that are no object": signed(metrics=[50.0]),
        "predictions that are cut": signed(predictions="010"),
        "labels that are no digits": signed(metrics={"matthews": 0.0}, labels="00-1"),
        "metric beyond all numbers": signed(metrics={"steps": 10**400}),
        "predictions that are no digits": signed(metrics={"steps": 1}, predictions="00A1"),
        "signs in place of digits": signed(metrics={"accuracy": 100.0}, predictions="é!?.", labels="ü!?."),
        "other number of predictions, without a score": signed(metrics={"steps": 1}, predictions="010"),
        "predictions that are a list": signed(metrics={"steps": 1}, predictions=["0", "0", "1", "1"]),
        "predictions that are a number": signed(metrics={"steps": 1}, predictions=7),
        "values that are no object": signed(values=[1]),
        "reason that is no text": signed(reason={"why": 1}),
        "provenance that is no object": signed(provenance="cpu"),
        "field twice": good.replace('"status"', '"status": "failed", "status"').encode(),
        "metric twice": good.replace('"metrics": {', '"metrics": {"accuracy": 99.9, ').encode(),
        "metric that is NaN": _resigned(good.replace("50.0", "NaN")),
        "metric that is infinite": _resigned(good.replace("50.0", "1e999")),
        "value that is NaN": _resigned(good.replace('"code": "x"', '"code": NaN')),
    }


def _resigned(line: str) -> bytes:
    """Return a line with the right checksum, whatever is in it."""
    content = re.sub(r', "checksum": "\w+"}$', "}", line).encode()
    return content[:-1] + f', "checksum": "{checksum(content)}"}}'.encode()


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
    assert store.mend() == []
    assert path.with_name(path.name + ".damaged").read_bytes() == bad + b"\n"
    assert set(store.records()) == {ok(0).spec.id, ok(1, task="other").spec.id, ok(2).spec.id}


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("melting", {"model": "m", "heat": 3}, "unknown kind of record 'melting'"),
        ("trial", {**ok(7).spec.canonical(), "weather": "fair"}, "unknown field 'weather'"),
        ("measurement", {"kind": "taste", "model": "m", "sparsity": 0.0}, "taste"),
    ],
)
def test_a_later_versions_record_is_no_damaged_one(store, kind, settings, message):
    store.append(ok(0))
    path = store.path(trial())
    later = signed_line({"id": digest(settings), kind: settings, "status": "ok", "metrics": {"new": 1.0}})
    path.write_bytes(path.read_bytes() + later + b"\n")
    with pytest.raises(InputError, match=r"line 2: a record that this version cannot read .+: a later one") as refusal:
        store.records()
    assert message in str(refusal.value)
    assert store.mend() == []


def _edits(value):
    """Yield the value with each single thing in it changed, whatever that makes of it."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield {other: kept for other, kept in value.items() if other != name}
            yield from ({**value, name: edited} for edited in _edits(entry))
        yield {**value, "new": 1}
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            yield from ([*value[:place], edited, *value[place + 1 :]] for edited in _edits(entry))
    elif isinstance(value, str):
        yield from (value + "0", value[1:] + value[:1] if len(set(value)) > 1 else value[:-1] + "_")
    else:
        yield from (value + 1, str(value))


def _of_every_field() -> tuple[Record, ...]:
    """Records that together have every field that a record can have."""
    provenance = {"versions": {"torch": "2"}, "seconds": 1.5, "threads": 1}
    similarity = Measurement(kind="mask-similarity", model="tiny-bert", sparsity=0.5, trials=(trial(1),))
    return (
        replace(ok(), provenance=provenance),
        replace(ok(), metrics={"f1": 100.0}, predictions="zz", labels=""),
        Record(spec=trial(), status="failed", reason="no memory", provenance=provenance),
        Record(spec=similarity, status="ok", values=measured_values(similarity)),
    )


@pytest.mark.parametrize("record", _of_every_field(), ids=["classes", "mean", "failed", "measurement"])
def test_every_edit_by_hand_is_found_and_named_and_nothing_is_overwritten(store, record):
    store.append(ok(9, model=record.spec.model, task=record.spec.file))
    path = store.path(record.spec)
    first = path.read_bytes()
    plain = json.loads(record.line())
    edits = list(_edits(plain))
    assert len(edits) > 2 * len(plain)
    unseen = []
    for edited in edits:
        path.write_bytes(first + json.dumps(edited, ensure_ascii=False).encode() + b"\n")
        before = tree(store.folder)
        try:
            store.records()
            unseen.append(edited)
        except DamagedRecord as error:
            assert str(error).startswith(f"{path}, line 2: damaged record (")
        assert tree(store.folder) == before
    assert not unseen
    path.write_bytes(first + json.dumps(plain, ensure_ascii=False).encode() + b"\n")
    assert store.records()[record.spec.id] == record


def test_every_committed_record_holds():
    for path in sorted((ROOT / "results").glob("*/*/*.jsonl")):
        for line in path.read_bytes().splitlines():
            assert Record.from_line(line).line().encode() == line


def test_windows_line_ends_and_a_byte_order_mark_are_read(store):
    store.append(ok(0))
    store.append(ok(1))
    path = store.path(trial())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert store.records() == {trial(0).id: ok(0), trial(1).id: ok(1)}
    assert store.mend() == []


def test_a_line_twice_and_other_provenance_are_no_damage(store):
    store.append(ok(0))
    store.append(ok(0))
    again = replace(ok(0), provenance={"code": "y"})
    store.append(again)
    assert store.records() == {trial(0).id: again}
    assert store.mend() == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_failed_record_counts_only_where_there_is_no_other(store, order):
    for record in (Record(spec=trial(), status="failed", reason="once"), ok(0))[::order]:
        store.append(record)
    assert store.records() == {trial().id: ok(0)}
    assert store.mend() == []


@pytest.mark.parametrize("what", ["folder", "pipe", "loop", "dangling", "large"])
def test_what_is_no_file_of_records_is_named_at_once_and_left_as_it_is(store, what):
    store.append(ok(0, task="other"))
    path = store.path(trial())
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "large":
        with path.open("wb") as file:
            file.truncate(10 * 2**30)  # takes no room
    else:
        path.symlink_to(path.name if what == "loop" else "nowhere")
    works = (store.records, lambda: store.records_of(trial()), lambda: store.append(ok(0)), store.mend)
    for work in (*works, lambda: store.merge([ok(0)])):
        with pytest.raises(InputError, match=f"^cannot (read|write) {re.escape(str(path))}: ") as refusal:
            work()
        assert "\n" not in str(refusal.value)
    assert not list(store.folder.rglob("*.tmp"))


def test_records_outside_the_folders_of_models_are_named(store):
    store.append(ok(0))
    (store.folder / "stray.jsonl").write_text(ok(1).line() + "\n")
    with pytest.raises(InputError, match=r"stray.jsonl lies where no records are read"):
        store.records()


def test_hidden_files_beside_records_are_none_of_them(store):
    store.append(ok(0))
    store.path(trial()).with_name("._tiny-pairs.jsonl").write_bytes(b"\0\5\x16\7")  # as some systems leave there
    assert [*store.records()] == [trial().id]


def test_merge_adds_all_records_of_a_file_at_once_or_none(store, monkeypatch):
    store.append(ok(0))
    before = tree(store.folder)
    unreadable = replace(ok(2), metrics={"accuracy": 50.0, "steps": -1})
    with pytest.raises(ValueError, match="expected int >= 0"):
        store.merge([ok(1), unreadable])
    monkeypatch.setattr(os, "fsync", _no_space)
    with pytest.raises(InputError, match="cannot write"):
        store.merge([ok(1), ok(2)])
    assert tree(store.folder) == before


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


def test_what_cannot_be_read_is_named(store, as_nobody):
    in_place = store.path(trial())
    in_place.mkdir(parents=True)
    for work in (store.records, lambda: store.records_of(trial()), store.mend):
        with pytest.raises(InputError, match=f"^cannot read {re.escape(str(in_place))}: it is a folder; move it away$"):
            work()
    with pytest.raises(InputError, match=f"^cannot write {re.escape(str(in_place))}: it is there already, and no file"):
        store.append(ok())
    folder, drop_rights = as_nobody
    closed = Store(folder)
    closed.append(ok())
    closed.path(trial()).chmod(0)
    drop_rights()
    with pytest.raises(
        InputError, match=f"^cannot read {re.escape(str(closed.path(trial())))}: Permission denied; mend or move it$"
    ):
        closed.records()


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
    rival = replace(ok(0), metrics={"accuracy": 50.0})
    assert store.merge([rival, ok(1), replace(ok(1), status="failed"), ok(2)]) == (2, 1)
    assert store.records() == {r.spec.id: r for r in (ok(0), ok(1), ok(2))}
    assert store.merge(store.records().values()) == (0, 0)


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
