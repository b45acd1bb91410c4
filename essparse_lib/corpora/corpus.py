"""What a corpus is: documents in a fixed order, and where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Corpus:
    """A named corpus.

    Attributes:
        name: as in trials, records and on the command line.
        load: gives the documents, cleaned, each once and in a fixed order; raises InputError if they cannot be had.
            It is called several times, and may read what is too large to hold.
        source: data and licence, for the page on data.
        key: names the content: where two keys are equal so are the documents. With it, what was made of a corpus is
            found again without reading a document. Empty where nothing but the documents themselves tells.

    >>> Corpus("two", lambda: iter(["one document", "another"]), "made here").content()
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
