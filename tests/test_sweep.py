"""A sweep on people's own data: from a file to an answer, gone on with after a stop, with a model that loads."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from essparse_lib import tasks
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning.masks import zeros_and_size
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.records.store import Status, Store
from essparse_lib.runner import trial
from essparse_lib.specs.methods import METHODS
from essparse_lib.sweeps import SweepSettings, sweep
from essparse_lib.sweeps.answer import Outcome
from essparse_lib.tasks.own import OwnData, OwnKind

#: Little work, from which a tiny model learns sentences full of praise or of blame.
FEW = {
    "learning_rate": 1e-2,
    "epochs": 4,
    "seeds": 2,
    "most_seeds": 3,
    "max_train": 400,
    "precision": 50,
    "tolerance": 15,
}


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """A CSV of made-up sentences of praise and of blame."""
    splits = tasks.get("tiny-sentiment").splits()
    path = tmp_path_factory.mktemp("data") / "sentences.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for part in (splits.train, splits.test):
            writer.writerows(
                (text, ("blame", "praise")[label]) for (text,), label in zip(part.texts, part.labels, strict=True)
            )
    return path


@pytest.fixture(scope="module")
def swept(sentences, tmp_path_factory):
    """A sweep of a tiny model on them, with the model saved: its result, its folder and what it said."""
    out, said = tmp_path_factory.mktemp("out") / "sweep", []
    result = sweep("tiny-bert", sentences, out, SweepSettings(**FEW), save=True, say=said.append)
    return result, out, said


def test_the_answer_is_that_of_its_records(swept):
    result, out, said = swept
    assert result.answer.outcome in (Outcome.RESOLVED, Outcome.WIDE, Outcome.NEVER)
    assert result.sentence in said
    records = Store(out / "records").records()
    assert {record.spec.id for record in result.records} == set(records)
    assert result.curve.dense().value == pytest.approx(
        np.mean([r.metrics["accuracy"] for r in records.values() if not r.spec.pruning.sparsity]), abs=0.01
    )
    for record in records.values():
        measured = record.metrics["zeros"] / record.metrics["prunable"]
        assert measured == pytest.approx(record.spec.pruning.sparsity, abs=1e-3)


def test_the_folder_has_a_report_and_records(swept):
    result, out, _ = swept
    assert {"sweep.json", "records", "report.html", "curve.svg", "curve.png", "summary.json"} <= {
        path.name for path in out.iterdir()
    }
    assert json.loads((out / "summary.json").read_text())["sentence"] == result.sentence


def test_what_is_told_before_work_begins(swept):
    _, _, said = swept
    told = " ".join(said)
    for what in ("label as label", "held out", "tokens (median)", "400 examples, which each seed draws", "100 steps"):
        assert what in told


def test_a_saved_model_loads_with_its_zeros_and_classes(swept):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    result, _, _ = swept
    assert result.saved, "the interval of this made-up model begins above 0"
    model, gaps = AutoModelForSequenceClassification.from_pretrained(result.saved, output_loading_info=True)
    assert not any(gaps.values())
    assert model.config.id2label == {0: "blame", 1: "praise"}
    zeros, size = zeros_and_size(prunable_weights(model))
    assert zeros / size == pytest.approx(float(result.saved.rsplit("-", 1)[1]), abs=1e-3)
    tokens = AutoTokenizer.from_pretrained(result.saved)(["good"], return_tensors="pt")
    assert model(**tokens).logits.shape == (1, 2)


def test_the_same_sweep_again_runs_nothing(swept, sentences, monkeypatch):
    result, out, _ = swept
    monkeypatch.setattr(trial, "execute", lambda *_: pytest.fail("a trial was run again"))
    again = sweep("tiny-bert", sentences, out, SweepSettings(**FEW), save=True, say=lambda _: None)
    assert (again.sentence, again.answer, again.saved) == (result.sentence, result.answer, result.saved)


@pytest.mark.slow
def test_cut_short_anywhere_it_comes_to_the_same(swept, sentences, tmp_path, monkeypatch):
    result, _, _ = swept
    execute, left = trial.execute, [3, 5, 100]

    def some(spec, *rest):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return execute(spec, *rest)

    monkeypatch.setattr(trial, "execute", some)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            sweep("tiny-bert", sentences, tmp_path / "out", SweepSettings(**FEW), say=lambda _: None)
        del left[0]
    again = sweep("tiny-bert", sentences, tmp_path / "out", SweepSettings(**FEW), say=lambda _: None)
    assert (again.sentence, again.answer) == (result.sentence, result.answer)


def test_other_questions_to_the_same_records_need_no_new_folder(swept, sentences, tmp_path):
    result, out, _ = swept
    shutil.copytree(out, tmp_path / "out")
    other = SweepSettings(**{**FEW, "tolerance": "40%"})
    relaxed = sweep("tiny-bert", sentences, tmp_path / "out", other, say=lambda _: None)
    assert relaxed.answer.essential.value >= result.answer.essential.value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 2}, "with epochs 4 in place of 2"),
        ({"learning_rate": 1e-3}, "with learning_rate 0.01 in place of 0.001"),
        ({"method": "random"}, "another sweep, with method 'magnitude' in place of 'random'"),
        ({"timing": "after"}, "with timing 'before' in place of 'after'"),
    ],
)
def test_a_folder_answers_one_question(swept, sentences, change, message):
    _, out, _ = swept
    before = sorted(out.rglob("*"))
    with pytest.raises(InputError, match=message):
        sweep("tiny-bert", sentences, out, SweepSettings(**{**FEW, **change}), say=lambda _: None)
    assert sorted(out.rglob("*")) == before


def test_a_folder_belongs_to_the_weights_that_it_was_begun_with(sentences, tmp_path):
    from safetensors.torch import load_file, save_file

    model, out = tmp_path / "model", tmp_path / "out"
    shutil.copytree(loading.locate("tiny-bert").folder, model)
    sweep(str(model), sentences, out, SweepSettings(**FEW), budget=1e-3, say=lambda _: None)
    weights = {name: 2 * values for name, values in load_file(model / "model.safetensors").items()}
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="holds another sweep, with weights"):
        sweep(str(model), sentences, out, SweepSettings(**FEW), say=lambda _: None)


def test_an_empty_folder_is_no_saved_model(swept, sentences, tmp_path):
    result, out, _ = swept
    shutil.copytree(out, tmp_path / "out", ignore=shutil.ignore_patterns("model-*"))
    (tmp_path / "out" / result.saved.rpartition("/")[2]).mkdir()
    again = sweep("tiny-bert", sentences, tmp_path / "out", SweepSettings(**FEW), save=True, say=lambda _: None)
    assert loading.load_model(again.saved)


def test_nothing_is_written_where_something_does_not_fit(sentences, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    out = tmp_path / "out"
    for model, data, settings, folder, message in (
        ("tiny-bert", sentences, {}, tmp_path / "full", "not empty"),
        ("tiny-vit", sentences, {}, out, "no sequence-classification head"),
        ("no-such-model", sentences, {}, out, "no-such-model"),
        ("tiny-bert", tmp_path / "none.csv", {}, out, "no such file"),
        ("tiny-bert", sentences, {"method": "wanda", "windows": 10**5}, out, "too short|fewer|tokens"),
        ("tiny-bert", sentences, {"max_length": 100_000}, out, "max_length"),
        ("tiny-bert", OwnData(data=sentences, label="none"), {}, out, "none"),
    ):
        with pytest.raises(InputError, match=message):
            sweep(model, data, folder, SweepSettings(**settings), say=lambda _: None)
        assert not out.exists()


def test_a_folder_of_the_data_is_not_written_into(sentences, tmp_path):
    data, out = tmp_path / "data", tmp_path / "data" / "out"
    data.mkdir()
    shutil.copy(sentences, data)
    for source in (OwnData(data=data), OwnData(data=sentences, test=data)):
        with pytest.raises(InputError, match="lies in the folder of the data"):
            sweep("tiny-bert", source, out, SweepSettings(**FEW), say=lambda _: None)
    assert not out.exists()


def test_what_is_said_has_no_signs_on_which_a_terminal_acts(sentences, tmp_path):
    path, said = tmp_path / "sentences.csv", []
    path.write_text(sentences.read_text(encoding="utf-8").replace("blame", "bl\x1b[31m\u202eame"), encoding="utf-8")
    sweep("tiny-bert", path, tmp_path / "out", SweepSettings(**FEW), budget=1e-3, say=said.append)
    assert all(line.isprintable() for line in said) and "bl\\x1b[31m\\u202eame" in " ".join(said)


def test_a_budget_ends_it_and_says_what_is_left(sentences, tmp_path):
    said = []
    result = sweep("tiny-bert", sentences, tmp_path / "out", SweepSettings(**FEW), budget=1e-3, say=said.append)
    assert result.answer.outcome is Outcome.UNMEASURED
    assert "run the same command to go on" in said[-1]
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.slow
def test_where_no_dense_model_can_be_trained_the_reason_is_said(sentences, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("essparse_lib.runner.trial._outcome", fail)
    with pytest.raises(InputError, match="no dense model could be trained .*out of memory"):
        sweep("tiny-bert", sentences, tmp_path / "out", SweepSettings(**FEW), say=lambda _: None)
    monkeypatch.undo()
    with pytest.raises(InputError, match="diverged: .* train slower, in a new folder"):
        sweep("tiny-bert", sentences, tmp_path / "other", SweepSettings(**{**FEW, "learning_rate": 1e30}), say=print)
    result = sweep("tiny-bert", sentences, tmp_path / "out", SweepSettings(**FEW), retry=True, say=lambda _: None)
    assert all(record.status == Status.OK for record in result.records)


@pytest.mark.parametrize("method", ["random", "lottery", "wanda", "sparsegpt"])
def test_any_method_can_be_swept(sentences, tmp_path, method, monkeypatch):
    pieces = {"windows": 8, "length": 8} if METHODS[method].calibrated else {}
    settings = SweepSettings(**{**FEW, **pieces, "method": method, "epochs": 1, "most_seeds": 2})
    # the design is tried elsewhere: here two levels are enough
    monkeypatch.setattr("essparse_lib.sweeps.design.COARSE", (0.5,))
    result = sweep("tiny-bert", sentences, tmp_path / "out", settings, budget=60, say=lambda _: None)
    assert all(record.status == Status.OK for record in result.records)


@pytest.mark.parametrize(("model", "method"), [("tiny-opt-lm", "magnitude"), ("tiny-llama", "wanda")])
def test_a_language_model_on_a_plain_text_is_not_trained(tmp_path, model, method):
    from essparse_lib import corpora

    text, test = tmp_path / "text.txt", tmp_path / "test.txt"
    documents = list(corpora.get("tiny-corpus").load())
    text.write_text("\n\n".join(documents[120:]), encoding="utf-8")
    test.write_text("\n\n".join(documents[:120]), encoding="utf-8")
    pieces = {"windows": 8, "length": 16} if METHODS[method].calibrated else {}
    settings = SweepSettings(method=method, seeds=2, most_seeds=2, precision=50, **pieces)
    result = sweep(model, OwnData(data=text, test=test), tmp_path / "out", settings, save=True, say=lambda _: None)
    assert result.curve.metric == "log_probability"
    assert "perplexity" in result.sentence
    dense = [record for record in result.records if not record.spec.pruning.sparsity]
    assert len(dense) == 1  # nothing is drawn
    assert not any("steps" in record.metrics for record in result.records)
    if result.saved:
        zeros, _ = zeros_and_size(prunable_weights(loading.load_model(result.saved)))
        measured = {record.spec.pruning.sparsity: record.metrics["zeros"] for record in result.records}
        assert zeros == measured[float(result.saved.rsplit("-", 1)[1])]


def test_points_of_a_perplexity_are_refused_before_anything_is_written(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(f"Sentence number {n} says little." * 5 for n in range(2000)), encoding="utf-8")
    with pytest.raises(InputError, match="no points, give percent"):
        sweep("tiny-opt-lm", text, tmp_path / "out", SweepSettings(tolerance=1), say=lambda _: None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (OwnKind.PLAIN_TEXT, {"epochs": 2}, "nothing is trained"),
        (OwnKind.PLAIN_TEXT, {"timing": "after"}, "nothing is trained"),
        (OwnKind.CLASSES_OF_IMAGES, {"max_length": 8}, "no tokens"),
        (OwnKind.CLASSES_OF_TEXTS, {"windows": 8}, "'magnitude' reads no text"),
    ],
)
def test_a_setting_that_does_nothing_is_refused(kind, settings, message):
    with pytest.raises(InputError, match=message):
        SweepSettings(**settings).check_used(kind)
    SweepSettings().check_used(kind)


@pytest.mark.slow
def test_images_of_a_folder(tmp_path):
    images = tasks.get("tiny-shapes").splits()
    names = tasks.get("tiny-shapes").classes
    for part in (images.train, images.test):
        for number, (pixels, label) in enumerate(zip(part.pixels, part.labels, strict=True)):
            folder = tmp_path / "shapes" / names[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.transpose(1, 2, 0).squeeze()).save(folder / f"{len(part)}-{number}.png")
    settings = SweepSettings(**{**FEW, "epochs": 1})
    result = sweep("tiny-vit", tmp_path / "shapes", tmp_path / "out", settings, budget=120, say=lambda _: None)
    assert result.curve.examples > 0
    with pytest.raises(InputError, match="the data are images"):
        sweep("tiny-vit", tmp_path / "shapes", tmp_path / "other", SweepSettings(method="wanda"), say=lambda _: None)


@pytest.mark.slow
def test_workers_find_the_data_in_the_cache(sentences, tmp_path):
    settings = SweepSettings(**{**FEW, "epochs": 1, "most_seeds": 2})
    result = sweep("tiny-bert", sentences, tmp_path / "out", settings, jobs=2, say=lambda _: None)
    assert all(record.status == Status.OK for record in result.records)
