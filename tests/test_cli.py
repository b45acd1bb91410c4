"""The command line: one clear line for what cannot be done, progress for what can."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from essparse_lib import cli, figures, options
from essparse_lib.errors import InputError
from essparse_lib.figures import fig8
from essparse_lib.records.pretrained import PRETRAINED
from essparse_lib.records.store import Record, Store, results_folder
from essparse_lib.specs.study import at_sparsities
from essparse_lib.specs.trial import Training

SCRATCH = "tiny-scratch-60-1"


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("COLUMNS", "200")
    reduced = replace(
        figures.study("fig2", "tiny"),
        models=("tiny-bert",),
        tasks=("tiny-pairs",),
        training={"*": Training(epochs=1, batch_size=32, learning_rate=1e-3, max_length=32, max_train=64)},
        variants={"one-shot": at_sparsities((0.5,))},
        seeds=(0,),
    )
    monkeypatch.setitem(figures.STUDIES["fig2"], "tiny", reduced)
    return tmp_path / "results"


@pytest.fixture
def essparse(results, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["essparse", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, printed.err

    return call


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "fig3x"], ["unknown figure 'fig3x'", "did you mean 'fig3'"]),
        (["run", "fig2", "--scale", "laab"], ["unknown scale 'laab'", "tiny", "did you mean 'lab'?"]),
        (["run", "fig2", "--scale", "tiny", "--budget", "abc"], ["budget 'abc' is not allowed", "90m"]),
        (["run", "fig2", "--scale", "tiny", "--budget=-5"], ["budget '-5' is not allowed", "8h"]),
        (["run", "fig2", "--scale", "tiny", "--budget", "nan"], ["budget 'nan' is not allowed"]),
        (["run", "fig2", "--scale", "tiny", "--budget", ""], ["budget '' is not allowed"]),
        (["run", "fig2", "--checkpoints", "multiberts"], ["checkpoints 'multiberts'", "not allowed for fig2", "fig8"]),
        (
            ["run", "fig8", "--checkpoints", "multibert"],
            ["unknown checkpoints", "trained", "did you mean 'multiberts'?"],
        ),
        (["run", "fig8", "--scale", "laab", "--checkpoints", "multiberts"], ["unknown scale 'laab'"]),
        (["pretrain", "tiny-scratch-60"], ["unknown model to train 'tiny-scratch-60'", SCRATCH]),
        (["pretrain", "tiny-bert"], ["unknown model to train 'tiny-bert'"]),
        (["pretrain", SCRATCH, "--budget", "1d"], ["budget '1d' is not allowed", "90m"]),
        (["mend", "nowhere"], ["nowhere is no folder"]),
        (["merge", "nowhere"], ["nowhere/lab is no folder", "ESSPARSE_RESULTS"]),
    ],
)
def test_wrong_value_gets_one_line_and_nothing_is_written(essparse, results, arguments, named):
    code, out, err = essparse(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("essparse: ")
    assert err.count("\n") == 1
    assert all(part in err for part in named)
    assert not results.exists()


@pytest.mark.parametrize("arguments", [["run", "fig2", "--scale", "tiny"], ["status"]])
def test_damaged_record_gets_one_line_and_nothing_is_written(essparse, results, arguments):
    file = results / "tiny" / "tiny-bert" / "tiny-pairs.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("garbage\n")
    code, out, err = essparse(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"essparse: {file}, line 1: damaged record (")
    assert f"`essparse mend {results / 'tiny'}`" in err
    assert err.count("\n") == 1
    assert [p for p in results.rglob("*") if p.is_file()] == [file]
    assert file.read_text() == "garbage\n"


def test_model_that_cannot_be_had_gets_one_line_and_nothing_is_written(essparse, results, monkeypatch):
    study = replace(figures.study("fig2", "tiny"), models=("nobody/nothing",))
    monkeypatch.setitem(figures.STUDIES["fig2"], "tiny", study)
    code, _, err = essparse("run", "fig2", "--scale", "tiny")
    assert code == 2
    assert err.count("\n") == 1
    assert "nobody/nothing" in err
    assert "ESSPARSE_MIRROR" in err
    assert not results.exists()


def test_error_reaches_the_shell_as_one_line():
    command = [sys.executable, "-m", "essparse_lib.cli", "run", "fig99"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("essparse: unknown figure 'fig99'")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "fig2", "--jobs", "0"], ["run", "fig2", "--colour"], ["pretrain"], ["dance"]]
)
def test_wrong_usage_gets_one_line_too(essparse, results, arguments):
    code, out, err = essparse(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("essparse: ")
    assert not results.exists()


def test_run_prints_its_progress_and_a_second_call_runs_nothing(essparse, results):
    code, out, err = essparse("run", "fig2", "--scale", "tiny")
    assert (code, out) == (0, "")
    lines = [line for line in err.splitlines() if line.startswith("tiny-bert on tiny-pairs")]
    assert [line.split(":")[0] for line in lines] == [
        "tiny-bert on tiny-pairs, dense, seed 0",
        "tiny-bert on tiny-pairs, 50% pruned, seed 0",
    ]
    assert [line.rsplit(", ", 1)[1] for line in lines] == ["1 left", "0 left"]
    assert "'accuracy'" in lines[0]
    before = (results / "tiny" / "tiny-bert" / "tiny-pairs.jsonl").read_bytes()
    assert before.count(b"\n") == 2
    code, out, err = essparse("run", "fig2", "--scale", "tiny")
    assert (code, out, err.strip()) == (0, "", "")
    assert (results / "tiny" / "tiny-bert" / "tiny-pairs.jsonl").read_bytes() == before


def test_run_says_what_is_left_when_the_budget_is_spent(essparse):
    code, out, _ = essparse("run", "fig2", "--scale", "tiny", "--budget", "0.000001")
    assert code == 0
    assert out == "2 of 2 trials have no record yet: run the same command to go on\n"


def test_checkpoints_of_others_are_measured_at_their_own_scale(essparse, results, monkeypatch):
    monkeypatch.setattr(fig8, "MULTIBERTS", replace(fig8.MULTIBERTS, models=("tiny-bert",)))
    code, _, err = essparse("run", "fig8", "--checkpoints", "multiberts")
    assert code == 0
    assert "zeros of tiny-bert at 0:" in err
    assert "0 left" in err
    assert [p.relative_to(results) for p in results.rglob("*.jsonl")] == [Path("paper/tiny-bert/zeros.jsonl")]


@pytest.fixture
def training(monkeypatch, empty_cache):
    """Training takes no time: ``outcome`` (ok, diverged, None) comes of it, with ``weights``, and calls are noted."""
    told = SimpleNamespace(outcome="ok", weights=b"some weights", calls=[])

    def train(asked, folder, deadline):
        told.calls.append((asked, deadline))
        if told.outcome == "diverged":
            return Record(spec=asked, status="diverged", reason="the loss is NaN")
        if told.outcome is None:
            return None
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(told.weights)
        provenance = {"weights": hashlib.sha256(told.weights).hexdigest()[:16]}
        return Record(spec=asked, status="ok", metrics={"held_out_loss": 2.5}, provenance=provenance)

    from essparse_lib.runner import pretraining

    monkeypatch.setattr(pretraining, "prepare", lambda asked: None)
    monkeypatch.setattr(pretraining, "pretrain", train)
    return told


@pytest.fixture
def place(results):
    """Where the model's records and weights are."""
    return results / "tiny" / SCRATCH


