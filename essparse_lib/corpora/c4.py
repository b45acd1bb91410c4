"""Read the first part of C4's English, a gzip file of JSON lines on the hub, on which SparseGPT and Wanda calibrate."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from ..errors import InputError
from ..sources.foreign import entry, parse_json, reading
from ..sources.hub import Repository, repository_folder
from .corpus import Corpus

REPOSITORY = Repository("allenai/c4", "1588ec454efa1a09f29cd18ddd04fe05fc8653a2", "dataset")

#: The first of 1,024 parts, which the authors of both methods read.
FILE = "en/c4-train.00000-of-01024.json.gz"

#: The most bytes of a line, which holds one page of the web with its address and time.
_LONGEST_LINE = 16 * 2**20


def documents() -> Iterator[str]:
    """Yield the pages' texts one by one; memory does not grow with the file.

    Raises:
        InputError: the file cannot be had, is damaged or cut short, or holds something other than texts.
    """
    folder, _ = repository_folder(REPOSITORY, ("README.md", FILE))
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{folder} holds no {FILE}: complete the folder or remove it")
    with reading(path), gzip.open(path) as file:
        while line := file.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise InputError(f"{path} has a line of {_LONGEST_LINE:,} bytes or more: fetch it anew")
            yield entry(parse_json(line, path, dict), "text", str, path)


CORPUS = Corpus(
    name="c4",
    load=documents,
    source=f"C4 (Raffel et al. 2020), the first of 1,024 parts of its English, {REPOSITORY.id}, ODC-BY 1.0",
    key=f"{REPOSITORY.id}@{REPOSITORY.revision}/{FILE}",
)
