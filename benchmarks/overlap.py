"""How many texts of one task stand in another: measured once, kept beside the records, and told on the page on data.

Run as ``python benchmarks/overlap.py movie-reviews sst2``; it needs the texts of both tasks, and writes
``results/overlap.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

from essparse_lib import figures, tasks
from essparse_lib.files import writing
from essparse_lib.specs.trial import Pruning

#: Where the counts are kept; the page on data has them from there.
KEPT = Path(__file__).parents[1] / "results/overlap.json"

#: Fewest words of a text that may be found as a phrase within another: shorter ones stand in many by chance.
MIN_WORDS = 5


def normalised(text: str) -> str:
    """Return a text in lower case, without punctuation, and with single spaces.

    >>> normalised("It 's  a GOOD film , really .")
    'it s a good film really'
    """
    return " ".join(re.findall(r"\w+", text.lower()))


def phrases(text: str) -> Iterator[str]:
    """Yield every row of ``MIN_WORDS`` words or more of a normalised text.

    >>> list(phrases("a b c d e f"))
    ['a b c d e', 'a b c d e f', 'b c d e f']
    """
    words = text.split()
    for start in range(len(words)):
        for end in range(start + MIN_WORDS, len(words) + 1):
            yield " ".join(words[start:end])


def overlap(texts: Iterable[str], others: Iterable[str]) -> dict[str, int]:
    """Return how many of some texts stand in others: as a whole text, or with a phrase of theirs or as one.

    Args:
        texts: the texts that are looked for.
        others: the texts among which they are looked for.

    Returns:
        ``texts``: how many there are; ``whole``: how many of them are one of the others; ``whole_or_phrase``: how many
        have a phrase of five words or more that is one of the others, or are one themselves.
    """
    own, among = [normalised(text) for text in texts], {normalised(text) for text in others}
    whole = [text in among for text in own]
    either = [exact or any(phrase in among for phrase in phrases(text)) for text, exact in zip(own, whole, strict=True)]
    return {"texts": len(own), "whole": sum(whole), "whole_or_phrase": sum(either)}


def measure(first: str, second: str) -> dict[str, dict[str, int]]:
    """Return the overlap of each split of the first task with each split of the second, and the other way round.

    The splits are those of Figure 2 at lab scale.

    Args:
        first: name of a task of single texts.
        second: name of another.
    """
    splits = {}
    study = figures.study("fig2", "lab")
    for name in (first, second):
        held_out = study.trial(study.models[0], name, Pruning(), 0).training.held_out
        data = tasks.get(name).splits(held_out)
        splits[name] = {"train": data.train, "test": data.test}
    counts = {}
    for one, other in ((first, second), (second, first)):
        for part, data in splits[one].items():
            for other_part, other_data in splits[other].items():
                texts, others = ([row[0] for row in each.texts] for each in (data, other_data))
                counts[f"{one} {part} in {other} {other_part}"] = overlap(texts, others)
    return counts


def main(first: str = "movie-reviews", second: str = "sst2") -> None:
    """Measure the overlap of two tasks, keep it and print it."""
    counts = measure(first, second)
    with writing(KEPT) as file:
        file.write((json.dumps(counts, indent=2) + "\n").encode())
    for places, numbers in counts.items():
        print(places, numbers)


if __name__ == "__main__":
    typer.run(main)