def test_pretrain_trains_a_model_once(essparse, training, place):
    said = (0, f"{SCRATCH}: held-out loss 2.5000 nats a token, weights in {place / 'model'}\n", "")
    assert essparse("pretrain", SCRATCH) == said
    assert essparse("pretrain", SCRATCH, "--budget", "1s") == said
    assert training.calls == [(PRETRAINED["tiny"][SCRATCH], None)]
    assert [r.spec.model for r in Store(results_folder("tiny")).records().values()] == [SCRATCH]


@pytest.mark.parametrize(
    ("weights", "ending"), [(b"some weights", "/model\n"), (b"others", "/model, not bit for bit those of its record\n")]
)
def test_weights_that_are_gone_are_made_again_and_the_record_stays(essparse, training, place, weights, ending):
    essparse("pretrain", SCRATCH)
    (place / "model" / "model.safetensors").unlink()
    (place / "model").rmdir()
    record = (place / "pretraining.jsonl").read_bytes()
    training.weights = weights
    code, out, _ = essparse("pretrain", SCRATCH)
    assert code == 0
    assert out.endswith(ending)
    assert (place / "model" / "model.safetensors").read_bytes() == weights
    assert (place / "pretraining.jsonl").read_bytes() == record
    assert essparse("pretrain", SCRATCH)[1] == out
    assert len(training.calls) == 2


