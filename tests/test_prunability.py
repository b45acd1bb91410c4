"""Readings of prunability that need no fine-tuning: measured of models, analysed, drawn and stated."""

import dataclasses
import json

import matplotlib as mpl
import numpy as np
import pytest
import torch
from helpers import PRETRAINING_STUDY, everything, pretraining_study
from matplotlib import pyplot
from safetensors import safe_open
from safetensors.torch import save_file

from essparse_lib import figures
from essparse_lib.analysis.comparisons import Comparison
from essparse_lib.analysis.prunability import (
    LossCurve,
    by_step,
    counted_tasks,
    feature_curves,
    feature_effect,
    loss_curves,
    prunable_text_effect,
    trained,
)
from essparse_lib.claims import prunability_clauses
from essparse_lib.claims.c08_zeros_jump import judge as judge_c8
from essparse_lib.claims.c09_more_text import judge as judge_c9
from essparse_lib.errors import InputError
from essparse_lib.figures import fig6, fig8
from essparse_lib.figures import prunability_plots as drawing
from essparse_lib.models import loading
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.records import cost, pretrained
from essparse_lib.records.store import Record, Store
from essparse_lib.runner import pretraining
from essparse_lib.runner.measurement import measure
from essparse_lib.runner.scheduler import run
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.pretraining import ImagePretraining
from essparse_lib.tasks import get
from essparse_lib.training import checkpoints, device, held_out, pretrain
from essparse_lib.training.features import last_states, linear_accuracy, neighbours_accuracy
from essparse_lib.training.loop import LOSS_CHECK_INTERVAL

mpl.use("agg")

TINY = pretrained.PRETRAINED["tiny"]["tiny-scratch-100-0"]
DEVICES = device.accelerator()
LEVELS = [round(0.05 * level, 2) for level in range(20)]


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def loss_of(model, step=None):
    return Measurement(kind="held-out-loss", model=model, sparsity=0.0, step=step)


def features_of(model, task="tiny-shapes"):
    return Measurement(kind="feature-accuracy", model=model, sparsity=0.0, task=task)


# Specs


@pytest.mark.parametrize("measurement", [loss_of("m"), loss_of("m", 0), loss_of("m", 7), features_of("m")])
def test_a_measurement_is_its_canonical_form_and_another_one_has_another_id(measurement):
    again = Measurement.from_canonical(json.loads(json.dumps(measurement.canonical())))
    assert again == measurement and again.id == measurement.id
    assert measurement.id not in {loss_of("m", 1).id, features_of("m", "u").id}


def test_earlier_measurements_keep_their_ids():
    # as in the committed records of vit-4x192-dino-0
    plain = {"kind": "zeros", "model": "vit-4x192-dino-0", "sparsity": 0.0}
    assert Measurement(**plain).canonical() == plain


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(kind="feature-accuracy"), "'feature-accuracy' needs a task: name one of images"),
        (dict(kind="zeros", task="cifar10"), "'zeros' takes no task"),
        (dict(kind="zeros", step=3), "step 3 is not allowed: .* for a held-out-loss"),
        (dict(kind="held-out-loss", step=-1), "step -1 is not allowed: give a whole number from 0"),
    ],
)
def test_measurements_that_make_no_sense_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        Measurement(**{"model": "m", "sparsity": 0.0, **changed})


def test_snapshots_are_at_fixed_shares_of_the_steps_and_among_those_of_the_weights():
    lab = pretrained.PRETRAINED["lab"]["bert-2x128-100-0"]
    assert lab.pruned_steps == (0, 160, 320, 800, 1600, 3200, 6400, 9600, 12_800, 16_000)
    assert dataclasses.replace(lab, steps=3).pruned_steps == (0, 1, 2, 3)
    for spec in (each for models in pretrained.PRETRAINED.values() for each in models.values()):
        assert set(spec.pruned_steps) <= set(pretrain.default_measured_steps(spec.steps))


