"""Images as tasks: every source in its real format, decoded once; models that read them; what is refused."""

import dataclasses
import gzip
import hashlib
import io
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from essparse_lib import tasks
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.records import metrics
from essparse_lib.runner import trial as trial_runner
from essparse_lib.runner import workbench
from essparse_lib.runner.task_heads import TASK_HEADS
from essparse_lib.sources.archives import Archive
from essparse_lib.specs.trial import Pruning, Training, Trial
from essparse_lib.tasks import Images, Splits, Task, fixed_part, vision
from essparse_lib.tasks.images import cached_images, decode_images
from essparse_lib.tasks.task import hold_out_test
from essparse_lib.training import pictures
from essparse_lib.training.batches import shuffled
from essparse_lib.training.device import accelerator
from essparse_lib.training.pictures import Preprocessing, normalised, resized

CPU = torch.device("cpu")
SQUARE = Preprocessing(channels=3, size=(8, 8), patch=(4, 4), mean=(0.5,) * 3, std=(0.5,) * 3)


def uncounted(name):
    return dataclasses.replace(tasks.get(name), counts=None).splits()


def noise(*shape, seed=0):
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def encoded(pixels, kind="PNG"):
    """A file of 8-bit values, shape (channels, height, width)."""
    file = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(file, kind)
    return file.getvalue()


def some(count=12, channels=3, side=4, classes=2):
    return Images(noise(count, channels, side, side), np.arange(count) % classes)


def test_the_fingerprint_sees_pixels_labels_order_and_shape():
    data = some()
    pixels = data.pixels.copy()
    pixels[-1, -1, -1, -1] ^= 1
    others = [
        Images(pixels, data.labels),
        Images(data.pixels, data.labels[::-1].copy()),
        data.take(range(11)),
        data.take([1, 0, *range(2, 12)]),
        Images(data.pixels.reshape(12, 3, 2, 8), data.labels),
    ]
    assert len({images.fingerprint() for images in (data, *others)}) == 6
    assert data.take(range(12)).fingerprint() == data.fingerprint()
    assert data.take(np.arange(12)).take([]).shape == (3, 4, 4)


def test_the_fingerprint_and_the_keys_never_change():
    data = Images(np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2), np.array([1, 0]))
    plain = b"(2, 3, 2, 2)" + bytes(range(24)) + (1).to_bytes(8, "little") + bytes(8)
    assert data.fingerprint() == hashlib.sha256(plain).hexdigest()[:16]
    assert data.keys()[0].hex() == hashlib.sha256(bytes(range(12))).hexdigest()


def test_what_images_cannot_be():
    labels = np.zeros(2, dtype=np.int64)
    for pixels in (noise(2, 2, 4, 4), noise(2, 4, 4), noise(2, 3, 4, 4).astype(np.float32)):
        with pytest.raises(ValueError, match=r"must be \(images, 1 or 3, height, width\), uint8"):
            Images(pixels, labels)
    for wrong in (labels[:1], labels.astype(np.int32), labels[:, None]):
        with pytest.raises(ValueError, match="one int64 an image"):
            Images(noise(2, 3, 4, 4), wrong)


@pytest.mark.parametrize(
    ("train", "fault"),
    [
        (Images(noise(3, 1, 2, 2), np.array([0, 2, -1])), r"labels \[-1, 2\]; they must lie in 0 to 1"),
        (some().take([]), "no images"),
    ],
)
def test_labels_that_are_no_class_and_no_images_at_all_are_refused(train, fault):
    task = Task(
        name="made",
        classes=("no", "yes"),
        load=lambda: Splits(train, some(), "a test"),
        counts=None,
        metric="accuracy",
        source="",
        head="",
    )
    with pytest.raises(InputError, match=f"task 'made' from a test has {fault}"):
        task.splits()


def test_the_held_out_images_are_the_same_in_any_order_and_copies_stay_together():
    images = some(40)
    images.pixels[20:30] = images.pixels[7]
    splits = hold_out_test(images, 15, "here")
    shuffled = hold_out_test(images.take(np.random.RandomState(1).permutation(40)), 15, "here")
    assert 15 <= len(splits.test) <= 25
    assert len(splits.train) + len(splits.test) == 40
    assert set(splits.test.keys()) == set(shuffled.test.keys())
    assert not set(splits.test.keys()) & set(splits.train.keys())
    assert set(fixed_part(images, 5).keys()) <= set(fixed_part(images, 10).keys())


