"""What is known of models and tasks by name: one row each, and one answer to what a model reads."""

import ast
import dataclasses
import json
from pathlib import Path

import pytest

from essparse_lib import figures, specs, tasks
from essparse_lib.figures import language_settings, vision_settings
from essparse_lib.models import catalogue
from essparse_lib.records.metrics import METRICS
from essparse_lib.records.pretrained import PRETRAINED, reads
from essparse_lib.specs.likelihood import LIKELIHOOD_TASKS
from essparse_lib.specs.models import MODELS, Reads
from essparse_lib.specs.pretraining import ImagePretraining
from essparse_lib.specs.tasks import TASKS, Head

STUDY = dataclasses.replace(figures.study("fig9", "lab"), tasks=(*TASKS,))
OF_IMAGES = tuple(name for name, row in TASKS.items() if row.head is Head.IMAGE_CLASSIFICATION)
OF_TEXTS = tuple(name for name in TASKS if name not in OF_IMAGES)

#: Of ``config.json``, as ``save_pretrained`` writes it, what tells; and what nothing tells.
CONFIGS = {
    "bert": ({"model_type": "bert", "vocab_size": 30522, "hidden_size": 768}, Reads.TEXTS),
    "vit": ({"model_type": "vit", "image_size": 224, "patch_size": 16, "num_channels": 3}, Reads.IMAGES),
    "resnet": ({"model_type": "resnet", "num_channels": 3}, Reads.IMAGES),
    "both": ({"model_type": "vilt", "vocab_size": 30522, "image_size": 384}, None),
    "neither": ({"model_type": "clip", "text_config": {}, "vision_config": {}}, None),
    "no object": ([1, 2], None),
}


def save_config(folder, config):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))


def test_every_task_and_every_model_has_one_row():
    assert set(tasks.TASKS) == set(TASKS)
    assert set(catalogue.MODELS) == set(MODELS)
    for name, task in tasks.TASKS.items():
        row = TASKS[name]
        assert (task.name, task.head, task.metric, task.counts) == (row.name, row.head, row.metric, row.counts)
        assert task.secondary_metrics == row.secondary_metrics and set(row.secondary_metrics) <= set(METRICS)
    for name, model in catalogue.MODELS.items():
        assert (model.repository is not None) or model.archive
        if MODELS[name].repository:
            assert (model.repository.id, model.repository.revision) == (MODELS[name].repository, MODELS[name].revision)


def test_texts_that_tasks_share_are_those_of_several():
    shared = [row.same_texts for row in TASKS.values() if row.same_texts]
    assert shared and all(shared.count(name) > 1 for name in shared)
    assert TASKS["movie-reviews"].same_texts == TASKS["sst2"].same_texts


def test_every_task_that_figures_name_has_a_row():
    for by_scale in figures.STUDIES.values():
        for study in by_scale.values():
            assert set(study.tasks) <= {*TASKS, *LIKELIHOOD_TASKS}


def test_a_task_of_many_classes_is_scored_image_by_image():
    # a record has one character for each predicted class
    for task in tasks.TASKS.values():
        assert (task.metric == "top1") == (len(task.classes) > 36)


@pytest.mark.parametrize("name", MODELS)
def test_a_named_model_reads_what_its_row_says(name):
    assert reads(name) is MODELS[name].reads


@pytest.mark.parametrize("scale", PRETRAINED)
def test_a_model_that_is_trained_here_reads_what_it_is_trained_on(scale):
    for name, spec in PRETRAINED[scale].items():
        assert reads(name) is (Reads.IMAGES if isinstance(spec, ImagePretraining) else Reads.TEXTS)
        assert (spec.shape.layers, spec.shape.hidden) == (spec.layers, spec.hidden)


@pytest.mark.parametrize("name", ["someone/model", "someone/model@main", "not-known", "~nobody-is-called-so/model"])
def test_nothing_is_known_of_other_names(name):
    assert reads(name) is None
    assert STUDY.narrowed(models=[name]).tasks_of(name) == STUDY.tasks


def test_nothing_is_known_of_what_is_no_name():
    assert reads("\0") is None


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("place", ["plain name", "relative", "dotted", "absolute", "home"])
def test_a_local_folder_reads_what_its_configuration_tells(tmp_path, monkeypatch, config, place):
    plain, expected = CONFIGS[config]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    name = {
        "plain name": "mine",
        "relative": "models/mine",
        "dotted": "./models/../mine",
        "absolute": str(tmp_path / "mine"),
        "home": "~/mine",
    }[place]
    (tmp_path / "models").mkdir()
    save_config(tmp_path / ("models/mine" if place == "relative" else "mine"), plain)
    assert reads(name) is expected
    tried_on = STUDY.narrowed(models=[name]).tasks_of(name)
    assert tried_on == {Reads.IMAGES: OF_IMAGES, Reads.TEXTS: OF_TEXTS, None: STUDY.tasks}[expected]


def test_a_damaged_configuration_tells_nothing(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xff{")
    assert reads(str(tmp_path)) is None


def test_a_name_known_here_is_no_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_config(tmp_path / "minilm-l6", CONFIGS["vit"][0])
    assert reads("minilm-l6") is Reads.TEXTS


@pytest.mark.parametrize("name", ["tiny-bert", "tiny-opt", "tiny-vit"])
def test_a_model_as_transformers_saves_it_is_told(tmp_path, empty_cache, name):
    from essparse_lib.models import loading

    loading.load_model(name).save_pretrained(tmp_path / "mine")
    assert reads(str(tmp_path / "mine")) is MODELS[name].reads


def test_tasks_of_texts_and_of_images_are_those_of_the_figures():
    assert set(language_settings.LAB_TASKS) <= set(OF_TEXTS)
    assert {*vision_settings.LAB_TASKS, *vision_settings.PAPER_TASKS, *vision_settings.TINY_TASKS} <= set(OF_IMAGES)


@pytest.mark.parametrize("room", ["methods", "models", "tasks"])
def test_no_two_rows_have_one_name(room):
    """Of two rows of one name a dictionary keeps the last without a word."""
    tree = ast.parse(Path(specs.__file__).with_name(f"{room}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    values = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "name"]
    values += [call.args[0] for call in calls if getattr(call.func, "id", "") in ("_questions", "_images")]
    names = [value.value for value in values if isinstance(value, ast.Constant)]
    assert len(names) > 2 and len(names) == len(set(names))
