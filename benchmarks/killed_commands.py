"""The commands that ``kills.py`` kills: what each reads, and what of that which it makes must be equal each time."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from essparse_lib.records.store import Record, Store

ROOT = Path(__file__).parents[1]
_NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# A short notebook"},
        {"cell_type": "code", "id": "b", "execution_count": None, "metadata": {}, "outputs": [], "source": "6 * 7"},
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def same_content(record: Record) -> dict[str, object]:
    """Return what must be equal in a record that is made twice: all but times and the like."""
    values = {name: _untimed(value) for name, value in record.values.items()}
    parts = (record.metrics, values, record.predictions, record.labels, record.status, record.reason)
    return {record.spec.id: [*parts, record.provenance.get("data"), record.provenance.get("weights")]}


def _untimed(value: object) -> object:
    """Return a value of a record; of an object, all but how long it took."""
    return {key: entry for key, entry in value.items() if key != "seconds"} if isinstance(value, dict) else value


def records(folder: Path) -> dict[str, object]:
    """Return the content of all records of a world.

    Raises:
        DamagedRecord: one is damaged.
    """
    content: dict[str, object] = {}
    for scale in sorted((folder / "results").glob("*/")):
        for record in Store(scale).records().values():
            content |= same_content(record)
    return content


def files(folder: Path) -> dict[str, object]:
    """Return the hash of every file under a folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


def weights(folder: Path) -> dict[str, object]:
    """Return the records of a world and the hashes of the model that was trained."""
    return records(folder) | files(folder / "results" / "tiny" / "tiny-scratch-100-0" / "model")


def pages(folder: Path) -> dict[str, object]:
    """Return the names of a built book's files, and the hash of its notebook's page."""
    html = folder / "out" / "html"
    names = {str(path.relative_to(html)): "" for path in html.rglob("*") if path.is_file()}
    page = html / "notebooks" / "short.html"
    return names | ({"page": hashlib.sha256(page.read_bytes()).hexdigest()} if page.exists() else {})


def make_source(folder: Path) -> None:
    """Fill ``source`` with committed records, for merging."""
    for path in sorted((ROOT / "results" / "lab").glob("*/*.jsonl"))[:40]:
        target = folder / "source" / "lab" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))


def make_checkout(folder: Path) -> None:
    """Fill a folder with a book of one page and one notebook."""
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("*.md", "__pycache__"))
    shutil.copyfile(ROOT / "_config.yml", folder / "_config.yml")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/short\n")
    (folder / "book" / "index.md").write_text("# A short book\n")
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "short.ipynb").write_text(json.dumps(_NOTEBOOK))


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that is killed.

    Attributes:
        arguments: of ``essparse``.
        prepare: puts into an empty folder what it reads.
        made: returns what it has made in a folder, as plain data.
        share: its share of the kills.
        once: whether it refuses to do again what is done, as a folder that is not empty.
    """

    arguments: tuple[str, ...]
    prepare: Callable[[Path], None] = lambda _: None
    made: Callable[[Path], Mapping[str, object]]
    share: float
    once: bool = False


COMMANDS = {
    "run": Command(arguments=("run", "fig1", "--scale", "tiny", "--jobs", "2"), made=records, share=0.35),
    "pretrain": Command(arguments=("pretrain", "tiny-scratch-100-0"), made=weights, share=0.2),
    "prune": Command(
        arguments=("prune", "tiny-bert", "--sparsity", "0.5", "--out", "out"),
        made=lambda folder: files(folder / "out"),
        share=0.15,
        once=True,
    ),
    "merge": Command(arguments=("merge", "source"), prepare=make_source, made=records, share=0.2),
    "book": Command(arguments=("book", "--out", "out"), prepare=make_checkout, made=pages, share=0.1),
}
