"""Damaged folders of models: each is read, or refused in one line, soon and cheaply.

A model takes 30 to 200 ms to build, so that the tests which build one draw 300 examples and not 2,000.
"""

import json
import shutil

import pytest
from fuzzing import damaged_bytes, damaged_json, fuzzed, read_or_refused
from hypothesis import assume, given
from safetensors.torch import save_file
from tiny_checkpoints import tensors, write

from essparse_lib.models import loading
from essparse_lib.models.configuration import check_configuration
from essparse_lib.models.weight_files import stored_tensors
from essparse_lib.sources import tiny

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_models")]

MANY, FEWER = fuzzed(), fuzzed(300)
TINY = {"bert": "tiny-bert", "opt": "tiny-opt", "vit": "tiny-vit"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


def rewrite(path, text):
    """Write a damaged text; one with half a pair of UTF-16's has no form in UTF-8."""
    assume(not any("\ud800" <= letter <= "\udfff" for letter in text))
    path.write_text(text)


def build(folder, head):
    """Load a model as it is and with a new head."""
    loading.forget()
    read_or_refused(lambda: loading.load_and_report(str(folder)))
    loading.forget()
    read_or_refused(lambda: loading.load_with_head(str(folder), head, 2, seed=0))


@pytest.mark.parametrize("kind", ["bert", "llama", "opt", "vit"])
def test_a_configuration(kind, folder):
    if kind in TINY:
        shutil.copytree(tiny.folder(f"essparse/{TINY[kind]}"), folder)
    else:
        write(kind, folder)
    head = "image-classification" if kind == "vit" else "sequence-classification"

    @FEWER
    @given(damaged_json(json.loads((folder / "config.json").read_text())))
    def check(text):
        rewrite(folder / "config.json", text)
        build(folder, head)

    check()


@pytest.mark.parametrize("kind", ["bert", "vit"])
def test_a_configuration_before_it_is_built(kind, folder):
    original = (write(kind, folder) / "config.json").read_bytes()

    @MANY
    @given(damaged_bytes(original))
    def check(data):
        (folder / "config.json").write_bytes(data)
        read_or_refused(lambda: check_configuration(folder))

    check()


def test_settings_of_generation(folder):
    write("llama", folder)
    path = folder / "generation_config.json"

    @FEWER
    @given(damaged_json(json.loads(path.read_text()) | {"eos_token_id": [1, 2], "max_length": 20, "do_sample": True}))
    def check(text):
        rewrite(path, text)
        loading.forget()
        read_or_refused(lambda: loading.load_and_report(str(folder)))

    check()


def test_bytes_of_weights(folder):
    write("bert", folder)
    path = folder / "model.safetensors"
    save_file(dict(list(tensors(folder).items())[:3]), path, {"format": "pt"})

    @MANY
    @given(damaged_bytes(path.read_bytes()))
    def check(data):
        path.write_bytes(data)
        read_or_refused(lambda: stored_tensors(folder))

    check()


@pytest.mark.parametrize("examples", [MANY, FEWER], ids=["looked into", "loaded"])
def test_headers_of_weights(examples, folder):
    path = write("bert", folder) / "model.safetensors"
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    document = json.loads(data[8:end])
    if examples is MANY:  # of a small header each place is changed more often
        document = dict(list(document.items())[:4])

    @examples
    @given(damaged_json(document))
    def check(text):
        header = text.encode("utf-8", "surrogatepass")
        path.write_bytes(len(header).to_bytes(8, "little") + header + data[end:])
        if examples is MANY:
            read_or_refused(lambda: stored_tensors(folder))
        else:
            build(folder, "sequence-classification")

    check()


def test_an_index_of_weights(folder):
    stored = tensors(write("bert", folder))
    (folder / "model.safetensors").unlink()
    names = sorted(stored)
    parts = {f"model-0000{part + 1}-of-00002.safetensors": names[part::2] for part in range(2)}
    for file, listed in parts.items():
        save_file({name: stored[name] for name in listed}, folder / file, {"format": "pt"})
    index = folder / "model.safetensors.index.json"
    document = {
        "metadata": {"total_size": 1},
        "weight_map": {n: file for file, listed in parts.items() for n in listed[:4]},
    }

    @MANY
    @given(damaged_json(document))
    def check(text):
        rewrite(index, text)
        read_or_refused(lambda: stored_tensors(folder))

    check()


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_tokenizer(name, folder):
    path = shutil.copytree(tiny.folder("essparse/tiny-bert"), folder) / name
    document = json.loads(path.read_text())
    if "model" in document:  # of a small vocabulary the other places are changed more often
        vocabulary = sorted(document["model"]["vocab"].items(), key=lambda entry: entry[1])[:12]
        document["model"]["vocab"] = dict(vocabulary)

    @MANY
    @given(damaged_json(document))
    def check(text):
        rewrite(path, text)
        loading.forget()
        read_or_refused(lambda: loading.tokenizer_of(str(folder)))

    check()


def test_bytes_of_a_tokenizer(folder):
    path = shutil.copytree(tiny.folder("essparse/tiny-bert"), folder) / "tokenizer.json"

    @FEWER
    @given(damaged_bytes(path.read_bytes()))
    def check(data):
        path.write_bytes(data)
        loading.forget()
        read_or_refused(lambda: loading.tokenizer_of(str(folder)))

    check()
