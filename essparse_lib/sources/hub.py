"""Get repositories of the Hugging Face hub, or of folders laid out like it, at a pinned revision as local folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import environment
from ..errors import InputError
from ..files import disk_refuses
from . import gathering, tiny

#: Patterns of what a model needs besides its weights: configuration, processors and tokenizer, never code.
_TEXT_FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "*.spm")
#: Patterns of what goes with a model wherever it goes: its card and its licence.
_PAPERS = ("*.md", "LICENSE*", "LICENCE*", "NOTICE*")


@dataclass(frozen=True)
class Repository:
    """A repository of the hub at one revision.

    Attributes:
        id: name of the repository, ``owner/name``.
        revision: a commit hash. A branch's name such as ``main`` works, but is not reproducible.
        kind: type of the repository: ``model`` or ``dataset``.
    """

    id: str
    revision: str
    kind: Literal["model", "dataset"] = "model"


def mirror_folders() -> list[Path]:
    """Return the folders laid out like the hub that are tried before it.

    They are those of ``$ESSPARSE_MIRROR`` (several with ``:``), and one in the cache where that was gathered.

    Raises:
        InputError: the variable names something that is no folder.
    """
    gathered = gathering.mirror_folder()
    return [*environment.mirrors(), *([gathered] if gathered.is_dir() else [])]


def repository_folder(
    repository: Repository, patterns: Sequence[str], optional: Sequence[str] = ()
) -> tuple[Path, str]:
    """Return a local folder with the files of a repository that match patterns; they are fetched if needed.

    Args:
        repository: the repository, which may be one that this package makes up (``tiny``).
        patterns: patterns of file names, relative to the repository.
        optional: patterns of files that come along; a mirror that has such files alone does not have the repository.

    Returns:
        The folder, and where it comes from, in words (for the record of a trial).

    Raises:
        InputError: the repository is in no mirror, not in the hub's cache, and the hub lacks it or cannot be reached.
    """
    if repository.id.startswith(tiny.OWNER + "/"):
        return tiny.folder(repository.id), "made here"
    for mirror in mirror_folders():
        mirrored = mirror / repository.id
        if any(match for pattern in patterns for match in mirrored.glob(pattern)):
            local = gathering.kept(mirrored, gathering.mirror_folder() / repository.id, (*patterns, *optional))
            return local, f"mirror of {repository.id}"
    return _snapshot(repository, (*patterns, *optional)), f"hub {repository.id}@{repository.revision}"


def model_folder(repository: Repository, pickled: bool = False) -> tuple[Path, str]:
    """Return a local folder with a model's configuration, tokenizer, licence and weights as safetensors.

    Args:
        repository: the model's repository.
        pickled: whether pickled weights are fetched where the hub has no others; a mirror must have others.

    Returns:
        The folder, and where it comes from, in words.

    Raises:
        InputError: the model is in no mirror, not in the hub's cache, and the hub lacks it or cannot be reached.
    """
    local, origin = repository_folder(repository, (*_TEXT_FILES, "*.safetensors"), _PAPERS)
    if pickled and origin.startswith("hub") and not any(local.glob("*.safetensors")):
        local = _snapshot(repository, (*_TEXT_FILES, *_PAPERS, "pytorch_model*.bin*"))
    return local, origin


def _snapshot(repository: Repository, patterns: Sequence[str]) -> Path:
    """Return a folder that has the files of a repository: of the hub's cache, fetched if needed, or of this one."""
    gathered = gathering.snapshot_folder(repository.kind, repository.id, repository.revision)
    if gathered.is_dir() and not gathering.is_gathering():
        return gathered
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    try:
        local = snapshot_download(
            repository.id,
            repo_type=repository.kind,
            revision=repository.revision,
            allow_patterns=list(patterns),
        )
    except Exception as error:  # the hub's client raises its own, its HTTP library's and the system's errors
        if disk_refuses(error):
            raise InputError(f"cannot write the hub's cache ({error}): free some space, or set HF_HOME") from error
        raise InputError(
            f"cannot get {repository.kind} {repository.id} at revision {repository.revision[:12]} from the hub "
            f"({type(error).__name__}); connect to a network, or set ESSPARSE_MIRROR to a folder that holds "
            f"{repository.id}/ laid out as on the hub, or copy it into the hub's cache"
        ) from error
    return gathering.kept(Path(local), gathered, patterns)


def parquet_files(repository: Repository, config: str, split: str, elsewhere: str = "") -> tuple[list[Path], str]:
    """Return the files of one split of a data set that the hub holds as parquet; they are fetched if needed.

    Args:
        repository: the data set's repository.
        config: name of a configuration: a folder of the repository.
        split: name of a split, such as ``train``.
        elsewhere: pattern of the split's files where no folder of the configuration has them.

    Returns:
        The paths of the files, in order, and where they come from, in words.

    Raises:
        InputError: the data set, the configuration or the split cannot be had.
    """
    usual = f"{config}/{split}-*.parquet"
    patterns = [usual, elsewhere] if elsewhere else [usual]
    local, origin = repository_folder(repository, ("README.md", *patterns))
    for pattern in patterns:
        if files := sorted(local.glob(pattern)):
            return files, origin
    raise InputError(f"{local} holds no {' and no '.join(patterns)}: complete the folder or remove it")
