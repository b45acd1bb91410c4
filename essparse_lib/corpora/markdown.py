"""Turn Markdown into running text, as far as the pages of An Anarchist FAQ use it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .dictionary import tidy

_HEADING = re.compile(r"^#{1,6}\s+(.*)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
#: A reference in brackets has a page number, a title (bold on these pages) or an abbreviation such as "Ibid".
#: Longer or nested brackets are text.
_REFERENCE = re.compile(r"\s*[\[{][^\[\]]{0,200}?(?:\bp+\. ?\d|Op\. ?Cit|[Ii]bid|\*\*|[Qq]uoted)[^\[\]]{0,200}\]")
_EMPHASIS = re.compile(r"\*{1,3}|(?<!\w)_{1,3}|_{1,3}(?!\w)")
#: Paragraphs that are not prose: an entry of a list, a table, a horizontal rule.
_NO_PROSE = re.compile(r"^(?:[*+|-]\s|\d+\.\s|[-*_| ]+$|.*\|.*\|)")


def sections(page: str) -> Iterator[str]:
    """Yield the prose of each section of a page: the text from one heading to the next.

    These are left out: headings, lists (on these pages, of links), tables, horizontal rules, references in brackets
    such as ``[**Anarchy**, p. 16]``, and the marks of emphasis, quotation and links. The text inside a link or a mark
    is kept, and so is a change within a quotation: ``[o]rganise`` becomes ``organise``.

    Args:
        page: the page's Markdown.

    >>> list(sections('# One\\n\\nFor _"anarchy"_\\n[see](a.md) [ **Op. Cit.** , p. 2] it.\\n\\n## Two\\n\\n* a list'))
    ['For "anarchy" see it.']
    """
    for section in _HEADING.split(page.replace("\r", ""))[::2]:  # every other part is a heading
        paragraphs = (_join_lines(paragraph) for paragraph in re.split(r"\n[> ]*\n", section))
        if text := " ".join(paragraph for paragraph in paragraphs if paragraph):
            yield text


def _join_lines(paragraph: str) -> str:
    """Return a paragraph as running text, or nothing if it is not prose."""
    lines = [re.sub(r"^[> ]+", "", line).rstrip() for line in paragraph.strip().split("\n")]
    if not lines or _NO_PROSE.match(lines[0]):
        return ""
    text = re.sub(r"(\w-)\n(?=\w)", r"\1", "\n".join(lines)).replace("\n", " ")
    text = _LINK.sub(r"\1", text)
    text = _REFERENCE.sub("", text)
    text = re.sub(r"\[([^\[\]]*)\]", r"\1", text)
    text = _EMPHASIS.sub("", re.sub(r"[\[\]\\]", "", text))
    text = re.sub(r'"\s+(?=[,.;:!?)])', '"', tidy(text))
    return text if re.search(r"[.!?:][\"')]*$", text) else ""  # a line without an end is a title
