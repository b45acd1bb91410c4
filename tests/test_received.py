"""Records that others made: of a pull request, and brought back from a node."""

import re
import shlex
import shutil
import sys
from dataclasses import replace

import pytest
import yaml
from helpers import ROOT

from essparse_lib import cli, figures
from essparse_lib.errors import InputError
from essparse_lib.packs.received import check_records
from essparse_lib.records.store import DamagedRecord, Record, Store
from essparse_lib.runner import sampling, verify
from essparse_lib.specs.trial import Pruning

STUDY = figures.study("fig2", "lab")
TRIALS = STUDY.trials()[:4]
PROVENANCE = {
    "code": "0123456789ab",
    "device": "AMD EPYC (2 cores)",
    "finished": "2026-11-28T17:05:30Z",
    "seconds": 20.0,
    "versions": {"torch": "2.13.0"},
}


def record(spec, provenance=PROVENANCE):
    scored = dict(metrics={"accuracy": 75.0}, predictions="0101", labels="0111")
    return Record(spec=spec, status="ok", provenance=provenance, **scored)


@pytest.fixture
def folders(tmp_path):
    """The records as a pull request has them, with one more, and as they were."""
    after, before = tmp_path / "pull" / "results", tmp_path / "base" / "results"
    for trial in TRIALS[:2]:
        Store(before / "lab").append(record(trial))
    (before / "devices.json").write_text("{}")
    shutil.rmtree(before / "lab" / ".locks")
    shutil.copytree(before, after)
    Store(after / "lab").append(record(TRIALS[2]))
    shutil.rmtree(after / "lab" / ".locks")
    return after, before


@pytest.fixture
def essparse(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["essparse", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, printed.err

    return call


def test_added_records_pass_and_are_told(essparse, folders):
    after, before = folders
    code, out, err = essparse("check-records", after, "--against", before)
    assert (code, err) == (0, "")
    assert out == "lab: 3 records, 1 of them new, made by code 0123456789ab on AMD EPYC (2 cores)\n"
    assert essparse("check-records", before, "--against", before)[1] == "lab: 2 records, none is new\n"


def path_of(folder, trial):
    return Store(folder / "lab").path(trial)


def replaced(old, new):
    def damage(after):
        path = path_of(after, TRIALS[2])
        *lines, last = path.read_text().splitlines(keepends=True)
        path.write_text("".join([*lines, last.replace(old, new)]))

    return damage


def odd_file(name, target=None):
    """Add a file that has no place among records; a link, where it has a target."""

    def add(after):
        (after / name).parent.mkdir(exist_ok=True)
        if target:
            (after / name).symlink_to(target)
        else:
            (after / name).write_text("")

    return add


def append(**options):
    return lambda after: Store(after / "lab").append(record(**options))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced('"accuracy": 75.0', '"accuracy": 80.0'), r"line \d: damaged record \(its checksum"),
        (append(spec=replace(TRIALS[0], seed=99)), "1 of 4 records are of no study at lab scale, such as .*seed 99"),
        (append(spec=replace(TRIALS[0], pruning=Pruning(sparsity=0.123))), "are of no study at lab scale"),
        (append(spec=TRIALS[3], provenance={}), "does not say its code, device, finished, seconds and versions"),
        (lambda after: path_of(after, TRIALS[0]).unlink(), "was taken out: records are only ever added to"),
        (lambda after: path_of(after, TRIALS[0]).write_text(""), "lacks 2 of 2 lines that it had"),
        (lambda after: (after / "devices.json").write_text("[]"), "devices.json was changed"),
        (odd_file("lab/weights.bin"), "weights.bin is no file of records"),
        (odd_file("tiny/t.jsonl"), "is no file of records"),
        (odd_file("lab/m/t.jsonl", "/etc/hosts"), "is a link"),
        (odd_file("lab/m/t.jsonl", "nowhere"), "is a link"),
    ],
)  # fmt: skip
def test_anything_else_than_added_records_is_refused_in_a_line(essparse, folders, change, message):
    after, before = folders
    change(after)
    shutil.rmtree(after / "lab" / ".locks", ignore_errors=True)
    with pytest.raises(InputError, match=message):
        check_records(after, before)
    code, out, err = essparse("check-records", after, "--against", before)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_link_in_the_place_of_all_records_is_refused(essparse, folders):
    after, before = folders
    shutil.rmtree(after)
    after.symlink_to(before)
    code, out, err = essparse("check-records", after, "--against", before)
    assert (code, out) == (2, "") and "results is a link" in err


