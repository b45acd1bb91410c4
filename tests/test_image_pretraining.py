"""Pre-training of vision transformers: by classes, DINO and hidden patches, with snapshots, and resumed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from killed import Killed, KilledObjective
from transformers import AutoModelForImageClassification, ViTForImageClassification, ViTModel

from essparse_lib.errors import InputError
from essparse_lib.figures import vision_settings
from essparse_lib.pruning.prunable import prunable_matrices
from essparse_lib.records import pretrained
from essparse_lib.records.pretrained import PRETRAINED
from essparse_lib.records.store import Record
from essparse_lib.runner import pretraining as pretraining
from essparse_lib.runner.scheduler import run
from essparse_lib.specs.pretraining import ImagePretraining, ObjectiveKind
from essparse_lib.specs.trial import Training, Trial
from essparse_lib.tasks import Splits, Task, get
from essparse_lib.tasks.images import Images
from essparse_lib.training import checkpoints, device, pretrain
from essparse_lib.training.dynamics import default_measured_steps
from essparse_lib.training.features import last_states, linear_accuracy, neighbours_accuracy
from essparse_lib.training.image_objectives import ImageObjective
from essparse_lib.training.loop import LOSS_CHECK_INTERVAL

QUICK = ImagePretraining(
    model="quick",
    objective="supervised",
    layers=1,
    hidden=16,
    heads=2,
    task="stripes",
    patch=4,
    batch_size=16,
    steps=40,
    learning_rate=1e-2,
    outputs=32,
    small_views=2,
)


def stripes(count, start=0, channels=3):
    """Three classes: stripes across, stripes down, neither; with noise."""
    rng = np.random.default_rng(start)
    labels = np.arange(count) % 3
    lines = 200 * (np.arange(8) // 2 % 2)
    patterns = np.stack([np.tile(lines[:, None], (1, 8)), np.tile(lines[None], (8, 1)), np.full((8, 8), 100)])
    pixels = patterns[labels][:, None] + rng.integers(0, 50, (count, channels, 8, 8))
    return Images(pixels.astype(np.uint8), labels.astype(np.int64))


def task(train=96, channels=3):
    splits = Splits(stripes(train, 0, channels), stripes(30, 1, channels), "made here")
    return Task(
        name="stripes",
        classes=("across", "down", "neither"),
        load=lambda: splits,
        counts=None,
        metric="accuracy",
        source="",
        head="image-classification",
    )


@pytest.fixture
def trained(tmp_path):
    """``trained(spec, …)``: the result of pre-training, with the checkpoint in this test's folder."""

    def train(spec, checkpoint=tmp_path / "state.safetensors", of=None, killed_at=None, **options):
        objective = ImageObjective(spec, of or task())
        if killed_at is not None:
            objective = KilledObjective(objective, killed_at)
        return pretrain.pretrain(spec, objective, device.accelerator(), checkpoint, **options)

    return train


