"""How to cite the companion and the paper: entries of BibTeX, made from CITATION.cff."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Licence of texts, figures and their numbers; the code has its own.
LICENCE = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"

_COMPANION, _PAPER = "essential_sparsity_companion", "jaiswal2023emergence"


def read(root: Path) -> dict[str, Any]:
    """Return what the CITATION.cff of a checkout says."""
    import yaml

    return yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))


def bibtex(citation: Mapping[str, Any]) -> str:
    """Return two entries of BibTeX: the companion's, and that of the paper, which is the companion's first reference.

    Args:
        citation: as ``read`` returns it.
    """
    (paper, *_) = citation["references"]
    companion = {
        "author": _authors(citation["authors"]),
        "title": f"{{{citation['title']}}}",
        "version": citation["version"],
        "url": citation["repository-code"],
        "note": f"Code under {citation['license']}, texts and figures under CC BY 4.0",
    }
    publication = {
        "author": _authors(paper["authors"]),
        "title": f"{{{paper['title']}}}",
        "booktitle": paper["collection-title"],
        "year": paper["year"],
        "note": next((each["value"] for each in paper.get("identifiers", ())), ""),
        "url": paper["url"],
    }
    entries = (_entry("software", _COMPANION, companion), _entry("inproceedings", _PAPER, publication))
    return "\n".join(entries)


def sentence(citation: Mapping[str, Any]) -> str:
    """Return in a sentence what to cite, as the files of a plot say it; arguments as of ``bibtex``."""
    (paper, *_) = citation["references"]
    names = [author["family-names"] for author in paper["authors"]]
    return (
        f"{citation['title']}, version {citation['version']}, {citation['repository-code']}; and the paper: "
        f"{', '.join(names[:-1])} and {names[-1]} ({paper['year']}), {paper['title']}, {paper['url']}"
    )


def fragment(citation: Mapping[str, Any]) -> str:
    """Return the entries as a block of Markdown, which the book shows with a button that copies them."""
    return f"```bibtex\n{bibtex(citation)}```\n"


def _authors(authors: list[Mapping[str, str]]) -> str:
    """Return authors as BibTeX takes them; what is no person's name is kept as it is."""
    names = []
    for author in authors:
        if "name" in author:
            names.append(f"{{{author['name']}}}")
        else:
            names.append(f"{author['family-names']}, {author['given-names']}")
    return " and ".join(names)


def _entry(kind: str, key: str, fields: Mapping[str, Any]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])