@pytest.fixture
def mirror(tmp_path, monkeypatch, empty_cache):
    """``mirror(repository, config, split, files, **labels)``: a part of a data set laid out as the hub has it."""
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path / "mirror"))

    def write(repository, config, split, column, files, **labels):
        place = tmp_path / "mirror" / repository / config
        place.mkdir(parents=True, exist_ok=True)
        images = [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(files)]
        notes = {"huggingface": f'{{"info": {{"features": {{"{column}": {{"_type": "Image"}}}}}}}}'}
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        schema = pa.schema([(column, kind), *((name, pa.int64()) for name in labels)], metadata=notes)
        table = pa.table({column: images, **labels}, schema)
        parquet.write_table(table, place / f"{split}-00000-of-00001.parquet")

    (tmp_path / "mirror").mkdir()
    return write


HUB = {
    "cifar10": ("uoft-cs/cifar10", "plain_text", "img", "label", "test", 3),
    "cifar100": ("uoft-cs/cifar100", "cifar100", "img", "fine_label", "test", 3),
    "tiny-imagenet": ("zh-plus/tiny-imagenet", "data", "image", "label", "valid", 3),
    "fashion-mnist": ("zalando-datasets/fashion_mnist", "fashion_mnist", "image", "label", "test", 1),
}


@pytest.mark.parametrize("name", HUB)
def test_tasks_from_a_mirror_in_the_hubs_layout(name, mirror, monkeypatch):
    monkeypatch.setattr(
        vision, "_FASHION_DEB", Archive(package="absent", filename="absent_1.0_all.deb", sha256="0" * 64)
    )
    repository, config, column, label, test_split, channels = HUB[name]
    classes, pixels = len(tasks.get(name).classes), noise(7, channels, 6, 6)
    for split, chosen in (("train", range(5)), (test_split, range(5, 7))):
        labels = {label: [(i * 31) % classes for i in chosen], "other": [0 for _ in chosen]}
        mirror(repository, config, split, column, [encoded(pixels[i]) for i in chosen], **labels)
    splits = uncounted(name)
    assert np.array_equal(splits.train.pixels, pixels[:5])
    assert np.array_equal(splits.test.pixels, pixels[5:])
    assert splits.train.labels.tolist() == [(i * 31) % classes for i in range(5)]
    assert splits.origin == f"mirror of {repository}"
    with pytest.raises(InputError, match=f"task '{name}' .* has 5 training and 2 test examples"):
        tasks.get(name).splits()


def cifar(mirror, files, split="train"):
    mirror("uoft-cs/cifar10", "plain_text", split, "img", files, label=[i % 10 for i in range(len(files))])


def test_jpegs_are_read_as_well(mirror):
    flat = [np.full((3, 8, 8), value, dtype=np.uint8) for value in (10, 200)]
    for split in ("train", "test"):
        cifar(mirror, [encoded(image, "JPEG") for image in flat], split)
    assert [np.unique(image).tolist() for image in uncounted("cifar10").train.pixels] == [[10], [200]]


def test_grey_images_among_tiny_imagenets_become_coloured_and_among_cifars_are_refused(mirror):
    grey = noise(1, 6, 6)
    files = [encoded(noise(3, 6, 6, seed=1)), encoded(grey)]
    for split in ("train", "valid"):
        mirror("zh-plus/tiny-imagenet", "data", split, "image", files, label=[0, 199])
    assert np.array_equal(uncounted("tiny-imagenet").train.pixels[1], grey.repeat(3, axis=0))
    cifar(mirror, files)
    with pytest.raises(InputError, match="image 1 of uoft-cs/cifar10, plain_text/train is L of 6 × 6 pixels; it must"):
        uncounted("cifar10")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"no image at all", "cannot be decoded"),
        (encoded(noise(3, 6, 6))[:60], "cannot be decoded"),
        (encoded(noise(3, 6, 6)).replace(b"IDAT", b"IDAX"), "cannot be decoded"),
        (b"", "cannot be decoded"),
        (None, "cannot be decoded"),
        (encoded(noise(3, 6, 5)), "is RGB of 5 × 6 pixels; it must be RGB of 6 × 6"),
        (encoded(noise(3, 5, 6)), "is RGB of 6 × 5 pixels"),
        (encoded(noise(4, 6, 6)), "is RGBA of 6 × 6 pixels; it must be RGB"),
    ],
)
def test_a_bad_image_is_named_and_nothing_is_kept(bad, reason, mirror, empty_cache):
    good = [encoded(noise(3, 6, 6, seed=seed)) for seed in range(3)]
    cifar(mirror, [*good, bad])
    with pytest.raises(InputError, match=f"image 3 of uoft-cs/cifar10, plain_text/train {reason}") as caught:
        uncounted("cifar10")
    assert "\n" not in str(caught.value)
    assert not [path for path in (empty_cache / "images").iterdir() if path.is_dir()]
    for split in ("train", "test"):
        cifar(mirror, good, split)
    assert len(uncounted("cifar10").train) == 3


