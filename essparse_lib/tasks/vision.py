"""Read image tasks from the hub or package archives: CIFAR, Fashion-MNIST, Tiny ImageNet and solar cells."""

from __future__ import annotations

import math
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from ..errors import InputError, shown
from ..files import sha256_of_files
from ..sources import tiny
from ..sources.archives import Archive, read, read_all
from ..sources.foreign import reading
from ..sources.hub import Repository, parquet_files
from ..sources.parquet import Content, read_columns
from .images import Images, cached_images, decode_images
from .task import Splits, Task, hold_out_test

_CIFAR10 = Repository("uoft-cs/cifar10", "0b2714987fa478483af9968de7c934580d0bb9a2", "dataset")
_CIFAR100 = Repository("uoft-cs/cifar100", "aadb3af77e9048adbea6b47c21a81e47dd092ae5", "dataset")
_FASHION = Repository("zalando-datasets/fashion_mnist", "531be5e2ccc9dba0c201ad3ae567a4f3d16ecdd2", "dataset")
_TINY_IMAGENET = Repository("zh-plus/tiny-imagenet", "5a77092c28e51558c5586e9c5eb71a7e17a5e43f", "dataset")
_TINY = Repository(tiny.IMAGES, tiny.REVISION, "dataset")
_FASHION_DEB = Archive(
    package="dataset-fashion-mnist",
    filename="dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
    sha256="39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    size=30_900_652,
    unpacked=85_911_579,
)
_ELPV = Archive(
    package="elpv-dataset",
    filename="elpv_dataset-1.0.0.post1-py3-none-any.whl",
    sha256="85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c",
    size=90_801_454,
    unpacked=90_654_277,
)
#: Solar cells are stored smaller by this factor: 3 × 3 pixels become their mean, and 300 × 300 pixels 100 × 100.
_ELPV_SHRUNK = 3

_CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_CIFAR100_CLASSES = tuple(
    """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm""".split()
)


def _from_hub(
    repository: Repository,
    config: str,
    columns: tuple[str, str],
    test_split: str = "test",
    mode: str = "RGB",
    converted: str = "",
) -> Splits:
    """Return the images of a repository in the hub's layout.

    Args:
        repository: the data set's repository.
        config: name of the configuration.
        columns: names of the columns that hold images and labels.
        test_split: name of the split to evaluate on.
        mode: Pillow's mode of the images: ``L`` for grey, ``RGB``.
        converted: another mode that images may have; these are converted to ``mode``.
    """

    def images(split: str) -> tuple[Images, str]:
        files, origin = parquet_files(repository, config, split)

        def read_rows() -> Images:
            contents = dict(zip(columns, (Content.IMAGE, Content.LABEL), strict=True))
            encoded, labels = read_columns(repository, config, split, contents)[0].values()
            source = f"{repository.id}, {config}/{split}"
            pixels = decode_images(encoded, mode, lambda position: f"image {position} of {source}", converted)
            with reading(source):  # a number may be too large
                return Images(pixels, np.array(labels, dtype=np.int64))

        name = f"{PurePosixPath(repository.id).name}-{config}-{split}"
        return cached_images(name, sha256_of_files(files), read_rows), origin

    train, origin = images("train")
    test, _ = images(test_split)
    return Splits(train, test, origin)


def _fashion_mnist() -> Splits:
    """Return Fashion-MNIST from the Debian package, or else from the hub."""

    def images(part: str) -> Images:
        return cached_images(f"fashion-mnist-{part}", _FASHION_DEB.sha256, partial(_idx, part))

    try:
        train, test = images("train"), images("t10k")
        return Splits(train, test, _FASHION_DEB.filename)
    except InputError as no_archive:
        try:
            return _from_hub(_FASHION, "fashion_mnist", ("image", "label"), mode="L")
        except InputError as no_hub:
            raise InputError(f"task 'fashion-mnist': {no_archive}; or from the hub: {no_hub}") from no_hub


def _idx(part: str) -> Images:
    """Return one part of Fashion-MNIST, whose files have the format of MNIST."""
    folder = "usr/share/datasets/fashion-mnist"
    pixels = _idx_array(f"{folder}/{part}-images-idx3-ubyte.gz", dimensions=3)
    labels = _idx_array(f"{folder}/{part}-labels-idx1-ubyte.gz", dimensions=1)
    if len(pixels) != len(labels):
        raise InputError(f"{_FASHION_DEB.filename} has {len(pixels)} images but {len(labels)} labels in {part}")
    return Images(pixels[:, None], labels.astype(np.int64))


