"""Elements of a page: made one by one, so that every text and every attribute is escaped when they are written out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring


def add(parent: Element, tag: str, text: str = "", **attributes: object) -> Element:
    """Add an element to another, as its last child.

    Args:
        parent: the element that it is added to.
        tag: its tag.
        text: the text in it.
        attributes: by name, where ``_`` stands for ``-`` and a last ``_`` for nothing; None is left out.

    Returns:
        The new element.
    """
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    element = SubElement(parent, tag, {names[n]: str(value) for n, value in attributes.items() if value is not None})
    element.text = text or None
    return element


def add_paragraphs(parent: Element, texts: Iterable[str]) -> None:
    """Add a paragraph for each text; each is written in its own direction."""
    for text in texts:
        add(parent, "p", text, dir="auto")


def add_section(parent: Element, name: str, title: str) -> Element:
    """Add a section with a heading to a page, and return it.

    Args:
        parent: the element that it is added to.
        name: its id.
        title: the heading.
    """
    section = add(parent, "section", id=name, aria_labelledby=f"{name}-title")
    add(section, "h2", title, id=f"{name}-title")
    return section


def add_pairs(parent: Element, pairs: Iterable[tuple[str, str]]) -> None:
    """Add a list of names and what each is."""
    listed = add(parent, "dl")
    for name, text in pairs:
        row = add(listed, "div")
        add(row, "dt", name, dir="auto")
        add(row, "dd", text, dir="auto")


def add_table(parent: Element, label: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Element:
    """Add a table that scrolls sideways where the page is narrow, and return it; the first column heads its rows.

    Args:
        parent: the element that it is added to.
        label: what the table is called.
        columns: the titles of the columns.
        rows: the texts of the cells, row by row.
    """
    region = add(parent, "div", class_="scroll", role="group", aria_label=label, tabindex=0)
    table = add(region, "table")
    head = add(add(table, "thead"), "tr")
    for column in columns:
        add(head, "th", column, scope="col")
    body = add(table, "tbody")
    for first, *others in rows:
        row = add(body, "tr")
        add(row, "th", first, scope="row")
        for text in others:
            add(row, "td", text, dir="auto")
    return table


def html_of(root: Element) -> str:
    """Return a page as HTML."""
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"
