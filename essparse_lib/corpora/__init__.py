"""Look up the corpora that language models are pre-trained on, and cut them into blocks of tokens."""

from __future__ import annotations

from ..errors import check_known
from ..tasks import own, own_store
from . import c4, hub, packaged
from .corpus import Corpus

CORPORA: dict[str, Corpus] = {corpus.name: corpus for corpus in (*packaged.CORPORA, *hub.CORPORA, c4.CORPUS)}


def get(name: str) -> Corpus:
    """Return the corpus of a name.

    Args:
        name: name of the corpus, as in pre-trainings and in the prunings of trials; or one that ``tasks.own.prepare``
            gave, for the training texts of these data.

    Raises:
        InputError: no corpus has this name, or it is of somebody's own data that are not in the cache or have no texts.

    >>> get("wikipedia").source
    'English Wikipedia of 1 November 2023, wikimedia/wikipedia, CC BY-SA 3.0 and GFDL'
    """
    if own_store.is_own(name) and name not in CORPORA:
        own.check_texts(name)
        return Corpus(name=name, load=lambda: own.training_texts(name), source=own.ORIGIN, key=name)
    check_known("corpus", name, CORPORA)
    return CORPORA[name]


__all__ = ["CORPORA", "Corpus", "get"]
