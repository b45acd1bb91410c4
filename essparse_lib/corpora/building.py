"""What is made of a corpus once and kept: a folder of the cache, named by everything that it depends on."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..files import disk_refuses, locked, writable
from .corpus import Corpus


def fingerprint(corpus: Corpus, *settings: int) -> str:
    """SHA-256 over the corpus' content and numbers; its first 16 hexadecimal digits.

    >>> corpus = Corpus("two", lambda: iter(["one", "two"]), "made here", "a key")
    >>> fingerprint(corpus, 100), fingerprint(corpus, 101)
    ('7e3b4a6422c83b40', 'cebd6ebff03cb660')
    """
    return hashlib.sha256(json.dumps([corpus.content(), *settings]).encode()).hexdigest()[:16]


def built(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, filled by ``make`` if it is not there: all of it or nothing, and by one process alone.

    Raises:
        InputError: it cannot be written; whatever else ``make`` raises.
    """
    if folder.is_dir():
        return folder
    with locked(folder.parent / f".{folder.name}.lock"):
        if not folder.is_dir():  # another process may have made it meanwhile
            try:
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
                    target = Path(temporary) / "made"
                    target.mkdir()
                    make(target)
                    target.replace(folder)
            except OSError as error:
                if not disk_refuses(error):  # it may be of what a corpus reads
                    raise
                with writable(folder):
                    raise
    return folder
