"""A disk that fills up, at each point of each write: one clear line, nothing half-written, what was there stays."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import answered, pretraining_study, write_checkout

from essparse_lib import sparsify
from essparse_lib.book import build, fragments
from essparse_lib.corpora.corpus import Corpus
from essparse_lib.corpora.packed import pack
from essparse_lib.errors import InputError
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.mask_io import load_mask, save_mask
from essparse_lib.records.store import Store
from essparse_lib.runner import dense_weights, pretraining
from essparse_lib.sources import archives, tiny
from essparse_lib.sparsify import Recipe
from essparse_lib.specs.trial import Pruning
from essparse_lib.tasks.images import Images, cached_images
from essparse_lib.training import checkpoints
from essparse_lib.training.loop import TrainingState

pytestmark = pytest.mark.slow
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
SIZE = 16 * 1024 * 1024
STUDY = pretraining_study((1.0, 0))


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """An empty disk of 16 MiB, which has the cache, too."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("only root on Linux may mount a small disk")
    monkeypatch.setenv("ESSPARSE_CACHE", str(place / "cache"))
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def tree(folder):
    """Every file but locks, by its path."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "filler")
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths if ".lock" not in str(p)}


def fill(disk, pages):
    """Fill the disk but for so many pages."""
    (disk / "filler").unlink(missing_ok=True)
    free = os.statvfs(disk)
    with (disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_bsize - pages * PAGE))


def at_each_point(disk, work, kept=None, most=15):
    """Do work with ever more room until it succeeds.

    Refused, it leaves what was there as it was; ``kept`` tells whether it is, if parts of the work may stay.
    """
    before = tree(disk)
    copy = disk.parent / "copy"
    shutil.copytree(disk, copy)
    work()
    used = sum(path.stat().st_size // PAGE + 1 for path in disk.rglob("*") if path.is_file())
    points = sorted({*range(3), *np.linspace(0, used + 8, most).astype(int).tolist()})
    refusals = 0
    for pages in points:
        for path in disk.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(copy, disk, dirs_exist_ok=True)
        fill(disk, pages)
        try:
            work()
        except InputError as error:
            assert "\n" not in str(error) and "write" in str(error), error
            assert "No space left" in str(error), error
            after = tree(disk)
            assert after == before if kept is None else kept(after), pages
            assert not [path for path in disk.rglob("*") if ".essparse-tmp" in path.name]
            refusals += 1
        else:
            break
    (disk / "filler").unlink()
    assert refusals > 0


def record(seed, task="t"):
    return answered(STUDY.trial("m-100-0", task, Pruning(sparsity=0.3), seed), 70.0, 20_000)


@pytest.mark.parametrize("work", ["append", "merge", "mend", "check"])
def test_records(disk, work):
    store = Store(disk / "results")
    store.append(record(0))
    path = store.path(record(0).spec)
    if work == "mend":
        path.write_bytes(path.read_bytes() + b"damaged" * 5_000 + b"\n" + record(1).line().encode() + b"\n")
    line = record(0).line().encode() + b"\n"

    def whole(after):
        """Each file begins with what was there, and a line is whole or missing; what is mended is not lost."""
        lines = after[str(path.relative_to(disk))].splitlines(keepends=True)
        return lines[0] == line and all(each.endswith(b"\n") for each in lines)

    works = {
        "append": lambda: store.append(record(1)),
        "merge": lambda: store.merge([record(seed, task) for seed in (1, 2) for task in ("t", "u")]),
        "mend": store.mend,
        "check": store.check_writable,
    }
    at_each_point(disk, works[work], None if work in ("append", "check") else whole)


def test_a_mask_over_an_earlier_one(disk):
    weights = {"w": torch.randn(400, 400)}
    for sparsity in (0.3, 0.5):
        mask = global_magnitude(weights, sparsity)
        if sparsity == 0.3:
            save_mask(mask, weights, disk / "mask")
        else:
            at_each_point(disk, lambda mask=mask: save_mask(mask, weights, disk / "mask"))
    assert load_mask(disk / "mask", weights).sparsity == 0.5


def test_a_checkpoint_over_an_earlier_one(disk):
    model = torch.nn.Linear(100, 100)
    state = TrainingState(model=model, optimizer=torch.optim.AdamW(model.parameters()))
    checkpoints.save_state(state, {"steps": 1}, disk / "new" / "checkpoint")
    at_each_point(disk, lambda: checkpoints.save_state(state, {"steps": 2}, disk / "new" / "checkpoint"))
    assert checkpoints.read_notes(disk / "new" / "checkpoint") == {"steps": 2}


@pytest.mark.parametrize("model", ["tiny-bert", "tiny-vit"])
def test_a_pruned_model(disk, monkeypatch, model, tmp_path):
    from essparse_lib.models import loading

    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    loading.locate(model)
    at_each_point(disk, lambda: sparsify.save_pruned(model, Recipe(sparsity=0.5), disk / "out"), most=12)


def test_a_model_that_was_pretrained(disk, tmp_path, monkeypatch):
    from essparse_lib.records.pretrained import PRETRAINED

    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    spec = replace(PRETRAINED["tiny"]["tiny-scratch-60-0"], steps=1)
    out = disk / "results" / "model"
    pretraining.pretrain(spec, out)
    at_each_point(disk, lambda: pretraining.pretrain(spec, out), most=4)


TEXTS = ["the cat sat on the mat", "the cats ran to the dogs", "a dog is no cat"] * 900
PIXELS = np.arange(300 * 3 * 16 * 16, dtype=np.int64).astype(np.uint8).reshape(300, 3, 16, 16)


def dense(disk):
    state = {"w": torch.randn(20_000)}
    tuned = dense_weights.Tuned(state, dense_weights.Course([1.0], []))
    dense_weights._keep(tuned, disk / "cache/dense" / f"{'0' * 16}-{'1' * 16}.safetensors")


CACHES = {
    "a model": lambda disk: tiny.folder("essparse/tiny-bert"),
    "a model of images": lambda disk: tiny.folder("essparse/tiny-vit"),
    "parquet": lambda disk: tiny.folder("essparse/tiny-glue"),
    "parquet of images": lambda disk: tiny.folder("essparse/tiny-images"),
    "a corpus": lambda disk: pack(Corpus(name="cats", load=lambda: iter(TEXTS), source="made here"), 40, 10),
    "images": lambda disk: cached_images("some", "0" * 16, lambda: Images(PIXELS, np.zeros(300, dtype=np.int64))),
    "fragments": lambda disk: fragments.write(disk / "generated"),
}


@pytest.mark.parametrize("cache", CACHES)
def test_what_is_made_once(disk, cache):
    def kept(after):  # fragments come one by one, and a tokenizer is whole before the text is cut
        return cache == "fragments" or all("tokenizer-" in name for name in after)

    at_each_point(disk, lambda: CACHES[cache](disk), kept, most=10)


def test_weights_that_are_kept_for_others_are_left_out(disk, monkeypatch):
    monkeypatch.setenv("ESSPARSE_DENSE_GB", "1")
    for pages in range(0, 25, 3):
        fill(disk, pages)
        dense(disk)
        assert all(path.stat().st_size > 80_000 for path in disk.rglob("*.safetensors"))
        assert not list(disk.rglob(".essparse-tmp*"))


def test_an_archive(disk, pack, tmp_path, monkeypatch):
    import hashlib

    data = pack("it-1-py3-none-any.whl", {"it/a": os.urandom(50_000), "it/b": os.urandom(50_000)})
    archive = archives.Archive(package="it", filename="it-1-py3-none-any.whl", sha256=hashlib.sha256(data).hexdigest())

    def download(package, file, **_):
        file.write_bytes(data)

    monkeypatch.setattr(archives, "download_from_python_indexes", download)

    def kept(after):  # the archive is whole, or not there; what is in it, both or none
        names = {Path(name).name: content for name, content in after.items()}
        return names.get(archive.filename, data) == data and ("a" in names) == ("b" in names)

    at_each_point(disk, lambda: archives.extract(archive, "it/"), kept)


def test_the_book(disk, tmp_path, monkeypatch):
    monkeypatch.chdir(write_checkout(tmp_path / "checkout"))
    for pages in (0, 1, 3, 30, 600):
        fill(disk, pages)
        with pytest.raises(InputError) as error:
            build.build(disk / "out")
        assert "\n" not in str(error.value) and "No space left" in str(error.value)
        assert set(tree(disk)) <= {"out/.essparse-book"}