def test_figures_6_and_8_ask_for_them_at_every_scale():
    for scale in ("tiny", "lab", "paper"):
        fig8_study, fig6_study = figures.study("fig8", scale), figures.study("fig6", scale)
        losses = [m for m in fig8_study.measurements() if m.kind == "held-out-loss"]
        assert len(losses) == 10 * len(fig8_study.models) and sum(m.step is None for m in losses) * 10 == len(losses)
        places = [(m.model, m.task) for m in fig6_study.measurements() if m.kind == "feature-accuracy"]
        assert places == [(model, task) for model in fig6_study.models for task in fig6_study.tasks_of(model)]
        # models of the hub have no objective that is known here
        assert {m.model for m in fig6_study.measurements() if m.kind == "held-out-loss"} == {*fig6_study.pretrained}


def test_they_add_no_training_to_the_cost():
    for figure in ("fig6", "fig8"):
        study = figures.study(figure, "lab")
        assert cost.expected(study) == cost.expected(dataclasses.replace(study, measured={}))


# Measuring


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with the records of a tiny BERT that is trained anew, in its own results folder."""
    folder = tmp_path_factory.mktemp("prunability")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESSPARSE_RESULTS", str(folder / "results"))
        patch.setenv("ESSPARSE_CACHE", str(folder / "cache"))
        loading.forget()
        store = pretrained.store_of(TINY.model)
        *earlier, _ = TINY.pruned_steps
        assert run([TINY, *(loss_of(TINY.model, step) for step in earlier), loss_of(TINY.model)], store) == []
        yield store
    loading.forget()


def test_every_snapshot_is_recorded_and_the_dense_loss_is_that_of_the_pretraining(home):
    records = home.records()
    dynamics = records[TINY.id].values["dynamics"]
    by_steps = dict(zip(dynamics["at"], dynamics["held_out"], strict=True))
    *earlier, last = TINY.pruned_steps
    for step in (*earlier, None):
        values = records[loss_of(TINY.model, step).id].values
        assert values["step"] == (last if step is None else step) and values["sparsities"] == LEVELS
        # the trained model is measured as it was saved, in half precision
        tolerance = 2e-3 if step is None else 2e-5
        assert values["losses"][0] == pytest.approx(by_steps[values["step"]], abs=tolerance)
    assert "weights" in records[loss_of(TINY.model).id].provenance


def test_what_is_learned_can_be_lost(home):
    records = home.records()
    first, last = (np.array(records[loss_of(TINY.model, step).id].values["losses"]) for step in (0, None))
    assert last[0] < first[0] - 1  # nats
    assert np.abs(first - first[0]).max() < 0.01  # nothing was learned
    assert last[-1] > last[0] + 0.2
    assert np.diff(last).min() > -0.05 * (last[-1] - last[0])  # hardly ever falls


def test_the_loss_of_the_trained_model_is_that_of_its_mask(home):
    objective = pretraining.prepare(TINY)
    module = objective.module().eval()
    objective.model(module).load_state_dict(loading.load_model(TINY.model).state_dict())
    global_magnitude(prunable_weights(objective.model(module)), 0.75).apply(objective.model(module))
    with torch.no_grad():
        loss = float(module(**objective.held_out).loss)
    values = measure(loss_of(TINY.model)).values
    assert values["losses"][LEVELS.index(0.75)] == pytest.approx(loss, abs=1e-4)
    assert values == home.records()[loss_of(TINY.model).id].values  # measured again, it is the same


def test_without_the_file_snapshots_stay_unmeasured_and_the_rest_is_run(home, monkeypatch, tmp_path):
    path = home.pretrained(TINY.model) / pretraining.PRUNED_LOSSES
    kept = path.read_bytes()
    elsewhere = Store(tmp_path / "elsewhere")
    specs = [loss_of(TINY.model, 6), loss_of(TINY.model)]
    path.unlink()
    try:
        assert run(specs, elsewhere) == specs[:1]
        assert [*elsewhere.records()] == [specs[1].id]
        with pytest.raises(
            InputError, match=r"only be measured while the model is pre-trained.*essparse pretrain tiny"
        ):
            measure(specs[0])
        path.write_text(json.dumps({**json.loads(kept), "weights": "0" * 16}))
        with pytest.raises(InputError, match="cannot be used .*measured with other weights.*: remove it"):
            measure(specs[0])
        path.write_bytes(kept[:50])
        with pytest.raises(InputError, match="is damaged .*: remove it"):
            run(specs, elsewhere)
    finally:
        path.write_bytes(kept)
    with pytest.raises(InputError, match="can only be measured"):
        measure(loss_of(TINY.model, 7))  # no such snapshot


def test_a_checkpoint_of_an_earlier_version_is_refused(tmp_path, monkeypatch):
    spec = dataclasses.replace(TINY, steps=2 * LOSS_CHECK_INTERVAL)
    objective, checkpoint = pretraining.prepare(spec), tmp_path / "state"
    times = iter([0.0, 9e9])
    with monkeypatch.context() as patch:
        patch.setattr(pretrain.time, "time", lambda: next(times))
        pretrain.pretrain(spec, objective, DEVICES, checkpoint, deadline=1.0)
    notes = checkpoints.read_notes(checkpoint)
    assert notes["steps"] == LOSS_CHECK_INTERVAL and notes["pruned"]["at"] == [0, 1, 2, 4, 8, 16]
    with safe_open(checkpoint, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, checkpoint, {"notes": json.dumps(notes)})  # without hashes
    with pytest.raises(InputError, match=r"state cannot be read \(its notes are not those that were written\)"):
        pretrain.pretrain(spec, objective, DEVICES, checkpoint)


def test_a_training_that_ended_before_its_first_step_has_one_snapshot_of_it(tmp_path):
    spec = dataclasses.replace(TINY, steps=4)
    for deadline in (0.0, None):
        result = pretrain.pretrain(spec, pretraining.prepare(spec), DEVICES, tmp_path / "state", deadline)
    assert result.dynamics.at == result.pruned.at == [0, 1, 2, 3, 4]


def test_weights_are_as_they_were_after_being_pruned():
    model = loading.load_model("tiny-bert")
    before = {name: weight.detach().clone() for name, weight in prunable_weights(model).items()}
    shares = held_out.pruned_losses(
        model, lambda: sum(float((w == 0).sum()) for w in prunable_weights(model).values()) / 16384
    )
    assert shares == pytest.approx(LEVELS, abs=1e-4)
    assert all(torch.equal(weight, before[name]) for name, weight in prunable_weights(model).items())
    with pytest.raises(ZeroDivisionError):
        held_out.pruned_losses(model, lambda: 1 / 0)
    assert all(torch.equal(weight, before[name]) for name, weight in prunable_weights(model).items())


def test_of_dino_the_student_is_pruned_and_of_the_others_what_is_saved():
    for name in ("tiny-scratch-dino-0", "tiny-scratch-supervised-0"):
        objective = pretraining.prepare(pretrained.PRETRAINED["tiny"][name])
        module = objective.module()
        part = objective.pruned_part(module)
        assert part is (module.student if "dino" in name else objective.model(module))
        losses = held_out.pruned_losses(
            part, lambda o=objective, m=module: held_out.held_out_loss(m, o.held_out, DEVICES)
        )
        assert (
            losses[0] == round(held_out.held_out_loss(module, objective.held_out, DEVICES), 5)
            and losses[-1] != losses[0]
        )


@pytest.mark.parametrize("task", ["tiny-shapes", "tiny-grey"])
def test_accuracies_are_those_of_the_features_of_the_pruned_model(task):
    values = measure(features_of("tiny-vit", task)).values
    assert values["sparsities"] == [round(0.1 * level, 1) for level in range(10)]
    splits = get(task).splits()
    assert values["images"] == [len(splits.train), len(splits.test)]
    labels = splits.test.labels
    assert values["majority"] == pytest.approx(100 * np.bincount(labels).max() / len(labels), abs=0.01)
    model = loading.load_model("tiny-vit").base_model.float()
    global_magnitude(prunable_weights(model), 0.6).apply(model)
    preprocessing = loading.preprocessing_of("tiny-vit")

    def states(images):
        from essparse_lib.training.pictures import encode

        encoded = encode(images, preprocessing, torch.device("cpu"))
        return last_states(model, encoded.pixels, encoded.prepared)[0]

    arguments = (states(splits.train), splits.train.labels, states(splits.test), labels)
    assert values["knn"][6] == pytest.approx(neighbours_accuracy(*arguments), abs=0.01)
    assert values["linear_probe"][6] == pytest.approx(linear_accuracy(*arguments), abs=2)
    assert measure(features_of("tiny-vit", task)).values == values


@pytest.mark.parametrize(
    ("measurement", "message"),
    [
        (features_of("tiny-bert"), "tiny-bert"),
        (features_of("tiny-vit", "tiny-sentiment"), "task 'tiny-sentiment' has no images"),
        (features_of("tiny-vit", "tiny-shape"), "unknown task 'tiny-shape'.*did you mean 'tiny-shapes'"),
        (loss_of("tiny-bert"), "model 'tiny-bert' is not pre-trained here"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(measurement, message, tmp_path):
    store = Store(tmp_path / "results")
    with pytest.raises(InputError, match=message):
        run([features_of("tiny-vit"), measurement], store)
    assert not store.folder.exists()


# Analysis: made-up records whose truth is known

STUDY = dataclasses.replace(PRETRAINING_STUDY, measured={"held-out-loss": (0.0,)})


def losses(knee, dense=4.0, slope=4.0):
    """Return losses that do not rise up to the knee, and linearly from there."""
    return [round(dense + slope * max(0.0, level - knee), 6) for level in LEVELS]


def loss_records(study=STUDY, knee=lambda model, step: 0.3):
    """Return records of all loss curves; the untrained model's do not rise."""
    records = {}
    for measurement in (m for m in study.measurements() if m.kind == "held-out-loss"):
        spec = study.pretrained[measurement.model]
        step = spec.steps if measurement.step is None else measurement.step
        curve = losses(knee(measurement.model, step)) if step else [6.0] * len(LEVELS)
        values = {"step": step, "sparsities": LEVELS, "losses": curve}
        records[measurement.id] = Record(spec=measurement, status="ok", values=values)
    return records


