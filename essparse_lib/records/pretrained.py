"""The models that are trained from scratch here, by scale and name; and what any model reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..specs.models import MODELS, Reads
from ..specs.pretraining import Architecture, ImagePretraining, ObjectiveKind, Pretraining, TextPretraining
from .documents import read_document
from .store import Store, results

#: Figure 8's parts of the corpus, and which of them are trained with a second seed.
VOLUMES = (1.0, 0.9, 0.8, 0.7, 0.6)
TWICE = (1.0, 0.6)


def _volumes(largest: TextPretraining, volumes: tuple[float, ...] = VOLUMES) -> list[TextPretraining]:
    """Return a model for each part of the corpus, with the same number of steps; for some of them with two seeds."""
    return [
        replace(largest, model=f"{largest.model}-{100 * fraction:.0f}-{seed}", fraction=fraction, seed=seed)
        for seed in (0, 1)
        for fraction in volumes
        if seed == 0 or fraction in TWICE
    ]


def _objectives(supervised: ImagePretraining, changes: Mapping[str, dict[str, Any]]) -> list[ImagePretraining]:
    """Return a model for each change of the supervised pre-training, on the same images, with two seeds each."""
    return [
        replace(supervised, model=f"{supervised.model}-{name}-{seed}", seed=seed, **changed)
        for seed in (0, 1)
        for name, changed in changes.items()
    ]


_TINY = TextPretraining(
    model="tiny-scratch",
    architecture=Architecture.BERT,
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
    objective=ObjectiveKind.SUPERVISED,
    layers=2,
    hidden=32,
    heads=2,
    task="tiny-shapes",
    patch=4,
    batch_size=32,
    steps=100,
    learning_rate=3e-3,
)
_TINY_FRESH = replace(_TINY_VIT, model="tiny-scratch-fresh-0", steps=0)
_TINY_DINO = dict(objective=ObjectiveKind.DINO, outputs=64, small_views=2, momentum=0.9)

#: BERT's proportions at a size that two cores train in less than an hour; as with BERT-tiny (Turc et al. 2019,
#: arXiv 1908.08962) two blocks of width 128, with a vocabulary that suits the corpus and blocks as long as the texts of
#: the tasks. The initial weights are as large, for the width, as BERT-base's: 0.02 · √(768/128). With BERT's 0.02, and
#: with longer blocks, the model long learns no more than which words go together.
_LAB = TextPretraining(
    model="bert-2x128",
    architecture=Architecture.BERT,
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
_LAB_OPT = replace(_LAB, model="opt-2x128", architecture=Architecture.OPT)

#: A third of the depth of DeiT-Ti (Touvron et al. 2021, arXiv 2012.12877), at its width, with patches that suit images
#: of 32 × 32: 512,000 images, ten passes over CIFAR-10. The initial weights are as large, for the width, as
#: ViT-Base's: 0.02 · √(768/192). ``long`` is the supervised training with as many steps as take the time of DINO's,
#: whose views cost four times as much: 4.02, of 3.92 to 4.14 in five repeats of benchmarks/vision.py.
_LAB_VIT = ImagePretraining(
    model="vit-4x192",
    objective=ObjectiveKind.SUPERVISED,
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
#: The weights that the first supervised model begins with, and nothing learned: the floor of Figure 6.
_LAB_FRESH = replace(_LAB_VIT, model="vit-4x192-fresh-0", steps=0)
_LAB_OBJECTIVES: dict[str, dict[str, Any]] = {
    "supervised": {},
    "dino": dict(objective=ObjectiveKind.DINO),
    "long": dict(steps=32_000),
    "masked": dict(objective=ObjectiveKind.MASKED),
}

#: bert-base on bookcorpus for 50,000 steps is all that the paper says. The rest is BERT's own (Devlin et al. 2019),
#: with the shorter of its two lengths.
_PAPER = TextPretraining(
    model="bert-12x768",
    architecture=Architecture.BERT,
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
    scale: {spec.model: spec for spec in models}
    for scale, models in {
        "tiny": (*_volumes(_TINY, TWICE), *_objectives(_TINY_VIT, {"supervised": {}, "dino": _TINY_DINO}), _TINY_FRESH),
        "lab": (*_volumes(_LAB), _LAB_OPT, *_objectives(_LAB_VIT, _LAB_OBJECTIVES), _LAB_FRESH),
        "paper": _volumes(_PAPER),
    }.items()
}


def language_models(scale: str) -> dict[str, TextPretraining]:
    """Return the specs of a scale's language models, by name."""
    return {name: spec for name, spec in PRETRAINED[scale].items() if isinstance(spec, TextPretraining)}


def vision_models(scale: str) -> dict[str, ImagePretraining]:
    """Return the specs of a scale's vision transformers, by name."""
    return {name: spec for name, spec in PRETRAINED[scale].items() if isinstance(spec, ImagePretraining)}


def from_scratch(scale: str, models: Iterable[str]) -> dict[str, Pretraining]:
    """Return the specs of those of the models that are trained here, by name."""
    return {model: PRETRAINED[scale][model] for model in models if model in PRETRAINED[scale]}


#: By model, the scale that it belongs to.
SCALE_OF = {name: scale for scale, models in PRETRAINED.items() for name in models}


def store_of(name: str) -> Store:
    """Return the store that the records, and the weights, of a model that is trained here belong to."""
    return results(SCALE_OF[name])


def folder_of(name: str) -> Path | None:
    """Return the folder of a model that is trained here, for ``from_pretrained``; None if it is not there yet."""
    store = store_of(name)
    folders = [store.pretrained(name)]
    if store.installed:
        folders.append(Store(store.installed).pretrained(name))
    return next((folder for folder in folders if folder.is_dir()), None)


def reads(model: str) -> Reads | None:
    """Return whether a model reads texts or images; None where nothing is known of it.

    Known are the models that are trained here, the named ones, and those in a local folder whose ``config.json`` tells.

    Args:
        model: a name, an id on the hub, or a folder: relative, absolute, or from ``~``.
    """
    if model in SCALE_OF:
        return PRETRAINED[SCALE_OF[model]][model].reads
    if model in MODELS:
        return MODELS[model].reads
    try:
        config = read_document(Path(model).expanduser() / "config.json", dict[str, Any], "")
    except (RuntimeError, ValueError):  # no such home; no such file, or none that holds JSON (an InputError)
        return None
    return _config_reads(config)


#: What a configuration has at its top where a model reads images alone.
_OF_IMAGES = ("image_size", "num_channels", "patch_size")


def _config_reads(config: Mapping[str, Any]) -> Reads | None:
    """Return what a model with this configuration reads; None for one of both, or of neither."""
    of_texts = "vocab_size" in config
    of_images = any(name in config for name in _OF_IMAGES)
    if of_texts == of_images:
        return None
    return Reads.IMAGES if of_images else Reads.TEXTS
