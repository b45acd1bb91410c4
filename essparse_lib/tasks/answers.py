"""Score answers to SQuAD v1.1's questions by the rules of its official script, ``evaluate-v1.1.py``.

Case, ASCII punctuation, the articles a, an and the, and the width of white space do not count. An answer is compared
with every right one, and the best score counts.

Source: Rajpurkar et al. 2016, arXiv 1606.05250, §6.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise_answer(text: str) -> str:
    """Return a text in the form in which answers are compared.

    >>> normalise_answer("The  Rock-'n'-Roll era, an age.")
    'rocknroll era age'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, right_answers: Iterable[str]) -> float:
    """Return 1 if an answer is one of the right ones, else 0.

    >>> exact_match("the Seine", ["Seine", "river Seine"])
    1.0
    """
    return max(float(normalise_answer(answer) == normalise_answer(right)) for right in right_answers)


def f1(answer: str, right_answers: Iterable[str]) -> float:
    """Return the harmonic mean of precision and recall of an answer's words, in [0, 1].

    A word counts as often as both answers have it. With no word in common the score is 0, even if both have no words.

    >>> f1("the river Seine", ["Seine", "a river"])
    0.6666666666666666
    """
    words = normalise_answer(answer).split()
    return max(_f1_of_words(words, normalise_answer(right).split()) for right in right_answers)


def _f1_of_words(words: list[str], right_words: list[str]) -> float:
    common = (Counter(words) & Counter(right_words)).total()
    return 2 * common / (len(words) + len(right_words)) if common else 0.0