def test_the_prunable_sparsity_is_where_the_loss_leaves_the_tolerance():
    curve = LossCurve(model="m", step=5, levels=np.array(LEVELS), losses=np.array(losses(0.3)))
    assert curve.prunable().value == pytest.approx(0.31)  # 1% of 4 nats, at 4 nats a unit of sparsity
    assert curve.prunable(0.1).value == pytest.approx(0.4) and not curve.prunable().has_interval
    dipping = dataclasses.replace(curve, losses=curve.losses - 0.03 * (curve.levels == 0.6))
    assert dipping.prunable().value == pytest.approx(0.31)
    flat = dataclasses.replace(curve, losses=np.full(len(LEVELS), 6.0))
    assert not flat.prunable().known  # nothing to lose
    assert curve.lost(0.8, flat).value == pytest.approx(1.0)  # 2 nats were learned, and 2 are lost
    assert not flat.lost(0.8, flat).known


def test_curves_come_model_by_model_and_step_by_step():
    curves = loss_curves(STUDY, dict(reversed(loss_records().items())))
    steps = STUDY.pretrainings()[0].pruned_steps
    assert [(curve.model, curve.step) for curve in curves] == [(m, step) for m in STUDY.models for step in steps]
    assert {model: curve.step for model, curve in trained(STUDY, curves).items()} == dict.fromkeys(STUDY.models, 8000)
    against = by_step(curves, lambda curve: curve.prunable())
    assert against["m-80-0"][0].tolist() == [*steps[1:]] and set(against["m-80-0"][1].round(6)) == {0.31}


