"""The corpora that language models are pre-trained on, and how they become blocks of tokens."""

from __future__ import annotations

from ..errors import unknown
from . import hub, packaged
from .corpus import Corpus

CORPORA: dict[str, Corpus] = {corpus.name: corpus for corpus in (packaged.ENGLISH, *hub.CORPORA)}


def get(name: str) -> Corpus:
    """The corpus of this name.

    Raises:
        InputError: there is none.

    >>> get("wikipedia").source
    'English Wikipedia of 1 November 2023, wikimedia/wikipedia, CC BY-SA 3.0 and GFDL'
    """
    if name not in CORPORA:
        raise unknown("corpus", name, CORPORA)
    return CORPORA[name]


__all__ = ["CORPORA", "Corpus", "get"]
