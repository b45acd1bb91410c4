"""Records, and the tables beside them, with damage that bears the right checksum, and with damaged bytes."""

import json
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from fuzzing import damaged_bytes, damaged_json, fuzzed, read_or_refused
from helpers import CURVE_STUDY, TICKET_STUDY, answered, pretraining_study, similar_masks, watched
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.feed_forward import feed_forward_shares
from essparse_lib.analysis.prunability import feature_curves, loss_curves
from essparse_lib.analysis.series import jumps, series
from essparse_lib.analysis.similarities import similarities
from essparse_lib.analysis.zero_shares import zero_shares
from essparse_lib.book import architectures, devices, overlap, status
from essparse_lib.errors import InputError
from essparse_lib.figures.fig8_tables import run_table
from essparse_lib.records import cost, summary
from essparse_lib.records.integrity import checksum
from essparse_lib.records.store import Record, Store
from essparse_lib.specs.spec import digest
from essparse_lib.specs.study import Study

pytestmark = pytest.mark.slow

many = fuzzed()

PROVENANCE = {
    "code": "x",
    "versions": {"torch": "2"},
    "device": "cpu",
    "seconds": 1.5,
    "threads": 2,
    "finished": "2026-01-01T00:00:00Z",
    "weights": "w",
    "data": "d",
}
STUDY = replace(
    CURVE_STUDY,
    seeds=(0,),
    measured=dict.fromkeys(("zeros", "distribution", "pruned-share", "pruning-order"), (0.0,)),
)
PRETRAINED = pretraining_study((1.0, 0), (0.6, 0))
SCALERS = {"StandardScaler": [0.0, 1.0]}
VALUES = {
    "zeros": {
        "places": [[0, "query", 4]],
        "zeros": {"exact": [1], "below 0.01 sd": [2]},
        "norms": [1.0],
        "effective": 0.2,
    },
    "distribution": {
        "probabilities": [0.0, 0.5, 1.0],
        "matrices": [{"depth": 0, "component": "query", "size": 4, "quantiles": [-1.0, 0.0, 1.0]}],
        "layers": [{"depth": 0, "size": 4, "quantiles": [-1.0, 0.0, 1.0], "scalers": SCALERS}],
        "model": {"size": 4, "quantiles": [-1.0, 0.0, 1.0], "scalers": SCALERS},
        "thresholds": [0.01, 0.1],
        "zeros": {"StandardScaler": {"layer": [1, 2], "model": [1, 2]}},
    },
    "pruned-share": {
        "matrices": [
            {"name": "q", "depth": 0, "component": "output", "size": 4, "pruned": 2, "map": [[50, 20], [0, 9]]}
        ]
    },
    "pruning-order": {
        "matrices": [{"component": "query", "depth": 0, "rows": 1, "columns": 3, "levels": "AAAA", "gone": [1.0] * 100}]
    },
    "held-out-loss": {"step": 80, "sparsities": [0.0, 0.5], "losses": [5.0, 6.0], "data": "d"},
    "feature-accuracy": {
        "sparsities": [0.0, 0.5],
        "knn": [50.0, 40.0],
        "linear_probe": [60.0, 50.0],
        "images": [10, 10],
        "majority": 10.0,
        "data": "d",
    },
}


def _records() -> list[tuple[Study, Record]]:
    """One record of each kind, each with a study that reads it."""
    trial = answered(STUDY.trials()[0], 80, examples=12)
    similarity = next(iter(similar_masks(_similar(), lambda _: 0.6).values()))
    of_kinds = [(study, m) for study in (STUDY, _held(), _features()) for m in study.measurements()]
    measured = [
        (study, Record(spec=m, status="ok", values=VALUES[m.kind], provenance=PROVENANCE))
        for study, m in {m.kind: (study, m) for study, m in of_kinds}.values()
    ]
    return [
        (STUDY, replace(trial, provenance=PROVENANCE)),
        (PRETRAINED, replace(watched(PRETRAINED.pretrainings()[0], snapshots=3), provenance=PROVENANCE)),
        (_similar(), replace(similarity, provenance=PROVENANCE)),
        *measured,
    ]


def _similar() -> Study:
    return replace(TICKET_STUDY, tasks=("t", "u"), seeds=(0,), measured={"mask-similarity": (0.3,)})


def _held() -> Study:
    return replace(PRETRAINED, measured={"held-out-loss": (0.0,)})


def _features() -> Study:
    return replace(CURVE_STUDY, seeds=(0,), measured={"feature-accuracy": (0.0,)})


def signed(text: str) -> bytes:
    """A record's line with the checksum, and the id, that its content has, as far as it can have them."""
    content = text.encode(errors="surrogatepass")
    try:
        plain = json.loads(text)
        kind = next(key for key in plain if key in ("trial", "measurement", "pretraining", "image-pretraining"))
        plain["id"] = digest(plain[kind])
        content = json.dumps(plain).encode()
    except (AttributeError, RecursionError, StopIteration, TypeError, ValueError):
        pass  # what no version would write
    return content[:-1] + f', "checksum": "{checksum(content)}"}}'.encode()


