"""Turn dictionaries into running text: the entries of GCIDE as dictd holds them, and WordNet's glosses.

GCIDE (the Collaborative International Dictionary of English: Webster of 1913 with additions) is one text file of
entries. An entry begins at the margin with its head, ``Davit \\Dav"it\\, n. [Cf. F. davier.] (Naut.)``: headword,
pronunciation between backslashes, part of speech, etymology, field. Kept are the headword, the definitions, the
notes and the quotations. Left out are the rest of the head, every bracket (etymology, ``[Obs.]``, the sources such as
``[1913 Webster]``), the numbers of senses, the fields such as ``(Zool.)``, the names of those quoted
(``--Shak.``), the braces around cross-references, and tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

#: A special character is written as a mark next to a letter, as in ``[=a]`` or ``[oo^]``, or by one of these names.
_MARKED = re.compile(r"""\[[-=~^'`",.*]?([A-Za-z]{1,2}|AE|ae|oe)\^?\]""")
_NAMED = dict(imac="i", aum="a", add="a", udd="u", asl="a", adot="a", dsdot="d") | dict(
    eth="th", thorn="th", yogh="gh", deg=" degrees", pounds="£", frac12="1/2", times="x"
)
_NAME = re.compile(rf"\[({'|'.join(_NAMED)})\]")

#: A source; after the last one of an entry, the conversion has left the next headword.
_SOURCE = r"\[[^\[\]]*(?:Webster|WordNet|PJC|Century Dict)[^\[\]]*\]"
_LEFT_OVER = re.compile(rf"({_SOURCE})[^.\[\]]{{0,80}}$")
_BRACKET = re.compile(r"\[[^\[\]]*\]")

_ENTRY = re.compile(r"\n\n(?=\S[^\n]*\\)")
_HEAD = re.compile(r"(?:[^\\]*\\[^\\]*\\)+")
_SPEECH = re.compile(
    r"(?:n|a|v|t|i|adj|adv|prep|conj|interj|pron|pl|sing|p|pr|vb|imp|obs|comp|superl|prop|fem|masc)\.(?=[\s,;&)]|$)"
)
_INFLECTED = re.compile(r"(?:[A-Z]+\. )?\{[^{}]*\}(?=[ ,;.]* (?:[A-Z]+\. )?[{(]|[ ,;.]*\n|\.)")
#: Pronunciation, and a field of knowledge, as heads have them.
_SPOKEN = re.compile(r"""\((?:[^()]*["`?#;][^()]*|[^()\s]+|[A-Z][A-Za-z ]{0,25})\)""")
_FIELD = re.compile(r"\((?:[A-Z][A-Za-z']*\.?,?\s*(?:&|and|or|of)?\s*){0,4}[A-Z][A-Za-z]*\.\)")

_SENSE = re.compile(r"^(?:\d{1,2}\.|\([a-z]\))\s+")
_LABEL = re.compile(r"^(?:\d{1,2}|Note:|Usage:)\s+")
_DERIVED = re.compile(r"\{([^{}]*)\}")
#: ``--`` and a name without a blank between: up to the paragraph's end if that is all name and place, or else up to
#: the first longer word with a full stop, and the place behind it.
_PLACE = r"(?:[ivxlc]+\.|\d+[.,:;]?)"
_WORD = r"(?:[A-Z][\w'&-]*[.,]*|[1-3]|of|de|the|and|in|on|to|von|van|&)"
_AUTHOR = re.compile(
    rf"\s*\(?--(?=[A-Z1-3(])(?:\(?(?:{_WORD}|{_PLACE})\)?[.,;)]*(?:\s+|$))+$"
    rf"|\s*\(?--(?=[A-Z1-3(])\(?(?:{_WORD}\s+)*?(?:[A-Z][\w'&-]{{2,}}\.|[A-Z]\w+(?= {_PLACE}))(?:\s*{_PLACE})*\)?"
)


def entries(text: str) -> Iterator[str]:
    """Yield the entries of GCIDE's dictd file, each as running text that begins with its headword.

    Args:
        text: the file's text. The database's description of itself, before the first entry that follows an empty
            line, is left out.

    >>> text = '00-database-info\\n   x\\n\\nDavit \\\\Dav"it\\\\, n. [Cf. F. davier.] (Naut.)\\n   A spar of a {ship}.'
    >>> list(entries(text + '\\n   [1913 Webster]\\n'))
    ['Davit: A spar of a ship.']
    """
    for entry in _ENTRY.split(f"\n\n{text}")[1:]:
        if cleaned := _clean_entry(entry):
            yield cleaned


def _clean_entry(entry: str) -> str:
    """Return an entry as running text, or nothing if it has no prose."""
    entry = _NAME.sub(lambda m: _NAMED[m[1]], _MARKED.sub(r"\1", entry.rstrip()))
    entry = _LEFT_OVER.sub(r"\1", entry)
    while _BRACKET.search(entry):  # the innermost first
        entry = _BRACKET.sub("", entry)
    entry = entry.replace("[", "").replace("]", "")
    first, *paragraphs = re.split(r"\n\s*\n", entry)
    headword, definition = _split_head(first)
    texts = [text for paragraph in (definition, *paragraphs) if (text := _join_lines(paragraph))]
    return f"{headword}: {' '.join(texts)}" if texts else ""


def _split_head(paragraph: str) -> tuple[str, str]:
    """Return the headword of an entry's first paragraph, and the text after the head."""
    headword, _, _ = paragraph.partition("\\")
    match = _HEAD.match(paragraph)
    rest = paragraph[match.end() :] if match else paragraph
    while True:
        shorter = rest.lstrip(" \n,;.:&")
        for pattern in (_SPOKEN, _SPEECH, _INFLECTED, _FIELD):
            if part_of_head := pattern.match(shorter):
                shorter = shorter[part_of_head.end() :]
        if shorter == rest:
            return " ".join(headword.split()), rest
        rest = shorter


def _join_lines(paragraph: str) -> str:
    """Return a paragraph's lines as running text, or nothing if it is a table."""
    lines = [_SENSE.sub("", line.strip()) for line in paragraph.strip().split("\n")]
    text = _FIELD.sub("", _LABEL.sub("", " ".join(lines)))
    text = _DERIVED.sub(lambda m: re.sub(r'[*"`]', "", m[1]), text)
    text = re.sub(r"^Syn: ", "Synonyms: ", text.strip())
    text = tidy(re.sub(r"[{}]", "", _AUTHOR.sub("", text)))
    letters = sum(c.isalpha() or c == " " for c in text)
    return text if letters >= 0.7 * len(text) and any(c.isalpha() for c in text) else ""


def glosses(lines: str) -> Iterator[str]:
    """Yield the glosses of one of WordNet's ``data`` files: the text after ``|``, a definition and its examples.

    Args:
        lines: the file's text. Lines that begin with blanks are the licence, and are left out.

    >>> list(glosses('  1 licence\\n00001740 03 n 01 entity 0 000 | that which exists; "it is"  \\n'))
    ['that which exists; "it is"']
    """
    for line in lines.splitlines():
        if not line.startswith("  ") and "|" in line:
            yield tidy(line.partition("|")[2])


def tidy(text: str) -> str:
    """Return a text with single blanks, none before a mark, none inside parentheses, and no empty parentheses.

    Args:
        text: the text.
    """
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\(\s*[,;.]?\s*\)", "", text)
    text = re.sub(r"\s+([,;:.!?)])(?!\.)", r"\1", text)
    text = re.sub(r"\(\s*(?:[,;]\s*)*", "(", text)
    text = re.sub(r"([,;:?!])(?:\s*[,;:.])+(?=\s|$)", r"\1", text)
    text = re.sub(r"(?<![. ])\.\.(?=\s|$)", ".", text)
    return re.sub(r"\s+", " ", text).strip(" ,;")
