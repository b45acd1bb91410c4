"""Find the tables of a data set that lies on the hub, in a folder laid out like it, or in a folder of tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InputError, one_line, unknown
from .foreign import read_text
from .hub import Repository, mirror_folders, repository_folder
from .tables import FORMATS

#: The most bytes that are fetched.
MOST_FETCHED = 2 * 2**30
_GIGABYTE = 2**30
#: Files that describe the data and hold none.
_DESCRIPTIONS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json")
#: The names of splits by the words for them.
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_WORDS = re.compile(r"[a-z]+")
_ID = re.compile(r"[\w.-]+/[\w.-]+")
_MOST_CARD = 4 * 2**20


def is_id(name: str) -> bool:
    """Return whether a name is written as a data set's id on the hub, ``owner/name`` or ``owner/name:config``.

    >>> is_id("nyu-mll/glue:rte"), is_id("data/train.csv"), is_id("./glue")
    (True, False, False)
    """
    data_set = name.partition(":")[0]
    is_file = PurePosixPath(data_set).suffix.lower() in (*FORMATS, ".txt")
    return bool(_ID.fullmatch(data_set)) and not data_set.startswith(".") and not is_file


def of_hub(name: str) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the files of a data set of the hub by split, and where they come from in a sentence.

    Args:
        name: ``owner/name`` or ``owner/name:config``. A folder of ``$ESSPARSE_MIRROR`` is tried first.

    Raises:
        InputError: it cannot be had, has no files of ``FORMATS``, no such configuration, or more than ``MOST_FETCHED``
            bytes.
    """
    data_set, _, config = name.partition(":")
    for mirror in mirror_folders():
        if (mirror / data_set).is_dir():
            return of_folder(mirror / data_set, config), [f"The data set lies in a mirror of {data_set}."]
    return _of_hub(data_set, config)