def test_the_effect_of_the_text_is_that_of_the_trained_models():
    def knee(model, step):
        return 0.2 + (0.005 * (int(model.split("-")[1]) - 60) + 0.05 * int(model[-1])) * (step == 8000)

    records = loss_records(knee=knee)
    effect = prunable_text_effect(STUDY, loss_curves(STUDY, records))
    assert effect.difference.value == pytest.approx(20) and effect.difference.low > 0
    assert effect.trend > 0.8
    statement = prunability_clauses.held_out_loss(STUDY, records)
    assert statement.clause.outcome == "agrees" and statement.number.estimate == effect.difference
    assert "more with more text, a difference of 20.0 [" in statement.clause.text
    flat = loss_records(knee=lambda model, step: 1.0 if model == "m-60-0" else 0.3)
    nothing = prunability_clauses.held_out_loss(STUDY, flat)
    assert nothing.number is None and "rises by less at every sparsity for 1 of 5 models" in nothing.clause.text


def test_unmeasured_models_are_counted_and_have_no_number():
    records = loss_records()
    without = {i: r for i, r in records.items() if not (r.spec.model == "m-60-1" and r.spec.step is None)}
    for left, count in ((without, 1), ({}, 5)):
        statement = prunability_clauses.held_out_loss(STUDY, left)
        assert statement.number is None and statement.clause.outcome is None
        assert f"not measured yet for {count} of 5 models" in statement.clause.text
    earlier = {i: r for i, r in records.items() if r.spec.step is None}
    kind = STUDY.measurements()[0].kind
    assert drawing.unmeasured(STUDY, earlier, kind) == (
        "Not run yet: 45 of 50 measurements of the held-out loss, 45 of them at earlier steps of the pre-training."
    )
    assert drawing.unmeasured(STUDY, {}, kind).startswith("Not run yet: 50 of 50 measurements of the held-out loss, 45")
    assert drawing.unmeasured(STUDY, records, kind) == ""