def test_images_are_decoded_once_and_anew_when_the_source_changes(mirror, monkeypatch, empty_cache):
    for split in ("train", "test"):
        cifar(mirror, [encoded(image) for image in noise(4, 3, 6, 6)], split)
    first, calls = uncounted("cifar10"), []
    monkeypatch.setattr(vision, "decode_images", lambda *arguments: calls.append(1) or decode_images(*arguments))
    again = uncounted("cifar10")
    assert not calls
    assert (again.train.fingerprint(), again.origin) == (first.train.fingerprint(), first.origin)
    cifar(mirror, [encoded(image) for image in noise(4, 3, 6, 6, seed=1)])
    assert uncounted("cifar10").train.fingerprint() != first.train.fingerprint()
    assert len(calls) == 1
    assert len(list((empty_cache / "images").glob("cifar10-plain_text-train-*"))) == 2


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "another"])
def test_a_damaged_cache_is_made_anew(damage, empty_cache):
    content = "ab" * 32
    images = cached_images("made", content, some)
    file = empty_cache / "images" / "made-abababababababab" / "images.safetensors"
    assert file.stat().st_mode & 0o777 == 0o644
    data = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"cut": data[:100], "flip": data[:-1] + bytes([data[-1] ^ 1]), "another": b""}[damage])
    assert cached_images("made", content, some).fingerprint() == images.fingerprint()
    assert file.read_bytes() == data


def test_an_empty_split_is_refused(mirror):
    cifar(mirror, [])
    with pytest.raises(InputError, match=r"plain_text/train-00000-of-00001\.parquet has no rows"):
        uncounted("cifar10")
    with pytest.raises(InputError, match="no images where image 0 should be"):
        decode_images([], "RGB", lambda i: f"image {i}")


def test_without_pillow_the_way_out_is_named(mirror, monkeypatch):
    cifar(mirror, [encoded(noise(3, 6, 6))])
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match=r"pip install 'essparse\[images\]'"):
        uncounted("cifar10")