@pytest.mark.slow
@pytest.mark.parametrize("objective", ObjectiveKind)
def test_resumed_it_is_the_unbroken_run(trained, objective, tmp_path):
    spec = replace(QUICK, objective=objective, dropout=0.1)
    whole = trained(spec, checkpoint=tmp_path / "whole")
    checkpoint = tmp_path / "killed"
    with pytest.raises(Killed):  # with a checkpoint at every check of the losses
        trained(spec, checkpoint=checkpoint, killed_at=27, checkpoint_interval=0.0)
    assert checkpoints.read_notes(checkpoint)["steps"] == LOSS_CHECK_INTERVAL
    resumed = trained(spec, checkpoint=checkpoint)
    assert resumed.losses == whole.losses
    one, other = ({k: v for k, v in t.dynamics.plain().items() if k != "seconds"} for t in (resumed, whole))
    assert one == other
    assert resumed.pruned == whole.pruned and tuple(whole.pruned.at) == spec.pruned_steps
    for (name, mine), (_, theirs) in zip(
        resumed.module.state_dict().items(), whole.module.state_dict().items(), strict=True
    ):
        assert torch.equal(mine, theirs), name
    assert len(set(whole.losses)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("objective", ObjectiveKind)
def test_it_learns(trained, objective, channels):
    result = trained(replace(QUICK, objective=objective, steps=150), of=task(channels=channels))
    first, last = result.losses[:5], result.losses[-20:]
    if objective != "dino":  # whose target moves
        assert np.mean(last) < 0.8 * np.mean(first)
    probes = result.dynamics.probes
    knn_steps = [step for step, knn in zip(result.dynamics.at, probes["knn"], strict=True) if knn is not None]
    assert knn_steps == [15 * part for part in range(11)]
    assert probes["knn"][-1] > 80  # of three classes
    assert ("teacher_entropy" in probes) == (objective == "dino")
    assert None not in probes.get("teacher_entropy", [])


@pytest.mark.slow
def test_measures_are_of_the_models_they_name(tmp_path):
    objective = ImageObjective(replace(QUICK, steps=150), task())
    result = pretrain.pretrain(objective.spec, objective, device.accelerator(), tmp_path / "state")
    points = objective.metrics(result)
    assert points["images"] == 150 * 16
    assert points["accuracy"] > 95
    assert points["linear_probe"] >= points["knn"] >= points["knn_random"]
    torch.manual_seed(objective.spec.seed)
    models = {"": objective.model(result.module), "_random": objective.model(objective.module())}
    sides = [(torch.from_numpy(part.pixels), part.labels) for part in (objective.train, objective.test)]
    for what, model in models.items():
        tokens, patches = zip(*(last_states(model, pixels, objective.prepared) for pixels, _ in sides), strict=True)
        (_, train), (_, test) = sides
        assert points["knn" + what] == round(neighbours_accuracy(tokens[0], train, tokens[1], test), 2)
        if model is models[""]:
            assert points["linear_probe_patches"] == round(linear_accuracy(patches[0], train, patches[1], test), 2)
    states = models[""](objective.prepared(sides[1][0])).last_hidden_state.detach()
    features = last_states(models[""], sides[1][0], objective.prepared)
    for mine, theirs in zip(features, (states[:, 0], states[:, 1:].mean(1)), strict=True):
        assert np.allclose(mine, theirs.numpy(), atol=1e-5)
    pixels = [part.pixels.reshape(len(part), 3, -1) / 255 for part in (objective.train, objective.test)]
    mean, std = (np.array(v)[None, :, None] for v in (objective.mean, objective.std))
    train, test = (((p - mean) / std).reshape(len(p), -1) for p in pixels)
    cosines = test @ train.T / np.outer(np.linalg.norm(test, axis=1), np.linalg.norm(train, axis=1))
    predictions = []
    for row in cosines:
        nearest = np.argsort(-row)[:20]
        predictions.append(np.bincount(objective.train.labels[nearest], np.exp(row[nearest] / 0.07)).argmax())
    assert points["knn_pixels"] == pytest.approx(100 * np.mean(predictions == objective.test.labels), abs=0.01)


def test_prepared_images_have_mean_0_and_deviation_1():
    objective = ImageObjective(QUICK, task())
    images = objective.prepared(torch.from_numpy(objective.train.pixels))
    assert images.mean((0, 2, 3)).abs().max() < 1e-3
    assert (images.std((0, 2, 3)) - 1).abs().max() < 1e-2


def test_hidden_patches_are_as_many_in_each_image():
    objective = ImageObjective(replace(QUICK, objective="masked", masked=0.5), task())
    batch = objective.batch(np.arange(50), 0, torch.Generator().manual_seed(0))
    assert batch["bool_masked_pos"].shape == (50, 4)
    assert (batch["bool_masked_pos"].sum(1) == 2).all()
    assert len(torch.unique(batch["bool_masked_pos"], dim=0)) == 6


def test_views_are_of_their_image():
    objective = ImageObjective(replace(QUICK, objective="dino"), task())
    torch.manual_seed(0)
    batch = objective.batch(np.arange(12), 10, torch.Generator())
    assert batch["large"].shape == (12, 2, 3, 8, 8)
    assert batch["small"].shape == (12, 2, 3, 4, 4)
    assert batch["progress"].tolist() == [0.25] * 12
    assert not torch.equal(batch["large"][:, 0], batch["large"][:, 1])
    plain = batch["large"].std((-1, -2)).mean((1, 2))  # the third class has no stripes, in any view
    assert plain[2::3].max() < min(plain[0::3].median(), plain[1::3].median())


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        (dict(objective="jigsaw"), "unknown objective 'jigsaw'"),
        (dict(patch=0), "patch 0 is not allowed"),
        (dict(momentum=1.0), "momentum 1.0 is not allowed"),
        (dict(masked=0.0), "masked 0.0 is not allowed"),
        (dict(small_views=-1), "small_views -1 is not allowed"),
    ],
)
def test_bad_settings_are_refused(changed, match):
    with pytest.raises(InputError, match=match):
        replace(QUICK, **changed)


@pytest.mark.parametrize(
    ("changed", "of", "match"),
    [
        (dict(patch=3), task(), "patch 3 is not allowed: it does not divide images of 8 × 8"),
        (dict(batch_size=97), task(), "stripes has 96 images, fewer than a batch of 97"),
        ({}, get("tiny-sentiment"), "task 'tiny-sentiment' has no images: name one that has, such as cifar10"),
    ],
)
def test_what_does_not_fit_is_refused(changed, of, match):
    with pytest.raises(InputError, match=match):
        ImageObjective(replace(QUICK, **changed), of)


