"""What a corpus is: documents in a fixed order, where they come from, and the name of what is made of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A named corpus.

    Attributes:
        name: as in trials, records and on the command line.
        load: gives the documents, cleaned, each once and in a fixed order; raises InputError if they cannot be had.
            It is called several times, and may read what is too large to hold.
        source: data and licence, for the page on data.
        key: names the content: where two keys are equal so are the documents. With it, what was made of a corpus is
            found again without reading a document. Empty where nothing but the documents themselves tells.

    >>> Corpus(name="two", load=lambda: iter(["one document", "another"]), source="made here").content()
    '1593bf0112f35eb0'
    """

    name: str
    load: Callable[[], Iterator[str]]
    source: str
    key: str = ""

    def content(self) -> str:
        """The key, or in its place SHA-256 over every document; its first 16 hexadecimal digits."""
        if self.key:
            return self.key
        digest = hashlib.sha256()
        for document in self.load():
            digest.update(document.encode() + b"\x1e")
        return digest.hexdigest()[:16]


def fingerprint(corpus: Corpus, *settings: int) -> str:
    """SHA-256 over the corpus' content and numbers; its first 16 hexadecimal digits.

    >>> corpus = Corpus(name="two", load=lambda: iter(["one", "two"]), source="made here", key="a key")
    >>> fingerprint(corpus, 100), fingerprint(corpus, 101)
    ('7e3b4a6422c83b40', 'cebd6ebff03cb660')
    """
    return hashlib.sha256(json.dumps([corpus.content(), *settings]).encode()).hexdigest()[:16]