def idx(values):
    """An array as MNIST's files have it."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return gzip.compress(bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes())


def fashion(cached, monkeypatch, **changed):
    pixels, labels = noise(9, 28, 28), np.arange(9, dtype=np.uint8)
    members = {
        "train-images-idx3": idx(pixels[:6]),
        "train-labels-idx1": idx(labels[:6]),
        "t10k-images-idx3": idx(pixels[6:]),
        "t10k-labels-idx1": idx(labels[6:]),
    }
    folder = "usr/share/datasets/fashion-mnist"
    named = {f"{folder}/{name}-ubyte.gz": data for name, data in {**members, **changed}.items()}
    monkeypatch.setattr(vision, "_FASHION_DEB", cached("fashion_1.0_all.deb", named))
    return pixels


def test_fashion_mnist_from_an_archive_like_debians(cached, monkeypatch):
    pixels = fashion(cached, monkeypatch)
    splits = uncounted("fashion-mnist")
    assert np.array_equal(splits.train.pixels, pixels[:6, None])
    assert np.array_equal(splits.test.pixels, pixels[6:, None])
    assert splits.train.labels.tolist() == list(range(6))
    assert splits.origin == "fashion_1.0_all.deb"
    vision._FASHION_DEB.path.unlink()
    assert uncounted("fashion-mnist").test.fingerprint() == splits.test.fingerprint()


@pytest.mark.parametrize(
    "bad",
    [b"no gzip", idx(noise(6, 28, 28))[:-40], gzip.compress(b"\0\0\x0d\x01\0\0\0\x01a"), gzip.compress(b"\0\0\x08")],
    ids=["no gzip", "cut short", "not of bytes", "no sizes"],  # a gzip holds the time, and a name must not change
)
def test_a_damaged_idx_file_is_named_and_the_hub_is_tried(bad, cached, monkeypatch):
    fashion(cached, monkeypatch, **{"train-images-idx3": bad})
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz.*; or from the hub: .*zalando"):
        uncounted("fashion-mnist")


def test_elpv_from_an_archive_like_its_package(cached, monkeypatch):
    count = 630
    pixels = noise(count, 1, 6, 9)
    chances = ("0.0", "0.3333333333333333", "0.6666666666666666", "1.0")
    table = "".join(f"images/cell{i:04}.png  {chances[i % 4]}   mono\n" for i in range(count))
    members = {f"elpv_dataset/data/images/cell{i:04}.png": encoded(pixels[i]) for i in range(count)}
    members["elpv_dataset/data/labels.csv"] = table.encode()
    monkeypatch.setattr(vision, "_ELPV", cached("elpv_dataset-1.0-py3-none-any.whl", members))
    splits = uncounted("elpv")
    assert (len(splits.train), len(splits.test)) == (6, 624)
    means = pixels.reshape(count, 1, 2, 3, 3, 3).mean((3, 5)).round().astype(np.uint8)
    expected = {key: int(i % 4 > 1) for i, key in enumerate(Images(means, np.zeros(count, dtype=np.int64)).keys())}
    labels = {
        key: label for part in (splits.train, splits.test) for key, label in zip(part.keys(), part.labels, strict=True)
    }
    assert labels == expected


def test_a_solar_cell_that_is_not_there_is_named(cached, monkeypatch):
    members = {"elpv_dataset/data/labels.csv": b"images/cell0001.png 0.0 mono\n"}
    monkeypatch.setattr(vision, "_ELPV", cached("elpv_dataset-1.0-py3-none-any.whl", members))
    with pytest.raises(InputError, match=r"images/cell0001\.png in elpv_dataset-1\.0.* cannot be decoded"):
        uncounted("elpv")


@pytest.mark.parametrize(
    ("name", "channels", "fingerprint"), [("tiny-shapes", 3, "141ec0abb8442174"), ("tiny-grey", 1, "c5253ec8edf6b390")]
)
def test_the_tiny_tasks_never_change(name, channels, fingerprint):
    splits = tasks.get(name).splits()
    assert (len(splits.train), len(splits.test), splits.train.shape) == (512, 128, (channels, 16, 16))
    assert np.bincount(splits.train.labels, minlength=4).min() > 100
    assert splits.train.fingerprint() == fingerprint


@pytest.mark.parametrize("resample", [2, 3])
@pytest.mark.parametrize(("side", "size"), [(32, 16), (12, 28), (16, 16)])
def test_pixels_are_those_of_transformers_own_processor(side, size, resample):
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    # far from 0 and 255: Pillow cuts off what overshoots in one direction before it goes on in the other
    images = Images(64 + noise(3, 3, side, side) // 2, np.zeros(3, dtype=np.int64))
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    theirs = ViTImageProcessorPil(
        size={"height": size, "width": size}, resample=resample, image_mean=mean, image_std=std
    )(list(images.pixels.transpose(0, 2, 3, 1)), return_tensors="pt")["pixel_values"]
    preprocessing = Preprocessing(
        channels=3,
        size=(size, size),
        patch=(4, 4),
        mean=mean,
        std=std,
        resampling={2: "bilinear", 3: "bicubic"}[resample],
    )
    ours = pictures.encode(images, preprocessing, CPU).input_batch(range(3))["pixel_values"]
    assert ours.dtype == torch.float32
    assert (ours - theirs).abs().max() < 1.5 / 255 / min(std)  # Pillow rounds to 8 bits after each direction


def test_what_overshoots_is_cut_off():
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 1
    pixels = resized(edge, (16, 16), "bicubic")
    assert (pixels.min(), pixels.max()) == (0, 1)
    assert pixels[0, 0, 0].diff().min() > -1e-6
    assert resized(edge, (8, 8), "bicubic") is edge


def test_grey_images_are_repeated_for_each_channel():
    grey = torch.tensor([[[[0, 51], [102, 255]]]], dtype=torch.uint8)
    pixels = normalised(grey, (0.0, 0.5, 0.2), (1.0, 0.5, 0.1))
    assert pixels.shape == (1, 3, 2, 2)
    assert torch.allclose(pixels[0, 0].flatten(), torch.tensor([0.0, 0.2, 0.4, 1.0]))
    assert torch.allclose(pixels[0, 1].flatten(), torch.tensor([-1.0, -0.6, -0.2, 1.0]))
    assert torch.allclose(pixels[0, 2].flatten(), torch.tensor([-2.0, 0.0, 2.0, 8.0]))
    assert torch.equal(normalised(grey / 255, (0.5,), (0.5,)), normalised(grey, (0.5,), (0.5,)))


def test_a_batch_holds_the_images_that_are_asked_for_with_their_labels():
    images = some(9, side=8, classes=5)
    data = pictures.encode(images, SQUARE, CPU)
    batch = data.batch(np.array([7, 0, 3]))
    assert set(batch) == {"pixel_values", "labels"}
    assert batch["labels"].tolist() == [2, 0, 3]
    expected = torch.from_numpy(images.pixels[[7, 0, 3]]) / 127.5 - 1
    assert torch.allclose(batch["pixel_values"], expected, atol=1e-6)
    assert torch.equal(data.input_batch([7, 0, 3])["pixel_values"], batch["pixel_values"])


def test_pixels_stay_in_8_bits_and_are_not_copied():
    images = some(9, side=8)
    data = pictures.encode(images, SQUARE, CPU)
    assert data.pixels.dtype == torch.uint8
    assert data.pixels.data_ptr() == images.pixels.ctypes.data
    assert len(data) == len(data.lengths) == 9


def test_an_epoch_of_images_is_a_plain_shuffle():
    data = pictures.encode(some(100, side=8), SQUARE, CPU)
    batches = list(shuffled(data.lengths, 20, np.random.default_rng(0)))
    order = np.random.default_rng(0).permutation(100)
    assert {tuple(batch) for batch in batches} == {tuple(part) for part in order.reshape(5, 20)}


def test_colours_are_not_for_a_model_that_sees_none_and_greys_are_for_all():
    grey = dataclasses.replace(SQUARE, channels=1, mean=(0.5,), std=(0.5,))
    with pytest.raises(InputError, match="'grey-vit' reads images of 1 channel, but the task's have 3"):
        pictures.check(some(side=8), grey, "grey-vit")
    for preprocessing in (grey, SQUARE):
        pictures.check(some(channels=1, side=8), preprocessing, "a-vit")


@pytest.mark.parametrize("patch", [(3, 4), (4, 3), (16, 16)])
def test_patches_that_do_not_divide_the_image_are_refused(patch):
    with pytest.raises(InputError, match=rf"images of 8 × 8 into patches of {patch[0]} × {patch[1]}, which do not"):
        pictures.check(some(), dataclasses.replace(SQUARE, patch=patch), "a-vit")
    pictures.check(some(), SQUARE, "a-vit")


# ── trials ────────────────────────────────────────────────────────────────────────────────────────────────────────────

FEW = Training(epochs=2, batch_size=16, learning_rate=1e-2, max_train=64, max_test=32)


@pytest.fixture(autouse=True)
def forgotten():
    """Data that another test has put in a task's place is not kept."""
    workbench.renew()
    yield
    workbench.renew()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["tiny-vit", "tiny-dino"])