def test_neighbours_vote_by_their_cosine():
    train = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    test = np.array([[1.0, 0.05], [0.0, 2.0]])
    assert neighbours_accuracy(train, np.array([0, 0, 1]), test, np.array([0, 1])) == 100
    assert neighbours_accuracy(train, np.array([0, 0, 1]), test, np.array([1, 0])) == 0
    assert neighbours_accuracy(train, np.array([0, 0, 1]), test, np.array([0, 0]), neighbours=1) == 50


def test_a_linear_probe_tells_what_a_line_can():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(400, 5))
    classes = (points @ np.arange(5) > 0).astype(int)
    assert linear_accuracy(points[:300], classes[:300], points[300:], classes[300:]) > 95


TINY = PRETRAINED["tiny"]["tiny-scratch-dino-0"]
TRIAL = Trial(
    model=TINY.model,
    task="tiny-shapes",
    seed=0,
    training=Training(epochs=1, batch_size=16, learning_rate=1e-2, max_train=64),
)


@pytest.mark.slow
def test_a_model_is_trained_recorded_saved_and_then_pruned(tmp_path, monkeypatch, fresh_models):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    home = pretrained.store_of(TINY.model)
    assert run([TRIAL.at(0.5), TINY], home) == []
    record = home.records()[TINY.id]
    assert record.status == "ok", record.reason
    assert record.values["dynamics"]["at"] == default_measured_steps(TINY.steps)
    assert json.loads(record.line()) == json.loads(Record.from_line(record.line()).line())
    assert {"knn", "knn_pixels", "knn_random", "linear_probe", "images", "parameters"} <= set(record.metrics)
    folder = home.pretrained(TINY.model)
    assert record.provenance["weights"] == home.records()[TRIAL.at(0.5).id].provenance["weights"]
    saved = ViTModel.from_pretrained(folder)
    assert saved.dtype == torch.float16
    assert len(prunable_matrices(saved)) == 6 * TINY.layers
    preprocessor = json.loads((folder / "preprocessor_config.json").read_text())
    assert preprocessor["image_mean"] == record.values["images"]["mean"]
    assert isinstance(AutoModelForImageClassification.from_pretrained(folder), ViTForImageClassification)
    pruned = home.records()[TRIAL.at(0.5).id].metrics
    assert pruned["zeros"] == pruned["prunable"] // 2
    message = pretraining.build(TINY.model)
    assert message.startswith(f"{TINY.model}: held-out loss ")
    assert f"nats an image, weights in {folder}" in message


def test_the_methods_page_states_the_settings():
    page = (Path(__file__).parents[1] / "book/methods.md").read_text()
    ways = ("supervised", "dino", "long", "masked")
    supervised, dino, long, masked = (PRETRAINED["lab"][f"vit-4x192-{way}-0"] for way in ways)
    for row in (
        f"| model | {dino.layers} blocks of width {dino.hidden} with {dino.heads} heads, patches of {dino.patch} × ",
        f"| images a step | {dino.batch_size} |",
        f"| steps | {dino.steps:,}, ten passes; *long* {long.steps:,} |",
        f"warm-up over {dino.warmup:.0%} of the steps |",
        f"| weight decay | {dino.weight_decay:g} |",
        f"| standard deviation of the initial weights | {dino.initial:g},",
        f"| outputs of DINO's head | {dino.outputs:,} |",
        f"| what DINO's teacher keeps of itself in a step | {dino.momentum:g}, rising",
        f"predicts the pixels of {masked.masked:.0%} of the patches",
    ):
        assert row in page
    assert dino.learning_rate == 1e-3 and "| learning rate | 1e-3, warm-up" in page
    assert dino.images == 10.24 * 50_000  # the passes over CIFAR-10's training images
    assert len({replace(t, max_length=0) for t in vision_settings.LAB.values()}) == 1
    tuning = vision_settings.LAB["*"]
    assert (tuning.epochs, tuning.batch_size, tuning.learning_rate) == (3, 32, 5e-4)
    assert "for 3 epochs on 2,000 training images of each task, in batches of 32 at a rate of 5e-4" in page
    assert (tuning.max_train, tuning.max_test) == (2000, 2000) and "on 2,000 test images (ELPV: all 624)" in page
    of = ("model", "objective")
    assert replace(supervised, **{name: getattr(dino, name) for name in of}) == dino
    assert replace(supervised, **{name: getattr(masked, name) for name in of}) == masked
    assert replace(long, steps=supervised.steps, model=supervised.model) == supervised
