"""The Hugging Face hub, and folders laid out like it: a repository of a pinned revision as a local folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import InputError, one_line
from ..files import disk_refuses
from . import tiny

#: What a model needs besides its weights: configuration and tokenizer, never code.
_TEXT_FILES = ("*.json", "*.txt", "*.model")


@dataclass(frozen=True)
class Repository:
    """A repository of the hub, pinned.

    Attributes:
        id: ``owner/name``.
        revision: a commit hash (a branch name such as ``main`` is not reproducible).
        kind: ``model`` or ``dataset``.
    """

    id: str
    revision: str
    kind: Literal["model", "dataset"] = "model"


def mirrors() -> list[Path]:
    """Hub-shaped folders looked at before the hub: ``$ESSPARSE_MIRROR`` (several with ``:``)."""
    listed = os.environ.get("ESSPARSE_MIRROR", "")
    folders = [Path(p).expanduser() for p in listed.split(os.pathsep) if p]
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"ESSPARSE_MIRROR names {folder}, which is no folder: correct it or unset it")
    return folders


def folder(repository: Repository, patterns: Sequence[str]) -> tuple[Path, str]:
    """The repository's files that match ``patterns``, on this disk.

    Returns:
        The folder, and in words where it comes from (for the record of a trial).

    Raises:
        InputError: it is in no mirror, not in the hub's cache, and the hub cannot be reached or lacks it.
    """
    if repository.id.startswith(tiny.OWNER + "/"):
        return tiny.folder(repository.id), "made here"
    for mirror in mirrors():
        here = mirror / repository.id
        if any(match for pattern in patterns for match in here.glob(pattern)):
            return here, f"mirror of {repository.id}"
    return _snapshot(repository, patterns), f"hub {repository.id}@{repository.revision}"


def model_folder(repository: Repository) -> tuple[Path, str]:
    """A model's repository with its configuration, tokenizer and weights (safetensors where it has them)."""
    where, origin = folder(repository, (*_TEXT_FILES, "*.safetensors"))
    if origin.startswith("hub") and not any(where.glob("*.safetensors")):
        # Older repositories hold pickled weights only; transformers reads those with weights_only=True.
        where = _snapshot(repository, (*_TEXT_FILES, "pytorch_model*.bin*"))
    return where, origin


def _snapshot(repository: Repository, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    try:
        where = snapshot_download(
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
    return Path(where)


def parquet_files(repository: Repository, config: str, split: str) -> tuple[list[Path], str]:
    """The files of one split of a data set in the hub's parquet layout, in order, and in words where they come from.

    Raises:
        InputError: the data set, the configuration or the split cannot be had.
    """
    where, origin = folder(repository, ("README.md", f"{config}/{split}-*.parquet"))
    files = sorted(where.glob(f"{config}/{split}-*.parquet"))
    if not files:
        raise InputError(f"{where} holds no {config}/{split}-*.parquet: complete the folder or remove it")
    return files, origin


def rows(repository: Repository, config: str, split: str) -> tuple[dict[str, list], str]:
    """One split of a data set in the hub's parquet layout, as columns.

    Returns:
        ``{column: values}``, images as the bytes of their files, and in words where they come from.

    Raises:
        InputError: the data set, the configuration or the split cannot be had or read.
    """
    files, origin = parquet_files(repository, config, split)
    try:
        import datasets
    except ImportError:  # a bare GPU node: parquet is read by pandas there
        try:
            import pandas
            import pyarrow  # noqa: F401  (what pandas reads parquet with)
        except ImportError as missing:
            hint = "pip install datasets, or pandas and pyarrow"
            raise InputError(f"{repository.id} is kept as parquet: {hint}") from missing
        with _readable(files[0].parent / split):
            table = pandas.concat([pandas.read_parquet(f) for f in files])
        return {name: _plain(table[name].tolist()) for name in table.columns}, origin
    datasets.disable_progress_bars()
    with _readable(files[0].parent / split):
        data = datasets.load_dataset("parquet", data_files=[str(f) for f in files], split="train")
    for name, feature in data.features.items():
        if isinstance(feature, datasets.Image):
            data = data.cast_column(name, datasets.Image(decode=False))
    return {name: _plain(list(data[name])) for name in data.column_names}, origin


@contextmanager
def _readable(place: Path) -> Iterator[None]:
    """Turn whatever is wrong with the files there into one clear line."""
    try:
        yield
    except Exception as error:  # of the library, of Arrow, or of the system
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise InputError(f"{place} cannot be read ({reason})") from error


def _plain(values: list) -> list:
    """A column; where it is of images, the bytes of each one's file in place of these and its name."""
    if values and isinstance(values[0], dict) and set(values[0]) == {"bytes", "path"}:
        return [image["bytes"] for image in values]
    return values