def test_a_tiny_model_learns_the_tiny_shapes(model):
    record = trial_runner.execute(
        Trial(
            model=model,
            task="tiny-shapes",
            seed=0,
            training=Training(epochs=5, batch_size=16, learning_rate=5e-3),
            pruning=Pruning(sparsity=0.5),
        )
    )
    assert record.status == "ok", record.reason
    assert record.metrics["accuracy"] > 80  # of 4 classes
    assert record.metrics["zeros"] == record.metrics["prunable"] // 2 == 8192
    assert (len(record.predictions), len(record.labels)) == (128, 128)
    assert record.provenance["data_from"] == "made here"


@pytest.mark.slow
def test_grey_images_are_learned_by_a_model_for_colours():
    record = trial_runner.execute(
        Trial(
            model="tiny-vit", task="tiny-grey", seed=0, training=Training(epochs=5, batch_size=16, learning_rate=5e-3)
        )
    )
    assert record.status == "ok", record.reason
    assert record.metrics["accuracy"] > 60


def test_the_same_seed_twice_is_the_same_record_and_another_is_not():
    trial = Trial(model="tiny-vit", task="tiny-shapes", seed=1, training=FEW, pruning=Pruning(sparsity=0.3))
    one, two = trial_runner.execute(trial), trial_runner.execute(trial)
    other = trial_runner.execute(dataclasses.replace(trial, seed=2))
    assert one.metrics == two.metrics
    assert one.predictions == two.predictions
    assert one.labels == other.labels
    assert one.metrics["final_loss"] != other.metrics["final_loss"]