def _idx_array(member: str, dimensions: int) -> np.ndarray:
    """Return a file in MNIST's format as an array: a magic number, big-endian sizes, then a byte a value."""
    name = f"{member} in {_FASHION_DEB.filename}"
    data = read(_FASHION_DEB, member, gunzip=True)
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(data[place : place + 4]) for place in range(4, start, 4)]
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) != start + math.prod(shape):
        raise InputError(
            f"{name} is not in the IDX format: no unsigned bytes of the size that is stated; fetch it anew"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _elpv() -> Splits:
    return hold_out_test(cached_images(f"elpv-{_ELPV_SHRUNK}", _ELPV.sha256, _cells), test=624, origin=_ELPV.filename)


def _cells() -> Images:
    """Return the solar cells, imaged under current; defective are those with a probability of 2/3 or 1 by experts."""
    members = read_all(_ELPV, "elpv_dataset/data/")
    names, probabilities = _rows(members.get("labels.csv", b""))
    pixels = decode_images(
        [members.get(name) for name in names], "L", lambda position: f"{names[position]} in {_ELPV.filename}"
    )
    images, channels, height, width = pixels.shape
    step = _ELPV_SHRUNK
    if height % step or width % step:
        raise InputError(f"{_ELPV.filename} has images of {width} × {height} pixels, which {step} must divide")
    blocks = pixels.reshape(images, channels, height // step, step, width // step, step)
    means = (blocks.sum((3, 5), dtype=np.uint16) + step**2 // 2) // step**2  # to the nearest
    return Images(means.astype(np.uint8), (np.array(probabilities) >= 0.5).astype(np.int64))


def _rows(table: bytes) -> tuple[list[str], list[float]]:
    """Return the names of the solar cells' files, and how probable it is that the cell is defective."""
    names, probabilities = [], []
    for line in table.decode(errors="replace").splitlines():
        name, probability, *_ = (*line.split(), "", "")
        if name:
            with reading(f"labels.csv in {_ELPV.filename}"):
                names.append(name)
                probabilities.append(float(probability))
            if not 0 <= probabilities[-1] <= 1:  # nor NaN
                raise InputError(f"labels.csv in {_ELPV.filename} has probability {shown(probability)}: fetch it anew")
    if not names:
        raise InputError(f"labels.csv in {_ELPV.filename} names no images: fetch it anew")
    return names, probabilities


TASKS = (
    Task.named(
        "cifar10",
        classes=_CIFAR10_CLASSES,
        load=lambda: _from_hub(_CIFAR10, "plain_text", ("img", "label")),
        source=f"{_CIFAR10.id} (Krizhevsky 2009); no licence stated by its author",
    ),
    Task.named(
        "fashion-mnist",
        classes=_FASHION_CLASSES,
        load=_fashion_mnist,
        source="Photographs of clothes (Xiao et al. 2017), Debian package dataset-fashion-mnist, MIT",
    ),
    Task.named(
        "elpv",
        classes=("functional", "defective"),
        load=_elpv,
        source="Solar cells (Buerhop-Lutz et al. 2018), package elpv-dataset, CC BY-NC-SA 4.0",
    ),
    Task.named(
        "cifar100",
        classes=_CIFAR100_CLASSES,
        load=lambda: _from_hub(_CIFAR100, "cifar100", ("img", "fine_label")),
        source=f"{_CIFAR100.id} (Krizhevsky 2009); no licence stated by its author",
    ),
    Task.named(
        "tiny-imagenet",
        classes=tuple(f"class {number}" for number in range(200)),  # WordNet's ids in their order
        load=lambda: _from_hub(_TINY_IMAGENET, "data", ("image", "label"), "valid", converted="L"),
        source=f"{_TINY_IMAGENET.id} (Le and Yang 2015), evaluated on valid; ImageNet's terms, for research",
    ),
    Task.named(
        "tiny-shapes",
        classes=tiny.SHAPES,
        load=lambda: _from_hub(_TINY, "colour", ("image", "label")),
        source=f"{_TINY.id} (colour), made by this package",
    ),
    Task.named(
        "tiny-grey",
        classes=tiny.SHAPES,
        load=lambda: _from_hub(_TINY, "grey", ("image", "label"), mode="L"),
        source=f"{_TINY.id} (grey), made by this package",
    ),
)
