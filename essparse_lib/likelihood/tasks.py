"""Look up the likelihood tasks: those of data sets of questions, and texts of a corpus for perplexity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from .. import corpora
from ..corpora.corpus import Corpus
from ..errors import check_known
from ..tasks import likelihood_data
from ..tasks.likelihood import LikelihoodQuestion, LikelihoodQuestions, LikelihoodTask

#: Characters of a text of English, some 350 tokens, and of a made-up one.
_LENGTH, _TINY_LENGTH = 1500, 150
#: What stands between two documents in a text.
_BETWEEN = "\n\n"


def windows(documents: Iterable[str], length: int) -> Iterator[str]:
    """Yield texts of at most so many characters: documents one after the other, cut at blanks.

    Nothing is left out but the blanks where texts are cut. The last text may be short.

    Args:
        documents: the documents, none of them empty.
        length: the most characters of a text.

    >>> list(windows(["the cat sat", "the dog ran away"], 18))
    ['the cat sat\\n\\nthe', 'dog ran away']
    """
    text = ""
    for document in documents:
        text = f"{text}{_BETWEEN}{document}" if text else document
        while len(text) > length:
            head = text[: length + 1]
            cut = max(head.rfind(" "), head.rfind("\n"))
            cut = cut if cut > 0 else length  # a word may be longer than a text
            yield text[:cut].rstrip()
            text = text[cut:].lstrip()
    if text:
        yield text


def _texts(corpus: Corpus, length: int) -> LikelihoodQuestions:
    """Return the texts of a corpus as questions of one choice each."""
    items = [
        LikelihoodQuestion(context="", choices=(text,), answer=0) for text in windows(corpus.load(), length) if text
    ]
    return LikelihoodQuestions(items, f"corpus {corpus.name}")


def _task(name: str, corpus: str, length: int) -> LikelihoodTask:
    """Return a task of the texts of a corpus."""
    documents = corpora.get(corpus)
    return LikelihoodTask.named(name, load=partial(_texts, documents, length), source=documents.source)


TASKS: dict[str, LikelihoodTask] = {
    task.name: task
    for task in (
        *likelihood_data.TASKS,
        _task("english-text", "packaged-english-evaluation", _LENGTH),
        _task("tiny-text", "tiny-corpus", _TINY_LENGTH),
    )
}


def get(name: str) -> LikelihoodTask:
    """Return the likelihood task of a name.

    Args:
        name: name of the task, as in evaluations and on the command line.

    Raises:
        InputError: no likelihood task has this name.
    """
    listing = "python -c 'from essparse_lib.likelihood import tasks; print(*tasks.TASKS)'"
    return TASKS[check_known("likelihood task", name, TASKS, listing=listing)]