def test_all_training_images_are_encoded_once_for_all_seeds_and_a_part_for_each():
    bench = workbench.Workbench()
    whole = [
        bench.train_examples(
            Trial(
                model="tiny-vit",
                task="tiny-shapes",
                seed=seed,
                training=Training(epochs=1, batch_size=8, learning_rate=1e-3),
            )
        )
        for seed in (0, 1)
    ]
    assert whole[0] is whole[1]
    assert len(whole[0]) == 512
    part = [
        bench.train_examples(Trial(model="tiny-vit", task="tiny-shapes", seed=seed, training=FEW)) for seed in (0, 1)
    ]
    assert [len(data) for data in part] == [64, 64]
    assert not torch.equal(part[0].pixels, part[1].pixels)


@pytest.mark.parametrize(
    ("model", "task", "length", "reason"),
    [
        ("tiny-bert", "tiny-shapes", 0, r"\(bert\) has no image-classification head"),
        ("tiny-vit", "tiny-sentiment", 32, r"\(vit\) has no sequence-classification head"),
        ("tiny-vit", "tiny-questions", 32, r"\(vit\) has no question-answering head"),
        ("tiny-vit", "tiny-shapes", 32, "max_length 32 is not allowed: images have no tokens"),
        ("tiny-bert", "tiny-sentiment", 0, "max_length 0 is not allowed: give the tokens kept of a text"),
        ("tiny-bert", "tiny-questions", 0, "max_length 0 is not allowed: give the tokens kept of a text"),
    ],
)
def test_a_model_and_a_task_that_do_not_fit_are_refused_before_anything_is_tried(model, task, length, reason):
    trial = Trial(model=model, task=task, seed=0, training=dataclasses.replace(FEW, max_length=length))
    for attempt in (trial_runner.prepare, trial_runner.execute):
        with pytest.raises(InputError, match=reason):
            attempt(trial)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"num_channels": 1}, "reads images of 1 channel, but the task's have 3"),
        ({"image_size": 14}, "images of 14 × 14 into patches of 4 × 4, which do not divide them"),
    ],
)
def test_a_model_whose_pixels_do_not_fit_is_refused_before_anything_is_tried(changed, reason, tmp_path):
    from transformers import ViTConfig, ViTModel

    shape = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, patch_size=4)
    ViTModel(ViTConfig(**{**shape, "image_size": 16, **changed})).save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "preprocessor_config.json").write_text("{}")
    with pytest.raises(InputError, match=reason):
        trial_runner.prepare(Trial(model=str(tmp_path / "model"), task="tiny-shapes", seed=0, training=FEW))


def test_with_many_classes_a_record_keeps_which_images_were_told(monkeypatch):
    monkeypatch.setattr(metrics, "MEANS", frozenset({"f1", "top1"}))
    images = Images(noise(50, 3, 16, 16), np.arange(50) * 4)
    task = dataclasses.replace(tasks.get("tiny-imagenet"), load=lambda: Splits(images, images, "made"), counts=None)
    assert task.metric == "top1"
    model = loading.load_with_head("tiny-vit", task.head, 200, seed=0)
    data = TASK_HEADS[task.head].encode(images, "tiny-vit", 0)
    with torch.no_grad():
        said = model(**data.batch(range(50))).logits.argmax(-1).numpy()
    data.targets["labels"][:20] = said[:20]  # so that some are right
    scored = TASK_HEADS[task.head].score(model, task, data, accelerator())
    right = data.targets["labels"] == said
    assert scored.metrics == {"top1": 100 * right.mean()}
    assert scored.labels == ""
    assert metrics.shares(scored.predictions).tolist() == right.tolist()