def unsigned(record: Record) -> dict:
    plain = json.loads(record.line())
    del plain["checksum"]
    return plain


def read_all(study: Study, store: Store) -> None:
    """Read records as status, summaries, curves and figures do."""
    records = store.records_of_studies(study)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status.completion([study], records)
        cost.expected_seconds(study.specs(), records)
        summary.provenance(study, records)
        summary.missing(study, records)
        curves(study, records)
        shares = zero_shares(study, records)
        assert all(0 <= share <= 100 for by_model in shares.values() for share in by_model.values())
        jumps(series(study, records))
        feed_forward_shares(study, records)
        for model in study.models:
            similarities(study, records, model)
        for curve in loss_curves(study, records):
            curve.prunable()
        for features in feature_curves(study, records):
            features.learned("knn")
            features.mean_drop("knn")
        if study.pretrained:
            run_table(study, records)


KINDS = {getattr(record.spec, "kind", record.spec.record_kind): (study, record) for study, record in _records()}


def test_the_undamaged_records_are_read(tmp_path):
    for number, (study, record) in enumerate(KINDS.values()):
        store = Store(tmp_path / str(number))
        store.append(record)
        read_all(study, store)
        assert [*store.records().values()] == [record]


@pytest.mark.parametrize("kind", KINDS)
@many
@given(st.data())
def test_a_signed_record_with_another_structure_is_read_or_refused(kind, data):
    study, record = KINDS[kind]
    line = signed(data.draw(damaged_json(unsigned(record))))
    with tempfile.TemporaryDirectory() as folder:
        store, other = Store(Path(folder, "here")), Store(Path(folder, "other"))
        path = store.path(record.spec)
        path.parent.mkdir(parents=True)
        path.write_bytes(line + b"\n")
        outcome = read_or_refused(lambda: read_all(study, store))
        merged = read_or_refused(lambda: other.merge(store.records().values()))
        refused = isinstance(read_or_refused(store.records), InputError)
        assert isinstance(merged, InputError) == refused
        assert not refused or not list(other.folder.rglob("*.jsonl"))
        assert path.read_bytes() == line + b"\n"  # reading writes nothing
        mended = read_or_refused(store.mend)
        assert not isinstance(mended, InputError)
        if mended:
            assert isinstance(outcome, InputError)
            assert path.with_name(path.name + ".damaged").read_bytes() == line + b"\n"
            assert store.records() == {}


LINES = b"".join(answered(trial, 80, examples=12).line().encode() + b"\n" for trial in STUDY.trials()[:3])


@many
@given(damaged_bytes(LINES))
def test_a_file_of_records_with_other_bytes_is_read_or_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        path = store.path(STUDY.trials()[0])
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        read_or_refused(lambda: read_all(STUDY, store))
        read_or_refused(store.records)
        mended = read_or_refused(store.mend)
        assert not isinstance(mended, InputError)
        kept = {trial.id for trial in STUDY.trials()[:3]}
        assert store.records().keys() <= kept
        aside = path.with_name(path.name + ".damaged")
        lines = [*path.read_bytes().splitlines(True), *(aside.read_bytes().splitlines(True) if aside.exists() else [])]
        assert sorted(b"".join(lines).replace(b"\n", b"")) == sorted(content.replace(b"\n", b""))  # nothing is lost


DIFFERENCE = {"difference": 0.1, "low": 0.0, "high": 0.2, "trials": 3}
TABLES = {
    "devices": (devices.table, [{"model": "m", "task": "t", "seeds": 1, "devices": [["a", "b"]], **DIFFERENCE}]),
    "precision": (
        devices.precision,
        {"alike": True, "margin": 0.5, "observations": 2, "earlier": ["a"], "later": ["b"], "curves": [], **DIFFERENCE},
    ),
    "overlap": (overlap.table, {"a in b": {"texts": 10, "whole": 3, "whole_or_phrase": 4}}),
    "architectures": (
        architectures.table,
        {
            "versions": {"torch": "2"},
            "families": [
                {"group": "g", "name": "n", "model": "M", "left_alone": ["k"], "outcomes": {"prune": ["yes", ""]}},
                {"group": "g", "name": "o", "model": "N", "left_alone": [], "outcomes": {"prune": ["refused", "no"]}},
                {"group": "g", "name": "p"},
            ],
        },
    ),
}


@pytest.mark.parametrize("name", TABLES)
@many
@given(st.data())
def test_a_table_with_another_structure_or_other_bytes_is_read_or_refused(name, data):
    page, document = TABLES[name]
    content = data.draw(
        damaged_json(document).map(lambda text: text.encode(errors="surrogatepass"))
        | damaged_bytes(json.dumps(document).encode())
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESSPARSE_RESULTS", folder)
        Path(folder, f"{name}.json").write_bytes(content)
        read_or_refused(page)