def test_training_that_diverges_unlike_its_record_leaves_it_alone(essparse, training, place):
    essparse("pretrain", SCRATCH)
    (place / "model").rename(place / "elsewhere")
    record = (place / "pretraining.jsonl").read_bytes()
    training.outcome = "diverged"
    code, out, err = essparse("pretrain", SCRATCH)
    assert (code, out) == (2, "")
    assert err.endswith("diverged this time (the loss is NaN), unlike its record\n")
    assert (place / "pretraining.jsonl").read_bytes() == record


def test_diverged_training_is_a_result(essparse, training):
    training.outcome = "diverged"
    said = (0, f"{SCRATCH}: diverged, the loss is NaN\n", "")
    assert essparse("pretrain", SCRATCH) == said
    assert essparse("pretrain", SCRATCH) == said
    assert len(training.calls) == 1


@pytest.mark.parametrize("recorded", [False, True])
def test_model_that_another_process_trains_is_left_to_it(essparse, training, place, recorded):
    if recorded:
        essparse("pretrain", SCRATCH)
        (place / "model").rename(place / "elsewhere")
    with Store(results_folder("tiny")).claimed(PRETRAINED["tiny"][SCRATCH]) as mine:
        assert mine
        assert essparse("pretrain", SCRATCH) == (0, f"{SCRATCH}: another process is training it\n", "")
    assert len(training.calls) == recorded


def test_pretrain_ends_with_its_budget_before_the_first_step(essparse, training):
    training.outcome = None
    before = time.time()
    said = f"{SCRATCH}: 0 of 120 steps are done: run the same command to go on\n"
    assert essparse("pretrain", SCRATCH, "--budget", "2h") == (0, said, "")
    assert before + 7200 <= training.calls[0][1] <= time.time() + 7200


def test_pretrain_says_how_far_it_got(essparse, place, empty_cache, monkeypatch):
    from torch import nn, optim

    from essparse_lib.runner import pretraining
    from essparse_lib.training import checkpoints, pretrain
    from essparse_lib.training.loop import TrainingState

    def train(asked, objective, devices, kept, deadline):
        model = nn.Linear(1, 1)
        state = TrainingState(model=model, optimizer=optim.SGD(model.parameters()), losses=[0.0] * 40)
        checkpoints.save_state(state, {"steps": 40}, kept)
        return pretrain.TrainingResult(module=None, losses=[0.0] * 40, dynamics=None, pruned=None, seconds=1.0)

    monkeypatch.setattr(pretraining, "prepare", lambda asked: None)
    monkeypatch.setattr(pretrain, "pretrain", train)
    said = f"{SCRATCH}: 40 of 120 steps are done: run the same command to go on\n"
    assert essparse("pretrain", SCRATCH, "--budget", "15m") == (0, said, "")
    assert not place.exists()


