"""The hub without a network: a mirror, the hub's own cache, and data in parquet, as the paper's scale reads them."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from essparse_lib import tasks
from essparse_lib.errors import InputError
from essparse_lib.sources import tiny
from essparse_lib.sources.hub import Repository, mirror_folders, model_folder, repository_folder
from essparse_lib.sources.parquet import Content, read_columns
from essparse_lib.training import pictures
from essparse_lib.training.texts import encode

REVISION = "0123456789abcdef0123456789abcdef01234567"
KINDS = ("bert", "mpnet", "opt")


def populate(hub, repository, source, kind="model"):
    """Lay a folder into a hub cache as the hub's client does."""
    place = hub / f"{kind}s--{repository.replace('/', '--')}"
    shutil.copytree(source, place / "snapshots" / REVISION)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(REVISION)
    return place / "snapshots" / REVISION


IMAGES = {"image": Content.IMAGE, "label": Content.LABEL}
PAIRS = {"sentence1": Content.TEXT, "sentence2": Content.TEXT, "label": Content.LABEL}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub cache; the client itself is offline in all tests."""
    import huggingface_hub.constants

    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    return cache


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    place = tmp_path / "mirror"
    place.mkdir()
    monkeypatch.setenv("ESSPARSE_MIRROR", str(place))
    return place


@pytest.mark.parametrize("kind", KINDS)
def test_a_populated_hub_cache_gives_model_and_tokenizer(kind, hub, fresh_models):
    snapshot = populate(hub, f"someone/{kind}", tiny.folder(f"essparse/tiny-{kind}"))
    source = fresh_models.locate(f"someone/{kind}")
    assert source.folder == snapshot
    assert source.origin == f"hub someone/{kind}@main"
    model = fresh_models.classifier(f"someone/{kind}", 2, seed=0)
    data = encode(tasks.get("tiny-pairs").splits().test, fresh_models.tokenizer_of(f"someone/{kind}"), 32)
    output = model(**data.batch(np.arange(4)))
    assert output.logits.shape == (4, 2)
    assert output.loss.isfinite()


def test_the_licence_and_the_card_come_along_but_do_not_make_a_mirror(hub, mirror, monkeypatch):
    import huggingface_hub

    snapshot = populate(hub, "someone/bert", tiny.folder("essparse/tiny-bert"))
    (mirror / "someone/bert").mkdir(parents=True)
    (mirror / "someone/bert/README.md").write_text("# A card")
    asked = []
    original = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *a, **o: asked.extend(o["allow_patterns"]) or original(*a, **o)
    )
    assert model_folder(Repository("someone/bert", REVISION))[0] == snapshot
    assert {"*.json", "*.safetensors", "*.md", "LICENSE*"} <= set(asked)
    assert not {"*.py", "*.bin", "*"} & set(asked)


def test_pickled_weights_are_those_of_a_named_model_at_a_commit_alone(hub, mirror, fresh_models, monkeypatch):
    import huggingface_hub
    from safetensors.torch import load_file

    from essparse_lib.models import catalogue

    asked = []
    original = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *a, **o: asked.extend(o["allow_patterns"]) or original(*a, **o)
    )

    snapshot = populate(hub, "someone/bert", tiny.folder("essparse/tiny-bert"))
    torch.save(load_file(snapshot / "model.safetensors"), snapshot / "pytorch_model.bin")
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"the hub has no safetensors of someone/bert.*refs/pr/1"):
        fresh_models.load_model("someone/bert")
    assert not any(".bin" in pattern for pattern in asked)
    named = catalogue.ModelSources(name="named", repository=Repository("someone/bert", REVISION))
    monkeypatch.setitem(fresh_models.MODELS, "named", named)
    ours, theirs = fresh_models.load_and_report("named"), fresh_models.load_model("tiny-bert")
    assert "pytorch_model*.bin*" in asked
    assert ours.notes == ("read from pickled files with weights_only=True, so that no code in them was run",)
    assert all(torch.equal(a, b) for a, b in zip(ours.model.parameters(), theirs.parameters(), strict=True))
    (snapshot / "pytorch_model.bin").write_bytes(b"\x80\x02pickle")
    fresh_models.forget()
    with pytest.raises(InputError, match=r"cannot be read"):
        fresh_models.load_model("named")
    shutil.copytree(snapshot, mirror / "someone/bert", symlinks=False)
    fresh_models.forget()
    with pytest.raises(InputError, match="holds pickled weights"):
        fresh_models.load_model("named")


@pytest.mark.parametrize("kind", ["vit", "dino"])
def test_a_populated_hub_cache_gives_a_model_that_reads_images(kind, hub, fresh_models):
    snapshot = populate(hub, f"someone/{kind}", tiny.folder(f"essparse/tiny-{kind}"))
    assert fresh_models.locate(f"someone/{kind}").folder == snapshot
    model = fresh_models.load_with_head(f"someone/{kind}", "image-classification", 4, seed=0)
    preprocessing = fresh_models.preprocessing_of(f"someone/{kind}")
    data = pictures.encode(tasks.get("tiny-grey").splits().test, preprocessing, torch.device("cpu"))
    output = model(**data.batch(np.arange(4)))
    assert output.logits.shape == (4, 4)
    assert output.loss.isfinite()


def test_images_come_as_the_bytes_of_their_files(hub):
    populate(hub, "someone/images", tiny.folder(tiny.IMAGES), "dataset")
    table, _ = read_columns(Repository("someone/images", REVISION, "dataset"), "colour", "test", IMAGES)
    assert {type(image) for image in table["image"]} == {bytes}
    assert all(image.startswith(b"\x89PNG") for image in table["image"])
    assert len(table["image"]) == len(table["label"]) == 128
    assert {type(label) for label in table["label"]} == {int}


def test_a_damaged_file_of_rows_is_named(mirror):
    (mirror / "someone/images/colour").mkdir(parents=True)
    (mirror / "someone/images/colour/test-00000-of-00001.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match=r"someone/images/colour/test-00000-of-00001\.parquet cannot be read"):
        read_columns(Repository("someone/images", REVISION, "dataset"), "colour", "test", IMAGES)


def test_a_pinned_revision_is_found_in_the_hub_cache(hub):
    snapshot = populate(hub, "someone/bert", tiny.folder("essparse/tiny-bert"))
    assert model_folder(Repository("someone/bert", REVISION))[0] == snapshot
    with pytest.raises(InputError, match="fedcba"):
        model_folder(Repository("someone/bert", "fedcba9876543210" * 2 + "fedcba98"))


def test_the_variables_of_the_hub_alone_suffice(tmp_path):
    home = tmp_path / "home"
    snapshots = [str(populate(home / "hub", f"someone/{k}", tiny.folder(f"essparse/tiny-{k}"))) for k in KINDS]
    snapshots.append(str(populate(home / "hub", "someone/glue", tiny.folder(tiny.DATASET), "dataset")))
    code = (
        "from essparse_lib.sources.hub import Repository, repository_folder, model_folder\n"
        f"for kind in {KINDS}: print(model_folder(Repository('someone/' + kind, 'main'))[0])\n"
        f"print(repository_folder(Repository('someone/glue', {REVISION!r}, 'dataset'), ['rte/*.parquet'])[0])\n"
    )
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == snapshots, done.stderr


def test_a_populated_hub_cache_gives_the_rows_of_a_data_set(hub):
    populate(hub, "someone/glue", tiny.folder(tiny.DATASET), "dataset")
    made_here, _ = read_columns(Repository(tiny.DATASET, tiny.REVISION, "dataset"), "rte", "validation", PAIRS)
    table, origin = read_columns(Repository("someone/glue", REVISION, "dataset"), "rte", "validation", PAIRS)
    assert table == made_here
    assert origin == f"hub someone/glue@{REVISION}"


def test_rows_in_several_files_are_joined_in_order(mirror):
    from pyarrow import parquet

    whole = parquet.read_table(tiny.folder(tiny.DATASET) / "sst2" / "train-00000-of-00001.parquet")
    (mirror / "someone/glue/sst2").mkdir(parents=True)
    for part, (start, stop) in enumerate(((0, 100), (100, 512))):
        target = mirror / f"someone/glue/sst2/train-0000{part}-of-00002.parquet"
        parquet.write_table(whole.slice(start, stop - start), target)
    repository = Repository("someone/glue", REVISION, "dataset")
    columns = {"sentence": Content.TEXT, "label": Content.LABEL, "idx": Content.LABEL}
    assert read_columns(repository, "sst2", "train", columns)[0] == whole.to_pydict()


def test_a_mirror_is_tried_before_the_hub(mirror, hub, fresh_models):
    populate(hub, "someone/bert", tiny.folder("essparse/tiny-mpnet"))
    shutil.copytree(tiny.folder("essparse/tiny-bert"), mirror / "someone/bert")
    source = fresh_models.locate("someone/bert")
    assert source.folder == mirror / "someone/bert"
    assert source.origin == "mirror of someone/bert"
    assert fresh_models.classifier("someone/bert", 2, 0).config.model_type == "bert"


def test_a_mirror_without_the_repository_gives_way_to_the_hub(mirror, hub):
    snapshot = populate(hub, "someone/bert", tiny.folder("essparse/tiny-bert"))
    (mirror / "someone/bert").mkdir(parents=True)  # a folder with nothing in it
    assert model_folder(Repository("someone/bert", "main"))[0] == snapshot


def test_several_mirrors_are_tried_in_order(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    for place in (first, second):
        (place / "someone/both").mkdir(parents=True)
        (place / "someone/both/config.json").write_text("{}")
    (second / "someone/one").mkdir()
    (second / "someone/one/config.json").write_text("{}")
    monkeypatch.setenv("ESSPARSE_MIRROR", f"{first}{os.pathsep}{second}")
    assert mirror_folders() == [first, second]
    assert repository_folder(Repository("someone/both", "main"), ["*.json"])[0] == first / "someone/both"
    assert repository_folder(Repository("someone/one", "main"), ["*.json"])[0] == second / "someone/one"


def test_a_mirror_that_is_no_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"ESSPARSE_MIRROR names .*absent"):
        model_folder(Repository("someone/bert", "main"))


def test_a_mirror_without_the_split_is_named(mirror):
    (mirror / "someone/glue/rte").mkdir(parents=True)
    (mirror / "someone/glue/README.md").write_text("glue")
    with pytest.raises(InputError, match=r"rte/validation-\*\.parquet"):
        read_columns(Repository("someone/glue", REVISION, "dataset"), "rte", "validation", PAIRS)


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_nothing_there_and_offline_names_the_id_and_the_ways_out(kind, hub):
    with pytest.raises(InputError) as caught:
        repository_folder(Repository("someone/absent", REVISION, kind), ["*.json"])
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in ("someone/absent", REVISION[:12], "network", "ESSPARSE_MIRROR", "cache"))


def test_an_unknown_tiny_repository_suggests_the_near_one():
    with pytest.raises(InputError, match=r"did you mean 'essparse/tiny-bert'"):
        model_folder(Repository("essparse/tiny-berd", "main"))


def test_tiny_repositories_are_made_once_and_alike(empty_cache):
    first = tiny.folder("essparse/tiny-opt")
    weights = (first / "model.safetensors").read_bytes()
    (first / "mark").write_text("kept")
    assert (tiny.folder("essparse/tiny-opt") / "mark").exists()
    shutil.rmtree(first)
    assert (tiny.folder("essparse/tiny-opt") / "model.safetensors").read_bytes() == weights