def test_verdicts_do_not_change_with_these_records():
    found = everything()
    for judge in (judge_c8, judge_c9):
        assert judge(STUDY, found | loss_records()) == judge(STUDY, found) == judge(PRETRAINING_STUDY, found)
        assert judge(STUDY, found).outcome in ("agrees", "differs")


def vision(model):
    return ImagePretraining(
        model=model,
        objective="dino" if "dino" in model else "supervised",
        layers=1,
        hidden=16,
        heads=2,
        task="own",
        patch=4,
        batch_size=8,
        steps=100,
        learning_rate=1e-3,
        seed=int(model[-1]),
    )


DINO, SUPERVISED = ("dino-0", "dino-1"), ("supervised-0", "supervised-1")
VISION = dataclasses.replace(
    pretraining_study((1.0, 0)),
    models=(*DINO, *SUPERVISED),
    tasks=("own", "a", "b"),
    pretrained={model: vision(model) for model in (*DINO, *SUPERVISED)},
    measured={"feature-accuracy": (0.0,)},
)
COMPARISON = Comparison("DINO − supervised", DINO, SUPERVISED)


def feature_records(slopes, dense=80.0, unlearned=()):
    """Return records of accuracies that fall by a slope for each model, in points at a sparsity of 100%."""
    records = {}
    levels = [round(0.1 * level, 1) for level in range(10)]
    for measurement in VISION.measurements():
        slope = next(slope for part, slope in slopes.items() if part in measurement.model) + int(measurement.model[-1])
        start = 51.0 if measurement.task in unlearned else dense
        accuracies = [start - slope * level for level in levels]
        values = {"sparsities": levels, "knn": accuracies, "linear_probe": accuracies, "images": [500, 1000]}
        records[measurement.id] = Record(spec=measurement, status="ok", values={**values, "majority": 50.0})
    return records