def test_a_score_that_does_not_follow_is_damage_though_its_checksum_is_right(folders):
    after, before = folders
    path = path_of(after, TRIALS[2])
    forged = replace(record(TRIALS[2]), metrics={"accuracy": 99.0})
    path.write_text(path.read_text().replace(record(TRIALS[2]).line(), forged.line()))
    with pytest.raises(DamagedRecord, match="damaged record"):
        check_records(after, before)


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no records: name a folder such as results"):
        check_records(tmp_path)


def test_all_committed_records_are_known():
    (received,) = check_records(ROOT / "results")
    assert received.scale == "lab" and received.records


def test_merge_refuses_records_of_no_study_and_adds_nothing(essparse, tmp_path, monkeypatch):
    elsewhere = Store(tmp_path / "elsewhere" / "lab")
    for each in (TRIALS[0], replace(TRIALS[0], seed=99)):
        elsewhere.append(record(each))
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "here"))
    code, out, err = essparse("merge", tmp_path / "elsewhere")
    assert (code, out) == (2, "") and "1 of 2 records are of no study at lab scale" in err
    assert not (tmp_path / "here").exists()


# The sample that is run again, and the workflow that calls it


@pytest.fixture
def repeated(folders, monkeypatch):
    """Records are those of the pull request; to run one again gives the same."""
    after, before = folders
    monkeypatch.setenv("ESSPARSE_RESULTS", str(after))
    ran = []
    monkeypatch.setattr(verify, "_repeated", lambda record, store: ran.append(record.spec) or record)
    return ran, before


def test_only_new_records_are_drawn(essparse, repeated):
    ran, before = repeated
    code, out, _ = essparse("verify", "fig2", "--against", before, "--sample", "9")
    assert code == 0 and ran == [TRIALS[2]]
    assert out.startswith(f"1 of 3 records have none in {before / 'lab'}\n")


def test_where_none_is_new_or_quick_enough_none_is_run(essparse, repeated, monkeypatch):
    ran, before = repeated
    assert essparse("verify", "fig2", "--against", before, "--within", "10s")[0] == 0
    assert not ran
    assert essparse("verify", "fig2", "--against", before, "--within", "30s")[0] == 0
    assert ran == [TRIALS[2]]


def test_what_a_gpu_made_takes_longer_where_there_is_none(monkeypatch):
    on_gpu = record(TRIALS[0], provenance={**PROVENANCE, "device": "NVIDIA H100 80GB HBM3"})
    monkeypatch.setattr(sampling, "_has_gpu", lambda: False)
    assert (sampling.seconds_here(on_gpu), sampling.seconds_here(record(TRIALS[0]))) == (20 * sampling.SLOWER, 20)
    monkeypatch.setattr(sampling, "_has_gpu", lambda: True)
    assert sampling.seconds_here(on_gpu) == 20


def test_a_lottery_ticket_counts_all_its_trainings():
    ticket = replace(TRIALS[0], pruning=Pruning(sparsity=0.25, method="lottery"))
    assert sampling.seconds_here(record(ticket)) == 4 * 20


def test_the_workflow_may_read_alone_and_runs_no_code_of_the_pull_request():
    text = (ROOT / ".github/workflows/records.yml").read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"} and list(workflow[True]) == ["pull_request"]
    assert "secrets" not in text.partition("\nname:")[2] and "permissions" not in workflow["jobs"]["check"]
    steps = workflow["jobs"]["check"]["steps"]
    checkouts = [step["with"] for step in steps if step.get("uses", "").startswith("actions/checkout")]
    assert [each["path"] for each in checkouts] == ["base", "pull"]
    assert "base.sha" in checkouts[0]["ref"] and not any(each["persist-credentials"] for each in checkouts)
    commands = " ".join(step["run"] for step in steps if "run" in step)
    assert re.findall(r"\./\w+", commands) == ["./base"] and "github.event" not in commands


def test_the_commands_of_the_workflow_do_what_they_say(essparse, folders, monkeypatch):
    after, _ = folders
    monkeypatch.chdir(after.parents[1])
    monkeypatch.setenv("ESSPARSE_RESULTS", str(after))
    monkeypatch.setattr(verify, "_repeated", lambda record, store: record)
    workflow = yaml.safe_load((ROOT / ".github/workflows/records.yml").read_text())
    runs = "\n".join(step.get("run", "") for step in workflow["jobs"]["check"]["steps"])
    commands = [shlex.split(line)[1:] for line in runs.splitlines() if line.startswith("essparse ")]
    assert [command[0] for command in commands] == ["check-records", "verify", "verify"]
    told = [essparse(*command) for command in commands]
    assert [code for code, _, _ in told] == [0, 0, 0]
    assert "1 of 1 records hold" in told[1][1] and "0 of 0 records have none" in told[2][1]
