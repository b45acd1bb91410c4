"""Define a corpus: documents in a fixed order, where they come from, and a hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A named corpus.

    Attributes:
        name: name of the corpus in pre-trainings, in the prunings of trials, and in their records.
        load: a function that yields the documents, cleaned, each once and in a fixed order; it raises InputError if
            they cannot be had. It is called several times, and may read more than fits into memory.
        source: data and licence in words, for the page on data.
        key: name of the content: equal keys mean equal documents. With it, blocks of the corpus are looked up in the
            cache without reading a document. Empty if only the documents themselves can tell.

    >>> Corpus(name="two", load=lambda: iter(["one document", "another"]), source="made here").content()
    '1593bf0112f35eb0'
    """

    name: str
    load: Callable[[], Iterator[str]]
    source: str
    key: str = ""

    def content(self) -> str:
        """Return the key or, if it is empty, the SHA-256 of all documents: its first 16 hexadecimal digits."""
        if self.key:
            return self.key
        digest = hashlib.sha256()
        for document in self.load():
            digest.update(document.encode() + b"\x1e")
        return digest.hexdigest()[:16]


def fingerprint(corpus: Corpus, *settings: int) -> str:
    """Return the SHA-256 of a corpus' content and of numbers: its first 16 hexadecimal digits.

    Args:
        corpus: the corpus, which is read if it has no key.
        settings: numbers that what is made from the corpus depends on.

    >>> corpus = Corpus(name="two", load=lambda: iter(["one", "two"]), source="made here", key="a key")
    >>> fingerprint(corpus, 100), fingerprint(corpus, 101)
    ('7e3b4a6422c83b40', 'cebd6ebff03cb660')
    """
    return hashlib.sha256(json.dumps([corpus.content(), *settings]).encode()).hexdigest()[:16]
