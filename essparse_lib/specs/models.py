"""The named models: what each reads, how large it is and where the hub has it, in one row a model; no weights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reads(StrEnum):
    """What a model, or the examples of a task, are made of."""

    TEXTS = "texts"
    IMAGES = "images"


@dataclass(frozen=True)
class Shape:
    """A transformer's blocks.

    Attributes:
        layers: the number of blocks.
        hidden: the width of the hidden states, which pass from block to block.
        inner: the width inside the feed-forward layer; None if it is four times the hidden width.
        gated: whether the feed-forward layer has a third matrix, whose outputs multiply those of the first, as Llama's.
        keys: the width of the keys and of the values; None for the hidden width.
    """

    layers: int
    hidden: int
    inner: int | None = None
    gated: bool = False
    keys: int | None = None

    @property
    def parameters(self) -> int:
        """The number of weights in the blocks' matrices.

        >>> Shape(layers=12, hidden=768).parameters
        84934656
        >>> Shape(layers=32, hidden=4096, inner=11_008, gated=True).parameters
        6476005376
        """
        inner = 4 * self.hidden if self.inner is None else self.inner
        keys = self.hidden if self.keys is None else self.keys
        return self.layers * self.hidden * (2 * self.hidden + 2 * keys + (3 if self.gated else 2) * inner)


@dataclass(frozen=True, kw_only=True)
class NamedModel:
    """A row for a named model.

    Attributes:
        name: as in trials, in records and on the command line.
        reads: texts or images.
        shape: its blocks, or None where they are not known.
        repository: its id on the hub, ``owner/name``; empty where the hub does not have these weights.
        revision: the commit on the hub.
    """

    name: str
    reads: Reads = Reads.TEXTS
    shape: Shape | None = None
    repository: str = ""
    revision: str = ""


#: Shapes from Devlin et al. 2019, arXiv 1810.04805, §3; Liu et al. 2019, arXiv 1907.11692, §3.1; Zhang et al. 2022,
#: arXiv 2205.01068, Table 1; Dosovitskiy et al. 2021, arXiv 2010.11929, Table 1; Caron et al. 2021, arXiv 2104.14294,
#: Table 1; Touvron et al. 2023, arXiv 2302.13971, Table 2 (LLaMA, which Vicuna was trained from; the inner width is its
#: configuration's); and SmolLM2's configuration.
MODELS: dict[str, NamedModel] = {
    row.name: row
    for row in (
        NamedModel(
            name="minilm-l6",
            shape=Shape(6, 384),
            repository="sentence-transformers/all-MiniLM-L6-v2",
            revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        ),
        NamedModel(
            name="mpnet-base",
            shape=Shape(12, 768),
            repository="sentence-transformers/all-mpnet-base-v2",
            revision="e8c3b32edf5434bc2275fc9bab85f82640a19130",
        ),
        # the hub has the model, but not in these 4-bit weights
        NamedModel(name="smollm2-135m", shape=Shape(30, 576, inner=1536, gated=True, keys=192)),
        NamedModel(
            name="vicuna-7b-v1.3",
            shape=Shape(32, 4096, inner=11_008, gated=True),
            repository="lmsys/vicuna-7b-v1.3",
            revision="236eeeab96f0dc2e463f2bebb7bb49809279c6d6",
        ),
        NamedModel(
            name="bert-base-uncased",
            shape=Shape(12, 768),
            repository="google-bert/bert-base-uncased",
            revision="86b5e0934494bd15c9632b12f734a8a67f723594",
        ),
        NamedModel(
            name="roberta-base",
            shape=Shape(12, 768),
            repository="FacebookAI/roberta-base",
            revision="e2da8e2f811d1448a5b465c236feacd80ffbac7b",
        ),
        NamedModel(
            name="bert-large-uncased",
            shape=Shape(24, 1024),
            repository="google-bert/bert-large-uncased",
            revision="6da4b6a26a1877e173fca3225479512db81a5e5b",
        ),
        NamedModel(
            name="opt-125m",
            shape=Shape(12, 768),
            repository="facebook/opt-125m",
            revision="27dcfa74d334bc871f3234de431e71c6eeba5dd6",
        ),
        NamedModel(
            name="opt-350m",
            shape=Shape(24, 1024),
            repository="facebook/opt-350m",
            revision="08ab08cc4b72ff5593870b5d527cf4230323703c",
        ),
        NamedModel(
            name="opt-1.3b",
            shape=Shape(24, 2048),
            repository="facebook/opt-1.3b",
            revision="3f5c25d0bc631cb57ac65913f76e22c2dfb61d62",
        ),
        NamedModel(
            name="vit-base-patch16-224",
            reads=Reads.IMAGES,
            shape=Shape(12, 768),
            repository="google/vit-base-patch16-224",
            revision="3f49326eb077187dfe1c2a2bb15fbd74e6ab91e3",
        ),
        NamedModel(
            name="vit-large-patch16-224",
            reads=Reads.IMAGES,
            shape=Shape(24, 1024),
            repository="google/vit-large-patch16-224",
            revision="08f1cf27e8006aab2d85e36f374c24cf7f6be1f3",
        ),
        NamedModel(
            name="dino-vitb16",
            reads=Reads.IMAGES,
            shape=Shape(12, 768),
            repository="facebook/dino-vitb16",
            revision="f205d5d8e640a89a2b8ef0369670dfc37cc07fc2",
        ),
        # made by this package, for tests; what makes them knows their place and revision
        *(NamedModel(name=name) for name in ("tiny-bert", "tiny-mpnet", "tiny-opt", "tiny-opt-lm", "tiny-llama")),
        *(NamedModel(name=name, reads=Reads.IMAGES) for name in ("tiny-vit", "tiny-dino")),
    )
}
