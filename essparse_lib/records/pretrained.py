"""The models that are trained from scratch here, on text and on images: how, by scale and name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..specs.pretraining import ImagePretraining, Pretraining, TextPretraining
from .store import Store, results

#: Figure 8's parts of the corpus, and which of them are trained with a second seed.
VOLUMES = (1.0, 0.9, 0.8, 0.7, 0.6)
TWICE = (1.0, 0.6)


def _volumes(largest: TextPretraining, volumes: tuple[float, ...] = VOLUMES) -> list[TextPretraining]:
    """A model on each part of the corpus, with the same number of steps; on some of them with two seeds."""
    return [
        replace(largest, model=f"{largest.model}-{100 * fraction:.0f}-{seed}", fraction=fraction, seed=seed)
        for seed in (0, 1)
        for fraction in volumes
        if seed == 0 or fraction in TWICE
    ]


def _ways(supervised: ImagePretraining, ways: Mapping[str, dict[str, Any]]) -> list[ImagePretraining]:
    """A model for each way to train on the same images, with two seeds each."""
    return [
        replace(supervised, model=f"{supervised.model}-{way}-{seed}", seed=seed, **changed)
        for seed in (0, 1)
        for way, changed in ways.items()
    ]


_TINY = TextPretraining(
    model="tiny-scratch",
    architecture="bert",
    layers=2,
    hidden=32,
    heads=2,
    corpus="tiny-corpus",
    vocabulary=128,
    length=32,
    batch_size=32,
    steps=120,
    learning_rate=1e-2,
)
_TINY_VIT = ImagePretraining(
    model="tiny-scratch",
    objective="supervised",
    layers=2,
    hidden=32,
    heads=2,
    task="tiny-shapes",
    patch=4,
    batch_size=32,
    steps=100,
    learning_rate=3e-3,
)
_TINY_DINO = dict(objective="dino", outputs=64, small_views=2, momentum=0.9)

#: BERT's proportions at a size that two cores train in less than an hour; as with BERT-tiny (Turc et al. 2019,
#: arXiv 1908.08962) two blocks of width 128, with a vocabulary that suits the corpus and blocks as long as the texts of
#: the tasks. The initial weights are as large, for the width, as BERT-base's: 0.02 · √(768/128). With BERT's 0.02, and
#: with longer blocks, the model long learns no more than which words go together.
_LAB = TextPretraining(
    model="bert-2x128",
    architecture="bert",
    layers=2,
    hidden=128,
    heads=2,
    corpus="packaged-english",
    vocabulary=4096,
    length=64,
    batch_size=64,
    steps=16_000,
    learning_rate=1e-3,
    warmup=0.02,
    initial=0.05,
)
_LAB_OPT = replace(_LAB, model="opt-2x128", architecture="opt")

#: A third of the depth of DeiT-Ti (Touvron et al. 2021, arXiv 2012.12877), at its width, with patches that suit images
#: of 32 × 32: 512,000 images, ten passes over CIFAR-10. The initial weights are as large, for the width, as
#: ViT-Base's: 0.02 · √(768/192). ``long`` is the supervised training with as many steps as take the time of DINO's,
#: whose views cost four times as much: 4.02, of 3.92 to 4.14 in five repeats of benchmarks/vision.py.
_LAB_VIT = ImagePretraining(
    model="vit-4x192",
    objective="supervised",
    layers=4,
    hidden=192,
    heads=3,
    task="cifar10",
    patch=4,
    batch_size=64,
    steps=8000,
    learning_rate=1e-3,
    initial=0.04,
)
_LAB_WAYS: dict[str, dict[str, Any]] = {
    "supervised": {},
    "dino": dict(objective="dino"),
    "long": dict(steps=32_000),
    "masked": dict(objective="masked"),
}

#: bert-base on bookcorpus for 50,000 steps is all that the paper says. The rest is BERT's own (Devlin et al. 2019),
#: with the shorter of its two lengths.
_PAPER = TextPretraining(
    model="bert-12x768",
    architecture="bert",
    layers=12,
    hidden=768,
    heads=12,
    corpus="bookcorpus",
    vocabulary=30522,
    length=128,
    batch_size=256,
    steps=50_000,
    learning_rate=1e-4,
    warmup=0.02,
    dropout=0.1,
)

PRETRAINED: dict[str, dict[str, Pretraining]] = {
    scale: {asked.model: asked for asked in models}
    for scale, models in {
        "tiny": (*_volumes(_TINY, TWICE), *_ways(_TINY_VIT, {"supervised": {}, "dino": _TINY_DINO})),
        "lab": (*_volumes(_LAB), _LAB_OPT, *_ways(_LAB_VIT, _LAB_WAYS)),
        "paper": _volumes(_PAPER),
    }.items()
}


def texts(scale: str) -> dict[str, TextPretraining]:
    """Of a scale the language models, by name."""
    return {name: asked for name, asked in PRETRAINED[scale].items() if isinstance(asked, TextPretraining)}


def images(scale: str) -> dict[str, ImagePretraining]:
    """Of a scale the vision transformers, by name."""
    return {name: asked for name, asked in PRETRAINED[scale].items() if isinstance(asked, ImagePretraining)}


def from_scratch(scale: str, models: Iterable[str]) -> dict[str, Pretraining]:
    """How those of the models that are trained here are trained, by name."""
    return {model: PRETRAINED[scale][model] for model in models if model in PRETRAINED[scale]}


#: The scale that a model of each name belongs to.
SCALES = {name: scale for scale, models in PRETRAINED.items() for name in models}


def store_of(name: str) -> Store:
    """Where the records, and the weights, of a model that is trained here belong."""
    return results(SCALES[name])


def folder_of(name: str) -> Path | None:
    """The folder of a model that is trained here, as ``from_pretrained`` loads it; None if it is not there yet."""
    store = store_of(name)
    places = [store.pretrained(name), *([Store(store.installed).pretrained(name)] if store.installed else [])]
    return next((place for place in places if place.is_dir()), None)