def test_drops_of_features_are_compared_on_tasks_that_none_was_trained_to_tell():
    records = feature_records({"dino": 10, "supervised": 30})
    curves = feature_curves(VISION, records)
    assert counted_tasks(VISION, curves, COMPARISON.models) == ["a", "b"]
    effect = feature_effect(VISION, curves, COMPARISON)
    assert effect.values["dino-0"] == pytest.approx(3.5) and effect.difference.value == pytest.approx(-7)
    statement = prunability_clauses.pruned_features(VISION, records, COMPARISON)
    assert statement.clause.outcome == "agrees" and statement.number.estimate == effect.difference
    assert "(a and b): less for DINO" in statement.clause.text
    worse = prunability_clauses.pruned_features(VISION, feature_records({"dino": 30, "supervised": 10}), COMPARISON)
    assert worse.clause.outcome == "differs" and ": more for DINO" in worse.clause.text


def test_features_that_tell_nothing_have_nothing_to_lose():
    slopes = {"dino": 1, "supervised": 1}
    curves = feature_curves(VISION, feature_records(slopes, unlearned=("b",)))
    assert counted_tasks(VISION, curves, COMPARISON.models) == ["a"]
    nothing = prunability_clauses.pruned_features(VISION, feature_records(slopes, unlearned=("a", "b")), COMPARISON)
    assert nothing.number is None and "on no task that counts" in nothing.clause.text
    missing = prunability_clauses.pruned_features(VISION, {}, COMPARISON)
    assert missing.number is None and "not measured yet for 4 of 4 models" in missing.clause.text


# Drawing


def test_a_line_is_a_model_and_a_point_a_snapshot():
    curves = loss_curves(STUDY, loss_records())
    styles = fig8.line_styles(STUDY.pretrainings())
    figure = drawing.draw_emergence(STUDY, curves, styles, sparsity=0.8)
    left, right = figure.axes
    assert len(left.get_lines()) == len(right.get_lines()) == len(STUDY.models)
    assert left.get_lines()[0].get_xdata().tolist() == [*STUDY.pretrainings()[0].pruned_steps[1:]]
    assert left.get_lines()[0].get_ydata() == pytest.approx(31) and right.get_lines()[0].get_ydata() == pytest.approx(
        100
    )
    last = drawing.draw_losses(STUDY, curves, styles)
    assert len(last.axes[0].get_lines()) == len(STUDY.models) + 1
    table = drawing.loss_table(STUDY, curves)
    assert list(table["model"]) == list(STUDY.models) and set(table.iloc[:, -1]) == {"31.0"}


def test_what_is_measured_of_the_trained_models_alone_is_drawn():
    records = {i: r for i, r in loss_records().items() if r.spec.step is None}
    curves, styles = loss_curves(STUDY, records), fig8.line_styles(STUDY.pretrainings())
    left, right = drawing.draw_emergence(STUDY, curves, styles).axes
    assert [line.get_xdata().tolist() for line in left.get_lines()] == [[8000]] * len(STUDY.models)
    assert not right.get_lines()


def test_a_panel_for_each_task_and_words_where_nothing_is_measured():
    curves = feature_curves(VISION, feature_records({"dino": 10, "supervised": 30}))
    styles = {model: {"color": "k"} for model in DINO}
    figure = drawing.draw_features(curves, styles)
    assert [ax.get_title() for ax in figure.axes] == ["own", "a", "b"]
    assert {len(ax.get_lines()) for ax in figure.axes} == {4}  # two models, and for each the commonest class
    assert len(drawing.feature_table(curves)) == 12
    assert drawing.feature_table([]).empty and drawing.loss_table(STUDY, []).empty
    empty = (
        drawing.draw_features([], styles),
        drawing.draw_losses(STUDY, [], {}),
        drawing.draw_emergence(STUDY, [], {}),
    )
    for figure in empty:
        assert [text.get_text() for text in figure.axes[0].texts] == ["not measured yet"]
    assert fig6.line_styles(figures.study("fig6", "lab"), figures.study("fig6", "lab").models)
