"""Dictionaries as running text: the entries of GCIDE as dictd holds them, and WordNet's glosses.

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

#: What stands for a character is a mark beside a letter, as in ``[=a]`` or ``[oo^]``, or one of these names.
_MARKED = re.compile(r"""\[[-=~^'`",.*]?([A-Za-z]{1,2}|AE|ae|oe)\^?\]""")
_NAMED = dict(imac="i", aum="a", add="a", udd="u", asl="a", adot="a", dsdot="d") | dict(
    eth="th", thorn="th", yogh="gh", deg=" degrees", pounds="£", frac12="1/2", times="x"
)
_NAME = re.compile(rf"\[({'|'.join(_NAMED)})\]")

#: A source, and behind the last of an entry what the conversion left there of the next headword.
_SOURCE = r"\[[^\[\]]*(?:Webster|WordNet|PJC|Century Dict)[^\[\]]*\]"
_LEFT_OVER = re.compile(rf"({_SOURCE})[^.\[\]]{{0,80}}$")
_BRACKET = re.compile(r"\[[^\[\]]*\]")

_ENTRY = re.compile(r"\n\n(?=\S[^\n]*\\)")
_HEAD = re.compile(r"(?:[^\\]*\\[^\\]*\\)+")
_SPEECH = re.compile(
    r"(?:n|a|v|t|i|adj|adv|prep|conj|interj|pron|pl|sing|p|pr|vb|imp|obs|comp|superl|prop|fem|masc)\.(?=[\s,;&)]|$)"
)
_INFLECTED = re.compile(r"(?:[A-Z]+\. )?\{[^{}]*\}(?=[ ,;.]* (?:[A-Z]+\. )?[{(]|[ ,;.]*\n|\.)")
#: Pronunciation, or a field of knowledge, as they stand in a head.
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
    """The entries of GCIDE's dictd file, each as running text that begins with its headword.

    Args:
        text: the file. What stands before the first entry that follows an empty line, the database's description
            of itself, is passed over.

    >>> text = '00-database-info\\n   x\\n\\nDavit \\\\Dav"it\\\\, n. [Cf. F. davier.] (Naut.)\\n   A spar of a {ship}.'
    >>> list(entries(text + '\\n   [1913 Webster]\\n'))
    ['Davit: A spar of a ship.']
    """
    for entry in _ENTRY.split(f"\n\n{text}")[1:]:
        if cleaned := _cleaned(entry):
            yield cleaned


def _cleaned(entry: str) -> str:
    entry = _NAME.sub(lambda m: _NAMED[m[1]], _MARKED.sub(r"\1", entry.rstrip()))
    entry = _LEFT_OVER.sub(r"\1", entry)
    while _BRACKET.search(entry):  # the innermost first
        entry = _BRACKET.sub("", entry)
    entry = entry.replace("[", "").replace("]", "")
    first, *paragraphs = re.split(r"\n\s*\n", entry)
    headword, definition = _parted(first)
    running = [run for paragraph in (definition, *paragraphs) if (run := _running(paragraph))]
    return f"{headword}: {' '.join(running)}" if running else ""


def _parted(paragraph: str) -> tuple[str, str]:
    """The headword, and what follows the head."""
    headword, _, _ = paragraph.partition("\\")
    match = _HEAD.match(paragraph)
    rest = paragraph[match.end() :] if match else paragraph
    while True:
        shorter = rest.lstrip(" \n,;.:&")
        for pattern in (_SPOKEN, _SPEECH, _INFLECTED, _FIELD):
            if found := pattern.match(shorter):
                shorter = shorter[found.end() :]
        if shorter == rest:
            return " ".join(headword.split()), rest
        rest = shorter


def _running(paragraph: str) -> str:
    """A paragraph's lines as running text; nothing if it is a table."""
    lines = [_SENSE.sub("", line.strip()) for line in paragraph.strip().split("\n")]
    text = _FIELD.sub("", _LABEL.sub("", " ".join(lines)))
    text = _DERIVED.sub(lambda m: re.sub(r'[*"`]', "", m[1]), text)
    text = re.sub(r"^Syn: ", "Synonyms: ", text.strip())
    text = tidy(re.sub(r"[{}]", "", _AUTHOR.sub("", text)))
    letters = sum(c.isalpha() or c == " " for c in text)
    return text if letters >= 0.7 * len(text) and any(c.isalpha() for c in text) else ""


def glosses(lines: str) -> Iterator[str]:
    """The glosses of one of WordNet's ``data`` files: what stands behind ``|``, the definition and its examples.

    Lines that begin with a blank are the licence.

    >>> list(glosses('  1 licence\\n00001740 03 n 01 entity 0 000 | that which exists; "it is"  \\n'))
    ['that which exists; "it is"']
    """
    for line in lines.splitlines():
        if not line.startswith("  ") and "|" in line:
            yield tidy(line.partition("|")[2])


def tidy(text: str) -> str:
    """Single blanks, none before a mark, none inside parentheses, no empty parentheses."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\(\s*[,;.]?\s*\)", "", text)
    text = re.sub(r"\s+([,;:.!?)])(?!\.)", r"\1", text)
    text = re.sub(r"\(\s*(?:[,;]\s*)*", "(", text)
    text = re.sub(r"([,;:?!])(?:\s*[,;:.])+(?=\s|$)", r"\1", text)
    text = re.sub(r"(?<![. ])\.\.(?=\s|$)", ".", text)
    return re.sub(r"\s+", " ", text).strip(" ,;")