@pytest.mark.slow
def test_model_that_was_trained_can_be_named(essparse, place, fresh_models):
    code, out, _ = essparse("pretrain", SCRATCH)
    assert code == 0
    assert out.endswith(f"weights in {place / 'model'}\n")
    code, out, _ = essparse("stats", SCRATCH)
    assert code == 0
    assert "query" in out


@pytest.mark.parametrize("command", ["prune", "stats"])
def test_a_model_whose_files_lack_a_weight_gets_one_line_and_nothing_is_written(command, essparse, tmp_path):
    from safetensors.torch import load_file, save_file

    from essparse_lib.sources import tiny

    folder = shutil.copytree(tiny.folder("essparse/tiny-bert"), tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    options = ["--sparsity", "0.5", "--out", str(tmp_path / "out")] if command == "prune" else []
    code, out, err = essparse(command, str(folder), *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "not in the file, and so random: 1 weight (encoder.layer.1.output.dense.weight)" in err
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_status_counts_records_there_and_missing(essparse):
    def row():
        code, out, _ = essparse("status")
        assert code == 0
        return next(line.split() for line in out.splitlines() if line.split()[:2] == ["fig2", "tiny"])

    assert row()[2:5] == ["0", "2", "0"]
    assert "unknown" in row()[5]
    essparse("run", "fig2", "--scale", "tiny")
    assert row()[2:5] == ["2", "0", "0"]
    store = Store(results_folder("tiny"))
    lines = store.path(figures.study("fig2", "tiny").trials()[0]).read_bytes().splitlines(keepends=True)
    store.path(figures.study("fig2", "tiny").trials()[0]).write_bytes(lines[0])
    assert row()[2:5] == ["1", "1", "0"]
    assert row()[-1] == "s"


def test_mend_sets_damaged_lines_aside(essparse, results):
    essparse("run", "fig2", "--scale", "tiny")
    assert essparse("mend", str(results / "tiny"))[:2] == (0, "no record is damaged\n")
    file = results / "tiny" / "tiny-bert" / "tiny-pairs.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-30])
    assert essparse("mend", str(results / "tiny"))[:2] == (0, f"mended {file}\n")
    first, second = whole.splitlines(keepends=True)
    assert file.read_bytes() == first
    assert Path(f"{file}.damaged").read_bytes() == second[:-30] + b"\n"
    essparse("run", "fig2", "--scale", "tiny")
    assert len(Store(results / "tiny").records()) == 2


def test_merge_adds_what_was_made_elsewhere_once(essparse, results, tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "elsewhere"))
    essparse("run", "fig2", "--scale", "tiny")
    monkeypatch.setenv("ESSPARSE_RESULTS", str(results))
    merge = ("merge", str(tmp_path / "elsewhere"), "--scale", "tiny")
    assert essparse(*merge)[:2] == (0, f"2 records added to {results / 'tiny'}\n")
    assert essparse(*merge)[1].startswith("0 records added")
    assert len(Store(results / "tiny").records()) == 2


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("8h", 28800), ("0.5h", 1800)])
def test_durations_as_people_write_them(text, seconds):
    assert options.seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "m", "0", "0s", "-1h", "1d", "1h30m", "eight", "inf", "nan", "1_0s", "١s", " 9", "1e9h"]
)
def test_other_durations_are_refused(text):
    with pytest.raises(InputError, match="is not allowed"):
        options.seconds(text)


def test_help_loads_nothing_heavy():
    command = [sys.executable, "-X", "importtime", "-m", "essparse_lib.cli", "--help"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    names = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in loaded.splitlines()}
    assert "typer" in names
    assert not names & {"torch", "transformers", "accelerate", "datasets", "numpy", "pandas", "joblib"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux alone has a device that is always full")
@pytest.mark.parametrize("arguments", [["--help"], ["claims", "--json", "--scale", "tiny"]], ids=" ".join)
def test_output_that_goes_to_a_full_disk_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "essparse_lib", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.startswith("essparse: cannot write the output: ") and done.stderr.count("\n") == 1