def of_folder(folder: Path, config: str = "") -> dict[str, list[Path]]:
    """Return the files of tables in a folder, by the names of their splits.

    Args:
        folder: the folder.
        config: name of a configuration, which the card or a folder in this one has; empty for the only one.

    Raises:
        InputError: it has no tables, no such configuration, or several and none is named.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    card = folder / "README.md"
    text = read_text(card, _MOST_CARD) if card.is_file() else ""
    chosen = choose(names, text, config, folder)
    return {split: [folder / each for each in files] for split, files in chosen.items()}


def choose(names: Sequence[str], card: str, config: str, name: object) -> dict[str, list[str]]:
    """Return which of a data set's files hold a configuration, by the names of their splits.

    The card says it (``configs`` in its head); else the folder of the configuration's name, and words in the files'
    names.

    Args:
        names: paths of all files, relative to the data set.
        card: the text of its README.md; empty if it has none.
        config: name of the configuration; empty for the only one.
        name: what the data set is, for messages.

    Raises:
        InputError: there are no tables, no such configuration, or several and none is named.

    >>> choose(["rte/train-0.parquet", "rte/validation-0.parquet", "cola/train-0.parquet"], "", "rte", "glue")
    {'train': ['rte/train-0.parquet'], 'validation': ['rte/validation-0.parquet']}
    """
    tables = [each for each in names if _is_table(each)]
    if not tables:
        others = sorted({PurePosixPath(each).suffix for each in names if PurePosixPath(each).suffix})[:5]
        held = f" but {', '.join(others)}" if others else ""
        raise InputError(f"{name} has no CSV, TSV, JSON lines or parquet{held}: convert it, or name another data set")
    if configs := _configs_of(card):
        chosen = configs[_only(config, configs, name)]
        files = {split: _matching(tables, patterns) for split, patterns in chosen.items()}
        if not all(files.values()):
            raise InputError(f"{name} lacks files that its README.md names: complete it")
        return files
    folders = {PurePosixPath(each).parts[0] for each in tables if len(PurePosixPath(each).parts) > 1}
    folders -= {folder for folder in folders if _split_of(folder) or folder == "data"}
    if config or len(folders) > 1:
        folder = _only(config, dict.fromkeys(sorted(folders)), name)
        tables = [each for each in tables if each.startswith(f"{folder}/")]
    files = {}
    for each in tables:
        files.setdefault(_split_of(each), []).append(each)
    return files


def _is_table(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix.lower() in FORMATS and path.name not in _DESCRIPTIONS and not hidden


def _split_of(name: str) -> str:
    """Return the split that the last word for one in a path names; empty if there is none."""
    words = _WORDS.findall(name.lower())
    return next((SPLITS[word] for word in reversed(words) if word in SPLITS), "")


def _matching(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    return [each for each in names if any(fnmatchcase(each, pattern) for pattern in patterns)]


def _only(config: str, configs: Mapping[str, object], name: object) -> str:
    """Return the configuration that is named, or the only one."""
    if config and config not in configs:
        raise unknown(f"configuration of {name}", config, configs)
    if not config and len(configs) > 1 and "default" not in configs:
        raise InputError(f"{name} has several configurations: add one of these after a colon: {', '.join(configs)}")
    return config or ("default" if "default" in configs else next(iter(configs)))


def _configs_of(card: str) -> dict[str, dict[str, list[str]]]:
    """Return the patterns of files by split, by configuration, as the head of a card says; empty if it does not."""
    if not card.startswith("---"):
        return {}
    from huggingface_hub import DatasetCard

    try:
        content = DatasetCard(card, ignore_metadata_errors=True).data.to_dict().get("configs")
    except Exception:  # of the library that reads it; the files' names are enough
        return {}
    configs = {}
    for entry in content if isinstance(content, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("config_name"), str):
            configs[entry["config_name"]] = _patterns(entry.get("data_files"))
    return configs if all(configs.values()) else {}


def _patterns(data_files: Any) -> dict[str, list[str]]:
    """Return patterns of files by split, from any of the forms that a card may have."""
    entries = data_files if isinstance(data_files, list) else [data_files]
    patterns: dict[str, list[str]] = {}
    for entry in entries:
        split, paths = (entry.get("split"), entry.get("path")) if isinstance(entry, dict) else ("train", entry)
        paths = paths if isinstance(paths, list) else [paths]
        if isinstance(split, str) and all(isinstance(path, str) for path in paths):
            patterns.setdefault(split, []).extend(paths)
    return patterns


def _of_hub(data_set: str, config: str) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the files of a data set that are fetched at the hub's present commit, or lie in the hub's cache."""
    from huggingface_hub import HfApi, snapshot_download

    try:
        info = HfApi().dataset_info(data_set, files_metadata=True)
    except Exception as error:  # of the hub's client, its HTTP library or the system
        try:
            folder = Path(snapshot_download(data_set, repo_type="dataset", local_files_only=True))
        except Exception:
            raise InputError(
                f"cannot get data set {data_set} from the hub ({one_line(error, 120)}): check its name, connect to a "
                f"network, or set ESSPARSE_MIRROR to a folder that holds {data_set}/ laid out as on the hub"
            ) from error
        return of_folder(folder, config), [f"The data set {data_set} is the hub's commit {folder.name[:12]}."]
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    repository = Repository(data_set, info.sha or "main", "dataset")
    text = ""
    if "README.md" in sizes:
        text = read_text(repository_folder(repository, ("README.md",))[0] / "README.md", _MOST_CARD)
    chosen = choose(sorted(sizes), text, config, data_set)
    names = [each for files in chosen.values() for each in files]
    if (size := sum(sizes[each] for each in names)) > MOST_FETCHED:
        raise InputError(
            f"data set {data_set} has {size / _GIGABYTE:.1f} GB, and at most {MOST_FETCHED / _GIGABYTE:g} GB are "
            "fetched: name a smaller configuration, or give a file with a part of it"
        )
    folder, _ = repository_folder(repository, names)
    told = f"The data set {data_set} is the hub's commit {repository.revision[:12]}."
    return {split: [folder / each for each in files] for split, files in chosen.items()}, [told]
