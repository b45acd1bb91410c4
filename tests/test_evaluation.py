"""Evaluations: a model is pruned, asked and not trained, and its record says what came of each question."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from essparse_lib import cli, language_evaluation
from essparse_lib.errors import InputError
from essparse_lib.likelihood.scorer import ChoiceScore
from essparse_lib.models import loading
from essparse_lib.records.record import Record
from essparse_lib.records.store import Store
from essparse_lib.runner import evaluation, scheduler
from essparse_lib.runner.evaluation import likeliest
from essparse_lib.runner.workbench import Workbench
from essparse_lib.specs.evaluation import Evaluation, Prompting
from essparse_lib.specs.evaluation_study import EvaluationStudy
from essparse_lib.specs.likelihood import LIKELIHOOD_TASKS, LikelihoodKind
from essparse_lib.specs.study import at_sparsities
from essparse_lib.specs.trial import Pruning

TEXT = dict(calibration="tiny-corpus", windows=4, length=16)
PRUNINGS = (
    Pruning(sparsity=0.5),
    Pruning(sparsity=0.5, scope="layer"),
    Pruning(sparsity=0.5, method="random", scope="layer"),
    Pruning(pattern="2:4"),
    Pruning(sparsity=0.5, method="wanda", **TEXT),
    Pruning(pattern="4:8", method="sparsegpt", **TEXT),
)
TINY_TASKS = [name for name in LIKELIHOOD_TASKS if name.startswith("tiny-")]


def asked(task="tiny-arc", model="tiny-llama", bench=None, **fields):
    """Return the record of an evaluation, as it is read back from its line."""
    return Record.from_line(evaluation.execute(Evaluation(model=model, task=task, **fields), bench).line())


@pytest.fixture(scope="module")
def bench():
    return Workbench()


# Specs


def test_nothing_drawn_has_no_seed_and_timing_says_nothing():
    dense = Evaluation(model="m", task="t", seed=3)
    assert dense.seed == 0
    assert Evaluation(model="m", task="t", pruning=Pruning(sparsity=0.5), seed=3).seed == 0
    assert Evaluation(model="m", task="t", pruning=PRUNINGS[2], seed=3).seed == 3
    after = Evaluation(model="m", task="t", pruning=Pruning(sparsity=0.5, timing="after"))
    assert after.id == Evaluation(model="m", task="t", pruning=Pruning(sparsity=0.5)).id


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pruning": Pruning(sparsity=0.5, method="lottery")}, "lottery trains to find its mask"),
        ({"pruning": "half"}, "give a Pruning"),
        ({"prompting": None}, "give a Prompting"),
        ({"seed": -1}, "seed -1"),
        ({"task": ""}, "task ''"),
    ],
)
def test_what_no_evaluation_can_be_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        Evaluation(**{"model": "m", "task": "t", **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"questions": 0}, "questions 0 is not allowed: give a whole number from 1, or None for all"),
        ({"shots": -1}, "shots -1"),
        ({"prefix": "a\nb"}, "name a token"),
        ({"prefix": "x" * 65}, "name a token"),
        ({"prefix": 3}, "prefix 3"),
    ],
)
def test_how_no_question_can_be_put_is_refused(fields, message):
    with pytest.raises(InputError, match=message):
        Prompting(**fields)


def test_a_variant_that_draws_nothing_has_one_evaluation_for_all_seeds():
    study = EvaluationStudy(
        figure="fig11",
        scale="tiny",
        models=("m",),
        tasks=("t", "u"),
        prompting={"t": Prompting(questions=2), "*": Prompting()},
        variants={"magnitude": at_sparsities((0.3, 0.6)), "random": at_sparsities((0.3,), "random", "layer")},
        seeds=(0, 1, 2),
    )
    specs = study.trials()
    assert len(specs) == 2 * (1 + 2 + 3)
    assert {spec.prompting.questions for spec in specs if spec.task == "t"} == {2}
    assert all(Evaluation.from_canonical(json.loads(json.dumps(spec.canonical()))) == spec for spec in specs)
    assert study.narrowed(tasks=["u"], seeds=[1]).trials()[-1].seed == 1


# Records


@pytest.mark.parametrize("task", TINY_TASKS)
def test_every_tiny_task_is_asked_and_its_record_is_read_back(task, bench):
    record = asked(task, bench=bench)
    row, values = LIKELIHOOD_TASKS[task], record.values
    assert record.status == "ok"
    assert record.metrics["log_probability"] == pytest.approx(np.mean(values["log_probabilities"]), abs=1e-3)
    if row.kind is LikelihoodKind.TEXT:
        assert record.metrics["perplexity"] == pytest.approx(
            math.exp(-sum(values["log_probabilities"]) / sum(values["lengths"])), rel=1e-3
        )
        assert not record.predictions
    else:
        assert len(record.predictions) == len(record.labels) == len(values["log_probabilities"])
        assert set(values.get("groups", "0")) == {str(group) for group in range(max(1, len(row.groups)))}
        assert (row.kind is LikelihoodKind.LAST_WORD) != ("normalised" in values)
    assert record.provenance["precision"] in ("fp32", "bf16")


@pytest.mark.parametrize("pruning", PRUNINGS, ids=str)
def test_the_weights_that_the_spec_names_are_gone(pruning):
    record = asked(pruning=pruning)
    assert record.metrics["zeros"] == pytest.approx(record.metrics["prunable"] / 2, abs=30)


def test_one_pruning_serves_all_tasks_and_another_takes_its_place(monkeypatch):
    made = []
    pruned_model = evaluation.pruned_model
    monkeypatch.setattr(evaluation, "pruned_model", lambda spec, bench: made.append(spec) or pruned_model(spec, bench))
    bench = Workbench()
    for pruning, task in [(0.3, "tiny-arc"), (0.3, "tiny-piqa"), (0.6, "tiny-piqa"), (0.3, "tiny-arc")]:
        asked(task, bench=bench, pruning=Pruning(sparsity=pruning))
    assert [spec.pruning.sparsity for spec in made] == [0.3, 0.6, 0.3]


def test_the_token_before_a_sentence_and_solved_examples_change_the_scores(bench):
    plain = asked("tiny-blimp", bench=bench)
    other = asked("tiny-blimp", bench=bench, prompting=Prompting(prefix="</s>"))
    assert plain.values["log_probabilities"] != other.values["log_probabilities"]
    assert plain.provenance["data"] == other.provenance["data"]
    shown = asked("tiny-mmlu", bench=bench, prompting=Prompting(shots=2))
    plain = asked("tiny-mmlu", bench=bench)
    assert shown.values["log_probabilities"] != plain.values["log_probabilities"]
    assert shown.labels == plain.labels


def test_an_error_while_it_is_asked_is_a_result(monkeypatch):
    monkeypatch.setattr(evaluation, "answer", lambda *_: 1 / 0)
    record = asked(bench=Workbench())
    assert record.status == "failed"
    assert record.reason.startswith("ZeroDivisionError: division by zero (test_evaluation.py:")


def no_numbers(monkeypatch):
    """Let every model that is asked have a head that is no number."""
    plain = evaluation.pruned_model

    def spoilt(spec, bench):
        model = plain(spec, bench)
        model.lm_head.weight.fill_(float("nan"))
        return model

    monkeypatch.setattr(evaluation, "pruned_model", spoilt)


def test_a_pruned_model_whose_outputs_are_no_numbers_has_diverged_and_a_dense_one_is_refused(monkeypatch):
    no_numbers(monkeypatch)
    record = asked(bench=Workbench(), pruning=Pruning(sparsity=0.5))
    assert record.status == "diverged" and record.reason.startswith("a log-probability is NaN or infinite")
    with pytest.raises(InputError, match="a log-probability is NaN or infinite"):
        asked(bench=Workbench())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["metrics"].pop("log_probability"), "no log_probability"),
        (lambda r: r["metrics"].pop("chance"), "no chance"),
        (lambda r: r["metrics"].update(accuracy_normalised=1.0), "accuracy_normalised is 1.0"),
        (lambda r: r["metrics"].update(log_probability=-1.0), "log_probability is -1.0"),
        (lambda r: r["values"].pop("log_probabilities"), "log_probabilities"),
        (lambda r: r["values"]["log_probabilities"].pop(), "entries"),
        (lambda r: r["values"]["log_probabilities"].__setitem__(0, 0.5), "0.0"),
        (lambda r: r["values"].update(normalised="0"), "normalised has 1 entries"),
        (lambda r: r["values"].update(groups="0" * 31 + "#"), "no digits"),
        (lambda r: r["values"].update(cut=1000), "1000 of 32 contexts"),
        (lambda r: r["values"].update(more=1), "more"),
        (lambda r: r.update(predictions="", labels=""), "neither predictions nor lengths"),
    ],
)
def test_a_record_that_does_not_hold_together_is_damaged(change, message, bench):
    record = asked(bench=bench)
    plain = {name: getattr(record, name) for name in ("metrics", "values", "predictions", "labels")}
    change(plain)
    with pytest.raises(ValueError, match=message):
        Record.from_line(dataclasses.replace(record, **plain).line())


def test_of_equal_choices_none_is_right_because_of_its_place():
    equal = [ChoiceScore(-1.0, False)] * 2
    pairs = [(f" {number} one", f" {number} two") for number in range(400)]
    first = [likeliest(equal, pair) for pair in pairs].count(0)
    assert 150 < first < 250
    assert all(likeliest(equal, pair[::-1]) != likeliest(equal, pair) for pair in pairs)
    assert likeliest(equal, (" a", " a")) == 0


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [
        ("tiny-arc", lambda r: r["values"].update(groups="0" * 32), "it has groups, other than tiny-arc has"),
        ("tiny-arc", lambda r: r["values"].pop("normalised"), "only one of normalised answers and"),
        ("tiny-arc", lambda r: r["values"].update(lengths=[1] * 32), "it has lengths, other than tiny-arc has"),
        ("tiny-blimp", lambda r: r["values"].pop("groups"), "it has no groups, other than tiny-blimp has"),
        ("tiny-blimp", lambda r: r["values"].update(groups="4" * 160), "a question of group 4, and tiny-blimp has 4"),
        ("tiny-blimp", lambda r: r["metrics"].update(chance=0.0), "its chance is 0.0, that of tiny-blimp 50.0"),
        ("tiny-lambada", lambda r: r["metrics"].update(chance=25.0), "its chance is 25.0"),
        ("tiny-text", lambda r: r["metrics"].update(chance=25.0), "it has chance, other than tiny-text has"),
    ],
)
def test_a_record_of_another_kind_of_task_is_damaged(task, change, message, bench):
    record = asked(task, bench=bench)
    plain = {name: dict(getattr(record, name)) for name in ("metrics", "values")}
    change(plain)
    with pytest.raises(ValueError, match=message):
        Record.from_line(dataclasses.replace(record, **plain).line())


# Runs


def test_a_run_goes_on_where_it_was(tmp_path):
    store = Store(tmp_path)
    specs = [Evaluation(model="tiny-llama", task=task) for task in ("tiny-arc", "tiny-copa")]
    assert scheduler.run(specs[:1], store) == []
    told = []
    assert scheduler.run(specs, store, progress=told.append) == []
    assert [each.record.spec for each in told] == specs[1:]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "tiny-bert"}, r"'tiny-bert' \(BertModel\) does not predict the next token"),
        ({"task": "tiny-sentiment"}, "unknown likelihood task 'tiny-sentiment'"),
        ({"prompting": Prompting(prefix="nowhere")}, "prefix 'nowhere' is no token"),
        ({"prompting": Prompting(shots=1), "task": "tiny-copa"}, "example"),
        ({"pruning": Pruning(sparsity=0.5, method="wanda", calibration="nowhere")}, "unknown corpus 'nowhere'"),
    ],
)
def test_what_cannot_be_had_is_said_before_any_work(fields, message, tmp_path):
    spec = Evaluation(**{"model": "tiny-llama", "task": "tiny-arc", **fields})
    with pytest.raises(InputError, match=message):
        scheduler.run([spec], Store(tmp_path))
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_model_as_the_hub_has_large_ones_in_sixteen_bits_and_several_files(tmp_path):
    """The path of the paper's model: Llama's architecture, sharded, fp16, asked with five examples."""
    model, tokenizer = loading.load_model("tiny-llama"), loading.tokenizer_of("tiny-llama")
    whole, sharded = tmp_path / "whole", tmp_path / "sharded"
    model.half().save_pretrained(whole)
    model.save_pretrained(sharded, max_shard_size="20KB")
    for folder in (whole, sharded):
        tokenizer.save_pretrained(folder)
    assert len(list(sharded.glob("*.safetensors"))) > 2
    records = [
        asked(
            "tiny-mmlu",
            model=str(folder),
            bench=Workbench(),
            pruning=Pruning(sparsity=0.5, method="sparsegpt", **TEXT),
            prompting=Prompting(shots=5),
        )
        for folder in (whole, sharded)
    ]
    assert records[0].outcome() == records[1].outcome()
    assert records[1].metrics["zeros"] == records[1].metrics["prunable"] // 2


# A model of one's own


def test_a_model_is_held_against_another_question_by_question():
    lines = []
    results = language_evaluation.evaluate(
        "tiny-llama", ["tiny-arc", "tiny-piqa", "tiny-text"], against="tiny-opt-lm", tell=lines.append
    )
    arc, piqa, text = results
    assert len(lines) == 6
    assert (arc.metric, piqa.metric, text.metric) == ("accuracy", "accuracy_normalised", "perplexity")
    one, other = asked("tiny-arc"), asked("tiny-arc", model="tiny-opt-lm")
    assert arc.score.value == pytest.approx(one.metrics["accuracy"])
    assert arc.drop.value == pytest.approx(other.metrics["accuracy"] - one.metrics["accuracy"])
    assert arc.log_drop.value == pytest.approx(
        other.metrics["log_probability"] - one.metrics["log_probability"], abs=1e-3
    )
    assert arc.score.low < arc.score.value < arc.score.high
    assert text.drop is None
    assert text.log_drop.low < text.log_drop.value < text.log_drop.high


def test_contexts_that_are_cut_are_counted(monkeypatch):
    from essparse_lib.pruning import calibration

    monkeypatch.setattr(calibration, "longest_input", lambda model: 10)
    lines = []
    (result,) = language_evaluation.evaluate("tiny-llama", ["tiny-arc"], tell=lines.append)
    assert 0 < result.cut <= result.questions == 32
    assert lines[0].endswith(f"32 questions answered, {result.cut} of them without the beginning of their context")


def test_no_questions_are_refused_and_not_taken_for_the_usual_number():
    with pytest.raises(InputError, match="questions 0"):
        language_evaluation.evaluate("tiny-llama", ["tiny-arc"], questions=0)


def test_answers_that_are_all_alike_leave_an_interval():
    right = np.ones(50)
    assert language_evaluation._difference(right, right).value == 0
    assert language_evaluation._difference(right, right).high > 1
    assert language_evaluation._share(right).low < 100


def command(monkeypatch, capsys, *arguments):
    """Return the exit code of a command, and what it says to each stream."""
    monkeypatch.setattr("sys.argv", ["essparse", *arguments])
    try:
        cli.main()
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    return code, *capsys.readouterr()


def test_the_command_prints_a_row_for_each_task(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = command(
        monkeypatch, capsys, *("evaluate", "tiny-llama", "--tasks", "tiny-arc, tiny-text", "--against", "tiny-opt-lm")
    )
    assert code == 0
    assert "below tiny-opt-lm" in out
    assert "perplexity" in next(line for line in out.splitlines() if line.strip().startswith("tiny-text"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere"),
        (("tiny-llama", "--tasks", "blimpp"), "blimpp"),
        (("tiny-llama", "--tasks", ","), "tasks"),
        (("tiny-llama", "--questions", "0"), "questions 0"),
        (("tiny-llama", "--tasks", "tiny-arc", "--against", "tiny-llama"), "is the model itself"),
        (("tiny-llama", "--tasks", "tiny-blimp", "--prefix", "nowhere"), "is no token"),
        (("tiny-llama", "--tasks", "tiny-arc", "--against", "tiny-bert"), "does not predict the next token"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_two(arguments, message, monkeypatch, capsys):
    code, out, err = command(monkeypatch, capsys, "evaluate", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("essparse: ")
    assert err.count("\n") == 1
    assert message in err


def test_scores_do_not_depend_on_what_was_asked_before(bench):
    first = asked("tiny-lambada", bench=bench)
    assert asked("tiny-lambada", bench=Workbench()).outcome() == first.outcome()


def test_a_sixteen_bit_model_is_read_in_its_own_precision_where_it_stays_in_it():
    from essparse_lib.training import device

    model = loading.load_model("tiny-llama").half()
    assert device.reading_precision(model) == "fp16"
    with device.reading_autocast(model):
        assert not torch.is_autocast_enabled("cpu")
