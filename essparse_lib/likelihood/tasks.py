"""Look up the likelihood tasks: those of data sets of questions, and texts of a corpus for perplexity."""

from __future__ import annotations

from functools import partial

from .. import corpora
from ..corpora.corpus import Corpus
from ..errors import check_known
from ..specs.likelihood import Domain, LikelihoodKind, NamedLikelihoodTask
from ..tasks import likelihood_data, own, own_store
from ..tasks.likelihood import LikelihoodQuestion, LikelihoodQuestions, LikelihoodTask
from ..tasks.windows import windows

#: Characters of a text of English, some 350 tokens, and of a made-up one.
_LENGTH, _TINY_LENGTH = 1500, 150


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


def _own(name: str) -> LikelihoodTask:
    """Return the task of a plain text that somebody prepared: each of its test texts is a question of one choice."""
    texts = own.test_texts(name)
    items = [LikelihoodQuestion(context="", choices=(text,), answer=0) for text in texts]
    row = NamedLikelihoodTask(name=name, kind=LikelihoodKind.TEXT, domain=Domain.TEXT, counts=len(items))
    return LikelihoodTask(row=row, load=lambda: LikelihoodQuestions(items, own.ORIGIN), source=own.ORIGIN)


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
        name: name of the task, as in evaluations and on the command line; or one that ``tasks.own.prepare`` gave to a
            plain text.

    Raises:
        InputError: no likelihood task has this name, or it is of somebody's own data that are not in the cache.
    """
    if own_store.is_own(name) and name not in TASKS:
        return _own(name)
    listing = "python -c 'from essparse_lib.likelihood import tasks; print(*tasks.TASKS)'"
    return TASKS[check_known("likelihood task", name, TASKS, listing=listing)]
