"""Read corpora from parquet files as the hub holds them: BookCorpus and Wikipedia, and a tiny one made here.

BookCorpus: the repository's main branch holds a loading script, which no library runs any more. Its text as parquet is
on the branch that the hub itself makes, ``refs/convert/parquet``. No commit of that branch could be verified, so the
branch is named here, and the number of rows that the data set's card states is checked instead. The same rows are in
``SamuelYang/bookcorpus``, also at no verified commit; ``lucadiliello/bookcorpusopen`` holds other books.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from ..errors import InputError
from ..sources import tiny
from ..sources.hub import Repository, repository_folder
from ..sources.parquet import Content, batches, count_rows, texts
from .corpus import Corpus


@dataclass(frozen=True, kw_only=True)
class Parquet:
    """One split of a text data set that the hub holds as parquet.

    Attributes:
        repository: the data set's repository.
        files: pattern of the parquet files in the repository's folder; they are read in the order of their names.
        rows: number of rows that all files together must have, or None if it is not fixed.
        joined: number of consecutive rows that make a document.
    """

    repository: Repository
    files: str
    rows: int | None = None
    joined: int = 1

    @property
    def key(self) -> str:
        """Name of the content, as precise as the repository's revision."""
        return f"{self.repository.id}@{self.repository.revision}/{self.files}:{self.rows}:{self.joined}"

    def documents(self) -> Iterator[str]:
        """Return the documents one by one; memory does not grow with the files.

        Raises:
            InputError: the data set cannot be had or read, or has another number of rows.
        """
        local, origin = repository_folder(self.repository, ("README.md", self.files))
        paths = sorted(local.glob(self.files))
        if not paths:
            raise InputError(f"{local} holds no {self.files}: complete the folder or remove it")
        rows = sum(count_rows(path) for path in paths)
        if self.rows not in (None, rows):
            raise InputError(f"{self.files} from {origin} has {rows:,} rows, but must have {self.rows:,}: complete it")
        documents = (" ".join(run).strip() for run in _runs(_texts(paths), self.joined))
        return (document for document in documents if document)


def _texts(paths: list[Path]) -> Iterator[str]:
    """Yield the rows of parquet files, a part of a row group at a time."""
    for path in paths:
        for batch in batches(path, {"text": Content.TEXT}, nulls=True):
            yield from (text or "" for text in texts(batch, "text", path))


def _runs(texts: Iterator[str], length: int) -> Iterator[list[str]]:
    """Yield consecutive texts, ``length`` at a time."""
    while run := list(islice(texts, length)):
        yield run


_BOOKS = Parquet(
    repository=Repository("bookcorpus/bookcorpus", "refs/convert/parquet", "dataset"),
    files="plain_text/train/*.parquet",
    rows=74_004_228,
    joined=64,  # a row is a sentence, and where a book ends is not marked
)
_WIKIPEDIA = Parquet(
    repository=Repository("wikimedia/wikipedia", "b04c8d1ceb2f5cd4588862100d08de323dccfbaa", "dataset"),
    files="20231101.en/train-*.parquet",
    rows=6_407_814,
)
_TINY = Parquet(repository=Repository(tiny.CORPUS, tiny.REVISION, "dataset"), files="data/train-*.parquet")

_BOOKS_SOURCE = f"BookCorpus (Zhu et al. 2015), {_BOOKS.repository.id}, licence not known, for research"
_WIKIPEDIA_SOURCE = f"English Wikipedia of 1 November 2023, {_WIKIPEDIA.repository.id}, CC BY-SA 3.0 and GFDL"

CORPORA = (
    Corpus(name="bookcorpus", load=_BOOKS.documents, source=_BOOKS_SOURCE, key=_BOOKS.key),
    Corpus(name="wikipedia", load=_WIKIPEDIA.documents, source=_WIKIPEDIA_SOURCE, key=_WIKIPEDIA.key),
    Corpus(
        name="bookcorpus+wikipedia",
        load=lambda: chain(_BOOKS.documents(), _WIKIPEDIA.documents()),
        source=f"{_BOOKS_SOURCE}; {_WIKIPEDIA_SOURCE}",
        key=f"{_BOOKS.key}+{_WIKIPEDIA.key}",
    ),
    Corpus(name="tiny-corpus", load=_TINY.documents, source=f"{tiny.CORPUS}, made by this package", key=_TINY.key),
)
