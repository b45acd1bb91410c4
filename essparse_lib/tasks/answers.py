"""How SQuAD v1.1 scores an answer: the rules of its official script, ``evaluate-v1.1.py``.

Case, ASCII punctuation, the articles a, an and the, and the width of white space do not count. An answer is held
against every right one, and the best score counts.

Source: Rajpurkar et al. 2016, arXiv 1606.05250, §6.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalised(text: str) -> str:
    """The text as it is compared.

    >>> normalised("The  Rock-'n'-Roll era, an age.")
    'rocknroll era age'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(given: str, right: Iterable[str]) -> float:
    """1 if an answer is one of the right ones, else 0.

    >>> exact_match("the Seine", ["Seine", "river Seine"])
    1.0
    """
    return max(float(normalised(given) == normalised(answer)) for answer in right)


def f1(given: str, right: Iterable[str]) -> float:
    """Harmonic mean of precision and recall of an answer's words, in [0, 1].

    A word counts as often as both have it; with no word in common the score is 0, also if neither has any left.

    >>> f1("the river Seine", ["Seine", "a river"])
    0.6666666666666666
    """
    return max(_f1(normalised(given).split(), normalised(answer).split()) for answer in right)


def _f1(given: list[str], right: list[str]) -> float:
    common = (Counter(given) & Counter(right)).total()
    return 2 * common / (len(given) + len(right)) if common else 0.0
