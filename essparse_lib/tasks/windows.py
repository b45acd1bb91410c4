"""Cut documents into texts of about one length, for perplexity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

#: What stands between two documents in a text.
BETWEEN = "\n\n"


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
        text = f"{text}{BETWEEN}{document}" if text else document
        while len(text) > length:
            head = text[: length + 1]
            cut = max(head.rfind(" "), head.rfind("\n"))
            cut = cut if cut > 0 else length  # a word may be longer than a text
            yield text[:cut].rstrip()
            text = text[cut:].lstrip()
    if text:
        yield text
